"""What a night of a million users costs, from the counted commands, the measured processor time and a list of prices.

An estimate, not an offer. What is assumed and not measured stands in the table beside its figure.
"""

from collections.abc import Iterator
from typing import Any

USERS, SYMBOLS = 1_000_000, 50_000
KEPT_NIGHTS, SUMMARY_NIGHTS = 2, 90
NIGHTS_A_MONTH = 30
# US dollars; docs/operations.md says where to look them up.
GB_SECOND = 0.000026
EXECUTION = 0.40 / 1e6
QUEUE_OR_TABLE_OPERATION = 0.004 / 1e4
BLOB_WRITES = (0.055 / 1e4, 0.10 / 1e4, 0.18 / 1e4)
"""Of a file: into the hot tier, and its moves to the cool and the cold one."""
DISK_GB_MONTH = 0.12
BLOB_GB_MONTHS = (0.018, *[0.01] * 2, *[0.0045] * 9)
"""Of a report's file in its first year: hot, cool and cold, as the lifecycle rule of the template moves it."""
CLUSTER_MONTH, REDIS_MONTH, LOGS_GB = 200.0, 13.0, 2.76
_INSTANCE_GB, _BUSY = 2, 0.5
_LOGS_GB_A_MONTH = 10
_WATCHDOG_GB_SECONDS_A_MONTH = 8_640 * _INSTANCE_GB
_SUMMARY_SHARE_OF_INDEXES = 1.25
_LAKE_BYTES, _SUMMARY_BYTES = 13_000, 650


def costs(results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table."""
    runs, counted, million = (results.get(name, {}) for name in ("runs", "commands", "million"))
    whole = (million.get("users"), million.get("symbols")) == (USERS, SYMBOLS) and million["storage_requests"]
    if len(runs) < 2 or not counted or not whole:  # noqa: PLR2004 - a slope has two ends
        return
    small, large = (runs[size] for size in sorted(runs, key=int)[:2])
    few, many = sorted(map(int, runs))[:2]
    of_user = (large["processor_seconds"]["workers"] - small["processor_seconds"]["workers"]) / (many - few)
    of_symbol = (small["processor_seconds"]["workers"] - few * of_user) / counted["symbols"]
    seconds = (USERS * of_user + SYMBOLS * of_symbol) / _BUSY
    executions, requests = million["executions"], million["storage_requests"]
    of_queues, of_blobs = requests["queues and tables"], requests["blobs"]
    written = {name: own["bytes"] / counted["users"] for name, own in counted["by_command"].items()}
    report, ranking = written["insert portfolio_analyses"], written["insert portfolio_rankings"]
    disk = (
        USERS * (report * KEPT_NIGHTS + (_SUMMARY_BYTES + ranking) * SUMMARY_NIGHTS) * _SUMMARY_SHARE_OF_INDEXES / 1e9
    )
    lake = USERS * _LAKE_BYTES / 1e9
    app = seconds * _INSTANCE_GB * GB_SECOND + _WATCHDOG_GB_SECONDS_A_MONTH * GB_SECOND / NIGHTS_A_MONTH
    parts = {
        f"app: {1e3 * of_user:.2f} ms of processor a user and {1e3 * of_symbol:.0f} ms a symbol (measured), twice that "
        f"as one-core instances of {_INSTANCE_GB} GB wait as long; and the watchdog": app,
        f"{executions:,} executions, those after kills included": executions * EXECUTION,
        f"{of_queues:,} operations of the engine's queues and tables, and {of_blobs:,} of its blobs":
            of_queues * QUEUE_OR_TABLE_OPERATION + of_blobs * BLOB_WRITES[0],
        f"lake: {lake:.0f} GB in {USERS // 200:,} files, moved to colder tiers, kept for a year":
            lake * sum(BLOB_GB_MONTHS) + USERS / 200 * sum(BLOB_WRITES),
        f"MongoDB: a cluster of two cores (M30), {CLUSTER_MONTH:.0f} a month": CLUSTER_MONTH / NIGHTS_A_MONTH,
        f"its disk: {disk:.0f} GB for {KEPT_NIGHTS} nights of reports of {report / 1e3:.1f} kB and {SUMMARY_NIGHTS} of "
        f"summaries and lists of {(_SUMMARY_BYTES + ranking) / 1e3:.1f} kB, a quarter for indexes":
            disk * DISK_GB_MONTH / NIGHTS_A_MONTH,
        "Redis B0": REDIS_MONTH / NIGHTS_A_MONTH,
        f"logs: {_LOGS_GB_A_MONTH} GB a month": _LOGS_GB_A_MONTH * LOGS_GB / NIGHTS_A_MONTH,
    }  # fmt: skip
    yield f"| a night of {USERS:,} users and {SYMBOLS:,} symbols | USD |"
    yield "| --- | --- |"
    for name, dollars in parts.items():
        yield f"| {name} | {dollars:.2f} |"
    yield f"| **together** | **{sum(parts.values()):.2f}** |"
