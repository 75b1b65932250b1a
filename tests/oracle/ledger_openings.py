"""The accounts of shares that were there before the ledger.

Readings:
- They lie in the accounts that sell or transfer out more than they get, in the order of the accounts, and the rest in
  that of the first transaction that names the symbol; of a symbol that none names, in the only account, else in none.
- Shares that a spin-off brings are no reason to look for its parent in an account.
- A negative opening quantity is there only of a symbol that is short today.
"""

from collections import defaultdict
from decimal import Decimal

from tests.oracle.ledger_book import Book
from tests.oracle.ledger_entries import SUCCESSIONS, ratio_of
from tests.oracle.ledger_inputs import SMALL, ZERO
from tests.oracle.ledger_positions import Positions


def homes_of(positions: Positions) -> dict[tuple[str, str], Decimal]:
    """Return the opening quantities by symbol and account."""
    book, found = positions.book, {}
    for symbol in sorted(positions.symbols):
        quantity = positions.opening(symbol)
        if quantity < 0 and positions.now.get(symbol, ZERO) >= 0:
            continue
        left, own = quantity, defaultdict[str, Decimal](Decimal)
        for account in book.currencies if quantity > 0 else ():
            part = min(left, _need(positions, symbol, account))
            if part > SMALL * quantity:
                own[account] += part
                left -= part
        if abs(left) > SMALL * abs(quantity):
            own[_first_account(book, symbol)] += left
        found.update({(symbol, account): part for account, part in own.items()})
    return found


def only_account(book: Book) -> str:
    """Return the account of a person who has one, else nothing."""
    accounts = book.person.accounts
    return accounts[0].account_id if len(accounts) == 1 else ""


def _first_account(book: Book, symbol: str) -> str:
    named = (b.account for b in book.bookings if symbol in (b.symbol, b.transaction.to_symbol))
    return next(named, only_account(book))


def _need(positions: Positions, symbol: str, account: str) -> Decimal:
    """Return how many more shares must have been there, if all that became of them is in the account."""
    quantity = need = ZERO
    factor = Decimal(1)
    for step in positions.steps:
        if step.split is not None:
            if step.split.symbol == symbol:
                quantity, factor = quantity * step.split.ratio, factor * step.split.ratio
        elif step.booking is not None:
            own = step.booking.transaction
            if own.type in SUCCESSIONS and own.symbol == symbol:
                symbol, ratio = own.to_symbol, ratio_of(own)
                quantity, factor = quantity * ratio, factor * ratio
            elif own.symbol == symbol and step.booking.account == account:
                quantity += step.booking.moved.shares
                need = max(need, -quantity / factor)
    return need
