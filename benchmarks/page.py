"""The cost of a page of users, phase by phase, in processor time of the worker, without that of the database server.

Each phase has a floor: the minimum work for its task. SecantusDB runs in a separate process.
"""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import zstandard
from msgspec import structs

from analysis.decisions import Adviser
from analysis.histories import read_histories, resolve_as_of
from analysis.models import Portfolio, Report, Research
from analysis.price_table import PriceTable
from analysis.report import analyze_portfolios
from analysis.research import research_symbols
from benchmarks.kernel import measured, page_of, task_of
from benchmarks.mongodb import database, fill
from benchmarks.peers import Task
from benchmarks.tables import Group, Row
from benchmarks.timing import interleaved
from benchmarks.workload import portfolios, price_table, symbols, walks
from records import Record
from stores.mongo import DocumentDatabase
from stores.portfolios import PortfolioStore
from stores.reports import ReportStore, StoredReport, stored_forms
from stores.symbols import ResearchStore

USERS, SYMBOLS, ROUNDS = 200, 500, 21


def group() -> Group:
    """Measure, and return the table."""
    with database() as mongodb:
        fill(mongodb, portfolios(USERS, SYMBOLS))
        phases = _phases(mongodb)
        # The benchmark's own objects must not burden the garbage collector of the measured code.
        gc.freeze()
        seconds = interleaved(phases, ROUNDS, clock=time.process_time, each_after_itself=True)
        gc.unfreeze()
    taken = {name: 1e6 * total / USERS for name, total in seconds.items()}
    taken["build"] = taken["analyze"] - taken["compute"]
    whole = taken["read"] + taken["analyze"] + taken["write"]
    floors = sum(taken[f"{phase}, floor"] for phase in ("read", "compute", "build", "write"))

    def row(name: str, phase: str, floor: str) -> Row:
        return Row(name, taken[phase], taken[phase] / taken[f"{phase}, floor"], note=f"floor: {floor}")

    rows = [
        row("read and decode", "read", "the bare driver's find"),
        row("compute", "compute", "its sums and its tails alone"),
        row("build the reports", "build", "making the records alone"),
        row("encode", "encode", "bare JSON, compressed"),
        row("encode and write", "write", "the same and bare insert_many"),
        Row("whole page", whole, whole / floors, "<= 350", "read, compute, build, encode and write"),
        Row("sum of the floors", floors, 1.0, note="what this machine needs for the minimum of each"),
    ]
    return Group(
        title=f"A page of {USERS} users of 20 holdings out of {SYMBOLS} symbols and 1,260 days",
        unit="µs a portfolio",
        ratio_to="its floor",
        rows=rows,
        notes=["Processor time of the worker, medians; each phase right after itself."],
    )


def _phases(mongodb: DocumentDatabase) -> dict[str, Callable[[], object]]:
    readers, writers = PortfolioStore(mongodb), ReportStore(mongodb, ResearchStore(mongodb))
    readers.ensure_indexes()
    writers.ensure_indexes()
    table, research = price_table(SYMBOLS), _research()
    adviser = Adviser(research)
    user_ids = [portfolio.user_id for portfolio in portfolios(USERS, SYMBOLS)]
    owned = [owner for owner in readers.load(user_ids, contiguous=True) if isinstance(owner, Portfolio)]
    page = page_of(owned, table)
    reports = analyze_portfolios(owned, table, adviser, {}, "run", 0.0)
    records, stored = list(_records(tuple(reports))), stored_forms(reports)[0]
    return {
        "read": lambda: readers.load(user_ids, contiguous=True),
        "analyze": lambda: analyze_portfolios(owned, table, adviser, {}, "run", 0.0),
        "write": lambda: _save(mongodb, writers, reports),
        "compute": lambda: _compute(owned, table),
        "encode": lambda: stored_forms(reports),
        "read, floor": lambda: _find(mongodb, user_ids),
        "compute, floor": lambda: _least(task_of(page, table)),
        "build, floor": lambda: [make(*values) for make, values in records],
        "encode, floor": lambda: _encode(reports),
        "write, floor": lambda: _insert(mongodb, _encode(reports), stored),
    }


def _research() -> dict[str, Research]:
    bars = dict(zip(symbols(SYMBOLS), walks(SYMBOLS), strict=True))
    benchmark = next(iter(bars.values()))
    histories = read_histories(bars, benchmark, resolve_as_of(benchmark))
    return {research.symbol: research for research in research_symbols(histories)}


@np.errstate(all="ignore")  # as in the report
def _compute(owned: list[Portfolio], table: PriceTable) -> None:
    measured(page_of(owned, table), table)


def _least(task: Task) -> None:
    """Compute the portfolios' returns and the minimum for their figures: two running figures and a partition."""
    weights = np.zeros((len(task.columns), task.returns.shape[1]))
    np.put_along_axis(weights, task.columns, task.weights, axis=1)
    returns = weights @ task.returns.T
    np.maximum.accumulate(np.cumprod(1 + returns, axis=1), axis=1)
    np.partition(returns, returns.shape[1] // 20, axis=1)


def _find(mongodb: DocumentDatabase, user_ids: list[str]) -> None:
    for name in ("users", "accounts", "holdings", "watchlist"):
        list(mongodb[name].find({"user_id": {"$gte": user_ids[0], "$lte": user_ids[-1]}}))


def _encode(reports: Sequence[Report]) -> list[bytes]:
    """Return the reports as compressed JSON without a dictionary, the least that makes documents of this size."""
    compress = zstandard.ZstdCompressor(level=1).compress
    return [compress(msgspec.json.encode(report)) for report in reports]


def _save(mongodb: DocumentDatabase, store: ReportStore, reports: Sequence[Report]) -> None:
    """Write the reports as a page of a new run does: none of them is there."""
    mongodb["portfolio_analyses"].delete_many({})
    store.save(stored_forms(reports)[0])


def _insert(mongodb: DocumentDatabase, values: Sequence[bytes], stored: Sequence[StoredReport]) -> None:
    mongodb["floor"].delete_many({})
    mongodb["floor"].insert_many(
        [
            {"run_id": "run", "user_id": own.report.user_id, "report": value}
            for own, value in zip(stored, values, strict=True)
        ],
        ordered=False,
    )


def _records(value: Any) -> Iterator[tuple[type, tuple[Any, ...]]]:  # noqa: ANN401 - any member of a report
    """Yield the class and the values of every record of some reports, they have none of research."""
    if isinstance(value, tuple):
        for entry in value:
            yield from _records(entry)
    elif isinstance(value, Record):
        values = structs.astuple(value)
        yield type(value), values
        yield from _records(values)
