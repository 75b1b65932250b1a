"""Runs of 1,000, 10,000 and 100,000 users on the local host: ``make scale``.

All documents are in the embedded MongoDB, which shares the cores. Commands are counted in the way to it.
"""

import argparse
import json
import os
import statistics
import sys
import time
from typing import Any

import httpx

from benchmarks.counting import counted_commands
from benchmarks.scale_page import RESULTS, write_page
from benchmarks.site import BASE, Site, running_site

SIZES = (1_000, 10_000, 100_000)
SYMBOLS = 500
_COUNTED = 1_000
_SORTS = ("user_id", "market_value", "max_drawdown", "breaches")
_PAGE, _FAR, _ROUNDS = 100, 100, 5


def main() -> None:
    """Run all sizes, and write the results into docs/scale.md."""
    options = argparse.ArgumentParser()
    options.add_argument("sizes", type=int, nargs="*", default=SIZES)
    found = {str(size): measured(size) for size in options.parse_args().sizes}
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known["runs"] = known.get("runs", {}) | found
    known["commands"] = counted_commands(_COUNTED, SYMBOLS)
    RESULTS.write_text(json.dumps(known, indent=1) + "\n")
    write_page()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


def measured(users: int) -> dict[str, Any]:
    """Return the times of the steps of a run, the memory of every process, and the times of lists.

    Raises:
        RuntimeError: not every user was analyzed.
    """
    with running_site(users, SYMBOLS) as site:
        before = site.processor_seconds()
        with site.peak_memory() as peaks:
            run = site.run_once()
        after = site.processor_seconds()
        if run["users_analyzed"] != users:
            raise RuntimeError(f"not every user was analyzed: {json.dumps(run)}")
        return {
            "seconds": run["metrics"],
            "processor_seconds": {kind: after[kind] - before.get(kind, 0.0) for kind in sorted(after)},
            "peak_megabytes": dict(peaks),
            "milliseconds_of_lists": {sort: _list_times(site, run["run_id"], sort) for sort in _SORTS},
            "cores": os.cpu_count(),
        }


def _list_times(site: Site, run_id: str, sort: str) -> dict[str, float]:
    """Return the median times of the first and the hundredth page of a list, in milliseconds."""
    path = f"{BASE}/analysis-runs/{run_id}/portfolios"
    asked: dict[str, Any] = {"limit": _PAGE, "sort": sort, "order": "desc"}
    first = [_timed(site.client, path, asked)[0] for _ in range(_ROUNDS)]
    cursor: str | None = None
    for _ in range(_FAR - 1):
        _, answer = _timed(site.client, path, asked | ({"after": cursor} if cursor else {}))
        if answer["next"] is None:
            break
        cursor = answer["next"]
    last = [_timed(site.client, path, asked | ({"after": cursor} if cursor else {}))[0] for _ in range(_ROUNDS)]
    return {"first page": statistics.median(first), "hundredth page": statistics.median(last)}


def _timed(client: httpx.Client, path: str, query: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    start = time.perf_counter()
    answer: dict[str, Any] = client.get(path, params=query).raise_for_status().json()
    return 1e3 * (time.perf_counter() - start), answer


if __name__ == "__main__":
    main()
