"""The whole app under test: the local host in its own process, used over HTTP."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from secantus import SecantusDBServer

from tests import real_engine
from tests.plain_http import PLAIN_HTTP
from tests.security.secret_patterns import certain_secrets

ROOT = Path(__file__).parent.parent.parent
BASE = "/api/admin/portfolio"
SECRET = "end-to-end-secret"
MASTER_KEY = "end-to-end-master-key"
FINAL = {"completed", "completed_with_errors", "failed", "canceled"}
BEHIND_TWO_PROXIES = {"TRUSTED_PROXIES": "2", "PROXY_NETWORKS": "127.0.0.1/32"}
"""The client under test is the outer proxy: what it forwards counts."""

_PATIENCE_SECONDS = 240
_strangers = count(1)


def http_client(url: httpx.URL | str, headers: Mapping[str, str] | None = None) -> httpx.Client:
    return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, verify=PLAIN_HTTP)


@dataclass
class App:
    """A running app, its output so far, and a client with the admin secret."""

    process: subprocess.Popen[str]
    client: httpx.Client
    log: Path
    output: list[str] = field(default_factory=list)

    def stranger(self, **headers: str) -> httpx.Client:
        """Return a client without credentials; it has its own address if the app trusts two proxies."""
        number = next(_strangers)
        address = f"198.18.{number // 256 % 256}.{number % 256}"
        headers = {"X-Forwarded-For": address} | headers
        return http_client(self.client.base_url, headers)

    def trigger(self, **body: Any) -> httpx.Response:  # noqa: ANN401 - any JSON
        return (
            self.client.post(f"{BASE}/trigger-analysis", json=body)
            if body
            else self.client.post(f"{BASE}/trigger-analysis")
        )

    def status(self, run_id: str) -> dict[str, Any]:
        answer = self.client.get(f"{BASE}/analysis-status/{run_id}")
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()
        return run

    def wait(self, run_id: str) -> dict[str, Any]:
        """Return the run after its end; its last log line and its cleanup may follow a moment later."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (run := self.status(run_id))["status"] not in FINAL:
            assert time.monotonic() < deadline, f"{run_id} did not end: {run}\n{self.log.read_text()}"
            time.sleep(0.05)
        return run

    def run(self, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Start a run and return it after its end."""
        answer = self.trigger(**body)
        assert answer.status_code == 202, answer.text
        return self.wait(answer.json()["run_id"])

    def report(self, run_id: str, user_id: str) -> dict[str, Any]:
        answer = self.client.get(f"{BASE}/analysis-runs/{run_id}/portfolios/{user_id}")
        assert answer.status_code == 200, answer.text
        report: dict[str, Any] = answer.json()
        return report

    def portfolios(self, run_id: str) -> list[dict[str, Any]]:
        """Return the first hundred summaries of a run."""
        answer = self.client.get(f"{BASE}/analysis-runs/{run_id}/portfolios", params={"limit": 100})
        assert answer.status_code == 200, answer.text
        listed: list[dict[str, Any]] = answer.json()["portfolios"]
        return listed

    def newest_entry(self) -> dict[str, Any]:
        """Return the newest entry of the audit log."""
        entry: dict[str, Any]
        (entry,) = self.client.get(f"{BASE}/audit", params={"limit": 1}).json()["entries"]
        return entry

    def fire(self, function: str) -> None:
        """Start a function through the host's admin API."""
        headers = {"x-functions-key": MASTER_KEY}
        answer = self.client.post(f"/admin/functions/{function}", json={"input": ""}, headers=headers)
        assert answer.status_code == 202, answer.status_code

    def stop(self, number: signal.Signals) -> None:
        """Stop the app's process with a signal."""
        self.client.close()
        self.process.send_signal(number)
        self.process.wait(timeout=10)
        if self.process.stdout:
            self.process.stdout.close()

    def printed(self, start: str) -> str:
        """Return the rest of the printed line that begins with ``start``."""
        (line,) = [line for line in self.output if line.startswith(start)]
        return line.removeprefix(start).strip()


def start_app(folder: Path, script_root: Path = ROOT, options: Sequence[str] = (), /, **environment: str) -> App:
    """Start the app as ``make start`` does, on a free port; its log is appended to one in ``folder``."""
    log = folder / "app.log"
    engine = real_engine.environment(folder) if real_engine.is_chosen() else {}
    defaults = {"PORT": "0", "ADMIN_SECRET": SECRET, "FUNCTIONS_MASTER_KEY": MASTER_KEY}
    ours = {key: value for key, value in os.environ.items() if key not in {"MONGODB_URL", "REDIS_URL", "DATA_DIR"}}
    with log.open("a") as log_file:
        process = subprocess.Popen(
            [sys.executable, "-m", "devhost", "start", "--script-root", script_root, *options],
            cwd=ROOT,
            env=ours | defaults | engine | environment,
            stdout=subprocess.PIPE,
            stderr=log_file,
            text=True,
        )
    output: list[str] = []
    for line in process.stdout or ():
        output.append(line.rstrip("\n"))
        if line.startswith("Listening on "):
            break
    if not output or not output[-1].startswith("Listening on "):
        process.kill()
        process.communicate()
        pytest.fail("\n".join(output) + log.read_text())
    url = output[-1].removeprefix("Listening on ")
    client = http_client(url, {"X-Admin-Secret": SECRET})
    return App(process, client, log, output)


@contextmanager
def running_app(folder: Path, script_root: Path = ROOT, /, **environment: str) -> Iterator[App]:
    """Run the app and yield it; stop it at the end as Ctrl-C does."""
    app = start_app(folder, script_root, **environment)
    try:
        yield app
    finally:
        app.stop(signal.SIGINT)
        assert app.process.returncode == 0, app.log.read_text()
        assert_discreet(app, environment)


@contextmanager
def running_app_without_its_database(folder: Path) -> Iterator[App]:
    """Run the app; its database answered when it started, and no more."""
    with ExitStack() as stack:
        with SecantusDBServer(storage_path=":memory:") as server:
            app = stack.enter_context(running_app(folder, MONGODB_URL=server.uri))
        yield app


def assert_discreet(app: App, environment: dict[str, str]) -> None:
    """Check that the app neither printed nor logged a secret."""
    output = "\n".join([app.log.read_text(), *app.output])
    known = {SECRET, MASTER_KEY} | {
        value for name, value in environment.items() if name.endswith("SECRET") and value.strip()
    }
    assert [secret for secret in known if secret in output] == []
    assert [kind for kind, _ in certain_secrets(output)] == []
