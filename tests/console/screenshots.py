"""Take the screenshots of the admin console: ``python -m tests.console.screenshots``, or ``make screenshots``.

They show real runs of the sample users, with start times moved back over two weeks.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from secantus import SecantusDBServer

from devhost.seed import seed_sample_users
from stores.mongo import connect
from tests.console.site import BACKTEST, Site, Visitor, is_phone, region
from tests.end_to_end.app import ROOT, running_app
from tests.faults.wire import Moment, Wire

IMAGES = ROOT / "docs" / "images"
_DESKTOP = {"width": 1280, "height": 820}
_ON_A_PHONE = ("overview", "run", "portfolios", "portfolio", "money")
_BELOW_THE_FOLD = {
    "portfolio": (BACKTEST, "Correlation of holdings", "Holdings", "Risk"),
    "money": ("By period", "Income", "Lots and gains"),
}
"""The names of the parts of some places that are below the first screen."""
_NIGHTS = 14
_BAD_NIGHTS = (0, 5, 6, 11)
_FAILED_NIGHT = 8
_SECONDS_OF_A_NIGHT = (212, 208, 231, 219, 204, 398, 226, 215, 222, 209, 240, 218, 207, 221)


@contextmanager
def a_site(folder: Path) -> Iterator[Site]:
    with SecantusDBServer(storage_path=":memory:") as server:
        url = f"mongodb://127.0.0.1:{server.port}"
        seed_sample_users(url, "portfolio")
        wire = Wire(server.port)
        environment = {
            "MONGODB_URL": f"mongodb://127.0.0.1:{wire.port}/?directConnection=true",
            "ANALYSIS_PAGE_SIZE": "2",
        }
        with running_app(folder, **environment) as app, connect(url) as client:
            yield Site(app, client["portfolio"], wire)
        wire.close()


def run_two_weeks(site: Site) -> str:
    """Run the nights of two weeks and return the ID of the last run."""
    tonight = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0)
    if tonight > datetime.now(UTC):
        tonight -= timedelta(days=1)
    for ago in range(_NIGHTS - 1, -1, -1):
        _fix_sample_users(site, all_users=ago not in _BAD_NIGHTS)
        as_of = (datetime(2022, 12, 28, tzinfo=UTC) - timedelta(days=ago)).date().isoformat()
        with _nobody_active(site) if ago == _FAILED_NIGHT else nullcontext():
            run = site.app.run(as_of=as_of) if ago else site.app.run()  # only a run as of the newest day is a night
        _move(
            site, run["run_id"], tonight - timedelta(days=ago), 9 if ago == _FAILED_NIGHT else _SECONDS_OF_A_NIGHT[ago]
        )
    return str(run["run_id"])


@contextmanager
def _nobody_active(site: Site) -> Iterator[None]:
    """Leave a run without anybody to analyze, so that it fails."""
    inactive = [user["user_id"] for user in site.database.users.find({"is_active": False})]
    site.database.users.update_many({}, {"$set": {"is_active": False}})
    yield
    site.database.users.update_many({"user_id": {"$nin": inactive}}, {"$unset": {"is_active": ""}})


def _fix_sample_users(site: Site, *, all_users: bool) -> None:
    """Fix the flaws of the sample users, with which every night would have errors."""
    quantity, cash, rare = (10, 1000, "KO") if all_users else ("ten", "1.000,00", "NOSUCH")
    site.database.holdings.update_one({"user_id": "xena-corrupt-holding"}, {"$set": {"quantity": quantity}})
    site.database.accounts.update_one({"user_id": "yuri-corrupt-account"}, {"$set": {"cash": cash}})
    site.database.holdings.update_one(
        {"user_id": "rosa-rare", "symbol": {"$in": ["KO", "NOSUCH"]}}, {"$set": {"symbol": rare}}
    )


def _move(site: Site, run_id: str, night: datetime, seconds: float) -> None:
    """Turn a run into that of a night, with the given duration."""
    phases = {"plan": 0.01, "portfolios": 0.1, "market_data": 0.34, "research": 0.13, "analyze": 0.41}
    metrics = {f"metrics.{phase}_duration_seconds": seconds * share for phase, share in phases.items()}
    site.database.portfolio_analysis_runs.update_one(
        {"run_id": run_id},
        {
            "$set": {
                "trigger": {"source": "timer", "actor": "nightly_analysis"},
                "as_of_requested": None,
                "requested_at": night,
                "started_at": night + timedelta(seconds=1),
                "completed_at": night + timedelta(seconds=1 + seconds),
                "metrics.total_duration_seconds": seconds,
                **metrics,
            }
        },
    )


def take_pictures(browser: Browser, site: Site, run_id: str) -> None:
    run, portfolios = f"/runs/{run_id}", f"/runs/{run_id}/portfolios"
    places = {
        "overview": "/",
        "runs": "/runs",
        "start": "/start",
        "run": run,
        "portfolios": f"{portfolios}?sort=breaches&order=desc",
        "portfolio": f"{portfolios}/ada-allrounder",
        "money": f"{portfolios}/ada-allrounder?section=money",
        "audit": "/audit",
    }
    for theme in ("light", "dark"):
        for device in ("desktop", "phone"):
            options = is_phone(theme) if device == "phone" else {"viewport": _DESKTOP, "color_scheme": theme}
            visitor = Visitor.arrive(browser, site, device_scale_factor=1, **options)
            visitor.open()
            visitor.headed("Sign in")
            if device == "desktop":
                _picture(visitor, f"sign-in-{device}-{theme}")
            visitor.sign_in()
            visitor.headed("Overview")
            for name, place in places.items():
                if device == "desktop" or name in _ON_A_PHONE:
                    visitor.go(place)
                    _picture(visitor, f"{name}-{device}-{theme}")
            if device == "desktop":
                for name, parts in _BELOW_THE_FOLD.items():
                    visitor.go(places[name])
                    _pictures_of_parts(visitor, name, parts, theme)
            visitor.leave()
    _picture_of_an_active_run(browser, site)


def _picture_of_an_active_run(browser: Browser, site: Site) -> None:
    visitor = Visitor.arrive(browser, site, viewport=_DESKTOP)
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    # Some pages are complete, the one with this user is not.
    with site.wire.holding(Moment("insert", "portfolio_analyses", b"mia-monthly")) as hold:
        started = site.app.trigger().json()["run_id"]
        hold.wait()
        visitor.go(f"/runs/{started}")
        visitor.page.get_by_text("left, based on the last run").wait_for()
        _picture(visitor, "run-under-way-desktop-light")
    visitor.leave()


def _pictures_of_parts(visitor: Visitor, place: str, parts: Sequence[str], theme: str) -> None:
    """Take the screenshots of parts of the page that is shown, by their names."""
    for part in parts:
        region(visitor, part).evaluate("(part) => part.scrollIntoView()")
        _picture(visitor, f"{place}-{part.split()[0].strip(':').lower()}-desktop-{theme}")


def _picture(visitor: Visitor, name: str) -> None:
    visitor.settle()
    visitor.page.mouse.move(0, 0)
    visitor.page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, a_site(Path(folder)) as site:
        run_id = run_two_weeks(site)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            take_pictures(browser, site, run_id)
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
