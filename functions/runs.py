"""The one way in: whoever asks for a run, asks here."""

import logging
import secrets as random_source
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from stores.records import MAX_ERRORS, Outcome, Run, RunError, RunExists, RunStatus, Trigger

if TYPE_CHECKING:
    from azure.durable_functions import SyncDurableFunctionsClient
    from durabletask.client import OrchestrationState

    from functions.services import Services

ORCHESTRATION = "portfolio_analysis"
# A trigger that dies between recording its run and starting the orchestration is over after this long.
_START_GRACE = timedelta(seconds=60)
_EARLIEST_AS_OF = date(1900, 1, 1)

_log = logging.getLogger(__name__)


class RunActive(Exception):
    """Another run is active; one at a time."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


class RunOver(Exception):
    """The run has reached a final state."""


class EngineUnavailable(Exception):
    """The orchestration engine did not take the run; it is recorded as failed and the lease is free."""


class InvalidAsOf(ValueError):
    """The date asked for cannot be analysed; the message says which can."""


def start_run(
    services: "Services",
    engine: "SyncDurableFunctionsClient",
    trigger: Trigger,
    *,
    user_ids: Sequence[str] | None = None,
    as_of: date | None = None,
    dry_run: bool = False,
) -> str:
    """Record a run, take the lease and hand it to the orchestration engine; gives its id.

    The order matters: a run is recorded before it holds the lease, and holds it before it starts. What dies in between
    leaves a queued record; whoever gets the lease later closes it.

    Raises:
        InvalidAsOf: ``as_of`` lies in the future, or before there were any prices.
        RunActive: another run holds the lease.
        EngineUnavailable: the engine did not take it.
    """
    now = datetime.now(UTC)
    if as_of is not None and not _EARLIEST_AS_OF <= as_of <= now.date():
        raise InvalidAsOf(f"as_of must be a date from {_EARLIEST_AS_OF} to today, {now.date()}")
    run = _record(services, Run("", "queued", trigger, now, as_of=as_of, dry_run=dry_run), user_ids)
    try:
        _take_lease(services, engine, run.run_id, now)
    except BaseException:
        services.runs.delete_queued(run.run_id)
        raise
    for abandoned in services.runs.queued_before(now - _START_GRACE):
        _close_lost(services, abandoned)
    _start_orchestration(services, engine, run.run_id)
    source = "by timer" if trigger.source == "timer" else "via API"
    _log.info("Portfolio analysis triggered %s (run_id=%s, actor=%s)", source, run.run_id, trigger.actor)
    return run.run_id


def close_run(
    services: "Services",
    run: Run,
    status: RunStatus,
    outcome: Outcome,
    errors: Sequence[RunError],
    *,
    errors_count: int,
    figures: dict[str, object] | None = None,
) -> None:
    """Bring a run to its final state and free the lease. Doing it again changes nothing and logs nothing."""
    changes = {
        "completed_at": datetime.now(UTC),
        "progress.phase": "done",
        "progress.pages_done": services.batches.count_pages_done(run.run_id),
        "users_analyzed": outcome.analyzed,
        "portfolios_analyzed": outcome.analyzed,
        "users_skipped": outcome.skipped,
        "users_failed": outcome.failed,
        "errors": [asdict(error) for error in errors[:MAX_ERRORS]],
        "errors_count": errors_count,
        **(figures or {}),
    }
    if services.runs.finish(run.run_id, status, changes):
        _log_end(run.run_id, status)
    services.lease.release(run.run_id)
    services.batches.delete(run.run_id)


def active_run(services: "Services", run_id: str) -> Run:
    """Give a run that is under way.

    Raises:
        RunOver: it has ended; whoever still works for it may stop.
    """
    run = services.runs.get(run_id)
    if run is None or not run.is_active:
        raise RunOver(run_id)
    return run


def _record(services: "Services", run: Run, user_ids: Sequence[str] | None) -> Run:
    while True:
        run_id = f"run_{run.requested_at:%Y%m%d_%H%M%S}_{random_source.token_hex(2)}"
        run = replace(run, run_id=run_id)
        try:
            services.runs.create(run, user_ids)
        except RunExists:
            # Four hex digits are few: of the triggers of one second two may well draw the same.
            continue
        return run


def _take_lease(services: "Services", engine: "SyncDurableFunctionsClient", run_id: str, now: datetime) -> None:
    while (holder := services.lease.acquire(run_id, now)) is not None:
        if not _is_over(services, engine, holder):
            raise RunActive(holder)
        if services.lease.take_over(holder, run_id, now):
            _log.warning("Run lease taken over from a run that is over (run_id=%s, held_by=%s)", run_id, holder)
            return


def _is_over(services: "Services", engine: "SyncDurableFunctionsClient", run_id: str) -> bool:
    """Tell whether a run that holds the lease has verifiably ended; where only the engine knows, record it."""
    run = services.runs.get(run_id)
    if run is None or not run.is_active:
        return True
    state = engine.get_orchestration_state(run_id, fetch_payloads=False)
    if state is None:
        if run.status == "queued" and datetime.now(UTC) - run.requested_at < _START_GRACE:
            return False
    elif not _has_ended(state):
        return False
    _close_lost(services, run)
    return True


def _close_lost(services: "Services", run: Run) -> None:
    error = RunError(None, "run_lost", "The orchestration engine does not carry this run; start it again.")
    close_run(services, run, "failed", services.reports.outcome(run.run_id), [error], errors_count=1)


def _has_ended(state: "OrchestrationState") -> bool:
    from durabletask.client import OrchestrationStatus  # noqa: PLC0415 - loaded with the SDK, not needed for indexing

    ended = (OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED, OrchestrationStatus.TERMINATED)
    return state.runtime_status in ended


def _start_orchestration(services: "Services", engine: "SyncDurableFunctionsClient", run_id: str) -> None:
    from grpc import RpcError  # noqa: PLC0415 - loaded with the SDK, not needed for indexing

    try:
        engine.schedule_new_orchestration(ORCHESTRATION, instance_id=run_id)
    except RpcError as error:
        run = services.runs.get(run_id)
        if run is not None:
            reason = RunError(None, "engine_unavailable", "The orchestration engine did not take the run.")
            close_run(services, run, "failed", Outcome(), [reason], errors_count=1)
        raise EngineUnavailable(run_id) from error


def _log_end(run_id: str, status: RunStatus) -> None:
    texts = {
        "completed": (logging.INFO, "completed successfully"),
        "completed_with_errors": (logging.WARNING, "completed with errors"),
        "failed": (logging.ERROR, "failed"),
        "canceled": (logging.WARNING, "canceled"),
    }
    level, text = texts[status]
    _log.log(level, "Portfolio analysis %s (run_id=%s)", text, run_id)
