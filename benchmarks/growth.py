"""Measure the time per portfolio from a hundred portfolios to a hundred thousand; it should stay the same."""

import time

from analysis.decisions import Adviser
from analysis.price_table import PriceTable
from analysis.report import analyze_portfolios
from benchmarks.tables import Group, Row
from benchmarks.workload import portfolios, price_table

SIZES = (100, 1_000, 10_000, 100_000)
PAGE, SYMBOLS = 200, 500
_REFERENCE = 1_000


def group() -> Group:
    """Measure, and return the table."""
    table = price_table(SYMBOLS)
    _analyze(0, _REFERENCE, table)
    measured = {size: _measure(size, table) for size in SIZES}
    return Group(
        title=f"Growth: portfolios of 20 holdings out of {SYMBOLS} symbols, analyzed in pages of {PAGE}",
        unit="µs a portfolio",
        ratio_to="1,000 portfolios",
        rows=[
            Row(f"{size:,}", taken, ratio, "< 1.2" if size == SIZES[-1] else "")
            for size, (taken, ratio) in measured.items()
        ],
        notes=[
            "The analysis alone, from portfolios in memory to reports; the database is left out.",
            "Each ratio is to 1,000 portfolios measured again in turn with every 1,000 of the others.",
        ],
    )


def _measure(size: int, table: PriceTable) -> tuple[float, float]:
    """Return the microseconds per portfolio, and their ratio to those of the reference."""
    taken = reference = 0.0
    # As many rounds as needed to average out the noise of a small one.
    rounds = max(1, 20 * _REFERENCE // size)
    for _ in range(rounds):
        for first in range(0, size, _REFERENCE):
            taken += _analyze(first, min(_REFERENCE, size - first), table)
            reference += _analyze(0, _REFERENCE, table)
    micros = 1e6 * taken / (rounds * size)
    return micros, micros / (1e6 * reference / (rounds * max(size, _REFERENCE)))


def _analyze(first: int, size: int, table: PriceTable) -> float:
    """Return the seconds of the analysis, without those for the creation of the portfolios."""
    seconds = 0.0
    for number in range(first, first + size, PAGE):
        page = portfolios(min(PAGE, first + size - number), SYMBOLS, seed=number)
        start = time.process_time()
        analyze_portfolios(page, table, Adviser({}), {}, "run", 0.0)
        seconds += time.process_time() - start
    return seconds
