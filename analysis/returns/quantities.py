"""The shares that a person had, by entry: what was there before the ledger, and what is there today."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose, prod

from analysis.models import ReturnsIssue
from analysis.returns.entries import RENAMES, SCALES, Entry, Person
from records import Record

ROUNDING = 1e-9
"""Shares up to this part of all that moved are none."""

type Place = tuple[str, str]
"""An account and a symbol."""

type Needs = Mapping[str, Mapping[str, float]]
"""By symbol and account, the shares without which the entries would leave fewer than none there."""


class Opening(Record, frozen=True):
    """What a person had before the first entry, by account and symbol, and has ``today``, by symbol.

    Today's quantities are those of the holdings, after a split that they do not have yet. ``held`` has for each
    dividend and interest of a symbol, by its place among the entries, the shares in all accounts when it is booked.
    """

    quantities: Mapping[Place, float]
    today: Mapping[str, float]
    held: Mapping[int, float]
    issues: tuple[ReturnsIssue, ...]


@dataclass(slots=True)
class _Walk:
    """What the entries alone say, as if nothing had been there before.

    Attributes:
        quantity: the shares of each symbol.
        moved: of each symbol, the sum of all movements.
        trail: of each symbol, its splits since its last other entry, each with the quantity before it.
        renamed: the quantities of the old and of the new symbol just before each renaming.
    """

    quantity: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    moved: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    trail: dict[str, list[tuple[float, Entry]]] = field(default_factory=dict)
    renamed: list[tuple[float, float]] = field(default_factory=list)

    def book(self, entry: Entry) -> None:
        """Book an entry."""
        own, quantity = entry.transaction, self.quantity
        symbol, to_symbol = own.symbol, own.to_symbol
        if own.type in SCALES:
            self.trail.setdefault(symbol, []).append((quantity[symbol], entry))
            quantity[symbol] *= entry.ratio
            return
        self.trail.pop(symbol, None)
        self.trail.pop(to_symbol, None)
        if own.type in RENAMES:
            self.renamed.append((quantity[symbol], quantity[to_symbol]))
            quantity[to_symbol] += quantity.pop(symbol) * entry.ratio
            self.moved[to_symbol] += self.moved[symbol] * entry.ratio
        elif own.type == "spin_off":
            self._move(to_symbol, quantity[symbol] * entry.ratio)
        elif entry.change:
            self._move(symbol, entry.change)

    def _move(self, symbol: str, change: float) -> None:
        self.quantity[symbol] += change
        self.moved[symbol] += abs(change)


def opening_of(person: Person, entries: Sequence[Entry]) -> Opening:
    """Return what was there before the entries: what today's holdings have beyond them.

    It lies in the accounts that sell more than they get, then in that of the first entry that names the symbol; of a
    symbol without entries, in the only account, or in none that is known. Fewer than no shares were there only of a
    symbol that is short today.
    """
    walk = _Walk()
    for entry in entries:
        walk.book(entry)
    pending = _pending(person, walk)
    today = {held.symbol: held.quantity * pending.get(held.symbol, 1.0) for held in person.holdings}
    before, held = _undone(today, entries, walk)
    quantities: dict[Place, float] = {}
    if before:
        homes, needs = _first_accounts(entries), _needs(entries)
        for symbol, quantity in sorted(before.items()):
            home = homes.get(symbol, only_account(person))
            if quantity > 0:
                needed = needs.get(symbol, {})
                in_order = {
                    account_id: needed[account_id] for account_id in person.account_currencies if account_id in needed
                }
                quantities.update(_distributed(quantity, symbol, home, in_order))
            elif today.get(symbol, 0.0) < 0:
                quantities[home, symbol] = quantity
    return Opening(quantities, today, held, tuple(_issues(person, pending, today)))


def pending_ratios(person: Person, entries: Sequence[Entry]) -> Mapping[str, float]:
    """Return by symbol the new shares for an old one of the splits that the holdings do not have yet."""
    walk = _Walk()
    for entry in entries:
        walk.book(entry)
    return _pending(person, walk)


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


def only_account(person: Person) -> str:
    """Return the person's account; empty if there is not exactly one."""
    return person.accounts[0].account_id if len(person.accounts) == 1 else ""


