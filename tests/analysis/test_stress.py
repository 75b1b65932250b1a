import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import measures
from analysis.models import Report
from analysis.prices import Bars
from analysis.stress import EPISODES, episode_returns
from tests.analysis.market import EVEN_TABLE, SYMBOLS, TABLE, ending_at_100, only, price, returns_of
from tests.builders import PortfolioBuilder, a_portfolio, a_table, analyze, bars, random_walk, weekdays, without

LONG_DAYS = weekdays(4200, "2007-01-01")
LONG_BENCHMARK = random_walk(LONG_DAYS, seed=99)
OLD, OTHER = random_walk(LONG_DAYS, seed=1), random_walk(LONG_DAYS, seed=2)


def stress_returns(report: Report) -> dict[str, float | None]:
    assert report.stress is not None
    return {entry.scenario: entry.return_ for entry in report.stress}


def row(day: date) -> int:
    """Return the row of the last trading day up to ``day``."""
    return int(LONG_DAYS.searchsorted(np.datetime64(day), "right")) - 1


def over(own: Bars, start: date, end: date) -> float:
    return float(own.adj_close[row(end)] / own.adj_close[row(start)] - 1)


def test_every_report_with_figures_that_rest_on_returns_has_every_scenario_in_order() -> None:
    report = only(analyze(TABLE, a_portfolio().holding("A", 10).cash(100)))

    assert report.stress is not None
    assert [entry.scenario for entry in report.stress] == [
        *("worst_day", "worst_5_days", "worst_21_days", "market_-10", "market_-20", "market_-30"),
        *("global_financial_crisis", "covid_crash", "inflation_bear_2022"),
    ]


@pytest.mark.parametrize(
    "portfolio",
    [a_portfolio().cash(100), a_portfolio().holding("A", 1).holding("STALE", 1000), a_portfolio()],
    ids=["no holdings", "low coverage", "skipped"],
)
def test_a_report_without_figures_that_rest_on_returns_has_no_stress(portfolio: PortfolioBuilder) -> None:
    report = only(analyze(TABLE, portfolio))

    assert report.reason is not None
    assert report.stress is None


@pytest.mark.parametrize(("scenario", "days"), [("worst_day", 1), ("worst_5_days", 5), ("worst_21_days", 21)])
def test_the_worst_days_are_those_of_today_s_mix_over_its_own_window(scenario: str, days: int) -> None:
    report = only(analyze(TABLE, a_portfolio().holding("A", 10).holding("YOUNG", -4).cash(2000)))

    values = np.array([10 * price("A"), -4 * price("YOUNG")])
    returns = np.stack([returns_of(SYMBOLS["A"], 299), returns_of(SYMBOLS["YOUNG"], 299)], axis=1)
    mix = returns @ (values / (values.sum() + 2000))
    worst = min(np.prod(1 + mix[first : first + days]) - 1 for first in range(299 - days + 1))
    assert stress_returns(report)[scenario] == pytest.approx(worst, rel=1e-9)


def test_a_market_shock_hits_in_proportion_to_beta() -> None:
    report = only(analyze(TABLE, a_portfolio().holding("A", 10).holding("B", 5)))

    assert report.risk is not None
    assert report.risk.beta is not None
    for scenario, shock in {"market_-10": -0.1, "market_-20": -0.2, "market_-30": -0.3}.items():
        assert stress_returns(report)[scenario] == pytest.approx(report.risk.beta * shock, rel=1e-12)


def test_a_loss_is_the_return_on_the_total_value() -> None:
    report = only(analyze(TABLE, a_portfolio().holding("A", 10).holding("B", -5).cash(2000)))

    total = 10 * price("A") - 5 * price("B") + 2000
    assert report.stress is not None
    for entry in report.stress:
        assert entry.loss == (None if entry.return_ is None else pytest.approx(entry.return_ * total, rel=1e-12))


