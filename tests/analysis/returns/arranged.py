"""Builders of ledgers, their prices and rates, for the tests of what a person really earned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pytest

from analysis.currencies import Rates
from analysis.models import Account, Contribution, Dates, Floats, Holding, Portfolio, ReturnPeriod, Returns
from analysis.returns.ledger import TURNS, TYPES, LedgerPrices, Ledgers, Market, Transactions
from analysis.returns.measuring import measure_returns
from analysis.returns.outcomes import LedgerReturns
from analysis.returns.stock_splits import pending_splits

NUMBERS = ("quantity", "price", "amount", "fx_rate", "ratio", "to_amount")
COSTS = ("fee", "tax", "time")
TEXTS = ("account_id", "symbol", "currency", "lot_id", "to_symbol", "to_currency", "to_account_id")


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def about(value: Any, abs: float | None = None) -> Any:  # noqa: A002, ANN401 - as pytest's, for tuples of any kind
    return pytest.approx(value, abs=abs)


def weekdays(start: str, count: int) -> Dates:
    return np.busday_offset(start, np.arange(count), roll="forward").astype("datetime64[D]")


def transactions(entries: Sequence[Mapping[str, Any]]) -> Transactions:
    """Return the columns of some entries, each with ``owner``, ``type`` and ``date``, in the order of booking."""
    numbered = [{"transaction_id": f"t{number}", "time": 0.0, **entry} for number, entry in enumerate(entries)]
    ordered = sorted(
        numbered,
        key=lambda e: (e["owner"], day(e["date"]), TURNS[TYPES.index(e["type"])], e["time"], e["transaction_id"]),
    )
    columns: dict[str, Any] = {
        name: np.array([e.get(name, np.nan) for e in ordered], dtype=np.float64) for name in NUMBERS
    }
    columns |= {name: np.array([e.get(name, 0.0) for e in ordered], dtype=np.float64) for name in COSTS}
    columns |= {name: np.array([e.get(name, "") for e in ordered], dtype=np.object_) for name in TEXTS}
    return Transactions(
        owner=np.array([e["owner"] for e in ordered], dtype=np.int64),
        type=np.array([TYPES.index(e["type"]) for e in ordered], dtype=np.int64),
        date=np.array([e["date"] for e in ordered], dtype="datetime64[D]"),
        transaction_id=np.array([e["transaction_id"] for e in ordered], dtype=np.object_),
        **columns,
    )


@dataclass
class Person:
    """A person's ledger, holdings and accounts; a chain of calls describes it."""

    base: str = "USD"
    entries: list[dict[str, Any]] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)

    def did(self, type: str, date: str, **facts: Any) -> "Person":  # noqa: A002, ANN401 - the fields of the backend
        self.entries.append({"type": type, "date": date, **facts})
        return self

    def holds(self, symbol: str, quantity: float) -> "Person":
        self.holdings.append(Holding(symbol, quantity, 1.0))
        return self

    def has(self, cash: float, currency: str = "", account_id: str = "main") -> "Person":
        self.accounts.append(Account(account_id, cash, cash, currency or self.base))
        return self


def a_person(base: str = "USD") -> Person:
    return Person(base)


