"""A portfolio's page: its sections, how it is divided, its charts, its holdings, and other nights beside it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.console.earned import a_series
from tests.console.site import BACKTEST, Site, Visitor, region
from tests.console.test_own_page import arrive
from tests.console.test_sign_in import a_token
from tests.console.test_your_money import answer_routes, store
from tests.stored import change_report

ADA, EVA = "ada-allrounder", "eva-euro"
DRAWDOWN = "Backtest: drawdown"
SECTIONS = ["Summary", "Your money", "Risk", "Holdings", "Income", "Gains", "Advice", "Data quality"]
# Every text that a chart draws.
DRAWN = """
window.drawn = [];
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
  window.drawn.push(text);
  return fillText.call(this, text, ...rest);
};
"""


def open_portfolio(reader: Visitor, run_id: str, user_id: str = ADA, query: str = "") -> None:
    reader.go(f"/runs/{run_id}/portfolios/{user_id}{query}")
    reader.headed(user_id)
    reader.settle()


def change_answer(page: Page, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the reports that the page reads."""

    def answer(route: Route) -> None:
        report = route.fetch().json()
        change(report)
        route.fulfill(json=report)

    page.route(re.compile(r"/analysis-runs/[^/]+/portfolios/[^/?]+$"), answer)


def bar(reader: Visitor) -> Locator:
    return reader.page.get_by_role("navigation", name="Sections")


def entry(reader: Visitor, name: str) -> Locator:
    return bar(reader).get_by_role("link", name=name, exact=True)


def marks(reader: Visitor, name: str) -> None:
    """Wait until the bar marks this section, and no other."""
    expect(bar(reader).locator("[aria-current='location']")).to_have_text([name])


def chart(reader: Visitor, name: str) -> Locator:
    return region(reader, name).get_by_role("slider")


def day_of(reader: Visitor, name: str) -> str:
    """Return the day whose values a chart shows."""
    return str(chart(reader, name).get_attribute("aria-valuetext")).split(":")[0]


def test_the_bar_leads_to_each_section_and_marks_the_one_in_view(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id)
    expect(bar(reader).get_by_role("link")).to_have_text(SECTIONS)
    marks(reader, "Summary")
    place = f"/runs/{run_id}/portfolios/{ADA}"
    for name, section in (
        ("Risk", "risk"),
        ("Advice", "advice"),
        ("Data quality", "quality"),
        ("Holdings", "holdings"),
    ):
        entry(reader, name).press("Enter")
        reader.led_to(f"{place}?section={section}")
        expect(reader.page.get_by_role("heading", name=name, exact=True)).to_be_focused()
        expect(reader.page.get_by_role("heading", name=name, exact=True)).to_be_in_viewport()
        expect(bar(reader)).to_be_in_viewport()
        marks(reader, name)
        expect(reader.page).to_have_title(f"{name} · Ada Allrounder · Portfolio analysis")
    reader.page.go_back()
    reader.led_to(f"{place}?section=quality")
    marks(reader, "Data quality")


def test_the_bar_follows_the_reader(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id)
    region(reader, "Correlation of holdings").scroll_into_view_if_needed()
    marks(reader, "Risk")
    reader.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(bar(reader).locator("[aria-current='location']")).not_to_have_text("Risk")
    entry(reader, "Risk").click()
    reader.page.mouse.wheel(0, -20_000)
    marks(reader, "Summary")
    entry(reader, "Risk").click()  # once more, though the address does not change
    marks(reader, "Risk")
    expect(region(reader, "Risk")).to_be_in_viewport()


def test_the_heading_of_a_section_is_below_the_bar(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id, query="?section=income")
    heading = reader.page.get_by_role("heading", name="Income", exact=True)
    expect(heading).to_be_focused()
    (above, below) = (bar(reader).bounding_box(), heading.bounding_box())
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"] <= 200


