"""How the backend's documents are read. They may contain anything, and all rules about them are here.

A number may be an int, an Int64, a double, a Decimal128 or plain decimal text, up to 1e12 either way. A holding whose
symbol or quantity cannot be read is invalid: it is reported, and counts as a part of unknown value.
"""

import logging
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeIs

from bson import Decimal128

from analysis.models import Holding, Instrument, InvalidHolding, Portfolio
from analysis.spellings import spellings
from stores.mongo import Document
from stores.places import Obstacle

MOST_HOLDINGS = 5_000
MOST_WATCHED = 5_000
"""With this many of both, a report takes some 10 MB of the 16 MB that a MongoDB document may have."""

MOST_ITEMS = 10_000
"""The most documents of one user in the watchlist, whose symbols may be repeated."""

MOST_ACCOUNTS = 499
"""The most documents of one user in accounts, and in users; it makes a lot of 1,000."""

LARGEST_NUMBER = 1e12
_LONGEST_NUMBER = 400
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
# Relative to the sum of the lots' sizes, a net quantity this small is rounding.
_ROUNDING = 1e-12
_MOST_RULES, _LONGEST_NAME = 100, 64
FIELDS_OF_INSTRUMENTS = ("kind", "diversified", "multiplier", "lot_size", "fractional")
_SMALLEST_SIZE = 1e-9
_NOT_AN_OBJECT = "analysis_thresholds is not an object: the default thresholds apply."
# Blanks only inside, as in BRK B.
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=/_:'{}()&+@#!~ -]{0,31}(?<! )")

_log = logging.getLogger(__name__)

type Spelling = Callable[[str], str]
"""Returns the symbol under which the source of prices knows a share."""

type Absent = Callable[[str, str], str]
"""Returns the sentence about a field that a document of a collection lacks, from the names of both."""


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


def absent_field(collection: str, field: str) -> str:  # noqa: ARG001 - the name says it for all collections
    """Return the shortest sentence about a missing field."""
    return f"no field `{field}`"


def read_portfolio(
    user_id: str, documents: UserDocuments, spelling: Spelling, absent: Absent = absent_field
) -> Portfolio | InvalidPortfolio:
    """Return the portfolio in a user's documents."""
    try:
        watched = watched_symbols(documents.watchlist, spelling)
        valid, invalid = _holdings(documents.holdings, spelling, absent)
        cash, buying_power = _accounts(documents.accounts)
    except _Unreadable as error:
        return InvalidPortfolio(user_id, error.error_type, str(error))
    own = documents.users[0].get("analysis_thresholds") if documents.users else None
    notes = () if own is None or isinstance(own, dict) else (_NOT_AN_OBJECT,)
    return Portfolio(
        user_id=user_id,
        holdings=tuple(valid),
        watchlist=tuple(sorted(watched)),
        cash=cash,
        buying_power=buying_power,
        invalid_holdings=tuple(invalid),
        thresholds=_thresholds(own),
        notes=notes + _notes_on_missing(documents, len(watched), absent),
    )


def lacking(documents: UserDocuments) -> set[str]:
    """Return the collections with a document of the user that lacks a field it needs."""
    found = {
        "holdings": any(name not in holding for holding in documents.holdings for name in ("symbol", "quantity")),
        "watchlist": any("symbol" not in item for item in documents.watchlist),
        "accounts": any(map(_has_no_amount, documents.accounts)),
    }
    return {collection for collection, lacks in found.items() if lacks}


def refusal(collection: str, document: Document, absent: Absent = absent_field) -> str | None:
    """Return why a document is left out, or its user, in the words that runs have for it; ``None`` if it is read."""
    if collection == "holdings":
        _, invalid = _holdings([document], str, absent)
        return invalid[0].reason if invalid else None
    if collection == "watchlist":
        readable = is_symbol(document.get("symbol"))
        return (
            None if readable else _fault(collection, document, "symbol", "symbol is not a text that can be one", absent)
        )
    if collection == "accounts":
        try:
            _accounts([document])
        except _Unreadable as error:
            return str(error)
        return absent(collection, "cash") if _has_no_amount(document) else None
    return None if is_active(document) is not None else "is_active is neither true nor false"


def read_instruments(documents: Iterable[Document], symbols: Sequence[str]) -> dict[str, Instrument]:
    """Return the instruments by symbol; of several spellings of a share, that of ``symbols`` counts."""
    share_of = {spelling: symbol for symbol in symbols for spelling in spellings(symbol)}
    in_order = sorted(documents, key=lambda own: (own["symbol"] == share_of[own["symbol"]], own["symbol"]))
    return {share_of[document["symbol"]]: _instrument(document) for document in in_order}


def held_symbols(documents: Sequence[Document], spelling: Spelling) -> frozenset[str]:
    """Return the symbols of the holdings that can be read and are not closed; raises if there are too many."""
    valid, _ = _holdings(documents, spelling)
    return frozenset(holding.symbol for holding in valid)


