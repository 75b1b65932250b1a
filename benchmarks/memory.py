"""The memory of pages above that of an idle worker: over 5,000 symbols, and over 50,000 in two processes at once.

Separate processes (``python -m benchmarks.memory <run> <threads> <pages> <whether to end the run>``) analyze them as
the app does, from documents to documents, and print their peaks and their processor time as JSON. One of them then ends
the run, which has a million users.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.histories import read_histories, resolve_as_of
from analysis.price_table import prepare_prices
from analysis.research import research_symbols
from benchmarks.mongodb import database, fill
from benchmarks.tables import Group, Row
from benchmarks.workload import DAYS, portfolios, symbols, walks
from records import Batch, Outcome, Parameters, Plan, Run, Summary, Trigger
from stores.lines import Line, Lines, Standing

if TYPE_CHECKING:
    from runs.services import Services
    from stores.mongo import DocumentDatabase

ROOT = Path(__file__).parent.parent
SYMBOLS, MANY_SYMBOLS = 5_000, 50_000
_PLAN = "plan"
_SYMBOLS_PER_BATCH = 100
_PROCESSES, _THREADS, _PAGES = 2, 2, 8
_USERS, _PAGE_SIZE = 1_000_000, 200
_START = datetime(2026, 1, 2, tzinfo=UTC)


def group() -> Group:
    """Measure, and return the table."""
    with database() as mongodb:
        prepare(mongodb, "few", SYMBOLS, pages=1, page_size=1_000)
        (few,) = measured(mongodb, "few", [range(1)])
    with database() as mongodb:
        pages = _PROCESSES * _PAGES
        prepare(mongodb, "many", MANY_SYMBOLS, pages=pages, page_size=_PAGE_SIZE)
        many = measured(mongodb, "many", list(map(range, *zip(*_shares(pages), strict=True))), _THREADS)
        _record_other_pages(mongodb, "many", pages)
        (end,) = measured(mongodb, "many", [range(_PAGES)], _THREADS, ends=True)
    return Group(
        title=f"Memory of pages, with a universe of {SYMBOLS:,} and of {MANY_SYMBOLS:,} symbols",
        unit="MB",
        ratio_to="",
        rows=[
            Row("idle: our modules, the driver and numpy imported", few["idle"]),
            Row("a page of 1,000 users, 5,000 symbols: peak above idle", few["peak"] - few["idle"], goal="< 400"),
            *(
                Row(
                    f"{_PAGES} pages of 200 users, 50,000 symbols, process {number}: peak",
                    own["peak"],
                    goal="< 600",
                    note=f"{own['peak'] - own['idle']:.0f} above idle; {own['after']:.0f} after the pages; "
                    f"{own['milliseconds']:.0f} ms of processor time a page",
                )
                for number, own in enumerate(many, start=1)
            ),
            Row(
                f"{_PAGES} such pages, then the end of a run of {_USERS:,} users: peak",
                end["peak"],
                goal="< 600",
                note=f"{end['after']:.0f} after the pages",
            ),
        ],
        notes=[
            "Resident memory as the system counts it.",
            f"Processes of the 50,000 symbols run at once, each with {_THREADS} pages at a time.",
        ],
    )


def _shares(pages: int) -> list[tuple[int, int]]:
    each = pages // _PROCESSES
    return [(number * each, (number + 1) * each) for number in range(_PROCESSES)]


def prepare(mongodb: "DocumentDatabase", run_id: str, count: int, pages: int, page_size: int) -> None:
    """Store a planned run and the results of the steps before its pages; the prices of 100 symbols repeat."""
    from stores.batches import BatchStore
    from stores.pages import PageStore
    from stores.runs import RunStore

    owners = portfolios(pages * page_size, count)
    fill(mongodb, owners)
    benchmark, *bars = walks(_SYMBOLS_PER_BATCH + 1)
    as_of = resolve_as_of(benchmark)
    # All research takes the same memory.
    (anyone_s,) = research_symbols(read_histories({"": benchmark}, benchmark, as_of))
    named = dict(zip(symbols(_SYMBOLS_PER_BATCH), bars, strict=True))
    prices = prepare_prices(read_histories(named, benchmark, as_of), DAYS - 1)
    plan = [list(batch) for batch in batched(symbols(count), _SYMBOLS_PER_BATCH, strict=True)]
    batches, runs = BatchStore(mongodb), RunStore(mongodb)
    for store in (batches, runs):
        store.ensure_indexes()
    batches.write(run_id, _PLAN, "symbols", plan)
    pages_of_users = batched((owner.user_id for owner in owners), page_size, strict=True)
    PageStore(mongodb).write(run_id, _PLAN, 0, list(map(list, pages_of_users)))
    for number, members in enumerate(plan):
        research = [replace(anyone_s, symbol=symbol) for symbol in members]
        batches.record_research(_PLAN, number, research, replace(prices, symbols=tuple(members)), {})
    run = Run(run_id, "queued", Trigger("http", "admin-secret"), _START, as_of=as_of)
    runs.create(run, None)
    runs.start(run_id, _START)
    made = Plan(plan_id=_PLAN, symbols=count, symbol_batches=len(plan), pages=pages)
    parameters = Parameters("SPY", DAYS - 1, 0.0, page_size, 0.5)
    runs.record_plan(run_id, made, parameters, as_of=as_of, figures={})


def _record_other_pages(mongodb: "DocumentDatabase", run_id: str, first: int) -> None:
    """Record the results of all the other pages of a run of a million users."""
    from stores.batches import BatchStore, PageErrors
    from stores.pages import PageStore

    batches, pages, chance = BatchStore(mongodb), PageStore(mongodb), random.Random(0)  # noqa: S311 - no secret
    for number in range(first, _USERS // _PAGE_SIZE):
        pages.write(run_id, _PLAN, number, [[]])
        of_page = [_line(f"user-{number}-{place:012}", chance) for place in range(_PAGE_SIZE)]
        batches.record_page(_PLAN, number, Outcome(analyzed=_PAGE_SIZE), PageErrors(), Lines(of_page))


def _line(user_id: str, chance: random.Random) -> Line:
    value, volatility, drawdown, loss = (chance.random() for _ in range(4))
    summary = Summary(user_id, "analyzed", None, value, volatility, drawdown, loss, 2, 1, 0, complete=True)
    crossed = ("largest_position:warning", "volatility:warning", "beta:breach")
    return Line(summary, crossed, Standing("USD", value, value, price_date=_START.date()))


def measured(
    mongodb: "DocumentDatabase", run_id: str, pages: Sequence[range], threads: int = 1, *, ends: bool = False
) -> list[dict[str, float]]:
    """Analyze pages, each of the ranges in a process of its own, all at once; return what each says of itself.

    With ``ends``, each then ends the run.
    """
    host, port = mongodb.client.address or ("", 0)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "MONGODB_URL": f"mongodb://{host}:{port}",
            "MONGODB_DATABASE": mongodb.name,
            "MARKET_DATA_PROVIDER": "sample",
            "ANALYSIS_SCHEDULE": "0 0 1 * * *",
            "TMPDIR": folder,
        }
        commands = [
            [sys.executable, "-m", "benchmarks.memory", run_id, str(threads), str(own.start), str(own.stop), str(ends)]
            for own in pages
        ]
        started = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this very interpreter
            for command in commands
        ]
        answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise RuntimeError("a process of the benchmark failed")
    return [json.loads(answer) for answer in answers]


def work(run_id: str, threads: int, pages: range, *, ends: bool) -> dict[str, float]:
    """Analyze pages as a worker does; return its memory in MB and its processor time per page in milliseconds."""
    from functions.services import worker
    from runs.ending import finish
    from runs.reports import analyze

    services: Services = worker().services_of_steps()
    services.reports.ensure_indexes()
    idle, before = _peak(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        for result in pool.map(lambda number: analyze(services, Batch(run_id, _PLAN, number)), pages):
            if result.failed or result.failure:
                raise RuntimeError(f"a page failed: {result}")
    taken, after = time.process_time() - before, _memory("VmRSS")
    if ends and (status := finish(services, run_id, None, {})) != "completed":
        raise RuntimeError(f"the run ended {status}")
    return {"idle": idle, "peak": _peak(), "after": after, "milliseconds": 1e3 * taken / len(pages)}


def _peak() -> float:
    # On Linux, the value of getrusage starts with the memory of the parent process.
    return _memory("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _memory(name: str) -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    (value,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(value) / 1024


if __name__ == "__main__":
    own_run, own_threads, first, stop, last = sys.argv[1:]
    json.dump(work(own_run, int(own_threads), range(int(first), int(stop)), ends=last == "True"), sys.stdout)
