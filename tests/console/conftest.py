import secrets
import shutil
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from devhost.seed import seed_sample_users
from stores.mongo import connect
from tests.conftest import missing_server
from tests.console.site import BUILT, Site, Visitor, new_context
from tests.end_to_end.app import BEHIND_TWO_PROXIES, running_app
from tests.faults.wire import Wire

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
JWT_SECRET = "a-secret-of-the-backend-as-long-as-it-must-be"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser per module: Playwright's event loop must be closed before other tests run their own."""
    if CHROMIUM is None:
        missing_server("chromium is not installed")
    if not (BUILT / "index.html").exists():
        missing_server("the admin console is not built: make console")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mongodb_url: str) -> Iterator[Site]:
    """Yield the app with the sample users, four per page."""
    name = f"test_{secrets.token_hex(4)}"
    seed_sample_users(mongodb_url, name)
    client = connect(mongodb_url)
    wire = Wire(int(mongodb_url.rpartition(":")[2]))
    environment = {
        "MONGODB_URL": f"mongodb://127.0.0.1:{wire.port}/?directConnection=true",
        "MONGODB_DATABASE": name,
        "MARKET_DATA_PROVIDER": "sample",
        "ANALYSIS_PAGE_SIZE": "4",
        "JWT_SECRET": JWT_SECRET,
        "ME_API": "1",
        **BEHIND_TWO_PROXIES,
    }
    with running_app(tmp_path_factory.mktemp("app"), **environment) as app:
        yield Site(app, client[name], wire)
    wire.close()
    client.drop_database(name)
    client.close()


@pytest.fixture(scope="module")
def runs(site: Site) -> tuple[str, str]:
    """Return two runs of all users, as of a past day and as of the last."""
    return site.app.run(as_of="2022-06-01")["run_id"], site.app.run()["run_id"]


@pytest.fixture
def run_id(runs: tuple[str, str]) -> str:
    return runs[1]


@pytest.fixture(scope="module")
def nights(site: Site, runs: tuple[str, str]) -> str:
    """Return the newest of two nights: the one before it is as of the day before."""
    day = site.app.status(runs[1])["as_of"]
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    site.database.portfolio_analyses.update_many({"run_id": runs[1]}, {"$set": {"as_of": before}})
    return str(site.app.run()["run_id"])


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    """Yield a visitor with a browser context. Errors that the test does not expect fail the test."""
    visitor = Visitor.arrive(browser, site)
    yield visitor
    visitor.leave()


@pytest.fixture(scope="module")
def shared_context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """Yield a browser context with one open tab, so that the next ones share its process and its cache."""
    context = new_context(browser)
    context.new_page().goto(f"{site.url}/api/health")
    yield context
    context.close()


@pytest.fixture
def admin(shared_context: BrowserContext, site: Site) -> Iterator[Visitor]:
    """Yield a signed-in visitor in a tab of its own. Errors that the test does not expect fail the test."""
    visitor = Visitor.in_a_tab(shared_context, site)
    visitor.open()
    visitor.sign_in()
    yield visitor
    visitor.close_tab()


@pytest.fixture
def reader(admin: Visitor, run_id: str) -> Visitor:
    """Return a signed-in visitor of the overview, after a run."""
    assert run_id
    admin.headed("Overview")
    return admin
