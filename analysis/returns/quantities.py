"""The shares that a person had, by entry: what was there before the ledger, and what is there today."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose

from analysis.models import ReturnsIssue, record
from analysis.returns.entries import RENAMES, SCALES, Entry, Person

ROUNDING = 1e-9
"""Shares up to this part of all that moved are none."""

type Place = tuple[str, str]
"""An account and a symbol."""


@record
class Opening:
    """What a person had before the first entry, by account and symbol, and has ``today``, by symbol.

    Today's quantities are those of the holdings, after a split that they do not have yet.
    """

    quantities: Mapping[Place, float]
    today: Mapping[str, float]
    issues: tuple[ReturnsIssue, ...]


@dataclass(slots=True)
class _State:
    """The shares in one place: ``factor`` of them are one of ``root``, the symbol at the beginning."""

    quantity: float
    factor: float
    root: str


@dataclass(slots=True)
class _Walk:
    """What the entries alone say, as if nothing had been there before.

    Attributes:
        states: the shares in each place.
        lowest: the lowest quantity of each account and symbol of the beginning, in shares of the beginning.
        moved: of each symbol, the sum of all movements.
        places: the accounts of each symbol, in the order of its first entries.
        trail: of each symbol, the quantity before and the ratio of each split since its last other entry.
        renamed: the quantities of the old and of the new symbol just before each renaming.
    """

    states: dict[Place, _State] = field(default_factory=dict)
    lowest: dict[Place, float] = field(default_factory=dict)
    moved: dict[str, float] = field(default_factory=dict)
    places: dict[str, dict[str, None]] = field(default_factory=dict)
    trail: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    renamed: list[tuple[float, float]] = field(default_factory=list)

    def quantity(self, symbol: str) -> float:
        """Return the shares in all accounts."""
        return sum(state.quantity for _, state in self.of(symbol))

    def of(self, symbol: str) -> list[tuple[str, _State]]:
        """Return the accounts with a symbol."""
        return [(account_id, state) for (account_id, name), state in self.states.items() if name == symbol]

    def add(self, account_id: str, symbol: str, change: float) -> None:
        """Book shares that come to an account, or leave it."""
        state = self.states.setdefault((account_id, symbol), _State(0.0, 1.0, symbol))
        state.quantity += change
        self.moved[symbol] = self.moved.get(symbol, 0.0) + abs(change)
        self.places.setdefault(state.root, {}).setdefault(account_id)
        root = account_id, state.root
        self.lowest[root] = min(self.lowest.get(root, 0.0), state.quantity / state.factor)

    def book(self, entry: Entry) -> None:
        """Book an entry."""
        own = entry.transaction
        if own.type in SCALES:
            self.trail.setdefault(own.symbol, []).append((self.quantity(own.symbol), entry.ratio))
            for _, state in self.of(own.symbol):
                state.quantity *= entry.ratio
                state.factor *= entry.ratio
            return
        self.trail.pop(own.symbol, None)
        self.trail.pop(own.to_symbol, None)
        if own.type in RENAMES:
            self._rename(own.symbol, own.to_symbol, entry.ratio)
        elif own.type == "spin_off":
            for account_id, state in self.of(own.symbol):
                self.add(account_id, own.to_symbol, state.quantity * entry.ratio)
        elif entry.moves_between_accounts:
            self.add(entry.account_id, own.symbol, -(own.quantity or 0.0))
            self.add(own.to_account_id, own.symbol, own.quantity or 0.0)
        elif entry.change:
            self.add(entry.account_id, own.symbol, entry.change)

    def _rename(self, symbol: str, to_symbol: str, ratio: float) -> None:
        self.renamed.append((self.quantity(symbol), self.quantity(to_symbol)))
        self.moved[to_symbol] = self.moved.get(to_symbol, 0.0) + self.moved.get(symbol, 0.0) * ratio
        for account_id, state in self.of(symbol):
            del self.states[account_id, symbol]
            if not ratio:
                continue
            if (account_id, to_symbol) in self.states:
                self.add(account_id, to_symbol, state.quantity * ratio)
            else:
                state.quantity *= ratio
                state.factor *= ratio
                self.states[account_id, to_symbol] = state


def opening_of(person: Person, entries: Sequence[Entry]) -> Opening:
    """Return what was there before the entries: what today's holdings have beyond them.

    It lies in the accounts whose sales need it, then in that of the symbol's first entry; of a symbol without entries,
    in the only account, or in none that is known. Fewer than no shares were there only of a symbol that is short today.
    """
    walk = _Walk()
    for entry in entries:
        walk.book(entry)
    today, pending = _today(person, walk)
    before = _undone(today, entries, walk)
    quantities: dict[Place, float] = {}
    for symbol in sorted(before):
        quantity = before[symbol]
        if abs(quantity) <= ROUNDING * max(walk.moved.get(symbol, 0.0), abs(today.get(symbol, 0.0))):
            continue
        accounts = list(walk.places.get(symbol, ())) or [only_account(person)]
        if quantity > 0:
            quantities.update(_distributed(quantity, symbol, accounts, walk.lowest))
        elif today.get(symbol, 0.0) < 0:
            quantities[accounts[0], symbol] = quantity
    return Opening(quantities, today, tuple(pending))


def shares_at(opening: Opening, entries: Sequence[Entry]) -> Iterator[tuple[Entry, float]]:
    """Yield each dividend and interest of a symbol with its shares in all accounts, as it is booked."""
    walk = _Walk()
    for (account_id, symbol), quantity in opening.quantities.items():
        walk.add(account_id, symbol, quantity)
    for entry in entries:
        walk.book(entry)
        if entry.transaction.type in {"dividend", "interest"} and entry.transaction.symbol:
            symbol = entry.transaction.symbol
            held = walk.quantity(symbol)
            yield entry, 0.0 if abs(held) <= ROUNDING * walk.moved.get(symbol, 0.0) else held


def names_today(entries: Sequence[Entry]) -> list[tuple[str, float]]:
    """Return for each entry what its symbol is called today, and how many shares of today one of its day is."""
    today: dict[str, tuple[str, float]] = {}
    names = []
    for entry in reversed(entries):
        own = entry.transaction
        name, factor = today.get(own.symbol, (own.symbol, 1.0))
        if own.type in SCALES:
            today[own.symbol] = name, factor * entry.ratio
        elif own.type in RENAMES and own.to_symbol and entry.ratio > 0:
            new_name, new_factor = today.get(own.to_symbol, (own.to_symbol, 1.0))
            today[own.symbol] = new_name, new_factor * entry.ratio
        names.append(today.get(own.symbol, (own.symbol, 1.0)))
    return names[::-1]


def _today(person: Person, walk: _Walk) -> tuple[dict[str, float], list[ReturnsIssue]]:
    """Return today's quantities, with the splits that the holdings do not have yet."""
    today = {holding.symbol: holding.quantity for holding in person.holdings}
    issues = []
    for symbol, trail in walk.trail.items():
        held = today.get(symbol, 0.0)
        if not held or isclose(held, walk.quantity(symbol), rel_tol=ROUNDING):
            continue
        for place, (before, _) in enumerate(trail):
            if isclose(before, held, rel_tol=ROUNDING):
                for _, ratio in trail[place:]:
                    today[symbol] *= ratio
                text = f"The holding of {symbol} is still that before a split: it counts as {today[symbol]:g} shares."
                issues.append(ReturnsIssue(None, "corporate_action_pending", text))
                break
    return today, issues


