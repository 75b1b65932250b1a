"""Lots against a second implementation that keeps every single share, on random ledgers."""

from collections import defaultdict
from copy import replace
from dataclasses import dataclass
from datetime import date, timedelta
from math import isnan, nan
from random import Random

import numpy as np
import pytest

from analysis.models import LotMethod
from analysis.returns.gains import Gains
from analysis.returns.ledger import TURNS, TYPES, Transaction
from tests.analysis.returns.ledgers import accounts, booked, buy, entry, gains, sell

type Sales = dict[tuple[str | None, date | None, date], list[float]]
type Lots = dict[tuple[str | None, date | None, bool], list[float]]

METHODS: list[LotMethod] = ["fifo", "lifo", "hifo", "average", "specific"]
FIRST = date(2022, 1, 3)


@dataclass
class Share:
    """One share: ``cost`` is what was paid for it, or came for it if it is short."""

    opened: date | None
    number: int
    cost: float
    name: str


class Shares:
    """All shares of a symbol, one by one."""

    def __init__(self, method: LotMethod, opening: int, account: str) -> None:
        self.method = method
        self.long: dict[str, list[Share]] = defaultdict(list)
        self.short: dict[str, list[Share]] = defaultdict(list)
        self.long[account] = [Share(None, 0, nan, "") for _ in range(opening)]
        self.closed: Sales = defaultdict(lambda: [0.0, 0.0, 0.0])
        self.number = 0

    def average(self, shares: list[Share]) -> None:
        known = [share for share in shares if not isnan(share.cost)]
        mean = sum(share.cost for share in known) / max(len(known), 1)
        for share in known:
            share.cost = mean

    def pick(self, shares: list[Share], name: str, side: int) -> Share:
        oldest = sorted(shares, key=lambda share: (share.opened or date.min, share.number))
        if self.method == "lifo":
            return oldest[-1]
        if self.method == "hifo":
            return min(oldest, key=lambda share: 1e9 if isnan(share.cost) else -side * round(share.cost, 9))
        if self.method == "specific":
            return min(oldest, key=lambda share: share.name != name)
        return oldest[0]

    def close(self, account: str, share: Share, on: date, proceeds: float, cost: float) -> None:
        sums = self.closed[account, share.opened, on]
        for place, value in enumerate((1.0, proceeds, cost)):
            sums[place] += value

    def book(self, own: Transaction) -> None:
        self.number += 1
        account, quantity = own.account_id, int(own.quantity or 0)
        if own.type == "split":
            for side in (self.long, self.short):
                for name, shares in side.items():
                    side[name] = [
                        Share(share.opened, share.number, share.cost / quantity, share.name)
                        for share in shares
                        for _ in range(quantity)
                    ]
            return
        if self.method == "average":
            self.average(self.long[account])
            self.average(self.short[account])
        here, there = (self.short, self.long) if own.type == "buy" else (self.long, self.short)
        costs = own.fee if own.type == "buy" else -own.fee
        a_share = (quantity * (own.price or 0.0) + costs) / quantity
        for _ in range(quantity):
            if here[account]:
                share = self.pick(here[account], own.lot_id, -1 if own.type == "buy" else 1)
                here[account].remove(share)
                if own.type == "buy":
                    self.close(account, share, own.date, share.cost, a_share)
                elif own.type == "sell":
                    self.close(account, share, own.date, a_share, share.cost)
            elif own.type != "transfer_out":
                there[account].append(Share(own.date, self.number, a_share, own.transaction_id))


def a_ledger(seed: int) -> tuple[list[Transaction], int]:
    """Return a random ledger, and the shares before it; it sells short only if there were none."""
    random = Random(seed)  # noqa: S311 - not for secrets
    opening = random.choice([0, 0, 15])
    transactions: list[Transaction] = []
    having = {"A": opening, "B": 0}
    on = FIRST
    for number in range(random.randint(3, 25)):
        on += timedelta(days=random.choice([1, 3, 20, 100]))
        if on > date(2026, 11, 20):
            break
        account = "A" if number == 0 else random.choice("AB")
        name, quantity = f"{number:02}", random.randint(1, 12)
        price, fee = random.choice([10.0, 12.0, 12.0, 15.5, 20.0]), random.choice([0.0, 0.0, 1.0])
        kind = random.choice(["buy", "buy", "sell", "sell", "transfer_out", "split"])
        lot_id = random.choice(["", *(own.transaction_id for own in transactions)])
        if kind == "split" and number and max(map(abs, having.values())) < 40:
            transactions.append(entry("split", str(on), "X", 2.0, account_id="", transaction_id=name))
            having = {account: 2 * shares for account, shares in having.items()}
            continue
        if kind == "buy" or number == 0:
            transactions.append(buy(str(on), quantity, price, fee=fee, account_id=account, transaction_id=name))
            having[account] += quantity
            continue
        if opening or kind == "transfer_out":
            quantity = min(quantity, having[account])
        if quantity > 0 and kind in {"sell", "transfer_out"}:
            own = sell(str(on), quantity, price, account_id=account, transaction_id=name, lot_id=lot_id, fee=fee)
            transactions.append(own if kind == "sell" else replace(own, type="transfer_out", price=None, fee=0.0))
            having[account] -= quantity
    return transactions, opening