def _pending(person: Person, walk: _Walk) -> dict[str, float]:
    """Return the ratios of :func:`pending_ratios`: of such splits, the first is on or before the prices' last day."""
    as_of = person.market.prices.as_of.item()
    pending = {}
    for holding in person.holdings:
        symbol, held = holding.symbol, holding.quantity
        if not held or isclose(held, walk.quantity[symbol], rel_tol=ROUNDING):
            continue
        trail = walk.trail.get(symbol, ())
        for place, (before, split) in enumerate(trail):
            if split.day <= as_of and isclose(before, held, rel_tol=ROUNDING):
                pending[symbol] = prod(later.ratio for _, later in trail[place:])
                break
    return pending


def _issues(person: Person, pending: Iterable[str], today: Mapping[str, float]) -> Iterator[ReturnsIssue]:
    for symbol in pending:
        text = f"The holding of {symbol} is still that before a split: it counts as {today[symbol]:g} shares."
        yield ReturnsIssue(person.market.prices.as_of.item(), "corporate_action_pending", text)


def _undone(
    today: Mapping[str, float], entries: Sequence[Entry], walk: _Walk
) -> tuple[dict[str, float], dict[int, float]]:
    """Return the quantities before the entries, by undoing them backwards from today's, and those at each payment."""
    at, held, renamed = defaultdict(float, today), {}, list(walk.renamed)
    for place in range(len(entries) - 1, -1, -1):
        entry = entries[place]
        own = entry.transaction
        symbol, to_symbol = own.symbol, own.to_symbol
        if own.type in SCALES:
            at[symbol] /= entry.ratio
        elif own.type == "spin_off":
            at[to_symbol] -= at[symbol] * entry.ratio
        elif own.type in RENAMES:
            stayed, came = _renamed(at[to_symbol], entry.ratio, *renamed.pop())
            at[to_symbol] = stayed
            at[symbol] += came
        elif entry.change:
            at[symbol] -= entry.change
        elif own.type in {"dividend", "interest"} and symbol:
            held[place] = _unless_rounding(at[symbol], symbol, today, walk)
    before = {symbol: _unless_rounding(quantity, symbol, today, walk) for symbol, quantity in at.items()}
    return {symbol: quantity for symbol, quantity in before.items() if quantity}, held


def _renamed(after: float, ratio: float, old_shares: float, new_shares: float) -> tuple[float, float]:
    """Return what the new symbol had before a renaming, and what the old one had.

    What the new symbol had by its own entries stays, as far as so much was there; the rest came from the old one.
    """
    if not ratio > 0:
        return after, max(old_shares, 0.0)  # all were paid out; nothing says of more
    bounds = after, 0.0, after - old_shares * ratio  # beyond them if what came was short, the rest long
    stayed = min(max(new_shares, min(bounds)), max(bounds))
    return stayed, (after - stayed) / ratio


def _unless_rounding(quantity: float, symbol: str, today: Mapping[str, float], walk: _Walk) -> float:
    size = max(walk.moved[symbol], abs(today.get(symbol, 0.0)))
    return 0.0 if abs(quantity) <= ROUNDING * size else quantity


def _first_accounts(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the account of the first entry that names each symbol."""
    first: dict[str, str] = {}
    for entry in entries:
        if entry.account_id:
            first.setdefault(entry.transaction.symbol, entry.account_id)
            first.setdefault(entry.transaction.to_symbol, entry.account_id)
    return first


def _needs(entries: Sequence[Entry]) -> Needs:
    """Return the shares that must have been there before the entries, going through them backwards."""
    needs: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for entry in reversed(entries):
        own = entry.transaction
        of_symbol = needs[own.symbol]
        if own.type in SCALES:
            for account_id in of_symbol:
                of_symbol[account_id] /= entry.ratio
        elif own.type in RENAMES:
            of_new = needs[own.to_symbol].items() if entry.ratio > 0 else ()
            needs[own.symbol] = defaultdict(float, {account: need / entry.ratio for account, need in of_new})
        elif entry.moves_between_accounts:
            quantity = own.quantity or 0.0
            of_symbol[own.to_account_id] = max(of_symbol[own.to_account_id] - quantity, 0.0)
            of_symbol[entry.account_id] += quantity
        elif entry.change:
            of_symbol[entry.account_id] = max(of_symbol[entry.account_id] - entry.change, 0.0)
    return needs


def _distributed(quantity: float, symbol: str, home: str, needs: Mapping[str, float]) -> dict[Place, float]:
    """Return the ``quantity`` in the accounts: first what they need, the rest in ``home``."""
    noise = ROUNDING * quantity
    shares: defaultdict[Place, float] = defaultdict(float)
    for account_id, need in needs.items():
        part = min(quantity, need)
        if part > noise:
            shares[account_id, symbol] += part
            quantity -= part
    if quantity > noise:
        shares[home, symbol] += quantity
    return shares
