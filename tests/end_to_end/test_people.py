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
    assert app.client.get(PEOPLE).json() == {"portfolios": [], "next": None, "users": None}
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
    assert app.newest_entry()["action"] == "list_people"


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
        ({"user_ids": "/".join(map(str, range(101)))}, "user_ids"),
        ({"user_ids": "a//b"}, "user_ids"),
        ({"complete": "perhaps"}, "complete"),
    ],
)
def test_a_bad_query_is_refused_with_its_member(app: App, query: dict[str, str], member: str) -> None:
    answer = app.client.get(PEOPLE, params=query)
    assert (answer.status_code, answer.json()["member"]) == (422, member)


@pytest.mark.usefixtures("night")
def test_people_asked_for_by_id_come_with_the_users_that_the_backend_has(app: App) -> None:
    asked = "strange/ada-allrounder/vic-vanished/str"
    page = app.client.get(PEOPLE, params={"user_ids": asked, "limit": "1"}).json()
    more = app.client.get(PEOPLE, params={"user_ids": asked, "limit": "1", "after": page["next"]}).json()
    shown = [own["user_id"] for own in page["portfolios"] + more["portfolios"]]
    assert (shown, more["next"]) == (["ada-allrounder", "strange"], None)
    states = {user["user_id"]: user["active"] for user in page["users"]}
    assert states == {"ada-allrounder": True, "strange": True, "vic-vanished": False}
    assert {user["name"] for user in page["users"]} >= {"Ada Allrounder", FORMULA}
    assert set(app.newest_entry()["user_ids"]) == set(states)
    assert app.client.get(PEOPLE).json()["users"] is None
    other = app.client.get(PEOPLE, params={"user_ids": "strange", "after": page["next"]})
    assert other.status_code == 400


@pytest.mark.usefixtures("night")
def test_a_user_who_was_never_analyzed_is_known(app: App) -> None:
    with connect(app.printed("MongoDB at ")) as client:
        client["portfolio"].users.insert_one({"user_id": "new, from today", "name": "Nora New"})
        page = app.client.get(PEOPLE, params={"user_ids": "new, from today"}).json()
        client["portfolio"].users.delete_one({"user_id": "new, from today"})
    known = {"user_id": "new, from today", "name": "Nora New", "email": None, "active": True}
    assert page == {"portfolios": [], "next": None, "users": [known]}


@pytest.mark.usefixtures("night")
def test_the_incomplete_and_the_failed_are_listed_as_the_book_counts_them(app: App) -> None:
    book = app.client.get(BOOK).json()
    assert book["incomplete"] > 0
    assert len(people(app, complete="false")) == book["incomplete"]
    assert len(people(app, status="failed")) == book["failed"]
    assert len(people(app, status="analyzed")) == book["people"]
    run = app.client.get(f"{BASE}/analysis-runs/{book['run_id']}/portfolios", params={"complete": "false"}).json()
    assert len(run["portfolios"]) == book["incomplete"]


@pytest.mark.usefixtures("night")
def test_a_file_has_everybody_and_no_formula_and_is_on_record(app: App) -> None:
    everybody = people(app)
    answer = app.client.get(PEOPLE, headers={"Accept": CSV})
    lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [line["user_id"] for line in lines] == [own["user_id"] for own in everybody]
    (strange,) = [line for line in lines if line["user_id"] == "strange"]
    assert strange["name"] == f"'{FORMULA}"
    entry = app.newest_entry()
    assert (entry["action"], entry["user_ids_count"]) == ("export_portfolios", len(everybody))
    assert app.client.get(PEOPLE, headers={"Accept": XLSX}).content.startswith(b"PK")
    assert "values" not in lines[0]


def test_files_of_lists_are_named_after_the_day(app: App, night: dict[str, Any]) -> None:
    day, run_id = night["as_of"], night["run_id"]
    of_run = f"{BASE}/analysis-runs/{run_id}/portfolios"
    for path, name in ((PEOPLE, f"portfolios-{day}.csv"), (of_run, f"portfolios-{day}-{run_id}.csv")):
        answer = app.client.get(path, headers={"Accept": CSV})
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'


def test_runs_tell_whose_they_are_and_are_listed_by_it(app: App, night: dict[str, Any]) -> None:
    of_one = app.run(user_ids=["strange"], dry_run=True)
    assert (night["users"], of_one["users"]) == ("all", "some")
    for users, run in (("all", night), ("some", of_one)):
        listed = app.client.get(f"{BASE}/analysis-runs", params={"users": users}).json()["runs"]
        assert [(own["run_id"], own["users"]) for own in listed] == [(run["run_id"], users)]


def test_the_days_of_prices_are_those_that_a_run_can_be_as_of(app: App, night: dict[str, Any]) -> None:
    days = app.client.get(f"{BASE}/price-days").json()
    assert days == {"first": "2010-01-04", "last": night["as_of"]}
    before = app.trigger(as_of="2010-01-03")
    assert (before.status_code, days["first"] in before.json()["detail"]) == (422, True)


@pytest.mark.usefixtures("night")
def test_the_list_and_the_book_need_an_administrator(app: App) -> None:
    for path in (PEOPLE, BOOK):
        assert app.client.get(path, headers={"X-Admin-Secret": "wrong"}).status_code == 401
