"""The prices of all symbols of a run, prepared once a worker process and shared by its pages."""

import threading
from dataclasses import dataclass

import msgspec

from analysis.decisions import Adviser
from analysis.models import Research
from analysis.returns import PriceTable, build_price_table
from functions.services import Services, settings
from functions.steps import prices_of
from stores.records import Run
from stores.shared import Shared


@dataclass(frozen=True, slots=True)
class Universe:
    """What is known about the symbols of a run; ``shared`` is what reports embed of it."""

    table: PriceTable
    adviser: Adviser
    shared: Shared


_lock = threading.Lock()
_kept: dict[str, Universe] = {}


def universe(services: Services, run: Run, plan_id: str) -> Universe:
    """Give the run's universe; the first page of a run in this process builds it, the others wait and share it."""
    with _lock:
        if plan_id not in _kept:
            _kept.clear()
            _kept[plan_id] = _build(services, run, plan_id)
        return _kept[plan_id]


def _build(services: Services, run: Run, plan_id: str) -> Universe:
    if run.as_of is None:
        raise ValueError(f"{run.run_id} was never planned")
    benchmark = settings().benchmark_symbol
    symbols = services.batches.priced_symbols(plan_id)
    bars = prices_of(services, run).load([*symbols, benchmark], ranges=False)
    table = build_price_table(
        {symbol: bars[symbol] for symbol in symbols}, bars[benchmark], run.as_of, settings().lookback_days
    )
    research = msgspec.convert(services.batches.research(plan_id), list[Research])
    adviser = Adviser({found.symbol: found for found in research})
    return Universe(table, adviser, Shared(research, adviser.standing()))
