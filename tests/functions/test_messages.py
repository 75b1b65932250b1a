import pytest

from functions.messages import Plan, SymbolError


def errors(number: int) -> list[SymbolError]:
    return [SymbolError(f"S{i:03}", "missing_prices", f"S{i:03}: no prices") for i in range(number)]


@pytest.mark.parametrize(
    ("symbols", "failed", "rate", "enough"),
    [
        (10, 3, 0.7, True),
        (10, 4, 0.7, False),
        (100, 45, 0.55, True),  # 0.55 * 100 is a little more than 55
        (10, 10, 0.0, True),
        (10, 1, 1.0, False),
        (0, 0, 1.0, True),
    ],
)
def test_a_run_goes_on_while_the_share_of_symbols_with_prices_is_not_below_the_limit(
    symbols: int, failed: int, rate: float, enough: bool
) -> None:
    failure = Plan(symbols=symbols, min_success_rate=rate).too_few_prices(failed, errors(failed))
    assert (failure is None) == enough


def test_the_reason_names_the_missing_and_counts_those_it_does_not_name() -> None:
    failure = Plan(symbols=200, min_success_rate=0.7).too_few_prices(120, errors(100))
    assert failure is not None
    assert failure.error.startswith("Only 80 of 200 symbols have prices, 70% are needed; without prices: S000, S001,")
    assert failure.error.endswith("S049 and 70 more.")
