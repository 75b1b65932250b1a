"""The run, step by step. Read this first.

The engine replays this code from its history after every step, so it must be deterministic: no clock but the context's,
no randomness, no environment, no I/O, no logging. One test checks this in its syntax tree, another replays recorded
histories; `docs/operations.md` describes how to change it while runs are active.
"""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import azure.durable_functions as df
import msgspec
from durabletask.task import FailureDetails, OrchestrationContext, RetryPolicy, Task, TaskFailedError, when_any

from functions.messages import CollectInput, FinishInput, GroupInput, MessageTooLarge, PlanInput, to_wire
from records import Batch, BatchResult, Failure, Plan

blueprint = df.Blueprint()

# An outage of a store or provider of half a minute fails no run, though engines cut delays to whole seconds. The end of
# a run is retried for longer.
RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=3), max_number_of_attempts=5, backoff_coefficient=2)
RETRY_FINISH = RetryPolicy(
    first_retry_interval=timedelta(seconds=3),
    max_number_of_attempts=12,
    backoff_coefficient=2,
    max_retry_interval=timedelta(minutes=5),
)

MAX_FAN_OUT = 50
"""The most batches of one orchestration: each result replays those before it, so the cost grows with their square."""

_GROUPS_AT_ONCE = 16
"""Enough for 200 instances. A longer queue of steps is read no faster, and slower by some storage."""

_EARLIER = ("1.0", "1.1")
_EARLIER_FAN_OUT = 200

_LONGEST_ERROR = 500
_NAMED_SYMBOLS = 50

type Steps[T] = Generator[Task[Any], Any, T]


@blueprint.orchestration_trigger(context_name="context")
def portfolio_analysis(context: OrchestrationContext, _: None) -> Steps[str]:
    """Plan, read portfolios page by page and collect their symbols, fetch prices, research symbols, analyze the pages.

    Then finish, whatever happened.

    A canceled run goes through the same steps: the remaining ones do nothing.
    """
    finish = FinishInput(run_id=context.instance_id)
    try:
        finish.failure = yield from _analyze(context, finish)
    except TaskFailedError as error:
        finish.failure = _failure(error)
    except MessageTooLarge as error:
        finish.failure = Failure("message_too_large", str(error))
    except msgspec.ValidationError as error:  # a message of another version of the app
        finish.failure = Failure("invalid_message", str(error)[:_LONGEST_ERROR])
    context.set_custom_status({"phase": "finish"})
    status: str = yield _call(context, "finish_run", finish, RETRY_FINISH)
    return status


def _analyze(context: OrchestrationContext, finish: FinishInput) -> Steps[Failure | None]:
    """Run all steps but the last; return the reason why the run could not continue, if there is one."""
    started = _now(context)
    context.set_custom_status({"phase": "plan"})
    # Runs of earlier versions may go on during a deployment. Their plan is one step.
    reads_first = context.version not in _EARLIER
    asked = PlanInput(finish.run_id, started, pages_only=reads_first)
    plan = msgspec.convert((yield _call(context, "plan_run", asked)), Plan)
    started = _measure(context, finish, "plan", started)
    if plan.failure:
        return plan.failure

    if reads_first:
        read = yield from _for_each(context, "read_page", plan, plan.pages, phase="plan")
        if read.failure:
            return read.failure
        plan = msgspec.convert((yield _call(context, "collect_symbols", CollectInput(finish.run_id))), Plan)
        started = _measure(context, finish, "portfolios", started)
        if plan.failure:
            return plan.failure

    # Those of the first version have no such limit, and count symbols.
    is_of_first_version = context.version == "1.0"
    at_once = 0 if is_of_first_version else plan.load_at_once
    loaded = yield from _for_each(
        context, "load_prices", plan, plan.symbol_batches, phase="market_data", at_once=at_once
    )
    started = _measure(context, finish, "market_data", started)
    too_few = _too_few_symbols if is_of_first_version else _too_few_prices
    if failure := loaded.failure or too_few(plan, loaded):
        return failure

    researched = yield from _for_each(context, "research_symbols", plan, plan.symbol_batches, phase="research")
    started = _measure(context, finish, "research", started)
    if researched.failure:
        return researched.failure

    analyzed = yield from _for_each(context, "analyze_page", plan, plan.pages, phase="analyze")
    _measure(context, finish, "analyze", started)
    return analyzed.failure


