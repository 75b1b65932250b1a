"""Lots per account and symbol: what a person realized by selling them, and what those held today cost."""

from collections.abc import Mapping
from datetime import date

from analysis.models import LotMethod, ReturnsIssue
from analysis.returns.amounts import Amounts
from analysis.returns.booking import Book
from analysis.returns.entries import Person, entries_of
from analysis.returns.gains import CapitalIncome, Gains, UnrealizedLot, known, term_of, totals_of
from analysis.returns.open_lots import Lot
from analysis.returns.quantities import ROUNDING, Opening, only_account, opening_of
from records import Record


class OpenCosts(Record, frozen=True):
    """The costs of today's positions by symbol, in the base currency, and the income from returned capital.

    ``costs`` are negative for what was sold short, and ``None`` where the cost of a lot is unknown, or the lots are not
    the holding. ``issues`` are those of sales whose lot was not found.
    """

    costs: Mapping[str, float | None]
    capital_income: tuple[CapitalIncome, ...]
    issues: tuple[ReturnsIssue, ...] = ()


def gains_of(person: Person, method: LotMethod) -> Gains:
    """Return all gains that a person realized up to ``today``, and the lots held then, in the base currency.

    Cost and proceeds are at their own day's rate, values at the last close and its day's rate.
    """
    book, opening, amounts = _booked(person, method)
    realized = tuple(book.realized)
    return Gains(
        realized=realized,
        totals=totals_of(realized),
        unrealized=tuple(_unrealized(lot, amounts, person.today) for lot in book.lots),
        capital_income=tuple(book.capital_income),
        issues=(*opening.issues, *book.issues),
    )


def open_cost(person: Person, method: LotMethod) -> OpenCosts:
    """Return what today's positions cost by their lots, of every holding."""
    book, opening, _ = _booked(person, method)
    costs: dict[str, float | None] = {}
    for holding in person.holdings:
        lots = book.lots.of(holding.symbol)
        quantity = opening.today[holding.symbol]
        complete = abs(sum(lot.quantity for lot in lots) - quantity) <= ROUNDING * abs(quantity)
        costs[holding.symbol] = known(sum(lot.cost for lot in lots)) if complete and lots else None
    issues = tuple(issue for issue in book.issues if issue.kind == "lot_not_found")
    return OpenCosts(costs, tuple(book.capital_income), issues)


def _booked(person: Person, method: LotMethod) -> tuple[Book, Opening, Amounts]:
    entries = entries_of(person)
    opening = opening_of(person, entries)
    amounts = Amounts(person, entries)
    book = Book(opening, amounts, method)
    book.book_all(entries)
    book.reconcile(only_account(person), opening.today)
    return book, opening, amounts


def _unrealized(lot: Lot, amounts: Amounts, today: date) -> UnrealizedLot:
    value = lot.quantity * amounts.share_today(lot.symbol)
    opened = lot.opened
    term = None if opened is None else "short" if lot.quantity < 0 else term_of(opened, today)
    return UnrealizedLot(
        symbol=lot.symbol,
        account_id=lot.account_id or None,
        opened=opened,
        quantity=lot.quantity,
        cost=known(lot.cost),
        value=known(value),
        gain=known(value - lot.cost),
        days=None if opened is None else (today - opened).days,
        term=term,
    )
