"""How the backend's documents are read. They may contain anything, and all rules about them are here.

A number may be an int, an Int64, a double, a Decimal128 or plain decimal text, up to 1e12 either way. A holding whose
symbol or quantity cannot be read is invalid: it is reported, and counts as a part of unknown value.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from analysis.models import Holding, Instrument, InvalidHolding, LotMethod, Portfolio
from analysis.spellings import spellings
from stores.account_documents import has_no_amount, read_accounts
from stores.document_values import (
    NOT_A_NUMBER,
    Absent,
    SymbolOf,
    Unreadable,
    absent_field,
    currency_of,
    is_blank,
    is_minor,
    is_symbol,
    number_of,
    symbol_reader,
)
from stores.mongo import Document
from stores.places import Obstacle

MOST_HOLDINGS = 5_000
MOST_WATCHED = 5_000
"""With this many of both, a report takes some 10 MB of the 16 MB that a MongoDB document may have."""

MOST_ITEMS = 10_000
"""The most documents of one user in the watchlist, whose symbols may be repeated."""

UNKNOWN_CURRENCY = "XXX"
"""The code of ISO 4217 for no currency, without rates: prices of an unknown unit value nothing."""

# Relative to the sum of the lots' sizes, a net quantity this small is rounding.
_ROUNDING = 1e-12
_MOST_RULES, _LONGEST_NAME = 100, 64
FIELDS_OF_INSTRUMENTS = (
    "kind", "diversified", "multiplier", "lot_size", "fractional", "currency", "name", "sector", "country",
)  # fmt: skip
_LONGEST_FACT = 100
_SMALLEST_SIZE = 1e-9
_NOT_AN_OBJECT = "analysis_thresholds is not an object: the default thresholds apply."
_NO_BASE = "base_currency is no currency of three letters: the default applies."
_LOT_METHODS: tuple[LotMethod, ...] = get_args(LotMethod.__value__)
_NO_METHOD = f"lot_method is none of {', '.join(_LOT_METHODS)}: {_LOT_METHODS[0]} applies."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InvalidPortfolio:
    """A user whose documents do not allow an analysis. The text names field and rule, never a value."""

    user_id: str
    error_type: str
    error: str


@dataclass(frozen=True, slots=True)
class UserDocuments:
    """The documents about one user."""

    users: Sequence[Document] = ()
    accounts: Sequence[Document] = ()
    holdings: Sequence[Document] = ()
    watchlist: Sequence[Document] = ()


def read_portfolio(
    user_id: str,
    documents: UserDocuments,
    symbol_of: SymbolOf,
    absent: Absent = absent_field,
    *,
    default_currency: str = "USD",
) -> Portfolio | InvalidPortfolio:
    """Return the portfolio in a user's documents; accounts that name no currency are in the base, or the default."""
    user = documents.users[0] if documents.users else {}
    base_currency, lot_method, own = _base_currency(user), _lot_method(user), user.get("analysis_thresholds")
    try:
        watched = watched_symbols(documents.watchlist, symbol_of)
        valid, invalid = _holdings(documents.holdings, symbol_of, absent)
        accounts = read_accounts(documents.accounts, base_currency or default_currency)
    except Unreadable as error:
        return InvalidPortfolio(user_id, error.error_type, str(error))
    return Portfolio(
        user_id=user_id,
        holdings=tuple(valid),
        watchlist=tuple(sorted(watched)),
        cash=sum([account.cash for account in accounts], 0.0),
        buying_power=sum([account.buying_power for account in accounts], 0.0),
        accounts=accounts,
        base_currency=base_currency,
        lot_method=lot_method or _LOT_METHODS[0],
        invalid_holdings=tuple(invalid),
        thresholds=_thresholds(own),
        notes=remarks(user) + _notes_on_missing(documents, len(watched), absent),
    )


def remarks(user: Document) -> tuple[str, ...]:
    """Return sentences about what a user's document says that cannot be used, so that a default applies."""
    own, base, method = (user.get(name) for name in ("analysis_thresholds", "base_currency", "lot_method"))
    found = []
    if own is not None and not isinstance(own, dict):
        found.append(_NOT_AN_OBJECT)
    if not is_blank(base) and _base_currency(user) is None:
        found.append(_NO_BASE)
    if not is_blank(method) and _lot_method(user) is None:
        found.append(_NO_METHOD)
    return tuple(found)


