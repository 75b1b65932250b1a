"""The admin console with a night over 100,000 portfolios: loading time of its pages, and smoothness of scrolling."""

import shutil
import statistics
from datetime import UTC, datetime
from itertools import batched, pairwise
from typing import TYPE_CHECKING

from analysis.decisions import Adviser
from analysis.report import analyze_portfolios
from benchmarks.site import SECRET, running_site
from benchmarks.tables import Group, Row
from benchmarks.workload import portfolios, price_table
from records import Run, Trigger, user_counts
from runs.book import book_of
from stores.books import BookStore
from stores.mongo import connect
from stores.rankings import RankingStore
from stores.reports import ReportStore, stored_forms
from stores.runs import RunStore
from stores.symbols import ResearchStore

if TYPE_CHECKING:
    from playwright.sync_api import Page

USERS, SYMBOLS = 100_000, 500
_PATH = "/api/admin/console"
_PAGE = 200
_ROUNDS = 10
_SCROLL_PIXELS, _SCROLLS = 120, 60
_SMOOTH_MS = 34  # two frames at 60 Hz

# When the first row of a table was drawn, counted from the start of the navigation or from a click.
_WATCH = """
window.drawn = null;
new MutationObserver(() => {
  const line = document.querySelector("tbody tr");
  if (line && line !== window.seen) {
    window.seen = line;
    requestAnimationFrame(() => { window.drawn = performance.now(); });
  }
}).observe(document, { childList: true, subtree: true });
"""
_FRAMES = """
window.frames_ = [];
const next = (at) => { window.frames_.push(at); window.counting && requestAnimationFrame(next); };
window.counting = true;
requestAnimationFrame(next);
"""


def group() -> Group:
    """Measure, and return the table; an empty one without Chromium or a built console."""
    title = f"The admin console with a night over {USERS:,} portfolios"
    chromium = shutil.which("chromium")
    if chromium is None:
        return Group(title, "ms", "", [], ["Not measured: Chromium is not installed."])
    with running_site(0, 0) as site:
        run_id = _run_over_all_users(site.mongodb_url)
        return Group(title, "ms", "", _measured(chromium, str(site.client.base_url), run_id))


def _run_over_all_users(mongodb_url: str) -> str:
    """Store users, and their reports, book and run as a night does; return the id of the run."""
    table, now = price_table(SYMBOLS), datetime.now(UTC)
    run_id = f"run_{now:%Y%m%d_%H%M%S}_0000"
    with connect(mongodb_url) as client:
        database = client["portfolio"]
        database.users.insert_many(
            {"user_id": f"user-{number:06}", "name": f"Person {number:06}", "email": f"{number}@example.org"}
            for number in range(USERS)
        )
        runs, reports, rankings = (
            RunStore(database),
            ReportStore(database, ResearchStore(database)),
            RankingStore(database),
        )
        for store in (runs, reports, rankings):
            store.ensure_indexes()
        run = Run(run_id, "queued", Trigger("timer", "nightly_analysis"), now, as_of=table.as_of)
        runs.create(run, None)
        for page in batched(portfolios(USERS, SYMBOLS), _PAGE, strict=False):
            reports.save(stored_forms(analyze_portfolios(page, table, Adviser({}), {}, run_id, 0.0))[0])
        lines = reports.lines(run_id)
        rankings.write(run_id, lines)
        BookStore(database).write(book_of(run, "USD", lines))
        counts = user_counts(reports.outcome(run_id))
        runs.finish(run_id, "completed", {"completed_at": now, "progress.phase": "done", **counts})
    return run_id


def _measured(chromium: str, url: str, run_id: str) -> list[Row]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        page.add_init_script(_WATCH)
        page.goto(f"{url}{_PATH}#/runs/{run_id}/portfolios")
        page.get_by_label("Admin secret or bearer token").fill(SECRET)
        page.get_by_role("button", name="Sign in").click()
        page.locator("tbody tr").first.wait_for()
        _loaded(page)  # by then the workers have connected
        rows = [
            _row("first table, from loading the page", [_loaded(page) for _ in range(_ROUNDS)], goal="< 1000"),
            *[_row(f"sorted by {name}", [_after_click(page, name)]) for name in ("Value", "Max drawdown", "Checks")],
            _row("next page", [_after_click(page, "Next page") for _ in range(_ROUNDS)]),
            *_scrolling(page),
        ]
        page.goto(f"{url}{_PATH}#/portfolios")
        _loaded(page)
        people = [_loaded(page) for _ in range(_ROUNDS)]
        found = [_found(page, f"person {number:06}") for number in range(0, USERS, USERS // _ROUNDS)]
        page.goto(f"{url}{_PATH}#/")
        _overview(page)
        overview = [_overview(page) for _ in range(_ROUNDS)]
        rows += [
            _row("people of the night, from loading the page", people, goal="< 1000"),
            _row("a person found by name, from typing", found),
            _row("overview with the book, from loading the page", overview, goal="< 1000"),
        ]
        browser.close()
    return rows


def _row(name: str, milliseconds: list[float], goal: str = "") -> Row:
    note = f"slowest {max(milliseconds):.0f}" if len(milliseconds) > 1 else ""
    return Row(name, statistics.median(milliseconds), goal=goal, note=note)


def _loaded(page: "Page") -> float:
    page.reload()
    return _drawn(page)


def _found(page: "Page", part: str) -> float:
    """Return the time until a search is shown, which begins after a pause in typing."""
    page.evaluate("window.drawn = null")
    begun: float = page.evaluate("performance.now()")
    page.get_by_label("ID, name or e-mail contains").fill(part)
    return _drawn(page) - begun


def _overview(page: "Page") -> float:
    """Return the time until the people that need attention are shown, and a little for the look at it."""
    page.reload()
    page.get_by_role("region", name="Needs attention").locator("tbody tr").first.wait_for()
    shown: float = page.evaluate("performance.now()")
    return shown


def _after_click(page: "Page", name: str) -> float:
    link = page.get_by_role("link", name=name, exact=True)
    link.wait_for()
    page.evaluate("window.drawn = null")
    begun: float = link.evaluate("(link) => { const now = performance.now(); link.click(); return now; }")
    return _drawn(page) - begun


def _drawn(page: "Page") -> float:
    page.locator("tbody tr").first.wait_for()
    # Not by waiting in the page, whose policy allows no eval.
    while (drawn := page.evaluate("window.drawn")) is None:
        page.wait_for_timeout(5)
    return float(drawn)


def _scrolling(page: "Page") -> list[Row]:
    """Scroll from the top to the bottom of a page of a hundred rows with the wheel, and time every frame."""
    page.mouse.move(600, 400)
    page.evaluate(_FRAMES)
    for _ in range(_SCROLLS):
        page.mouse.wheel(0, _SCROLL_PIXELS)
    frames: list[float] = page.evaluate("() => { window.counting = false; return window.frames_; }")
    gaps = [later - earlier for earlier, later in pairwise(frames)]
    late = sum(gap > _SMOOTH_MS for gap in gaps)
    return [
        Row("scrolling: median frame", statistics.median(gaps), note=f"{len(gaps)} frames"),
        Row("scrolling: longest frame", max(gaps), note=f"{late} over {_SMOOTH_MS} ms"),
    ]
