"""The booking of a person's entries on lots: what opens, goes on, and is realized."""

from collections.abc import Mapping, Sequence
from copy import replace
from datetime import date, timedelta
from math import isfinite, isnan, nan

from analysis.models import LotMethod, ReturnsIssue
from analysis.returns.amounts import Amounts
from analysis.returns.entries import RENAMES, SCALES, Entry
from analysis.returns.gains import CapitalIncome, RealizedGain, known, term_of
from analysis.returns.open_lots import Lot, OpenLots
from analysis.returns.quantities import ROUNDING, Opening

_WASH_DAYS = timedelta(days=30)


class Book:
    """The lots of a person while entries are booked, and what has been realized."""

    def __init__(self, opening: Opening, amounts: Amounts, method: LotMethod) -> None:
        """Begin with the shares that were there before the first entry, at an unknown cost."""
        self.lots = OpenLots(method)
        self.realized: list[RealizedGain] = []
        self.capital_income: list[CapitalIncome] = []
        self.issues: list[ReturnsIssue] = []
        self._amounts = amounts
        self._number = 0
        self._purchases: dict[str, list[tuple[date, date]]] = {}  # their own day, and that on which they count
        self._sales: dict[int, date] = {}  # the realized gains of long lots, and the day on which they count
        self._flagged = 0
        for (account_id, symbol), quantity in opening.quantities.items():
            self._open(account_id, symbol, None, quantity, nan)

    def book_all(self, entries: Sequence[Entry]) -> None:
        """Book the entries, and flag the wash sales."""
        for place, entry in enumerate(entries):
            self._book(entry)
            if place + 1 == len(entries) or entries[place + 1].day != entry.day:
                self._flag_bought_before()
        self._flag_bought_after()
        self.lots.level()

    def reconcile(self, account_id: str, today: Mapping[str, float]) -> None:
        """Open lots without a record for shares of today that no entry explains; tell of lots that are not held.

        The former are shares held under an old symbol, the latter those of a sale that is missing.
        """
        for symbol in sorted({*today, *(lot.symbol for lot in self.lots)}):
            quantity, lots = today.get(symbol, 0.0), self.lots.of(symbol)
            missing = quantity - sum(lot.quantity for lot in lots)
            noise = ROUNDING * (abs(quantity) + sum(abs(lot.quantity) for lot in lots))
            if abs(missing) <= noise:
                continue
            if missing * quantity > 0:
                self._open(account_id, symbol, None, missing, nan)
            else:
                text = f"The transactions of {symbol} leave other shares than the holding has: some may be missing."
                self.issues.append(ReturnsIssue(None, "negative_position", text))

    def _flag_bought_before(self) -> None:
        """Flag the losses of a day beside which shares of a recent purchase are held at its end."""
        for number in range(self._flagged, len(self.realized)):
            row = self.realized[number]
            if number in self._sales and _is_loss(row):
                beside = (lot.bought for lot in self.lots.of(row.symbol) if lot.bought and lot.quantity > 0)
                if any(abs(row.closed - bought) <= _WASH_DAYS for bought in beside):
                    self.realized[number] = replace(row, wash_sale=True)
        self._flagged = len(self.realized)

    def _flag_bought_after(self) -> None:
        """Flag the losses after whose day, as it counts, the symbol was bought again."""
        for number, counted in self._sales.items():
            row = self.realized[number]
            if not row.wash_sale and _is_loss(row):
                later = (own for own, day in self._purchases.get(row.symbol, ()) if day > counted)
                if any(abs(own - row.closed) <= _WASH_DAYS for own in later):
                    self.realized[number] = replace(row, wash_sale=True)

    def _book(self, entry: Entry) -> None:
        own = entry.transaction
        if own.type in SCALES:
            for lot in self.lots.of(own.symbol):
                lot.quantity *= entry.ratio
        elif own.type in RENAMES:
            self._rename(entry)
        elif own.type == "spin_off":
            self._spin_off(entry)
        elif own.type == "return_of_capital":
            self._return_capital(entry)
        elif entry.moves_between_accounts:
            taken, _ = self.lots.take((entry.account_id, own.symbol), own.quantity or 0.0, own.lot_id)
            for lot in taken:
                self.lots.add(replace(lot, account_id=own.to_account_id))
        elif entry.change > 0:
            self._acquire(entry)
        elif entry.change < 0:
            self._dispose(entry)

    def _acquire(self, entry: Entry) -> None:
        """Cover short lots with a purchase or transfer, and open a lot with the rest."""
        own, account_id = entry.transaction, entry.account_id
        pay = self._amounts.paid if own.type == "buy" else self._amounts.transferred
        cost = pay(entry)
        covered, beyond = self.lots.take((account_id, own.symbol), -entry.change, own.lot_id)
        total = sum(-lot.quantity for lot in covered) - beyond
        for lot in covered:
            self._realize(lot, entry, -lot.cost, cost * -lot.quantity / total)
        if beyond:
            bought = own.date if own.type == "buy" else None
            names = frozenset({own.transaction_id, own.lot_id} - {""})
            self._open(account_id, own.symbol, own.date, -beyond, cost * -beyond / total, names, bought)
            if bought:
                self._purchases.setdefault(own.symbol, []).append((bought, entry.day))

    def _dispose(self, entry: Entry) -> None:
        """Close lots with a sale, and open a short one beyond them; a transfer out takes lots with it."""
        own, place = entry.transaction, (entry.account_id, entry.transaction.symbol)
        quantity = -entry.change
        if self.lots.method == "specific" and self.lots.named(place, own.lot_id) < quantity * (1 - ROUNDING):
            text = f"No lot {own.lot_id!r} of {own.symbol} has {quantity:g} shares: the oldest were used."
            if not own.lot_id:
                text = f"The {own.type.replace('_', ' ')} of {own.symbol} names no lot: the oldest were used."
            self.issues.append(ReturnsIssue(own.date, "lot_not_found", text))
        closed, beyond = self.lots.take(place, quantity, own.lot_id)
        if own.type == "transfer_out":
            return
        proceeds = self._amounts.received(entry)
        total = sum(lot.quantity for lot in closed) + beyond
        for lot in closed:
            self._realize(lot, entry, proceeds * lot.quantity / total, lot.cost)
        if beyond:
            names = frozenset({own.transaction_id, own.lot_id} - {""})
            self._open(*place, own.date, -beyond, -proceeds * beyond / total, names)

    def _rename(self, entry: Entry) -> None:
        """Let lots go on under the new symbol; the part of them that cash was paid for is sold."""
        own, ratio = entry.transaction, entry.ratio
        self.lots.level()  # the part that cash is paid for is sold at the averaged cost
        lots = self.lots.pop(own.symbol)
        cash = self._cash_of_a_share(entry, lots)
        if any(cash.values()):
            self._sell_part(entry, lots, cash)
        if ratio > 0:
            self.capital_income = [
                replace(part, symbol_today=own.to_symbol) if part.symbol_today == own.symbol else part
                for part in self.capital_income
            ]
            for lot in lots:
                self.lots.add(replace(lot, symbol=own.to_symbol, quantity=lot.quantity * ratio))
        elif not any(cash.values()):
            for lot in lots:
                self._realize(replace(lot), entry, nan, lot.cost)

    def _cash_of_a_share(self, entry: Entry, lots: Sequence[Lot]) -> dict[str, float]:
        """Return what one old share in each account was paid in cash: one amount is for the shares in all accounts."""
        cash: dict[str, float] = {}
        for part in entry.parts:
            account_id, everywhere = part.account_id, len(entry.parts) == 1
            if part.transaction.amount:
                shares = sum(lot.quantity for lot in lots if everywhere or lot.account_id == account_id)
                a_share = self._amounts.received(part) / abs(shares) if shares else nan
                for account in {lot.account_id for lot in lots} if everywhere else {account_id}:
                    cash[account] = cash.get(account, 0.0) + a_share
        return cash

    def _sell_part(self, entry: Entry, lots: Sequence[Lot], cash: dict[str, float]) -> None:
        own = entry.transaction
        value = self._amounts.first_shares([own.to_symbol], entry.day)[0] * entry.ratio if entry.ratio > 0 else 0.0
        for lot in lots:
            a_share = cash.get(lot.account_id, 0.0)
            if not a_share:
                continue
            part = a_share / (a_share + value) if entry.ratio > 0 else 1.0
            sold = replace(lot, quantity=lot.quantity * (0.0 if isnan(part) else part), cost=lot.cost * part)
            paid = a_share * abs(lot.quantity)
            self._realize(sold, entry, *((paid, sold.cost) if lot.quantity > 0 else (-sold.cost, paid)))
            lot.cost -= sold.cost

    def _spin_off(self, entry: Entry) -> None:
        """Split the cost of lots with the new shares, by the first closes; these are as old as the lots."""
        own = entry.transaction
        parent, child = self._amounts.first_shares([own.symbol, own.to_symbol], entry.day)
        value = entry.ratio * child
        part = value / (parent + value)
        for lot in self.lots.of(own.symbol):
            new = replace(
                lot, symbol=own.to_symbol, quantity=lot.quantity * entry.ratio, cost=lot.cost * part, bought=None
            )
            lot.cost -= new.cost
            self.lots.add(new)

    def _return_capital(self, entry: Entry) -> None:
        """Lower the cost of lots, by share; what is more than their cost is income."""
        own = entry.transaction
        self.lots.level()  # of averaged lots none is below zero before all are
        paid = self._amounts.received(entry)
        sign = -1.0 if paid < 0 else 1.0
        lots = [lot for lot in self.lots.of(own.symbol) if lot.quantity * sign > 0]
        at_home = [lot for lot in lots if own.account_id in {"", lot.account_id}]
        lots = at_home or lots
        total = sum(abs(lot.quantity) for lot in lots)
        income = 0.0 if lots else paid
        for lot in lots:
            lot.cost -= paid * abs(lot.quantity) / total
            if lot.quantity > 0 and lot.cost < 0:
                income -= lot.cost
                lot.cost = 0.0
        if income and isfinite(income):
            self.capital_income.append(CapitalIncome(own.date, own.symbol, own.symbol, income))

    def _open(
        self,
        account_id: str,
        symbol: str,
        opened: date | None,
        quantity: float,
        cost: float,
        names: frozenset[str] = frozenset(),
        bought: date | None = None,
    ) -> None:
        self._number += 1
        self.lots.add(Lot(account_id, symbol, opened, self._number, quantity, cost, names, bought))

    def _realize(self, lot: Lot, entry: Entry, proceeds: float, cost: float) -> None:
        opened, closed = lot.opened, entry.transaction.date
        if lot.quantity > 0:
            self._sales[len(self.realized)] = entry.day
        term = None if opened is None else "short" if lot.quantity < 0 else term_of(opened, closed)
        self.realized.append(
            RealizedGain(
                symbol=lot.symbol,
                account_id=lot.account_id or None,
                opened=opened,
                closed=closed,
                quantity=abs(lot.quantity),
                proceeds=known(proceeds),
                cost=known(cost),
                gain=known(proceeds - cost),
                days=None if opened is None else (closed - opened).days,
                term=term,
                wash_sale=False,
            )
        )


def _is_loss(row: RealizedGain) -> bool:
    return row.gain is not None and row.cost is not None and row.gain < -ROUNDING * abs(row.cost)