def _too_few_prices(plan: Plan, loaded: BatchResult) -> Failure | None:
    """Return the reason to stop if the share of positions with prices is below the limit."""
    priced = plan.positions - loaded.failed_positions
    if plan.positions == 0 or priced / plan.positions >= plan.min_success_rate:
        return None
    worst = zip(loaded.failed_symbols, loaded.failed_holders, strict=True)
    missing = ", ".join(f"{symbol} (held by {holders})" for symbol, holders in worst)
    unnamed = loaded.failed - len(loaded.failed_symbols)
    more = f" and {unnamed} more symbols" if unnamed else ""
    text = f"Only {priced} of {plan.positions} positions have prices, {plan.min_success_rate:.0%} are needed"
    return Failure("too_few_prices", f"{text}; without prices: {missing}{more}.")


def _too_few_symbols(plan: Plan, loaded: BatchResult) -> Failure | None:
    priced = plan.symbols - loaded.failed
    if plan.symbols == 0 or priced / plan.symbols >= plan.min_success_rate:
        return None
    text = f"Only {priced} of {plan.symbols} symbols have prices, {plan.min_success_rate:.0%} are needed"
    return Failure("too_few_prices", f"{text}; without prices: {', '.join(loaded.failed_symbols)}.")


def _for_each(
    context: OrchestrationContext, activity: str, plan: Plan, batches: int, *, phase: str, at_once: int = 0
) -> Steps[BatchResult]:
    """Run an activity for all batches of the plan, in sub-orchestrations if there are many.

    They run in parallel, but at most ``at_once`` of all groups together unless that is 0: then the groups take turns.
    Otherwise some groups are under way at a time.
    """
    is_earlier = context.version in _EARLIER
    most = _EARLIER_FAN_OUT if is_earlier else MAX_FAN_OUT
    groups = [
        GroupInput(context.instance_id, plan.plan_id, activity, first, min(most, batches - first), at_once)
        for first in range(0, batches, most)
    ]
    if len(groups) == 1:
        return (yield from _gather(context, _activities(context, groups[0]), batches, phase=phase, at_once=at_once))
    # A sub-orchestration has the version of its run.
    tasks: Iterator[Task[Any]] = (
        context.call_sub_orchestrator("batch_group", input=to_wire(group), version=context.version) for group in groups
    )
    groups_at_once = 1 if at_once else 0 if is_earlier else _GROUPS_AT_ONCE
    return (yield from _gather(context, tasks, len(groups), phase=phase, at_once=groups_at_once))


@blueprint.orchestration_trigger(context_name="context")
def batch_group(context: OrchestrationContext, message: dict[str, Any]) -> Steps[dict[str, Any]]:
    """Run an activity for some of the batches of a plan."""
    group = msgspec.convert(message, GroupInput)
    tasks = _activities(context, group)
    result = yield from _gather(context, tasks, group.count, phase=group.activity, at_once=group.at_once)
    wire: dict[str, Any] = to_wire(result)
    return wire


def _activities(context: OrchestrationContext, group: GroupInput) -> Iterator[Task[Any]]:
    """Start the activity for each batch of a group, when the next one is taken."""
    for number in range(group.first, group.first + group.count):
        yield _call(context, group.activity, Batch(group.run_id, group.plan_id, number))


