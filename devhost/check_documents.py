"""The database as runs would read it: documents accepted and refused, owners without users, rights, indexes."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from analysis.currencies import major
from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
from devhost.findings import Finding, missing, note, ok
from devhost.formats import counted
from devhost.preflight_database import unique_keys
from records import USER_ID_PATTERN
from settings import Settings
from stores.document_checks import CollectionCheck, check_documents
from stores.document_values import Spelling, currency_of
from stores.indexes import description_of
from stores.indexes import missing as missing_indexes
from stores.mongo import OWN_COLLECTIONS, Document, DocumentDatabase, connect, own_database
from stores.nobody import why_nobody
from stores.portfolios import PortfolioStore
from stores.refusals import refusal_of

_PATIENCE_SECONDS = 5
_OWN_ACTIONS = {"find", "insert", "update", "remove"}
_NEEDED = ("users", "holdings")
_UNITLESS = ("holdings", "watchlist")
_USER_ID = re.compile(USER_ID_PATTERN)


def documents(
    settings: Settings, secrets: Secrets, entries: str, spelling: Spelling, holders: Counter[str]
) -> Iterator[Finding]:
    """Yield the findings about the database; add the symbols that people hold to ``holders``, with their number.

    ``entries`` is the text of ``FIELDS``.
    """
    try:
        url = settings.mongodb_url or secrets.get("mongodb-url")
    except (SecretMissing, SecretsUnavailable):
        yield missing(
            "database", "mongodb-url cannot be read from the vault", "set MONGODB_URL, or sign in to the vault"
        )
        return
    try:
        with connect(url) as client:
            with pymongo.timeout(_PATIENCE_SECONDS):
                client.admin.command("ping")
            yield from _look(client, settings, entries, spelling, holders)
    except PyMongoError as error:
        # Not the message, which may contain the URL.
        reason = refusal_of(error) or type(error).__name__
        yield missing(
            "database", f"it does not answer, or refuses ({reason})", "start that server or correct MONGODB_URL"
        )


def _look(
    client: MongoClient[Document], settings: Settings, entries: str, spelling: Spelling, holders: Counter[str]
) -> Iterator[Finding]:
    database = client[settings.mongodb_database]
    yield ok("database", f"{database.name} answers")
    store = PortfolioStore(database, spelling, settings.fields)
    checks = check_documents(store)
    for check in checks:
        yield from _collection(check)
    yield from _fields(checks, entries)
    yield from _people(store, holders)
    yield from _currencies(checks, store, settings.base_currency)
    yield from _rights(client, database, store)
    yield from _indexes(store)


def _collection(check: CollectionCheck) -> Iterator[Finding]:
    name = check.name
    if not check.documents:
        yield note(name, f"{check.place} is empty or not there")
        return
    types = ", ".join(f"{count:,} {kind}" for kind, count in check.id_types.items())
    if check.accepted:
        yield ok(name, f"{check.accepted:,} of {counted(check.documents, 'document')} in {check.place} (ids: {types})")
    for rule, count in check.refused.items():
        yield missing(name, f"{count:,} of {check.documents:,}: {rule}", _change_for(rule, check))
    if check.unknown_costs:
        text = f"{check.unknown_costs:,} of {check.documents:,} without a cost that can be read: their gain is unknown"
        yield note(name, text, "store avg_price as a number, or say with FIELDS where it is")
    for remark, count in check.remarks.items():
        yield note(name, f"{count:,} of {check.documents:,}: {remark}", f"correct these documents of {check.place}")
    if len(check.id_types) > 1:
        yield note(name, f"ids of several types ({types}): they are compared by their text")
    if check.without_match:
        yield _without_match(check)


def _change_for(rule: str, check: CollectionCheck) -> str:
    if check.proposals and rule.startswith("no field"):
        return "set FIELDS as proposed below"
    if "is an object, not an array" in rule:
        return f"FIELDS={check.name}={check.place.removesuffix('[]')}{{}}"
    if "is an array, not an object" in rule:
        return f"FIELDS={check.name}={check.place.removesuffix('{}')}[]"
    return f"correct these documents of {check.place}"


def _without_match(check: CollectionCheck) -> Finding:
    examples = ", ".join(check.examples)
    if check.name == "users":
        text = f"{counted(check.without_match, 'user')} without holdings or a watchlist, not analyzed: {examples}"
        return note(check.name, text)
    text = f"{counted(check.without_match, 'owner')} of {check.name} without a user, left out: {examples}"
    change = f"add the users, correct the ids, or set FIELDS={check.name}.user_id=..."
    # A few of them are what deleted users leave; most of them are ids that do not fit.
    most = 2 * check.without_match > check.owners and check.name != "accounts"
    return missing(check.name, text, change) if most else note(check.name, text, change)


def _fields(checks: Collection[CollectionCheck], entries: str) -> Iterator[Finding]:
    """Yield the line of ``FIELDS`` that may be meant, with the ``entries`` there are, and those that lead nowhere."""
    for check in checks:
        for entry in check.unused:
            told = missing if check.name in _NEEDED else note
            yield told("FIELDS", f"{entry} leads nowhere: no document has it", "correct this entry, or remove it")
    if proposed := [entry for check in checks for entry in check.proposals]:
        text = "the documents seem to have other names; nothing is guessed in a run"
        yield note("FIELDS", text, f"FIELDS={','.join(filter(None, [entries, *proposed]))}")


def _people(store: PortfolioStore, holders: Counter[str]) -> Iterator[Finding]:
    people = 0
    for found in store.active_user_ids(None):
        symbols = store.symbols([user_id for user_id in found if _USER_ID.search(user_id)], contiguous=True)
        people += len(symbols)
        for own in symbols.values():
            holders.update(own.held)
    if people:
        yield ok("people", f"{counted(people, 'user')} to analyze, with {counted(len(holders), 'symbol')} held")
        return
    why = why_nobody(store) or "the database holds no users and no holdings."
    yield missing("people", f"nobody to analyze: {why}", "correct MONGODB_URL, the documents or FIELDS")


def _currencies(checks: Collection[CollectionCheck], store: PortfolioStore, base_currency: str) -> Iterator[Finding]:
    instruments = store.fields["instruments"]
    of_instruments = store.collections["instruments"].documents.distinct(".".join(instruments.paths["currency"]))
    found = {store.fields[check.name].described: check.currencies for check in checks if check.name not in _UNITLESS}
    found[instruments.described] = frozenset(map(major, filter(None, map(currency_of, of_instruments))))
    for place, currencies in found.items():
        if others := sorted(currencies - {base_currency}):
            yield note("currencies", f"{place} names {', '.join(others)}: figures need the rates to {base_currency}")
    for check in checks:
        if check.name in _UNITLESS and (others := sorted(check.currencies - {base_currency})):
            own = f"{store.fields[check.name].described} names {', '.join(others)}, which is not read"
            text = f"{own}: a holding is in the currency of its instrument, or in {base_currency}"
            yield note("currencies", text, "set currency in instruments")


def _rights(client: MongoClient[Document], database: DocumentDatabase, store: PortfolioStore) -> Iterator[Finding]:
    """Check what the database user may do, as far as the server tells."""
    try:
        status = database.command("connectionStatus", showPrivileges=True)["authInfo"]
    except (OperationFailure, KeyError):
        yield note("rights", "the server does not tell what this user may do")
        return
    if not status.get("authenticatedUsers"):
        yield note("rights", "the server asks for no sign-in: everybody who reaches it may read and write everything")
        return
    needed = {collection.documents.name: {"find"} for collection in store.collections.values()}
    needed |= dict.fromkeys(OWN_COLLECTIONS, _OWN_ACTIONS)
    for collection, wanted in unique_keys(own_database(client, database.name)):
        if missing_indexes(collection, wanted):
            needed[collection.name] = needed[collection.name] | {"createIndex"}
    lacking = {
        name: absent
        for name, actions in needed.items()
        if (absent := actions - _allowed(status["authenticatedUserPrivileges"], database.name, name))
    }
    for name, absent in lacking.items():
        yield missing(
            "rights", f"{name}: this user may not {', '.join(sorted(absent))}", "grant the role in docs/data.md"
        )
    if not lacking:
        yield ok("rights", "this user may do what runs need")


def _allowed(privileges: Collection[dict[str, Any]], database: str, collection: str) -> set[str]:
    """Return the actions that some privileges allow on a collection; an empty name in them means any."""
    return {
        action
        for privilege in privileges
        if (resource := privilege["resource"]).get("anyResource")
        or (resource.get("db") in ("", database) and resource.get("collection") in ("", collection))
        for action in privilege["actions"]
    }


def _indexes(store: PortfolioStore) -> Iterator[Finding]:
    lacking = 0
    for collection, wanted in store.indexes():
        try:
            for index in missing_indexes(collection, wanted, if_there=True):
                lacking += 1
                keys = ", ".join(f'"{name}": 1' for name in index.document["key"])
                text = f"{description_of(collection, index)}: without it, runs over many users are slow"
                yield note("indexes", text, f"db.{collection.name}.createIndex({{{keys}}})")
        except OperationFailure as error:
            lacking += 1
            yield note("indexes", f"{collection.name}: they cannot be read ({refusal_of(error) or error.code})")
    if not lacking:
        yield ok("indexes", "all there")
