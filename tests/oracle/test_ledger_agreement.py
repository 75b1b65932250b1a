"""The engine of returns agrees with the slow implementation on random ledgers: ``LEDGERS=10000`` compares so many."""

import os
from copy import replace

import numpy as np
import pytest

from analysis.models import Holding, Portfolio
from analysis.returns.ledger import Ledgers
from analysis.returns.measuring import measure_returns
from analysis.returns.outcomes import LedgerReturns
from analysis.returns.stock_splits import pending_splits
from tests.oracle import ledger_cases as cases
from tests.oracle.ledger_cases import Case
from tests.oracle.ledger_differences import differences
from tests.oracle.ledger_returns import returns_of

LEDGERS, PARTS = int(os.environ.get("LEDGERS", "120")), 4


def measured(case: Case) -> LedgerReturns:
    person = case.person
    unsound = np.array([person.unsound or "NaT"], dtype="datetime64[D]")
    ledgers = Ledgers(cases.columns([person.transactions]), [tuple(person.found)], unsound)
    portfolio = Portfolio("user", tuple(person.holdings), accounts=tuple(person.accounts))
    pending = pending_splits([portfolio], ledgers, case.market, case.today)
    holdings = (
        Holding(own.symbol, own.quantity * pending.get((0, own.symbol), 1.0), own.avg_price)
        for own in portfolio.holdings
    )
    owned, accounts = replace(portfolio, holdings=tuple(holdings)), tuple(person.accounts)
    (found,) = measure_returns([owned], [person.base], [accounts], ledgers, case.market, case.today, pending)
    return found


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", ["sound", "wild"])
def test_random_ledgers_have_the_returns_that_the_definitions_give(kind: str, part: int) -> None:
    compared = 0
    for seed in range(part, LEDGERS // 2, PARTS):
        case: Case = getattr(cases, kind)(seed)
        found, expected = measured(case), returns_of(case.person, case.market, case.today)
        if found.reason == "no_transactions":
            assert not any(own.date <= case.today for own in case.person.transactions), (kind, seed)
            continue
        if expected.incomplete:
            assert found.returns is None, (kind, seed)
            continue
        assert found.returns is not None, (kind, seed)
        assert differences(found.returns, expected) == [], (kind, seed)
        compared += 1
    assert compared > LEDGERS // 2 // PARTS // 2
