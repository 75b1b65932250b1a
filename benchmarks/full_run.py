"""A whole run on the local host: 1,000 users of 20 holdings over 500 symbols and 1,260 days, through HTTP.

Says how long each phase took and in which processes the machine's time went.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from pymongo import MongoClient
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
USERS, HOLDINGS, SYMBOLS, DAYS = 1_000, 20, 500, 1_261
SECRET = "benchmark"  # noqa: S105 - of a server that lives for a minute
BASE = "/api/admin/portfolio"


def write_prices(folder: Path) -> list[str]:
    """Write a random walk for each symbol and for the benchmark; gives the symbols."""
    random = np.random.default_rng(1)
    weekdays = [day for i in range(2 * DAYS) if (day := date(2020, 1, 1) + timedelta(days=i)).weekday() < 5]  # noqa: PLR2004
    symbols = [f"S{i:03}" for i in range(SYMBOLS)]
    for symbol in ("SPY", *symbols):
        prices = 50 * np.cumprod(1 + random.normal(0.0003, 0.015, DAYS))
        rows = (f"{day},{price!r}" for day, price in zip(weekdays[:DAYS], prices.tolist(), strict=True))
        (folder / f"{symbol}.csv").write_text("date,close\n" + "\n".join(rows))
    return symbols


def fill(mongodb_url: str, symbols: list[str]) -> None:
    """Add the users with their holdings."""
    random = np.random.default_rng(2)
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        database = client["portfolio"]
        for name in ("users", "holdings", "watchlist", "accounts"):
            database[name].delete_many({})
        ids = [f"user-{i:04}" for i in range(USERS)]
        database.users.insert_many({"user_id": user_id} for user_id in ids)
        database.accounts.insert_many({"user_id": user_id, "cash": 1_000.0} for user_id in ids)
        database.holdings.insert_many(
            {"user_id": user_id, "symbol": symbols[i], "quantity": float(random.integers(1, 100)), "avg_price": 40.0}
            for user_id in ids
            for i in random.choice(SYMBOLS, HOLDINGS, replace=False)
        )


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


def measure() -> dict[str, Any]:
    """Start the app, run twice (the second finds the prices in the cache), and stop it."""
    with tempfile.TemporaryDirectory() as folder:
        symbols = write_prices(Path(folder))
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
            fill(lines["MongoDB"], symbols)
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
    return {
        "users": USERS,
        "holdings": HOLDINGS,
        "symbols": SYMBOLS,
        "days": DAYS,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "analyzed": [first["users_analyzed"], second["users_analyzed"]],
        "seconds": first["metrics"],
        "seconds_again": second["metrics"],
        "processor_seconds": {kind: round(after[kind] - before.get(kind, 0), 2) for kind in after},
    }


def main() -> None:
    """Measure, print a table and write the results."""
    results = measure()
    if results["analyzed"] != [USERS, USERS]:
        sys.exit(f"not every user was analysed: {results['analyzed']}")
    table = Table(title=f"{USERS:,} users x {HOLDINGS} holdings, {SYMBOLS} symbols, {DAYS - 1:,} days")
    for column in ("phase", "first run, s", "again, s"):
        table.add_column(column, justify="left" if column == "phase" else "right")
    for name, seconds in results["seconds"].items():
        digits = 4 if name.startswith("avg") else 2
        table.add_row(
            name.removesuffix("_seconds"), f"{seconds:.{digits}f}", f"{results['seconds_again'][name]:.{digits}f}"
        )
    for kind, seconds in sorted(results["processor_seconds"].items()):
        table.add_row(f"processor time: {kind}", f"{seconds:.2f}", "")
    Console().print(table)
    RESULTS.write_text(json.dumps({"full_run": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
