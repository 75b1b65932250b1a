"""The timers: the nightly run and the watchdog."""

import logging
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func
from azure.functions.decorators.function_app import SettingsApi

from correlation import correlated, of_run
from functions.access.audit import new_entry, on_record
from functions.engine import DurableEngine
from functions.messages import sendable_errors
from functions.services import worker
from functions.telemetry.spans import invocation, traceparent_of
from runs.engine import Engine
from runs.nights import last_night, missed_night, run_of_night, start_night
from runs.services import Services
from runs.starting import RunActive


class _Blueprint(df.Blueprint, SettingsApi):
    """The Durable SDK's blueprint, with the retry policies that it lacks."""


blueprint = _Blueprint()
_log = logging.getLogger(__name__)

_EVERY_FIVE_MINUTES = "0 */5 * * * *"


@blueprint.timer_trigger(arg_name="timer", schedule="%ANALYSIS_SCHEDULE%", run_on_startup=False)
# The database, the engine or the lease may be unavailable when the timer fires, and the next night is too late.
@blueprint.retry(strategy="fixed_delay", max_retry_count="20", delay_interval="00:01:00")
@blueprint.durable_client_input(client_name="client")
def nightly_analysis(timer: func.TimerRequest, client: df.SyncDurableFunctionsClient, context: func.Context) -> None:
    """Start the nightly run over all users, unless the night has such a run."""
    with sendable_errors(), invocation("nightly_analysis", "timer", context) as span:
        if timer.past_due:
            _log.warning("The nightly timer fired late")
        services = worker().services()
        # Not by what the host says of the timer: it may have moved on before a retry, or fire twice for one night.
        night = last_night(services.settings.schedule, datetime.now(UTC))
        with correlated(traceparent_of(span)):
            _start_night(services, DurableEngine(client), night, "nightly_analysis")


def _start_night(services: Services, engine: Engine, night: datetime, actor: str) -> None:
    """Start the run of a night, on record, unless another run of all users does its work.

    Raises:
        RunActive: a smaller run is active, so the night must wait for its end.
    """
    if _has_run(services, night):
        return
    entry = new_entry("trigger", "timer", actor=actor, dry_run=False)
    try:
        with on_record(services.audit, entry) as attempt:
            try:
                attempt.tell(run_id=start_night(services, engine, night, actor))
            except RunActive as active:
                attempt.tell(run_id=active.run_id)
                raise
    except RunActive as active:
        if _has_run(services, night):
            return
        with of_run(active.run_id):
            _log.warning("The nightly run waits for the end of another run (run_id=%s)", active.run_id)
        raise


def _has_run(services: Services, night: datetime) -> bool:
    run = run_of_night(services, night)
    if run is not None:
        with of_run(run.run_id):
            _log.warning("The timer starts no run: the night has one (run_id=%s)", run.run_id)
    return run is not None


@blueprint.timer_trigger(arg_name="timer", schedule=_EVERY_FIVE_MINUTES, run_on_startup=False)
@blueprint.durable_client_input(client_name="client")
def watchdog(
    timer: func.TimerRequest,  # noqa: ARG001 - the host binds it
    client: df.SyncDurableFunctionsClient,
    context: func.Context,
) -> None:
    """Close lost and stalled runs, start a missed night, purge old data, look after indexes, ask vault and engine."""
    from runs.delivering import resume
    from runs.watching import close_stuck_runs, leave_reports_to_lake, purge_old_runs

    with sendable_errors(), invocation("watchdog", "timer", context), ExitStack() as steps:
        services, engine = worker().services(), DurableEngine(client)
        # In the reverse order, each of them also after an error of the others. A night needs vault and engine, most
        # calls of the watchdog do not: without these two, nobody would be told by day that they are away.
        steps.callback(engine.state, "none")
        steps.callback(worker().secrets.ping)
        steps.callback(worker().settle_indexes)
        steps.callback(leave_reports_to_lake, services)
        steps.callback(purge_old_runs, services, engine)
        steps.callback(resume, services, engine)
        steps.callback(_start_missed_night, services, engine)
        steps.callback(close_stuck_runs, services, engine)
        steps.callback(services.nights.watched, datetime.now(UTC))


def _start_missed_night(services: Services, engine: Engine) -> None:
    if night := missed_night(services, datetime.now(UTC)):
        with suppress(RunActive):  # the next call tries again
            _start_night(services, engine, night, "watchdog")
