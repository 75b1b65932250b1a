"""The audit of actions, reads of personal figures, and sign-ins; see docs/decisions/0014-audit-before-the-act.md."""

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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

MOST_USER_IDS = 100
_PATIENCE_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Attempt:
    """An action in progress, and its entry as far as it is known."""

    def __init__(self, entry: AuditEntry) -> None:
        self.entry = entry

    def tell(self, **known: Any) -> None:  # noqa: ANN401 - members of an entry
        """Add members to the entry; of ``user_ids`` it keeps the first hundred and, unless it is given, the count."""
        if known.get("user_ids") is not None:
            user_ids = known["user_ids"]
            known = {"user_ids_count": len(user_ids)} | known | {"user_ids": tuple(user_ids[:MOST_USER_IDS])}
        self.entry = replace(self.entry, **known)


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
    attempt = Attempt(entry)
    try:
        yield attempt
    except Exception as error:
        _conclude(log, replace(attempt.entry, outcome="refused", problem=problem_of(error).slug))
        raise
    else:
        _conclude(log, replace(attempt.entry, outcome="accepted"))


@contextmanager
def read_on_record(log: "AuditLog", entry: AuditEntry) -> Iterator[Attempt]:
    """Run the body, which reads personal figures, then record it, before they leave the app.

    Raises:
        PyMongoError: the read cannot be recorded, so its result must not be sent.
    """
    attempt = Attempt(entry)
    with refusal_on_record(log, attempt):
        yield attempt
    log.add(replace(attempt.entry, outcome="accepted"))


@contextmanager
def refusal_on_record(log: "AuditLog", attempt: Attempt) -> Iterator[None]:
    """Run the body and record its failure, which gives the caller nothing."""
    try:
        yield
    except Exception as error:
        _record_refused(lambda: log, replace(attempt.entry, problem=problem_of(error).slug))
        raise


def record_refusal(
    worker: Worker, refusal: Problem, subject: Subject | None, *, client: str, credential: Credential
) -> None:
    """Record a refused sign-in, with the ``subject`` of a valid token."""
    entry = new_entry("sign_in", credential, client=client, problem=refusal.slug)
    if subject is not None:
        entry = replace(entry, actor=subject.actor, credential_id=subject.name)
    _record_refused(lambda: worker.services().audit, entry)


def new_entry(action: AuditedAction, credential: Credential, **known: Any) -> AuditEntry:  # noqa: ANN401 - its members
    """Return an entry for an action attempted now, with the ``known`` ones of its other members."""
    entry_id, now = secrets.token_hex(8), datetime.now(UTC)
    return AuditEntry(entry_id, now, action, credential, current_correlation_id(), "attempted", **known)


def _record_refused(log: Callable[[], "AuditLog"], entry: AuditEntry) -> None:
    """Record a refusal. If that fails, it is logged; it neither changes the refusal nor delays it for long."""
    import pymongo
    from pymongo.errors import PyMongoError

    try:
        with pymongo.timeout(_PATIENCE_SECONDS):
            log().add(replace(entry, outcome="refused"))
    except (PyMongoError, SecretMissing, SecretsUnavailable) as error:
        name = type(error).__name__
        _log.error("A refusal cannot be recorded: %s (action=%s, client=%s)", name, entry.action, entry.client)


def _conclude(log: "AuditLog", entry: AuditEntry) -> None:
    from pymongo.errors import PyMongoError

    try:
        log.conclude(entry)
    except PyMongoError as error:
        text = "The outcome of an audit entry cannot be recorded: %s (entry_id=%s, outcome=%s, run_id=%s)"
        with of_run(entry.run_id):
            _log.error(text, type(error).__name__, entry.entry_id, entry.outcome, entry.run_id)
