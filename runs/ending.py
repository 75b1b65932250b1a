"""The end of runs: by their last step, or closed from outside because they are lost or stalled."""

import logging
from contextlib import suppress
from copy import replace
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from correlation import of_run
from records import MAX_ERRORS, Failure, Metrics, Plan, Run, RunError, RunStatus, user_counts
from runs.engine import VERSION, Engine, EngineUnavailable, is_newer
from runs.services import Services

if TYPE_CHECKING:
    from stores.lines import Lines

START_GRACE = timedelta(seconds=60)
"""A run whose trigger died between recording it and starting the orchestration is closed after this time."""

_BROKEN_OFF: tuple[RunStatus, ...] = ("failed", "canceled")
"""The states of a run whose last pages may not have told what they stored."""

_log = logging.getLogger(__name__)


def finish(services: Services, run_id: str, failure: Failure | None, durations: dict[str, float]) -> RunStatus:
    """Bring a run to its final state, release the lease and return the state, even if the run already had one."""
    run = services.runs.get(run_id)
    if run is None:
        services.lease.release(run_id)
        return "failed"
    plan = services.runs.plan(run_id)
    if plan is not None:
        from runs.universe import forget  # slow to import, and steps have it already

        forget(plan.plan_id)  # no page will need it, and the lists of a million users need the room
    return close_run(services, run, failure, durations)


def close_run(
    services: Services, run: Run, failure: Failure | None, durations: dict[str, float] | None = None
) -> RunStatus:
    """Bring a run to its final state, because of ``failure`` if there is one; release the lease, return the state.

    Counts and errors are computed from the stored results, not summed up on the way. Closing a run again changes and
    logs nothing, but completes what a crash left half done. Of several concurrent calls, one logs the end of the run.
    """
    with of_run(run.run_id):
        return _close(services, run, failure, durations or {})


def _close(services: Services, run: Run, failure: Failure | None, durations: dict[str, float]) -> RunStatus:
    plan = services.runs.plan(run.run_id)
    while run.is_active:
        status, changes = _end_of(services, run, failure)
        if status not in _BROKEN_OFF:  # a completed run has its lists
            _rank(services, replace(run, status=status), plan)
        ended = {"completed_at": datetime.now(UTC), "metrics": asdict(_metrics(run, durations))}
        services.runs.finish(run.run_id, status, changes | ended)
        # If it did not apply, another process was faster or the run was canceled meanwhile: read the run again.
        run = services.runs.get(run.run_id) or replace(run, status=status)
    unpriced = [] if plan is None else services.batches.failed_symbols(plan.plan_id)
    if services.runs.take_log(run.run_id):
        if run.status in _BROKEN_OFF:
            recount_if_over(services, run.run_id)
        _log_end(services, services.runs.get(run.run_id) or run)
        if (only_watched := len(unpriced) - run.symbols_failed) > 0:
            _log.info("%d symbols that are only on watchlists have no prices (run_id=%s)", only_watched, run.run_id)
        services.runs.set_closing(run.run_id, "logged")
    if any(error.error_type == "too_few_prices" for error in run.errors):
        # The source's answers may have been incomplete: the next run asks again.
        services.prices.forget_empty(unpriced)
    _rank(services, run, plan)
    _tell_end(services, run)
    services.batches.delete(run.run_id)
    services.lease.release(run.run_id)
    services.runs.set_closing(run.run_id, None)
    return run.status


def close_if_lost(services: Services, engine: Engine, run: Run, *, standstill: timedelta | None = None) -> bool:
    """Close an active run that the engine has lost or cannot continue; return whether the run is over.

    A run of a newer version is closed after no progress for ``standstill``, by default the time that any run may stall:
    during a deployment, a newer host may still be working on it.
    """
    state = engine.state(run.run_id)
    version = services.runs.version(run.run_id) or VERSION
    if state == "active" and not (is_newer(version) and has_stalled(services, run, standstill)):
        return False
    now = services.runs.get(run.run_id)
    if now is None or not now.is_active:  # it finished during the call to the engine
        return True
    if state is None and now.status == "queued":
        if datetime.now(UTC) - now.requested_at < START_GRACE:
            return False
        if now.trigger.source == "timer" and services.runs.delete_queued(now):
            # No failure of a night that is still to come: the timer or the watchdog starts it again.
            _log.warning("The trigger of a night died before its run began: it leaves no run (run_id=%s)", run.run_id)
            services.lease.release(run.run_id)
            return True
    failure = Failure("run_lost", "The orchestration engine has lost this run. Start it again.")
    with of_run(run.run_id):
        _log.error("An active run cannot continue in the orchestration engine (run_id=%s)", run.run_id)
        if state == "active":
            text = f"The app was rolled back from version {version} of the orchestration to {VERSION}; start it again."
            failure = Failure("newer_version", text)
            # With `Reject` the engine keeps the instance and this message until a host of that version is back. The
            # steps then do nothing, since the run is closed.
            with suppress(EngineUnavailable):
                engine.terminate(run.run_id)
        close_run(services, now, failure)
    return True


def has_stalled(services: Services, run: Run, longest: timedelta | None = None) -> bool:
    """Return whether a run made no progress for too long, by default for the time that any run may stall."""
    progressed_at = services.runs.progressed_at(run.run_id)
    longest = longest or timedelta(seconds=services.settings.stall_seconds)
    return progressed_at is not None and datetime.now(UTC) - progressed_at > longest