@dataclass
class World:
    """Prices of symbols on a calendar, and rates; a chain of calls describes it."""

    days: Dates
    closes: dict[str, Floats] = field(default_factory=dict)
    currencies: dict[str, str] = field(default_factory=dict)
    multipliers: dict[str, float] = field(default_factory=dict)
    splits: dict[str, list[tuple[date, float]]] = field(default_factory=dict)
    adjusted: frozenset[str] = frozenset()
    rates: dict[str, tuple[Dates, Floats]] = field(default_factory=dict)
    benchmark: Floats | None = None
    later: dict[str, tuple[Dates, Floats]] = field(default_factory=dict)

    def prices(self, symbol: str, *closes: float, currency: str = "", multiplier: float = 1.0) -> "World":
        """Set the closes of a symbol; the last one counts for all days that follow."""
        filled = np.append(closes, np.full(len(self.days) - len(closes), closes[-1])).astype(np.float64)
        self.closes[symbol] = filled
        if currency:
            self.currencies[symbol] = currency
        if multiplier != 1:
            self.multipliers[symbol] = multiplier
        return self

    def splitting(self, symbol: str, when: str, ratio: float) -> "World":
        self.splits.setdefault(symbol, []).append((date.fromisoformat(when), ratio))
        return self

    def then(self, symbol: str, closes: Mapping[str, float]) -> "World":
        """Set the closes of a symbol on days after the calendar."""
        self.later[symbol] = np.array(list(closes), dtype="datetime64[D]"), np.array(list(closes.values()))
        return self

    def per_euro(self, currency: str, *rates: float) -> "World":
        self.rates[currency] = (self.days, np.append(rates, np.full(len(self.days) - len(rates), rates[-1])))
        return self

    def benchmark_returns(self, *returns: float) -> "World":
        self.benchmark = np.append(returns, np.zeros(len(self.days) - len(returns)))
        return self

    def market(self) -> Market:
        closes = list(self.closes.values())
        prices = LedgerPrices(
            dates=self.days,
            columns={symbol: row for row, symbol in enumerate(self.closes)},
            close=np.stack(closes) if closes else np.empty((0, len(self.days))),
            splits=self.splits,
            adjusted=self.adjusted,
            payments={},
            distributions={},
            benchmark_returns=np.zeros(len(self.days)) if self.benchmark is None else self.benchmark,
            later=self.later,
        )
        return Market(prices, Rates(self.rates), self.currencies, self.multipliers, "USD", "USD")


def a_world(*days: str) -> World:
    return World(np.array(days, dtype="datetime64[D]"))


def weeks(count: int, start: str = "2024-01-01") -> World:
    return World(weekdays(start, 5 * count))


def ledgers_of(persons: Sequence[Person], unsound: Mapping[int, str] | None = None) -> Ledgers:
    entries = [{"owner": owner, **entry} for owner, person in enumerate(persons) for entry in person.entries]
    days = np.array([(unsound or {}).get(owner, "NaT") for owner in range(len(persons))], dtype="datetime64[D]")
    return Ledgers(transactions(entries), [()] * len(persons), days)


def portfolios_of(persons: Sequence[Person]) -> list[Portfolio]:
    return [
        Portfolio(f"user-{number}", tuple(person.holdings), cash=sum(own.cash for own in person.accounts))
        for number, person in enumerate(persons)
    ]


def measured(
    persons: Sequence[Person], world: World, today: str = "", unsound: Mapping[int, str] | None = None
) -> list[LedgerReturns]:
    """Return the outcomes, with the holdings multiplied by splits that are pending, as the caller does it."""
    portfolios, ledgers, market = portfolios_of(persons), ledgers_of(persons, unsound), world.market()
    now = date.fromisoformat(today) if today else world.days[-1].item()
    pending = pending_splits(portfolios, ledgers, market, now)
    portfolios = [
        Portfolio(
            own.user_id,
            tuple(
                Holding(held.symbol, held.quantity * pending.get((number, held.symbol), 1.0), held.avg_price)
                for held in own.holdings
            ),
            cash=own.cash,
        )
        for number, own in enumerate(portfolios)
    ]
    bases = [person.base for person in persons]
    accounts = [tuple(person.accounts) for person in persons]
    return measure_returns(portfolios, bases, accounts, ledgers, market, now, pending)


def outcome(person: Person, world: World, today: str = "", unsound: str = "") -> LedgerReturns:
    return measured([person], world, today, {0: unsound} if unsound else None)[0]


def returns(person: Person, world: World, today: str = "", unsound: str = "") -> Returns:
    found = outcome(person, world, today, unsound).returns
    assert found is not None
    return found


def since(person: Person, world: World, today: str = "") -> ReturnPeriod:
    return period(returns(person, world, today), "since")


def period(found: Returns, name: str) -> ReturnPeriod:
    return next(own for own in found.periods if own.period == name)


def contributed(found: Returns, name: str = "since") -> dict[str | None, Contribution]:
    return {own.symbol: own for own in found.contributions if own.period == name}


def issues(found: Returns) -> list[str]:
    return [issue.kind for issue in found.issues]
