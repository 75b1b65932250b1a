"""``python -m devhost demo``: start the app, run the analysis over HTTP as an operator would, print the results."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Self

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from devhost.demo_portfolio import render_portfolio
from devhost.demo_report import (
    Document,
    progress_of,
    render_portfolios,
    render_remarks,
    render_run,
)
from devhost.environment import local_settings
from devhost.errors import StartError
from devhost.sample_data import SAMPLE_USERS

_APP = Path(__file__).parent.parent
_BASE = "/api/admin/portfolio"
_FINAL = ("completed", "completed_with_errors", "failed", "canceled")
_START_SECONDS = 90.0
_RUN_SECONDS = 300.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1
_WIDTH_OF_A_FILE, _WIDEST = 80, 100
_LOG_LINES_SHOWN = 12
# Settings of the user's shell that must not change the demo.
_NOT_INHERITED = (
    "KEY_VAULT_URL", "ADMIN_SECRET", "JWT_SECRET", "MONGODB_URL", "MONGODB_DATABASE", "REDIS_URL", "DATA_DIR", "SEED",
    "JWT_ISSUER", "JWT_AUDIENCE", "OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_ADMIN_ROLE", "ME_API",
    "WEBHOOKS", "EVENT_GRID_ENDPOINT",
    "MARKET_DATA_PROVIDER", "PRICES_DIR", "RATES_DIR", "BASE_CURRENCY", "BENCHMARK_SYMBOL", "RISK_FREE_RATE",
    "ANALYSIS_LOOKBACK_DAYS", "ANALYSIS_MIN_SUCCESS_RATE",
)  # fmt: skip
_NEXT = """All services stopped. What next:
  make start
      the app and its admin console with this sample, until Ctrl-C
  MONGODB_URL=mongodb://... PRICES_DIR=folder make check-data
      whether your own data would do, and what to change: docs/own-data.md
  make test
      every test; it first installs what the tests need"""
# Several pages of users, so that progress is visible; any free port.
_OURS = {"PORT": "0", "ANALYSIS_PAGE_SIZE": "5"}


class DemoFailed(Exception):
    """A step of the demo failed. The message is a paragraph for the user."""


class AdminApi:
    """The app's HTTP API, with the admin secret."""

    def __init__(self, base_url: str, secret: str) -> None:
        # The client and the app run on one machine: proxies of the environment do not apply.
        self._client = httpx.Client(base_url=base_url, headers={"X-Admin-Secret": secret}, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def start_run(self, **asked: object) -> tuple[str, str]:
        """Start a run and return its ID and the URL of its status."""
        answer = self._ask("POST", f"{_BASE}/trigger-analysis", json=asked or None)
        return answer["run_id"], answer["status_url"]

    def states(self, status_url: str) -> Iterator[Document]:
        """Yield the run document repeatedly, until the run has ended.

        Raises:
            DemoFailed: the run does not end.
        """
        deadline = time.monotonic() + _RUN_SECONDS
        while time.monotonic() < deadline:
            run = self._ask("GET", status_url)
            yield run
            if run["status"] in _FINAL:
                return
            time.sleep(_POLL_SECONDS)
        raise DemoFailed(f"The run did not finish within {_RUN_SECONDS:.0f} s.")

    def portfolios(self, run_id: str) -> list[Document]:
        """Return the summaries of all portfolios of a run, sorted by user."""
        summaries: list[Document] = []
        query: dict[str, str | int] = {"limit": 100}
        while True:
            page = self._ask("GET", f"{_BASE}/analysis-runs/{run_id}/portfolios", params=query)
            summaries += page["portfolios"]
            if page["next"] is None:
                return summaries
            query["after"] = page["next"]

    def report(self, run_id: str, user_id: str) -> Document:
        """Return one user's report."""
        return self._ask("GET", f"{_BASE}/analysis-runs/{run_id}/portfolios/{user_id}")

    def _ask(self, method: str, path: str, **request: Any) -> Document:  # noqa: ANN401 - httpx takes many kinds
        try:
            answer = self._client.request(method, path, **request)
            content: Document = answer.json()
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            raise DemoFailed(f"{method} {path} failed: {type(error).__name__}: {error}.") from error
        if answer.is_error:
            reason = content.get("detail") or content.get("title") or "no reason given"
            raise DemoFailed(f"{method} {path} returned {answer.status_code}: {reason}")
        return content


def main() -> int:
    """Run the demo and return the exit code."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_A_FILE)
    console.width = min(console.width, _WIDEST)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _demonstrate(console)
    except (DemoFailed, StartError) as error:
        print(f"Demo failed. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _demonstrate(console: Console) -> None:
    secret = local_settings(_APP).get("ADMIN_SECRET", "")
    console.print("Starting the app with embedded MongoDB and Redis and sample users ...")
    console.print("Some of these users are broken on purpose: see the special cases below.")
    with _running_app() as base_url, AdminApi(base_url, secret) as api:
        console.print(f"App listening on {base_url}", highlight=False)
        run_id, status_url = api.start_run()
        console.print(f"POST {_BASE}/trigger-analysis started {run_id}", highlight=False)
        run = _watch(console, api.states(status_url))
        console.print()
        console.print(render_run(run))
        if run["status"] not in ("completed", "completed_with_errors"):
            raise DemoFailed(" ".join(["The run did not complete.", *(error["error"] for error in run["errors"])]))
        _show_portfolios(console, api, run)
    console.print()
    console.print(_NEXT, highlight=False)


def _show_portfolios(console: Console, api: AdminApi, run: Document) -> None:
    summaries = api.portfolios(run["run_id"])
    reports = [api.report(run["run_id"], summary["user_id"]) for summary in summaries]
    console.print()
    console.print(render_portfolios(summaries))
    console.print()
    console.print(render_remarks(run, reports, _run_of_other_users(api, reports)))
    console.print()
    whole = [report for report in reports if report["status"] == "analyzed" and report["reason"] is None]
    if not whole:
        raise DemoFailed("No portfolio was fully analyzed.")
    console.print(render_portfolio(max(whole, key=lambda report: report["valuation"]["market_value"])))


def _run_of_other_users(api: AdminApi, reports: Sequence[Document]) -> Document | None:
    """Return a dry run of the sample users without a report; its errors contain the reasons."""
    reported = {report["user_id"] for report in reports}
    others = [user.user_id for user in SAMPLE_USERS if user.user_id not in reported]
    if not others:
        return None
    _, status_url = api.start_run(dry_run=True, user_ids=others)
    *_, run = api.states(status_url)
    return run


def _watch(console: Console, states: Iterator[Document]) -> Document:
    """Show the progress of a run, as a bar in a terminal that can, else as one line per step; return its last state."""
    run: Document = {}
    shown = ""
    columns = (TextColumn("{task.description:<36}"), BarColumn(bar_width=30), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_interactive) as progress:
        bar = progress.add_task("Waiting to start", total=1.0)
        for run in states:
            share, label = progress_of(run)
            progress.update(bar, completed=share, description=label)
            if label != shown and not console.is_interactive:
                console.print(f"  {label}", highlight=False)
            shown = label
    return run


@contextlib.contextmanager
def _running_app() -> Iterator[str]:
    """Run ``devhost start`` as a child process and yield the app's address; stop the process at the end."""
    with TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "devhost", "start"],
            cwd=_APP,
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C reaches this process only, which passes it on once
        )
        try:
            yield _address(process, output)
        except DemoFailed as error:
            raise DemoFailed(f"{error}\nLast lines of the app's output:\n{_last_lines(output)}") from error
        finally:
            _stop(process)


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in inherited.items() if name not in _NOT_INHERITED} | _OURS


def _address(process: subprocess.Popen[bytes], output: IO[bytes]) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for line in _lines(output):
            if line.startswith("Listening on "):
                return line.removeprefix("Listening on ")
        if process.poll() is not None:
            raise DemoFailed(f"The app did not start: it exited with code {process.returncode}.")
        time.sleep(_POLL_SECONDS)
    raise DemoFailed(f"The app did not start within {_START_SECONDS:.0f} s.")


def _lines(output: IO[bytes]) -> list[str]:
    # Read by position: the app writes through the same open file and shares its offset.
    size = os.fstat(output.fileno()).st_size
    return os.pread(output.fileno(), size, 0).decode(errors="replace").splitlines()


def _last_lines(output: IO[bytes]) -> str:
    lines = [f"  {line}" for line in _lines(output) if line.strip()]
    return "\n".join(lines[-_LOG_LINES_SHOWN:]) or "  (no output)"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    finally:
        process.kill()  # its children end with it
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