def lacking(documents: UserDocuments) -> set[str]:
    """Return the collections with a document of the user that lacks a field it needs."""
    found = {
        "holdings": any(name not in holding for holding in documents.holdings for name in ("symbol", "quantity")),
        "watchlist": any("symbol" not in item for item in documents.watchlist),
        "accounts": any(map(has_no_amount, documents.accounts)),
    }
    return {collection for collection, lacks in found.items() if lacks}


def refusal(collection: str, document: Document, absent: Absent = absent_field) -> str | None:
    """Return why a document is left out, or its user, in the words that runs have for it; ``None`` if it is read."""
    if collection == "holdings":
        _, invalid = _holdings([document], symbol_reader(str), absent)
        return invalid[0].reason if invalid else None
    if collection == "watchlist":
        readable = is_symbol(document.get("symbol"))
        return (
            None if readable else _fault(collection, document, "symbol", "symbol is not a text that can be one", absent)
        )
    if collection == "accounts":
        try:
            read_accounts([document], UNKNOWN_CURRENCY)
        except Unreadable as error:
            return str(error)
        return absent(collection, "cash") if has_no_amount(document) else None
    return None if is_active(document) is not None else "is_active is neither true nor false"


def read_instruments(documents: Iterable[Document], symbols: Sequence[str]) -> dict[str, Instrument]:
    """Return the instruments by symbol; of several spellings of a share, that of ``symbols`` counts."""
    share_of = {spelling: symbol for symbol in symbols for spelling in spellings(symbol)}
    in_order = sorted(documents, key=lambda own: (own["symbol"] == share_of[own["symbol"]], own["symbol"]))
    return {share_of[document["symbol"]]: _instrument(document) for document in in_order}


def held_symbols(documents: Sequence[Document], symbol_of: SymbolOf) -> frozenset[str]:
    """Return the symbols of the holdings that can be read and are not closed; raises if there are too many."""
    valid, _ = _holdings(documents, symbol_of)
    return frozenset(holding.symbol for holding in valid)


def watched_symbols(documents: Sequence[Document], symbol_of: SymbolOf) -> frozenset[str]:
    """Return the valid ones of the watched symbols; raises if there are too many."""
    if len(documents) > MOST_ITEMS:
        raise Unreadable("too_many_watched", f"There are more than {MOST_ITEMS} watchlist items.")
    watched = frozenset(own for item in documents if (own := symbol_of(item.get("symbol"))) is not None)
    if len(watched) > MOST_WATCHED:
        raise Unreadable("too_many_watched", f"There are more than {MOST_WATCHED} symbols watched.")
    return watched


def is_active(user: Document) -> bool | None:
    """Return whether a document says that its user is active, as an absent flag does; ``None`` if it cannot be read."""
    flag = user.get("is_active")
    if isinstance(flag, str):
        flag = {"true": True, "false": False}.get(flag.strip().lower(), flag)
    return True if flag is None else bool(flag) if flag in (0, 1) else None


def _base_currency(user: Document) -> str | None:
    currency = currency_of(user.get("base_currency"))
    return None if currency is None or is_minor(currency) else currency


def _lot_method(user: Document) -> LotMethod | None:
    method = user.get("lot_method")
    name = method.strip().lower() if isinstance(method, str) else None
    return next((own for own in _LOT_METHODS if own == name), None)


def _notes_on_missing(documents: UserDocuments, watched: int, absent: Absent) -> tuple[str, ...]:
    """Return notes on the accounts and watchlist items that count for nothing because a field is missing."""
    notes = []
    if any(map(has_no_amount, documents.accounts)):
        notes.append(f"An account counts as empty: {absent('accounts', 'cash')}.")
    if watched < len(documents.watchlist):
        faults = (_fault("watchlist", item, "symbol", "", absent) for item in documents.watchlist)
        if fault := next(filter(None, faults), None):
            notes.append(f"A watchlist item is left out: {fault}.")
    return tuple(notes)


def _fault(collection: str, document: Document, field: str, rule: str, absent: Absent) -> str:
    """Return why a field cannot be read: there is none, the way to it is blocked, or its value breaks the rule."""
    value = document.get(field)
    if isinstance(value, Obstacle):
        return value.text
    return rule if field in document else absent(collection, field)


type _Lot = tuple[float, float | None]
"""Quantity, and average price if it is known."""


