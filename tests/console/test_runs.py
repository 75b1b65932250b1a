"""Starting, watching, canceling and retrying runs, and the explanation of failed ones."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.console.site import Site, Visitor
from tests.devhost.harness import eventually
from tests.faults.moments import PAGE

LONGEST_WAIT_MS = 60_000  # a page without a response tries again after half a minute at the latest
# Toasts close by themselves, maybe before a test reads them, so their text is kept.
KEEP_TOASTS = """
  window.toasted = "";
  addEventListener("DOMContentLoaded", () => {
    const read = () => { window.toasted += document.querySelector(".toasts")?.innerText ?? ""; };
    new MutationObserver(read).observe(document.body, { childList: true, subtree: true });
  });
"""


@pytest.fixture(autouse=True)
def no_active_run(site: Site) -> Iterator[None]:
    """Wait after each test until no run is active."""
    yield
    runs = site.app.client.get("/api/admin/portfolio/analysis-runs", params={"limit": 1}).json()["runs"]
    for run in runs:
        site.app.wait(run["run_id"])


@contextmanager
def nobody_active(site: Site) -> Iterator[None]:
    """Let every user be inactive for a while."""
    users, active = site.database.users, {"is_active": True}
    user_ids = users.distinct("user_id", active)
    users.update_many(active, {"$set": {"is_active": False}})
    yield
    users.update_many({"user_id": {"$in": user_ids}}, {"$set": active})


def confirm(page: Page, action: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


def start(visitor: Visitor) -> None:
    """Start a run of all users with the form."""
    visitor.open("/start")
    visitor.sign_in()
    visitor.headed("Start a run")
    visitor.page.get_by_role("button", name="Continue").click()
    confirm(visitor.page, "Start")


def cancel(visitor: Visitor) -> None:
    """Cancel the run that is shown."""
    visitor.page.get_by_role("button", name="Cancel run").click()
    confirm(visitor.page, "Cancel run")


def at_once(visitors: Iterable[Visitor], url: str, act: Callable[[Visitor], None]) -> None:
    """Let visitors act, and hold back the request that each of them sends until all have."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    for visitor in visitors:
        visitor.page.route(url, hold)
        with visitor.page.expect_request(url):
            act(visitor)
    for route in held:
        route.continue_()


def shown_run(visitor: Visitor) -> str:
    """Wait for the page of a run and return the run's ID."""
    visitor.page.wait_for_url(re.compile(r"#/runs/run_\w+$"))
    return visitor.page.url.rpartition("/")[2]


def test_a_run_is_started_and_watched_until_its_end(visitor: Visitor, site: Site) -> None:
    visitor.page.add_init_script(KEEP_TOASTS)
    with site.wire.holding(PAGE) as hold:
        start(visitor)
        run_id = shown_run(visitor)
        visitor.page.wait_for_function("toasted.includes('Run started')")
        hold.wait()
        progress = visitor.page.get_by_role("region", name="Progress")
        expect(progress.get_by_role("listitem").filter(has_text="Analysis")).to_have_attribute("aria-current", "step")
        expect(progress).to_contain_text(re.compile(r"\d of 8 pages done"))
        expect(progress).to_contain_text("Estimating time left …")
        expect(visitor.page.get_by_role("main")).to_contain_text("Running")
    expect(visitor.page.get_by_role("main")).to_contain_text("Completed with errors")
    expect(progress).to_have_count(0)
    run = site.app.status(run_id)
    figures = visitor.page.locator(".figures")
    expect(figures).to_contain_text(f"Analyzed{run['users_analyzed']}")
    expect(figures).to_contain_text(f"Failed{run['users_failed']}")


def test_the_errors_of_a_run_are_grouped_and_link_to_the_users(admin: Visitor, site: Site) -> None:
    run = site.app.run()
    admin.headed("Overview")
    admin.go(f"/runs/{run['run_id']}")
    errors = admin.page.get_by_role("region", name="Errors")
    for title in ("Invalid accounts", "Symbols without prices"):
        expect(errors.get_by_role("heading", name=title)).to_be_visible()
    market_data = admin.page.get_by_role("region", name="Market data")
    expect(market_data).to_contain_text("NOSUCH")
    (of_rrc,) = [issue["text"] for issue in run["price_issues"] if issue["symbol"] == "RRC"]
    expect(market_data.get_by_role("listitem").filter(has_text="RRC")).to_contain_text(of_rrc)
    errors.get_by_role("link", name="yuri-corrupt-account").click()
    admin.headed("yuri-corrupt-account")
    expect(admin.page.get_by_role("alert")).to_contain_text("cash is not a number")


