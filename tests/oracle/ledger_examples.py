"""Small markets and ledgers, written by hand."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from analysis.currencies import Rates
from analysis.models import Account, Holding, ReturnPeriod
from analysis.returns.ledger import LedgerPrices, Market, Transaction, TransactionType
from tests.oracle.ledger_inputs import Person
from tests.oracle.ledger_returns import Result

FIRST = date(2024, 1, 1)


def daily(count: int, first: date = FIRST) -> list[date]:
    """Return so many days in a row."""
    return [first + timedelta(days=at) for at in range(count)]


def market_of(
    days: Sequence[date],
    closes: Mapping[str, Sequence[float]],
    *,
    splits: Mapping[str, Sequence[tuple[date, float]]] | None = None,
    rates: Mapping[str, Sequence[float]] | None = None,
    currencies: Mapping[str, str] | None = None,
    multipliers: Mapping[str, float] | None = None,
    benchmark: Sequence[float] | None = None,
) -> Market:
    """Return a market in dollars, with its closes and rates of each day, and the benchmark's returns."""
    dates = np.array(days, dtype="datetime64[D]")
    prices = LedgerPrices(
        dates,
        {symbol: row for row, symbol in enumerate(closes)},
        np.array([*closes.values()], dtype=np.float64).reshape(len(closes), len(days)),
        splits or {},
        frozenset(),
        {},
        {},
        np.array(benchmark if benchmark is not None else [0.0] * len(days)),
    )
    per_euro = {currency: (dates, np.array(values)) for currency, values in (rates or {}).items()}
    return Market(prices, Rates(per_euro), currencies or {}, multipliers or {}, "USD", "USD")


def booked(kind: TransactionType, day: date, symbol: str = "", **members: Any) -> Transaction:  # noqa: ANN401
    """Return a transaction; those of one day are in the order of their time."""
    defaults: dict[str, Any] = {
        "type": kind, "date": day, "time": 0.0, "transaction_id": f"{kind} {day} {symbol}", "account_id": "A",
        "symbol": symbol, "quantity": None, "price": None, "amount": None, "currency": "", "fee": 0.0, "tax": 0.0,
        "fx_rate": None, "lot_id": "", "to_symbol": "", "ratio": None, "to_amount": None, "to_currency": "",
        "to_account_id": "",
    }  # fmt: skip
    return Transaction(**(defaults | members))


def person_of(
    transactions: Sequence[Transaction],
    holdings: Mapping[str, float] | None = None,
    cash: float | None = 0.0,
    *,
    base: str = "USD",
    currency: str = "USD",
) -> Person:
    """Return a person with one account, or none without cash."""
    held = tuple(Holding(symbol, quantity, None) for symbol, quantity in (holdings or {}).items())
    accounts = () if cash is None else (Account("A", cash, 0.0, currency),)
    return Person(tuple(transactions), held, accounts, base)


def since(result: Result) -> ReturnPeriod:
    """Return the figures since the ledger began."""
    return next(period for period in result.returns.periods if period.period == "since")


def kinds(result: Result) -> set[str]:
    """Return the kinds of the issues."""
    return {issue.kind for issue in result.returns.issues}