def test_with_a_benchmark_that_never_moves_market_shocks_are_undefined() -> None:
    table = a_table(SYMBOLS, bars(SYMBOLS["FLAT"].dates, 100.0))

    stress = stress_returns(only(analyze(table, a_portfolio().holding("A", 10))))

    assert (stress["market_-10"], stress["market_-20"], stress["market_-30"]) == (None, None, None)
    assert stress["worst_day"] is not None


def test_a_mix_that_would_have_lost_more_than_everything_has_a_worst_day_but_none_compounded() -> None:
    report = only(analyze(EVEN_TABLE, a_portfolio().holding("MOVING", 100).holding("STEADY", -99)))

    stress = stress_returns(report)
    assert stress["worst_day"] is not None
    assert stress["worst_day"] < -1
    assert (stress["worst_5_days"], stress["worst_21_days"]) == (None, None)


@settings(deadline=None)
@given(st.lists(st.floats(-1, 3), min_size=21, max_size=60), st.sampled_from([1, 5, 21]))
def test_the_worst_compounded_return_is_that_of_a_plain_search(returns: list[float], days: int) -> None:
    column = np.array(returns)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        worst = measures.worst_return(measures.values(column), days)[0]

    # After a total loss nothing is left to lose.
    ruin = next((day for day, value in enumerate(returns) if value == -1), len(returns))
    starts = range(min(ruin, len(returns) - days) + 1)
    expected = min(np.prod(1 + column[first : first + days]) - 1 for first in starts)
    assert worst == pytest.approx(expected, rel=1e-9, abs=1e-12)


