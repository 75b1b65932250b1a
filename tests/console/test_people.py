"""The newest night: its people and its book, and the choice of people for a run."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from stores.mongo import connect
from tests.console.site import CHECK, Site, Visitor, is_phone, region
from tests.console.test_runs import nobody_active
from tests.end_to_end.app import BASE, running_app

PEOPLE, BOOK = f"{BASE}/portfolios", f"{BASE}/book"
SEARCH = "ID, name or e-mail contains"
NONE = "\N{EN DASH}"
LONG = "M" * 10_000
RIGHT_TO_LEFT = "\N{RIGHT-TO-LEFT OVERRIDE}علي بن محمد"
MARKUP = "<img src=x onerror='window.injected = 1'><b>Ben"
INVISIBLE = "\N{ZERO WIDTH SPACE}" * 3
STRANGE = {
    "ben-bluechip": MARKUP,
    "cleo-chips": RIGHT_TO_LEFT,
    "dan-dividend": LONG,
    "eve-energy": INVISIBLE,
}


@pytest.fixture(scope="module")
def nights(site: Site, run_id_of_module: str) -> str:
    """Return the newest of two nights: the one before it is as of the day before."""
    day = site.app.status(run_id_of_module)["as_of"]
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    site.database.portfolio_analyses.update_many({"run_id": run_id_of_module}, {"$set": {"as_of": before}})
    for user_id, name in STRANGE.items():
        site.database.users.update_one(
            {"user_id": user_id}, {"$set": {"name": name, "email": f"{'e' * 200}@x.example"}}
        )
    return str(site.app.run()["run_id"])


@pytest.fixture(scope="module")
def run_id_of_module(runs: tuple[str, str]) -> str:
    return runs[1]


@pytest.fixture
def reader(nights: str, admin: Visitor) -> Visitor:
    assert nights
    admin.headed("Overview")
    return admin


def listed(site: Site, **query: Any) -> list[str]:  # noqa: ANN401 - any parameter
    answer = site.app.client.get(PEOPLE, params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    return [person["user_id"] for person in answer.json()["portfolios"]]


def row(page: Page, user_id: str) -> Locator:
    return page.get_by_role("row").filter(has_text=user_id)


def lists(reader: Visitor, users: list[str]) -> None:
    """Wait until exactly these people are listed, in this order."""
    links = reader.page.locator("tbody th a")
    expect(links).to_have_count(len(users))
    for link, user_id in zip(links.all(), users, strict=True):
        expect(link).to_have_attribute("href", re.compile(rf"/portfolios/{user_id}$"))
    reader.settle()


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


def test_people_are_searched_filtered_and_sorted_as_the_api_does(reader: Visitor, site: Site) -> None:
    page = reader.page
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Portfolios").click()
    reader.headed("Portfolios")
    lists(reader, listed(site))
    for name, sort, order in (("Volatility", "annual_volatility", "desc"), ("Max drawdown", "max_drawdown", "asc")):
        page.get_by_role("columnheader", name=name).get_by_role("link").click()
        lists(reader, listed(site, sort=sort, order=order))
    page.get_by_label("Status").select_option(label="Failed")
    lists(reader, ["yuri-corrupt-account"])
    expect(row(page, "yuri-corrupt-account")).to_contain_text("Invalid accounts")
    page.get_by_label("Status").select_option(label="All")
    expect(page.get_by_label("Result")).to_be_disabled()
    page.get_by_label(CHECK).select_option(label="Drawdown")
    query = {"sort": "max_drawdown", "order": "asc", "check": "drawdown"}
    lists(reader, listed(site, **query))
    page.get_by_label("Result").select_option(label="Breach")
    lists(reader, listed(site, check_status="breach", **query))
    page.get_by_label(CHECK).select_option(label="All")
    for part in ("Allround", "ada-allrounder@", "a-allr"):
        page.get_by_label(SEARCH).fill(part)
        lists(reader, ["ada-allrounder"])
    page.get_by_label(SEARCH).fill("nobody of this name")
    expect(page.get_by_text("No matches")).to_be_visible()


def test_a_view_of_people_has_a_link_with_its_columns(reader: Visitor, site: Site) -> None:
    reader.go("/portfolios?q=e&check=volatility&sort=market_value&order=desc&columns=currency,twr_1y")
    lists(reader, listed(site, q="e", check="volatility", sort="market_value", order="desc"))
    heads = reader.page.get_by_role("columnheader")
    expect(heads).to_have_text(["Person", "Return 1y", "Currency"])
    reader.page.get_by_text("Columns").first.click()
    reader.page.get_by_role("checkbox", name="VaR 95%").check()
    expect(heads).to_have_text(["Person", "Return 1y", "Currency", "VaR 95%"])
    reader.page.get_by_role("checkbox", name="Currency").uncheck()
    reader.led_to("/portfolios?q=e&check=volatility&sort=market_value&order=desc&columns=twr_1y%2Cvalue_at_risk_95")
    reader.page.keyboard.press("Escape")
    expect(reader.page.get_by_role("checkbox")).to_have_count(0)
    expect(reader.page.get_by_label(SEARCH)).to_have_value("e")
    expect(reader.page.get_by_label(CHECK)).to_have_value("volatility")


def test_a_person_is_shown_with_figures_and_the_values_of_the_last_nights(reader: Visitor, site: Site) -> None:
    (ada,) = site.app.client.get(PEOPLE, params={"q": "ada-allrounder"}).json()["portfolios"]
    assert len(ada["values"]) == 2
    reader.go("/portfolios")
    line = row(reader.page, "ada-allrounder")
    expect(line).to_contain_text(ada["email"])
    expect(line).to_contain_text(f"${ada['total_value']:,.0f}")
    chart = line.get_by_role("img")
    expect(chart).to_have_attribute(
        "aria-label", f"2 nights: from ${ada['values'][0][1]:,.0f} to ${ada['values'][1][1]:,.0f}"
    )
    points = chart.locator("polyline").get_attribute("points") or ""
    assert len(points.split()) == 2
    expect(row(reader.page, "yuri-corrupt-account").get_by_role("img")).to_have_count(0)
    line.get_by_role("link").click()
    reader.led_to(f"/runs/{ada['run_id']}/portfolios/ada-allrounder")


def test_what_is_listed_is_downloaded(reader: Visitor, site: Site, tmp_path: Path) -> None:
    reader.go("/portfolios?check=drawdown&sort=max_drawdown&order=asc&columns=currency")
    expected = listed(site, check="drawdown", sort="max_drawdown", order="asc")
    lists(reader, expected)
    for kind in ("CSV", "XLSX"):
        with reader.page.expect_download() as begun:
            reader.page.get_by_role("button", name=kind, exact=True).click()
        assert begun.value.suggested_filename == f"portfolios-2022-12-28.{kind.lower()}"
        begun.value.save_as(tmp_path / kind)
    with (tmp_path / "CSV").open(newline="", encoding="utf-8-sig") as file:
        assert [line["user_id"] for line in csv.DictReader(file)] == expected
    assert (tmp_path / "XLSX").read_bytes().startswith(b"PK")


def test_a_file_that_fails_is_told_and_can_be_tried_again(reader: Visitor) -> None:
    reader.expected.add("status of 503")
    problem = {"title": "The database is unavailable", "detail": "Try again later.", "status": 503}
    reader.go("/portfolios")
    reader.settle()

    def refuse(route: Route) -> None:
        if route.request.headers["accept"] == "text/csv":
            route.fulfill(status=503, json=problem)
        else:
            route.fallback()

    reader.page.route("**/portfolio/portfolios", refuse)
    reader.page.get_by_role("button", name="CSV").click()
    expect(reader.page.get_by_role("alert")).to_contain_text("The database is unavailable")
    reader.page.unroute("**/portfolio/portfolios")
    with reader.page.expect_download():
        reader.page.get_by_role("button", name="Try again").click()
    expect(reader.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("device", ["desktop", "phone"])
@pytest.mark.usefixtures("nights")
def test_strange_names_stay_text_and_in_their_place(browser: Browser, site: Site, device: str) -> None:
    visitor = Visitor.arrive(browser, site, **(is_phone("light") if device == "phone" else {}))
    visitor.open("/portfolios?columns=total_value,values,market_value,breaches,warnings,run")
    visitor.sign_in()
    page = visitor.page
    expect(page.get_by_role("link", name=MARKUP)).to_be_visible()
    assert page.evaluate("window.injected") is None
    expect(page.get_by_role("link", name=RIGHT_TO_LEFT).locator("bdi")).to_be_visible()
    expect(row(page, "eve-energy").locator("tbody th a, th a")).to_have_text("eve-energy")  # the name shows nothing
    box = row(page, "dan-dividend").bounding_box()
    assert box is not None
    assert box["height"] < 400
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visitor.flaws() == []
    visitor.leave()


def answer_pages(page: Page, people: list[dict[str, Any]], size: int) -> None:
    """Answer the route of people in the browser with pages of this size."""

    def answer(route: Route) -> None:
        after = int(parse_qs(urlsplit(route.request.url).query).get("after", ["0"])[0])
        more = str(after + size) if after + size < len(people) else None
        route.fulfill(json={"portfolios": people[after : after + size], "next": more})

    page.route(re.compile(r"/portfolio/portfolios\?"), answer)


def test_many_people_are_shown_in_pages(reader: Visitor, site: Site) -> None:
    (ada,) = site.app.client.get(PEOPLE, params={"q": "ada-allrounder"}).json()["portfolios"]
    people = [ada | {"user_id": f"u{number:03}", "name": None} for number in range(120)]
    answer_pages(reader.page, people, 50)
    reader.go("/portfolios?columns=currency")
    lists(reader, [person["user_id"] for person in people[:50]])
    for first in (50, 100):
        reader.page.get_by_role("link", name="Next page").click()
        lists(reader, [person["user_id"] for person in people[first : first + 50]])
    reader.led_to("/portfolios?columns=currency&after=100")
    expect(reader.page.get_by_role("link", name="Next page")).to_have_count(0)
    reader.page.get_by_role("link", name="First page").click()
    reader.led_to("/portfolios?columns=currency")


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
    figure(region(reader, "Newest night"), "Failed").get_by_role("link").click()
    reader.led_to("/portfolios?status=failed")
    reader.page.go_back()
    region(reader, "Needs attention").get_by_role("row").filter(has_text="yuri").get_by_role("link").click()
    reader.led_to(f"/runs/{book['run_id']}/portfolios/yuri-corrupt-account")


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
    expect(attention.get_by_role("link", name=MARKUP)).to_have_attribute("href", f"#/runs/{retried}/portfolios/u1")


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


def test_people_for_a_run_are_found_by_name_and_mistyped_ids_are_told(reader: Visitor, site: Site) -> None:
    page = reader.page
    reader.go("/start")
    expect(page.locator(".plan")).to_have_text(
        "Analyzes everybody as of the last trading day; the reports are stored, as the newest night."
    )
    page.get_by_role("radio", name="Selected people").check()
    find = page.get_by_label("Find by ID, name or e-mail")
    find.fill("allround")
    find.press("Enter")  # searches, and does not send the form
    page.get_by_role("list", name="Found people").get_by_role("button", name="Ada Allrounder").click()
    expect(find).to_be_focused()
    added = page.get_by_role("list", name="Added people")
    expect(added).to_contain_text("Ada Allrounder")
    find.fill("finn")
    page.get_by_role("list", name="Found people").get_by_role("button").first.click()
    added.get_by_role("button", name="Remove finn").click()
    find.fill("nobody of this name")
    expect(page.get_by_text("Nobody found")).to_be_visible()
    page.get_by_label("User IDs").fill("ben-bluechip, ben-blueship")
    expect(page.locator(".plan")).to_contain_text("Analyzes 3 people")
    page.get_by_label("As of").fill("2022-11-18")
    page.get_by_role("checkbox", name="Dry run").check()
    expect(page.locator(".plan")).to_have_text("Analyzes 3 people as of 18 Nov 2022; no reports are stored.")
    page.get_by_role("button", name="Continue").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 ID not found")
    expect(dialog.locator(".notice")).to_contain_text("Nobody of the newest night has the ID ben-blueship.")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_label("User IDs").fill("ben-bluechip")
    page.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("Analyzes 2 people")
    expect(dialog.locator(".notice")).to_have_count(0)
    dialog.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"#/runs/run_\w+$"))
    run = site.app.wait(page.url.rpartition("/")[2])
    assert (run["users_analyzed"], run["dry_run"], run["as_of"]) == (2, True, "2022-11-18")


def test_a_date_that_cannot_be_analyzed_is_told(reader: Visitor) -> None:
    page = reader.page
    reader.go("/start")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    page.get_by_label("As of").fill(tomorrow)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_have_text("The date is in the future.")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_label("As of").fill(datetime.now(UTC).date().isoformat())
    expect(page.get_by_text("The last run had prices until 28 Dec 2022.")).to_be_visible()
    reader.expected.add("status of 422")
    page.get_by_label("As of").fill("1990-01-02")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(re.compile(r"must be a date from \d{4}-"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
@pytest.mark.usefixtures("nights")
def test_the_choice_of_people_and_of_columns_is_accessible(
    browser: Browser, site: Site, theme: Literal["light", "dark"], device: str
) -> None:
    options = is_phone(theme) if device == "phone" else {"color_scheme": theme}
    visitor = Visitor.arrive(browser, site, **options)
    visitor.open("/start")
    visitor.sign_in()
    page = visitor.page
    page.get_by_role("radio", name="Selected people").check()
    page.get_by_label("Find by ID, name or e-mail").fill("div")
    page.get_by_role("list", name="Found people").get_by_role("button").first.click()
    page.get_by_label("Find by ID, name or e-mail").fill("e")
    expect(page.get_by_role("list", name="Found people")).to_be_visible()
    flaws = visitor.flaws()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visitor.go("/portfolios")
    visitor.settle()
    page.get_by_text("Columns").first.click()
    expect(page.get_by_role("checkbox", name="Warnings")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert flaws + visitor.flaws() == []
    visitor.leave()
