"""The worked example of what a person really earned, recomputed from its page, and what the page names."""

import re
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from analysis.currencies import BaseCurrency, Currencies
from analysis.earnings import Earned, earn
from analysis.models import (
    Contribution,
    Income,
    LotMethod,
    MonthlyIncome,
    PeriodName,
    Portfolio,
    ReturnPeriod,
    Returns,
    ReturnsIssue,
    ReturnsIssueKind,
    SymbolIncome,
)
from analysis.returns import entries
from analysis.returns.gains import GainTotal, GainTotals, RealizedGain, UnrealizedLot
from analysis.returns.ledger import TYPES
from analysis.returns.lots import gains_of
from functions.http.answers import Week
from functions.http.routes import api
from records import AuditedAction
from tests.analysis.pages import Page
from tests.analysis.returns.arranged import (
    Person,
    World,
    a_person,
    a_world,
    about,
    contributed,
    issues,
    ledgers_of,
    outcome,
    period,
    returns,
)

PAGE = Page("returns.md")
PRICES = PAGE.table("day", "ALPHA", "GAMMA", "dollars for a euro")
LEDGER = PAGE.table("date", "type", "symbol")
DAYS = PAGE.table("day", "ALPHA in dollars")
DISCOUNTED = PAGE.table("flow", "days since 2024-01-08")
RECORDS = (
    Returns, ReturnPeriod, Contribution, ReturnsIssue, Income, MonthlyIncome, SymbolIncome, RealizedGain, UnrealizedLot,
    GainTotals, GainTotal,
)  # fmt: skip
# Beside those of periods, which are read from the code.
REASONS = ("no_transactions", "incomplete_valuation", "earlier_version", "prices_without_dividends")
ROUNDED = 5e-7


def a_market() -> World:
    days, alpha, gamma, dollars, benchmark = zip(*PRICES, strict=True)
    values = list(map(float, benchmark))
    world = a_world(*days).prices("ALPHA", *map(float, alpha)).prices("GAMMA", *map(float, gamma), currency="EUR")
    moves = (value / before - 1 for before, value in pairwise(values))
    return world.per_euro("USD", *map(float, dollars)).benchmark_returns(0.0, *moves)


def the_person(without: str = "") -> Person:
    """Return the person of the example, with what the last rows of the tables leave."""
    names = ("quantity", "price", "amount", "fee", "tax")
    person, shares = a_person(), {"ALPHA": 0.0, "GAMMA": 0.0}
    for when, kind, symbol, *numbers, _ in LEDGER:
        facts = {name: float(number) for name, number in zip(names, numbers, strict=True) if number}
        if kind in {"buy", "sell"}:
            shares[symbol] += facts["quantity"] * (1 if kind == "buy" else -1)
        if kind != without:
            person.did(kind, when, symbol=symbol, **facts)
    for symbol, quantity in shares.items():
        person.holds(symbol, quantity)
    return person.has(float(LEDGER[-1][-1]))


def the_earnings() -> Earned:
    market, as_of = a_market().market(), date.fromisoformat(PRICES[-1][0])
    base = BaseCurrency("USD", Currencies("USD", "USD", market.currencies, market.rates), as_of)
    person = the_person()
    portfolio = Portfolio("user", tuple(person.holdings), accounts=tuple(person.accounts))
    _, (found,) = earn([portfolio], ledgers_of([person]), market, base, as_of)
    return found


def test_the_returns_of_the_worked_example_are_what_the_code_computes() -> None:
    found = the_earnings().returns
    assert found is not None
    since, parts = period(found, "since"), contributed(found)
    written = PAGE.results("by hand")
    others = {
        "current_drawdown": found.current_drawdown,
        "contribution of ALPHA": parts["ALPHA"].contribution,
        "contribution of GAMMA": parts["GAMMA"].contribution,
        "share of ALPHA": parts["ALPHA"].share,
    }
    figures = {name: getattr(since, name) for name in written if name not in others}
    assert written == about(figures | others, abs=ROUNDED)
    assert (found.basis, found.issues, found.since) == ("account", (), date(2024, 1, 9))
    assert (since.start, since.end) == (date(2024, 1, 8), date(2024, 1, 16))
    assert (since.twr_annualized, since.annual_volatility, since.reason) == (None, None, None)


def test_the_results_on_the_page_add_up() -> None:
    written = PAGE.results("by hand")
    gained = written["price_gain"] + written["income"] + written["fx_gain"] + written["residual"]
    costs = written["fees"] + written["taxes"]
    assert written["end_value"] == about(written["start_value"] + written["net_flows"] + gained - costs)
    parts = written["contribution of ALPHA"] + written["contribution of GAMMA"]
    assert parts == about(written["dietz"], abs=2 * ROUNDED)


