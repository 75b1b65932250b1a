"""The settings that must not change during a run are fixed in its plan, and reused for the series of its reports."""

from collections.abc import Iterator
from copy import replace
from datetime import date
from typing import Any

import pytest

from analysis.models import Holding, Instrument, InvalidHolding, Portfolio
from analysis.report import analyze_portfolios
from market_data.sample_prices import SampleProvider
from records import Batch
from runs.prices import load_batch
from runs.reports import analyze
from runs.research import research_batch
from runs.series import series_of
from runs.services import Services
from runs.universe import Part, universe_of
from stores.mongo import DocumentDatabase
from tests.builders import save
from tests.runs.steps import RUN_ID, all_services, analyze_all, finish_run, make_plan, prepare, start
from tests.stored import stored_reports


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider(), RISK_FREE_RATE="0.02") as made:
        yield made


def changed(services: Services) -> Services:
    """Return the services of a worker that started after an operator changed every setting of the analysis."""
    settings = replace(
        services.settings,
        benchmark_symbol="MSFT",
        lookback_days=100,
        risk_free_rate=0.5,
        page_size=1,
        min_success_rate=1.0,
    )
    return replace(services, settings=settings)


def reports(database: DocumentDatabase) -> list[dict[str, Any]]:
    return stored_reports(database)


def test_settings_that_change_after_the_plan_change_nothing_in_the_run(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    analyze_all(services, prepare(services))
    expected = reports(database)
    assert expected[0]["risk"]["sharpe_ratio"] is not None
    for collection in database.list_collection_names():
        database.drop_collection(collection)

    start(services, database)
    made, later = make_plan(services), changed(services)
    assert make_plan(later) == made
    for number in range(made.symbol_batches):
        load_batch(later, Batch(RUN_ID, made.plan_id, number))
        research_batch(later, Batch(RUN_ID, made.plan_id, number))
    for number in range(made.pages):
        analyze(later, Batch(RUN_ID, made.plan_id, number))
    assert reports(database) == expected


def test_a_run_that_is_planned_after_the_change_has_the_new_settings(
    services: Services, database: DocumentDatabase
) -> None:
    later = changed(services)
    start(later, database)
    made = prepare(later)
    analyze_all(later, made)
    assert (made.pages, made.min_success_rate) == (3, 1.0)
    assert {report["performance"]["observations"] for report in reports(database)} == {100}
    parameters = services.runs.parameters(RUN_ID)
    assert parameters is not None
    assert (parameters.benchmark_symbol, parameters.risk_free_rate) == ("MSFT", 0.5)


def test_the_series_of_a_report_follow_the_settings_of_its_run_and_not_the_current_ones(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    analyze_all(services, prepare(services))
    finish_run(services)
    (report, *_) = reports(database)
    assert series_of(changed(services), report) == series_of(services, report)


def planned_part(services: Services) -> Part:
    plan_id, run = prepare(services).plan_id, services.runs.planned_run(RUN_ID, services.settings)
    assert run is not None
    with universe_of(services, plan_id, run).part(()) as part:
        return part


def test_the_series_of_a_report_stand_for_what_it_stands_for(services: Services, database: DocumentDatabase) -> None:
    """With a multiplier, cash at the risk-free rate, a holding without a price and one that cannot be read."""
    start(services, database)
    part = planned_part(services)
    held = (Holding("AAPL", 2, 100.0), Holding("MSFT", 5, None), Holding("NOSUCH", 3, 50.0))
    owner = Portfolio(
        "u0",
        held,
        cash=5_000.0,
        invalid_holdings=(InvalidHolding("?", "symbol is not a text that can be one", 1.0, 400.0),),
    )
    instruments = {"AAPL": Instrument(multiplier=100)}
    saved = analyze_portfolios([owner], part.table, part.adviser, instruments, RUN_ID, 0.02)
    save(services.reports, saved)

    report = services.reports.get(RUN_ID, "u0")

    assert report is not None
    assert [holding["reason"] for holding in report["holdings"]] == [None, "missing_price", "missing_price", "invalid"]
    series = series_of(services, report)
    assert series.growth[-1] == pytest.approx(1 + report["performance"]["cumulative_return"], rel=1e-12)


def test_a_run_planned_by_a_version_that_recorded_no_settings_goes_on_with_those_of_now(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    made = make_plan(services)
    database.portfolio_analysis_runs.update_one({"run_id": RUN_ID}, {"$unset": {"parameters": ""}})
    for number in range(made.symbol_batches):
        load_batch(services, Batch(RUN_ID, made.plan_id, number))
        research_batch(services, Batch(RUN_ID, made.plan_id, number))
    analyze_all(services, made)
    assert finish_run(services) == "completed"
    (report, *_) = reports(database)
    assert series_of(services, report).growth


def test_a_step_of_a_run_that_was_never_planned_is_an_error(services: Services, database: DocumentDatabase) -> None:
    start(services, database, as_of=date(2022, 6, 1))
    with pytest.raises(LookupError, match="was never planned"):
        load_batch(services, Batch(RUN_ID, "plan", 0))


def test_prices_of_another_provider_than_that_of_the_plan_end_the_run(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    made = make_plan(services)
    settings = replace(services.settings, market_data_provider="csv")
    result = load_batch(replace(services, settings=settings), Batch(RUN_ID, made.plan_id, 0))
    assert result.failure is not None
    assert result.failure.error_type == "provider_changed"
    assert "from sample to csv" in result.failure.error


def test_a_holding_that_a_report_could_not_value_is_in_no_series_though_its_prices_came_later(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    part = planned_part(services)
    owner = Portfolio("u0", (Holding("AAPL", 2, 100.0), Holding("MSFT", 5, 10.0)))
    unpriced = replace(part.table, columns={"AAPL": part.table.columns["AAPL"]})
    (report,) = analyze_portfolios([owner], unpriced, part.adviser, {}, RUN_ID, 0.02)
    save(services.reports, [report])
    document = services.reports.get(RUN_ID, "u0")
    assert document is not None
    assert document["holdings"][1]["reason"] == "missing_price"
    growth = series_of(services, document).growth[-1]
    assert growth is not None
    assert report.performance is not None
    assert growth - 1 == pytest.approx(report.performance.cumulative_return)
