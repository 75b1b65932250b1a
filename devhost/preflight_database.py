"""Checks of the database: the backend's documents, the app's indexes, and the clock."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pymongo import IndexModel, MongoClient
from pymongo.errors import PyMongoError

from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
from devhost.findings import Finding, missing, note, ok
from settings import Settings
from stores.audit import AuditLog
from stores.batches import BatchStore
from stores.mongo import Document, DocumentDatabase, connect
from stores.portfolios import PortfolioStore
from stores.reports import ReportStore
from stores.runs import RunStore
from stores.symbols import PriceStore, ResearchStore

type _Keys = tuple[tuple[str, object], ...]

_READ = ("users", "holdings", "watchlist", "accounts")
_NEEDED = ("users", "holdings")
MOST_SECONDS_APART = 30


def database(settings: Settings, secrets: Secrets) -> Iterator[Finding]:
    """Check the database; if it does not answer, that is the only finding."""
    try:
        client = connect(settings.mongodb_url or secrets.get("mongodb-url"))
    except SecretMissing:
        yield missing("database", "mongodb-url is not in the vault")
        return
    except SecretsUnavailable:
        return  # reported before
    with client:
        try:
            yield from _look(client, client[settings.mongodb_database])
        except PyMongoError as error:
            # The class only: the message may contain the URL.
            yield missing("database", f"it does not answer, or refuses ({type(error).__name__})")


def _look(client: MongoClient[Document], database: DocumentDatabase) -> Iterator[Finding]:
    before = datetime.now(UTC)
    there = client.admin.command("hello")["localTime"].replace(tzinfo=UTC)
    after = datetime.now(UTC)
    yield ok("database", f"it answers; {database.name}")
    apart = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if apart > MOST_SECONDS_APART:
        yield missing("clock", f"the database's is {apart:.0f} s apart from this machine's: set whichever is wrong")
    else:
        yield ok("clock", "as the database's")
    yield from _collections(database)
    yield from _indexes(database)


def _collections(database: DocumentDatabase) -> Iterator[Finding]:
    holds = {name for name in _READ if database[name].find_one({}, {"_id": True}) is not None}
    for name in _READ:
        if name in holds:
            yield ok("collections", name)
        elif name in _NEEDED:
            yield missing("collections", f"{name} is empty or not there: is MONGODB_DATABASE the backend's?")
        else:
            yield note("collections", f"{name} is empty or not there")
    if "users" in holds and database["users"].find_one({"is_admin": True}, {"_id": True}) is None:
        yield note("collections", "no user is an administrator (is_admin): no token of the backend gives access")


def _indexes(database: DocumentDatabase) -> Iterator[Finding]:
    lacking = 0
    for name, keys in _wanted():
        there = {tuple(index["key"]) for index in database[name].index_information().values()}
        if keys not in there:
            lacking += 1
            fields = ", ".join(field for field, _ in keys)
            yield missing("indexes", f"{name}: {fields}; the app creates it when a worker first uses the database")
    if not lacking:
        yield ok("indexes", "all there")


def _wanted() -> list[tuple[str, _Keys]]:
    """Return the indexes of the app: its stores request them from a database object that only records them."""
    noted: list[tuple[str, _Keys]] = []

    class Collection:
        def __init__(self, name: str) -> None:
            self._name = name

        def create_indexes(self, indexes: Sequence[IndexModel]) -> None:
            noted.extend((self._name, tuple(index.document["key"].items())) for index in indexes)

    class Database:
        def __getitem__(self, name: str) -> Collection:
            return Collection(name)

        def get_collection(self, name: str, **_options: object) -> Collection:
            return Collection(name)

    for store in (RunStore, BatchStore, PortfolioStore, PriceStore, ResearchStore, ReportStore, AuditLog):
        store(Database()).ensure_indexes()  # type: ignore[arg-type] # they use nothing else of it
    return noted
