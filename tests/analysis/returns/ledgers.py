"""Builders of ledgers, and of the prices and rates that value them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from analysis.currencies import Rates
from analysis.models import Account, Dates, Holding, LotMethod
from analysis.returns.entries import Person
from analysis.returns.gains import Gains
from analysis.returns.ledger import TURNS, TYPES, LedgerPrices, Market, Transaction, TransactionType
from analysis.returns.lots import OpenCosts, gains_of, open_cost

TODAY = date(2026, 11, 26)
WEEKDAYS: Dates = np.array(
    [day for day in np.arange("2019-12-30", "2026-11-26", dtype="datetime64[D]") if np.is_busday(day)]
)
"""The calendar: its last day, 25 November 2026, is the day before today."""


def day(text: str) -> date:
    return date.fromisoformat(text)


def entry(
    kind: TransactionType,
    on: str,
    symbol: str = "",
    quantity: float | None = None,
    **members: Any,  # noqa: ANN401 - members of the record
) -> Transaction:
    values: dict[str, Any] = {
        "type": kind, "date": day(on), "time": 0.0, "transaction_id": f"{kind} {on}", "account_id": "A",
        "symbol": symbol, "quantity": quantity, "price": None, "amount": None, "currency": "", "fee": 0.0, "tax": 0.0,
        "fx_rate": None, "lot_id": "", "to_symbol": "", "ratio": None, "to_amount": None, "to_currency": "",
        "to_account_id": "",
    }  # fmt: skip
    return Transaction(**(values | members))


def buy(on: str, quantity: float, price: float | None = None, symbol: str = "X", **members: Any) -> Transaction:  # noqa: ANN401
    return entry("buy", on, symbol, quantity, price=price, **members)


def sell(on: str, quantity: float, price: float | None = None, symbol: str = "X", **members: Any) -> Transaction:  # noqa: ANN401
    return entry("sell", on, symbol, quantity, price=price, **members)


def a_market(  # noqa: PLR0913 - everything of a market has a default
    closes: Mapping[str, float | Mapping[str, float]] | None = None,
    *,
    splits: Mapping[str, Sequence[tuple[date, float]]] | None = None,
    adjusted: Sequence[str] = (),
    payments: Mapping[str, Mapping[str, float]] | None = None,
    distributions: Mapping[str, Sequence[str]] | None = None,
    rates: Mapping[str, float | Mapping[str, float]] | None = None,
    currencies: Mapping[str, str] | None = None,
    multipliers: Mapping[str, float] | None = None,
) -> Market:
    """Return a market; closes and rates are constant, or change on the days that are given."""
    closes = closes or {}
    return Market(
        prices=LedgerPrices(
            dates=WEEKDAYS,
            columns={symbol: column for column, symbol in enumerate(closes)},
            close=np.array([_steps(close) for close in closes.values()]).reshape(len(closes), len(WEEKDAYS)),
            splits=splits or {},
            adjusted=frozenset(adjusted),
            payments={
                symbol: (np.array(list(paid), dtype="datetime64[D]"), np.array(list(paid.values())))
                for symbol, paid in (payments or {}).items()
            },
            distributions={symbol: frozenset(map(day, days)) for symbol, days in (distributions or {}).items()},
            benchmark_returns=np.zeros(len(WEEKDAYS)),
        ),
        rates=Rates({currency: (WEEKDAYS, _steps(rate)) for currency, rate in (rates or {}).items()}),
        currencies=currencies or {},
        multipliers=multipliers or {},
        benchmark_currency="USD",
        default_currency="USD",
    )


def _steps(values: float | Mapping[str, float]) -> Any:  # noqa: ANN401
    """Return a value for each day of the calendar, NaN before the first."""
    if isinstance(values, float | int):
        return np.full(len(WEEKDAYS), float(values))
    result = np.full(len(WEEKDAYS), np.nan)
    for since, value in values.items():
        result[np.datetime64(since) <= WEEKDAYS] = value
    return result


def booked(transactions: Sequence[Transaction]) -> list[Transaction]:
    """Return transactions in the order in which they are booked."""
    turn = dict(zip(TYPES, TURNS, strict=True))
    return sorted(transactions, key=lambda own: (own.date, turn[own.type], own.time, own.transaction_id))


def held(**quantities: float) -> list[Holding]:
    return [Holding(symbol, quantity, None) for symbol, quantity in quantities.items()]


def accounts(*names: str, currency: str = "USD") -> list[Account]:
    return [Account(name, 0.0, 0.0, currency) for name in names or ("A",)]


def a_person(
    *transactions: Transaction,
    holding: Mapping[str, float] | None = None,
    market: Market | None = None,
    own_accounts: Sequence[Account] | None = None,
    base: str = "USD",
    today: date = TODAY,
) -> Person:
    """Return a person with these transactions, by default with one account of dollars and nothing held."""
    own = accounts() if own_accounts is None else own_accounts
    return Person(booked(transactions), held(**(holding or {})), own, market or a_market(), base, today)


def gains(*transactions: Transaction, method: LotMethod = "fifo", **members: Any) -> Gains:  # noqa: ANN401
    return gains_of(a_person(*transactions, **members), method)


def costs(*transactions: Transaction, method: LotMethod = "fifo", **members: Any) -> OpenCosts:  # noqa: ANN401
    return open_cost(a_person(*transactions, **members), method)
