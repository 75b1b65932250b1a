"""The watchdog's work: to close lost and stalled runs, and to purge data past its retention."""

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise

from correlation import of_run
from records import Failure, Run
from runs.book import people_after_retry
from runs.ending import START_GRACE, close_if_lost, close_run, has_stalled
from runs.engine import Engine, EngineUnavailable, StillRunning
from runs.services import Services

# The most that one call purges, so that it ends in time; the next call continues. The steps are short, since a run may
# be writing.
_RUNS_PURGED, _PURGE_SECONDS = 20, 200
_BLOCKS_PER_DELETE, _REPORTS_PER_DELETE = 2, 2_000
_POSTPONED = timedelta(days=1)

_log = logging.getLogger(__name__)


def close_stuck_runs(services: Services, engine: Engine) -> None:
    """Close every active run that is lost or stalled; release a lease that no active run holds.

    If closing a run was interrupted after its final state was recorded, the rest is done.
    """
    before = datetime.now(UTC) - START_GRACE
    for run in services.runs.half_closed(before):
        # An end that is logged twice is better than one that is never logged.
        services.runs.give_back_log(run.run_id)
        close_run(services, run, None)
    for run in services.runs.active_before(before):
        if not close_if_lost(services, engine, run, standstill=START_GRACE) and has_stalled(services, run):
            _stop_stalled(services, engine, run)
    holder = services.lease.holder()
    if holder is None:
        return
    held_by = services.runs.get(holder)
    # A run that ended just now is about to release it itself.
    if held_by is None or (held_by.completed_at is not None and held_by.completed_at < before):
        with of_run(holder):
            _log.error("The run lease was held by a run that has ended, and is released (run_id=%s)", holder)
            services.lease.release(holder)


def purge_old_runs(services: Services, engine: Engine) -> None:
    """Delete the reports and engine history of runs past their retention; the records of runs stay."""
    before = datetime.now(UTC) - timedelta(days=services.settings.retention_days)
    end, unavailable = time.monotonic() + _PURGE_SECONDS, False
    for run in services.runs.to_purge(before, _RUNS_PURGED):
        if not _purge_reports(services, run.run_id, end):
            return
        if unavailable:  # reports are purged without the engine
            continue
        with of_run(run.run_id):
            try:
                _purge_history(services, engine, run)
            except EngineUnavailable:
                unavailable = True
                _log.warning("The engine history cannot be purged now (run_id=%s)", run.run_id)


def leave_reports_to_lake(services: Services) -> None:
    """Delete the reports of earlier nights that the lake has, and keep their summaries."""
    kept = services.settings.reports_kept_nights
    before = None if kept is None else services.runs.time_of_night(kept)
    if services.lake is None or before is None:
        return
    end = time.monotonic() + _PURGE_SECONDS
    for run in services.runs.to_leave_to_lake(before, _RUNS_PURGED):
        boundaries = services.rankings.boundaries(run.run_id)[_BLOCKS_PER_DELETE::_BLOCKS_PER_DELETE]
        for since, until in pairwise((None, *boundaries, None)):
            left = services.reports.leave_to_lake(run.run_id, since, until)
            # What an earlier call left is passed over in any case, so that each call gets further.
            if left and time.monotonic() > end:
                return
        services.runs.left_to_lake(run.run_id)
        with of_run(run.run_id):
            _log.info("Full reports are in the lake only (run_id=%s)", run.run_id)


def _purge_reports(services: Services, run_id: str, end: float) -> bool:
    """Delete the reports of a run, its research and its lists, until the time ``end``; return whether all are deleted.

    The lists tell where each thousand of users begins, so the reports are found and deleted by one scan of their key.
    """
    steps = chain(_purges_of_reports(services, run_id), _purges_of_lists(services, run_id))
    return all(time.monotonic() < end for _ in steps)


def _purges_of_reports(services: Services, run_id: str) -> Iterator[None]:
    first = services.reports.nth_user_id(run_id, 0)
    if first is None:
        return
    boundaries = services.rankings.boundaries(run_id)[_BLOCKS_PER_DELETE::_BLOCKS_PER_DELETE]
    ahead = [boundary for boundary in boundaries if boundary > first]
    if ahead:
        # From where the last one ended: a scan from the start would pass over what has just been deleted.
        for since, until in pairwise((None, *ahead, None)):
            services.reports.purge(run_id, since, until)
            yield
        return
    while first is not None:  # as in runs of earlier versions of the app: a second scan finds where to divide
        first = services.reports.nth_user_id(run_id, _REPORTS_PER_DELETE)
        services.reports.purge(run_id, None, first)
        yield


def _purges_of_lists(services: Services, run_id: str) -> Iterator[None]:
    while services.research.purge(run_id):
        yield
    services.books.purge(run_id)
    for kept in (people_after_retry(run_id), run_id):
        while services.rankings.purge(kept):
            yield


def _purge_history(services: Services, engine: Engine, run: Run) -> None:
    """Delete the engine's data of the run; if it still runs there, terminate it and try again another day."""
    try:
        engine.purge(run.run_id, run.requested_at, run.completed_at)
    except StillRunning:
        engine.terminate(run.run_id)
        if services.runs.postpone_purge(run.run_id, datetime.now(UTC) + _POSTPONED):
            _log.warning("A run that has ended still runs in the engine, and is purged later (run_id=%s)", run.run_id)
    else:
        services.runs.purged(run.run_id)
        _log.info("Reports and engine history purged (run_id=%s)", run.run_id)


def _stop_stalled(services: Services, engine: Engine, run: Run) -> None:
    limit = services.settings.stall_seconds
    text = f"The run made no progress for {limit} s, in phase {run.progress.phase}, and was stopped. Start it again."
    with of_run(run.run_id):
        _log.error("A run made no progress for %d s and is stopped (run_id=%s)", limit, run.run_id)
        with suppress(EngineUnavailable):  # it stays in the engine: the steps of a closed run do nothing
            engine.terminate(run.run_id)
        close_run(services, run, Failure("run_stalled", text))
