"""The time `import function_app` takes above an import of the bare SDKs, in fresh processes that take turns."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.tables import Group, Row

ROOT = Path(__file__).parent.parent
ROUNDS = 15
BARE, OURS = "azure.functions, azure.durable_functions", "function_app"
_TIMED = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
SETTINGS = {
    "MONGODB_URL": "mongodb://127.0.0.1",
    "MARKET_DATA_PROVIDER": "sample",
    "ANALYSIS_SCHEDULE": "0 0 1 * * *",
    "ADMIN_SECRET": "benchmark",
}


def group() -> Group:
    """Measure, and return the table."""
    seconds: dict[str, list[float]] = {BARE: [], OURS: []}
    with tempfile.TemporaryDirectory() as bytecode:
        for run in range(ROUNDS + 1):
            for modules, times in seconds.items():
                taken = _import(modules, bytecode)
                if run:  # the first one had to compile
                    times.append(taken)
    bare, ours = (1e3 * statistics.median(times) for times in seconds.values())
    return Group(
        title="Importing the app",
        unit="ms",
        ratio_to="the bare SDKs",
        rows=[Row("azure.functions and azure.durable_functions", bare, 1.0), Row(OURS, ours, ours / bare, "<= 1.25")],
        notes=[f"Medians of {ROUNDS} fresh processes each."],
    )


def _import(modules: str, bytecode: str) -> float:
    # By default the SDK's modules are compiled and ours are not: here both are, as in a deployed package.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode}
    command = [sys.executable, "-c", _TIMED.format(modules)]
    result = subprocess.run(  # noqa: S603 - this very interpreter
        command, cwd=ROOT, env=os.environ | SETTINGS | compiled, capture_output=True, text=True, check=True
    )
    return float(result.stdout)
