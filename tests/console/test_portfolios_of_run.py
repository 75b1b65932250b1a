"""The portfolios of a run: searched, filtered, sorted and paged as the API does."""

from typing import Any

from playwright.sync_api import expect

from tests.console.site import CHECK, Site, Visitor
from tests.end_to_end.app import BASE

SORTS = (
    ("Value", "market_value", "desc"),
    ("Value", "market_value", "asc"),
    ("Volatility", "annual_volatility", "desc"),
    ("Max drawdown", "max_drawdown", "asc"),
)


def lists(reader: Visitor, users: list[str]) -> None:
    """Wait until exactly these users are listed, in this order."""
    expect(reader.page.locator("tbody th a")).to_have_text(users)
    reader.settle()


def listed(site: Site, run_id: str, **query: Any) -> list[str]:  # noqa: ANN401 - any parameter
    answer = site.app.client.get(f"{BASE}/analysis-runs/{run_id}/portfolios", params={"limit": 100, **query})
    return [line["user_id"] for line in answer.json()["portfolios"]]


def test_portfolios_are_searched_filtered_and_sorted_as_the_api_does(reader: Visitor, site: Site, run_id: str) -> None:
    page = reader.page
    reader.go(f"/runs/{run_id}/portfolios")
    lists(reader, listed(site, run_id))
    for name, sort, order in SORTS:
        page.get_by_role("columnheader", name=name).get_by_role("link").click()
        lists(reader, listed(site, run_id, sort=sort, order=order))
        expect(page.get_by_role("columnheader", name=name)).to_have_attribute(
            "aria-sort", "ascending" if order == "asc" else "descending"
        )
    page.get_by_label("Status").select_option(label="Failed")
    lists(reader, ["yuri-corrupt-account"])
    page.get_by_label("Status").select_option(label="All")
    page.get_by_label(CHECK).select_option(label="Drawdown")
    page.get_by_label("Result").select_option(label="Breach")
    query = {"sort": "max_drawdown", "order": "asc"}
    lists(reader, listed(site, run_id, check="drawdown:breach", **query))
    page.get_by_label(CHECK).select_option(label="All")
    page.get_by_label("Valuation").select_option(label="Incomplete")
    lists(reader, listed(site, run_id, complete="false", **query))
    page.get_by_label("Valuation").select_option(label="All")
    page.get_by_label("User ID starts with").press_sequentially("sam")
    lists(reader, ["sam-stale-share"])
    page.get_by_label("User ID starts with").fill("nobody")
    expect(page.get_by_text("No matches")).to_be_visible()


def test_a_view_of_portfolios_has_a_link(reader: Visitor, site: Site, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios?status=analyzed&check=volatility&sort=market_value&order=desc&search=e")
    query = {"check": "volatility", "user_id_prefix": "e", "sort": "market_value", "order": "desc"}
    lists(reader, listed(site, run_id, **query))
    expect(reader.page.get_by_label("User ID starts with")).to_have_value("e")
    expect(reader.page.get_by_label(CHECK)).to_have_value("volatility")


def test_a_filter_chosen_right_after_typing_stays_chosen(reader: Visitor, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios")
    reader.settle()
    reader.page.get_by_label("User ID starts with").fill("x")
    reader.page.get_by_label("Status").select_option(label="Failed")
    reader.led_to(f"/runs/{run_id}/portfolios?search=x&status=failed")


def test_a_linked_page_opens_at_its_top(reader: Visitor, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios")
    last = reader.page.get_by_role("link", name="zoe-admin")
    last.scroll_into_view_if_needed()
    reader.page.wait_for_function("scrollY > 0")
    last.click()
    reader.headed("zoe-admin")
    reader.page.wait_for_function("scrollY === 0")


def test_many_portfolios_are_shown_in_pages(reader: Visitor, site: Site, run_id: str) -> None:
    many = "run_20200101_000000_aaaa"
    run = site.database.portfolio_analysis_runs.find_one({"run_id": run_id}, {"_id": False}) or {}
    whose = {"run_id": run_id, "user_id": "ada-allrounder"}
    line = site.database.portfolio_analyses.find_one(whose, {"_id": False, "report": False})
    assert line is not None
    site.database.portfolio_analysis_runs.insert_one(run | {"run_id": many, "request": {"key": many}})
    copies = [
        line | {"run_id": many, "user_id": f"u{number:03}", "market_value": float(number % 7)} for number in range(250)
    ]
    site.database.portfolio_analyses.insert_many(copies)
    reader.go(f"/runs/{many}/portfolios?sort=market_value&order=desc")
    ordered = sorted((line["user_id"] for line in copies), key=lambda user: (int(user[1:]) % 7, user), reverse=True)
    lists(reader, ordered[:100])
    for first in (100, 200):
        reader.page.get_by_role("link", name="Next page").click()
        lists(reader, ordered[first : first + 100])
    expect(reader.page.get_by_role("link", name="Next page")).to_have_count(0)
    reader.page.get_by_role("link", name="First page").click()
    lists(reader, ordered[:100])
    site.database.portfolio_analysis_runs.delete_one({"run_id": many})
