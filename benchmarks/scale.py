"""A run over 10,000 users of 20 holdings and 500 symbols on the local host: time, overhead, memory, and under load."""

import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.site import BASE, Site, running_site
from benchmarks.tables import Group, Row
from tests.deployed import copy_of_app

USERS, SYMBOLS = 10_000, 500
_NO_OP_APP = Path(__file__).parent / "no_op_app.py"
_NO_OP_ROUNDS = 5
_CALLERS = 4
_POLL_SECONDS = 0.05


def group() -> Group:
    """Measure, and return the table.

    Raises:
        RuntimeError: not every user was analyzed, or a status request failed.
    """
    overhead = _no_op_seconds()
    with running_site(USERS, SYMBOLS) as site:
        alone, peaks = _measured(site)
        with _status_load(site, alone["run_id"]) as load:
            loaded, _ = _measured(site)
    seconds = alone["metrics"]["total_duration_seconds"]
    slowed = loaded["metrics"]["total_duration_seconds"]
    milliseconds = [1e3 * taken for taken in load.seconds]
    rows = [
        Row("whole run, s", seconds, goal="< 60", note=f"{1e3 * seconds / USERS:.2f} ms a user"),
        *[
            Row(f"{name.removesuffix('_duration_seconds')}, s", taken, taken / seconds)
            for name, taken in alone["metrics"].items()
            if not name.startswith(("avg", "total"))
        ],
        Row("the same steps doing nothing, s", overhead, overhead / seconds, "< 0.1", "engine, bridge and messages"),
        *[Row(f"peak memory of {kind}, MB", peak) for kind, peak in sorted(peaks.items())],
        Row("whole run under status requests, s", slowed, slowed / seconds, note=f"{_CALLERS} callers without a pause"),
        Row("status requests a second", len(milliseconds) / slowed),
        Row("status request, median, ms", statistics.median(milliseconds)),
        Row("status request, 99th percentile, ms", statistics.quantiles(milliseconds, n=100)[98]),
    ]
    return Group(
        title=f"A run over {USERS:,} users of 20 holdings, {SYMBOLS} symbols, on the local host",
        unit="",
        ratio_to="the whole run",
        rows=rows,
        notes=["The embedded MongoDB shares the two cores. Memory is that of the largest process of a kind."],
    )


def _measured(site: Site) -> tuple[dict[str, Any], dict[str, float]]:
    with site.peak_memory() as peaks:
        run = site.run_once()
    if run["users_analyzed"] != USERS:
        raise RuntimeError(f"not every user was analyzed: {json.dumps(run)}")
    return run, peaks


def _no_op_seconds() -> float:
    with tempfile.TemporaryDirectory() as folder:
        app = copy_of_app(Path(folder))
        shutil.copy(_NO_OP_APP, app / "function_app.py")
        with running_site(0, 1, app) as site:
            return statistics.median(list(_seconds_of_no_ops(site))[1:])


def _seconds_of_no_ops(site: Site) -> Iterator[float]:
    for _ in range(_NO_OP_ROUNDS + 1):
        start = time.perf_counter()
        answer = site.client.post("/run").raise_for_status()
        yield time.perf_counter() - start
        if answer.text != "COMPLETED":
            raise RuntimeError(answer.text)


def _newest(client: httpx.Client) -> str:
    runs = client.get(f"{BASE}/analysis-runs", params={"limit": 1}).raise_for_status().json()["runs"]
    return str(runs[0]["run_id"])


@dataclass
class _Load:
    seconds: list[float] = field(default_factory=list)


@contextmanager
def _status_load(site: Site, earlier: str) -> Iterator[_Load]:
    """Request the status of the current run, the one after ``earlier``, from several threads while the body runs."""
    load, over = _Load(), threading.Event()

    def ask() -> None:
        with httpx.Client(
            base_url=site.client.base_url, headers=site.client.headers, timeout=120, trust_env=False
        ) as client:
            while not over.is_set() and (run_id := _newest(client)) == earlier:
                time.sleep(_POLL_SECONDS)
            path = f"{BASE}/analysis-status/{run_id}"
            while not over.is_set():
                start = time.perf_counter()
                client.get(path).raise_for_status()
                load.seconds.append(time.perf_counter() - start)

    with ThreadPoolExecutor(_CALLERS) as pool:
        asking = [pool.submit(ask) for _ in range(_CALLERS)]
        try:
            yield load
        finally:
            over.set()
    for caller in asking:
        caller.result()
