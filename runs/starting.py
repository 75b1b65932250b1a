"""The one way to start, retry or cancel a run, for the API and the timer alike."""

import logging
import secrets as random_source
import time
from collections.abc import Sequence
from contextlib import suppress
from copy import replace
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from correlation import of_run
from problems import A_RUN, InvalidMember, Problem
from records import KeyTaken, RequestKey, Run, RunExists, Scope, Trigger
from runs.ending import START_GRACE, close_if_lost
from runs.engine import VERSION, Engine, EngineUnavailable
from runs.services import Services

_KEY_LIFETIME = timedelta(hours=24)
_TRIGGER_TAKES = timedelta(seconds=20)
"""The longest time from recording a run to the engine's answer: after it, a repeated request takes the run over."""
_TWIN_POLL_SECONDS = 0.05
_EARLIEST_AS_OF = date(1900, 1, 1)

_log = logging.getLogger(__name__)


class Conflict(Problem):
    """The state of a run does not allow the request; ``detail`` has the run's id in place of ``{}``."""

    status = 409
    arguments_of_example: ClassVar[tuple[str, ...]] = (A_RUN,)

    def __init__(self, run_id: str) -> None:
        super().__init__(self.detail.format(run_id), run_id=run_id)
        self.run_id = run_id


class RunActive(Conflict):
    """Another run is active; only one may be."""

    slug, title = "run-active", "A run is active"
    detail = "Run {} is active. Wait until it has ended, or look at its status."
    arguments_of_example = (A_RUN, "users=all, dry_run=false, as_of=newest")

    def __init__(self, run_id: str, requested_for: str) -> None:
        super().__init__(run_id)
        self.members["requested_for"] = requested_for


class RunOver(Conflict):
    """The run has reached a final state, so there is nothing to cancel."""

    slug, title = "run-over", "The run has ended"
    detail = "Run {} has ended, so there is nothing to cancel."


class NothingFailed(Conflict):
    """No user failed in the run, so there is nothing to retry."""

    slug, title = "nothing-failed", "Nothing failed"
    detail = "Run {} has no failed user whose report is still stored. Start a new run instead."


class KeyReused(InvalidMember):
    """The key of the request was used within a day for a different request."""

    arguments_of_example = ()

    def __init__(self) -> None:
        super().__init__("Idempotency-Key", "was used within a day for another request; use a new one")


class InvalidAsOf(InvalidMember):
    """The requested date cannot be analyzed; the detail names the dates that can."""

    arguments_of_example = (date(2026, 1, 2),)

    def __init__(self, today: date, first_price: date | None = None) -> None:
        begin = "" if first_price is None else f": prices begin on {first_price}"
        super().__init__("as_of", f"must be a date from {first_price or _EARLIEST_AS_OF} to today, {today}{begin}")


def start_run(  # noqa: PLR0913 - each by its name
    services: Services,
    engine: Engine,
    trigger: Trigger,
    *,
    user_ids: Sequence[str] | None = None,
    as_of: date | None = None,
    dry_run: bool = False,
    retry_of: str | None = None,
    request: RequestKey | None = None,
) -> str:
    """Record a run, take the lease and start the orchestration; return the run's id.

    The order matters: a run is recorded before it holds the lease, and holds it before it starts. An error in between
    leaves nothing; a crash leaves a queued record, which the next run that gets the lease, or the watchdog, closes. A
    ``request`` that was answered within a day gets the same id again, and starts nothing; if the first one died before
    its answer, its run is adopted and started.

    Raises:
        CommandRefused: the database user may not create the keys that the app's own collections lack.
        InvalidAsOf: ``as_of`` is in the future, or before there were any prices as far as is known.
        KeyReused: ``request`` has the key of a different request.
        RunActive: another run holds the lease.
        EngineUnavailable: the engine did not accept the run.
    """
    while True:
        now = datetime.now(UTC)
        if as_of is not None and not _EARLIEST_AS_OF <= as_of <= now.date():
            raise InvalidAsOf(now.date())
        if as_of is not None:
            from runs.price_days import price_days

            if (begin := price_days(services).first) is not None and as_of < begin:
                raise InvalidAsOf(now.date(), begin)
        services.ensure_keys()
        users: Scope = "failed" if retry_of else "all" if user_ids is None else "some"
        wanted = Run("", "queued", trigger, now, as_of=as_of, as_of_requested=as_of, retry_of=retry_of, users=users)
        wanted = replace(wanted, dry_run=dry_run)
        run = _record(services, engine, wanted, user_ids, request)
        if isinstance(run, str):
            with of_run(run):
                _log.info("The request was answered before (run_id=%s, actor=%s)", run, trigger.actor)
            return run
        with of_run(run.run_id):
            if _begin(services, engine, run, now):
                how, about = "by timer" if trigger.source == "timer" else "via API", run.described
                _log.info("Portfolio analysis triggered %s (%s, actor=%s)", how, about, trigger.actor)
                _wake(services, engine)
                return run.run_id


def retry_run(services: Services, engine: Engine, run: Run, trigger: Trigger) -> str:
    """Start a new run over the failed users of ``run``, as of the same date; return its id.

    Raises:
        RunActive: ``run`` or another run is active.
        NothingFailed: there are no such users; a dry run stores no reports, and old reports are purged.
        EngineUnavailable: the engine did not accept the run.
    """
    if run.is_active:
        raise RunActive(run.run_id, run.requested_for)
    failed = services.reports.count_failed(run.run_id)
    if not failed or failed < run.users_failed:  # fewer: some of their reports were purged
        raise NothingFailed(run.run_id)
    return start_run(services, engine, trigger, as_of=run.as_of, retry_of=run.run_id)


