"""Measure whether the time of a refusal reveals how much of a wrong secret was right, with samples in random order."""

import gc
import json
import os
import random
import statistics
import string
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.tables import Group, Row

ROOT = Path(__file__).parent.parent
SECRET = string.digits + string.ascii_letters
BLOCKS, SAMPLES_A_BLOCK = 50, 1_000
REFERENCE = "nothing of it right"
# Right at no place, but of the same characters: the characters of a guess affect the time to create it.
_NOTHING = SECRET[1:] + SECRET[0]
WRONG = {
    REFERENCE: _NOTHING,
    "the same again: the noise": _NOTHING,
    "the first character right": SECRET[:1] + _NOTHING[1:],
    "half of it right": SECRET[:31] + _NOTHING[31:],
    "all but the last character right": SECRET[:-1] + _NOTHING[-1:],
}
_STANDARD_ERRORS = 3


def group() -> Group:
    """Measure, and return the table."""
    environment = os.environ | {
        "ADMIN_SECRET": SECRET,
        "MONGODB_URL": "mongodb://127.0.0.1",
        "MARKET_DATA_PROVIDER": "sample",
        "ANALYSIS_SCHEDULE": "0 0 1 * * *",
        "KEY_VAULT_URL": "",
    }
    command = [sys.executable, "-m", "benchmarks.door"]
    measured = subprocess.run(  # noqa: S603 - this very interpreter
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    medians: dict[str, list[float]] = json.loads(measured.stdout)
    rows = [Row("a refusal, in all", statistics.median(medians[REFERENCE]), note="median")]
    for name in (name for name in WRONG if name != REFERENCE):
        differences = [own - reference for own, reference in zip(medians[name], medians[REFERENCE], strict=True)]
        difference, error = statistics.mean(differences), statistics.stdev(differences) / BLOCKS**0.5
        rows.append(Row(name, difference, abs(difference) / error, f"< {_STANDARD_ERRORS}", "difference of medians"))
    return Group(
        title="Does the time reveal how much of a wrong admin secret was right?",
        unit="ns",
        ratio_to="the standard error of the difference",
        rows=rows,
        notes=[
            f"{BLOCKS * SAMPLES_A_BLOCK:,} samples of each through admin_of, in random order in one process.",
            f"Mean and standard error of the differences of the medians of {BLOCKS} blocks.",
        ],
    )


def block(count: int) -> Mapping[str, float]:
    """Return the median nanoseconds of ``count`` refusals of each kind."""
    import azure.functions as func

    from functions.access.administrators import Unauthorized, admin_of
    from functions.services import worker

    here = worker()

    def refuse(secret: str) -> int:
        # Created each time: a request's place in memory affects the time more than its content.
        request = func.HttpRequest("GET", "/", headers={"X-Admin-Secret": "".join(list(secret))}, body=b"")
        start = time.perf_counter_ns()
        try:
            admin_of(request, here)
        except Unauthorized:
            return time.perf_counter_ns() - start
        raise AssertionError("a wrong secret opened the door")

    taken: dict[str, list[int]] = {name: [] for name in WRONG}
    order = list(WRONG)
    for _ in range(count):
        random.shuffle(order)
        for name in order:
            taken[name].append(refuse(WRONG[name]))
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    """Measure and print, after a block to warm up."""
    gc.disable()
    blocks = [block(SAMPLES_A_BLOCK) for _ in range(BLOCKS + 1)][1:]
    print(json.dumps({name: [medians[name] for medians in blocks] for name in WRONG}))


if __name__ == "__main__":
    main()
