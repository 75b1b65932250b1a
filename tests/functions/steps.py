"""The steps of a run, called like the engine does, on a real database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest

from functions.market import load_batch, research_batch
from functions.messages import BatchInput, BatchResult, Plan, PlanInput
from functions.pages import analyze
from functions.planning import plan
from functions.services import Services, settings
from market_data.provider import Provider
from stores.administrators import AdministratorStore
from stores.audit import AuditLog
from stores.batches import BatchStore
from stores.leases import RunLease
from stores.mongo import DocumentDatabase, connect
from stores.portfolios import PortfolioStore
from stores.prices import PriceStore
from stores.records import Run, Trigger
from stores.reports import ReportStore
from stores.research import ResearchStore
from stores.runs import RunStore

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
        settings.cache_clear()
        client = connect(mongodb_url)
        reports = ReportStore(database)
        reports.ensure_indexes()
        yield Services(
            mongodb=client,
            runs=RunStore(database),
            lease=RunLease(database),
            batches=BatchStore(database),
            administrators=AdministratorStore(database),
            portfolios=PortfolioStore(database),
            prices=PriceStore(database),
            research=ResearchStore(database),
            reports=reports,
            audit=AuditLog(database),
            price_cache=None,
            provider=provider,
        )
        client.close()
    settings.cache_clear()


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


def make_plan(services: Services) -> Plan:
    return plan(services, PlanInput(RUN_ID, NOW))


def prepare(services: Services) -> Plan:
    made = make_plan(services)
    for number in range(made.symbol_batches):
        load_batch(services, BatchInput(RUN_ID, made.plan_id, number))
        research_batch(services, BatchInput(RUN_ID, made.plan_id, number))
    return made


def analyze_all(services: Services, made: Plan) -> list[BatchResult]:
    return [analyze(services, BatchInput(RUN_ID, made.plan_id, number)) for number in range(made.pages)]