def _undone(today: Mapping[str, float], entries: Sequence[Entry], walk: _Walk) -> dict[str, float]:
    """Return the quantities before the entries, by undoing them backwards from today's."""
    at = dict(today)
    renamed = list(walk.renamed)
    for entry in reversed(entries):
        own = entry.transaction
        symbol, to_symbol = own.symbol, own.to_symbol
        held = at.get(symbol, 0.0)
        if own.type in SCALES:
            at[symbol] = held / entry.ratio
        elif own.type == "spin_off":
            at[to_symbol] = at.get(to_symbol, 0.0) - held * entry.ratio
        elif own.type in RENAMES:
            # What the new symbol had by its own entries stays; the rest came from the old one.
            after = at.get(to_symbol, 0.0)
            old_shares, new_shares = renamed.pop()
            bounds = after, 0.0, after - old_shares * entry.ratio  # beyond them if what came was short, the rest long
            stayed = min(max(new_shares, min(bounds)), max(bounds))
            if entry.ratio > 0:
                at[to_symbol], at[symbol] = stayed, (after - stayed) / entry.ratio
            else:
                at[symbol] = max(old_shares, 0.0)  # all were paid out; nothing says of more
        elif entry.change:
            at[symbol] = held - entry.change
    return at


def only_account(person: Person) -> str:
    """Return the person's account; empty if there is not exactly one."""
    return person.accounts[0].account_id if len(person.accounts) == 1 else ""


def _distributed(
    quantity: float, symbol: str, accounts: Sequence[str], lowest: Mapping[Place, float]
) -> dict[Place, float]:
    """Return the ``quantity`` in the accounts: first what their sales need, the rest in the first."""
    shares: dict[Place, float] = {}
    for account_id in accounts:
        part = min(quantity, -lowest.get((account_id, symbol), 0.0))
        shares[account_id, symbol] = part
        quantity -= part
    shares[accounts[0], symbol] += quantity
    return {place: part for place, part in shares.items() if part > 0}