def as_they_count(transactions: list[Transaction]) -> list[Transaction]:
    """Return transactions in the order of the weekdays on which they count."""

    def day_and_turn(own: Transaction) -> tuple[date, int]:
        return np.busday_offset(own.date, 0, roll="forward").item(), TURNS[TYPES.index(own.type)]

    return sorted(booked(transactions), key=day_and_turn)


def open_of(shares: Shares) -> Lots:
    """Return quantity and cost of the shares of each lot that are open."""
    lots: Lots = defaultdict(lambda: [0.0, 0.0])
    for side, places in ((1, shares.long), (-1, shares.short)):
        for account, own in places.items():
            for share in own:
                sums = lots[account, share.opened, side > 0]
                sums[0] += side
                sums[1] += side * share.cost
    return lots


def by_lot(result: Gains) -> tuple[Sales, Lots]:
    """Return the sums of what was closed of each lot on each day, and of what is open."""
    sales: Sales = defaultdict(lambda: [0.0, 0.0, 0.0])
    for row in result.realized:
        sums = sales[row.account_id, row.opened, row.closed]
        for place, value in enumerate((row.quantity, row.proceeds, row.cost)):
            sums[place] += nan if value is None else value
    lots: Lots = defaultdict(lambda: [0.0, 0.0])
    for lot in result.unrealized:
        sums = lots[lot.account_id, lot.opened, lot.quantity > 0]
        sums[0] += lot.quantity
        sums[1] += nan if lot.cost is None else lot.cost
    return sales, lots


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("block", range(5))
def test_lots_are_those_of_single_shares(method: LotMethod, block: int) -> None:
    for seed in range(block * 60, block * 60 + 60):
        transactions, opening = a_ledger(seed)
        shares = Shares(method, opening, "A")
        for own in as_they_count(transactions):
            shares.book(own)
        if method == "average":
            for having in (*shares.long.values(), *shares.short.values()):
                shares.average(having)
        expected = open_of(shares)
        total = sum(quantity for quantity, _ in expected.values())
        result = gains(
            *transactions, holding={"X": total} if total else {}, method=method, own_accounts=accounts("A", "B")
        )
        sales, lots = by_lot(result)
        assert sales.keys() == shares.closed.keys(), seed
        assert lots.keys() == expected.keys(), seed
        for sale, sums in sales.items():
            assert sums == pytest.approx(shares.closed[sale], nan_ok=True), (seed, sale)
        for lot, amounts in lots.items():
            assert amounts == pytest.approx(expected[lot], nan_ok=True), (seed, lot)


@pytest.mark.parametrize("method", METHODS)
def test_gains_and_open_costs_add_up_to_what_was_paid_and_received(method: LotMethod) -> None:
    for seed in range(100):
        transactions, opening = a_ledger(seed)
        if opening or any(own.type == "transfer_out" for own in transactions):
            continue
        signs = {"buy": 1.0, "sell": -1.0}
        paid = sum(
            (own.quantity or 0) * (own.price or 0) * signs[own.type] + own.fee for own in transactions if own.price
        )
        quantity = 0.0
        for own in as_they_count(transactions):
            quantity = 2 * quantity if own.type == "split" else quantity + signs[own.type] * (own.quantity or 0)
        result = gains(
            *transactions, holding={"X": quantity} if quantity else {}, method=method, own_accounts=accounts("A", "B")
        )
        realized = sum(row.gain or 0 for row in result.realized)
        assert sum(lot.cost or 0 for lot in result.unrealized) - realized == pytest.approx(paid, abs=1e-9)
        assert sum(lot.quantity for lot in result.unrealized) == pytest.approx(quantity)
