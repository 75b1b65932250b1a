import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
from pymongo.errors import AutoReconnect

from lake.pages import path_of, write_page
from lake.places import FolderLake, LakeUnavailable
from market_data.sample_prices import SampleProvider
from records import Batch
from runs.reports import analyze
from runs.services import Services
from runs.watching import leave_reports_to_lake
from stores.mongo import DocumentDatabase
from tests.runs.steps import RUN_ID, all_services, analyze_all, finish_run, prepare, start

USERS = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "lake"
    made.mkdir()
    return made


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str, folder: Path) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider(), LAKE_DIR=str(folder), REPORTS_KEPT_NIGHTS="1") as made:
        yield made


def a_run(services: Services, database: DocumentDatabase) -> None:
    start(services, database, users=USERS)
    analyze_all(services, prepare(services))
    finish_run(services)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_each_page_is_a_file_of_its_run_and_day(services: Services, database: DocumentDatabase, folder: Path) -> None:
    a_run(services, database)
    run = services.runs.get(RUN_ID)
    assert run is not None
    path = f"as_of={run.as_of}/run_id={RUN_ID}"
    assert files(folder) == [f"{path}/page-{number:05}.jsonl.gz" for number in range(3)]


def test_duckdb_finds_the_figures_of_the_api_digit_for_digit(
    services: Services, database: DocumentDatabase, folder: Path
) -> None:
    a_run(services, database)
    rows = duckdb.read_json(f"{folder}/*/*/*.jsonl.gz", hive_partitioning=True).order("user_id")
    found = [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]
    assert [row["user_id"] for row in found] == [f"u{number}" for number in range(USERS)]
    for row in found:
        report = services.reports.get(RUN_ID, row["user_id"])
        assert report is not None
        assert report["risk"]["sharpe_ratio"] is not None
        assert report["holdings"][0]["research"]["score"] is not None
        assert comparable(row) == comparable(report)


