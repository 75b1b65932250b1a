"""Train the dictionary that stored reports are compressed with: ``python -m benchmarks.report_dictionary``.

Of random portfolios, a third of them with what their owners really earned, so that it knows the form of reports and the
sentences in them, and nothing of anybody. The names of symbols and all figures are random. A new schema version gets a
new file, and the old ones stay: stored reports name theirs.
"""

import sys
from copy import replace
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from analysis.decisions import Adviser
from analysis.histories import read_histories
from analysis.price_table import join_prices, prepare_prices
from analysis.report import analyze_portfolios
from analysis.research import research_symbols
from benchmarks import ledger
from benchmarks.workload import DAYS, portfolios, symbols, walks
from stores.report_values import encoder

if TYPE_CHECKING:
    from analysis.models import Report

FILE = Path(__file__).parent.parent / "stores" / "report_dictionaries" / "schema-2.zdict"
_BYTES = 64 * 1024
_ID = 0x5E2D0002
"""Of no meaning but that it differs from those of other dictionaries, which zstd draws at random."""
_SYMBOLS, _PORTFOLIOS, _AT_ONCE = 300, 1_500, 100
_LEVEL = 3


def samples() -> "list[bytes | bytearray | memoryview[int]]":
    """Return the JSON of reports as of different days."""
    random = np.random.default_rng(20)
    benchmark, *bars = walks(_SYMBOLS + 1)
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    own = ["".join(random.choice(letters, random.integers(2, 5))) for _ in range(_SYMBOLS)]
    names = dict(zip(symbols(_SYMBOLS), own, strict=True))
    earned = [found.returns for found in ledger.measured(ledger.page_of(ledger.market_of(), _AT_ONCE, 100))]
    made: list[Report] = []
    for number, owned in enumerate(batched(portfolios(_PORTFOLIOS, _SYMBOLS, seed=21), _AT_ONCE, strict=False)):
        as_of = benchmark.dates[DAYS - 1 - 11 * number].item()
        histories = read_histories(dict(zip(names.values(), bars, strict=True)), benchmark, as_of)
        table = join_prices([prepare_prices(histories, DAYS - 1)])
        adviser = Adviser({found.symbol: found for found in research_symbols(histories)})
        renamed = [
            replace(
                person,
                user_id=f"{random.integers(16**12):012x}",
                holdings=tuple(
                    replace(held, symbol=names[held.symbol], avg_price=round(float(random.uniform(5, 300)), 2))
                    for held in person.holdings[: random.integers(3, 21)]
                ),
                watchlist=tuple(own[: number % 4]),
                cash=round(float(random.uniform(0, 20_000)), 2),
            )
            for person in owned
        ]
        reports = analyze_portfolios(renamed, table, adviser, {}, f"run_{as_of:%Y%m%d}_010000_{number:04x}", 0.0)
        made += [
            replace(report, returns=earned[position] if position % 3 == 0 else None)
            for position, report in enumerate(reports)
        ]
    return list(map(encoder(), made))


if __name__ == "__main__":
    trained = zstandard.train_dictionary(_BYTES, samples(), level=_LEVEL, dict_id=_ID)
    FILE.write_bytes(trained.as_bytes())
    sys.stdout.write(f"{FILE.name}: {len(trained.as_bytes())} bytes, id {trained.dict_id()}\n")
