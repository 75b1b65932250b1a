"""The window of a portfolio: as long as its holdings allow without leaving out much of what is owned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models import Holding, Portfolio, Report
from analysis.prices import Bars
from tests.analysis.judged import check, performance, quality, risk
from tests.analysis.market import ending_at_100, only
from tests.builders import PortfolioBuilder, a_portfolio, a_table, analyze, bars, random_walk, weekdays, without

DAYS = weekdays(1_261)
BENCHMARK = random_walk(DAYS, 1)


def of_days(seed: int, returns: int) -> Bars:
    return ending_at_100(without(random_walk(DAYS, seed), slice(0, len(DAYS) - 1 - returns)))


AGES = {"Y63": 63, "Y100": 100, "Y200": 200, "Y251": 251, "Y252": 252, "Y400": 400, "Y900": 900}
WALKS = {f"S{seed}": ending_at_100(random_walk(DAYS, seed)) for seed in range(10, 20)}
SYMBOLS = {**WALKS, **{name: of_days(100 + age, age) for name, age in AGES.items()}}
# Up to a peak in the middle, then 38 % down.
FALLEN = bars(DAYS, np.concatenate([np.linspace(100, 161.2903, 630), np.linspace(161.2903, 100, 631)]))
TABLE = a_table({**SYMBOLS, **{f"F{number}": FALLEN for number in range(10)}}, BENCHMARK)


def fallen(young: float) -> PortfolioBuilder:
    """Return ten equal shares, and one of the youngest with this share of the value."""
    portfolio = a_portfolio()
    for number in range(10):
        portfolio = portfolio.holding(f"F{number}", 100 * (1 - young))
    return portfolio.holding("Y63", 1_000 * young)


class TestChoice:
    def test_a_young_holding_of_small_weight_does_not_hide_a_drawdown(self) -> None:
        # Row 7.
        report = only(analyze(TABLE, fallen(0.001)))

        assert performance(report).observations == 1_260
        drawdown = check(report, "drawdown")
        assert drawdown.status == "breach"
        assert drawdown.value == pytest.approx(-0.38, abs=1e-3)
        assert quality(report).young_symbols == ("Y63",)
        assert quality(report).coverage == pytest.approx(0.999)
        young = report.holdings[-1]
        assert young.risk_contribution is None
        assert None not in {young.annual_volatility, young.beta, young.return_21d, young.weight}

    @pytest.mark.parametrize("young", [0.0499, 0.05, 0.0501, 0.2499, 0.25])
    def test_a_window_of_a_year_may_cost_a_quarter_of_the_coverage(self, young: float) -> None:
        # Row 31 is 0.0501.
        report = only(analyze(TABLE, fallen(young)))

        assert performance(report).observations == 1_260
        assert quality(report).young_symbols == ("Y63",)
        assert check(report, "drawdown").status == "breach"

    def test_more_than_a_quarter_is_not_left_out_for_a_year(self) -> None:
        report = only(analyze(TABLE, fallen(0.2501)))

        assert performance(report).observations == 63
        assert quality(report).young_symbols == ()
        assert quality(report).coverage == 1

    @pytest.mark.parametrize(("youngest", "observations"), [("Y252", 252), ("Y251", 1_260), ("Y400", 400)])
    def test_a_window_of_a_year_or_more_keeps_more_than_five_percent(self, youngest: str, observations: int) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("S10", 90).holding(youngest, 10)))

        assert performance(report).observations == observations

    def test_the_longest_window_near_the_coverage_of_a_year_counts(self) -> None:
        # c2 is 0.80 at 400 returns; 900 returns have 0.76, all have 0.70.
        portfolio = a_portfolio().holding("S10", 70).holding("Y900", 6).holding("Y400", 4).holding("Y100", 20)

        report = only(analyze(TABLE, portfolio))

        assert performance(report).observations == 900
        assert quality(report).young_symbols == ("Y400", "Y100")
        assert quality(report).coverage == pytest.approx(0.76)

    def test_a_window_whose_sides_do_not_pass_does_not_count(self) -> None:
        # Without the young short, a side of 30 % would have nothing included.
        portfolio = a_portfolio().holding("S10", 70).holding("Y400", -30).cash(1_000)

        report = only(analyze(TABLE, portfolio))

        assert (performance(report).observations, report.reason) == (400, None)

    def test_a_window_of_less_than_half_does_not_count(self) -> None:
        # What has enough history is 54 %; 49.5 % reach back, which is within 5 % of it.
        table = a_table({**SYMBOLS, "Y20": of_days(5, 20)}, BENCHMARK)
        portfolio = a_portfolio().holding("S10", 49.5).holding("Y900", 4.5).holding("Y20", 46)

        report = only(analyze(table, portfolio))

        assert (performance(report).observations, report.reason) == (900, None)
        assert quality(report).coverage == pytest.approx(0.54)

    def test_without_any_window_that_counts_the_longest_near_the_best_names_the_young(self) -> None:
        table = a_table({**SYMBOLS, "Y20": of_days(5, 20)}, BENCHMARK)

        report = only(analyze(table, a_portfolio().holding("S10", 39).holding("Y900", 1).holding("Y20", 60)))

        assert (report.reason, report.performance) == ("low_coverage", None)
        assert quality(report).young_symbols == ("Y900",)
        assert quality(report).coverage == pytest.approx(0.39)

    def test_two_holdings_that_begin_together_are_left_out_together(self) -> None:
        table = a_table({**SYMBOLS, "TWIN": SYMBOLS["Y400"]}, BENCHMARK)
        portfolio = a_portfolio().holding("S10", 93).holding("Y400", 4).holding("TWIN", 3)

        assert performance(only(analyze(table, portfolio))).observations == 400


def plain_choice(held: dict[str, float]) -> tuple[int, set[str]]:
    """Return the returns of the window of holdings at 100 each, and what is too young for it, by a plain search."""
    ages = {name: AGES.get(name, 0 if name == "GONE" else 1_260) for name in held}
    gross = sum(abs(quantity) for quantity in held.values())

    def coverage(returns: int, side: int = 0) -> float:
        sizes = [abs(q) for name, q in held.items() if ages[name] >= returns > 0 and (side == 0 or q * side > 0)]
        return sum(sizes) / gross

    def counts(returns: int) -> bool:
        for side in (1, -1):
            whole = sum(abs(q) for q in held.values() if q * side > 0) / gross
            if whole > 0.05 and coverage(returns, side) < whole / 2:
                return False
        return coverage(returns) >= 0.5

    windows = {age for age in ages.values() if age}
    windows = {window for window in windows if counts(window)} or windows
    best = sum(abs(q) for name, q in held.items() if ages[name]) / gross
    chosen = max(window for window in windows if coverage(window) >= best - 0.05)
    yearlong = [window for window in windows if window >= 252]
    if chosen < 252 and yearlong and coverage(min(yearlong)) >= best - 0.25:
        chosen = max(window for window in windows if coverage(window) >= coverage(min(yearlong)) - 0.05)
    return chosen, {name for name in held if 0 < ages[name] < chosen}


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["S10", "S11", "GONE", *AGES]),
            # With a fraction, so that no coverage lies at a threshold.
            st.integers(1, 100).map(lambda size: size + 0.1234) | st.integers(-30, -1).map(lambda size: size - 0.4321),
            min_size=1,
            max_size=7,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_window_is_that_of_a_plain_search(page: list[dict[str, float]]) -> None:
    page = [held for held in page if set(held) != {"GONE"}]
    portfolios = [
        Portfolio("user", tuple(Holding(name, quantity, 100.0) for name, quantity in held.items()), cash=1e5)
        for held in page
    ]

    for held, report in zip(page, analyze(TABLE, *map(PortfolioBuilder, portfolios)), strict=True):
        observations, young = plain_choice(held)
        assert set(quality(report).young_symbols) == young
        if report.performance:
            assert report.performance.observations == observations
        else:
            assert report.reason == "low_coverage"


class TestMinimumObservations:
    OF_A_YEAR = ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "alpha", "information_ratio", "value_at_risk_99")
    TAILS = ("gaussian_value_at_risk_99", "conditional_value_at_risk_99")

    def test_few_returns_give_no_figures_of_a_year_and_say_why(self) -> None:
        # Row 23, with 100 returns.
        report = only(analyze(TABLE, a_portfolio().holding("Y100", 1)))

        assert performance(report).cagr is None
        assert {getattr(risk(report), name) for name in (*self.OF_A_YEAR, *self.TAILS)} == {None}
        assert (risk(report).value_at_risk_95, risk(report).conditional_value_at_risk_95) == (None, None)
        assert performance(report).cumulative_return is not None
        assert None not in {risk(report).annual_volatility, risk(report).beta, risk(report).gaussian_value_at_risk_95}
        notes = " ".join(quality(report).notes)
        assert "performance.cagr" in notes
        assert "there are fewer than 252 returns." in notes
        assert "there are fewer than 125 returns." in notes
        assert check(report, "value_at_risk").status == "unknown"

    @pytest.mark.parametrize(("symbol", "tails", "yearly"), [("Y200", True, False), ("Y252", True, True)])
    def test_with_enough_returns_they_are_known(self, symbol: str, tails: bool, yearly: bool) -> None:
        own = risk(only(analyze(TABLE, a_portfolio().holding(symbol, 1))))

        assert (own.value_at_risk_95 is not None, own.conditional_value_at_risk_95 is not None) == (tails, tails)
        assert {getattr(own, name) is not None for name in (*self.OF_A_YEAR, *self.TAILS)} == {yearly}


OF_RETURNS = ("performance", "risk", "diversification")


def figures(report: Report) -> dict[str, float]:
    found = {
        f"{part}.{name}": getattr(getattr(report, part), name)
        for part in OF_RETURNS
        for name in type(getattr(report, part)).__struct_fields__
    }
    found |= {f"stress.{entry.scenario}": entry.return_ for entry in report.stress or ()}
    return {name: value for name, value in found.items() if isinstance(value, float)}


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from(sorted(WALKS)), st.floats(20, 100), min_size=3, max_size=8),
    st.sampled_from([*AGES, "S19", "GONE"]),
    st.floats(1e-7, 1e-4),
    st.sampled_from([1, -1]),
)
def test_dust_changes_no_figure_by_much_more_than_its_weight(
    quantities: dict[str, float], symbol: str, weight: float, side: int
) -> None:
    quantities.pop(symbol, None)
    owned = tuple(Holding(name, quantity, 100.0) for name, quantity in quantities.items())
    dust = Holding(symbol, side * weight * sum(quantities.values()), 100.0)
    cash = 10 * sum(quantities.values())

    without_it, with_it = (
        only(analyze(TABLE, PortfolioBuilder(Portfolio("user", holdings, cash=cash))))
        for holdings in (owned, (*owned, dust))
    )

    before, after = figures(without_it), figures(with_it)
    assert before.keys() == after.keys()
    for name, value in before.items():
        # Relative to the size of figures that are not fractions.
        assert after[name] == pytest.approx(value, abs=10 * weight * max(1, abs(value)) + 1e-9), name