def recount_if_over(services: Services, run_id: str) -> None:
    """Correct the counts and errors of a run that was closed while one of its pages was still being analyzed.

    Both the closing of a run and the end of a page call this, so that neither misses the other.
    """
    while (run := services.runs.get(run_id)) is not None and not run.is_active and not run.dry_run:
        outcome = services.reports.outcome(run_id)
        if user_counts(outcome).items() <= asdict(run).items():
            return
        named = {error.user_id for error in run.errors}
        failures = [error for error in services.reports.failures(run_id, MAX_ERRORS) if error.user_id not in named]
        errors = [*run.errors, *failures][:MAX_ERRORS]
        services.runs.recount(run, outcome, errors, run.errors_count + outcome.failed - run.users_failed)
        lines = services.reports.lines(run_id)
        services.rankings.write(run_id, lines)
        _settle_book(services, run, lines)


def _rank(services: Services, run: Run, plan: Plan | None) -> None:
    """Store the orders of the run's portfolios for lists, and what a night says of all of them, unless they are."""
    if run.dry_run or services.rankings.of(run.run_id) is not None:
        return
    if plan is None or run.status in _BROKEN_OFF:
        lines = services.reports.lines(run.run_id)
    else:
        lines = services.batches.lines(plan.plan_id)
        # Another delivery of this step deletes the batches, but not before it has stored the lists: then some of these
        # lines may be missing.
        if services.rankings.of(run.run_id) is not None:
            return
    _settle_book(services, run, lines)
    services.rankings.write(run.run_id, lines)


def _tell_end(services: Services, run: Run) -> None:
    from runs.telling import tell_end  # slow to import

    tell_end(services, services.runs.get(run.run_id) or run)


def _settle_book(services: Services, run: Run, lines: "Lines") -> None:
    from runs.book import settle_book  # slow to import, and steps have it already

    settle_book(services, run, lines)


def _end_of(services: Services, run: Run, failure: Failure | None) -> tuple[RunStatus, dict[str, object]]:
    """Return the final state of a run, and the changes to its record."""
    plan = services.runs.plan(run.run_id)
    plan_id = "" if plan is None else plan.plan_id
    if run.dry_run:  # it stores no reports
        outcome, user_errors = services.batches.outcome(plan_id), services.batches.user_errors(plan_id, MAX_ERRORS)
    else:
        if plan is None or failure or run.cancel_requested_at:
            outcome = services.reports.outcome(run.run_id)
        else:  # every page has told what it stored
            outcome = services.batches.outcome(plan_id)
        user_errors = services.reports.failures(run.run_id, MAX_ERRORS)
    invalid, invalid_holdings = services.batches.invalid_holdings(plan_id, MAX_ERRORS)
    symbols_failed, symbol_errors = services.batches.symbol_errors(plan_id, MAX_ERRORS)
    price_issues_count, price_issues = services.batches.price_issues(plan_id, MAX_ERRORS)
    failures = [RunError(None, failure.error_type, failure.error)] if failure else []
    errors = [*failures, *run.errors, *user_errors, *invalid_holdings, *symbol_errors]
    errors_count = len(failures) + run.errors_count + outcome.failed + invalid + symbols_failed
    status: RunStatus = "failed" if failure else "completed_with_errors" if errors_count else "completed"
    changes = {
        "progress.phase": "done",
        "progress.pages_done": services.batches.count_pages_done(run.run_id),
        **user_counts(outcome),
        "symbols_failed": symbols_failed,
        "errors": [asdict(error) for error in errors[:MAX_ERRORS]],
        "errors_count": errors_count,
        "price_issues": msgspec.to_builtins(price_issues),
        "price_issues_count": price_issues_count,
    }
    if run.users_to_analyze_estimated:  # it ended before anybody was counted
        users = outcome.analyzed + outcome.skipped + outcome.failed
        changes |= {"users_to_analyze": users, "users_to_analyze_estimated": False}
    return "canceled" if run.cancel_requested_at else status, changes


def _metrics(run: Run, phases: dict[str, float]) -> Metrics:
    total = (datetime.now(UTC) - (run.started_at or run.requested_at)).total_seconds()
    durations = {f"{phase}_duration_seconds": seconds for phase, seconds in phases.items()}
    users = 0 if run.users_to_analyze_estimated else run.users_to_analyze
    return Metrics(
        total_duration_seconds=total,
        avg_duration_per_user_seconds=total / users if users else None,
        **durations,
    )


def _log_end(services: Services, run: Run) -> None:
    texts = {
        "completed": (logging.INFO, "completed successfully"),
        "completed_with_errors": (logging.WARNING, "completed with errors"),
        "failed": (logging.ERROR, "failed"),
        "canceled": (logging.WARNING, "canceled"),
    }
    level, text = texts[run.status]
    # Another process may have recorded the end, and for another reason.
    reason = run.errors[0].error_type if run.status == "failed" and run.errors else None
    more = f", error_type={reason}" if reason else ""
    _log.log(level, "Portfolio analysis %s (%s%s)", text, run.described, more)
    services.record_end(run, reason)
