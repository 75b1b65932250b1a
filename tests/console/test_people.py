"""The people of the newest night: their list, its files, and the way to a person."""

import csv
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.console.site import CHECK, Site, Visitor, is_phone
from tests.end_to_end.app import BASE

PEOPLE = f"{BASE}/portfolios"
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


@pytest.fixture(scope="module", autouse=True)
def strange_names(site: Site) -> None:
    for user_id, name in STRANGE.items():
        site.database.users.update_one(
            {"user_id": user_id}, {"$set": {"name": name, "email": f"{'e' * 200}@x.example"}}
        )


@pytest.fixture
def run_id(nights: str) -> str:
    return nights


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
        expect(link).to_have_attribute("href", re.compile(rf"/portfolios/{user_id}\?from=portfolios"))
    reader.settle()


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
    page.get_by_label("Valuation").select_option(label="Incomplete")
    lists(reader, listed(site, complete="false", sort="max_drawdown", order="asc"))
    page.get_by_label("Valuation").select_option(label="All")
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
    reader.led_to(f"/runs/{ada['run_id']}/portfolios/ada-allrounder?from=portfolios")


def test_a_portfolio_says_whose_it_is_and_leads_back_to_the_list(reader: Visitor, run_id: str) -> None:
    reader.go("/portfolios?q=allround&status=analyzed")
    row(reader.page, "ada-allrounder").get_by_role("link").click()
    heading = reader.page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Ada Allrounder")
    expect(heading).to_contain_text("ada-allrounder · ada-allrounder@")
    expect(reader.page).to_have_title("Ada Allrounder · Portfolio analysis")
    trail = reader.page.get_by_role("navigation", name="Breadcrumb").get_by_role("link")
    expect(trail).to_have_text(["Portfolios"])
    current = reader.page.get_by_role("navigation", name="Main").locator("[aria-current]")
    expect(current).to_have_text("Portfolios")
    reader.page.get_by_role("navigation", name="Sections").get_by_role("link", name="Risk").click()
    trail.click()
    reader.led_to("/portfolios?q=allround&status=analyzed")
    reader.go(f"/runs/{run_id}/portfolios/ada-allrounder")
    expect(trail).to_have_text(["Runs", "Run", "Portfolios"])
    expect(current).to_have_text("Runs")
    reader.go(f"/runs/{run_id}/portfolios/ada-allrounder?from=audit")  # not a list of people
    expect(trail).to_have_text(["Runs", "Run", "Portfolios"])


@pytest.mark.parametrize("device", ["desktop", "phone"])
@pytest.mark.usefixtures("nights")
def test_a_strange_name_is_no_more_than_text_in_a_heading(browser: Browser, site: Site, device: str) -> None:
    visitor = Visitor.arrive(browser, site, **(is_phone("light") if device == "phone" else {}))
    visitor.open("/portfolios")
    visitor.sign_in()
    heading = visitor.page.get_by_role("heading", level=1)
    for user_id, shown in (("ben-bluechip", MARKUP), ("eve-energy", "eve-energy"), ("dan-dividend", "MMMM")):
        row(visitor.page, user_id).get_by_role("link").click()
        expect(heading.locator("bdi").first).to_contain_text(shown)
        box = heading.bounding_box()
        assert box is not None
        assert box["height"] < 120
        assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        visitor.page.go_back()
    row(visitor.page, "cleo-chips").get_by_role("link").click()
    expect(heading.locator("bdi").first).to_have_text(RIGHT_TO_LEFT)
    expect(visitor.page).to_have_title(re.compile(RIGHT_TO_LEFT[1:]))
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in visitor.page.title()
    assert visitor.page.evaluate("window.injected") is None
    visitor.leave()


@pytest.mark.usefixtures("nights")
def test_the_values_of_a_person_are_found_by_the_whole_id(reader: Visitor, site: Site, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios/mia-monthly?section=money")
    reader.settle()
    asked = [url for url in reader.asked if urlsplit(url).path == PEOPLE]
    assert [parse_qs(urlsplit(url).query) for url in asked] == [{"user_ids": ["mia-monthly"], "limit": ["1"]}]
    assert site.app.client.get(PEOPLE, params={"user_ids": "mia-monthly"}).json()["portfolios"][0]["values"]


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
