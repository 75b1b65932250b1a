"""The run, step by step. Read this first.

The engine replays this code from its history after every step, so it must be deterministic: no clock but the context's,
no randomness, no environment, no I/O, no logging. A test holds that against its syntax tree.
"""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import msgspec
from durabletask.task import OrchestrationContext, RetryPolicy, Task, TaskFailedError

from functions.messages import BatchInput, Failure, FinishInput, PageResult, Plan, PlanInput, PricesResult
from stores.records import MAX_ERRORS

blueprint = df.Blueprint()

# A store or provider that is away for half a minute costs no run; the end of a run is worth more patience.
RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=2), max_number_of_attempts=5, backoff_coefficient=2)
RETRY_FINISH = RetryPolicy(
    first_retry_interval=timedelta(seconds=2),
    max_number_of_attempts=12,
    backoff_coefficient=2,
    max_retry_interval=timedelta(minutes=5),
)

type Steps[T] = Generator[Task[Any], Any, T]


@blueprint.orchestration_trigger(context_name="context")
def portfolio_analysis(context: OrchestrationContext, _: None) -> Steps[str]:
    """Plan, fetch prices, research symbols, analyse users page by page; then finish, whatever happened."""
    finish = FinishInput(run_id=context.instance_id)
    try:
        yield from _analyze(context, finish)
    except TaskFailedError as error:
        finish.failure = Failure(error.details.error_type, error.details.message[:500])
    except msgspec.ValidationError as error:  # a message of another version of the app
        finish.failure = Failure("invalid_message", str(error))
    context.set_custom_status({"phase": "finish"})
    status: str = yield _call(context, "finish_run", finish, RETRY_FINISH)
    return status


def _analyze(context: OrchestrationContext, finish: FinishInput) -> Steps[None]:
    started = _now(context)
    context.set_custom_status({"phase": "plan"})
    plan = msgspec.convert((yield _call(context, "plan_run", PlanInput(finish.run_id, started))), Plan)
    started = _measure(context, finish, "plan", started)
    finish.dry_run, finish.failure = plan.dry_run, plan.failure
    if finish.failure:
        return

    results = yield from _for_each(context, "load_prices", plan, plan.symbol_batches, phase="market_data")
    prices = msgspec.convert(results, list[PricesResult])
    started = _measure(context, finish, "market_data", started)
    finish.symbols_failed = sum(batch.failed for batch in prices)
    finish.symbol_errors = [error for batch in prices for error in batch.errors][:MAX_ERRORS]
    finish.failure = plan.too_few_prices(finish.symbols_failed, finish.symbol_errors)
    if finish.failure:
        return

    yield from _for_each(context, "research_symbols", plan, plan.symbol_batches, phase="research")
    started = _measure(context, finish, "research", started)

    results = yield from _for_each(context, "analyze_page", plan, plan.pages, phase="analyze")
    pages = msgspec.convert(results, list[PageResult])
    _measure(context, finish, "analyze", started)
    finish.outcome = sum((page.outcome for page in pages), finish.outcome)
    finish.user_errors = [error for page in pages for error in page.errors][:MAX_ERRORS]
    # The record holds a hundred errors in all, and the message must stay small.
    finish.symbol_errors = finish.symbol_errors[: MAX_ERRORS - len(finish.user_errors)]


def _for_each(
    context: OrchestrationContext, activity: str, plan: Plan, batches: int, *, phase: str
) -> Steps[list[Any]]:
    """Run an activity for each batch of the plan, all at once; give the results in order.

    Every batch is awaited before a failure is raised, so that nothing is in flight when the run finishes.
    """
    context.set_custom_status({"phase": phase, "done": 0, "total": batches})
    batch_inputs = (BatchInput(context.instance_id, plan.plan_id, number) for number in range(batches))
    tasks = [_call(context, activity, batch) for batch in batch_inputs]
    results, failure = [], None
    for done, task in enumerate(tasks, start=1):
        try:
            results.append((yield task))
        except TaskFailedError as error:
            failure = failure or error
        context.set_custom_status({"phase": phase, "done": done, "total": batches})
    if failure:
        raise failure
    return results


def _call(
    context: OrchestrationContext,
    activity: str,
    message: PlanInput | BatchInput | FinishInput,
    retry: RetryPolicy = RETRY,
) -> Task[Any]:
    return context.call_activity(activity, input=msgspec.to_builtins(message), retry_policy=retry)


def _measure(context: OrchestrationContext, finish: FinishInput, phase: str, started: datetime) -> datetime:
    now = _now(context)
    finish.durations[phase] = (now - started).total_seconds()
    return now


def _now(context: OrchestrationContext) -> datetime:
    # The SDK gives the time of the history's event, in UTC but without saying so.
    return context.current_utc_datetime.replace(tzinfo=UTC)