def cancel_run(services: Services, engine: Engine, run: Run, actor: str) -> None:
    """Cancel an active run: steps in progress finish, the others do nothing, and stored results stay.

    Raises:
        RunOver: it has already ended.
    """
    with of_run(run.run_id):
        if not services.runs.request_cancel(run.run_id, datetime.now(UTC)):
            raise RunOver(run.run_id)
        _log.info("Portfolio analysis cancel requested (run_id=%s, actor=%s)", run.run_id, actor)
        with suppress(EngineUnavailable):  # then the watchdog checks it
            close_if_lost(services, engine, run, standstill=START_GRACE)


def _wake(services: Services, engine: Engine) -> None:
    """Let the deliveries to all active endpoints go on. If that fails, the watchdog tries again."""
    from pymongo.errors import PyMongoError

    with suppress(EngineUnavailable, PyMongoError):
        for receiver in services.webhooks.all():
            if receiver.active:
                engine.deliver(receiver.endpoint.endpoint_id)


def _record(
    services: Services,
    engine: Engine,
    wanted: Run,
    user_ids: Sequence[str] | None,
    request: RequestKey | None,
) -> Run | str:
    """Record a run under a new id, or adopt that of the same request before, or return the id that that one got."""
    while True:
        run = replace(wanted, run_id=f"run_{wanted.requested_at:%Y%m%d_%H%M%S}_{random_source.token_hex(2)}")
        try:
            services.runs.create(run, user_ids, request, version=VERSION)
        except RunExists:
            # Four hex digits are few: two triggers in the same second may well draw the same ones.
            continue
        except KeyTaken as earlier:
            # That of a night has no end: a weekly timer may fire late, or again, days after it.
            expires = wanted.trigger.source != "timer"
            if expires and wanted.requested_at - earlier.requested_at >= _KEY_LIFETIME:
                services.runs.forget_key(earlier.run_id)
            elif request and earlier.body != request.body:
                raise KeyReused from None
            elif found := _started_or_adopted(services, engine, earlier.run_id):
                return found
            continue
        except BaseException:
            with suppress(Exception):  # it may be recorded, though no answer came
                services.runs.delete_queued(run)
            raise
        return run


def _started_or_adopted(services: Services, engine: Engine, run_id: str) -> str | Run | None:
    """Wait for the request that recorded a run; return the run's id once it started, ``None`` if it was refused.

    A request that takes too long died before its run started: the run is returned, to be started by this request. Of
    all that repeat it, one adopts the run.
    """
    while (run := services.runs.get(run_id)) is not None and run.status == "queued":
        with of_run(run_id):
            if services.lease.holder() == run_id and engine.state(run_id) is not None:
                return run_id
            now = datetime.now(UTC)
            if now - run.requested_at > _TRIGGER_TAKES and services.runs.adopt(run, now, VERSION):
                _log.warning("A run whose trigger died is started by a repeated request (run_id=%s)", run_id)
                return replace(run, requested_at=now)
        time.sleep(_TWIN_POLL_SECONDS)
    if run is None:
        return None
    if run.status == "failed" and run.started_at is None:
        services.runs.forget_key(run_id)
        return None
    return run_id


def _begin(services: Services, engine: Engine, run: Run, now: datetime) -> bool:
    """Start a recorded run; return False if this took so long that another took the run over, or closed it."""
    try:
        _take_lease(services, engine, run.run_id, now)
        _close_abandoned(services, engine, now)
        if not services.runs.is_as_requested(run):
            _withdraw(services, run)
            return False
        engine.start(run.run_id)
    except BaseException as error:
        # The engine may have taken it without an answer: it has begun, or its steps find no record and do nothing.
        has_begun = _withdraw(services, run)
        if not (has_begun and isinstance(error, EngineUnavailable)):
            raise
    return True


def _take_lease(services: Services, engine: Engine, run_id: str, now: datetime) -> None:
    while (holder := services.lease.acquire(run_id, now)) is not None and holder != run_id:
        if not _is_over(services, engine, holder):
            if (active := services.runs.get(holder)) is None:  # withdrawn meanwhile
                continue
            raise RunActive(holder, active.requested_for)
        if services.lease.take_over(holder, run_id, now):
            _log.warning("Run lease taken over from a run that has ended (run_id=%s, held_by=%s)", run_id, holder)
            return


def _is_over(services: Services, engine: Engine, run_id: str) -> bool:
    """Return whether a run that holds the lease has verifiably ended; close it if it ended only in the engine."""
    run = services.runs.get(run_id)
    return run is None or not run.is_active or close_if_lost(services, engine, run)


def _close_abandoned(services: Services, engine: Engine, now: datetime) -> None:
    with suppress(EngineUnavailable):  # the next call reports it, and the watchdog checks again
        for abandoned in services.runs.queued_before(now - START_GRACE):
            close_if_lost(services, engine, abandoned)


def _withdraw(services: Services, run: Run) -> bool:
    """Remove a run and its lease unless it has begun; return whether it has."""
    deleted = services.runs.delete_queued(run)
    now = None if deleted else services.runs.get(run.run_id)
    if now is None:
        services.lease.release(run.run_id)
    return now is not None and now.started_at is not None
