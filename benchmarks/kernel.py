"""The whole measure set for 1,000 portfolios of 20 holdings out of 500 symbols and 1,260 days, against its peers.

A separate process (``python -m benchmarks.kernel``) in the peers' environment, so that all run side by side on one
numpy; it prints its results as JSON.
"""

import importlib
import json
import multiprocessing
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from analysis.exposure import Exposure, expose
from analysis.models import Booleans, Portfolio
from analysis.price_table import PriceTable
from analysis.valuation import Positions, Totals, value_positions
from analysis.windows import PageFigures, measure_page
from benchmarks.peers import PEERS, Figures, Peer, Task
from benchmarks.timing import Work, interleaved
from benchmarks.workload import HOLDINGS, portfolios, price_table

PORTFOLIOS, SYMBOLS, ROUNDS = 1_000, 500, 9
AGREEMENT = 1e-9

type Page = tuple[Positions, Totals, Exposure, Booleans]


def page_of(owned: list[Portfolio], table: PriceTable) -> Page:
    """Return the valued portfolios: the input of the kernel."""
    positions, totals = value_positions(owned, table, {}, frozenset())
    return positions, totals, expose(positions, totals, table), np.ones(len(owned), dtype=np.bool_)


def measured(page: Page, table: PriceTable) -> PageFigures:
    """Return the figures of one page, by the kernel."""
    with np.errstate(all="ignore"):
        return measure_page(*page, table, 0.0)


def task_of(page: Page, table: PriceTable) -> Task:
    """Return the same portfolios in the form for the peers."""
    positions, _, exposure, _ = page
    return Task(
        dates=table.dates[1:],
        returns=table.returns,
        benchmark=table.benchmark_returns,
        columns=positions.column.reshape(-1, HOLDINGS),
        weights=exposure.standing.weight.reshape(-1, HOLDINGS),
    )


def our_figures(figures: PageFigures, number: int) -> Figures:
    """Return all figures of one portfolio by name."""
    performance, risk = figures.performance[number], figures.risk[number]
    if performance is None or risk is None:
        raise ValueError(f"portfolio {number} was not measured")
    return {
        **msgspec.structs.asdict(performance),
        **msgspec.structs.asdict(risk),
        "risk_contribution": figures.risk_contribution.reshape(-1, HOLDINGS)[number].tolist(),
        "diversification_ratio": float(figures.diversification_ratio[number]),
        "average_correlation": float(figures.average_correlation[number]),
    }


def check_agreement(peer: Peer, task: Task, figures: PageFigures) -> list[str]:
    """Return the names of the figures that agree; all figures of a peer must.

    Raises:
        ValueError: a figure differs.
    """
    theirs = peer.measure(task.first(5))
    for number, given in enumerate(theirs):
        ours = our_figures(figures, number)
        for name, value in given.items():
            if not np.allclose(ours[name], value, rtol=AGREEMENT, atol=1e-15):
                raise ValueError(f"{peer.name}: {name} is {value}, ours is {ours[name]}")
    return sorted(theirs[0])


def available() -> tuple[list[Peer], list[str]]:
    """Return the peers that can be imported here, and a sentence about each of the others."""
    found, missing = [], []
    for peer in PEERS.values():
        try:
            importlib.import_module(peer.module)
            found.append(peer)
        except Exception as error:  # noqa: BLE001 - a peer that does not run is reported, not fatal
            missing.append(f"{peer.name} does not run here: {type(error).__name__}: {error}".splitlines()[0])
    return found, missing


def _halves(owned: list[Portfolio]) -> list[list[Portfolio]]:
    return [owned[: PORTFOLIOS // 2], owned[PORTFOLIOS // 2 :]]


def _prepare() -> None:
    """Do the work that a worker process does once."""
    table = price_table(SYMBOLS)
    _worker.extend((page_of(half, table), table) for half in _halves(portfolios(PORTFOLIOS, SYMBOLS)))


_worker: list[tuple[Page, PriceTable]] = []


def _measure_half(number: int) -> None:
    measured(*_worker[number])


def measure() -> dict[str, Any]:
    """Check that all agree, then time them in turn and return the results; seconds are per portfolio."""
    table, owned = price_table(SYMBOLS), portfolios(PORTFOLIOS, SYMBOLS)
    page = page_of(owned, table)
    halves = [page_of(half, table) for half in _halves(owned)]
    task, figures = task_of(page, table), measured(page, table)
    found, missing = available()
    agreed = {peer.name: check_agreement(peer, task, figures) for peer in found}
    spawned = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, spawned, _prepare) as processes:
        contestants: dict[str, Work] = {
            "ours": partial(measured, page, table),
            "ours, two threads": lambda: list(threads.map(lambda half: measured(half, table), halves)),
            "ours, two processes": lambda: list(processes.map(_measure_half, range(2))),
        }
        for peer in found:
            contestants[peer.name] = partial(peer.measure, task.first(peer.portfolios))
        seconds = interleaved(contestants, ROUNDS)
    sizes = {peer.name: peer.portfolios for peer in found}
    return {
        "seconds": {name: taken / sizes.get(name, PORTFOLIOS) for name, taken in seconds.items()},
        "portfolios": sizes,
        "agreed": agreed,
        "lacks": {peer.name: peer.lacks for peer in found},
        "versions": {peer.name: version(peer.distribution) for peer in found} | {"numpy": np.__version__},
        "missing": missing,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the peers' own
    json.dump(measure(), sys.stdout)
