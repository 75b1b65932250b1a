"""Run the benchmarks, print a table each and keep the results: ``python -m benchmarks [group ...]``, all by default."""

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from benchmarks import (
    against_peers,
    cold_start,
    console,
    door,
    events,
    full_run,
    growth,
    imports,
    ledger,
    market,
    memory,
    page,
    scale,
)
from benchmarks.tables import Group

RESULTS = Path(__file__).parent / "results.json"
GROUPS: Mapping[str, Callable[[], Group]] = {
    "kernel": against_peers.group,
    "page": page.group,
    "imports": imports.group,
    "cold_start": cold_start.group,
    "door": door.group,
    "events": events.group,
    "memory": memory.group,
    "growth": growth.group,
    "full_run": full_run.group,
    "scale": scale.group,
    "ledger": ledger.group,
    "market": market.group,
    "console": console.group,
}


def main(names: list[str]) -> None:
    """Run the groups ``names`` and replace their former results."""
    screen = Console(width=120)
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        sys.exit(f"no such group: {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    results = json.loads(RESULTS.read_text()) if names and RESULTS.exists() else {}
    results["machine"] = {"cores": os.cpu_count(), "python": platform.python_version()}
    for name in names or GROUPS:
        group = GROUPS[name]()
        screen.print(group.table())
        results[name] = group.as_json()
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
