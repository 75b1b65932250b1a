"""The market data shared by the tests of reports."""

from datetime import date

from analysis.models import Floats, Report
from analysis.prices import Bars
from tests.builders import a_table, bars, random_walk, weekdays, without

DAYS = weekdays(600)
AS_OF: date = DAYS[-1].item()
BENCHMARK = random_walk(DAYS, seed=99)
YOUNG_DAYS = 300
SYMBOLS = {
    "A": random_walk(DAYS, 1),
    "B": random_walk(DAYS, 2, volatility=0.02, first=37.5),
    "C": random_walk(DAYS, 3, volatility=0.005, first=412.0),
    "YOUNG": without(random_walk(DAYS, 4), slice(0, YOUNG_DAYS)),
    "SHORT": without(random_walk(DAYS, 5), slice(0, 560)),
    "STALE": without(random_walk(DAYS, 6), slice(585, 600)),
    "FLAT": bars(DAYS, 50.0),
    "OTHER FLAT": bars(DAYS, 20.0),
}
TABLE = a_table(SYMBOLS, BENCHMARK)


def ending_at_100(own: Bars) -> Bars:
    return Bars(own.dates, own.close / own.close[-1] * 100, own.adj_close)


# Three symbols with the same price, so that weights are easy to read.
EVEN_TABLE = a_table(
    {
        "MOVING": ending_at_100(random_walk(DAYS, 11)),
        "STEADY": ending_at_100(random_walk(DAYS, 12, volatility=0.001)),
        "SHORT": ending_at_100(without(random_walk(DAYS, 13), slice(0, 560))),
    },
    BENCHMARK,
)


def only(reports: list[Report]) -> Report:
    (report,) = reports
    return report


def price(symbol: str) -> float:
    return float(SYMBOLS[symbol].close[-1])


def returns_of(own: Bars, observations: int) -> Floats:
    prices = own.adj_close[-observations - 1 :]
    return prices[1:] / prices[:-1] - 1
