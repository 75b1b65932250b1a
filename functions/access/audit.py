"""The audit of actions and sign-ins. The reason for two writes: docs/decisions/0014-audit-before-the-act.md."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from correlation import current_correlation_id, of_run
from credentials.secrets import SecretMissing, SecretsUnavailable
from functions.access.tokens import Subject
from functions.http.problems import problem_of
from functions.services import Worker
from functions.telemetry.spans import flush_at_end
from problems import Problem
from records import AuditedAction, AuditEntry, Credential

if TYPE_CHECKING:
    from stores.audit import AuditLog

_PATIENCE_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Attempt:
    """An action that is recorded and in progress; the code that carries it out sets its run's id."""

    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id


@contextmanager
def on_record(log: "AuditLog", entry: AuditEntry) -> Iterator[Attempt]:
    """Record an action as attempted, run the body, then record the outcome.

    If the first write fails, the action does not begin. If only the second write fails, the action is not undone: the
    entry stays ``attempted``, and the caller gets the result of the action.

    Raises:
        PyMongoError: the attempt cannot be recorded, so nothing was done.
    """
    log.add(entry)
    flush_at_end()
    attempt = Attempt(entry.run_id)
    try:
        yield attempt
    except Exception as error:
        _conclude(log, replace(entry, outcome="refused", problem=problem_of(error).slug, run_id=attempt.run_id))
        raise
    else:
        _conclude(log, replace(entry, outcome="accepted", run_id=attempt.run_id))


def record_refusal(
    worker: Worker, refusal: Problem, subject: Subject | None, *, client: str, credential: Credential
) -> None:
    """Record a refused sign-in, with the ``subject`` of a valid token.

    A record that cannot be written is logged; it neither changes the refusal nor delays it for long.
    """
    import pymongo
    from pymongo.errors import PyMongoError

    entry = new_entry("sign_in", credential, client=client)
    if subject is not None:
        entry = replace(entry, actor=subject.actor, credential_id=subject.name)
    refused = replace(entry, outcome="refused", problem=refusal.slug)
    try:
        with pymongo.timeout(_PATIENCE_SECONDS):
            worker.services().audit.add(refused)
    except (PyMongoError, SecretMissing, SecretsUnavailable) as error:
        _log.error("A refused sign-in cannot be recorded: %s (client=%s)", type(error).__name__, client)


def new_entry(action: AuditedAction, credential: Credential, **known: str | None) -> AuditEntry:
    """Return an entry for an action attempted now, with the ``known`` ones of its other fields."""
    entry_id, now = secrets.token_hex(8), datetime.now(UTC)
    entry = AuditEntry(entry_id, now, action, credential, current_correlation_id(), "attempted")
    return replace(entry, **known)  # type: ignore[arg-type] # fields that are texts or absent


def _conclude(log: "AuditLog", entry: AuditEntry) -> None:
    from pymongo.errors import PyMongoError

    try:
        log.conclude(entry)
    except PyMongoError as error:
        text = "The outcome of an audit entry cannot be recorded: %s (entry_id=%s, outcome=%s, run_id=%s)"
        with of_run(entry.run_id):
            _log.error(text, type(error).__name__, entry.entry_id, entry.outcome, entry.run_id)
