"""The overview of the newest night: its book, what became of the last run of everybody, and nights that are missing."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Locator, expect

from stores.mongo import connect
from tests.console.site import Site, Visitor, region
from tests.console.test_people import MARKUP, PEOPLE, listed, lists
from tests.console.test_runs import nobody_active
from tests.end_to_end.app import BASE, running_app

BOOK = f"{BASE}/book"


@pytest.fixture
def run_id(nights: str) -> str:
    return nights


def test_before_the_first_night_both_pages_say_so(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path) as app, connect(app.printed("MongoDB at ")) as client:
        visitor = Visitor.arrive(browser, Site(app, client["portfolio"], cast("Any", None)))
        visitor.open()
        visitor.sign_in()
        night = region(visitor, "Newest night")
        expect(night).to_contain_text("No night yet")
        assert [url for url in visitor.asked if url.endswith("/book")] == []
        visitor.go("/portfolios")
        expect(visitor.page.get_by_text("No night yet")).to_be_visible()
        app.run(dry_run=True)
        app.run(user_ids=["ada-allrounder"])
        app.run(as_of="2022-06-01")
        visitor.go("/")
        expect(night).to_contain_text("No night yet")
        expect(region(visitor, "Needs attention")).to_have_count(0)
        app.run()
        visitor.go("/runs")
        visitor.go("/")
        expect(night).to_contain_text("26 people")
        visitor.leave()


def test_a_night_of_nobody_is_not_taken_for_none(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path) as app, connect(app.printed("MongoDB at ")) as client:
        for name in ("users", "holdings", "watchlist", "accounts", "transactions"):
            client["portfolio"][name].delete_many({})
        assert app.run()["status"] == "completed"
        visitor = Visitor.arrive(browser, Site(app, client["portfolio"], cast("Any", None)))
        visitor.open()
        visitor.sign_in()
        expect(region(visitor, "Newest night")).to_contain_text("0 people")
        expect(region(visitor, "Needs attention")).to_contain_text("Nobody in this night")
        visitor.go("/portfolios")
        expect(visitor.page.get_by_text("Nobody in this night")).to_be_visible()
        visitor.leave()


def figure(card: Locator, label: str) -> Locator:
    return card.locator(".fact").filter(has=card.page.locator("dt", has_text=re.compile(f"^{label}$"))).locator("dd")


def test_the_overview_shows_the_book_of_the_newest_night_with_one_request(reader: Visitor, site: Site) -> None:
    book = site.app.client.get(BOOK).json()
    night = region(reader, "Newest night")
    expect(figure(night, "Total value")).to_have_text(f"${book['total_value']:,.0f}")
    expect(figure(night, "Analyzed")).to_have_text(f"{book['people']} people")
    expect(figure(night, "Incomplete")).to_have_text(str(book["incomplete"]))
    expect(figure(night, "Failed")).to_have_text(str(book["failed"]))
    expect(figure(night, "Newest price")).to_contain_text("Old: ")
    attention = region(reader, "Needs attention")
    expect(attention.locator("tbody tr")).to_have_count(len(book["attention"]))
    expect(attention.get_by_role("row").filter(has_text="yuri-corrupt-account")).to_contain_text("Failed")
    asked = [url.removeprefix(site.url) for url in reader.asked]
    assert asked.count(BOOK) == 1
    assert not [path for path in asked if path.startswith(PEOPLE)]


def test_the_book_leads_to_the_people_of_each_figure(reader: Visitor, site: Site) -> None:
    book = site.app.client.get(BOOK).json()
    (drawdown,) = [check for check in book["checks"] if check["rule"] == "drawdown"]
    checks = region(reader, "Checks")
    for status in ("breach", "warning"):
        checks.get_by_role("link", name=f"Drawdown, {status}: {drawdown[status]}").click()
        reader.led_to(f"/portfolios?check=drawdown&check_status={status}")
        lists(reader, listed(site, check="drawdown", check_status=status))
        reader.page.go_back()
        reader.headed("Overview")
    for name, number, query in (
        ("Failed", book["failed"], {"status": "failed"}),
        ("Incomplete", book["incomplete"], {"complete": "false"}),
        ("Analyzed", book["people"], {"status": "analyzed"}),
    ):
        figure(region(reader, "Newest night"), name).get_by_role("link").click()
        reader.led_to(f"/portfolios?{urlencode(query)}")
        assert len(listed(site, **query)) == number > 0
        lists(reader, listed(site, **query))
        reader.page.go_back()
    region(reader, "Needs attention").get_by_role("row").filter(has_text="yuri").get_by_role("link").click()
    reader.led_to(f"/runs/{book['run_id']}/portfolios/yuri-corrupt-account?from=portfolios")


def test_new_breaches_recoveries_and_fresh_prices_look_like_what_they_are(reader: Visitor, site: Site) -> None:
    book = site.app.client.get(BOOK).json()
    today = datetime.now(UTC).date().isoformat()
    rules = {"drawdown": (1, 2), "volatility": (3, 0)}
    for check in book["checks"]:
        check["new_breaches"], check["recovered"] = rules.get(check["rule"], (0, 0))
    reason = {"user_id": "u1", "name": MARKUP, "why": "new_breach", "rule": "drawdown", "since": today}
    retried = "run_20200101_000000_abcd"
    reason |= {"run_id": retried}
    book |= {"newest_price": today, "unconverted": 2, "attention": [reason]}
    reader.page.route("**/portfolio/book", lambda route: route.fulfill(json=book))
    reader.go("/runs")
    reader.go("/")
    night = region(reader, "Newest night")
    expect(figure(night, "New breaches")).to_have_text("4")
    expect(figure(night, "Recovered")).to_have_text("2")
    expect(figure(night, "Newest price")).to_contain_text("today")
    expect(figure(night, "Newest price")).not_to_contain_text("Old")
    expect(figure(night, "Total value")).to_contain_text("Without 2 people: no exchange rate")
    attention = region(reader, "Needs attention")
    expect(attention.get_by_role("link", name=MARKUP)).to_be_visible()
    expect(attention).to_contain_text("New breachDrawdown")
    expect(attention.get_by_role("link", name=MARKUP)).to_have_attribute(
        "href", f"#/runs/{retried}/portfolios/u1?from=portfolios"
    )


@pytest.fixture
def failed_night(site: Site, nights: str) -> Iterator[str]:
    assert nights
    with nobody_active(site):
        run = site.app.run()
    assert run["status"] == "failed"
    yield run["run_id"]
    site.database.portfolio_analysis_runs.delete_one({"run_id": run["run_id"]})


def test_a_failed_night_is_told_beside_the_figures_of_the_one_before(
    failed_night: str, admin: Visitor, site: Site
) -> None:
    night = region(admin, "Newest night")
    expect(night.get_by_role("alert")).to_contain_text(re.compile("The run by admin-secret of .* failed"))
    expect(night.get_by_role("alert")).to_contain_text("These figures are of the night before.")
    expect(figure(night, "Analyzed")).to_have_text(f"{site.app.client.get(BOOK).json()['people']} people")
    night.get_by_role("link", name="View the run").click()
    admin.led_to(f"/runs/{failed_night}")


def test_a_canceled_night_is_told_also_while_another_run_is_active(
    failed_night: str, admin: Visitor, site: Site
) -> None:
    runs = site.database.portfolio_analysis_runs
    runs.update_one({"run_id": failed_night}, {"$set": {"status": "canceled"}})
    record = runs.find_one({"run_id": failed_night}, {"_id": False}) or {}
    active = f"{failed_night[:-4]}ffff"
    later = {"requested_at": record["requested_at"] + timedelta(seconds=1), "request": {"key": active}}
    runs.insert_one(record | later | {"run_id": active, "status": "running"})
    try:
        admin.go("/runs")
        admin.go("/")
        night = region(admin, "Newest night")
        expect(night.locator(".notice")).to_contain_text(re.compile("The run by admin-secret of .* was canceled"))
        expect(region(admin, "Status").get_by_role("heading")).to_have_text("Run in progress")
    finally:
        runs.delete_one({"run_id": active})


@pytest.fixture
def later_runs(site: Site, nights: str) -> Iterator[list[str]]:
    """Yield more runs than the overview shows after the newest night, all of one person and failed, the first dry."""
    assert nights
    runs = site.database.portfolio_analysis_runs
    run_id = site.app.run(user_ids=["ada-allrounder"], dry_run=True)["run_id"]
    runs.update_one({"run_id": run_id}, {"$set": {"status": "failed"}})
    record = runs.find_one({"run_id": run_id}, {"_id": False}) or {}
    made = [f"{run_id[:-4]}f{number:03}" for number in range(40)]
    for number, other in enumerate(made, start=1):
        at = record["requested_at"] + timedelta(seconds=number)
        runs.insert_one(record | {"run_id": other, "dry_run": False, "requested_at": at, "request": {"key": other}})
    yield [run_id, *made]
    runs.delete_many({"run_id": {"$in": [run_id, *made]}})


def test_failed_runs_of_one_person_are_in_the_list_and_nowhere_else(
    later_runs: list[str], admin: Visitor, site: Site, nights: str
) -> None:
    night, standing = region(admin, "Newest night"), region(admin, "Status")
    expect(night).to_contain_text(f"{site.app.client.get(BOOK).json()['people']} people")
    expect(night.get_by_role("alert")).to_have_count(0)
    expect(standing).to_contain_text(f"{site.app.status(nights)['users_analyzed']} portfolios analyzed")
    expect(standing).not_to_contain_text("Last run failed")
    expect(standing.get_by_role("link", name="View run")).to_have_attribute("href", f"#/runs/{nights}")
    newest = region(admin, "Recent runs").locator("tbody tr").first
    expect(newest).to_contain_text("Selected people")
    expect(newest).to_contain_text("Failed")
    expect(newest.get_by_role("link")).to_have_attribute("href", f"#/runs/{later_runs[-1]}")


def test_a_failed_night_is_told_however_many_other_runs_came_after_it(
    failed_night: str, later_runs: list[str], admin: Visitor
) -> None:
    assert later_runs
    expect(region(admin, "Newest night").get_by_role("alert")).to_contain_text(re.compile("The run by .* failed"))
    expect(region(admin, "Status").get_by_role("heading")).to_have_text("Last run failed")
    expect(region(admin, "Status").get_by_role("link", name="View run")).to_have_attribute(
        "href", f"#/runs/{failed_night}"
    )
