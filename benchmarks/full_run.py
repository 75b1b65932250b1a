"""A whole run on the local host: 1,000 users of 20 holdings over 500 symbols and 1,260 days, through HTTP.

Says how long each phase took and in which processes the machine's time went.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.mongodb import fill
from benchmarks.tables import Group, Row
from benchmarks.workload import DAYS, portfolios, symbols, walks
from stores.mongo import connect

ROOT = Path(__file__).parent.parent
USERS, SYMBOLS = 1_000, 500
SECRET = "benchmark"  # noqa: S105 - of a server that lives for a minute
BASE = "/api/admin/portfolio"


def write_prices(folder: Path) -> None:
    """Write a random walk for each symbol and for the benchmark."""
    for symbol, bars in zip(("SPY", *symbols(SYMBOLS)), walks(SYMBOLS + 1), strict=True):
        rows = (f"{day},{close!r}" for day, close in zip(bars.dates, bars.close.tolist(), strict=True))
        (folder / f"{symbol}.csv").write_text("date,close\n" + "\n".join(rows))


def processor_seconds(host: psutil.Process) -> dict[str, float]:
    """Give the processor time so far by kind of process."""
    seconds: dict[str, float] = defaultdict(float)
    for process in [host, *host.children(recursive=True)]:
        command = " ".join(process.cmdline())
        kinds = {"devhost.worker": "workers", "secantus": "MongoDB server", "redis": "Redis server"}
        kind = next((kind for mark, kind in kinds.items() if mark in command), "host and engine")
        times = process.cpu_times()
        seconds[kind] += times.user + times.system
    return dict(seconds)


def run_once(client: httpx.Client) -> dict[str, Any]:
    """Start a run and give it once it has ended."""
    answer = client.post(f"{BASE}/trigger-analysis").raise_for_status().json()
    while True:
        run: dict[str, Any] = client.get(answer["status_url"]).raise_for_status().json()
        if run["status"] not in {"queued", "running"}:
            return run
        time.sleep(0.2)


def measure() -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
    """Start the app, run twice and stop it; gives both run documents and the processor seconds of the first run."""
    with tempfile.TemporaryDirectory() as folder:
        write_prices(Path(folder))
        environment = os.environ | {"PORT": "0", "ADMIN_SECRET": SECRET, "PRICES_DIR": folder}
        for name in ("MONGODB_URL", "REDIS_URL", "DATA_DIR"):
            environment.pop(name, None)
        with subprocess.Popen(
            [sys.executable, "-m", "devhost", "start"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            lines = {}
            for line in process.stdout or ():
                name, _, rest = line.partition(" at " if " at " in line else " on ")
                lines[name] = rest.strip()
                if name == "Listening":
                    break
            with connect(lines["MongoDB"]) as client:
                fill(client["portfolio"], portfolios(USERS, SYMBOLS))
            host = psutil.Process(process.pid)
            try:
                with httpx.Client(
                    base_url=lines["Listening"], headers={"X-Admin-Secret": SECRET}, timeout=60, trust_env=False
                ) as client:
                    before = processor_seconds(host)
                    first = run_once(client)
                    after = processor_seconds(host)
                    second = run_once(client)
            finally:
                process.send_signal(signal.SIGINT)
    processors = {kind: after[kind] - before.get(kind, 0) for kind in after}
    return first, second, processors


def group() -> Group:
    """Measure, and give the table.

    Raises:
        RuntimeError: not every user was analysed.
    """
    first, second, processors = measure()
    analyzed = [first["users_analyzed"], second["users_analyzed"]]
    if analyzed != [USERS, USERS]:
        raise RuntimeError(f"not every user was analysed: {analyzed}")
    rows = [
        Row(name.removesuffix("_duration_seconds"), seconds, note=f"again: {second['metrics'][name]:.2f}")
        for name, seconds in first["metrics"].items()
        if not name.startswith("avg")
    ]
    rows += [Row(f"processor: {kind}", seconds) for kind, seconds in sorted(processors.items())]
    return Group(
        title=f"A whole run on the local host: {USERS:,} users, {SYMBOLS} symbols, {DAYS - 1:,} days",
        unit="s",
        ratio_to="",
        rows=rows,
        notes=["Again: a second run, which finds everything imported, connected and cached."],
    )