def test_the_query_on_the_page_finds_what_only_the_last_of_many_files_has(folder: Path) -> None:
    """DuckDB takes the names of members from the first 32 files, unless they are given."""
    pages = 40
    for number in range(pages):
        report = {
            "run_id": RUN_ID,
            "user_id": f"u{number}",
            "as_of": "2026-11-26",
            "status": "analyzed",
            "valuation": {"market_value": 1.5, "cash": 2.5},
            "risk": {"max_drawdown": -number / pages, "beta": None},
            "returns": None if number < pages - 1 else {"basis": "account", "since": "2024-01-31"},
        }
        write_page(FolderLake(folder), path_of(date(2026, 11, 26), RUN_ID, number), [json.dumps(report).encode()])
    page = (Path(__file__).parent.parent.parent / "docs" / "lake.md").read_text()
    (query,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    first, *others = duckdb.execute(query.replace("'lake/", f"'{folder}/")).fetchall()
    assert first == (f"u{pages - 1}", 1.5, -(pages - 1) / pages, date(2024, 1, 31))
    assert [since for *_, since in others] == [None] * 9


def comparable(value: object) -> object:
    """Return a report with days as text, and mappings of DuckDB as objects."""
    if isinstance(value, dict):
        return {name: comparable(of) for name, of in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(of) for of in value]
    return value if isinstance(value, str | bool | int | float | None) else str(value)


def test_a_page_that_breaks_off_after_its_file_was_written_leaves_the_same_file_when_it_is_delivered_again(
    services: Services, database: DocumentDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> None:
        raise AutoReconnect("the server stopped")

    start(services, database, users=USERS)
    made = prepare(services)
    with monkeypatch.context() as patch:
        patch.setattr(services.reports, "save", break_off)
        with pytest.raises(AutoReconnect):
            analyze(services, Batch(RUN_ID, made.plan_id, 1))
    (name,) = files(folder)
    before = (folder / name).read_bytes()
    assert database.portfolio_analyses.count_documents({}) == 0
    analyze(services, Batch(RUN_ID, made.plan_id, 1))
    assert files(folder) == [name]
    assert (folder / name).read_bytes() == before
    assert sorted(database.portfolio_analyses.distinct("user_id")) == ["u2", "u3"]


def test_a_dry_run_writes_no_file(services: Services, database: DocumentDatabase, folder: Path) -> None:
    start(services, database, dry_run=True)
    analyze_all(services, prepare(services))
    assert files(folder) == []


def test_a_page_whose_file_cannot_be_written_stores_nothing_and_is_tried_again(
    services: Services, database: DocumentDatabase, folder: Path
) -> None:
    start(services, database, users=1)
    made = prepare(services)
    run = services.runs.get(RUN_ID)
    assert run is not None
    obstacle = folder / f"as_of={run.as_of}"
    obstacle.write_text("a file where a folder should be")
    with pytest.raises(LakeUnavailable):
        analyze(services, Batch(RUN_ID, made.plan_id, 0))
    assert database.portfolio_analyses.count_documents({}) == 0
    obstacle.unlink()
    analyze_all(services, made)
    assert finish_run(services) == "completed"


def let_a_later_night_complete(database: DocumentDatabase) -> None:
    night = {"status": "completed", "user_ids": None, "retry_of": None, "dry_run": False, "as_of_requested": None}
    completed = database.portfolio_analysis_runs.find_one({"run_id": RUN_ID})
    assert completed is not None
    database.portfolio_analysis_runs.insert_one(
        {"run_id": "run_20990101_000000_0000", "requested_at": completed["completed_at"].replace(year=2099), **night}
    )


def left_behind(services: Services, database: DocumentDatabase) -> dict[str, bytes]:
    """Return the reports of a run, after a later night let it be left to the lake."""
    a_run(services, database)
    reports = {f"u{number}": services.reports.json(RUN_ID, f"u{number}") or b"" for number in range(USERS)}
    let_a_later_night_complete(database)
    leave_reports_to_lake(services)
    return reports


def test_each_call_leaves_some_reports_to_the_lake_until_its_time_is_over_and_gets_further(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.rankings._LINES_PER_BLOCK", 2)
    monkeypatch.setattr("runs.watching._BLOCKS_PER_DELETE", 1)
    monkeypatch.setattr("runs.watching._PURGE_SECONDS", 0)
    a_run(services, database)
    let_a_later_night_complete(database)
    kept: list[int] = []
    for _ in range(5):
        leave_reports_to_lake(services)
        kept.append(database.portfolio_analyses.count_documents({"report": {"$exists": True}}))
    assert kept == [3, 1, 0, 0, 0]
    assert database.portfolio_analysis_runs.distinct("run_id", {"left_to_lake": True}) == [RUN_ID]


def test_reports_of_earlier_nights_are_read_from_the_lake_as_they_were(
    services: Services, database: DocumentDatabase
) -> None:
    before = left_behind(services, database)
    assert database.portfolio_analyses.count_documents({"report": {"$exists": True}}) == 0
    assert database.portfolio_analyses.count_documents({"market_value": {"$gt": 0}}) == USERS
    assert {user_id: services.reports.json(RUN_ID, user_id) for user_id in before} == before


def test_the_reports_of_the_nights_to_keep_stay(services: Services, database: DocumentDatabase) -> None:
    a_run(services, database)
    leave_reports_to_lake(services)
    assert database.portfolio_analyses.count_documents({"report": {"$exists": True}}) == USERS


def test_reports_that_are_not_in_the_lake_stay(services: Services, database: DocumentDatabase) -> None:
    a_run(services, database)
    database.portfolio_analyses.update_one({"user_id": "u1"}, {"$set": {"page": None}})
    database.portfolio_analysis_runs.update_one({}, {"$set": {"left_to_lake": False}})
    left_behind_of = {"report": {"$exists": True}}
    services.reports.leave_to_lake(RUN_ID, None, None)
    assert [own["user_id"] for own in database.portfolio_analyses.find(left_behind_of)] == ["u1"]


def test_an_older_report_of_a_lake_that_does_not_answer_is_no_missing_one(
    services: Services, database: DocumentDatabase, folder: Path
) -> None:
    left_behind(services, database)
    (day,) = folder.iterdir()
    day.rename(folder / "elsewhere")
    day.write_text("a file where a folder should be")
    with pytest.raises(LakeUnavailable):
        services.reports.json(RUN_ID, "u1")


def test_a_report_whose_file_was_deleted_is_none(services: Services, database: DocumentDatabase, folder: Path) -> None:
    left_behind(services, database)
    for name in files(folder):
        (folder / name).unlink()
    assert services.reports.json(RUN_ID, "u1") is None
