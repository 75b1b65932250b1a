"""The holdings of a portfolio: sorted and filtered in the address, on every screen."""

import re

from playwright.sync_api import Browser, expect

from tests.console.site import Site, Visitor, is_phone, region
from tests.console.test_portfolio import ADA, entry, marks, open_portfolio


def test_holdings_are_sorted_and_filtered_in_the_address(reader: Visitor, site: Site, run_id: str) -> None:
    report = site.app.report(run_id, ADA)
    open_portfolio(reader, run_id)
    card = region(reader, "Holdings")
    heads = card.locator("tbody th")

    def symbols(key: str, *, descending: bool) -> list[re.Pattern[str]]:
        ordered = sorted(report["holdings"], key=lambda held: held[key], reverse=descending)
        return [re.compile(f"^{held['symbol']}") for held in ordered]

    expect(heads).to_have_text(symbols("weight", descending=True))
    expect(card.get_by_role("columnheader", name="Weight", exact=True)).to_have_attribute("aria-sort", "descending")
    reader.page.mouse.wheel(0, 600)
    card.get_by_role("link", name="Gain").click()
    place = f"/runs/{run_id}/portfolios/{ADA}"
    reader.led_to(f"{place}?sort=gain&order=desc")
    expect(heads).to_have_text(symbols("unrealized_pl_pct", descending=True))
    expect(card.get_by_role("link", name="Gain")).to_be_in_viewport()
    card.get_by_role("link", name="Gain").click()
    reader.led_to(f"{place}?sort=gain&order=asc")
    expect(heads).to_have_text(symbols("unrealized_pl_pct", descending=False))
    named = report["holdings"][0]["research"]["name"]
    card.get_by_label("Symbol or name contains").fill(named[:6].upper())
    reader.led_to(f"{place}?find={named[:6].upper().replace(' ', '+')}&sort=gain&order=asc")
    expect(heads.first).to_contain_text(named)
    card.get_by_label("Symbol or name contains").fill("nothing of the kind")
    expect(card).to_contain_text("No matches")
    open_portfolio(reader, run_id, query="?find=a&sort=symbol&order=desc&section=holdings")
    reader.page.reload()
    reader.settle()
    found = [held["symbol"] for held in report["holdings"]
             if "a" in (held["symbol"] + held["research"]["name"]).lower()]  # fmt: skip
    expect(heads).to_have_text([re.compile(f"^{symbol}") for symbol in sorted(found, reverse=True)])
    expect(card.get_by_label("Symbol or name contains")).to_have_value("a")


def test_what_is_unknown_of_holdings_comes_last(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id, "rosa-rare", "?sort=gain&order=asc")
    expect(region(reader, "Holdings").locator("tbody th").last).to_contain_text("NOSUCH")
    region(reader, "Holdings").get_by_role("link", name="Gain").click()
    expect(region(reader, "Holdings").locator("tbody th").last).to_contain_text("NOSUCH")


def test_the_bar_of_sections_is_reached_without_a_move_of_the_page(browser: Browser, site: Site, run_id: str) -> None:
    visitor = Visitor.arrive(browser, site, **is_phone("dark"))
    visitor.open(f"/runs/{run_id}/portfolios/{ADA}?section=holdings")
    visitor.sign_in()
    expect(region(visitor, "Correlation of holdings")).to_be_visible()  # all above it is there
    visitor.settle()
    marks(visitor, "Holdings")
    before = visitor.page.evaluate("scrollY")
    entry(visitor, "Data quality").focus()
    assert visitor.page.evaluate("scrollY") == before
    # A page that moved would mark another section, to which the bar would move from under the finger.
    entry(visitor, "Data quality").click(trial=True)
    assert visitor.page.evaluate("scrollY") == before
    marks(visitor, "Holdings")
    expect(entry(visitor, "Data quality")).to_be_in_viewport()
    visitor.leave()


def test_a_phone_sorts_holdings_by_a_field(browser: Browser, site: Site, run_id: str) -> None:
    visitor = Visitor.arrive(browser, site, **is_phone("dark"))
    visitor.open(f"/runs/{run_id}/portfolios/{ADA}?section=holdings")
    visitor.sign_in()
    visitor.settle()
    card = region(visitor, "Holdings")
    card.get_by_label(re.compile("^Sort by")).select_option(label="Symbol")
    held = [head.split("\n")[0] for head in card.locator("tbody th").all_inner_texts()]
    assert held == sorted(held)
    entry(visitor, "Data quality").click()
    expect(entry(visitor, "Data quality")).to_be_in_viewport()
    open_portfolio(visitor, run_id, "rosa-rare")
    expect(region(visitor, "Changes since last report")).to_contain_text("without what has no price")
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visitor.leave()
