"""The section "Your money" shows what a person really earned, and every page shows amounts in the right currency.

The routes of returns and gains answer here from the browser: the pages are under test, not the figures.
"""

import json
import re
from copy import replace
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from stores.rankings import RankingStore
from stores.reports import ReportStore
from stores.symbols import ResearchStore
from tests.builders import save
from tests.console.earned import INCOME, ISSUES, RETURNS, a_report, a_series, gains_of
from tests.console.site import BACKTEST, Site, Visitor, is_phone, region
from tests.console.test_reading import MOST_SHIFT, SHIFTS
from tests.stored import change_report, stored_reports

PERSON = "eva-euro"
NONE = "\N{EN DASH}"
CSV = "symbol,gain\nAAPL,240.5\n"


def answer_routes(page: Page, series: list[dict[str, Any]] | None = None) -> None:
    """Answer the routes of returns and gains in the browser."""
    returns = {
        "run_id": "run", "user_id": PERSON, "as_of": "2022-12-28", "currency": "EUR",
        "returns": msgspec.to_builtins(RETURNS), "reason": None, "series": a_series() if series is None else series,
    }  # fmt: skip

    def gains(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        year, method = int(query.get("year", ["2023"])[0]), query.get("method", ["fifo"])[0]
        if route.request.headers["accept"] == "text/csv":
            name = "attachment; filename=\"gains.csv\"; filename*=UTF-8''gains%20of%20eva-euro.csv"
            headers = {"Content-Type": "text/csv", "Content-Disposition": name}
            route.fulfill(body=f"{year},{method}\n{CSV}", headers=headers)
        else:
            route.fulfill(json=gains_of(year, method))

    page.route(re.compile(r"/portfolios/[^/]+/returns(\?|$)"), lambda route: route.fulfill(json=returns))
    page.route(re.compile(r"/portfolios/[^/]+/gains(\?|$)"), gains)


def store(site: Site, run_id: str, user_id: str = PERSON, **changes: Any) -> None:  # noqa: ANN401 - any member
    report = a_report(run_id, user_id, **changes)
    reports = ReportStore(site.database, ResearchStore(site.database))
    save(reports, [report])
    RankingStore(site.database).write(run_id, reports.lines(run_id))


@pytest.fixture
def reader(reader: Visitor, site: Site, run_id: str) -> Visitor:
    store(site, run_id)
    answer_routes(reader.page)
    return reader


def open_money(reader: Visitor, run_id: str, user_id: str = PERSON) -> None:
    reader.go(f"/runs/{run_id}/portfolios/{user_id}/money")
    reader.headed(user_id)
    reader.settle()


def row(of: Locator, name: str) -> Locator:
    """Return the row whose heading begins with this name."""
    return of.get_by_role("row").filter(has=of.page.get_by_role("rowheader", name=re.compile(f"^{name}")))


def test_the_address_that_your_money_had_before_leads_to_its_section(reader: Visitor, run_id: str) -> None:
    open_money(reader, run_id)
    expect(reader.page).to_have_title(re.compile("^Your money · .* · Portfolio analysis$"))
    expect(reader.page.get_by_role("heading", name="Your money", exact=True)).to_be_focused()
    expect(region(reader, "What was really earned")).to_be_in_viewport()


def test_the_backtest_says_that_it_is_one_and_leads_to_what_was_earned(
    reader: Visitor, site: Site, run_id: str
) -> None:
    change_report(site.database, run_id, "ada-allrounder", returns=RETURNS)
    reader.go(f"/runs/{run_id}/portfolios/ada-allrounder")
    backtest = region(reader, BACKTEST)
    expect(backtest).to_contain_text("Hypothetical: today's holdings held since")
    backtest.get_by_role("link", name="See what was really earned").click()
    reader.led_to(f"/runs/{run_id}/portfolios/ada-allrounder?section=money")
    earned = region(reader, "What was really earned")
    expect(earned).to_contain_text("Since 2 Mar 2020, by the transactions")
    expect(earned).to_be_in_viewport()
    expect(reader.page.locator("#section-money")).not_to_contain_text("Hypothetical")


def test_the_main_figures_have_a_sentence_each(reader: Visitor, run_id: str) -> None:
    open_money(reader, run_id)
    card = region(reader, "What was really earned")
    for text in (
        "Everything in the accounts counts, securities and cash",
        "€30,000",
        "€23,824",
        "+€6,176",
        "31.8%",
        "€100.00 invested at the start became €131.80, 10.3% a year",
        "9.3% a year",
        "Since its best day, invested money has lost 4.1%",
        RETURNS.notes[0],
        "3 issues of the transactions",
    ):
        expect(card).to_contain_text(text)


def test_a_ledger_without_deposits_says_that_only_securities_count(reader: Visitor, site: Site, run_id: str) -> None:
    store(site, run_id, "sue-securities", returns=replace(RETURNS, basis="securities"))
    open_money(reader, run_id, "sue-securities")
    expect(region(reader, "What was really earned")).to_contain_text("Only securities count")
    expect(row(region(reader, "By period"), "Bought, less sold")).to_have_count(1)


def test_every_period_has_its_figures_and_the_missing_ones_their_reason(reader: Visitor, run_id: str) -> None:
    open_money(reader, run_id)
    card = region(reader, "By period")
    expect(card.get_by_role("columnheader")).to_have_text(
        [re.compile(name) for name in ("Figure", "1 month", "3 months", "Year to date", "1 year", "3 years", "5 years",
                                       "Since the start")]
    )  # fmt: skip
    shown = {
        "Time-weighted": ["0.6%", "2.5%", "11.1%", "11.4%", NONE, NONE, "31.8%10.3% a year"],
        "Money-weighted": ["0.2%", "0.7%", "3.3%", NONE, NONE, NONE, "9.3%a year"],
        "Modified Dietz": ["0.6%", "2.4%", "10.3%", "10.6%", NONE, NONE, "29.4%"],
        "Value at the start": ["€29,476", "€27,906", "€20,838", "€20,577", NONE, NONE, "€3,824"],
        "Paid in, less paid out": ["+€400.00", "+€1,600", "+€7,000", "+€7,200", NONE, NONE, "+€20,000"],
        "Prices": ["+€122.00", "+€488.00", "+€2,135", "+€2,196", NONE, NONE, "+€6,100"],
        "Income": ["+€12.80", "+€51.20", "+€224.00", "+€230.40", NONE, NONE, "+€640.00"],
        "Currencies": ["-€8.40", "-€33.60", "-€147.00", "-€151.20", NONE, NONE, "-€420.00"],
        "Fees": ["-€0.96", "-€3.84", "-€16.80", "-€17.28", NONE, NONE, "-€48.00"],
        "Taxes": ["-€1.92", "-€7.68", "-€33.60", "-€34.56", NONE, NONE, "-€96.00"],
        "Value at the end": [*["€30,000"] * 4, NONE, NONE, "€30,000"],
        "Same money in the benchmark": [*["€28,750+€1,250"] * 4, NONE, NONE, "€28,750+€1,250"],
        "Largest drawdown": ["-0.4%", "-1.7%", "-7.5%", "-7.7%", NONE, NONE, "-21.4%"],
    }
    for name, cells in shown.items():
        expect(row(card, name).get_by_role("cell")).to_have_text(cells)
    expect(row(card, "Not explained")).to_have_count(0)
    expect(card).to_contain_text("3 years, 5 years: the transactions begin later.")
    expect(card).to_contain_text("1 year: no interest rate fits these payments")


def test_a_residual_is_shown_where_there_is_one(reader: Visitor, site: Site, run_id: str) -> None:
    periods = [replace(period, residual=12.5) for period in RETURNS.periods]
    store(site, run_id, "rex-residual", returns=replace(RETURNS, periods=tuple(periods)))
    open_money(reader, run_id, "rex-residual")
    expect(row(region(reader, "By period"), "Not explained").get_by_role("cell").first).to_have_text("+€12.50")


def test_the_charts_show_value_with_invested_money_and_growth_with_the_benchmark(reader: Visitor, run_id: str) -> None:
    open_money(reader, run_id)
    last = a_series()[-1]
    value = region(reader, "Value and invested money").get_by_role("slider")
    expect(value).to_have_attribute(
        "aria-valuetext", f"25 Dec 2022: Invested €{last['invested']:,.0f}, Value €{last['value']:,.0f}"
    )
    growth = region(reader, "Growth and benchmark").get_by_role("slider")
    expect(growth).to_have_attribute(
        "aria-valuetext",
        f"25 Dec 2022: Benchmark {last['benchmark_index'] - 1:.1%}, Portfolio {last['twr_index'] - 1:.1%}",
    )
    assert sum("/returns" in url for url in reader.asked) == 1


def test_an_empty_series_leaves_the_figures_and_says_that_there_is_no_line(reader: Visitor, run_id: str) -> None:
    reader.page.unroute_all()
    answer_routes(reader.page, series=[])
    open_money(reader, run_id)
    expect(region(reader, "Growth and benchmark")).to_contain_text("Nothing to draw yet")
    expect(region(reader, "What was really earned")).to_contain_text("31.8%")


def test_contributions_are_ordered_by_size_and_chosen_by_period(reader: Visitor, run_id: str) -> None:
    open_money(reader, run_id)
    card = region(reader, "What brought the gain")
    expect(card.get_by_role("rowheader")).to_have_text(["AAPL", "SAP", "VOD", "Cash"])
    expect(row(card, "AAPL").get_by_role("cell")).to_have_text(["+€5,210", "84%", "+24.8%"])
    expect(row(card, "VOD")).to_contain_text("-€1,014")
    card.get_by_label("Period").select_option(label="Year to date")
    expect(row(card, "AAPL")).to_contain_text("+€1,823")
    card.get_by_label("Period").select_option(label="1 year")
    expect(card).to_contain_text("Nothing known for this period")


def test_income_says_where_it_is_from_and_what_it_yields(reader: Visitor, site: Site, run_id: str) -> None:
    open_money(reader, run_id)
    card = region(reader, "Income")
    for text in ("By the dividends and interest in the transactions", "€612.40", "€580.00", "2.0%", "No promise"):
        expect(card).to_contain_text(text)
    months = card.get_by_role("table", name="By month")
    expect(months.get_by_role("rowheader")).to_have_count(12)
    expect(row(months, "Jan 2022")).to_contain_text("€51.10")
    symbols = card.get_by_role("table", name="By symbol")
    expect(symbols.get_by_role("rowheader")).to_have_text(["VOD", "AAPL", "Cash"])
    expect(row(symbols, "VOD").get_by_role("cell")).to_have_text(["€480.20", "6.1%", NONE])
    store(site, run_id, "ina-implied", income=replace(INCOME, basis="implied"))
    open_money(reader, run_id, "ina-implied")
    expect(card).to_contain_text("Estimated from prices, because the transactions have no dividends")


def test_gains_are_those_of_the_chosen_year_and_method(reader: Visitor, run_id: str) -> None:
    open_money(reader, run_id)
    card = region(reader, "Lots and gains")
    expect(card).to_contain_text("No sales in 2023")
    card.get_by_label(re.compile("^Year of the sales")).select_option("2022")
    card.get_by_label(re.compile("^Which shares a sale takes")).select_option(label="Last in, first out")
    expect(card).to_contain_text("A sale takes the shares that were bought last.")
    sold = card.get_by_role("table", name="Lots sold")
    expect(row(sold, "AAPL")).to_contain_text("6 May 2021")
    expect(row(sold, "AAPL")).to_contain_text("+€240.50")
    expect(row(sold, "VOD")).to_contain_text("Bought again")
    expect(row(sold, "SAP")).to_contain_text("Unknown")
    totals = card.get_by_role("table", name="Realized gains by holding time")
    expect(row(totals, "Up to a year").get_by_role("cell")).to_have_text(["€1,300", "€1,385", "-€85.25"])
    expect(row(totals, "Over a year").get_by_role("cell")).to_have_text(["€1,300", "€1,060", "+€240.50"])
    expect(row(totals, "Unknown time").get_by_role("cell")).to_have_text(["€1,300", NONE, NONE])
    held = card.get_by_role("table", name="Lots still held")
    expect(row(held, "AAPL")).to_contain_text("+€4,100")
    expect(card).to_contain_text("Lot x-1 is unknown: the oldest was sold.")


def test_gains_are_downloaded_as_csv_for_the_chosen_year_and_method(reader: Visitor, run_id: str) -> None:
    open_money(reader, run_id)
    card = region(reader, "Lots and gains")
    card.get_by_label(re.compile("^Year of the sales")).select_option("2022")
    expect(card).to_contain_text("Sold in 2022")
    with reader.page.expect_download() as download:
        card.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "gains of eva-euro.csv"
    assert download.value.path().read_text() == f"2022,fifo\n{CSV}"


def test_a_refused_download_says_why(reader: Visitor, run_id: str) -> None:
    reader.expected.add("status of 503")
    open_money(reader, run_id)
    problem = {"title": "The database is unavailable", "status": 503, "detail": "Try again later."}
    reader.page.unroute_all()
    reader.page.route(
        re.compile("/gains"),
        lambda route: route.fulfill(status=503, body=json.dumps(problem), content_type="application/problem+json"),
    )
    region(reader, "Lots and gains").get_by_role("button", name="Download CSV").click()
    expect(region(reader, "Lots and gains").get_by_role("alert")).to_contain_text("The database is unavailable")


def test_the_issues_of_the_transactions_have_their_day_and_sentence(reader: Visitor, run_id: str) -> None:
    open_money(reader, run_id)
    entries = region(reader, "Issues of the transactions").get_by_role("listitem")
    expect(entries).to_have_count(len(ISSUES))
    for number, day in enumerate(("3 Feb 2020", "17 May 2021", "No day")):
        expect(entries.nth(number)).to_contain_text(day)
        expect(entries.nth(number)).to_contain_text(ISSUES[number].text)


@pytest.mark.parametrize(
    ("reason", "says", "advises"),
    [
        ("no_transactions", "There are no transactions of this user", "Store purchases, sales"),
        ("incomplete_valuation", "A holding has no value today", "Find the price or the exchange rate"),
        ("some_new_reason", "some new reason", "needs no transactions"),
    ],
)
def test_without_returns_the_page_says_why_and_what_to_do(
    reader: Visitor, site: Site, run_id: str, reason: str, says: str, advises: str
) -> None:
    reasons = {"returns": reason, "income": "prices_without_dividends"}
    store(site, run_id, "nora-none", returns=None, income=None, reasons=reasons)
    open_money(reader, run_id, "nora-none")
    card = region(reader, "What was really earned")
    expect(card).to_contain_text(says)
    expect(card).to_contain_text(advises)
    for absent in ("By period", "Growth and benchmark", "What brought the gain"):
        expect(region(reader, absent)).to_have_count(0)
    expect(region(reader, "Income")).to_contain_text("Neither the transactions nor the prices have dividends")
    expect(region(reader, "Lots and gains")).to_have_count(0 if reason == "no_transactions" else 1)
    assert not any("/returns" in url for url in reader.asked)


def test_transactions_that_lead_nowhere_leave_their_issues(reader: Visitor, site: Site, run_id: str) -> None:
    store(site, run_id, "uri-unsound", returns=replace(RETURNS, since=None, contributions=()))
    open_money(reader, run_id, "uri-unsound")
    card = region(reader, "What was really earned")
    expect(card).to_contain_text("The transactions do not lead to today's holdings")
    expect(region(reader, "Issues of the transactions").get_by_role("listitem")).to_have_count(len(ISSUES))


def test_an_earlier_report_says_that_it_had_no_such_figures(reader: Visitor, site: Site, run_id: str) -> None:
    store(site, run_id, "olga-old")
    # Earlier versions of the app stored reports as plain documents.
    (report,) = stored_reports(site.database, run_id=run_id, user_id="olga-old")
    for later in ("returns", "income", "currency_exposure"):
        del report[later]
    for holding in report["holdings"]:
        for later in ("currency", "fx_rate", "market_value_local"):
            del holding[later]
    site.database.portfolio_analyses.replace_one({"run_id": run_id, "user_id": "olga-old"}, report)
    open_money(reader, run_id, "olga-old")
    expect(region(reader, "What was really earned")).to_contain_text("made before such figures existed")
    expect(region(reader, "Income")).to_have_count(0)
    reader.go(f"/runs/{run_id}/portfolios/olga-old")
    expect(row(region(reader, "Holdings"), "AAPL")).to_contain_text("120 at €126.04")
    region(reader, "Allocation").get_by_role("button", name="Currency").click()
    expect(row(region(reader, "Allocation"), "EUR")).to_contain_text("100.0%")


def test_amounts_are_in_the_reports_currency_and_prices_in_their_own(reader: Visitor, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios/{PERSON}")
    reader.headed(PERSON)
    main = reader.page.get_by_role("main")
    expect(reader.page.locator(".about")).to_contain_text("Amounts in EUR")
    expect(reader.page.locator(".figures").first).to_contain_text("€30,000")
    expect(main).not_to_contain_text("$")
    holdings = region(reader, "Holdings")
    expect(row(holdings, "SAP")).to_contain_text("100 at €96.12")
    expect(row(holdings, "SAP").get_by_text("In EUR")).to_have_count(0)
    apple = row(holdings, "AAPL")
    expect(apple).to_contain_text("120 at 126.04\N{NO-BREAK SPACE}USD")
    expect(apple).to_contain_text("€14,252")
    expect(apple.get_by_text("Worth")).not_to_be_visible()
    apple.get_by_text("In USD").click()
    expect(apple.get_by_text("Worth")).to_have_text("Worth 15,125\N{NO-BREAK SPACE}USD. 1 USD = 0.9423 EUR.")
    expect(row(holdings, "VOD")).to_contain_text("3,300 at 84.30\N{NO-BREAK SPACE}GBX")
    expect(row(holdings, "NPN")).to_contain_text("no exchange rate from ZAc to EUR")


def test_an_order_has_the_price_of_its_symbol_and_the_cost_of_the_report(reader: Visitor, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios/{PERSON}")
    plan = region(reader, "Order plan")
    expect(row(plan, "Sell AAPL").get_by_role("cell")).to_have_text(
        ["1", "10", "126.04\N{NO-BREAK SPACE}USD", "€1,188"]
    )
    expect(row(plan, "Buy IBM").get_by_role("cell")).to_have_text(["2", "5", "141.00", "€664.32"])


def test_currencies_are_shown_with_their_share_and_their_check(reader: Visitor, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios/{PERSON}")
    card = region(reader, "Allocation")
    card.get_by_role("button", name="Currency").click()
    expect(card.get_by_role("rowheader")).to_have_text(
        [re.compile(name) for name in ("USD.*US Dollar", "EUR.*Euro", "GBP.*British Pound")]
    )
    expect(row(card, "USD")).to_contain_text("47.0%")
    reader.go(f"/runs/{run_id}/portfolios")
    expect(reader.page.get_by_label(re.compile("^Check")).locator("option")).to_contain_text(["Currency exposure"])


def test_doubts_about_currencies_are_told_like_other_price_warnings(reader: Visitor, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios/{PERSON}")
    entries = region(reader, "Data quality").get_by_role("listitem")
    expect(entries.nth(0)).to_have_text(re.compile("^Currency.*taken to be in USD"))
    expect(entries.nth(1)).to_have_text(re.compile("^VOD.*pence"))


def test_a_list_of_portfolios_names_no_currency(reader: Visitor, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios?search={PERSON}")
    expect(reader.page.get_by_role("row").filter(has_text=PERSON)).to_contain_text("27,000")
    expect(reader.page.get_by_role("main")).not_to_contain_text("€")
    expect(reader.page.get_by_role("main")).not_to_contain_text("$")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_the_page_is_accessible_steady_and_fits_its_screen(
    browser: Browser, site: Site, run_id: str, theme: Literal["light", "dark"], device: str
) -> None:
    store(site, run_id)
    narrow = {**is_phone(theme), "viewport": {"width": 360, "height": 740}}
    visitor = Visitor.arrive(browser, site, **narrow if device == "phone" else {"color_scheme": theme})
    answer_routes(visitor.page)
    visitor.open(f"/runs/{run_id}/portfolios/{PERSON}/money")
    visitor.sign_in()
    visitor.headed(PERSON)
    visitor.settle()
    region(visitor, "Lots and gains").get_by_label(re.compile("^Year")).select_option("2022")
    expect(region(visitor, "Lots and gains")).to_contain_text("Sold in 2022")
    visitor.page.evaluate("document.querySelectorAll('details').forEach((all) => { all.open = true; })")
    flaws = visitor.flaws()
    assert not visitor.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    visitor.go(f"/runs/{run_id}/portfolios/{PERSON}")
    expect(region(visitor, "Allocation")).to_be_visible()
    visitor.page.evaluate("document.querySelectorAll('details').forEach((all) => { all.open = true; })")
    assert flaws + visitor.flaws() == []
    assert not visitor.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    visitor.leave()


def test_a_phone_shows_one_period_at_a_time(browser: Browser, site: Site, run_id: str) -> None:
    store(site, run_id)
    visitor = Visitor.arrive(browser, site, **{**is_phone("light"), "viewport": {"width": 360, "height": 740}})
    answer_routes(visitor.page)
    visitor.open(f"/runs/{run_id}/portfolios/{PERSON}/money")
    visitor.sign_in()
    card = region(visitor, "By period")
    prices = row(card, "Prices").locator("td:visible")
    expect(prices).to_have_text(["+€6,100"])
    card.get_by_label(re.compile("^Period")).select_option(label="3 months")
    expect(prices).to_have_text(["+€488.00"])
    table = card.get_by_role("group", name="By period")
    assert table.evaluate("(group) => group.scrollWidth <= group.clientWidth")
    visitor.leave()


def test_nothing_jumps_while_the_page_is_loaded(browser: Browser, site: Site, run_id: str) -> None:
    store(site, run_id)
    visitor = Visitor.arrive(browser, site)
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    visitor.go(f"/runs/{run_id}/portfolios/{PERSON}/money")
    # Responses are held back, so that the placeholders and each late response are measured.
    held: list[Route] = []
    is_held = True
    answer_routes(visitor.page)
    visitor.page.route("**/api/**/portfolio/**", lambda route: held.append(route) if is_held else route.fallback())
    visitor.page.reload()
    expect(visitor.page.locator(".skeleton").first).to_be_visible()
    visitor.page.evaluate(SHIFTS)
    is_held = False
    for route in held:
        route.fallback()
        visitor.page.evaluate(SHIFTS)
    visitor.settle()
    assert visitor.page.evaluate(SHIFTS) < MOST_SHIFT
    visitor.leave()
