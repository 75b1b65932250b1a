"""Invariants of all reports, checked on generated pages of portfolios."""

from collections.abc import Callable
from copy import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import measures
from analysis.decisions import Adviser
from analysis.models import Holding, Portfolio, Report
from analysis.report import analyze_portfolios
from analysis.windows import BLOCK
from tests.builders import a_table, bars, members, random_walk, research_on, weekdays, without

DAYS = weekdays(300)
SYMBOLS = {
    **{f"S{i}": random_walk(DAYS, i, volatility=0.004 * (i + 1), first=10.0 * (i + 1)) for i in range(5)},
    "YOUNG": without(random_walk(DAYS, 6), slice(0, 120)),
    "SHORT": without(random_walk(DAYS, 7), slice(0, 260)),
    "STALE": without(random_walk(DAYS, 8), slice(280, 300)),
    "FLAT": bars(DAYS, 25.0),
}
TABLE = a_table(SYMBOLS, random_walk(DAYS, 99))
# Scores far from each other, so that orders are planned.
SCORES = {"S0": 0.8, "S1": -0.7, "S2": 0.1, "S3": -0.9, "S4": 0.5, "YOUNG": 0.65, "STALE": 0.75}
ADVISER = Adviser(
    {
        found.symbol: replace(found, score=SCORES.get(found.symbol, found.score))
        for found in research_on(SYMBOLS, random_walk(DAYS, 99))
    }
)

quantities = st.floats(0.01, 1e4) | st.floats(-1e3, -0.01)
portfolios = st.builds(
    Portfolio,
    user_id=st.uuids().map(str),
    holdings=st.dictionaries(st.sampled_from([*SYMBOLS, "NONE"]), quantities, max_size=6).map(
        lambda held: tuple(Holding(symbol, quantity, 50.0) for symbol, quantity in held.items())
    ),
    watchlist=st.sets(st.sampled_from([*SYMBOLS, "NONE"])).map(lambda watched: tuple(sorted(watched))),
    cash=st.floats(0, 1e6),
    buying_power=st.floats(-1e4, 1e6),
)
pages = st.lists(portfolios, min_size=1, max_size=6)
long_only = st.builds(
    Portfolio,
    user_id=st.just("user"),
    holdings=st.dictionaries(st.sampled_from(sorted(SYMBOLS)), st.floats(0.01, 1e4), min_size=1, max_size=6).map(
        lambda held: tuple(Holding(symbol, quantity, 50.0) for symbol, quantity in held.items())
    ),
    cash=st.floats(0, 1e6),
)
invariant: Callable[[Callable[..., None]], Callable[..., None]] = settings(deadline=None, max_examples=60)


def analyze(page: list[Portfolio]) -> list[Report]:
    return analyze_portfolios(page, TABLE, ADVISER, {}, "run", 0.01)


LABELS = ("symbol", "rule", "scenario")


def flat(record: object, name: str = "") -> dict[str, object]:
    """Return every figure of a report by its path, holdings by symbol."""
    if own := members(record):
        return {k: v for member, value in own.items() for k, v in flat(value, f"{name}.{member}").items()}
    if isinstance(record, tuple):
        labels = [str(next((getattr(entry, a) for a in LABELS if hasattr(entry, a)), entry)) for entry in record]
        return {
            k: v for label, entry in zip(labels, record, strict=True) for k, v in flat(entry, f"{name}.{label}").items()
        }
    return {name: record}


def assert_alike(report: Report, other: Report) -> None:
    """Check that both are equal except for rounding, which depends on the order of a sum."""
    figures, others = flat(report), flat(other)
    assert figures.keys() == others.keys()
    for name, figure in figures.items():
        if isinstance(figure, float):
            assert others[name] == pytest.approx(figure, rel=1e-6, abs=1e-9), name
        else:
            assert others[name] == figure, name


@invariant
@given(pages)
def test_no_figure_is_nan_or_infinite(page: list[Portfolio]) -> None:
    for report in analyze(page):
        numbers = [figure for figure in flat(report).values() if isinstance(figure, float)]
        assert np.isfinite(numbers).all()


@invariant
@given(pages, st.randoms(use_true_random=False))
def test_the_order_of_portfolios_changes_nothing(page: list[Portfolio], random: Random) -> None:
    order = list(range(len(page)))
    random.shuffle(order)

    shuffled = analyze([page[index] for index in order])

    reports = analyze(page)
    for position, index in enumerate(order):
        assert_alike(shuffled[position], reports[index])


@invariant
@given(portfolios, st.randoms(use_true_random=False))
def test_the_order_of_holdings_changes_nothing(portfolio: Portfolio, random: Random) -> None:
    holdings = list(portfolio.holdings)
    random.shuffle(holdings)

    (report,), (shuffled,) = analyze([portfolio]), analyze([replace(portfolio, holdings=tuple(holdings))])

    assert_alike(report, shuffled)


@invariant
@given(pages, st.integers(0, 6))
def test_splitting_a_page_changes_nothing(page: list[Portfolio], cut: int) -> None:
    for report, apart in zip(analyze(page), [*analyze(page[:cut]), *analyze(page[cut:])], strict=True):
        assert_alike(report, apart)


