"""Ledgers that make no sense, which people have as well."""

from datetime import date, timedelta
from math import isfinite
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from analysis.models import Holding, LotMethod
from analysis.returns.entries import Person
from analysis.returns.income import income_of
from analysis.returns.ledger import TYPES, Transaction
from analysis.returns.lots import gains_of, open_cost
from tests.analysis.returns.ledgers import TODAY, a_market, accounts, booked, day, entry, held

MARKET = a_market(
    {"X": 10.0, "Y": {"2020-02-03": 5.0}}, rates={"USD": 1.1}, splits={"X": [(day("2020-02-10"), 3.0)]},
    payments={"X": {"2026-02-02": 0.2}},
)  # fmt: skip
SYMBOLS = st.sampled_from(["X", "Y", "Z"])


@st.composite
def ledgers(draw: st.DrawFn) -> list[Transaction]:
    on, transactions = date(2020, 1, 6), []
    for number in range(draw(st.integers(1, 12))):
        on += timedelta(days=draw(st.sampled_from([0, 1, 3, 40])))
        symbol, to_symbol = draw(SYMBOLS), draw(SYMBOLS)
        transactions.append(
            entry(
                draw(st.sampled_from(TYPES)), str(on), draw(st.sampled_from([symbol, symbol, symbol, ""])),
                draw(st.sampled_from([None, 0.0, 0.05, 1.0, 2.5, 10.0])),
                price=draw(st.sampled_from([None, 0.0, 3.3, 10.0])),
                amount=draw(st.sampled_from([None, 0.0, 50.0, -7.0])),
                account_id=draw(st.sampled_from(["", "A", "B"])), transaction_id=str(number),
                to_symbol="" if to_symbol == symbol else to_symbol, ratio=draw(st.sampled_from([None, 0.0, 0.5, 2.0])),
                to_account_id=draw(st.sampled_from(["", "A", "B"])),
                currency=draw(st.sampled_from(["", "EUR", "CHF"])), fx_rate=draw(st.sampled_from([None, 1.1])),
                lot_id=draw(st.sampled_from(["", "1", "2"])),
            )
        )  # fmt: skip
    return booked(transactions)


def numbers(value: Any) -> list[float]:  # noqa: ANN401 - a record, or a part of one
    if isinstance(value, dict | list | tuple):
        parts = value.values() if isinstance(value, dict) else value
        return [number for part in parts for number in numbers(part)]
    return [value] if isinstance(value, float) else []


def some_holdings() -> st.SearchStrategy[list[Holding]]:
    return st.dictionaries(SYMBOLS, st.sampled_from([10.0, -5.0, 3.3])).map(lambda quantities: held(**quantities))


@settings(max_examples=200, deadline=None)
@given(
    ledgers(), some_holdings(), st.sampled_from([[], ["A"], ["B", "A"]]),
    st.sampled_from(get_args(LotMethod.__value__)),
)  # fmt: skip
def test_figures_are_finite_and_lots_are_the_holdings_or_it_is_told(
    transactions: list[Transaction], holdings: list[Holding], names: list[str], method: LotMethod
) -> None:
    own_accounts = accounts(*names) if names else []
    person = Person(transactions, holdings, own_accounts, MARKET, "USD", TODAY)
    gains = gains_of(person, method)
    costs = open_cost(person, method)
    paid = any(own.type == "dividend" for own in transactions)
    income, _ = income_of(person, costs, has_dividends=paid)
    assert all(
        isfinite(number) for number in numbers([to_builtins(gains), to_builtins(costs), income and to_builtins(income)])
    )
    if {issue.kind for issue in gains.issues} & {"negative_position", "corporate_action_pending"}:
        return
    for holding in holdings:
        lots = [lot for lot in gains.unrealized if lot.symbol == holding.symbol]
        assert abs(sum(lot.quantity for lot in lots) - holding.quantity) < 1e-6
        total = sum(lot.cost for lot in lots if lot.cost is not None)
        cost = costs.costs[holding.symbol]
        assert (cost is None) == any(lot.cost is None for lot in lots)
        assert cost is None or abs(cost - total) < 1e-6
