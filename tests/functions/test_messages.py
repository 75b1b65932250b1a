import json
from functools import reduce

import pytest

from functions import activities
from functions.messages import MAX_MESSAGE_BYTES, FinishInput, MessageTooLarge, to_wire
from functions.orchestration import _sum, _too_few_prices
from records import BatchResult, Failure, Plan


def failed(number: int, named: int | None = None) -> BatchResult:
    return BatchResult(number, tuple(f"S{i:03}" for i in range(number if named is None else named)))


@pytest.mark.parametrize(
    ("symbols", "missing", "rate", "enough"),
    [
        (10, 3, 0.7, True),
        (10, 4, 0.7, False),
        (100, 45, 0.55, True),  # 0.55 * 100 is slightly more than 55
        (10, 10, 0.0, True),
        (10, 1, 1.0, False),
        (0, 0, 1.0, True),
    ],
)
def test_a_run_continues_while_the_share_of_symbols_with_prices_is_not_below_the_limit(
    symbols: int, missing: int, rate: float, enough: bool
) -> None:
    assert (_too_few_prices(Plan(symbols=symbols, min_success_rate=rate), failed(missing)) is None) == enough


def test_the_reason_names_some_missing_symbols_and_counts_the_others() -> None:
    failure = _too_few_prices(Plan(symbols=200, min_success_rate=0.7), failed(120, named=50))
    assert failure is not None
    assert failure.error.startswith("Only 80 of 200 symbols have prices, 70% are needed; without prices: S000, S001,")
    assert failure.error.endswith("S049 and 70 more.")


def test_results_add_up_name_fifty_symbols_at_most_and_keep_the_first_failure() -> None:
    first, second = Failure("first", "one"), Failure("second", "two")
    results = (failed(40), BatchResult(failure=first), failed(40), BatchResult(failure=second))
    total = reduce(_sum, results)
    assert (total.failed, len(total.failed_symbols), total.failure) == (80, 50, first)


def test_a_message_over_48_kb_is_refused_and_one_below_is_not() -> None:
    # Outside ASCII a character takes six bytes on the wire.
    room = MAX_MESSAGE_BYTES - len(json.dumps(to_wire(FinishInput("r", Failure("t", "")))))
    assert to_wire(FinishInput("r", Failure("t", "\u00e9" * (room // 6))))
    with pytest.raises(MessageTooLarge, match="FinishInput has 49153 bytes, 49152 are allowed"):
        to_wire(FinishInput("r", Failure("t", "x" * (room + 1))))


def test_a_step_whose_result_is_too_large_logs_this_and_fails(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(MessageTooLarge):
        activities.to_answer(BatchResult(failure=Failure("t", "x" * MAX_MESSAGE_BYTES)))
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("The result of a step is rejected: BatchResult has 49")
