"""What the backend's collections hold, judged by the code that reads them in a run. Every document is read once."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fields import Place
from records import USER_ID_PATTERN
from stores.backend import ID_TYPES, text_of, type_of
from stores.document_values import number_of
from stores.mongo import Document
from stores.places import ABSENT, documents_in, likely_name, likely_place, missing, rows_in, value_at
from stores.portfolio_documents import refusal
from stores.portfolios import MOST_OF_USER, PortfolioStore

_CHECKED = ("users", "holdings", "watchlist", "accounts")
_OF_ID_TYPES = {kind.name for kind in ID_TYPES}
_USER_ID = re.compile(USER_ID_PATTERN)
_MOST_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class CollectionCheck:
    """What runs read of a collection, and what they refuse, by the rule.

    ``without_match`` are the ids of ``owners`` without a user; of ``users``, the ids that own neither holdings nor a
    watchlist. ``proposals`` are entries of ``FIELDS`` that may be meant, with the number of documents that suggest it.
    """

    name: str
    place: str
    documents: int
    refused: Mapping[str, int]
    id_types: Mapping[str, int]
    owners: int
    without_match: int
    examples: tuple[str, ...]
    """Some ids without a match, in the order of their texts."""
    proposals: Mapping[str, int]
    unused: tuple[str, ...]
    """The entries of ``FIELDS`` whose path is in none of the documents."""
    unknown_costs: int
    """The holdings that are read without their cost."""
    currencies: frozenset[str]

    @property
    def accepted(self) -> int:
        """Return the number of documents that are read."""
        return max(self.documents - sum(self.refused.values()), 0)


@dataclass(slots=True)
class _Tally:
    documents: int
    refused: Counter[str]
    id_types: Counter[str]
    ids: set[str]
    proposals: Counter[str]
    used: set[str]
    """The fields that some document has, and the app's name of the collection if there is something at its place."""
    of_owner: Counter[str]
    unknown_costs: int = 0
    currencies: set[str] = field(default_factory=set)


def check_documents(store: PortfolioStore) -> list[CollectionCheck]:
    """Return the checks of users, holdings, watchlist and accounts, in this order; nothing is written."""
    tallies = {name: _Tally(0, Counter(), Counter(), set(), Counter(), set(), Counter()) for name in _CHECKED}
    documents_of_users, places = set[str](), Counter[str]()
    for collection, names in store.names().items():
        for stored in collection.documents.find() if names & tallies.keys() else ():
            for name in names & tallies.keys():
                _add(store, name, stored, tallies[name])
            if "users" in names:
                documents_of_users.add(text_of(stored["_id"]))
                places.update(filter(None, [likely_place(stored)]))
    users, owners = tallies["users"].ids, tallies["holdings"].ids | tallies["watchlist"].ids
    if not tallies["holdings"].documents:
        tallies["holdings"].proposals.update({f"holdings=users.{place}": count for place, count in places.items()})
    if owners and not owners & users and owners & documents_of_users:
        tallies["users"].proposals["users.user_id=_id"] = len(owners & documents_of_users)
    return [
        _check(store, name, tally, users - owners if name == "users" else tally.ids - users)
        for name, tally in tallies.items()
    ]


def _add(store: PortfolioStore, name: str, stored: Document, tally: _Tally) -> None:
    """Add what is stored in one document."""
    place = store.fields[name]
    value, rows = value_at(stored, place.key), list(rows_in(place, stored))
    if not rows:
        return
    tally.documents += len(rows)
    tally.id_types["missing" if value is ABSENT else type_of(value)] += 1
    if value is ABSENT:
        fault = missing(place, "user_id", [stored])
        key = likely_name("user_id", stored) or ("id" if "id" in stored else "_id" if name == "users" else None)
        tally.proposals.update([f"{name}.user_id={key}"] if key else [])
    elif not (fault := _fault_of_id(value)):
        tally.ids.add(text_of(value))
        tally.of_owner[text_of(value)] += len(rows)
    for (_, row), document in zip(rows, documents_in(place, stored), strict=True):
        reason = fault or refusal(name, document, store.absent({name: [row]}))
        if reason:
            tally.refused[reason] += 1
        elif name == "holdings" and number_of(document.get("avg_price")) is None:
            tally.unknown_costs += 1
        if isinstance(row, dict) and isinstance(currency := row.get("currency"), str):
            tally.currencies.add(currency.upper())
        tally.used.update(document)
        for name_of_field in place.paths.keys() - document.keys() - {"user_id"}:
            tally.proposals.update(_proposed(name, name_of_field, row))


def _fault_of_id(value: object) -> str:
    """Return why a value is no id that can be used; nothing for one that can."""
    text = text_of(value)
    if not text:
        return (
            f"the id cannot be used: it is of the type {type_of(value)}, not one of {', '.join(sorted(_OF_ID_TYPES))}"
        )
    return "" if _USER_ID.search(text) else "the id cannot be used: it is too long, or has signs that cannot be shown"


def _proposed(name: str, field: str, row: object) -> Iterator[str]:
    if (likely := likely_name(field, row)) is not None:
        yield f"{name}.{field}={likely}"


def _unused(place: Place, tally: _Tally) -> Iterator[str]:
    """Yield the entries of ``FIELDS`` for a place that no document has."""
    if not tally.documents:
        if place.described != place.name:
            yield f"{place.name}={place.described}"
        return
    for name, path in place.paths.items():
        if path != (name,) and name not in tally.used:
            yield f"{place.name}.{name}={place.described_field(name)}"


def _too_many(name: str, tally: _Tally) -> Iterator[tuple[str, int]]:
    """Yield the rule that a user with too many documents breaks, and how many documents these are."""
    most = MOST_OF_USER[name]
    if crowds := [count for count in tally.of_owner.values() if count > most]:
        yield f"{len(crowds):,} of their owners have more than {most:,}, and fail for it", sum(crowds)


def _check(store: PortfolioStore, name: str, tally: _Tally, without: set[str]) -> CollectionCheck:
    return CollectionCheck(
        name=name,
        place=store.fields[name].described,
        documents=tally.documents,
        refused={**tally.refused, **dict(_too_many(name, tally))},
        id_types=dict(tally.id_types),
        owners=len(tally.ids),
        without_match=len(without),
        examples=tuple(sorted(without)[:_MOST_EXAMPLES]),
        proposals=dict(tally.proposals.most_common()),
        unused=tuple(_unused(store.fields[name], tally)),
        unknown_costs=tally.unknown_costs,
        currencies=frozenset(tally.currencies),
    )