def test_selected_users_are_analyzed_and_invalid_ids_are_named_before_the_start(admin: Visitor, site: Site) -> None:
    page = admin.page
    admin.headed("Overview")
    page.get_by_role("link", name="Start a run").first.click()
    admin.headed("Start a run")
    page.get_by_role("radio", name="Selected people").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Find a person, or enter at least one user ID.")
    ids = page.get_by_label("User IDs")
    ids.fill("ada-allrounder, $nobody")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Invalid user ID: $nobody")
    ids.fill("ada-allrounder, ben-bluechip\n ada-allrounder")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("dialog")).to_contain_text("Analyzes 2 people as of the last trading day")
    confirm(page, "Start")
    run = site.app.wait(shown_run(admin))
    assert (run["users_analyzed"], run["dry_run"]) == (2, False)


def test_a_run_names_the_users_that_it_did_not_find(admin: Visitor, site: Site) -> None:
    run = site.app.run(user_ids=["ada-allrounder", "missing-user"])
    admin.headed("Overview")
    admin.go(f"/runs/{run['run_id']}")
    page = admin.page
    expect(page.get_by_role("heading", name="User not found or inactive")).to_be_visible()
    expect(page.get_by_text("missing-user")).to_be_visible()


def test_a_dry_run_as_of_a_day_stores_no_reports_and_is_marked_as_one(admin: Visitor, site: Site) -> None:
    page = admin.page
    admin.headed("Overview")
    admin.go("/start")
    page.get_by_role("checkbox", name="Dry run").check()
    page.get_by_label("As of").fill("2022-06-04")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("dialog")).to_contain_text("4 Jun 2022")
    confirm(page, "Start")
    run = site.app.wait(shown_run(admin))
    assert (run["as_of"], run["dry_run"]) == ("2022-06-03", True)
    expect(page.get_by_text("Dry run", exact=True)).to_be_visible()
    expect(page.get_by_role("main").get_by_role("link", name="Portfolios")).to_have_count(0)
    admin.go("/")
    recent = page.get_by_role("region", name="Recent runs").locator("tbody tr").first
    expect(recent).to_contain_text("Dry run")
    expect(page.get_by_role("region", name="Status", exact=True)).not_to_contain_text("dry run")


def test_without_confirmation_no_run_starts(admin: Visitor, site: Site) -> None:
    before = site.database.portfolio_analysis_runs.count_documents({})
    admin.headed("Overview")
    admin.go("/start")
    for leave in ("click", "Escape"):
        admin.page.get_by_role("button", name="Continue").click()
        dialog = admin.page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        if leave == "click":
            dialog.get_by_role("button", name="Cancel").click()
        else:
            admin.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(admin.page.get_by_role("button", name="Continue")).to_be_focused()
    assert site.database.portfolio_analysis_runs.count_documents({}) == before


def test_while_a_run_is_active_another_is_refused_with_a_link_to_it(visitor: Visitor, site: Site) -> None:
    visitor.expected.add("status of 409")
    visitor.open("/start")
    visitor.sign_in()
    visitor.headed("Start a run")
    visitor.page.get_by_role("button", name="Continue").click()
    with site.wire.holding(PAGE) as hold:
        active = site.app.trigger().json()["run_id"]
        hold.wait()
        confirm(visitor.page, "Start")
        dialog = visitor.page.get_by_role("dialog")
        expect(dialog.get_by_role("alert")).to_contain_text("A run is active")
        dialog.get_by_role("link", name="Watch the active run").click()
        visitor.led_to(f"/runs/{active}")
        visitor.go("/start")
        expect(visitor.page.get_by_role("main").get_by_text("A run is active")).to_be_visible()


