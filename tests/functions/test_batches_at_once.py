"""The window of batches that are under way at the same time, on a simulated engine with steps that only take time."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from functions.messages import to_wire
from functions.orchestration import MAX_FAN_OUT
from records import BatchResult, Failure, Plan
from tests.functions.simulated_engine import MESSAGE_SECONDS, SimulatedEngine
from tests.functions.test_replay import Orchestrator, orchestrators
from tests.virtual_time import VirtualTime

__all__ = ["orchestrators"]

REFUSED = BatchResult(failure=Failure("provider_key_refused", "It is."))


class Run:
    """A run whose steps for prices take the given seconds, by the number of the batch."""

    def __init__(self, orchestrators: dict[str, Orchestrator]) -> None:
        self.time = VirtualTime()
        self.engine = SimulatedEngine(self.time, orchestrators)
        self.loaded: Counter[int] = Counter()
        self.end: dict[str, Any] = {}

    def carry_out(
        self, plan: Plan, seconds: Callable[[int], float], result: Callable[[int], BatchResult], instances: int = 10
    ) -> None:
        def load(message: dict[str, Any]) -> object:
            number = message["number"]
            self.loaded[number] += 1
            self.time.sleep(seconds(number))
            return to_wire(result(number))

        def finish(message: dict[str, Any]) -> str:
            self.end = message
            return "completed"

        steps = {
            "plan_run": lambda _: to_wire(plan),
            "read_page": lambda _: to_wire(BatchResult()),
            "collect_symbols": lambda _: to_wire(plan),
            "load_prices": load,
            "research_symbols": lambda _: to_wire(BatchResult()),
            "analyze_page": lambda _: to_wire(BatchResult()),
            "finish_run": finish,
        }
        self.engine.run("run", [steps] * instances)


@pytest.fixture
def run(orchestrators: dict[str, Orchestrator]) -> Run:
    return Run(orchestrators)


def test_a_batch_that_ends_starts_the_next_one_even_if_an_earlier_one_takes_long(run: Run) -> None:
    run.carry_out(
        Plan(symbol_batches=21, pages=1, load_at_once=3),
        lambda number: 100.0 if number == 0 else 10.0,
        lambda _: BatchResult(),
    )
    assert run.loaded == dict.fromkeys(range(21), 1)
    assert run.engine.most_at_once["load_prices"] == 3
    assert run.end["durations"]["market_data"] < 100 + 2 * (10 + 3 * MESSAGE_SECONDS)


def test_all_batches_are_under_way_without_a_limit(run: Run) -> None:
    run.carry_out(Plan(symbol_batches=40, pages=1), lambda _: 10.0, lambda _: BatchResult())
    assert run.engine.most_at_once["load_prices"] == 40


def test_groups_take_turns_within_the_limit_and_their_results_add_up(run: Run) -> None:
    batches = MAX_FAN_OUT + 5
    plan = Plan(symbol_batches=batches, pages=1, load_at_once=7, positions=batches, min_success_rate=1.0)
    missing = BatchResult(failed=1, failed_symbols=("X",), failed_holders=(1,), failed_positions=1)
    run.carry_out(plan, lambda _: 1.0, lambda number: missing if number == batches - 1 else BatchResult())
    assert run.loaded == dict.fromkeys(range(batches), 1)
    assert run.engine.most_at_once["load_prices"] == 7
    assert run.end["failure"]["error"].startswith(f"Only {batches - 1} of {batches} positions have prices")


@pytest.mark.parametrize("batches", [20, MAX_FAN_OUT + 5])
def test_after_a_failure_no_other_batch_is_started_and_those_under_way_are_awaited(run: Run, batches: int) -> None:
    run.carry_out(
        Plan(symbol_batches=batches, pages=1, load_at_once=3),
        lambda number: 10.0 * (number + 1),
        lambda number: REFUSED if number == 0 else BatchResult(),
    )
    assert run.loaded == dict.fromkeys(range(3), 1)
    assert run.end["failure"]["error_type"] == "provider_key_refused"
    assert run.end["durations"]["market_data"] >= 30


def test_a_run_of_the_first_version_goes_on_by_its_own_rules_whichever_version_planned_it(run: Run) -> None:
    run.engine.version = "1.0"
    plan = Plan(symbols=21, symbol_batches=21, pages=1, load_at_once=3, positions=100, min_success_rate=0.7)
    missing = BatchResult(failed=1, failed_symbols=("X",), failed_holders=(1,), failed_positions=1)
    run.carry_out(plan, lambda _: 10.0, lambda number: missing if number < 7 else BatchResult())
    assert run.engine.most_at_once["load_prices"] == 21
    assert run.end["failure"]["error_type"] == "too_few_prices"
    assert run.end["failure"]["error"].startswith("Only 14 of 21 symbols have prices")


def test_of_very_many_batches_without_a_limit_some_groups_are_under_way_at_a_time(run: Run) -> None:
    batches = 16 * MAX_FAN_OUT + 1
    run.carry_out(Plan(symbol_batches=batches, pages=1), lambda _: 1_000.0, lambda _: BatchResult(), instances=210)
    assert run.loaded == dict.fromkeys(range(batches), 1)
    assert run.engine.most_at_once["load_prices"] == 16 * MAX_FAN_OUT
