"""Whether the time per portfolio stays the same from a hundred portfolios to a hundred thousand."""

import time

from analysis.decisions import Adviser
from analysis.report import analyze_portfolios
from analysis.returns import PriceTable
from benchmarks.tables import Group, Row
from benchmarks.workload import portfolios, price_table

SIZES = (100, 1_000, 10_000, 100_000)
PAGE, SYMBOLS = 200, 500
_REFERENCE = 1_000


def group() -> Group:
    """Measure, and give the table."""
    table = price_table(SYMBOLS)
    _analyze(_REFERENCE, table)
    micros: dict[int, float] = {}
    for size in SIZES:
        # As many rounds as it takes to see through the noise of a small one.
        rounds = max(1, 20 * _REFERENCE // size)
        micros[size] = sorted(1e6 * _analyze(size, table) / size for _ in range(rounds))[rounds // 2]
    return Group(
        title=f"Growth: portfolios of 20 holdings out of {SYMBOLS} symbols, analysed in pages of {PAGE}",
        unit="µs a portfolio",
        ratio_to="1,000 portfolios",
        rows=[
            Row(f"{size:,}", taken, taken / micros[_REFERENCE], "< 1.2" if size == SIZES[-1] else "")
            for size, taken in micros.items()
        ],
        notes=["The analysis alone, from portfolios in memory to reports; the database is left out."],
    )


def _analyze(size: int, table: PriceTable) -> float:
    """Give the seconds it takes, without those of inventing the portfolios."""
    seconds = 0.0
    for first in range(0, size, PAGE):
        page = portfolios(min(PAGE, size - first), SYMBOLS, seed=first)
        start = time.process_time()
        analyze_portfolios(page, table, Adviser({}), "run", 0.0)
        seconds += time.process_time() - start
    return seconds
