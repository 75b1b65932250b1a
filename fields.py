r"""Where the fields that the app reads are in the backend's documents: the setting ``FIELDS``, parsed.

Its entries are ``collection.field=path`` and ``collection=place``, separated by commas. Names in a path are separated
by dots; a backslash before one of ``\.,={}[]`` makes that sign a part of a name. The path ``.`` is an element itself.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

type Path = tuple[str, ...]
"""Names from the document inwards; the empty path is the document itself, or the element of a list."""

type Form = Literal["documents", "object", "array", "map"]
"""How a collection is stored: as documents, or inside those of another as one object, a list or a map."""

FIELDS_OF: Mapping[str, tuple[str, ...]] = {
    "users": (
        "user_id", "is_admin", "is_active", "analysis_thresholds", "base_currency", "lot_method", "name", "username",
        "email",
    ),
    "holdings": ("user_id", "symbol", "quantity", "avg_price"),
    "watchlist": ("user_id", "symbol"),
    "accounts": ("user_id", "account_id", "cash", "buying_power", "currency"),
    "instruments": (
        "symbol", "kind", "diversified", "multiplier", "lot_size", "fractional", "currency", "name", "sector",
        "country",
    ),
    "transactions": (
        "user_id", "transaction_id", "account_id", "date", "type", "symbol", "quantity", "price", "amount", "currency",
        "fee", "tax", "fx_rate", "lot_id", "to_symbol", "ratio", "to_amount", "to_currency", "to_account_id",
    ),
}  # fmt: skip
"""The fields that the app reads, by collection. The first one is the key, by which documents are asked for."""

KEY_IN_MAP: Mapping[str, str] = {
    "holdings": "symbol", "watchlist": "symbol", "accounts": "account_id", "transactions": "transaction_id",
}  # fmt: skip
"""The field that the key in a map is, unless that field has a path."""

_NEVER_INSIDE = ("users", "instruments")
_SIGN_OF: Mapping[Form, str] = {"documents": "", "object": "", "array": "[]", "map": "{}"}
_FORM_OF: Mapping[str, Form] = {"[]": "array", "{}": "map"}
_SIGNS = r"\.,={}[]"
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
# While an entry is split, its escaped signs are characters that no name has.
_MASK = 0xE000
_MASKED = re.compile(f"[{chr(_MASK)}-{chr(_MASK + 0x7F)}]")


class FieldsError(Exception):
    """An entry cannot be used. The message is one line that names the entry and the rule."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the documents of the collection ``name`` are: in ``collection``, asked for by the field at ``key``.

    If they are stored inside other documents, ``inside`` is the path to them. ``paths`` has the path of each field;
    the field without one is the key in a map.
    """

    name: str
    collection: str
    key: Path
    paths: Mapping[str, Path]
    inside: Path = ()
    form: Form = "documents"

    @property
    def is_plain(self) -> bool:
        """Return whether the documents have the app's own names."""
        return self.form == "documents" and all(path == (name,) for name, path in self.paths.items())

    @property
    def described(self) -> str:
        """Return the place as an entry writes it."""
        return shown((self.collection, *self.inside)) + _SIGN_OF[self.form]

    def path_of(self, name: str) -> Path:
        """Return the path of a field, from the document that is stored if it is the key of what is inside."""
        return self.paths.get(name, self.key if name == FIELDS_OF[self.name][0] else ())

    def described_field(self, name: str) -> str:
        """Return the field as an entry writes its path."""
        path = self.path_of(name)
        return shown(path) if path or name in self.paths else f"the key in {self.described}"


def shown(path: Path) -> str:
    """Return the path as an entry writes it."""
    return ".".join(re.sub(r"[\\.,={}\[\]]", r"\\\g<0>", name) for name in path) or "."


@dataclass(frozen=True, slots=True)
class Fields:
    """The place of each collection; by default it has the app's own names."""

    places: Mapping[str, Place] = field(default_factory=lambda: {name: _place(name, {}) for name in FIELDS_OF})

    def __getitem__(self, name: str) -> Place:
        return self.places[name]

    @classmethod
    def read(cls, text: str) -> "Fields":
        """Return the places that the text gives.

        Raises:
            FieldsError: an entry is ill-formed, or is about something that does not exist.
        """
        if not text.isprintable():
            raise FieldsError("has a line break or another sign that cannot be printed")
        entries: dict[Path, _Entry] = {}
        for entry in _entries(text):
            if entry.name in entries:
                raise entry.error(f"{shown(entry.name)} is there twice")
            entries[entry.name] = entry
        return cls({name: _place(name, entries) for name in FIELDS_OF})


