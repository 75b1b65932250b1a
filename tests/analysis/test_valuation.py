"""Values and weights of portfolios with long and short positions."""

import numpy as np
import pytest

from analysis.prices import Bars
from tests.analysis.market import BENCHMARK, DAYS, EVEN_TABLE, only
from tests.builders import a_portfolio, a_table, analyze, bars


def moving_at_last(last: float) -> Bars:
    """Return bars with a price of 100 until the last day."""
    return bars(DAYS, np.append(np.full(len(DAYS) - 1, 100.0), last))


def test_a_change_in_percent_is_of_the_absolute_values_before() -> None:
    table = a_table({"A": moving_at_last(110), "B": moving_at_last(90)}, BENCHMARK)

    report = only(analyze(table, a_portfolio().holding("A", 3).holding("B", -3).cash(1e3)))

    assert report.valuation is not None
    assert report.valuation.day_change == pytest.approx(3 * 10 + 3 * 10)
    assert report.valuation.day_change_pct == pytest.approx(100 * 60 / 600)


def test_a_holding_without_a_change_is_in_neither_the_change_nor_its_base() -> None:
    table = a_table({"A": moving_at_last(110), "NEW": moving_at_last(90).at(slice(len(DAYS) - 1, None))}, BENCHMARK)

    both, new = analyze(table, a_portfolio().holding("A", 1).holding("NEW", 9), a_portfolio().holding("NEW", 9))

    assert both.valuation is not None
    assert both.valuation.day_change == pytest.approx(10)
    assert both.valuation.day_change_pct == pytest.approx(10)
    assert new.valuation is not None
    assert (new.valuation.day_change, new.valuation.day_change_pct) == (None, None)


def test_a_short_position_gains_when_its_price_falls_below_the_sale_price() -> None:
    report = only(
        analyze(a_table({"A": moving_at_last(90)}, BENCHMARK), a_portfolio().holding("A", -10, 120.0).cash(5e3))
    )

    assert report.valuation is not None
    assert (report.valuation.market_value, report.valuation.cost_basis) == (-900, -1200)
    assert (report.valuation.unrealized_pl, report.valuation.unrealized_pl_pct) == (300, 25)
    assert (report.holdings[0].unrealized_pl, report.holdings[0].unrealized_pl_pct) == (300, 25)
    assert report.valuation.day_change == pytest.approx(100)
    assert report.valuation.day_change_pct == pytest.approx(10)


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


def test_the_largest_position_may_be_a_short_one() -> None:
    report = only(analyze(EVEN_TABLE, a_portfolio().holding("MOVING", 10).holding("STEADY", -30).cash(7_000)))

    assert report.diversification is not None
    assert report.diversification.largest_weight == pytest.approx(3_000 / 5_000)
    largest = next(check for check in report.checks if check.rule == "largest_position")
    assert (largest.status, largest.value) == ("breach", report.diversification.largest_weight)
