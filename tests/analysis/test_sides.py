"""Longs stand for longs, shorts for shorts, and cash earns the risk-free rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models import Holding, Instrument, Portfolio
from stores.document_values import symbol_reader
from stores.portfolio_documents import UserDocuments, read_portfolio
from tests.analysis.judged import check, performance, quality, risk
from tests.analysis.market import AS_OF, BENCHMARK, DAYS, ending_at_100, only, returns_of
from tests.builders import PortfolioBuilder, a_portfolio, a_table, analyze, bars, random_walk, without

NAMES = [f"S{number}" for number in range(8)]
WALKS = {name: ending_at_100(random_walk(DAYS, seed)) for seed, name in enumerate(NAMES, start=50)}
SHORT_HISTORY = ending_at_100(without(random_walk(DAYS, 60), slice(0, 560)))
TABLE = a_table(
    {**WALKS, "NEW": SHORT_HISTORY, "NEWER": SHORT_HISTORY, "INDEX": BENCHMARK, "MONEY": bars(DAYS, 1.0)}, BENCHMARK
)


class TestSides:
    def test_a_short_side_without_history_leaves_no_figures(self) -> None:
        # Row 8.
        report = only(analyze(TABLE, a_portfolio().holding("S0", 600).holding("NEW", -500).cash(90_000)))

        assert (report.reason, report.risk) == ("low_coverage", None)
        assert quality(report).coverage == pytest.approx(60 / 110)

    def test_longs_are_scaled_to_the_longs_and_shorts_to_the_shorts(self) -> None:
        # Row 9.
        report = only(
            analyze(TABLE, a_portfolio().holding("S0", 600).holding("S1", -500).holding("NEW", 400).cash(1e4))
        )

        assert report.reason is None
        total = 60_000 - 50_000 + 40_000 + 10_000
        returns = np.column_stack([returns_of(WALKS[name], 599) for name in ("S0", "S1")])
        expected = returns @ (np.array([100_000, -50_000]) / total)
        assert performance(report).cumulative_return == pytest.approx(np.prod(1 + expected) - 1, rel=1e-9)
        assert risk(report).annual_volatility == pytest.approx(expected.std(ddof=1) * 252**0.5, rel=1e-9)

    def test_a_small_side_of_which_too_little_is_there_becomes_cash(self) -> None:
        rate = 0.05
        portfolio = a_portfolio().holding("S0", 96).holding("S1", -1).holding("NEW", -3).cash(1_000)
        report = only(analyze(TABLE, portfolio, risk_free_rate=rate))

        total = 9_600 - 400 + 1_000
        daily = 1.05 ** (1 / 252) - 1
        expected = returns_of(WALKS["S0"], 599) * 9_600 / total + daily * (1_000 - 400) / total
        assert performance(report).cumulative_return == pytest.approx(np.prod(1 + expected) - 1, rel=1e-9)
        assert quality(report).coverage == pytest.approx(0.97)
        assert [holding.risk_contribution for holding in report.holdings] == [pytest.approx(1), None, None]
        assert report.diversification is not None
        assert report.diversification.average_correlation is None

    @pytest.mark.parametrize(("small", "reason"), [(5.0, None), (5.001, "low_coverage")])
    def test_a_side_of_more_than_five_percent_needs_half_of_it(self, small: float, reason: str | None) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("S0", 100 - small).holding("NEW", -small).cash(1_000)))

        assert report.reason == reason

    @pytest.mark.parametrize(("there", "reason"), [(10.0, None), (9.99, "low_coverage")])
    def test_half_of_a_side_is_enough(self, there: float, reason: str | None) -> None:
        portfolio = a_portfolio().holding("S0", 80).holding("S1", -there).holding("NEW", there - 20).cash(9_000)

        assert only(analyze(TABLE, portfolio)).reason == reason

    def test_an_unpriced_short_is_of_the_short_side(self) -> None:
        portfolio = a_portfolio().holding("S0", 80).holding("S1", -10).holding("GONE", -10, 100.0).cash(9_000)
        report = only(analyze(TABLE, portfolio))

        total = 8_000 - 2_000 + 9_000
        returns = np.column_stack([returns_of(WALKS[name], 599) for name in ("S0", "S1")])
        expected = returns @ (np.array([8_000, -2_000]) / total)
        assert performance(report).cumulative_return == pytest.approx(np.prod(1 + expected) - 1, rel=1e-9)


class TestExposure:
    def test_leverage_is_seen_whatever_the_number_of_names(self) -> None:
        # Row 21.
        portfolio = a_portfolio()
        for name in NAMES:
            portfolio = portfolio.holding(name, 50)

        report = only(analyze(TABLE, portfolio.cash(-30_000)))

        exposure = check(report, "gross_exposure")
        assert exposure.status == "breach"
        assert exposure.value == pytest.approx(4)

    def test_the_proceeds_of_shorts_are_no_cash_to_spare(self) -> None:
        # Row 21.
        report = only(analyze(TABLE, a_portfolio().holding("S0", 1).holding("S1", -1).cash(200)))

        assert check(report, "cash_share").value == pytest.approx(0.5)


class TestCash:
    def test_an_index_holder_with_cash_has_no_alpha(self) -> None:
        # Row 22.
        index = 1_000 / float(BENCHMARK.close[-1])

        report = only(analyze(TABLE, a_portfolio().holding("INDEX", index).cash(1_000), risk_free_rate=0.045))

        assert risk(report).alpha == pytest.approx(0, abs=1e-12)
        assert risk(report).beta == pytest.approx(0.5)

    def test_debt_pays_the_risk_free_rate(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("S0", 20).cash(-1_000), risk_free_rate=0.045))

        expected = 2 * returns_of(WALKS["S0"], 599) - (1.045 ** (1 / 252) - 1)
        assert performance(report).cumulative_return == pytest.approx(np.prod(1 + expected) - 1, rel=1e-9)


def test_a_money_fund_is_in_no_average_of_correlations() -> None:
    # Row 25.
    portfolio = a_portfolio()
    for name in NAMES:
        portfolio = portfolio.holding(name, 10)
    with_fund, alone = analyze(TABLE, portfolio.holding("MONEY", 1_000), portfolio)

    assert with_fund.diversification is not None
    assert alone.diversification is not None
    average = with_fund.diversification.average_correlation
    assert average == pytest.approx(alone.diversification.average_correlation, rel=1e-9)
    returns = np.column_stack([returns_of(WALKS[name], 599) for name in NAMES])
    correlations = np.array(np.corrcoef(returns.T))
    assert average == pytest.approx(correlations[np.triu_indices(len(NAMES), 1)].mean(), rel=1e-9)


class TestFunds:
    FUND = Instrument(kind="etf")

    def test_an_index_fund_is_no_concentration(self) -> None:
        # Row 20, the values.
        report = only(analyze(TABLE, a_portfolio().holding("INDEX", 10), instruments={"INDEX": self.FUND}))

        assert (check(report, "largest_position").value, check(report, "largest_position").status) == (0, "ok")
        assert check(report, "risk_concentration").value == 0
        assert check(report, "effective_holdings").value == pytest.approx(20)
        assert report.diversification is not None
        assert report.diversification.effective_holdings == 1
        assert [decision.decision for decision in report.decisions] == ["HOLD"]

    @pytest.mark.parametrize("instrument", [FUND, Instrument(diversified=True)])
    def test_a_leveraged_fund_is_no_diversified_one(self, instrument: Instrument) -> None:
        # Row 36.
        table = a_table({"TRIPLE": random_walk(DAYS, 9, volatility=0.03)}, BENCHMARK)

        report = only(analyze(table, a_portfolio().holding("TRIPLE", 10), instruments={"TRIPLE": instrument}))

        assert (report.holdings[0].annual_volatility or 0) > 0.40
        assert (check(report, "largest_position").value, check(report, "largest_position").status) == (1, "breach")
        assert check(report, "effective_holdings").value == pytest.approx(1)

    @pytest.mark.parametrize(
        ("instrument", "is_fund"),
        [(FUND, False), (Instrument(kind="stock"), False), (Instrument(diversified=True), True)],
    )
    def test_of_unknown_volatility_only_the_word_counts(self, instrument: Instrument, is_fund: bool) -> None:
        table = a_table({**WALKS, "NEW": SHORT_HISTORY}, BENCHMARK)
        portfolio = a_portfolio().holding("S0", 5).holding("NEW", 10)

        report = only(analyze(table, portfolio, instruments={"NEW": instrument}))

        assert check(report, "largest_position").value == pytest.approx(1 / 3 if is_fund else 2 / 3)

    def test_the_word_of_the_backend_goes_before_the_kind(self) -> None:
        gold = {"INDEX": Instrument(kind="etf", diversified=False)}

        report = only(analyze(TABLE, a_portfolio().holding("INDEX", 10), instruments=gold))

        assert check(report, "largest_position").status == "breach"


def test_the_reports_say_that_the_past_is_one_of_today_s_holdings() -> None:
    report = only(analyze(TABLE, a_portfolio().holding("S0", 10)))

    assert performance(report).basis == "current_holdings"
    assert any(note.startswith("Hypothetical: ") and str(DAYS[0]) in note for note in quality(report).notes)
    assert (report.as_of, report.schema_version) == (AS_OF, 2)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from(NAMES[:4]), st.floats(10, 100), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(NAMES[4:]), st.floats(10, 100), min_size=1, max_size=4),
    st.floats(0.05, 0.9),
    st.floats(0.05, 0.9),
)
def test_more_of_each_side_without_history_changes_nothing_but_coverage(
    longs: dict[str, float], shorts: dict[str, float], more_long: float, more_short: float
) -> None:
    """Each side stands for what is like it: as if all of its holdings were larger."""
    long, short = 100 * sum(longs.values()), 100 * sum(shorts.values())
    held = [*((name, 1, quantity) for name, quantity in longs.items()), *((n, -1, q) for n, q in shorts.items())]
    missing = Holding("NEW", long * more_long / 100, 1.0), Holding("NEWER", -short * more_short / 100, 1.0)
    plain = tuple(Holding(name, side * quantity, 1.0) for name, side, quantity in held)
    grown = tuple(
        Holding(name, side * quantity * (1 + (more_long if side > 0 else more_short)), 1.0)
        for name, side, quantity in held
    )
    cash = 3 * (long + short)

    stood_for, whole = (
        only(analyze(TABLE, PortfolioBuilder(Portfolio("user", holdings, cash=cash)), risk_free_rate=0.03))
        for holdings in ((*plain, *missing), grown)
    )

    assert performance(stood_for).cumulative_return == pytest.approx(performance(whole).cumulative_return, rel=1e-9)
    assert risk(stood_for).annual_volatility == pytest.approx(risk(whole).annual_volatility, rel=1e-9)
    expected = (long + short) / (long * (1 + more_long) + short * (1 + more_short))
    assert quality(stood_for).coverage == pytest.approx(expected)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "NEW", "GONE"]), st.floats(1, 100) | st.floats(-20, -1), min_size=1, max_size=6
    ),
    st.floats(-1_000, 1e5),
    st.sampled_from([1e-6, 0.25, 7.0, 1e6]),
)
def test_the_scale_of_everything_owned_changes_no_ratio(
    quantities: dict[str, float], cash: float, factor: float
) -> None:
    plain, scaled = (
        only(
            analyze(
                TABLE,
                PortfolioBuilder(
                    Portfolio(
                        "user",
                        tuple(Holding(name, quantity * by, 100.0) for name, quantity in quantities.items()),
                        cash=cash * by,
                    )
                ),
                risk_free_rate=0.03,
            )
        )
        for by in (1, factor)
    )

    assert (plain.status, plain.reason, plain.reasons) == (scaled.status, scaled.reason, scaled.reasons)
    for own, other in zip(plain.checks, scaled.checks, strict=True):
        assert (own.rule, own.status) == (other.rule, other.status)
        assert other.value == (None if own.value is None else pytest.approx(own.value, rel=1e-6, abs=1e-9))


def test_one_share_in_two_spellings_is_one_holding_of_28_6_percent() -> None:
    # Row 19: the spellings are merged where the documents are read.
    holdings = [{"symbol": symbol, "quantity": 10, "avg_price": 90} for symbol in ("BRK.B", "BRK-B", *NAMES[:5])]
    owner = read_portfolio("u1", UserDocuments(holdings=holdings), symbol_reader(lambda text: text.replace("-", ".")))
    assert isinstance(owner, Portfolio)
    table = a_table({**WALKS, "BRK.B": ending_at_100(random_walk(DAYS, 59))}, BENCHMARK)

    report = only(analyze(table, PortfolioBuilder(owner)))

    largest = check(report, "largest_position")
    assert largest.status == "breach"
    assert largest.value == pytest.approx(2 / 7)
    assert check(report, "effective_holdings").value == pytest.approx(1 / (4 / 49 + 5 / 49))


def test_one_share_in_three_spellings_is_one_effective_holding() -> None:
    # Row 19.
    holdings = [{"symbol": f"BRK{separator}B", "quantity": 10, "avg_price": 90} for separator in ".-/"]
    owner = read_portfolio(
        "u1", UserDocuments(holdings=holdings), symbol_reader(lambda text: text[:3] + "." + text[4:])
    )
    assert isinstance(owner, Portfolio)
    table = a_table({"BRK.B": ending_at_100(random_walk(DAYS, 59))}, BENCHMARK)

    assert check(only(analyze(table, PortfolioBuilder(owner))), "effective_holdings").value == pytest.approx(1)
