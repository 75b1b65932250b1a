"""The nights: each is one time of the schedule, and has one run of all users as of the newest date."""

import logging
from datetime import datetime, timedelta

from records import NightOfRun, RequestKey, Run, Trigger
from runs.engine import Engine
from runs.services import Services
from runs.starting import start_run
from schedules import Schedule

# The timer itself has tried by the first; a night is not found to be missed after the second: an operator decides.
_ATTEMPTED, _TOO_LATE = timedelta(minutes=2), timedelta(minutes=90)
_LONGEST_RUN = timedelta(days=1)

_log = logging.getLogger(__name__)


def last_night(schedule: Schedule, now: datetime) -> datetime:
    """Return the time that the last night was scheduled for; a host's clock may be a minute ahead."""
    return schedule.before(now + timedelta(minutes=1))


def key_of_night(night: datetime) -> str:
    """Return the key under which the run of a night is recorded, so that there is one a night."""
    return f"timer:{night:%Y-%m-%dT%H:%M:%SZ}"


def start_night(services: Services, engine: Engine, night: datetime, actor: str) -> str:
    """Start the run of the ``night``, the time it is scheduled for, unless it was started before; return its id.

    Raises as :func:`start_run`.
    """
    return start_run(services, engine, Trigger("timer", actor), request=RequestKey(key_of_night(night), ""))


def run_of_night(services: Services, night: datetime) -> Run | None:
    """Return the run that does the work of a night, or did since it was due, whatever started it.

    It is of all users, not dry, as of the newest date, and neither failed nor canceled.
    """
    candidates = services.runs.of_everybody_since(night - _LONGEST_RUN)
    return next((run for run in candidates if run.has_work or _was_completed(run, night)), None)


def newest_night(services: Services) -> list[Run]:
    """Return the runs of the newest night that is complete, latest first: its retries, over chains, and its own run.

    A report of a retry replaces the failed one of the run it retries, and a failed one no other.
    """
    night = services.runs.newest_night()
    return [] if night is None else services.runs.with_retries(night)


def night_of(services: Services, run: Run) -> NightOfRun | None:
    """Return the night that a run will belong to if it completes, ``None`` if it does not count as one.

    It does as the run of everybody as of the newest date, and as a retry of a completed one.
    """
    if run.dry_run:
        return None
    if run.retry_of is not None:
        return _night_of_retry(services, run.retry_of)
    if run.as_of_requested is not None or services.runs.requested_user_ids(run.run_id) is not None:
        return None
    return NightOfRun(run.run_id, tuple(before.run_id for before in newest_night(services)))


def _night_of_retry(services: Services, run_id: str) -> NightOfRun | None:
    run = services.runs.get(run_id)
    return services.runs.night(run_id) if run is not None and run.is_completed else None


def missed_night(services: Services, now: datetime) -> datetime | None:
    """Return the night that was due a while ago and has no run, ``None`` if there is none.

    A host that stops between the attempts of its timer forgets them: its status already says tomorrow. A night that was
    found in time is awaited until the next one, however long another run holds the lease. Nights before the app knew
    the schedule are not made up for.
    """
    if services.settings.timer_disabled:
        return None
    schedule = services.settings.schedule
    known, night = services.nights.of(schedule.expression, now), last_night(schedule, now)
    if known.awaited is not None and known.awaited != night:
        if not _has_run(services, known.awaited):
            _log.error("No run was started for the night of %s UTC: the next one is due", f"{known.awaited:%F %T}")
        services.nights.wait_for(None)
    late = now - night
    in_time = _ATTEMPTED < late < _TOO_LATE or known.awaited == night
    if night < known.since or not in_time or _has_run(services, night):
        return None
    services.nights.wait_for(night)
    return night


def _has_run(services: Services, night: datetime) -> bool:
    return services.runs.has_key(key_of_night(night)) or run_of_night(services, night) is not None


def _was_completed(run: Run, night: datetime) -> bool:
    return run.is_completed and run.completed_at is not None and run.completed_at >= night
