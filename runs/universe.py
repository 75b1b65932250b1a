"""The prices of all symbols of a run, prepared once per worker process and shared by its pages."""

import threading
from dataclasses import dataclass

from analysis.advice import Adviser
from analysis.returns import PriceTable, join_prices
from functions.services import Services
from stores.reports import Shared


@dataclass(frozen=True, slots=True)
class Universe:
    """The prices and research of a run's symbols; ``shared`` is the part that reports embed."""

    table: PriceTable
    adviser: Adviser
    shared: Shared


_lock = threading.Lock()
_kept: dict[str, Universe] = {}


def universe(services: Services, plan_id: str) -> Universe:
    """Return the run's universe; the first page of a run in this process builds it, the others wait and share it."""
    with _lock:
        if plan_id not in _kept:
            _kept.clear()
            _kept[plan_id] = _build(services, plan_id)
        return _kept[plan_id]


def _build(services: Services, plan_id: str) -> Universe:
    research, prices = services.batches.researched(plan_id)
    adviser = Adviser({found.symbol: found for found in research})
    return Universe(join_prices(prices), adviser, Shared(research, adviser.standing()))
