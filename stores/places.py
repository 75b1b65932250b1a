"""How documents are read from the places that ``FIELDS`` gives: renamed, and taken out of the documents around them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fields import FIELDS_OF, KEY_IN_MAP, Path, Place, shown
from stores.mongo import Document

ABSENT = object()
"""The value of a field that is not there."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_WANTED_KINDS = {"object": "an object", "array": "an array", "map": "an object"}
_LIKELY = {
    "user_id": ("userid", "user", "uid", "owner", "ownerid", "customerid", "accountid"),
    "symbol": ("symbol", "ticker", "tickersymbol", "instrument", "security", "stock", "asset", "code"),
    "quantity": ("quantity", "shares", "qty", "units", "amount", "position", "size", "count"),
    "avg_price": ("avgprice", "averageprice", "averagecost", "avgcost", "purchaseprice", "buyprice", "entryprice"),
    "cash": ("cash", "cashbalance", "availablecash", "balance"),
    "buying_power": ("buyingpower", "availablefunds"),
    "date": ("date", "tradedate", "executedat", "executed", "bookedat", "bookingdate", "timestamp", "time"),
    "type": ("type", "transactiontype", "kind", "side", "action"),
    "price": ("price", "pricepershare", "unitprice", "rate"),
    "amount": ("amount", "total", "netamount", "value"),
    "to_symbol": ("tosymbol", "newsymbol"),
}  # fmt: skip
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The value of a field whose path leads through, or to, something else than the place says; with the sentence."""

    text: str


def needed_names(place: Place, fields: tuple[str, ...]) -> frozenset[str] | None:
    """Return the outermost names to read for some fields, ``None`` if MongoDB cannot select them."""
    paths = [place.inside] if place.inside else [place.paths[name] for name in fields]
    names = frozenset(path[0] for path in paths)
    return None if any("." in name for name in names) else names


def documents_in(place: Place, stored: Document) -> list[Document]:
    """Return the documents of the place that are in a stored one, with the app's names; absent fields are left out."""
    return [_renamed(place, key, row) for key, row in rows_in(place, stored)]


def rows_in(place: Place, stored: Document) -> Iterator[tuple[str, object]]:
    """Yield the documents of the place as they are stored, each with its key in a map."""
    inside = value_at(stored, place.inside) if place.inside else stored
    if inside is ABSENT or inside is None:
        return
    if place.form in ("documents", "object") and isinstance(inside, dict):
        yield "", inside
    elif place.form == "array" and isinstance(inside, list):
        yield from (("", row) for row in inside)
    elif place.form == "map" and isinstance(inside, dict):
        yield from inside.items()
    elif isinstance(inside, Obstacle):
        yield "", inside
    else:
        yield "", Obstacle(f"`{shown(place.inside)}` is {_kind(inside)}, not {_WANTED_KINDS[place.form]}")


def value_at(stored: object, path: Path) -> object:
    """Return the value at the path; an :class:`Obstacle` if something on the way is no object."""
    value = stored
    for depth, name in enumerate(path):
        if value is None:
            return ABSENT
        if not isinstance(value, dict):
            return Obstacle(f"`{shown(path[:depth])}` is {_kind(value)}, not an object")
        value = value.get(name, ABSENT)
        if value is ABSENT:
            return ABSENT
    return value


def unused_entries(place: Place, stored: Sequence[Document]) -> list[str]:
    """Return the entries of ``FIELDS`` for this place whose path is in none of the documents, if there are some."""
    rows = [row for one in stored for _, row in rows_in(place, one)]
    if stored and not rows:
        return [f"{place.name}={place.described}"]
    paths = [(field, path) for field, path in place.paths.items() if path != (field,)]
    unused = [field for field, path in paths if rows and all(value_at(row, path) is ABSENT for row in rows)]
    return [f"{place.name}.{field}={place.described_field(field)}" for field in unused]


def missing(place: Place, field: str, rows: Sequence[object]) -> str:
    """Return the sentence about a missing field, with the names in the ``rows`` that may be meant."""
    text = f"no field `{place.described_field(field)}`"
    lacking = [row for row in rows if value_at(row, place.path_of(field)) is ABSENT]
    likely = [name for row in lacking if (name := likely_name(field, row))]
    others = [name for row in lacking if isinstance(row, dict) for name in row if _PLAIN_NAME.fullmatch(name)]
    taken = {"_id", "user_id", *(path[0] for own, path in place.paths.items() if path and own != field)}
    names = list(dict.fromkeys(likely[:1] or [name for name in others if name not in taken]))
    if not names:
        return text
    return f"{text}; the document has {', '.join(f'`{name}`' for name in names[:_MOST_NAMES])}: set FIELDS"


def likely_place(stored: Document) -> str | None:
    """Return the place inside a user's document that looks like holdings, as an entry writes it after ``users.``."""
    for name, own in stored.items():
        rows = own if isinstance(own, list) else list(own.values()) if isinstance(own, dict) else []
        fields = ("symbol", "quantity") if isinstance(own, list) else ("quantity",)
        if rows and _PLAIN_NAME.fullmatch(name) and all(likely_name(field, row) for field in fields for row in rows):
            return f"{name}[]" if isinstance(own, list) else f"{name}{{}}"
    return None


def likely_name(field: str, row: object) -> str | None:
    """Return the name, or path of two names, that looks most like the field's."""
    if not isinstance(row, dict):
        return None
    names = {name: name for name in row}
    names |= {f"{name}.{inner}": inner for name, own in row.items() if isinstance(own, dict) for inner in own}
    by_form: dict[str, str] = {}
    for path, last in names.items():
        if all(map(_PLAIN_NAME.fullmatch, path.split("."))):
            by_form.setdefault(last.lower().replace("_", ""), path)
    return next((by_form[form] for form in _LIKELY.get(field, ()) if form in by_form), None)


def _renamed(place: Place, key: str, row: object) -> Document:
    """Return the row with the app's names."""
    if isinstance(row, Obstacle):
        return dict.fromkeys(FIELDS_OF[place.name], row)
    document: Document = {}
    for field, path in place.paths.items():
        if path and not isinstance(row, dict):
            document[field] = Obstacle(f"an element of {place.described} is {_kind(row)}, not an object")
        elif (value := value_at(row, path)) is not ABSENT:
            document[field] = value
    if place.form == "map" and (field := KEY_IN_MAP[place.name]) not in place.paths:
        document[field] = key
    return document


def _kind(value: object) -> str:
    kinds = {
        dict: "an object",
        list: "an array",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), "null" if value is None else "a value of another type")