def watched_symbols(documents: Sequence[Document], spelling: Spelling) -> frozenset[str]:
    """Return the valid ones of the watched symbols; raises if there are too many."""
    if len(documents) > MOST_ITEMS:
        raise _Unreadable("too_many_watched", f"There are more than {MOST_ITEMS} watchlist items.")
    watched = frozenset(spelling(item["symbol"]) for item in documents if is_symbol(item.get("symbol")))
    if len(watched) > MOST_WATCHED:
        raise _Unreadable("too_many_watched", f"There are more than {MOST_WATCHED} symbols watched.")
    return watched


def is_active(user: Document) -> bool | None:
    """Return whether a document says that its user is active, as an absent flag does; ``None`` if it cannot be read."""
    flag = user.get("is_active")
    if isinstance(flag, str):
        flag = {"true": True, "false": False}.get(flag.strip().lower(), flag)
    return True if flag is None else bool(flag) if flag in (0, 1) else None


def is_symbol(value: object) -> TypeIs[str]:
    """Return whether the value can be the symbol of a share."""
    return isinstance(value, str) and _SYMBOL.fullmatch(value) is not None


def number_of(value: object) -> float | None:
    """Return the number in a field, ``None`` if it has none that can be read."""
    number = value if isinstance(value, float) else _converted(value)
    return number if -LARGEST_NUMBER <= number <= LARGEST_NUMBER else None


class _Unreadable(Exception):
    """The documents break a rule, so the user cannot be analyzed."""

    def __init__(self, error_type: str, text: str) -> None:
        super().__init__(text)
        self.error_type = error_type


def _converted(value: object) -> float:
    if isinstance(value, Decimal128):
        decimal = value.to_decimal()
        return float(decimal) if decimal.is_finite() else math.nan
    if isinstance(value, str):
        text = value.strip() if len(value) <= _LONGEST_NUMBER else ""
        return float(text) if _PLAIN_NUMBER.fullmatch(text) else math.nan
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else math.nan


def _accounts(documents: Sequence[Document]) -> tuple[float, float]:
    """Return cash and buying power of all accounts; no cash is zero, no buying power the cash."""
    if len(documents) > MOST_ACCOUNTS:
        raise _Unreadable("invalid_account", f"There are more than {MOST_ACCOUNTS} accounts.")
    cash, buying_power = 0.0, 0.0
    for document in documents:
        own_cash = _amount(document, "cash", 0.0)
        cash += own_cash
        buying_power += _amount(document, "buying_power", own_cash)
    return cash, buying_power


def _amount(account: Document, name: str, default: float) -> float:
    value = account.get(name)
    if value is None:
        return default
    amount = number_of(value)
    if amount is None:
        rule = value.text if isinstance(value, Obstacle) else f"{name} is not a number up to {LARGEST_NUMBER:g}"
        raise _Unreadable("invalid_account", f"The account cannot be read: {rule}")
    return amount


def _has_no_amount(account: Document) -> bool:
    return "cash" not in account and "buying_power" not in account


def _notes_on_missing(documents: UserDocuments, watched: int, absent: Absent) -> tuple[str, ...]:
    """Return notes on the accounts and watchlist items that count for nothing because a field is missing."""
    notes = []
    if any(map(_has_no_amount, documents.accounts)):
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
    documents: Sequence[Document], spelling: Spelling, absent: Absent = absent_field
) -> tuple[list[Holding], list[InvalidHolding]]:
    """Return the holdings, by symbol, one for each share however it is spelled, and the invalid ones.

    A quantity of zero is a closed position, no holding.
    """
    if len(documents) > MOST_HOLDINGS:
        raise _Unreadable("too_many_holdings", f"There are more than {MOST_HOLDINGS} holdings.")
    lots: dict[str, list[_Lot]] = defaultdict(list)
    invalid = []
    for document in documents:
        symbol = document.get("symbol")
        quantity, price = number_of(document.get("quantity")), number_of(document.get("avg_price"))
        if not is_symbol(symbol):
            shown = symbol[:32] if isinstance(symbol, str) else "?"
            rule = _fault("holdings", document, "symbol", "symbol is not a text that can be one", absent)
            invalid.append(InvalidHolding(shown, rule, quantity, price))
        elif quantity is None:
            rule = f"quantity is not a number up to {LARGEST_NUMBER:g}"
            rule = _fault("holdings", document, "quantity", rule, absent)
            invalid.append(InvalidHolding(spelling(symbol), rule, None, price))
        else:
            lots[spelling(symbol)].append((quantity, price))
    netted = ((symbol, *(_net(own) if len(own) > 1 else own[0])) for symbol, own in sorted(lots.items()))
    valid = [Holding(symbol, quantity, price) for symbol, quantity, price in netted if quantity]
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
    )


def _size(document: Document, name: str) -> float | None:
    """Return the number in a field, ``None`` if there is none, NaN if it is no positive number."""
    if document.get(name) is None:
        return None
    number = number_of(document[name])
    if number is None or number < _SMALLEST_SIZE:
        _log.warning("instruments.%s of %s is no positive number", name, document["symbol"])
        return math.nan
    return number