def test_a_section_stays_where_it_was_led_to_while_others_load(reader: Visitor, run_id: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    reader.page.route(re.compile("/(series|earlier|returns)$"), hold)
    reader.go(f"/runs/{run_id}/portfolios/{ADA}?section=income")
    heading = reader.page.get_by_role("heading", name="Income", exact=True)
    expect(heading).to_be_focused()
    expect(reader.page.locator(".skeleton")).not_to_have_count(0)
    top = "heading => heading.getBoundingClientRect().top"
    before = heading.evaluate(top)
    with reader.page.expect_response("**/series"):
        for route in held:
            route.continue_()
    reader.settle()
    assert heading.evaluate(top) == pytest.approx(before, abs=2)
    marks(reader, "Income")


def test_a_section_without_content_has_no_entry(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id, "nell-nothing-held")
    for absent in ("Risk", "Holdings"):
        expect(entry(reader, absent)).to_have_count(0)
        expect(reader.page.get_by_role("heading", name=absent, exact=True)).to_have_count(0)
    open_portfolio(reader, run_id, "yuri-corrupt-account")
    expect(bar(reader)).to_have_count(0)


def test_an_unknown_section_opens_the_page_at_its_top(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id, query="?section=nonsense")
    reader.begun(ADA)
    marks(reader, "Summary")


def rows(card: Locator) -> list[list[str]]:
    return [row.locator("th, td.number").all_inner_texts() for row in card.locator("tbody tr").all()]


def divided(report: dict[str, Any]) -> None:
    """Make twelve holdings of 100 each, with a short, one without a sector and one without a value, and no cash."""
    held = report["holdings"][0]
    report["holdings"] = [
        held | {"symbol": f"S{number:02}", "market_value": 100.0, "research": held["research"] | {"sector": "Tech"}}
        for number in range(12)
    ]
    report["holdings"][1]["market_value"] = -300.0
    report["holdings"][1]["research"]["sector"] = "Energy"
    report["holdings"][2]["research"]["sector"] = None
    report["holdings"][3]["research"] = None
    report["holdings"][4] |= {"market_value": None, "price": None, "reason": "missing_price"}
    report["valuation"] |= {"cash": 0.0, "market_value": 700.0}


def test_the_allocation_has_the_largest_ten_the_others_and_what_is_unknown(reader: Visitor, run_id: str) -> None:
    change_answer(reader.page, divided)
    open_portfolio(reader, run_id)
    card = region(reader, "Allocation")
    found = rows(card)
    # 1,300 in all: 300 short, and ten of 100.
    assert found[0][0].endswith("Short")
    assert found[0][1:] == ["23.1%", "$300.00"]
    assert len(found) == 11
    assert found[-1][0].startswith("Other")
    assert found[-1][1:] == ["7.7%", "$100.00"]
    expect(card).to_contain_text("Not in it, for want of a value: S04.")
    expect(card).to_contain_text("Short positions and debt count by their size")
    card.get_by_role("button", name="Sector").click()
    assert [row[:2] for row in rows(card)] == [["Tech", "61.5%"], ["Energy\nShort", "23.1%"], ["Unknown", "15.4%"]]


def test_the_allocation_is_that_of_the_report(reader: Visitor, site: Site, run_id: str) -> None:
    open_portfolio(reader, run_id)
    report = site.app.report(run_id, ADA)
    card = region(reader, "Allocation")
    expect(card.get_by_role("button", name="Holding")).to_have_attribute("aria-pressed", "true")
    largest = max(report["holdings"], key=lambda held: held["market_value"])
    expect(card.get_by_role("row").filter(has_text=largest["symbol"])).to_contain_text(f"{largest['weight']:.1%}")
    expect(card.get_by_role("row").filter(has_text="Cash")).to_have_count(1)
    card.get_by_role("button", name="Country").click()
    expect(card.get_by_role("rowheader")).to_have_text(["United States", "Cash"])
    card.get_by_role("button", name="Currency").click()
    expect(card.get_by_role("rowheader")).to_have_text([re.compile("USD.*US Dollar", re.DOTALL)])
    expect(card).not_to_contain_text("Short positions")
    expect(card).not_to_contain_text("Not in it")


def test_a_chart_shows_the_period_that_is_chosen(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id)
    growth, drawdown = chart(reader, BACKTEST), chart(reader, DRAWDOWN)
    periods = region(reader, BACKTEST).get_by_role("group", name="Period of")
    expect(periods.get_by_role("button")).to_have_text(["1M", "3M", "YTD", "1Y", "All"])
    expect(periods.get_by_role("button", name="All")).to_have_attribute("aria-pressed", "true")
    whole = int(str(growth.get_attribute("aria-valuemax")))
    periods.get_by_role("button", name="1Y").click()
    expect(growth).to_have_attribute("aria-valuemax", re.compile("^5[234]$"))
    expect(drawdown).to_have_attribute("aria-valuemax", str(whole))
    growth.press("Home")
    expect(growth).to_have_attribute("aria-valuetext", re.compile("Dec 2021: Benchmark 0%, Today's holdings 0%$"))
    expect(region(reader, BACKTEST).locator(".line-values")).to_contain_text(re.compile("since 2. Dec 2021"))
    periods.get_by_role("button", name="YTD").click()
    growth.press("Home")
    expect(growth).to_have_attribute("aria-valuetext", re.compile("^(30|31) Dec 2021: "))


def test_periods_are_offered_as_far_as_the_data_reach(reader: Visitor, site: Site, run_id: str) -> None:
    store(site, run_id)
    answer_routes(reader.page, series=a_series(7))
    open_portfolio(reader, run_id, EVA)
    value = region(reader, "Value and invested money")
    expect(value.get_by_role("button")).to_have_text(["1M", "All"])
    reader.page.unroute_all()
    answer_routes(reader.page, series=a_series(3))
    reader.page.reload()
    reader.settle()
    expect(value.get_by_role("slider")).to_be_visible()
    expect(value.get_by_role("button")).to_have_count(0)


def test_all_charts_show_the_same_day(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id, query="?section=risk")
    first, second = chart(reader, BACKTEST), chart(reader, DRAWDOWN)
    end = day_of(reader, DRAWDOWN)
    first.press("Home")
    start = day_of(reader, BACKTEST)
    expect(second).to_have_attribute("aria-valuetext", re.compile(f"^{start}: "))
    second.press("ArrowRight")
    expect(second).not_to_have_attribute("aria-valuetext", re.compile(f"^{start}: "))
    expect(first).to_have_attribute("aria-valuetext", re.compile(f"^{day_of(reader, DRAWDOWN)}: "))
    second.evaluate("chart => chart.blur()")
    for one in (first, second):
        expect(one).to_have_attribute("aria-valuetext", re.compile(f"^{end}: "))
    first.hover()
    expect(first).not_to_have_attribute("aria-valuetext", re.compile(f"^{end}: "))
    hovered = day_of(reader, BACKTEST)
    expect(second).to_have_attribute("aria-valuetext", re.compile(f"^{hovered}: "))
    lines = reader.page.locator("#section-risk .u-cursor-x:not(.u-off)")
    expect(lines).to_have_count(2)
    (above, below) = (line.bounding_box() for line in lines.all())
    assert above
    assert below
    assert above["x"] == pytest.approx(below["x"], abs=2)
    reader.page.mouse.move(5, 5)
    for one in (first, second):
        expect(one).to_have_attribute("aria-valuetext", re.compile(f"^{end}: "))


@pytest.mark.parametrize("locale", ["en-US", "en-GB"])
def test_no_label_of_an_axis_can_be_taken_for_another_date(
    browser: Browser, site: Site, run_id: str, locale: str
) -> None:
    visitor = Visitor.arrive(browser, site, locale=locale)
    visitor.page.add_init_script(DRAWN)
    visitor.open(f"/runs/{run_id}/portfolios/{ADA}?section=risk")
    visitor.sign_in()
    visitor.settle()
    seen: set[str] = set()
    for period in ("All", "1Y", "YTD", "3M", "1M"):
        visitor.page.evaluate("window.drawn.length = 0")
        region(visitor, BACKTEST).get_by_role("button", name=period).click()
        visitor.page.wait_for_function("period => window.drawn.length > 0 || period === 'All'", arg=period)
        seen |= set(visitor.page.evaluate("window.drawn"))
    dates = {label for label in seen if not re.search("[%kK]$", label)}
    wanted = re.compile(r"\d{4}|[A-Z][a-z]+ \d{4}|\d{1,2} [A-Z][a-z]+ \d{4}|[A-Z][a-z]+ \d{1,2}, \d{4}")
    assert {label for label in dates if not wanted.fullmatch(label)} == set()
    assert any(re.fullmatch(r"[A-Z][a-z]+ 2022", label) for label in dates)
    assert any(len(label) > len("Sept 2022") for label in dates)
    visitor.leave()


def test_without_transactions_there_is_the_value_of_the_last_nights(reader: Visitor, site: Site, run_id: str) -> None:
    change_report(site.database, run_id, "ben-bluechip", returns=None, reasons={"returns": "no_transactions"})
    nights = [("2022-12-23", 100.0), ("2022-12-27", 110.0), ("2022-12-28", 120.5), ("2023-01-02", 999.0)]

    def answer(route: Route) -> None:
        people = route.fetch().json()
        people["portfolios"][0]["values"] = nights
        route.fulfill(json=people)

    reader.page.route(re.compile(r"/portfolio/portfolios\?user_ids=ben-bluechip&"), answer)
    open_portfolio(reader, run_id, "ben-bluechip")
    card = region(reader, "Value of the last nights")
    expect(card).to_contain_text("Money paid in or out moves it, too, so it is no return")
    expect(chart(reader, "Value of the last nights")).to_have_attribute(
        "aria-valuetext", "28 Dec 2022: Total value $120.50"
    )
    expect(region(reader, "Value and invested money")).to_have_count(0)


def test_the_heat_map_has_values_a_legend_and_the_extremes(reader: Visitor, run_id: str) -> None:
    with reader.page.expect_response("**/series") as answered:
        open_portfolio(reader, run_id)
    found = answered.value.json()["correlations"]
    pairs = [
        (found["values"][row][column], {one, other})
        for row, one in enumerate(found["symbols"])
        for column, other in enumerate(found["symbols"][:row])
    ]
    card = region(reader, "Correlation of holdings")
    for (value, names), says in ((max(pairs, key=lambda pair: pair[0]), "Most alike"),
                                 (min(pairs, key=lambda pair: pair[0]), "Least alike")):  # fmt: skip
        either = "|".join(f"{one} and {other}" for one in names for other in names if one != other)
        expect(card).to_contain_text(re.compile(rf"{says}: ({either}) \({value:.2f}\)"))
    expect(card).to_contain_text("-1: opposite")
    expect(card).to_contain_text("1: together")
    expect(card.locator("tbody td").nth(1)).to_have_text(f"{found['values'][0][1]:.2f}")


def test_the_banner_says_what_an_incomplete_valuation_means(reader: Visitor, site: Site, run_id: str) -> None:
    open_portfolio(reader, run_id, "rosa-rare")
    report = site.app.report(run_id, "rosa-rare")
    banner = reader.page.locator(".notice").filter(has_text="Incomplete:")
    expect(banner).to_contain_text("1 of 3 holdings cannot be valued")
    meanings = banner.get_by_role("listitem")
    expect(meanings.nth(0)).to_have_text(
        "Value, weights, allocation and gains are those of the other holdings and the cash alone."
    )
    coverage = report["data_quality"]["coverage"]
    assert (report["risk"] is None) == bool(
        banner.get_by_text("There is no backtest, and there are no risk figures.").count()
    )
    if report["risk"] is not None:
        expect(meanings.nth(1)).to_contain_text(f"stand for {coverage:.1%} of what is owned")
    expect(banner).to_contain_text("What was really earned is unknown.")
    expect(banner).to_contain_text("Nothing is sold for its weight until all have a value.")


@pytest.mark.usefixtures("runs")
def test_the_page_of_a_person_has_the_same_sections_and_nothing_of_other_nights(visitor: Visitor) -> None:
    arrive(visitor, a_token(ADA), "/?section=risk")
    visitor.headed("Your portfolio")
    visitor.settle()
    expect(bar(visitor).get_by_role("link")).to_have_text(SECTIONS)
    marks(visitor, "Risk")
    expect(visitor.page.get_by_role("heading", name="Risk", exact=True)).to_be_focused()
    expect(visitor.page.get_by_label(re.compile("^Compare with"))).to_have_count(0)
    region(visitor, "Holdings").get_by_role("link", name="Beta").click()
    expect(visitor.page).to_have_url(re.compile(r"/api/me/page#/\?section=risk&sort=beta&order=desc$"))
    assert not any("/admin/portfolio" in url for url in visitor.asked)


@pytest.mark.usefixtures("runs")
def test_a_person_without_transactions_sees_no_values_of_nights(visitor: Visitor) -> None:
    def without(route: Route) -> None:
        report = route.fetch().json()
        report |= {"returns": None, "reasons": report["reasons"] | {"returns": "no_transactions"}}
        route.fulfill(json=report)

    visitor.page.route("**/api/me/report*", without)
    arrive(visitor, a_token(ADA), "/money")
    visitor.headed("Your portfolio")
    visitor.settle()
    expect(region(visitor, "What was really earned")).to_contain_text("There are no transactions of this user")
    expect(region(visitor, "Value of the last nights")).to_have_count(0)