def _gather(
    context: OrchestrationContext, tasks: Iterator[Task[Any]], count: int, *, phase: str, at_once: int
) -> Steps[BatchResult]:
    """Start and await ``tasks``, at most ``at_once`` at a time unless that is 0.

    After a failure no other is started, but those under way are awaited, so that nothing is in flight when the run
    finishes.
    """
    total = BatchResult()
    under_way = list(islice(tasks, at_once or count))
    done, left = 0, count - len(under_way)
    context.set_custom_status({"phase": phase, "done": done, "total": count})
    while under_way:
        # In order when nothing is left to start: each ``when_any`` costs a replay as much as there are tasks in it.
        task = (yield when_any(under_way)) if left and total.failure is None else under_way[0]
        under_way.remove(task)
        try:
            total = _sum(total, msgspec.convert((yield task), BatchResult))
        except TaskFailedError as error:
            total = _sum(total, BatchResult(failure=_failure(error)))
        if left and total.failure is None:
            under_way.append(next(tasks))
            left -= 1
        done += 1
        context.set_custom_status({"phase": phase, "done": done, "total": count})
    return total


def _sum(total: BatchResult, result: BatchResult) -> BatchResult:
    named = [
        *zip(total.failed_symbols, total.failed_holders, strict=False),
        *zip(result.failed_symbols, result.failed_holders, strict=False),
    ]
    worst = sorted(named, key=lambda pair: (-pair[1], pair[0]))[:_NAMED_SYMBOLS]
    return BatchResult(
        failed=total.failed + result.failed,
        failed_symbols=tuple(symbol for symbol, _ in worst),
        failed_holders=tuple(holders for _, holders in worst),
        failed_positions=total.failed_positions + result.failed_positions,
        failure=total.failure or result.failure,
    )


def _call(
    context: OrchestrationContext,
    activity: str,
    message: PlanInput | CollectInput | Batch | FinishInput,
    retry: RetryPolicy = RETRY,
) -> Task[Any]:
    return context.call_activity(activity, input=to_wire(message), retry_policy=retry)


def _failure(error: TaskFailedError) -> Failure:
    """Return the reason why a step failed: one of the product's own, or else the innermost error."""
    causes = [cause for cause in _causes(error.details) if cause.error_type or cause.message.strip()]
    for cause in causes:
        if cause.error_type.endswith("FunctionTimeoutException"):
            return Failure("step_timed_out", _sentence("A step took longer than functionTimeout", cause))
        if cause.error_type.endswith("WorkerProcessExitException"):
            return Failure("worker_died", _sentence("A step's worker died each time it was tried", cause))
    # The host wraps the error, and sometimes sends only the wrapper.
    reasons = [cause for cause in causes if not cause.error_type.endswith("FunctionInvocationException")]
    if reasons:
        reason = ([cause for cause in reasons if cause.message.strip()] or reasons)[-1]
        return Failure(
            reason.error_type or "step_failed", (reason.message.strip() or reason.error_type)[:_LONGEST_ERROR]
        )
    if causes:
        return Failure("worker_died", _sentence("A step did not come to its end in its worker", causes[-1]))
    text = "The engine gives no reason: this version of the app lacks a step, or a part of the run broke off."
    return Failure("step_missing", text)


def _causes(details: FailureDetails | None) -> Iterator[FailureDetails]:
    """Yield a failure and its causes, the innermost last."""
    while details is not None:
        yield details
        details = details.inner_failure


def _sentence(text: str, cause: FailureDetails) -> str:
    return f"{text}: {cause.message or cause.error_type}"[:_LONGEST_ERROR]


def _measure(context: OrchestrationContext, finish: FinishInput, phase: str, started: datetime) -> datetime:
    now = _now(context)
    finish.durations[phase] = (now - started).total_seconds()
    return now


def _now(context: OrchestrationContext) -> datetime:
    # The SDK returns the time of the event in the history, in UTC but without a time zone.
    return context.current_utc_datetime.replace(tzinfo=UTC)
