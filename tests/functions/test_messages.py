import json
from functools import reduce

import pytest

from functions import activities
from functions.messages import MAX_MESSAGE_BYTES, FinishInput, MessageTooLarge, to_wire
from functions.orchestration import _sum, _too_few_prices
from records import BatchResult, Failure, Plan


def failed(symbols: int, holders: int = 1) -> BatchResult:
    """Return the result of batches with this number of symbols without prices, each with this number of holders."""
    return BatchResult(
        failed=symbols,
        failed_symbols=tuple(f"S{i:03}" for i in range(symbols)),
        failed_holders=(holders,) * symbols,
        failed_positions=symbols * holders,
    )


@pytest.mark.parametrize(
    ("positions", "missing", "rate", "enough"),
    [
        (10, 3, 0.7, True),
        (10, 4, 0.7, False),
        (100, 45, 0.55, True),  # 0.55 * 100 is slightly more than 55
        (10, 10, 0.0, True),
        (10, 1, 1.0, False),
        (0, 0, 1.0, True),
    ],
)
def test_a_run_continues_while_the_share_of_positions_with_prices_is_not_below_the_limit(
    positions: int, missing: int, rate: float, enough: bool
) -> None:
    assert (_too_few_prices(Plan(positions=positions, min_success_rate=rate), failed(missing)) is None) == enough


def test_a_symbol_counts_as_often_as_it_is_held() -> None:
    plan = Plan(symbols=5, positions=100, min_success_rate=0.7)
    assert _too_few_prices(plan, failed(4, holders=1)) is None
    assert _too_few_prices(plan, failed(1, holders=31)) is not None


def test_the_reason_names_the_symbols_with_most_holders_and_counts_the_others() -> None:
    worst = BatchResult(failed=1, failed_symbols=("DEAD",), failed_holders=(20,), failed_positions=20)
    failure = _too_few_prices(Plan(positions=200, min_success_rate=0.7), _sum(failed(60), worst))
    assert failure is not None
    assert failure.error.startswith(
        "Only 120 of 200 positions have prices, 70% are needed; without prices: DEAD (held by 20), S000 (held by 1), "
    )
    assert failure.error.endswith("S048 (held by 1) and 11 more symbols.")


def test_results_add_up_name_fifty_symbols_at_most_and_keep_the_first_failure() -> None:
    first, second = Failure("first", "one"), Failure("second", "two")
    results = (failed(40, holders=2), BatchResult(failure=first), failed(40), BatchResult(failure=second))
    total = reduce(_sum, results)
    assert (total.failed, total.failed_positions, len(total.failed_symbols), total.failure) == (80, 120, 50, first)
    assert total.failed_holders == (2,) * 40 + (1,) * 10


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
