"""Checks of the database: the backend's documents, the indexes, which it creates where they lack, and the clock."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from pymongo import IndexModel, MongoClient
from pymongo.errors import NetworkTimeout, OperationFailure, PyMongoError

from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
from devhost.findings import Finding, missing, note, ok
from fields import Fields, shown
from settings import Settings
from stores.audit import AuditLog
from stores.backend import BackendCollection
from stores.batches import BatchStore
from stores.books import BookStore
from stores.indexes import Indexed, create_missing, description_of
from stores.mongo import Document, DocumentDatabase, Documents, connect, own_database
from stores.outbox import OutboxStore
from stores.passes import PassStore
from stores.portfolios import PortfolioStore
from stores.rankings import RankingStore
from stores.refusals import refusal_of
from stores.reports import ReportStore
from stores.runs import RunStore
from stores.sessions import SessionStore
from stores.symbols import PriceStore, ResearchStore
from stores.webhooks import WebhookStore

_OWN: tuple[Callable[[DocumentDatabase], Indexed], ...] = (
    RunStore, BatchStore, PriceStore, ResearchStore, RankingStore, BookStore, OutboxStore, PassStore, WebhookStore,
    AuditLog, SessionStore, lambda own: ReportStore(own, ResearchStore(own)),
)  # fmt: skip
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
            yield from _look(client, client[settings.mongodb_database], settings.fields)
        except PyMongoError as error:
            # Not the message, which may contain the URL.
            yield missing("database", f"it does not answer, or refuses ({refusal_of(error) or type(error).__name__})")


def _look(client: MongoClient[Document], database: DocumentDatabase, fields: Fields) -> Iterator[Finding]:
    before = datetime.now(UTC)
    there = client.admin.command("hello")["localTime"].replace(tzinfo=UTC)
    after = datetime.now(UTC)
    yield ok("database", f"it answers; {database.name}")
    apart = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if apart > MOST_SECONDS_APART:
        yield missing("clock", f"the database's is {apart:.0f} s apart from this machine's: set whichever is wrong")
    else:
        yield ok("clock", "as the database's")
    portfolios = PortfolioStore(database, fields=fields)
    yield from _collections(portfolios)
    if all(_holds(portfolios.collections[name].documents) for name in _NEEDED):
        yield from _indexes(portfolios, own_database(client, database.name))


def _collections(portfolios: PortfolioStore) -> Iterator[Finding]:
    """Check what the backend's collections hold, and how they compare."""
    for collection, names in portfolios.names().items():
        name = collection.documents.name
        if _holds(collection.documents):
            yield ok("collections", name)
        elif not names.isdisjoint(_NEEDED):
            rule = "is MONGODB_DATABASE the backend's, and FIELDS right?"
            yield missing("collections", f"{name} is empty or not there: {rule}")
        else:
            yield note("collections", f"{name} is empty or not there")
        yield from _collation(collection)
    users, is_admin = portfolios.collections["users"].documents, portfolios.fields["users"].paths["is_admin"]
    if _holds(users) and users.find_one({".".join(is_admin): True}, {"_id": True}) is None:
        yield note(
            "collections", f"no user is an administrator ({shown(is_admin)}): no token of the backend gives access"
        )


def _collation(collection: BackendCollection) -> Iterator[Finding]:
    name = collection.documents.name
    try:
        default = collection.default_collation()
    except OperationFailure as error:
        yield note("collections", f"{name}: its collation cannot be read ({refusal_of(error) or error.code})")
        return
    if default is not None:
        text = f"{name} compares by {default['locale']}, strength {default.get('strength', 3)}"
        yield note("collections", f"{text}: the app compares ids exactly, for which an index of its own is needed")


def unique_keys(own: DocumentDatabase) -> Iterator[tuple[Documents, list[IndexModel]]]:
    """Yield the app's own collections with their unique indexes, without which no run starts."""
    for collection, wanted in (pair for store in _OWN for pair in store(own).indexes()):
        if keys := [index for index in wanted if index.document.get("unique")]:
            yield collection, keys


def _holds(collection: Documents) -> bool:
    return collection.find_one({}, {"_id": True}) is not None


def _indexes(portfolios: PortfolioStore, own: DocumentDatabase) -> Iterator[Finding]:
    """Create the indexes that lack. An empty collection of the backend is left to the backend."""
    lacking = False
    owned = [pair for store in _OWN for pair in store(own).indexes()]
    of_backend = [(collection, wanted) for collection, wanted in portfolios.indexes() if _holds(collection)]
    for collection, wanted in owned + of_backend:
        for index in wanted:
            described = description_of(collection, index)
            try:
                if create_missing(collection, [index]):
                    yield ok("indexes", f"{described}; created")
            except NetworkTimeout:
                lacking = True
                yield note("indexes", f"{described}; it is being created, which takes a while: check again later")
            except OperationFailure as error:
                lacking = True
                yield missing(
                    "indexes", f"{described}; it cannot be looked for or created ({refusal_of(error) or error.code})"
                )
    if not lacking:
        yield ok("indexes", "all there")
