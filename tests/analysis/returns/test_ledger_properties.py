"""Random ledgers: their parts add up, and their values are those of a plain forward calculation."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.currencies import Rates
from analysis.models import Returns
from analysis.returns.periods import FIGURES
from tests.analysis.returns.arranged import Person, World, a_person, issues, measured, outcome, weeks

SYMBOLS = {"A": "USD", "B": "EUR", "C": "GBX", "D": "USD"}
RATES = {"main": "USD", "euros": "EUR"}


def a_market(random: np.random.Generator) -> World:
    world = weeks(60, "2023-01-02")
    size = len(world.days)
    for symbol, currency in SYMBOLS.items():
        closes = (3_000 if currency == "GBX" else 50) * np.exp(random.normal(0, 0.02, size).cumsum())
        world.prices(symbol, *closes, currency=currency, multiplier=10 if symbol == "D" else 1)
    for currency in ("USD", "GBP"):
        world.per_euro(currency, *np.exp(random.normal(0, 0.005, size).cumsum()))
    return world.benchmark_returns(0, *random.normal(0, 0.01, size - 1))


def rate(world: World, currency: str, day: int) -> float:
    return float(Rates(world.rates).between(currency, "USD", world.days[day : day + 1])[0])


class Forward:
    """A ledger as it grows, booked by the words of RETURNS.md, one transaction after the other."""

    def __init__(self, world: World, random: np.random.Generator) -> None:
        self.world, self.random = world, random
        self.person: Person = a_person()
        self.shares: dict[str, float] = defaultdict(float)
        self.cash: dict[str, float] = dict.fromkeys(RATES, 0.0)
        self.moved: dict[str, float] = defaultdict(float)

    def value(self, day: int) -> float:
        securities = sum(
            held * self.price(symbol, day) * (10 if symbol == "D" else 1) * rate(self.world, SYMBOLS[symbol], day)
            for symbol, held in self.shares.items()
        )
        return securities + sum(cash * rate(self.world, RATES[name], day) for name, cash in self.cash.items())

    def price(self, symbol: str, day: int) -> float:
        return float(self.world.closes[symbol][day])

    def pay(self, account: str, currency: str, amount: float, day: int, fx_rate: float | None) -> None:
        cross = rate(self.world, currency, day) / rate(self.world, RATES[account], day)
        self.cash[account] += amount * (cross if fx_rate is None else fx_rate)

    def book(self, kind: str, day: int) -> None:
        random, symbol = self.random, str(self.random.choice(list(SYMBOLS)))
        account, currency = str(random.choice(list(RATES))), SYMBOLS[symbol]
        facts: dict[str, Any] = {"account_id": account}
        fee, tax = (round(float(random.uniform(0, 3)), 2) for _ in range(2))
        quantity = round(float(random.uniform(1, 20)), 3)
        multiplier = 10 if symbol == "D" else 1
        fx_rate = None
        if kind in ("buy", "sell", "dividend"):
            price = self.price(symbol, day) * float(random.uniform(0.98, 1.02)) * (0.01 if kind == "dividend" else 1)
            sign = -1 if kind == "buy" else 1
            amount = sign * quantity * price * multiplier - fee - tax
            if random.random() < 0.3 and currency != RATES[account]:
                cross = rate(self.world, currency, day) / rate(self.world, RATES[account], day)
                fx_rate = facts["fx_rate"] = cross * float(random.uniform(0.99, 1.01))
            facts |= {"symbol": symbol, "quantity": quantity, "price": price, "fee": fee, "tax": tax}
            if random.random() < 0.5:
                facts["amount"] = amount
            self.pay(account, currency, amount, day, fx_rate)
            self.shares[symbol] += {"buy": quantity, "sell": -quantity}.get(kind, 0.0)
        elif kind in ("transfer_in", "transfer_out"):
            facts |= {"symbol": symbol, "quantity": quantity}
            self.shares[symbol] += quantity if kind == "transfer_in" else -quantity
        elif kind == "exchange":
            other = "euros" if account == "main" else "main"
            facts |= {"amount": quantity, "to_amount": quantity * 1.05, "to_currency": RATES[other]}
            self.cash[account] -= quantity
            self.cash[other] += quantity * 1.05
        else:
            sign = 1 if kind in ("deposit", "interest") else -1
            amount = quantity * (100 if kind == "deposit" else 1)
            facts["amount"] = amount
            self.cash[account] += sign * amount
        self.person.did(kind, str(self.world.days[day]), **facts)


KINDS = (
    "buy",
    "sell",
    "dividend",
    "transfer_in",
    "transfer_out",
    "exchange",
    "deposit",
    "withdrawal",
    "interest",
    "fee",
)


def a_ledger(world: World, seed: int, entries: int) -> tuple[Person, dict[int, float]]:
    """Return a person and the value of each day of their ledger."""
    random = np.random.default_rng(seed)
    forward = Forward(world, random)
    values = {}
    days = np.sort(random.integers(2, len(world.days), entries)).tolist()
    for day in range(1, len(world.days)):
        if day == 1:
            for _ in range(3):
                forward.book("deposit", 1)
        for _ in range(days.count(day)):
            forward.book(str(random.choice(KINDS)), day)
        values[day] = forward.value(day)
    for symbol, quantity in forward.shares.items():
        if quantity:
            forward.person.holds(symbol, quantity)
    for name, cash in forward.cash.items():
        forward.person.has(cash, RATES[name], name)
    return forward.person, values


def check_that_parts_add_up(found: Returns, gross: float) -> None:
    for own in found.periods:
        if own.start_value is None:
            continue
        parts = (own.net_flows, own.price_gain, own.income, own.fx_gain, own.residual)
        costs = (own.fees, own.taxes)
        whole = own.start_value + sum(part or 0 for part in parts) - sum(cost or 0 for cost in costs)
        assert own.end_value == pytest.approx(whole, abs=1e-9 * gross)
        brought = [each for each in found.contributions if each.period == own.period]
        if brought and own.dietz is not None:
            assert sum(each.contribution or 0 for each in brought) == pytest.approx(own.dietz, abs=1e-9)
            if brought[0].share is not None:  # without a gain there is nothing to share
                assert sum(each.share or 0 for each in brought) == pytest.approx(1, abs=1e-6)


MARKET = a_market(np.random.default_rng(7))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_parts_of_any_ledger_add_up_and_its_values_are_those_of_a_forward_calculation(seed: int, entries: int) -> None:
    person, values = a_ledger(MARKET, seed, entries)
    found = outcome(person, MARKET)
    assert found.returns is not None
    assert found.returns.basis == "account"
    gross = max(map(abs, values.values())) + 1_000_000
    check_that_parts_add_up(found.returns, gross)
    for own in found.returns.periods:
        assert own.residual is None or own.residual == pytest.approx(0, abs=1e-9 * gross)
    # A short position may turn the first days into ones that nobody can believe.
    if found.daily is not None and not issues(found.returns):
        assert found.daily.value[1:] == pytest.approx(np.array(list(values.values())), abs=1e-9 * gross)


def test_same_ledgers_without_their_deposits_are_of_securities_and_add_up() -> None:
    for seed in range(20):
        person, _ = a_ledger(MARKET, seed, 40)
        person.entries = [entry for entry in person.entries if entry["type"] not in ("deposit", "withdrawal")]
        found = outcome(person, MARKET).returns
        assert found is not None
        assert found.basis == "securities"
        check_that_parts_add_up(found, 1_000_000)


def test_page_of_many_gives_each_what_it_has_alone() -> None:
    persons = [a_ledger(MARKET, seed, seed)[0] for seed in range(60)]
    together = measured([a_person(), *persons], MARKET)
    for person, own in zip(persons, together[1:], strict=True):
        alone = outcome(person, MARKET).returns
        assert own.returns is not None
        assert alone is not None
        assert issues(own.returns) == issues(alone)
        for one, other in zip(own.returns.periods, alone.periods, strict=True):
            for name in FIGURES:
                known = (getattr(each, name) for each in (one, other))
                mine, theirs = (np.nan if figure is None else figure for figure in known)
                assert mine == pytest.approx(theirs, rel=1e-8, abs=1e-8, nan_ok=True)
