"""Reports and lists as files, over HTTP: which kinds there are, what they hold, and who is on record for them."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import openpyxl
import pytest
from pypdf import PdfReader

from functions.http.accepting import CSV, ENDINGS, HTML, PDF, XLSX, ContentKind
from records import Summary
from stores.mongo import connect
from tests.end_to_end.app import BASE, App, running_app

STRANGE = '=1+"Ż";山'
USERS = 130


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app")) as running:
        with connect(running.printed("MongoDB at ")) as client:
            users = [STRANGE, *(f"more{number:03}" for number in range(USERS))]
            client["portfolio"].users.insert_many({"user_id": user} for user in users)
            client["portfolio"].holdings.insert_many(
                {"user_id": user, "symbol": "AAPL", "quantity": 1, "avg_price": 100} for user in users
            )
        yield running


@pytest.fixture(scope="module")
def run(app: App) -> dict[str, Any]:
    return app.run()


def asked(app: App, run: dict[str, Any], accept: str, user_id: str = "", **query: str) -> httpx.Response:
    path = f"{BASE}/analysis-runs/{run['run_id']}/portfolios{'/' if user_id else ''}"
    url = httpx.URL(path).copy_with(path=path + user_id, params=query)
    return app.client.get(url, headers={"Accept": accept})


def every_summary(app: App, run: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = asked(app, run, "application/json", limit="100", **query, **after).json()
        found += page["portfolios"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


@pytest.mark.parametrize(
    "query",
    [{}, {"status": "analyzed", "sort": "market_value", "order": "desc"}, {"user_id_prefix": "more", "limit": "1"}],
)
def test_a_list_has_all_that_the_filter_lists_as_csv_and_xlsx(
    app: App, run: dict[str, Any], query: dict[str, str]
) -> None:
    expected = every_summary(app, run, **{name: value for name, value in query.items() if name != "limit"})
    in_csv, in_xlsx = asked(app, run, CSV, **query), asked(app, run, XLSX, **query)
    for answer, kind in ((in_csv, "text/csv; charset=utf-8"), (in_xlsx, XLSX)):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Content-Disposition"].startswith(
            f'attachment; filename="portfolios-{run["as_of"]}-{run["run_id"]}.'
        )
        assert answer.headers["Vary"] == "Accept"

    lines = list(csv.DictReader(io.StringIO(in_csv.text, newline="")))
    assert tuple(lines[0]) == Summary.__struct_fields__
    assert [line["user_id"].removeprefix("'") for line in lines] == [summary["user_id"] for summary in expected]
    values = [summary["market_value"] for summary in expected]
    assert [float(line["market_value"]) if line["market_value"] else None for line in lines] == values

    head, *rows = openpyxl.load_workbook(io.BytesIO(in_xlsx.content))["Portfolios"].values
    assert head == Summary.__struct_fields__
    assert [row[0] for row in rows] == [summary["user_id"] for summary in expected]
    entry = app.newest_entry()
    assert (entry["action"], entry["outcome"], entry["run_id"]) == ("export_portfolios", "accepted", run["run_id"])
    assert (entry["user_ids_count"], len(entry["user_ids"])) == (len(expected), min(len(expected), 100))


@pytest.mark.parametrize(
    ("kind", "start"), [(CSV, b"section,"), (XLSX, b"PK"), (HTML, b"<!doctype html>"), (PDF, b"%PDF-")]
)
def test_a_report_is_a_file_of_each_kind(app: App, run: dict[str, Any], kind: ContentKind, start: bytes) -> None:
    answer = asked(app, run, kind, STRANGE)
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(start)
    assert answer.headers["Content-Type"].partition(";")[0] == kind
    ending = ENDINGS[ContentKind(kind)]
    day = run["as_of"]
    name = f"portfolio-{day}-%3D1%2B%22%C5%BB%22%3B%E5%B1%B1.{ending}"
    assert answer.headers["Content-Disposition"] == (
        f"attachment; filename=\"portfolio-{day}-_1_.{ending}\"; filename*=UTF-8''{name}"
    )
    assert answer.headers["Vary"] == "Accept"
    assert "script" not in answer.headers["Content-Security-Policy"]
    entry = app.newest_entry()
    assert [entry[name] for name in ("action", "outcome", "user_id")] == ["export_report", "accepted", STRANGE]


def test_every_sample_report_is_a_file_of_every_kind(app: App, run: dict[str, Any]) -> None:
    for summary in every_summary(app, run, sort="warnings", order="desc")[:40]:
        user_id = summary["user_id"]
        report = asked(app, run, "*/*", user_id).json()
        assert report["user_id"] == user_id
        lines = csv.DictReader(io.StringIO(asked(app, run, CSV, user_id).text, newline=""))
        figures = {(line["section"], line["item"], line["figure"]): line["value"] for line in lines}
        assert figures["Report", "Status", "Value"] == report["status"]
        if report["risk"] is not None:
            assert figures["Risk", "Beta", "Value"] == (
                "" if report["risk"]["beta"] is None else str(report["risk"]["beta"])
            )
        text = "".join(
            page.extract_text() for page in PdfReader(io.BytesIO(asked(app, run, PDF, user_id).content)).pages
        )
        assert user_id[:20] in text.replace("\0", "")
        for kind in (HTML, XLSX):
            assert asked(app, run, kind, user_id).status_code == 200


@pytest.mark.parametrize(("user_id", "accept"), [("", PDF), ("", HTML), ("", "image/png"), (STRANGE, "text/plain")])
def test_another_kind_is_refused_with_those_there_are(app: App, run: dict[str, Any], user_id: str, accept: str) -> None:
    answer = asked(app, run, accept, user_id)
    assert (answer.status_code, answer.headers["Content-Type"]) == (406, "application/problem+json")
    assert answer.json()["type"] == "urn:portfolio-analysis:problem:not-acceptable"
    assert f"Accept one of application/json, {CSV}, {XLSX}" in answer.json()["detail"]
    assert answer.headers["Vary"] == "Accept"
    entry = app.newest_entry()
    assert (entry["outcome"], entry["problem"]) == ("refused", "not-acceptable")


@pytest.mark.parametrize("kind", [CSV, XLSX, HTML, PDF])
def test_what_there_is_not_has_no_file(app: App, run: dict[str, Any], kind: str) -> None:
    answer = asked(app, run, kind, "nobody")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    with app.stranger() as stranger:
        refused = stranger.get(f"{BASE}/analysis-runs/{run['run_id']}/portfolios/nobody", headers={"Accept": kind})
    assert refused.status_code == 401


def test_json_varies_by_what_is_accepted_and_how_it_is_compressed(app: App, run: dict[str, Any]) -> None:
    assert asked(app, run, "*/*", STRANGE).headers["Vary"] == "Accept, Accept-Encoding"
    assert asked(app, run, "*/*").headers["Vary"] == "Accept"
