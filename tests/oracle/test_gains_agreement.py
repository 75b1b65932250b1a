"""Lots, gains and income agree with the slow implementation on random ledgers: ``LEDGERS=10000`` compares so many."""

import os
from typing import get_args

import numpy as np
import pytest

from analysis.currencies import BaseCurrency, Currencies
from analysis.earnings import after_splits, earn
from analysis.models import Income, LotMethod, Portfolio
from analysis.returns.entries import Person
from analysis.returns.gains import gains_of_year
from analysis.returns.ledger import Ledgers
from analysis.returns.lots import gains_of
from tests.oracle import ledger_cases as cases
from tests.oracle.ledger_cases import Case
from tests.oracle.ledger_gain_differences import differences_of_gains, differences_of_income
from tests.oracle.ledger_gains import Gains, totals
from tests.oracle.ledger_income import income_of as income_by_oracle
from tests.oracle.ledger_lots import gains_of as gains_by_oracle

LEDGERS, PARTS = int(os.environ.get("LEDGERS", "120")), 4
METHODS: tuple[LotMethod, ...] = get_args(LotMethod.__value__)


def ledgers_of(case: Case) -> Ledgers:
    unsound = np.array([case.person.unsound or "NaT"], dtype="datetime64[D]")
    return Ledgers(cases.columns([case.person.transactions]), [tuple(case.person.found)], unsound)


def portfolio_of(case: Case) -> Portfolio:
    own = case.person
    return Portfolio("user", tuple(own.holdings), accounts=tuple(own.accounts), lot_method=own.lot_method)


def person_of(case: Case, portfolio: Portfolio) -> Person:
    transactions = list(ledgers_of(case).transactions.of(0))
    return Person(transactions, portfolio.holdings, portfolio.accounts, case.market, case.person.base, case.today)


def income_of(case: Case) -> tuple[Income | None, str | None]:
    market, base = case.market, case.person.base
    currencies = Currencies(market.default_currency, market.benchmark_currency, market.currencies, market.rates)
    base_currency = BaseCurrency(base, currencies, market.prices.as_of.item())
    _, (earned,) = earn([portfolio_of(case)], ledgers_of(case), market, base_currency, case.today)
    return earned.income, earned.reasons.get("income")


def of_year(gains: Gains, year: int) -> Gains:
    realized = tuple(row for row in gains.realized if row.closed and row.closed.year == year)
    return Gains(realized, totals(realized), gains.unrealized, gains.issues)


def gross_of(case: Case) -> float:
    """Return the largest value of the shares and the cash on any day, as the writer of the ledger knows them."""
    return max(abs(shares or 0) + abs(cash) for shares, cash in case.values.values()) or 1.0


def differences(case: Case) -> list[str]:
    portfolio, gross = portfolio_of(case), gross_of(case)
    person = person_of(case, portfolio)
    (split_portfolio,), _ = after_splits([portfolio], ledgers_of(case), case.market, case.today)
    found = []
    for method in METHODS:
        ours, theirs = gains_of(person, method), gains_by_oracle(case.person, case.market, case.today, method)
        parts = differences_of_gains(ours, theirs, gross)
        years = {row.closed.year for row in ours.realized}
        for year in sorted(years) if not parts else ():
            parts += differences_of_gains(gains_of_year(ours, year), of_year(theirs, year), gross)
        after = gains_of(person_of(case, split_portfolio), method)
        if (after.realized, after.unrealized) != (ours.realized, ours.unrealized):
            parts.append("pending splits: other lots for a portfolio that they were applied to")
        found += [f"{method}: {part}" for part in parts]
    income, reason = income_of(case)
    expected = income_by_oracle(case.person, case.market, case.today)
    found += differences_of_income(income, expected, gross)
    if (income is None) != (reason == "prices_without_dividends"):
        found.append(f"income: reason {reason}")
    return found


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", ["sound", "wild"])
def test_random_ledgers_have_the_gains_and_the_income_that_the_definitions_give(kind: str, part: int) -> None:
    compared = 0
    for seed in range(part, LEDGERS // 2, PARTS):
        case: Case = getattr(cases, kind)(seed)
        if any(own.date <= case.today for own in case.person.transactions):
            assert differences(case) == [], (kind, seed)
            compared += 1
    assert compared > LEDGERS // 2 // PARTS // 2