@dataclass(frozen=True, slots=True)
class _Entry:
    text: str
    name: Path
    path: Path
    form: Form | None

    def error(self, rule: str) -> FieldsError:
        return FieldsError(f"entry {self.text}: {rule}")


def _entries(text: str) -> Iterator[_Entry]:
    def masked(found: re.Match[str]) -> str:
        if not found[1] or found[1] not in _SIGNS:
            raise FieldsError(f"{found[0]} in {text!r}: a backslash stands before one of {_SIGNS}")
        return chr(_MASK + ord(found[1]))

    return (_entry(entry.strip()) for entry in _ESCAPE.sub(masked, text).split(",") if entry.strip())


def _entry(masked: str) -> _Entry:
    left, equals, right = (part.strip() for part in masked.partition("="))
    form = _FORM_OF.get(right[-2:])
    path = right[:-2] if form else right
    entry = _Entry(_unmasked(masked, "\\"), _names(left), _names(path), form)
    if not equals:
        raise entry.error("write collection.field=path or collection=place")
    collection, *fields = entry.name or ("",)
    if collection not in FIELDS_OF:
        raise entry.error(f"the collection must be one of {', '.join(FIELDS_OF)}")
    if fields and (len(fields) > 1 or fields[0] not in FIELDS_OF[collection]):
        raise entry.error(f"the fields of {collection} are {', '.join(FIELDS_OF[collection])}")
    if re.search(r"[={}\[\]]", path):
        raise entry.error("[] or {} stands at the end of a place; elsewhere a backslash goes before such a sign")
    if not all(entry.path) or (not entry.path and not fields):
        raise entry.error("a name in the path is empty")
    if any(name.startswith("$") or "\0" in name for name in entry.path):
        raise entry.error("no name in a path can begin with $")
    return entry


def _names(masked: str) -> Path:
    return () if masked == "." else tuple(_unmasked(name.strip()) for name in masked.split("."))


def _unmasked(masked: str, escape: str = "") -> str:
    return _MASKED.sub(lambda found: escape + chr(ord(found[0]) - _MASK), masked)


def _place(name: str, entries: Mapping[Path, _Entry]) -> Place:
    own = entries.get((name,))
    paths = {of: entries[name, of].path if (name, of) in entries else (of,) for of in FIELDS_OF[name]}
    if own is not None and len(own.path) > 1:
        place = _inside(name, own, paths, entries)
    else:
        if own is not None and own.form is not None:
            raise own.error("[] and {} follow a path inside documents, as in users.positions[]")
        place = Place(name, own.path[0] if own else name, paths[FIELDS_OF[name][0]], paths)
    _check(place, [entry for of, entry in entries.items() if len(of) > 1 and of[0] == name])
    return place


def _inside(name: str, own: _Entry, paths: Mapping[str, Path], entries: Mapping[Path, _Entry]) -> Place:
    """Return the place of documents that are stored inside those of another collection."""
    around, *inside = own.path
    key = FIELDS_OF[name][0]
    if name in _NEVER_INSIDE:
        raise own.error(f"{name} cannot be inside other documents")
    if around not in FIELDS_OF and own.form is None:
        raise own.error(rf"{around} is none of {', '.join(FIELDS_OF)}; a dot in a name is written \.")
    if around in (*FIELDS_OF, name) and (name, key) in entries:
        raise entries[name, key].error(f"{name} are inside {around}: only {around}.{key} can be given")
    fields = {of: path for of, path in paths.items() if of != key}
    if own.form == "map" and (name, KEY_IN_MAP[name]) not in entries:
        del fields[KEY_IN_MAP[name]]
    form = own.form or "object"
    if around not in FIELDS_OF:
        return Place(name, around, paths[key], fields, tuple(inside), form)
    outer = entries.get((around,))
    if around in (name, "instruments") or (outer is not None and len(outer.path) > 1):
        raise own.error(f"{around} cannot have {name} inside")
    parent = _place(around, entries)
    return Place(name, parent.collection, parent.key, fields, tuple(inside), form)


def _check(place: Place, entries: Collection[_Entry]) -> None:
    """Raise an error if one of the entries for fields does not fit the place."""
    for entry in entries:
        of = entry.name[1]
        if entry.form is not None:
            raise entry.error("[] and {} are for whole collections, as in holdings=users.positions[]")
        if not entry.path and (of == FIELDS_OF[place.name][0] or place.form not in ("array", "map")):
            raise entry.error("the path . is for elements of a list or map")
        if of == FIELDS_OF[place.name][0] and any("." in name for name in entry.path):
            raise entry.error("documents cannot be asked for by a field with a dot in its name")