@invariant
@given(pages, portfolios)
def test_one_more_user_changes_no_other_report(page: list[Portfolio], newcomer: Portfolio) -> None:
    for report, beside in zip(analyze(page), analyze([*page, newcomer])[:-1], strict=True):
        assert_alike(report, beside)


@invariant
@given(long_only, st.sampled_from([1e-3, 0.5, 3.0, 1e6]))
def test_scaling_everything_owned_changes_no_ratio_and_no_decision(portfolio: Portfolio, factor: float) -> None:
    holdings = tuple(replace(holding, quantity=holding.quantity * factor) for holding in portfolio.holdings)

    (report,) = analyze([portfolio])
    (scaled,) = analyze([replace(portfolio, holdings=holdings, cash=portfolio.cash * factor)])

    for entry, before in zip(scaled.stress or (), report.stress or (), strict=True):
        assert entry.return_ == (before.return_ and pytest.approx(before.return_, rel=1e-6, abs=1e-9))
    assert [d.position_size_percent for d in scaled.decisions] == [d.position_size_percent for d in report.decisions]
    for name in ("performance", "risk", "diversification", "data_quality", "reason"):
        assert flat(getattr(scaled, name)) == {
            key: pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value
            for key, value in flat(getattr(report, name)).items()
        }


@invariant
@given(pages)
def test_order_plans_spend_no_more_than_is_available_and_sell_no_more_than_is_held(page: list[Portfolio]) -> None:
    for portfolio, report in zip(page, analyze(page), strict=True):
        if report.order_plan is None:
            assert report.status == "skipped"
            continue
        held = {holding.symbol: holding.quantity for holding in portfolio.holdings}
        plan = report.order_plan
        covers = sum(
            order.estimated_cost for order in plan.orders if order.side == "BUY" and held.get(order.symbol, 0) < 0
        )
        # Covers are paid from cash and sales, and before anything else is bought.
        assert covers <= max(portfolio.cash + plan.total_sell_proceeds, 0) * (1 + 1e-12)
        assert plan.total_buy_cost - covers <= plan.available_buying_power * (1 + 1e-12) + 1e-9
        for order in plan.orders:
            if order.side == "SELL":
                assert 0 <= order.shares <= held[order.symbol]
            elif held.get(order.symbol, 0) < 0:
                assert 0 <= order.shares <= -held[order.symbol]


@invariant
@given(pages)
def test_everything_held_or_watched_is_decided_once(page: list[Portfolio]) -> None:
    for portfolio, report in zip(page, analyze(page), strict=True):
        known = {holding.symbol for holding in portfolio.holdings} | set(portfolio.watchlist)
        decided = [decision.symbol for decision in report.decisions]
        assert sorted(decided) == (sorted(known) if report.status == "analyzed" else [])


@invariant
@given(pages)
def test_risk_contributions_sum_to_one_wherever_there_are_any(page: list[Portfolio]) -> None:
    for report in analyze(page):
        contributions = [h.risk_contribution for h in report.holdings if h.risk_contribution is not None]
        assert not contributions or sum(contributions) == pytest.approx(1, abs=1e-6)


@invariant
@given(pages)
def test_drawdowns_lie_between_total_loss_and_none(page: list[Portfolio]) -> None:
    for report in analyze(page):
        if report.risk and report.risk.max_drawdown is not None:
            assert report.risk.current_drawdown is not None
            assert -1 <= report.risk.max_drawdown <= report.risk.current_drawdown <= 0


@invariant
@given(long_only)
def test_long_only_portfolios_diversify_and_weigh_no_more_than_everything(portfolio: Portfolio) -> None:
    (report,) = analyze([portfolio])

    weights = [holding.weight for holding in report.holdings if holding.weight is not None]
    assert report.valuation is not None
    total = report.valuation.market_value + portfolio.cash
    assert sum(weights) == pytest.approx(1 - portfolio.cash / total, abs=1e-9)
    assert report.diversification is not None
    ratio = report.diversification.diversification_ratio
    assert ratio is None or ratio >= 1 - 1e-9


def test_a_page_of_more_than_one_block_gives_what_its_portfolios_give_alone() -> None:
    generator = np.random.default_rng(1)
    page = [
        Portfolio(f"user-{i}", tuple(Holding(s, float(generator.uniform(1, 50)), 10.0) for s in SYMBOLS), cash=100.0)
        for i in range(BLOCK + 2)
    ]

    reports = analyze(page)

    for index in (0, BLOCK - 1, BLOCK, BLOCK + 1):
        assert_alike(reports[index], analyze([page[index]])[0])


@given(st.lists(st.floats(-0.999, 5), min_size=2, max_size=80))
def test_tails_are_ordered(returns: list[float]) -> None:
    column = np.array(returns)[:, None]
    worst = measures.worst_returns(column)

    var_95, var_99 = (measures.value_at_risk(worst, len(column), tail)[0] for tail in (0.05, 0.01))
    cvar_95, cvar_99 = (measures.conditional_value_at_risk(worst, len(column), tail)[0] for tail in (0.05, 0.01))

    assert column.min() <= var_99 + 1e-12
    assert var_99 <= var_95 + 1e-12
    assert cvar_99 <= cvar_95 + 1e-12
    assert cvar_95 <= var_95 + 1e-12
    assert var_95 == pytest.approx(np.percentile(column, 5), rel=1e-9, abs=1e-12)