class TestEpisodes:
    table = a_table({"OLD": OLD, "OTHER": OTHER}, LONG_BENCHMARK, lookback_days=300)

    def test_they_are_those_of_the_definition(self) -> None:
        assert [(episode.name, episode.start, episode.end) for episode in EPISODES] == [
            ("global_financial_crisis", date(2008, 9, 12), date(2009, 3, 9)),
            ("covid_crash", date(2020, 2, 19), date(2020, 3, 23)),
            ("inflation_bear_2022", date(2022, 1, 3), date(2022, 10, 12)),
        ]

    def test_each_holding_s_own_return_between_the_two_closes_is_weighted(self) -> None:
        report = only(analyze(self.table, a_portfolio().holding("OLD", 10).holding("OTHER", -3).cash(500)))

        values = np.array([10 * OLD.close[-1], -3 * OTHER.close[-1]])
        weights = values / (values.sum() + 500)
        for episode in EPISODES:
            own = [over(bars, episode.start, episode.end) for bars in (OLD, OTHER)]
            assert stress_returns(report)[episode.name] == pytest.approx(weights @ own, rel=1e-9)

    def test_they_reach_back_beyond_the_lookback(self) -> None:
        assert self.table.dates[0] > np.datetime64(EPISODES[0].end)
        assert (
            stress_returns(only(analyze(self.table, a_portfolio().holding("OLD", 1))))["global_financial_crisis"]
            is not None
        )

    def test_an_included_holding_with_too_short_a_history_makes_an_episode_undefined_for_its_holders_only(self) -> None:
        young = without(OTHER, slice(0, row(date(2015, 1, 1))))
        table = a_table({"OLD": OLD, "YOUNG": young}, LONG_BENCHMARK)

        with_it, without_it = analyze(
            table, a_portfolio().holding("OLD", 1).holding("YOUNG", 1), a_portfolio().holding("OLD", 1)
        )

        crisis, crash, bear = (stress_returns(with_it)[episode.name] for episode in EPISODES)
        assert crisis is None
        assert crash is not None
        assert bear is not None
        assert stress_returns(without_it)["global_financial_crisis"] is not None

    @pytest.mark.parametrize(("young", "coverage"), [(5.0, 0.95), (5.01, None)])
    def test_up_to_five_percent_may_lack_and_the_rest_stands_for_it(self, young: float, coverage: float | None) -> None:
        own = ending_at_100(OLD), ending_at_100(without(OTHER, slice(0, row(date(2015, 1, 1)))))
        table = a_table(dict(zip(("OLD", "YOUNG"), own, strict=True)), LONG_BENCHMARK)
        portfolio = a_portfolio().holding("OLD", 100 - young).holding("YOUNG", young).cash(10_000)

        stress = only(analyze(table, portfolio, risk_free_rate=0.05)).stress

        assert stress is not None
        crisis = stress[-3]
        assert crisis.coverage == (None if coverage is None else pytest.approx(coverage))
        crash = over(OLD, EPISODES[0].start, EPISODES[0].end) / 2
        assert crisis.return_ == (None if coverage is None else pytest.approx(crash, rel=1e-9))
        assert crisis.loss == (None if coverage is None else pytest.approx(20_000 * crash, rel=1e-9))
        assert {entry.coverage for entry in stress if entry.scenario != "global_financial_crisis"} == {1}

    def test_a_holding_too_young_for_the_window_takes_part_in_an_episode_it_reaches_back_to(self) -> None:
        since = row(date(2020, 2, 10))
        own = ending_at_100(OLD), ending_at_100(without(OTHER, slice(0, since)))
        table = a_table({"OLD": own[0], "YOUNG": own[1]}, LONG_BENCHMARK, as_of=date(2020, 6, 30))
        values = [bars.close[bars.dates == np.datetime64("2020-06-30")][0] for bars in own]

        report = only(analyze(table, a_portfolio().holding("OLD", 97 / values[0]).holding("YOUNG", 3 / values[1])))

        assert report.data_quality is not None
        assert report.data_quality.young_symbols == ("YOUNG",)
        assert report.stress is not None
        crash = report.stress[-2]
        assert (crash.scenario, crash.coverage) == ("covid_crash", 1)
        both = [over(bars, EPISODES[1].start, EPISODES[1].end) for bars in (OLD, OTHER)]
        assert crash.return_ == pytest.approx(0.97 * both[0] + 0.03 * both[1], rel=1e-9)
        assert report.stress[0].coverage == pytest.approx(0.97)

    def test_an_episode_whose_short_side_lacks_is_unknown(self) -> None:
        young = ending_at_100(without(OTHER, slice(0, row(date(2015, 1, 1)))))
        table = a_table({"OLD": ending_at_100(OLD), "YOUNG": young}, LONG_BENCHMARK)
        small, large = (
            stress_returns(only(analyze(table, a_portfolio().holding("OLD", 100).holding("YOUNG", -short).cash(5_000))))
            for short in (4, 6)
        )

        assert large["global_financial_crisis"] is None
        # A small side is cash, which loses nothing.
        crash = over(OLD, EPISODES[0].start, EPISODES[0].end)
        assert small["global_financial_crisis"] == pytest.approx(crash * 10_000 / 14_600, rel=1e-9)

    def test_a_portfolio_with_more_holdings_beside_it_changes_nothing(self) -> None:
        few = a_portfolio().holding("OLD", 10).cash(500)

        _, beside = analyze(self.table, a_portfolio().holding("OLD", 1).holding("OTHER", 1), few)

        assert stress_returns(beside) == pytest.approx(stress_returns(only(analyze(self.table, few))), rel=1e-9)

    def test_a_holding_that_is_not_included_does_not_count(self) -> None:
        short = without(OTHER, slice(0, 4200 - 30))
        table = a_table({"OLD": OLD, "SHORT": short}, LONG_BENCHMARK)

        report = only(analyze(table, a_portfolio().holding("OLD", 100).holding("SHORT", 1)))

        assert report.data_quality is not None
        assert report.data_quality.short_history_symbols == ("SHORT",)
        assert stress_returns(report)["global_financial_crisis"] is not None

    def test_an_episode_that_ends_on_the_as_of_date_is_included(self) -> None:
        table = a_table({"OLD": OLD}, LONG_BENCHMARK, as_of=date(2020, 3, 23))

        assert stress_returns(only(analyze(table, a_portfolio().holding("OLD", 1))))["covid_crash"] is not None

    def test_an_episode_that_ends_after_the_as_of_date_is_undefined(self) -> None:
        table = a_table({"OLD": OLD}, LONG_BENCHMARK, as_of=date(2020, 3, 20))

        stress = stress_returns(only(analyze(table, a_portfolio().holding("OLD", 1))))

        assert stress["global_financial_crisis"] is not None
        assert (stress["covid_crash"], stress["inflation_bear_2022"]) == (None, None)


