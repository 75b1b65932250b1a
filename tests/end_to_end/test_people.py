"""People and the book over HTTP: lists, cursors, files, and who is on record for them."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from functions.http.accepting import CSV, XLSX
from stores.mongo import connect
from tests.end_to_end.app import BASE, App, running_app

PEOPLE, BOOK = f"{BASE}/portfolios", f"{BASE}/book"
FORMULA = '=HYPERLINK("http://evil.example")'


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app")) as running:
        with connect(running.printed("MongoDB at ")) as client:
            users = client["portfolio"].users
            users.insert_one({"user_id": "strange", "name": FORMULA, "email": "<b>@example.org"})
            client["portfolio"].holdings.insert_one(
                {"user_id": "strange", "symbol": "AAPL", "quantity": 1, "avg_price": 1}
            )
        yield running


@pytest.fixture(scope="module")
def night(app: App) -> dict[str, Any]:
    assert app.client.get(PEOPLE).json() == {"portfolios": [], "next": None}
    assert app.client.get(BOOK).status_code == 404
    return app.run()


def people(app: App, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = app.client.get(PEOPLE, params={"limit": "3", **query, **after}).json()
        found += page["portfolios"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


def newest_entry(app: App) -> dict[str, Any]:
    (entry,) = app.client.get(f"{BASE}/audit?limit=1").json()["entries"]
    assert isinstance(entry, dict)
    return entry


@pytest.mark.usefixtures("night")
def test_pages_show_everybody_once_in_any_order(app: App) -> None:
    by_id = people(app)
    by_value = people(app, sort="market_value", order="desc")
    assert len(by_id) > 3
    assert [own["user_id"] for own in by_id] == sorted(own["user_id"] for own in by_id)
    assert sorted(own["user_id"] for own in by_value) == [own["user_id"] for own in by_id]


def test_the_book_is_the_sum_of_its_people(app: App, night: dict[str, Any]) -> None:
    book, everybody = app.client.get(BOOK).json(), people(app)
    assert (book["run_id"], book["people"], book["currency"]) == (night["run_id"], night["users_analyzed"], "USD")
    in_dollars = [own["total_value"] or 0.0 for own in everybody if own["currency"] == "USD"]
    assert book["total_value"] > sum(in_dollars) > 0
    assert len(book["attention"]) <= 10
    breaches = sum(check["breach"] for check in book["checks"])
    assert breaches == sum(own["breaches"] for own in everybody)
    assert newest_entry(app)["action"] == "list_people"


@pytest.mark.usefixtures("night")
@pytest.mark.parametrize("changed", [{"q": "a"}, {"status": "failed"}, {"check": "drawdown"}, {"order": "desc"}])
def test_a_cursor_of_another_filter_or_order_is_refused(app: App, changed: dict[str, str]) -> None:
    cursor = app.client.get(PEOPLE, params={"limit": "1"}).json()["next"]
    answer = app.client.get(PEOPLE, params={"limit": "1", "after": cursor, **changed})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:portfolio-analysis:problem:cursor-of-another-list")


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "é"])
def test_what_is_no_cursor_is_refused_likewise(app: App, cursor: str) -> None:
    assert app.client.get(PEOPLE, params={"after": cursor}).status_code == 400


@pytest.mark.parametrize(
    ("query", "member"),
    [
        ({"check": "luck"}, "check"),
        ({"check_status": "breach"}, "check_status"),
        ({"sort": "name"}, "sort"),
        ({"q": "x" * 129}, "q"),
    ],
)
def test_a_bad_query_is_refused_with_its_member(app: App, query: dict[str, str], member: str) -> None:
    answer = app.client.get(PEOPLE, params=query)
    assert (answer.status_code, answer.json()["member"]) == (422, member)


@pytest.mark.usefixtures("night")
def test_a_file_has_everybody_and_no_formula_and_is_on_record(app: App) -> None:
    everybody = people(app)
    answer = app.client.get(PEOPLE, headers={"Accept": CSV})
    lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [line["user_id"] for line in lines] == [own["user_id"] for own in everybody]
    (strange,) = [line for line in lines if line["user_id"] == "strange"]
    assert strange["name"] == f"'{FORMULA}"
    entry = newest_entry(app)
    assert (entry["action"], entry["user_ids_count"]) == ("export_portfolios", len(everybody))
    assert app.client.get(PEOPLE, headers={"Accept": XLSX}).content.startswith(b"PK")


@pytest.mark.usefixtures("night")
def test_the_list_and_the_book_need_an_administrator(app: App) -> None:
    for path in (PEOPLE, BOOK):
        assert app.client.get(path, headers={"X-Admin-Secret": "wrong"}).status_code == 401
