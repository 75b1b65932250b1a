from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from analysis.models import Series
from analysis.price_table import PriceTable
from analysis.series import MOST_CORRELATED, portfolio_series
from tests.builders import PortfolioBuilder, a_portfolio, a_table, analyze, bars, random_walk, weekdays

DAYS = weekdays(700)
RATE = 0.03


@pytest.fixture(scope="module")
def table() -> PriceTable:
    young = random_walk(DAYS[300:], 9)
    walks = {f"S{seed}": random_walk(DAYS, seed, 0.01 + 0.002 * seed) for seed in range(1, 5)}
    flat = {"FLAT": bars(DAYS, 10.0)}
    return a_table(walks | flat | {"YOUNG": young}, random_walk(DAYS, 100), lookback_days=600)


def series_of(builder: PortfolioBuilder, table: PriceTable) -> Series:
    series = portfolio_series(builder.build(), table, {}, RATE)
    assert series is not None
    return series


MIXED = a_portfolio().holding("S1", 10).holding("S2", -3).holding("S3", 5).holding("YOUNG", 7).cash(500)


@pytest.mark.parametrize("builder", [MIXED, a_portfolio().holding("S4", 1)], ids=["mixed", "one holding"])
def test_the_ends_and_falls_of_the_series_agree_with_the_report(builder: PortfolioBuilder, table: PriceTable) -> None:
    series, (report,) = series_of(builder, table), analyze(table, builder, risk_free_rate=RATE)
    assert report.performance
    assert report.risk
    assert (series.dates[0], series.dates[-1]) == (report.performance.start, report.performance.end)
    assert series.growth[0] == series.benchmark_growth[0] == 1
    assert series.growth[-1] == pytest.approx(1 + (report.performance.cumulative_return or 0), rel=1e-12)
    assert min(value for value in series.drawdown if value is not None) == pytest.approx(report.risk.max_drawdown)
    benchmark = np.prod(1 + table.benchmark_returns[-report.performance.observations :])
    assert series.benchmark_growth[-1] == pytest.approx(benchmark, rel=1e-12)


def test_there_is_one_value_per_week_for_its_last_trading_day(table: PriceTable) -> None:
    series = series_of(a_portfolio().holding("S1", 1), table)
    mondays = [day - timedelta(days=day.weekday()) for day in series.dates[1:]]
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(mondays))
    assert all(day.weekday() == 4 for day in series.dates[1:-1])
    lengths = {len(getattr(series, name)) for name in ("growth", "benchmark_growth", "drawdown", "benchmark_drawdown")}
    assert lengths == {len(series.dates)}


def test_the_correlations_weighted_as_in_the_report_give_its_average(table: PriceTable) -> None:
    series, (report,) = series_of(MIXED, table), analyze(table, MIXED)
    values = np.array(series.correlations.values, dtype=float)
    assert np.diag(values) == pytest.approx(1)
    weight_of = {holding.symbol: holding.weight or 0 for holding in report.holdings}
    weights = np.array([weight_of[symbol] for symbol in series.correlations.symbols])
    products = np.outer(weights, weights)[~np.eye(len(values), dtype=bool)]
    average = products @ values[~np.eye(len(values), dtype=bool)] / np.abs(products).sum()
    assert report.diversification
    assert average == pytest.approx(report.diversification.average_correlation)
    returns = table.returns[:, [table.columns[symbol] for symbol in series.correlations.symbols]]
    assert values == pytest.approx(np.corrcoef(returns[int(table.first_day[table.columns["YOUNG"]]) :].T))


def test_a_young_holding_of_small_weight_is_in_no_series(table: PriceTable) -> None:
    builder = a_portfolio().holding("S1", 100).holding("YOUNG", 0.1)
    series, (report,) = series_of(builder, table), analyze(table, builder)
    assert report.performance
    assert (report.performance.observations, series.dates[0]) == (600, report.performance.start)
    assert series.correlations.symbols == ("S1",)


def test_the_largest_holdings_come_first_and_their_number_is_limited(table: PriceTable) -> None:
    series = series_of(MIXED, table)
    (report,) = analyze(table, MIXED)
    sizes = {holding.symbol: abs(holding.market_value or 0) for holding in report.holdings}
    assert list(series.correlations.symbols) == sorted(sizes, key=lambda symbol: -sizes[symbol])
    walk = random_walk(DAYS, 1)
    many = a_portfolio()
    for number in range(MOST_CORRELATED + 5):
        many = many.holding(f"M{number}", 1)
    wide = a_table({f"M{number}": walk for number in range(MOST_CORRELATED + 5)}, walk, lookback_days=100)
    assert len(series_of(many, wide).correlations.symbols) == MOST_CORRELATED


def test_a_holding_that_does_not_vary_correlates_with_nothing(table: PriceTable) -> None:
    series = series_of(a_portfolio().holding("S1", 1).holding("FLAT", 1), table)
    place = series.correlations.symbols.index("FLAT")
    assert set(series.correlations.values[place]) == {None}


def test_without_any_holding_of_enough_history_there_are_no_series(table: PriceTable) -> None:
    assert portfolio_series(a_portfolio().holding("NOSUCH", 1).cash(5).build(), table, {}, RATE) is None
