"""The steps of a run against a real database: delivered twice, late, and with odd users."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from functions.finishing import finish
from functions.market import load_batch, research_batch
from functions.messages import BatchInput, FinishInput, PageResult, Plan, PlanInput
from functions.pages import analyze
from functions.planning import plan
from functions.services import Services, settings
from market_data.sample_prices import SampleProvider
from stores.batches import BatchStore
from stores.leases import RunLease
from stores.mongo import DocumentDatabase, connect
from stores.portfolios import PortfolioStore
from stores.prices import PriceStore
from stores.records import Outcome, Run, Trigger
from stores.reports import ReportStore
from stores.research import ResearchStore
from stores.runs import RunStore

RUN_ID = "run_20260102_030405_abcd"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("MONGODB_URL", mongodb_url)
    monkeypatch.setenv("MARKET_DATA_PROVIDER", "sample")
    monkeypatch.setenv("ANALYSIS_PAGE_SIZE", "2")
    settings.cache_clear()
    client = connect(mongodb_url)
    yield Services(
        mongodb=client,
        runs=RunStore(database),
        lease=RunLease(database),
        batches=BatchStore(database),
        portfolios=PortfolioStore(database),
        prices=PriceStore(database),
        research=ResearchStore(database),
        reports=ReportStore(database),
        price_cache=None,
        provider=SampleProvider(),
    )
    client.close()
    settings.cache_clear()


def start(services: Services, database: DocumentDatabase, *, users: int = 3, dry_run: bool = False) -> None:
    for number in range(users):
        database.users.insert_one({"user_id": f"u{number}"})
        database.holdings.insert_one({"user_id": f"u{number}", "symbol": "AAPL", "quantity": 1, "avg_price": 1})
    run = Run(RUN_ID, "queued", Trigger("http", "admin-secret"), NOW, dry_run=dry_run)
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


def analyze_all(services: Services, made: Plan) -> list[PageResult]:
    return [analyze(services, BatchInput(RUN_ID, made.plan_id, number)) for number in range(made.pages)]


def test_a_plan_delivered_again_after_the_prices_were_loaded_changes_nothing(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    made = prepare(services)
    database.users.insert_one({"user_id": "late"})
    database.holdings.insert_one({"user_id": "late", "symbol": "MSFT", "quantity": 1, "avg_price": 1})
    assert make_plan(services) == made
    assert services.batches.priced_symbols(made.plan_id) == ["AAPL"]
    assert sum((page.outcome for page in analyze_all(services, made)), Outcome()) == Outcome(analyzed=3)


def test_every_step_delivered_twice_leaves_the_same_result(services: Services, database: DocumentDatabase) -> None:
    start(services, database)
    made = prepare(services)
    again = prepare(services)
    results = [analyze_all(services, plan) for plan in (made, again)]
    assert results[0] == results[1]
    message = FinishInput(RUN_ID)
    assert [finish(services, message) for _ in range(2)] == ["completed", "completed"]
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.users_to_analyze, run.users_analyzed, run.progress.pages_done) == (3, 3, 2)
    assert database.portfolio_analyses.count_documents({}) == 3
    assert database.run_batches.count_documents({}) == 0
    assert database.run_leases.count_documents({}) == 0


def test_users_whose_ids_cannot_be_used_are_counted_and_cost_nobody_else_a_report(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    for user_id in (["u0"], ["x"], 7, "with space", "a/b", "$gt", "x" * 200):
        database.users.insert_one({"user_id": user_id})
        database.holdings.insert_one({"user_id": user_id, "symbol": "AAPL", "quantity": 1, "avg_price": 1})
    made = prepare(services)
    assert sum((page.outcome for page in analyze_all(services, made)), Outcome()) == Outcome(analyzed=3)
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert [error.error for error in run.errors] == [
        "7 documents in users have no user_id, or one that cannot be used."
    ]


def test_messages_stay_small_however_bad_the_data(services: Services, database: DocumentDatabase) -> None:
    start(services, database, users=0, dry_run=True)
    for number in range(200):
        user_id = f"{'u' * 120}{number:04}"
        database.users.insert_one({"user_id": user_id})
        database.holdings.insert_many(
            {"user_id": user_id, "symbol": f"{'S' * 28}{i:04}", "quantity": "ten"} for i in range(5)
        )
    settings.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANALYSIS_PAGE_SIZE", "200")
        patch.setenv("ANALYSIS_MIN_SUCCESS_RATE", "0")
        made = prepare(services)
        (page,) = analyze_all(services, made)
    assert page.outcome == Outcome(failed=200)
    assert len(json.dumps([[error.user_id, error.error_type, error.error] for error in page.errors])) < 48 * 1024


def test_a_page_of_a_run_that_is_over_analyses_nobody(services: Services, database: DocumentDatabase) -> None:
    from functions.runs import RunOver  # noqa: PLC0415 - used here only

    start(services, database)
    made = prepare(services)
    finish(services, FinishInput(RUN_ID))
    with pytest.raises(RunOver):
        analyze_all(services, made)
    assert database.portfolio_analyses.count_documents({}) == 0
