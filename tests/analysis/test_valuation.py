"""Values and weights of portfolios with long and short positions."""

import math

import numpy as np
import pytest

from analysis.prices import Bars
from tests.analysis.market import BENCHMARK, DAYS, EVEN_TABLE, only
from tests.builders import a_portfolio, a_table, analyze, bars


def moving_at_last(last: float) -> Bars:
    """Return bars with a price of 100 until the last day."""
    return bars(DAYS, np.append(np.full(len(DAYS) - 1, 100.0), last))


def test_a_change_in_percent_of_values_that_canceled_out_the_day_before_is_undefined() -> None:
    table = a_table({"A": moving_at_last(110), "B": moving_at_last(90)}, BENCHMARK)

    # In binary floating point 0.1 + 0.2 is slightly more than 0.3.
    report = only(analyze(table, a_portfolio().holding("A", 0.1 + 0.2).holding("B", -0.3).cash(1e3)))

    assert report.valuation is not None
    assert report.valuation.day_change == pytest.approx(0.3 * 10 + 0.3 * 10)
    assert report.valuation.day_change_pct is None


def test_a_short_position_gains_when_its_price_falls_below_the_sale_price() -> None:
    report = only(
        analyze(a_table({"A": moving_at_last(90)}, BENCHMARK), a_portfolio().holding("A", -10, 120.0).cash(5e3))
    )

    assert report.valuation is not None
    assert (report.valuation.market_value, report.valuation.cost_basis) == (-900, -1200)
    assert (report.valuation.unrealized_pl, report.valuation.unrealized_pl_pct) == (300, 25)
    assert (report.holdings[0].unrealized_pl, report.holdings[0].unrealized_pl_pct) == (300, 25)
    assert (report.valuation.day_change, report.valuation.day_change_pct) == (100, 10)


def test_the_included_holdings_of_a_short_portfolio_represent_the_rest_as_in_a_long_one() -> None:
    with_rest, alone = analyze(
        EVEN_TABLE,
        a_portfolio().holding("MOVING", -8).holding("STEADY", -4).holding("SHORT", -6).cash(5_000),
        a_portfolio().holding("MOVING", -12).holding("STEADY", -6).cash(5_000),
    )

    assert with_rest.reason is None
    assert with_rest.risk is not None
    assert alone.risk is not None
    assert with_rest.risk.annual_volatility == pytest.approx(alone.risk.annual_volatility, rel=1e-9)


@pytest.mark.parametrize("short", [10, math.nextafter(10, 0)])
def test_the_included_holdings_cannot_represent_a_whole_that_cancels_out_except_for_rounding(short: float) -> None:
    report = only(analyze(EVEN_TABLE, a_portfolio().holding("MOVING", 10).holding("SHORT", -short).cash(5_000)))

    assert report.reason == "undefined_weights"


def test_the_largest_position_may_be_a_short_one() -> None:
    report = only(analyze(EVEN_TABLE, a_portfolio().holding("MOVING", 10).holding("STEADY", -30).cash(7_000)))

    assert report.diversification is not None
    assert report.diversification.largest_weight == pytest.approx(3_000 / 5_000)
    largest = next(check for check in report.checks if check.rule == "largest_position")
    assert (largest.status, largest.value) == ("breach", report.diversification.largest_weight)
