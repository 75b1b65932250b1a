"""What the backend's collections hold, judged by the code that reads them in a run. Every document is read once."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from analysis.currencies import major
from fields import FIELDS_OF, Place
from records import USER_ID_PATTERN
from stores.backend import ID_TYPES, text_of, type_of
from stores.document_values import currency_of, number_of
from stores.mongo import Document
from stores.places import ABSENT, documents_in, likely_name, likely_place, missing, rows_in, value_at
from stores.portfolio_documents import refusal, remarks
from stores.portfolios import MOST_OF_USER, PortfolioStore
from stores.transaction_documents import faults_of

_CHECKED = ("users", "holdings", "watchlist", "accounts", "transactions")
_CURRENCIES = {
    "users": ("base_currency",), "accounts": ("currency",), "transactions": ("currency", "to_currency"),
}  # fmt: skip
_AT_ONCE = 1_000
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
    remarks: Mapping[str, int]
    """What documents that are read say in vain, with their number."""

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
    remarks: Counter[str] = field(default_factory=Counter)
    pending: list[tuple[object, Document]] = field(default_factory=list)
    """Transactions that are still to be judged: as they are stored, and with the app's names."""


def check_documents(store: PortfolioStore) -> list[CollectionCheck]:
    """Return the checks of all collections of users, in the order of this module; nothing is written."""
    tallies = {name: _Tally(0, Counter(), Counter(), set(), Counter(), set(), Counter()) for name in _CHECKED}
    documents_of_users, places = set[str](), Counter[str]()
    for collection, names in store.names().items():
        for stored in collection.documents.find() if names & tallies.keys() else ():
            for name in names & tallies.keys():
                _add(store, name, stored, tallies[name])
            if "users" in names:
                documents_of_users.add(text_of(stored["_id"]))
                places.update(filter(None, [likely_place(stored)]))
            if len(tallies["transactions"].pending) >= _AT_ONCE:
                _judge(store, tallies["transactions"])
    _judge(store, tallies["transactions"])
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
        tally.currencies.update(_currencies(name, row, document))
        tally.used.update(document)
        if name == "transactions" and not fault:
            tally.pending.append((row, document))
        else:
            _add_row(store, name, row, document, fault or refusal(name, document, store.absent({name: [row]})), tally)


def _add_row(
    store: PortfolioStore, name: str, row: object, document: Document, reason: str | None, tally: _Tally
) -> None:
    """Add one document of a place, which is refused if there is a reason."""
    if reason:
        tally.refused[reason] += 1
    elif name == "holdings" and number_of(document.get("avg_price")) is None:
        tally.unknown_costs += 1
    elif name == "users":
        tally.remarks.update(remarks(document))
    if name != "transactions":
        for name_of_field in store.fields[name].paths.keys() - document.keys() - {"user_id"}:
            tally.proposals.update(_proposed(name, name_of_field, row))


def _judge(store: PortfolioStore, tally: _Tally) -> None:
    """Judge the transactions that wait for it; together, since they are read by columns."""
    for position, fault in faults_of([document for _, document in tally.pending]).items():
        row = tally.pending[position][0]
        tally.refused[fault.sentence(store.absent({"transactions": [row]}))] += 1
        if fault.rule is None:
            # A transaction of another type may rightly have no such field, and a name of the app's own is another one.
            own = {f"transactions.{fault.field}={name}" for name in FIELDS_OF["transactions"]}
            tally.proposals.update(set(_proposed("transactions", fault.field, row)) - own)
    tally.pending.clear()


def _currencies(name: str, row: object, document: Document) -> Iterator[str]:
    """Yield the currencies that a document names."""
    own = [document.get(field) for field in _CURRENCIES.get(name, ())]
    if name in ("holdings", "watchlist") and isinstance(row, dict):
        own = [row.get("currency")]
    yield from (major(currency) for currency in map(currency_of, own) if currency)


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
        effect = "none of theirs is read" if name == "transactions" else "fail for it"
        yield f"{len(crowds):,} of their owners have more than {most:,}, and {effect}", sum(crowds)


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
        remarks=dict(tally.remarks),
    )
