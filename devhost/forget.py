"""``python -m devhost forget USER``: everything that is kept about a person, shown, then erased with ``--yes``."""

import getpass
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from pymongo.errors import PyMongoError

from correlation import correlated
from credentials.secrets import SecretMissing, SecretsUnavailable
from devhost.errors import StartError
from devhost.preflight import read_settings
from functions.access.audit import new_entry, on_record
from functions.services import Worker
from lake.places import LakeUnavailable
from runs.forgetting import forget
from runs.services import Services
from runs.starting import RunActive
from settings import Settings, SettingsError

_NOT_ERASED = """\
Not touched: the backend's own documents (while they are there, the next night reports on the person again), backups of
the database, soft-deleted blobs, log lines, and what receivers of events and readers of exports have.\
"""


def main(user_id: str, settings_file: Path | None, *, erase: bool) -> int:
    """Print what is kept about a person, and erase it if wanted; return the exit code: 0 if all was reached."""
    try:
        os.environ |= read_settings(settings_file) if settings_file else {}
        worker = Worker(Settings.from_environment(os.environ))
        services = worker.services()
        with services.mongodb:
            reached = _forget(services, user_id, erase=erase)
    except (StartError, SettingsError, SecretMissing, SecretsUnavailable, RunActive) as error:
        print(error, file=sys.stderr)
    except LakeUnavailable as error:
        print(f"{error.detail} What is told above is done: repeat the command.", file=sys.stderr)
    except PyMongoError as error:
        # Not the message, which may contain the URL.
        print(
            f"The database does not answer, or refuses ({type(error).__name__}): repeat the command.", file=sys.stderr
        )
    else:
        return 0 if reached else 1
    return 1


def _forget(services: Services, user_id: str, *, erase: bool) -> bool:
    """Return whether all was reached: a run that begins meanwhile may write about the person."""
    with ExitStack() as recorded:
        if erase:
            services.ensure_keys()  # without them, what is written again would be there twice
            correlation_id = recorded.enter_context(correlated())
            # Without the person's id, which would be kept again: the id of the entry belongs into the request's file.
            entry = new_entry("forget", "command", actor=getpass.getuser())
            recorded.enter_context(on_record(services.audit, entry))
            print(f"On record in the audit log as {entry.entry_id} (correlation id {correlation_id}).")
        count = 0
        for trace in forget(services, user_id, erase=erase):
            count += trace.count
            print(f"{trace.count:>8}  {trace.place}", flush=True)
    overtaken = erase and services.lease.holder() is not None
    if overtaken:
        print("A run has begun meanwhile, and may have written about the person: repeat the command after it.")
    elif not count:
        print("Nothing is kept about this person.")
    elif erase:
        print("Erased.")
    else:
        print("Nothing is erased yet: repeat the command with --yes.")
    print(_NOT_ERASED)
    return not overtaken
