"""The timers: the nightly run and the watchdog."""

import logging
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
import azure.functions as func
from azure.functions.decorators.function_app import SettingsApi

from correlation import correlated, of_run
from functions.access.audit import new_entry, on_record
from functions.engine import DurableEngine
from functions.messages import sendable_errors
from functions.services import worker
from functions.telemetry.spans import invocation, traceparent_of
from records import RequestKey, Trigger
from runs.engine import Engine
from runs.services import Services
from runs.starting import RunActive, start_run


class _Blueprint(df.Blueprint, SettingsApi):
    """The Durable SDK's blueprint, with the retry policies that it lacks."""


blueprint = _Blueprint()
_log = logging.getLogger(__name__)

_EARLY = timedelta(minutes=1)  # a host's clock may be a little ahead
_EVERY_FIVE_MINUTES = "0 */5 * * * *"


@blueprint.timer_trigger(arg_name="timer", schedule="%ANALYSIS_SCHEDULE%", run_on_startup=False)
# The database or engine may be unavailable when the timer fires, and the next night is too late.
@blueprint.retry(strategy="fixed_delay", max_retry_count="20", delay_interval="00:01:00")
@blueprint.durable_client_input(client_name="client")
def nightly_analysis(timer: func.TimerRequest, client: df.SyncDurableFunctionsClient, context: func.Context) -> None:
    """Start the nightly run over all users, unless a run is already active."""
    with sendable_errors(), invocation("nightly_analysis", "timer", context) as span:
        if timer.past_due:
            _log.warning("The nightly timer fired late")
        key = f"timer:{scheduled_time(timer, datetime.now(UTC)):%Y-%m-%dT%H:%M:%SZ}"
        with correlated(traceparent_of(span)):
            _start_nightly_run(worker().services(), DurableEngine(client), RequestKey(key, ""))


def _start_nightly_run(services: Services, engine: Engine, request: RequestKey) -> None:
    trigger = Trigger("timer", "nightly_analysis")
    entry = new_entry("trigger", "timer", actor=trigger.actor)
    try:
        with on_record(services.audit, entry) as attempt:
            attempt.run_id = start_run(services, engine, trigger, request=request)
    except RunActive as active:
        with of_run(active.run_id):
            _log.warning("The timer did not start a run: one is active (run_id=%s)", active.run_id)


@blueprint.timer_trigger(arg_name="timer", schedule=_EVERY_FIVE_MINUTES, run_on_startup=False)
@blueprint.durable_client_input(client_name="client")
def watchdog(
    timer: func.TimerRequest,  # noqa: ARG001 - the host binds it
    client: df.SyncDurableFunctionsClient,
    context: func.Context,
) -> None:
    """Close lost and stalled runs, then purge data past its retention."""
    from runs.watching import close_stuck_runs, purge_old_runs

    with sendable_errors(), invocation("watchdog", "timer", context):
        services, engine = worker().services(), DurableEngine(client)
        close_stuck_runs(services, engine)
        purge_old_runs(services, engine)


def scheduled_time(timer: func.TimerRequest, now: datetime) -> datetime:
    """Return the time a firing was due, the same for each firing of one night.

    The host writes a timer's status after it fires, so ``Next`` is still the time of this firing, however late. A timer
    fired by hand is due now: its ``Next`` is in the future.
    """
    following = timer.schedule_status.get("Next")  # type: ignore[attr-defined] # missing in the SDK's interface
    due = _utc(datetime.fromisoformat(following)) if following else now
    return due if due <= now + _EARLY else now


def _utc(moment: datetime) -> datetime:
    # The host sends its local time, which is UTC in Azure, but not on a laptop.
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
