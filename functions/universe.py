"""The prices of all symbols of a run, prepared once a worker process and shared by its pages."""

import threading
from dataclasses import dataclass

from analysis.decisions import Adviser
from analysis.returns import PriceTable, join_prices
from functions.services import Services
from stores.shared import Shared


@dataclass(frozen=True, slots=True)
class Universe:
    """What is known about the symbols of a run; ``shared`` is what reports embed of it."""

    table: PriceTable
    adviser: Adviser
    shared: Shared


_lock = threading.Lock()
_kept: dict[str, Universe] = {}


def universe(services: Services, plan_id: str) -> Universe:
    """Give the run's universe; the first page of a run in this process builds it, the others wait and share it."""
    with _lock:
        if plan_id not in _kept:
            _kept.clear()
            _kept[plan_id] = _build(services, plan_id)
        return _kept[plan_id]


def _build(services: Services, plan_id: str) -> Universe:
    research, prices = services.batches.researched(plan_id)
    adviser = Adviser({found.symbol: found for found in research})
    return Universe(join_prices(prices), adviser, Shared(research, adviser.standing()))
