"""The table of the kernel against peer libraries, measured in a separate virtual environment."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.tables import Group, Row

ROOT = Path(__file__).parent.parent
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
_GOALS = {
    "ours": "<= 0.06",
    "empyrical (arrays)": ">= 25",
    "quantstats": ">= 200",
    "ffn": ">= 200",
    "skfolio": ">= 200",
}


def group() -> Group:
    """Measure, and return the table; without the peers' environment it has only our own row."""
    python = PEERS_PYTHON if PEERS_PYTHON.exists() else sys.executable
    result = subprocess.run(  # noqa: S603 - an interpreter of our own
        [str(python), "-m", "benchmarks.kernel"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured = json.loads(result.stdout.splitlines()[-1])
    ours = measured["seconds"]["ours"]
    return Group(
        title="All measures with risk contributions: 1,000 portfolios of 20 holdings, 500 symbols, 1,260 days",
        unit="ms a portfolio",
        ratio_to="ours",
        rows=[
            Row(name, 1e3 * seconds, seconds / ours, _GOALS.get(name, ""), _note(name, measured))
            for name, seconds in measured["seconds"].items()
        ],
        notes=[
            "Peers do not all give the whole set; what is named as equal was checked to 1e-9 before timing.",
            "One BLAS thread each. With two threads or processes it is the time that passes, over all portfolios.",
            *measured["missing"],
        ],
    )


def _note(name: str, measured: dict[str, Any]) -> str:
    if name not in measured["agreed"]:
        return ""
    version, portfolios = measured["versions"][name], measured["portfolios"][name]
    lacks = measured["lacks"][name]
    note = f"{version}, {len(measured['agreed'][name])} figures equal, {portfolios:,} portfolios"
    return f"{note}, without {lacks}" if lacks else note
