"""The time a worker process takes to load the app through Microsoft's worker library, beside that of a minimal app.

From the message that initializes the worker to the answer about the last loaded function, in fresh processes that
take turns. The process itself is started before: a platform keeps a stock of them.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.imports import SETTINGS
from benchmarks.tables import Group, Row
from devhost.worker_folder import worker_folder
from devhost.worker_pool import Worker

ROOT = Path(__file__).parent.parent
ROUNDS = 15
_MINIMAL_APP = Path(__file__).parent / "minimal_app.py"


def group() -> Group:
    """Measure, and return the table."""
    minimal, ours = asyncio.run(_measure())
    return Group(
        title="Cold start through the worker library",
        unit="ms",
        ratio_to="a minimal app with the two SDKs",
        rows=[Row("minimal app, 4 functions", minimal, 1.0), Row("the app", ours, ours / minimal, "<= 1.5")],
        notes=[f"Medians of {ROUNDS} fresh worker processes each, from init to the last function loaded."],
    )


async def _measure() -> tuple[float, float]:
    with worker_folder() as folder, tempfile.TemporaryDirectory() as name:
        minimal_app = Path(name)
        shutil.copy(_MINIMAL_APP, minimal_app / "function_app.py")
        times: dict[Path, list[float]] = {minimal_app: [], ROOT: []}
        for run in range(ROUNDS + 1):
            for app, taken in times.items():
                seconds = await _load(app, folder)
                if run:  # the first one had to compile; a deployed package is compiled
                    taken.append(1e3 * seconds)
    minimal, ours = (statistics.median(taken) for taken in times.values())
    return minimal, ours


async def _load(app: Path, folder: Path) -> float:
    worker = await Worker.start(folder, os.environ | SETTINGS, app)
    try:
        await asyncio.sleep(0.5)  # until the process waits for its first message
        started = time.perf_counter()
        await worker.load(app)
        return time.perf_counter() - started
    finally:
        await worker.stop()
