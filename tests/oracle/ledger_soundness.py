"""From which day on a ledger is sound.

Readings:
- A negative opening is told as ``negative_position`` or ``unexplained_cash`` where that applies, else as
  ``opening_position``; never as both.
- Dates: of ``negative_position`` and ``unexplained_cash`` the last day that ends below zero (else the one before
  the calendar), of ``opening_position`` that of the first transaction.
- An account with opening cash but no transaction is from the person's first transaction on.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from tests.oracle.ledger_days import Days
from tests.oracle.ledger_inputs import CENT


def first_day(days: Days) -> int | None:
    """Return the place of the first transaction of the sound period, ``None`` if there is none; tell the issues."""
    book = days.book
    limits = [book.first_place, days.first_known, *_openings(days)]
    if _had_something(days) and any(booking.place == 0 for booking in book.every):
        book.issues.add(("missing_price", days.world.days[0]))
        limits.append(1)
    return min((booking.place for booking in book.in_calendar if booking.place >= max(limits)), default=None)


def _had_something(days: Days) -> bool:
    accounts = days.book.currencies if days.with_cash else ()
    return any(days.positions.opening(symbol) for symbol in days.positions.symbols) or any(
        days.positions.opening_cash(account) for account in accounts
    )


def _openings(days: Days) -> list[int]:
    """Return the limits of what was there before all transactions."""
    positions, limits = days.positions, []
    for symbol in sorted(positions.symbols):
        opening = positions.opening(symbol)
        if opening < 0 and positions.holdings[symbol] >= 0:
            ends = [positions.quantity(symbol, place) for place in range(days.world.after)]
            limits.append(_after_negative(days, "negative_position", ends, lambda quantity: quantity < 0))
        elif opening != 0:
            limits.append(_opening(days, _account_of(days, symbol)))
    for account in days.book.currencies if days.with_cash else ():
        cash = positions.opening_cash(account)
        today = sum(own.cash for own in days.book.person.accounts if own.account_id == account)
        if cash < 0 and today >= -CENT:
            ends = [positions.cash(account, place) for place in range(days.world.after)]
            limits.append(_after_negative(days, "unexplained_cash", ends, lambda cash: cash < -CENT))
        elif cash != 0:
            limits.append(_opening(days, account))
    return limits


def _after_negative(days: Days, kind: str, ends: list[Decimal], is_negative: Callable[[Decimal], bool]) -> int:
    places = [place for place, end in enumerate(ends) if is_negative(end)]
    before = days.world.days[0] - timedelta(days=1)
    days.book.issues.add((kind, days.world.days[max(places)] if places else before))
    return max(places, default=-1) + 1


def _account_of(days: Days, symbol: str) -> str | None:
    for booking in days.book.every:
        if symbol in (booking.symbol, booking.transaction.to_symbol):
            return booking.account
    return None


def _opening(days: Days, account: str | None) -> int:
    """Return the place of the first transaction of an account, or of the person."""
    bookings = days.book.every
    own = [booking for booking in bookings if account in booking.accounts()] or bookings
    day = own[0].day if own else None
    days.book.issues.add(("opening_position", day))
    return own[0].place if own else days.world.after
