"""The memory of a page of 1,000 users over a universe of 5,000 symbols, above that of an idle worker.

A separate process (``python -m benchmarks.memory <MongoDB URL>``) takes the real path, from documents to documents,
and prints its peaks as JSON.
"""

import json
import resource
import subprocess
import sys
from copy import replace
from itertools import batched
from pathlib import Path

from analysis.histories import read_histories, resolve_as_of
from analysis.models import Portfolio
from analysis.price_table import prepare_prices
from analysis.research import research_symbols
from benchmarks.mongodb import database, fill
from benchmarks.tables import Group, Row
from benchmarks.workload import DAYS, portfolios, symbols, walks
from stores.batches import BatchStore
from stores.mongo import DocumentDatabase, connect

ROOT = Path(__file__).parent.parent
USERS, SYMBOLS = 1_000, 5_000
_PLAN = "plan"
_SYMBOLS_PER_BATCH = 100


def group() -> Group:
    """Measure, and return the table."""
    with database() as mongodb:
        prepare(mongodb)
        fill(mongodb, portfolios(USERS, SYMBOLS))
        host, port = mongodb.client.address or ("", 0)
        command = [sys.executable, "-m", "benchmarks.memory", f"mongodb://{host}:{port}"]
        result = subprocess.run(  # noqa: S603 - this very interpreter
            command, cwd=ROOT, capture_output=True, text=True, check=True
        )
    peaks = json.loads(result.stdout)
    idle = peaks["idle"]
    return Group(
        title=f"Memory of a page of {USERS:,} users, with a universe of {SYMBOLS:,} symbols",
        unit="MB",
        ratio_to="",
        rows=[
            Row("idle: our modules, the driver and numpy imported", idle),
            Row("prepared prices and research read: peak above idle", peaks["table"] - idle),
            Row("page read, analyzed and written: peak above idle", peaks["page"] - idle, goal="< 400"),
        ],
        notes=["Peak resident memory so far, as the system counts it."],
    )


def prepare(mongodb: DocumentDatabase) -> None:
    """Store the results of the steps before the pages: prepared prices and research, batch by batch."""
    benchmark, *_ = walks(1)
    # All research takes the same memory.
    as_of = resolve_as_of(benchmark)
    (anyone_s,) = research_symbols(read_histories({"": benchmark}, benchmark, as_of))
    plan = [list(batch) for batch in batched(symbols(SYMBOLS), _SYMBOLS_PER_BATCH, strict=False)]
    batches, bars = BatchStore(mongodb), walks(SYMBOLS)
    batches.ensure_indexes()
    batches.write("run", _PLAN, "symbols", plan)
    for number, members in enumerate(plan):
        histories = read_histories(dict(zip(members, bars, strict=False)), benchmark, as_of)
        prices = prepare_prices(histories, DAYS - 1)
        batches.record_research(_PLAN, number, [replace(anyone_s, symbol=symbol) for symbol in members], prices, {})


def peaks(url: str) -> dict[str, float]:
    """Do the work of a worker's first page; return the peak memory in MB after each step."""
    from analysis.decisions import Adviser
    from analysis.price_table import join_prices
    from analysis.report import analyze_portfolios
    from stores.portfolios import PortfolioStore
    from stores.reports import ReportStore, stored_forms
    from stores.symbols import ResearchStore

    with connect(url) as client:
        mongodb = client["portfolio"]
        mongodb.command("ping")
        found = {"idle": _peak()}
        research, prices, _ = BatchStore(mongodb).researched(_PLAN)
        adviser = Adviser({found.symbol: found for found in research})
        table = join_prices(prices)
        del research, prices
        found["table"] = _peak()
        user_ids = [portfolio.user_id for portfolio in portfolios(USERS, SYMBOLS)]
        loaded = PortfolioStore(mongodb).load(user_ids, contiguous=True)
        owned = [portfolio for portfolio in loaded if isinstance(portfolio, Portfolio)]
        reports = ReportStore(mongodb, ResearchStore(mongodb))
        reports.ensure_indexes()
        reports.save(stored_forms(analyze_portfolios(owned, table, adviser, {}, "run", 0.0))[0])
        found["page"] = _peak()
    return found


def _peak() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux, the value of getrusage starts with the memory of the parent process.
        (peak,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    json.dump(peaks(sys.argv[1]), sys.stdout)
