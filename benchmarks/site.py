"""The app on the local host with generated users and prices, used over HTTP as by an operator."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.mongodb import fill
from benchmarks.peaks import kind_of, peak_memory
from benchmarks.workload import portfolios, symbols, walks
from stores.mongo import connect

ROOT = Path(__file__).parent.parent
BASE = "/api/admin/portfolio"
SECRET = "benchmark"  # noqa: S105 - of a server that lives for minutes
_SAMPLE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Site:
    """A started app: its process, a client with the admin secret, and the place of its data."""

    host: psutil.Process
    client: httpx.Client
    mongodb_url: str

    def run_once(self) -> dict[str, Any]:
        """Start a run and return it after its end."""
        answer = self.client.post(f"{BASE}/trigger-analysis").raise_for_status().json()
        while True:
            run: dict[str, Any] = self.client.get(answer["status_url"]).raise_for_status().json()
            if run["status"] not in {"queued", "running"}:
                return run
            time.sleep(_SAMPLE_SECONDS)

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor time so far by kind of process."""
        seconds: dict[str, float] = defaultdict(float)
        for process in self._processes():
            times = process.cpu_times()
            seconds[kind_of(process)] += times.user + times.system
        return dict(seconds)

    def peak_memory(self) -> AbstractContextManager[dict[str, float]]:
        """Return the peaks of :func:`benchmarks.peaks.peak_memory` over the app's processes."""
        return peak_memory(self._processes)

    def _processes(self) -> list[psutil.Process]:
        return [self.host, *self.host.children(recursive=True)]


@contextmanager
def running_site(users: int, universe: int, app: Path = ROOT, **settings: str) -> Iterator[Site]:
    """Start the app over ``users`` of 20 holdings out of ``universe`` symbols; stop it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        write_prices(Path(folder), universe)
        environment = os.environ | {"PORT": "0", "ADMIN_SECRET": SECRET, "PRICES_DIR": folder} | settings
        for name in ("MONGODB_URL", "REDIS_URL", "DATA_DIR"):
            environment.pop(name, None)
        command = [sys.executable, "-m", "devhost", "start", "--script-root", str(app)]
        with subprocess.Popen(  # noqa: S603 - this very interpreter
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                said = _read_start(process)
                with connect(said["MongoDB"]) as mongodb:
                    fill(mongodb["portfolio"], portfolios(users, universe))
                with httpx.Client(
                    base_url=said["Listening"], headers={"X-Admin-Secret": SECRET}, timeout=120, trust_env=False
                ) as client:
                    yield Site(psutil.Process(process.pid), client, said["MongoDB"])
            finally:
                process.send_signal(signal.SIGINT)


def _read_start(process: subprocess.Popen[str]) -> Mapping[str, str]:
    """Return the text after the first word of each line, up to the line that it is listening."""
    said: dict[str, str] = {}
    for line in process.stdout or ():
        name, _, rest = line.partition(" at " if " at " in line else " on ")
        said[name] = rest.strip()
        if name == "Listening":
            return said
    raise RuntimeError("the app did not start")


def write_prices(folder: Path, universe: int) -> None:
    """Write a random walk for each symbol of the workload, and for the benchmark."""
    for symbol, bars in zip(("SPY", *symbols(universe)), walks(universe + 1), strict=True):
        rows = (f"{day},{close!r}" for day, close in zip(bars.dates, bars.close.tolist(), strict=True))
        (folder / f"{symbol}.csv").write_text("date,close\n" + "\n".join(rows))