def test_of_two_administrators_who_start_a_run_at_once_one_does_and_the_other_is_led_to_it(
    browser: Browser, visitor: Visitor, site: Site
) -> None:
    other = Visitor.arrive(browser, site)
    both, runs = (visitor, other), site.database.portfolio_analysis_runs
    before = runs.distinct("run_id")
    with site.wire.holding(PAGE) as hold:
        at_once(both, "**/trigger-analysis", start)
        for each in both:
            each.expected.add("status of 409")
            expect(each.page.locator("dialog [role=alert], .phases").first).to_be_visible()
        (refused,) = [each for each in both if each.page.get_by_role("dialog").count()]
        (run_id,) = set(runs.distinct("run_id")) - {*before}
        expect(refused.page.get_by_role("dialog").get_by_role("alert")).to_contain_text("A run is active")
        refused.page.get_by_role("dialog").get_by_role("link", name="Watch the active run").click()
        for each in both:
            assert shown_run(each) == run_id
            expect(each.page.get_by_role("main")).to_contain_text("Running")
        hold.wait()
    for each in both:
        expect(each.page.locator(".about")).to_contain_text("Completed with errors")
    other.leave()


def test_two_administrators_who_cancel_a_run_at_once_are_both_shown_its_end(
    browser: Browser, visitor: Visitor, site: Site
) -> None:
    other = Visitor.arrive(browser, site)
    with site.wire.holding(PAGE) as hold:
        start(visitor)
        other.open(f"/runs/{shown_run(visitor)}")
        other.sign_in()
        hold.wait()
        at_once((visitor, other), "**/cancel", cancel)
        for each in (visitor, other):
            expect(each.page.get_by_role("dialog")).to_have_count(0)
            expect(each.page.get_by_role("main")).to_contain_text("Canceling")
    for each in (visitor, other):
        expect(each.page.locator(".about")).to_contain_text("Canceled")
    other.leave()


def test_a_run_canceled_in_one_tab_is_shown_as_canceled_in_another(
    browser: Browser, visitor: Visitor, site: Site
) -> None:
    with site.wire.holding(PAGE) as hold:
        start(visitor)
        run_id = shown_run(visitor)
        other = Visitor.arrive(browser, site)
        other.open(f"/runs/{run_id}")
        other.sign_in()
        expect(other.page.get_by_role("button", name="Cancel run")).to_be_visible()
        hold.wait()
        visitor.page.get_by_role("button", name="Cancel run").click()
        confirm(visitor.page, "Cancel run")
        for tab in (visitor, other):
            expect(tab.page.get_by_role("main")).to_contain_text("Canceling")
            expect(tab.page.get_by_role("button", name="Cancel run")).to_have_count(0)
    for tab in (visitor, other):
        expect(tab.page.locator(".about")).to_contain_text("Canceled")
    assert site.app.status(run_id)["status"] == "canceled"
    other.leave()


def test_failed_users_are_retried_after_their_documents_are_fixed(admin: Visitor, site: Site) -> None:
    site.database.accounts.update_one({"user_id": "pia-pepsi-only"}, {"$set": {"cash": "none"}})
    run_id = site.app.run()["run_id"]
    site.database.accounts.update_one({"user_id": "pia-pepsi-only"}, {"$set": {"cash": 1500}})
    admin.headed("Overview")
    admin.go(f"/runs/{run_id}")
    admin.page.get_by_role("button", name="Retry failed users").click()
    expect(admin.page.get_by_role("dialog")).to_contain_text("2 failed users")
    confirm(admin.page, "Retry")
    admin.page.wait_for_url(lambda url: run_id not in url and "#/runs/run_" in url)
    run = site.app.wait(shown_run(admin))
    assert (run["retry_of"], run["users_analyzed"], run["users_failed"]) == (run_id, 1, 1)
    expect(admin.page.locator(".about")).to_contain_text("Completed with errors")
    admin.page.get_by_role("link", name="an earlier run").click()
    admin.led_to(f"/runs/{run_id}")


def test_a_failed_run_shows_the_reason_and_the_remedy(admin: Visitor, site: Site) -> None:
    with nobody_active(site):
        run = site.app.run()
    assert run["status"] == "failed"
    admin.headed("Overview")
    admin.go("/runs")
    admin.page.get_by_role("row").filter(has_text="Failed").get_by_role("link").first.click()
    admin.led_to(f"/runs/{run['run_id']}")
    errors = admin.page.get_by_role("region", name="Errors")
    expect(errors.get_by_role("heading", name="Nobody to analyze")).to_be_visible()
    expect(errors).to_contain_text(run["errors"][0]["error"])
    admin.go("/")
    expect(admin.page.get_by_role("heading", name="Last run failed")).to_be_visible()


