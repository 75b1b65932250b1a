"""The local host in its own process, started and stopped as by a user."""

import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from secantus import SecantusDBServer

from tests.plain_http import PLAIN_HTTP
from tests.security.secret_patterns import certain_secrets

ROOT = Path(__file__).parent.parent.parent
HOST_APP = Path(__file__).parent / "apps" / "host_app"
OURS = {"MONGODB_URL", "REDIS_URL", "DATA_DIR", "SEED", "PORT", "ADMIN_SECRET", "FUNCTIONS_WORKER_PROCESS_COUNT"}
MASTER_KEY = "key-of-these-tests"
_PATIENCE_SECONDS = 30


@dataclass
class Host:
    """A started host, its output until it listened, and a client for it."""

    process: subprocess.Popen[str]
    lines: list[str]
    folder: Path
    client: httpx.Client

    def workers(self) -> list[psutil.Process]:
        return [child for child in self.children() if "devhost.worker" in child.cmdline()]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def notes(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []

    def note(self, name: str, position: int) -> str:
        """Return a line of the notes; empty while it does not exist."""
        return next(iter(self.notes(name)[position:]), "")

    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    def fire(self, function: str, key: str = MASTER_KEY) -> int:
        """Start a function with the host's key and return the status."""
        headers = {"x-functions-key": key}
        return self.client.post(f"/admin/functions/{function}", json={"input": ""}, headers=headers).status_code

    def run(self, orchestrator: str, value: object) -> str:
        return self.client.post(f"/runs/{orchestrator}", content=json.dumps(value)).raise_for_status().text

    def outcome(self, run_id: str) -> dict[str, Any]:
        """Return the outcome of a run after its end; a request that dies with its worker is sent again."""
        deadline = time.monotonic() + 4 * _PATIENCE_SECONDS
        while (answer := self.client.get(f"/runs/{run_id}")).status_code != httpx.codes.OK:
            assert time.monotonic() < deadline, f"{run_id} did not end: {answer.status_code}"
        outcome: dict[str, Any] = answer.json()
        return outcome

    def manage(self, run_id: str, verb: str) -> str:
        """Terminate or purge a run, and return the engine's answer."""
        return str(self.client.post(f"/runs/{run_id}/{verb}").raise_for_status().json())

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(_PATIENCE_SECONDS)


@functools.cache
def no_services() -> dict[str, str]:
    """Return settings with which a host embeds no servers: a start wants a MongoDB that answers, but no Redis."""
    server = SecantusDBServer(storage_path=":memory:")
    atexit.register(server.stop)
    server.start()
    return {"MONGODB_URL": server.uri, "REDIS_URL": "redis://:hidden@127.0.0.1:1"}


def command(app: Path) -> list[str]:
    return [sys.executable, "-m", "devhost", "start", "--script-root", str(app)]


def environment(folder: Path, overrides: dict[str, str]) -> dict[str, str]:
    outside = {name: value for name, value in os.environ.items() if name not in OURS}
    settings = {
        "NOTES_DIR": str(folder),
        "TICK_SCHEDULE": "0 0 0 1 1 *",
        "PORT": "0",
        "FUNCTIONS_MASTER_KEY": MASTER_KEY,
        "FUNCTIONS_WORKER_PROCESS_COUNT": "1",
    }
    return outside | settings | overrides


@contextmanager
def running_host(
    folder: Path, app: Path = HOST_APP, options: Sequence[str] = (), /, **overrides: str
) -> Iterator[Host]:
    """Run the host on a free port, by default without embedded services; kill all remaining processes at the end."""
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [*command(app), *options],
            cwd=ROOT,
            env=environment(folder, no_services() | overrides),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    with process:
        lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("Listening on "):
                break
        try:
            assert process.poll() is None, (folder / "stderr").read_text()
            url = lines[-1].removeprefix("Listening on ")
            with httpx.Client(base_url=url, timeout=_PATIENCE_SECONDS, trust_env=False, verify=PLAIN_HTTP) as client:
                yield Host(process, lines, folder, client)
            assert list(certain_secrets("\n".join([*lines, (folder / "stderr").read_text()]))) == []
        finally:
            process.kill()


def exchange(host: Host, request: bytes) -> tuple[str, bytes]:
    """Send exactly these bytes on a new connection; return the head and the content of everything received."""
    url = host.client.base_url
    answer = b""
    with socket.create_connection((url.host, url.port or 0), timeout=_PATIENCE_SECONDS) as connection:
        with contextlib.suppress(ConnectionError):  # refused before all was sent
            connection.sendall(request)
        with contextlib.suppress(ConnectionError):
            while received := connection.recv(65_536):
                answer += received
    head, _, content = answer.partition(b"\r\n\r\n")
    return head.decode().lower().replace("http/1.1", "HTTP/1.1"), content


def refused_start(folder: Path, app: Path, **overrides: str) -> subprocess.CompletedProcess[str]:
    """Start a host whose start is expected to fail."""
    return subprocess.run(
        command(app),
        cwd=ROOT,
        env=environment(folder, no_services() | overrides),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )


def eventually[Value](look: Callable[[], Value], patience_seconds: float = _PATIENCE_SECONDS) -> Value:
    """Return the first true value of ``look``; fail if there is none in time."""
    deadline = time.monotonic() + patience_seconds
    while not (value := look()):
        assert time.monotonic() < deadline, f"still {value!r}"
        time.sleep(0.02)
    return value