def crash_of(own: Bars, benchmark: Bars = LONG_BENCHMARK) -> float:
    return float(a_table({"A": own}, benchmark).episode_returns[1, 0])


class TestReachingBack:
    start, end = row(date(2020, 2, 19)), row(date(2020, 3, 23))

    def test_the_closes_are_the_last_up_to_the_two_days(self) -> None:
        gappy = without(without(OLD, slice(self.end - 2, self.end + 1)), slice(self.start - 4, self.start + 1))

        expected = OLD.adj_close[self.end - 3] / OLD.adj_close[self.start - 5] - 1
        assert crash_of(gappy) == pytest.approx(expected, rel=1e-12)

    def test_a_close_in_a_gap_that_is_carried_counts(self) -> None:
        gappy = without(OLD, slice(self.start - 20, self.start + 1))
        assert crash_of(gappy) == pytest.approx(OLD.adj_close[self.end] / OLD.adj_close[self.start - 21] - 1, rel=1e-12)
        assert math.isnan(crash_of(without(OLD, slice(self.start - 61, self.start + 1))))

    def test_a_first_price_after_the_start_is_too_late(self) -> None:
        assert not math.isnan(crash_of(without(OLD, slice(0, self.start))))
        assert math.isnan(crash_of(without(OLD, slice(0, self.start + 1))))

    def test_prices_before_a_long_gap_are_not_part_of_the_symbol_s_history(self) -> None:
        later = self.end + 200

        assert not math.isnan(crash_of(without(OLD, slice(later, later + 60))))
        assert math.isnan(crash_of(without(OLD, slice(later, later + 61))))
        assert not math.isnan(crash_of(without(OLD, slice(100, 200))))

    def test_the_first_day_after_a_long_gap_is_early_enough(self) -> None:
        assert not math.isnan(crash_of(without(OLD, slice(self.start - 10, self.start))))

    def test_a_suspected_split_begins_the_history_anew(self) -> None:
        for day, defined in ((self.start, True), (self.start + 1, False), (self.end + 200, False)):
            calm = random_walk(LONG_DAYS, seed=1, volatility=0.003).close
            split = bars(LONG_DAYS, np.where(np.arange(4200) < day, 2 * calm, calm))
            assert math.isfinite(crash_of(split)) == defined

    def test_a_symbol_that_is_stale_or_too_young_has_none(self) -> None:
        as_of_days = LONG_DAYS[: self.end + 1]
        market = LONG_BENCHMARK.at(slice(len(as_of_days)))
        assert math.isnan(crash_of(OLD.at(slice(self.end - 10)), market))
        assert not math.isnan(crash_of(OLD.at(slice(self.end - 9)), market))
        assert math.isnan(crash_of(without(OLD, slice(0, self.end - 62)), market))
        assert math.isnan(crash_of(OLD.at(slice(4100))))

    def test_an_episode_before_the_start_of_the_calendar_is_undefined(self) -> None:
        assert math.isnan(crash_of(OLD, without(LONG_BENCHMARK, slice(0, self.start + 1))))
        assert not math.isnan(crash_of(OLD, without(LONG_BENCHMARK, slice(0, self.start))))

    def test_no_symbols_have_no_returns(self) -> None:
        assert episode_returns([], LONG_DAYS).shape == (len(EPISODES), 0)
