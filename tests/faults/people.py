"""The users of the runs under test, with a few holdings each, and the prices of their symbols."""

from pathlib import Path

from analysis.models import Portfolio
from analysis.prices import Bars
from tests.builders import a_portfolio, bars, random_walk, weekdays

SYMBOLS = [f"S{number:02}" for number in range(12)]
BENCHMARK = "SPY"
LOOKBACK_DAYS = 250
_DAYS = 300
_HOLDINGS = 3


def market() -> dict[str, Bars]:
    """Return a random walk for each symbol and for the benchmark, closes alone."""
    return {symbol: _closes(seed) for seed, symbol in enumerate([BENCHMARK, *SYMBOLS])}


def write_prices(folder: Path) -> None:
    """Write the prices of the whole market."""
    for seed, symbol in enumerate([BENCHMARK, *SYMBOLS]):
        write_price_file(folder, symbol, seed)


def write_price_file(folder: Path, symbol: str, seed: int) -> None:
    own = _closes(seed)
    rows = (f"{day},{close!r}" for day, close in zip(own.dates, own.close.tolist(), strict=True))
    (folder / f"{symbol}.csv").write_text("\n".join(["date,close", *rows]))


def _closes(seed: int) -> Bars:
    walk = random_walk(weekdays(_DAYS), seed)
    return bars(walk.dates, walk.close)


def people(count: int, holdings: int = _HOLDINGS) -> list[Portfolio]:
    """Return invented users, each with different holdings than the previous one."""
    return [_person(number, holdings) for number in range(count)]


def _person(number: int, holdings: int) -> Portfolio:
    builder = a_portfolio(f"user-{number:05}").cash(100.0 * (number % 7))
    for place in range(holdings):
        builder = builder.holding(SYMBOLS[(number + 5 * place) % len(SYMBOLS)], 1.0 + number % 13 + place, 40.0)
    return builder.build()
