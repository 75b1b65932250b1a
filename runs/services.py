"""The parts that the steps of a run work with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings import Settings

if TYPE_CHECKING:  # slow to import; the worker connects on first use
    from collections.abc import Callable, Sequence

    from pymongo import MongoClient

    from delivery.events import Event
    from delivery.webhooks.sending import Answer
    from endpoints import Endpoint
    from lake.places import Lake
    from market_data.provider import Provider
    from records import Run
    from stores.administrators import AdministratorStore
    from stores.audit import AuditLog
    from stores.batches import BatchStore
    from stores.books import BookStore
    from stores.indexes import Indexed
    from stores.mongo import Document
    from stores.nights import NightStore
    from stores.outbox import OutboxStore
    from stores.pages import PageStore
    from stores.passes import PassStore
    from stores.people import PeopleStore
    from stores.portfolios import PortfolioStore
    from stores.rankings import RankingStore
    from stores.reports import ReportStore
    from stores.runs import RunLease, RunStore
    from stores.sessions import SessionStore
    from stores.symbols import PriceStore, ResearchStore
    from stores.transactions import TransactionStore
    from stores.webhooks import WebhookStore


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Services:
    """A worker's settings, stores and source of prices.

    ``send`` sends events to an endpoint, until a time of the monotonic clock, and returns what became of them, of the
    first ones if it does not answer or the time is over.
    ``record_end`` is called with each run that ended, and the type of its error if it failed. ``ensure_keys`` is called
    before a run is recorded: nothing may be written to the app's own collections before their unique indexes are there.
    """

    settings: Settings
    mongodb: "MongoClient[Document]"
    runs: "RunStore"
    lease: "RunLease"
    nights: "NightStore"
    batches: "BatchStore"
    pages: "PageStore"
    administrators: "AdministratorStore"
    portfolios: "PortfolioStore"
    people: "PeopleStore"
    transactions: "TransactionStore"
    prices: "PriceStore"
    research: "ResearchStore"
    reports: "ReportStore"
    rankings: "RankingStore"
    books: "BookStore"
    outbox: "OutboxStore"
    passes: "PassStore"
    webhooks: "WebhookStore"
    lake: "Lake | None"
    audit: "AuditLog"
    sessions: "SessionStore"
    provider: "Provider"
    send: "Callable[[Endpoint, Sequence[Event], float], list[Answer]]"
    record_end: "Callable[[Run, str | None], None]"
    ensure_keys: "Callable[[], None]"

    @property
    def own(self) -> "tuple[Indexed, ...]":
        """Return the stores of the app's own collections."""
        return (
            self.runs, self.batches, self.prices, self.research, self.reports, self.rankings, self.books, self.outbox,
            self.passes, self.webhooks, self.audit, self.sessions,
        )  # fmt: skip
