"""Why the prepared returns of symbols are of double precision: docs/decisions/0038."""

from copy import replace

import numpy as np

from analysis.decisions import Adviser
from analysis.models import Risk
from analysis.price_table import PriceTable
from analysis.report import analyze_portfolios
from benchmarks.workload import portfolios, price_table

DIGITS = 9


def risks(table: PriceTable) -> list[Risk]:
    reports = analyze_portfolios(portfolios(20, 60), table, Adviser({}), {}, "run", 0.0)
    return [report.risk for report in reports if report.risk is not None]


def test_returns_of_single_precision_would_not_keep_nine_digits_of_the_figures() -> None:
    table = price_table(60)
    coarse = replace(table, returns=table.returns.astype(np.float32).astype(np.float64))
    exact, others = risks(table), risks(coarse)
    for name in ("excess_kurtosis", "skewness", "beta", "max_drawdown", "sharpe_ratio"):
        figures = [(getattr(one, name), getattr(other, name)) for one, other in zip(exact, others, strict=True)]
        assert max(abs(one - other) / abs(one) for one, other in figures) > 10**-DIGITS, name
