"""The steps of a run, called like the engine does, on a real database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest

from credentials.secrets import Secrets
from delivery.deliverer import Deliverer
from functions.telemetry.spans import record_end
from lake.places import FolderLake
from market_data.provider import Provider
from records import Batch, BatchResult, Failure, Plan, Run, RunStatus, Trigger
from runs.collecting import plan_at_once
from runs.ending import finish
from runs.prices import load_batch
from runs.reports import analyze
from runs.research import research_batch
from runs.services import Services
from settings import Settings
from stores.administrators import AdministratorStore
from stores.audit import AuditLog
from stores.batches import BatchStore
from stores.books import BookStore
from stores.mongo import DocumentDatabase, connect
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

RUN_ID = "run_20260102_030405_abcd"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@contextmanager
def all_services(
    database: DocumentDatabase, mongodb_url: str, provider: Provider, **environment: str
) -> Iterator[Services]:
    """Yield all services with this source of prices, under their own settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONGODB_URL", mongodb_url)
        patch.setenv("MARKET_DATA_PROVIDER", "sample")
        patch.setenv("ANALYSIS_SCHEDULE", "0 0 1 * * *")
        patch.setenv("ANALYSIS_PAGE_SIZE", "2")
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = Settings.from_environment()
        client = connect(mongodb_url)
        research = ResearchStore(database)
        lake = FolderLake(settings.lake_dir) if settings.lake_dir else None
        reports = ReportStore(database, research, lake)
        reports.ensure_indexes()
        portfolios = PortfolioStore(database)
        allow_private = settings.webhooks_allow_private
        deliverer = Deliverer(settings.event_source, Secrets(settings).signing, allow_private=allow_private)
        yield Services(
            settings=settings,
            mongodb=client,
            runs=RunStore(database),
            lease=RunLease(database),
            nights=NightStore(database),
            batches=BatchStore(database),
            pages=PageStore(database),
            administrators=AdministratorStore(database),
            portfolios=portfolios,
            people=PeopleStore(database, settings.fields),
            transactions=TransactionStore(portfolios),
            prices=PriceStore(database),
            research=research,
            reports=reports,
            rankings=RankingStore(database),
            books=BookStore(database),
            outbox=OutboxStore(database),
            passes=PassStore(database),
            webhooks=WebhookStore(database, settings.webhooks, allow_private=settings.webhooks_allow_private),
            send=deliverer.send,
            lake=lake,
            audit=AuditLog(database),
            sessions=SessionStore(database),
            provider=provider,
            record_end=record_end,
            ensure_keys=lambda: None,
        )
        client.close()
        deliverer.close()


def start(
    services: Services,
    database: DocumentDatabase,
    *,
    users: int = 3,
    dry_run: bool = False,
    as_of: date | None = None,
) -> None:
    for number in range(users):
        database.users.insert_one({"user_id": f"u{number}"})
        database.holdings.insert_one({"user_id": f"u{number}", "symbol": "AAPL", "quantity": 1, "avg_price": 1})
    run = Run(RUN_ID, "queued", Trigger("http", "admin-secret"), NOW, dry_run=dry_run, as_of=as_of)
    services.runs.create(run, None)
    services.lease.acquire(RUN_ID, NOW)


def finish_run(services: Services, failure: Failure | None = None) -> RunStatus:
    return finish(services, RUN_ID, failure, {})


def make_plan(services: Services) -> Plan:
    return plan_at_once(services, RUN_ID, NOW)


def prepare(services: Services) -> Plan:
    made = make_plan(services)
    for number in range(made.symbol_batches):
        load_batch(services, Batch(RUN_ID, made.plan_id, number))
        research_batch(services, Batch(RUN_ID, made.plan_id, number))
    return made


def analyze_all(services: Services, made: Plan) -> list[BatchResult]:
    return [analyze(services, Batch(RUN_ID, made.plan_id, number)) for number in range(made.pages)]