def test_the_days_of_the_worked_example_are_what_the_code_computes() -> None:
    daily = outcome(the_person(), a_market()).daily
    assert daily is not None
    numbers = [list(map(float, row[1:])) for row in DAYS]
    assert [row[0] for row in DAYS] == [str(day) for day in daily.days[1:]]
    assert [row[3] for row in numbers] == about(daily.value[1:].tolist())
    assert [row[4] for row in numbers] == about(daily.flow[1:].tolist())
    assert [row[6] for row in numbers] == about(daily.twr_index[1:].tolist(), abs=ROUNDED)
    assert [row[5] for row in numbers] == about((daily.twr_index[1:] / daily.twr_index[:-1] - 1).tolist(), abs=ROUNDED)
    assert [sum(row[:3]) for row in numbers] == about([row[3] for row in numbers])
    # The ledger has one balance a row, the days have that of the last one.
    balances = {row[0]: float(row[-1]) for row in LEDGER}
    assert {row[0]: float(row[3]) for row in DAYS if row[0] in balances} == balances


def test_the_discounted_flows_of_the_worked_example_cancel_out() -> None:
    rate = period(returns(the_person(), a_market()), "since").mwr
    assert rate is not None
    flows, days, discounted = zip(*(map(float, row) for row in DISCOUNTED), strict=True)
    assert discounted == about(
        tuple(flow * (1 + rate) ** (-day / 8) for flow, day in zip(flows, days, strict=True)), abs=5e-5
    )
    assert sum(discounted) == about(0, abs=2e-4)


def test_the_lots_and_the_income_of_the_worked_example_are_what_the_code_computes() -> None:
    person, market, as_of = the_person(), a_market().market(), date.fromisoformat(PRICES[-1][0])
    booked = list(ledgers_of([person]).transactions.of(0))
    gains = gains_of(entries.Person(booked, person.holdings, person.accounts, market, "USD", as_of), "fifo")
    (sold,), lots = gains.realized, {lot.symbol: lot for lot in gains.unrealized}
    income = the_earnings().income
    assert income is not None
    (of_alpha,) = income.by_symbol
    assert PAGE.results("of lots and income, by hand") == about(
        {
            **{f"{name} of 4 ALPHA": getattr(sold, name) for name in ("proceeds", "cost", "gain", "days")},
            "unrealized gain of 6 ALPHA": lots["ALPHA"].gain,
            "unrealized gain of 10 GAMMA": lots["GAMMA"].gain,
            "trailing_12m": income.trailing_12m,
            "yield_on_value of ALPHA": of_alpha.yield_on_value,
            "yield_on_cost of ALPHA": of_alpha.yield_on_cost,
            "yield_on_value": income.yield_on_value,
            "yield_on_cost": income.yield_on_cost,
            "next_12m": income.next_12m,
        },
        abs=ROUNDED,
    )
    assert (sold.term, sold.wash_sale, sold.quantity) == ("short", False, 4)
    assert income.basis == "transactions"


def test_the_example_of_a_ledger_that_begins_late_is_what_the_code_computes() -> None:
    found = returns(the_person(without="deposit"), a_market())
    written = PAGE.results("without the deposit, by hand")
    assert written == about({name: getattr(period(found, "since"), name) for name in written}, abs=ROUNDED)
    assert issues(found) == ["opening_position"]


def test_every_member_of_the_records_is_explained() -> None:
    named = {name for record in RECORDS for name in record.__struct_fields__} | set(Week.__struct_fields__)
    unexplained = {name for name in named if not PAGE.explains(name)}
    assert unexplained == set()


@pytest.mark.parametrize("names", [TYPES, get_args(PeriodName.__value__), get_args(LotMethod.__value__)])
def test_every_type_period_and_method_is_explained(names: tuple[str, ...]) -> None:
    assert [name for name in names if not PAGE.explains(name)] == []


def test_every_kind_of_issue_is_explained_and_no_other() -> None:
    written = [row[0].strip("`") for row in PAGE.table("`kind`", "meaning")]
    assert sorted(written) == sorted(get_args(ReturnsIssueKind.__value__))


def test_every_reason_is_explained_and_no_other() -> None:
    written = {row[1].strip("`") for row in PAGE.table("`reason` of", "value")} - {"the report's own `reason"}
    code = (Path(__file__).parents[3] / "analysis" / "returns" / "outcomes.py").read_text()
    of_periods = set(re.findall(r'reasons\[.*\] = "(\w+)"', code))
    assert len(of_periods) == 5
    assert written == of_periods | set(REASONS)


def test_every_route_is_explained_with_a_call_of_it() -> None:
    calls = re.findall(r'^curl \S+ "\$BASE/(\w+)', PAGE.text, re.MULTILINE)
    routes = {route.path.rpartition("/")[2] for route in api.routes if "/portfolios/{user_id}/" in route.path}
    assert set(calls) == routes - {"series", "earlier"}
    actions = {f"read_{name}" for name in calls}
    assert actions <= set(get_args(AuditedAction.__value__))
    assert [action for action in actions if not PAGE.explains(action)] == []