def test_a_lost_network_is_shown_and_the_page_resumes_when_it_is_back(visitor: Visitor, site: Site) -> None:
    visitor.expected |= {"ERR_INTERNET_DISCONNECTED"}
    with site.wire.holding(PAGE) as hold:
        start(visitor)
        shown_run(visitor)
        hold.wait()
        expect(visitor.page.get_by_role("main")).to_contain_text("Running")
        visitor.context.set_offline(True)
        lost = visitor.page.get_by_text("Connection lost")
        expect(lost).to_be_visible()
        expect(visitor.page.get_by_role("main")).to_contain_text("Running")
        visitor.context.set_offline(False)
        expect(lost).to_have_count(0)
    expect(visitor.page.get_by_role("main")).to_contain_text("Completed with errors")


def test_an_unavailable_database_is_shown_and_the_page_resumes_by_itself(visitor: Visitor, site: Site) -> None:
    visitor.expected.add("status of 503")
    with site.wire.holding(PAGE) as hold:
        start(visitor)
        shown_run(visitor)
        hold.wait()
        expect(visitor.page.get_by_role("main")).to_contain_text("Running")
        site.wire.close()
        site.wire.cut()
        alert = visitor.page.get_by_role("alert")
        try:
            expect(alert).to_contain_text("The database is unavailable")
            expect(visitor.page.get_by_role("main")).to_contain_text("Running")
        finally:
            site.wire.open()
    expect(alert).to_have_count(0, timeout=LONGEST_WAIT_MS)
    expect(visitor.page.get_by_role("main")).to_contain_text("Completed with errors", timeout=LONGEST_WAIT_MS)


def test_a_hidden_tab_sends_no_requests_until_it_is_visible(visitor: Visitor, site: Site) -> None:
    visitor.page.clock.install()
    with site.wire.holding(PAGE) as hold:
        start(visitor)
        run_id = shown_run(visitor)
        hold.wait()

        def asked() -> int:
            return len([url for url in visitor.asked if f"analysis-status/{run_id}" in url])

        with visitor.page.expect_response(f"**/analysis-status/{run_id}") as answer:
            pass
        answer.value.finished()
        hide(visitor.page, hidden=True)
        before = asked()  # the browser reports a page's requests before the result of a script
        visitor.page.clock.fast_forward("10:00")
        visitor.page.evaluate("1")
        assert asked() == before
        hide(visitor.page, hidden=False)
        eventually(lambda: visitor.page.evaluate("1") and asked() > before)


def hide(page: Page, *, hidden: bool) -> None:
    """Let the page see its tab as hidden, because a headless browser does not hide tabs."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_runs_are_listed_in_pages(admin: Visitor, site: Site) -> None:
    record = site.database.portfolio_analysis_runs.find_one({}, {"_id": False}) or site.app.run()
    record = site.database.portfolio_analysis_runs.find_one({}, {"_id": False}) or record
    old = [f"run_20200101_0000{number:02}_abcd" for number in range(30)]
    for number, run_id in enumerate(old):
        requested_at = record["requested_at"].replace(year=2020, month=1, day=1, hour=0, minute=0, second=number)
        site.database.portfolio_analysis_runs.insert_one(
            record | {"run_id": run_id, "requested_at": requested_at, "status": "completed", "request": {"key": run_id}}
        )
    admin.headed("Overview")
    admin.go("/runs")
    rows = admin.page.locator("tbody tr")
    expect(rows).to_have_count(25)
    admin.page.get_by_role("link", name="Next page").click()
    expect(admin.page.get_by_role("link", name="First page")).to_be_visible()
    expect(rows.last).to_contain_text("1 Jan 2020")
    admin.page.go_back()
    expect(admin.page.get_by_role("link", name="First page")).to_have_count(0)
    site.database.portfolio_analysis_runs.delete_many({"run_id": {"$in": old}})