def _holdings(
    documents: Sequence[Document], symbol_of: SymbolOf, absent: Absent = absent_field
) -> tuple[list[Holding], list[InvalidHolding]]:
    """Return the holdings, by symbol, one for each share however it is spelled, and the invalid ones.

    A quantity of zero is a closed position, no holding.
    """
    if len(documents) > MOST_HOLDINGS:
        raise Unreadable("too_many_holdings", f"There are more than {MOST_HOLDINGS} holdings.")
    lots: dict[str, list[_Lot]] = defaultdict(list)
    invalid = []
    for document in documents:
        text, symbol = document.get("symbol"), symbol_of(document.get("symbol"))
        quantity, price = number_of(document.get("quantity")), number_of(document.get("avg_price"))
        if symbol is None:
            shown = text[:32] if isinstance(text, str) else "?"
            rule = _fault("holdings", document, "symbol", "symbol is not a text that can be one", absent)
            invalid.append(InvalidHolding(shown, rule, quantity, price))
        elif quantity is None:
            rule = f"quantity is {NOT_A_NUMBER}"
            rule = _fault("holdings", document, "quantity", rule, absent)
            invalid.append(InvalidHolding(symbol, rule, None, price))
        else:
            lots[symbol].append((quantity, price))
    valid = []
    for symbol in sorted(lots):
        own = lots[symbol]
        quantity, price = own[0] if len(own) == 1 else _net(own)
        if quantity:
            valid.append(Holding(symbol, quantity, price))
    return valid, [holding for holding in invalid if holding.quantity != 0]


def _net(lots: Sequence[_Lot]) -> _Lot:
    """Return the net quantity of several lots, and the average purchase price of one share of it.

    The price is that of the lots on the remaining side: that of a short lot has no effect on the purchase price of the
    remaining shares. It is unknown if that of one of them is.
    """
    quantity = math.fsum(quantity for quantity, _ in lots)
    if abs(quantity) <= _ROUNDING * math.fsum(abs(quantity) for quantity, _ in lots):
        return 0.0, None
    side = [(size, price) for size, price in lots if (size > 0) == (quantity > 0) and size]
    prices = {price for _, price in side}
    if None in prices or len(prices) == 1:
        return quantity, None if None in prices else prices.pop()
    cost = math.fsum(size * price for size, price in side if price is not None)
    return quantity, cost / math.fsum(size for size, _ in side)


def _thresholds(value: object) -> dict[str, dict[str, float]]:
    """Return the thresholds by rule, NaN for one that cannot be read."""
    if not isinstance(value, dict):
        return {}
    thresholds = {}
    for rule, levels in list(value.items())[:_MOST_RULES]:
        own = levels if isinstance(levels, dict) else {"warning": None, "breach": None}
        # Unknown members are passed on, too: what a person misspelled is to be told.
        numbers = {level[:_LONGEST_NAME]: number_of(value) for level, value in list(own.items())[:_MOST_RULES]}
        thresholds[rule[:_LONGEST_NAME]] = {
            level: math.nan if number is None else number for level, number in numbers.items()
        }
    return thresholds


def _instrument(document: Document) -> Instrument:
    kind, diversified, fractional = (document.get(name) for name in ("kind", "diversified", "fractional"))
    multiplier, lot_size = (_size(document, name) for name in ("multiplier", "lot_size"))
    return Instrument(
        kind=kind.lower() if isinstance(kind, str) else None,
        diversified=diversified if isinstance(diversified, bool) else None,
        # Not 1 for one that cannot be read: a bond would be worth a hundred times as much.
        multiplier=1.0 if multiplier is None else multiplier,
        lot_size=None if lot_size is None or math.isnan(lot_size) else lot_size,
        fractional=fractional if isinstance(fractional, bool) else None,
        currency=_currency(document),
        name=_fact(document, "name"),
        sector=_fact(document, "sector"),
        country=_fact(document, "country"),
    )


def _fact(document: Document, name: str) -> str | None:
    """Return a text that is only shown, without what makes a line break or changes the direction of text."""
    value = document.get(name)
    if not isinstance(value, str):
        return None
    return "".join(filter(str.isprintable, value)).strip()[:_LONGEST_FACT] or None


def _currency(document: Document) -> str | None:
    """Return the currency of an instrument's price; one that cannot be read is unknown, not the default."""
    value = document.get("currency")
    if is_blank(value):
        return None
    currency = currency_of(value)
    if currency is None:
        _log.warning("instruments.currency of %s is no code of three letters", document["symbol"])
    return currency or UNKNOWN_CURRENCY


def _size(document: Document, name: str) -> float | None:
    """Return the number in a field, ``None`` if there is none, NaN if it is no positive number."""
    if document.get(name) is None:
        return None
    number = number_of(document[name])
    if number is None or number < _SMALLEST_SIZE:
        _log.warning("instruments.%s of %s is no positive number", name, document["symbol"])
        return math.nan
    return number
