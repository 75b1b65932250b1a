"""The app as seen by a browser: the actions of visitors, and checks that apply to every page."""

import json
import re
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from stores.mongo import DocumentDatabase
from tests.end_to_end.app import ROOT, SECRET, App
from tests.faults.wire import Wire

CONSOLE = ROOT / "console"
BUILT = CONSOLE / "dist"
PATH = "/api/admin/console"
BACKTEST = "Backtest: today's holdings in the past"
CHECK = re.compile("^Check")
"""The label of the filter by check: its text goes on with the options."""
_AXE = CONSOLE / "node_modules" / "axe-core" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_PATIENCE_MS = 20_000
# All that pages of one context share, except the cache.
_STORED = "cookies,local_storage,indexeddb,cache_storage,service_workers"
_addresses = count(1)

expect.set_options(timeout=_PATIENCE_MS)

# The app registered its listener first, so it has rendered the page when this listener runs.
_FOLLOW = """
(place) => new Promise((done) => {
  const before = location.href;
  addEventListener("hashchange", () => done(), { once: true });
  location.hash = place;
  if (location.href === before) done();
})
"""


@dataclass(frozen=True)
class Site:
    """The app, its database, and the network between the two."""

    app: App
    database: DocumentDatabase
    wire: Wire

    @property
    def url(self) -> str:
        return str(self.app.client.base_url).rstrip("/")


@dataclass
class Visitor:
    """A browser context with one page and its own client address."""

    context: BrowserContext
    page: Page
    site: Site
    errors: list[str] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)
    """Parts of log lines and addresses that the browser may produce beside those of the console."""
    asked: list[str] = field(default_factory=list)

    @classmethod
    def arrive(cls, browser: Browser, site: Site, **options: Any) -> "Visitor":  # noqa: ANN401 - as the browser takes them
        context = new_context(browser, extra_http_headers=_address(), **options)
        return cls(context, context.new_page(), site).listening()

    @classmethod
    def in_a_tab(cls, context: BrowserContext, site: Site) -> "Visitor":
        """Return a visitor with a page of a browser context that has been used before: it loads in half the time."""
        page = context.new_page()
        page.set_extra_http_headers(_address())
        return cls(context, page, site).listening()

    def listening(self) -> "Visitor":
        self.page.on("console", self._logged)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._requested)
        return self

    def _logged(self, message: ConsoleMessage) -> None:
        # Before the first night there is no book, which the browser logs and the page says.
        is_no_night = message.location["url"].endswith("/portfolio/book") and "status of 404" in message.text
        if message.type in ("error", "warning") and not is_no_night:
            self.errors.append(message.text)

    def _requested(self, request: Request) -> None:
        self.asked.append(request.url)

    def leave(self) -> None:
        """Close the browser, and check that it logged and requested nothing unexpected."""
        self.context.close()
        self._check()

    def close_tab(self) -> None:
        """Close the page and delete what it stored for the next one, and check as ``leave`` does."""
        self.page.goto("about:blank")  # so that it stores nothing meanwhile
        devtools = self.context.new_cdp_session(self.page)
        devtools.send("Storage.clearDataForOrigin", {"origin": self.site.url, "storageTypes": _STORED})
        self.page.close()
        self._check()

    def _check(self) -> None:
        strange = [*self.errors, *(url for url in self.asked if not url.startswith(self.site.url))]
        unexpected = [line for line in strange if not any(part in line for part in self.expected)]
        assert unexpected == [], "\n".join(unexpected)

    def open(self, place: str = "/") -> None:
        """Load the console at a place."""
        self.page.goto(f"{self.site.url}{PATH}#{place}")

    def sign_in(self, secret: str = SECRET) -> None:
        self.page.get_by_label("Admin secret or bearer token").fill(secret)
        self.page.get_by_role("button", name="Sign in").click()

    def go(self, place: str) -> None:
        """Follow a link to a place. Its page is shown afterward, but may still be loading."""
        self.page.evaluate(_FOLLOW, place)

    def led_to(self, place: str) -> None:
        """Wait for the address of a place."""
        expect(self.page).to_have_url(f"{self.site.url}{PATH}#{place}")

    def headed(self, title: str) -> None:
        """Wait for the page with this title."""
        expect(self.page.get_by_role("heading", level=1, name=title)).to_be_visible()

    def begun(self, title: str) -> None:
        """Wait until the heading of the page with this title has the focus."""
        expect(self.page.get_by_role("heading", level=1, name=title)).to_be_focused()

    def answer(self, path: str, content: object) -> None:
        """Answer a route of administrators in the browser, with any query."""
        self.page.route(re.compile(rf"/admin/portfolio/{path}(\?|$)"), lambda route: route.fulfill(json=content))

    def refuse(self, path: str, status: int = 500, title: str = "Internal error") -> None:
        """Answer a route of administrators with a problem."""
        problem = {"title": title, "detail": "See the log.", "status": status}
        self.expected.add(f"status of {status}")
        self.page.route(
            re.compile(rf"/admin/portfolio/{path}(\?|$)"), lambda route: route.fulfill(status=status, json=problem)
        )

    def count(self, path: str) -> int:
        """Return how often the page asked for a route of administrators."""
        self.page.evaluate("1")  # the browser reports a page's requests before the result of a script
        return len([url for url in self.asked if urlsplit(url).path.endswith(f"/admin/portfolio/{path}")])

    def settle(self) -> None:
        """Wait until the page has loaded and its charts are drawn."""
        expect(self.page.locator(".skeleton, .frame:not(:has(canvas))")).to_have_count(0)

    def flaws(self) -> list[str]:
        """Return the violations that axe-core finds on the page."""
        devtools = self.context.new_cdp_session(self.page)
        # Through the DevTools protocol, to which the page's content security policy does not apply.
        devtools.send("Runtime.evaluate", {"expression": _AXE.read_text()})
        options = json.dumps({"runOnly": _RULES, "resultTypes": ["violations"]})
        answer = devtools.send(
            "Runtime.evaluate",
            {"expression": f"axe.run(document, {options})", "awaitPromise": True, "returnByValue": True},
        )
        devtools.detach()
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in answer["result"]["value"]["violations"]
            for node in violation["nodes"]
        ]


def new_context(browser: Browser, **options: Any) -> BrowserContext:  # noqa: ANN401 - as the browser takes them
    context = browser.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Berlin"} | options)
    context.set_default_timeout(_PATIENCE_MS)
    return context


def _address() -> dict[str, str]:
    """Return the header with the client address of another visitor."""
    return {"X-Forwarded-For": f"198.18.7.{next(_addresses)}"}


def region(visitor: Visitor, name: str) -> Locator:
    """Return the card with this title."""
    return visitor.page.get_by_role("region", name=name, exact=True)


def is_phone(theme: Literal["light", "dark"]) -> dict[str, Any]:
    """Return the options of a phone's browser."""
    return {"viewport": {"width": 390, "height": 844}, "color_scheme": theme, "is_mobile": True, "has_touch": True}


def built_files() -> list[Path]:
    """Return the files of the console that are served."""
    return sorted(BUILT.iterdir())
