"""Seeded markets and persons of every kind that the definitions tell apart."""

import random
from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction

from tests.oracle.inputs import Instrument, Market, Row
from tests.oracle.paths import NAN, Path, Walks, edited, every_day, shanghai, weekdays
from tests.oracle.persons import people

__all__ = ["markets", "people"]

INDEX = "INDEX"
LAST_DAY = date(2025, 6, 30)
type Rows = tuple[Row, ...]


def markets(seed: int) -> tuple[Market, ...]:
    """Return a market of every kind: whole, of the past, short, long enough for the episodes, and rising."""
    return (whole(seed), past(seed + 1), short(seed + 2), long(seed + 3), rising(seed + 4))


def whole(seed: int) -> Market:
    """Return a market of 1,400 days with every kind of symbol."""
    walks, days = _walks(seed, 1400)
    return Market(LAST_DAY, _symbols(walks, days), instruments=_instruments(walks.chance), risk_free_rate=0.03)


def past(seed: int) -> Market:
    """Return a market that is looked at 60 days before its prices end, with splits in these days."""
    walks, days = _walks(seed, 1420)
    rows = _symbols(walks, days)
    later = {
        "LATER4": walks.path(days).split(-30, 4),
        "LATER_REVERSED": walks.path(days, price=2).split(-20, 1 / 20),
        "LATER_TWICE": walks.path(days).split(-50, 2).split(-10, 1.5),
        "LATER_UNADJUSTED": walks.path(days, beta=0).shift(-25, 0.5),
        "LATER_PAID": walks.path(days).dividend(-30, 0.27),
        "LATER_BEFORE": walks.path(days).split(-100, 3),
        "LATER_TOLD": walks.path(days).split(-30, 1.05).told(-30, Fraction(21, 20)),
        "LATER_TOLD_ALONE": walks.path(days, beta=0).shift(-25, 1 / 40).told(-25, Fraction(40)),
    }
    rows |= {symbol: path.rows() for symbol, path in later.items()}
    return Market(days[-61], rows, instruments=_instruments(walks.chance), lookback_days=1260)


def short(seed: int) -> Market:
    """Return a market of 420 days with a short lookback.

    Its benchmark has bad days, of an odd seed also the last, and pays no dividends.
    """
    walks, days = _walks(seed, 420)
    rows = _symbols(walks, days)
    index = [Row(row.day, row.close, row.close, row.high, row.low) for row in rows[INDEX]]
    rows[INDEX] = edited(edited(edited(index, 200, close=0.0), 330, close=NAN), 401, close=index[401].close * 30)
    if seed % 2:
        close = walks.chance.choice([0.0, index[-1].close * 30])
        rows[INDEX] = edited(rows[INDEX], -1, close=close, adj_close=close, high=None)
    return Market(LAST_DAY, rows, instruments=_instruments(walks.chance), lookback_days=300, risk_free_rate=-0.005)


def long(seed: int) -> Market:
    """Return a market that reaches back beyond the oldest episode."""
    walks, days = _walks(seed, 4500)
    index = _index(walks, days).rows()
    paths = {
        "OLD": walks.path(days),
        "OLDER": walks.path(days, beta=0.6),
        "SINCE2012": walks.path(days[1100:]),
        "SINCE2021": walks.path(days[3350:]),
        "YOUNG": walks.path(days[-200:]),
        "CUT": walks.path(days).gap(2000, 70),
        "HEDGE": walks.path(days, beta=-0.8),
        "CRYPTO": walks.path(every_day(days[3000], days[-1]), noise=0.03),
    }
    return Market(LAST_DAY, {INDEX: index} | {symbol: path.rows() for symbol, path in paths.items()})


def rising(seed: int) -> Market:
    """Return a market with 90 symbols, most of which rise."""
    walks, days = _walks(seed, 300)
    rows = {INDEX: _index(walks, days).rows()}
    for at in range(90):
        drift = 0.004 if at % 9 else -0.004
        price = walks.chance.choice([3.0, 20.0, 110.0, 800.0, 2500.0])
        rows[f"UP{at:02}"] = walks.path(days, drift=drift, noise=0.006 + 0.0001 * at, price=price).rows()
    return Market(LAST_DAY, rows, instruments={"UP03": Instrument(fractional=True), "UP04": Instrument(lot_size=10)})


def _walks(seed: int, count: int) -> tuple[Walks, list[date]]:
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    days = weekdays(LAST_DAY, count)
    moves = {day: chance.gauss(0.0003, 0.01) for day in days}
    for place, move in ((-300, -0.11), (-299, 0.08), (-120, -0.06)):
        if len(days) >= -place:
            moves[days[place]] = move
    return Walks(chance, moves), days


def _index(walks: Walks, days: Sequence[date]) -> Path:
    path = walks.path(days, noise=0, drift=0, price=100)
    for place in range(40, len(days), 63):
        path.dividend(place, 0.004)
    return path


def _symbols(walks: Walks, days: Sequence[date]) -> dict[str, Rows]:
    paths = _plain(walks, days) | _of_few_days(walks, days) | _with_actions(walks, days) | _with_gaps(walks, days)
    rows = {symbol: path.rows() for symbol, path in paths.items()}
    return {INDEX: _index(walks, days).rows()} | rows | _with_bad_rows(walks, days)


def _plain(walks: Walks, days: Sequence[date]) -> dict[str, Path]:
    found = {f"FULL{at}": walks.path(days, beta=walks.chance.uniform(0.2, 1.6)) for at in range(8)}
    for at in range(4):
        found[f"RISE{at}"] = walks.path(days, beta=0.5, drift=0.0018, noise=0.008 + 0.002 * at)
        found[f"FALL{at}"] = walks.path(days, beta=0.5, drift=-0.0018, noise=0.008 + 0.002 * at, price=300)
    payer = walks.path(days)
    for place in range(30, len(days), 63):
        payer.dividend(place, 0.01)
    late = walks.path(days[:-1], noise=0.003)
    flat = Path(list(days), [1.003] * len(days), spread=0)
    index_fund = walks.path(days, noise=0.0005)
    leveraged = walks.path(days, beta=3, noise=0.004)
    return found | {"PAYER": payer, "LATE": late, "FLAT": flat, "FUND": index_fund, "TRIPLE": leveraged}


def _of_few_days(walks: Walks, days: Sequence[date]) -> dict[str, Path]:
    found = {f"YOUNG{count}": walks.path(days[-count:]) for count in (64, 65, 120, 199, 200, 252, 253, 300, 401)}
    found |= {f"NEW{count}": walks.path(days[-count:]) for count in (1, 2, 20, 63)}
    found |= {f"OLD{age}": walks.path(days[:-age]) for age in (2, 10, 11, 90)}
    return found


def _with_actions(walks: Walks, days: Sequence[date]) -> dict[str, Path]:
    last = -60 if len(days) == 1420 else 0
    return {
        "SPLIT2": walks.path(days).split(last - 1, 2),
        "SPLIT10": walks.path(days).split(last - 5, 10),
        "SPLIT32": walks.path(days).split(last - 11, 1.5),
        "SPLIT_PAID": walks.path(days).split(last - 9, 4, dividend=0.02),
        "SPLIT_OLD": walks.path(days).split(100, 7).split(200, 2 / 3),
        "REVERSE20": walks.path(days, price=3).split(last - 1, 1 / 20),
        "REVERSE8": walks.path(days, price=3).split(last - 8, 1 / 8),
        "TOLD_2": walks.path(days).split(last - 3, 2.06).told(last - 3, Fraction(103, 50)),
        "TOLD_SMALL": walks.path(days).split(last - 2, 1.05).told(last - 2, Fraction(21, 20)),
        "TOLD_ALONE": walks.path(days, beta=0).shift(last - 80, 1 / 40).told(last - 80, Fraction(40)),
        "SPECIAL27": walks.path(days).dividend(last - 1, 0.27),
        "SPECIAL17": walks.path(days).dividend(last - 4, 0.17),
        "HALVED": walks.path(days, beta=0).shift(last - 150, 0.5),
        "HALVED_TODAY": walks.path(days, beta=0, noise=0.002).shift(last - 1, 0.5),
        "THIRDED": walks.path(days, beta=0).shift(last - 320, 2 / 3),
        "CONSOLIDATED": walks.path(days, beta=0, price=3).shift(last - 90, 10),
        "CRASHED": walks.path(days, beta=0, noise=0.002).shift(-299, 0.5),
        "JUMPED": walks.path(days).shift(last - 40, 1.3).shift(last - 35, 0.78),
    }


def _with_gaps(walks: Walks, days: Sequence[date]) -> dict[str, Path]:
    first, last = days[0], days[-1]
    found = {f"GAP{count}": walks.path(days).gap(-400, count) for count in (5, 10, 11, 40, 60, 61, 70, 250)}
    found["GAP12_NOW"] = walks.path(days).gap(-75, 12)
    found["GAP40_DOUBLED"] = walks.path(days).shift(-330, 2.2).gap(-370, 40)
    found["GAP40_SUNK"] = walks.path(days).shift(-330, 0.45).gap(-370, 40)
    found["SHANGHAI"] = walks.path(shanghai(first, last))
    found["CRYPTO"] = walks.path(every_day(first, last), noise=0.03, price=30000)
    found["CRYPTO_NEW"] = walks.path(every_day(days[-150], last), noise=0.03)
    return found


def _with_bad_rows(walks: Walks, days: Sequence[date]) -> dict[str, Rows]:
    def rows(change: Callable[[Path], Path] = lambda path: path) -> Rows:
        return change(walks.path(days)).rows()

    spiked = rows(lambda path: path.spike(-30, 100).spike(-50, 2.5).spike(-70, 0.3))
    many = walks.path(days)
    for place in range(len(days) - 20, len(days) - 1):
        many.bad(place, 0.0)
    return {
        "SPIKED": spiked,
        "SPIKED_CLOSE": rows(lambda path: path.spike(-33, 100, adjusted_too=False)),
        "SPIKED_NOW": rows(lambda path: path.spike(-1, 100)),
        "SUNK_NOW": rows(lambda path: path.spike(-1, 0.013)),
        "TENTH_NOW": walks.path(days, beta=0, noise=0.001).shift(-1, 0.1).rows(),
        "LEAPT": rows(lambda path: path.shift(-200, 6.7)),
        "ZERO": rows(lambda path: path.bad(-100, 0.0).bad(-90, NAN).bad(-80, -3.0)),
        "ZERO_NOW": rows(lambda path: path.bad(-1, 0.0)),
        "BAD": many.rows(),
        "CROSSED": edited(edited(rows(), -20, high=1.0), -21, high=0.0),
        "NO_HIGHS": tuple(Row(row.day, row.close, row.adj_close) for row in rows()),
        "NO_ADJUSTED": tuple(Row(row.day, row.close, None, row.high, row.low) for row in rows()),
        "SOME_ADJUSTED": edited(edited(rows(), -15, adj_close=None), -16, adj_close=NAN),
        "MINUTE": tuple(Row(r.day, r.close * 1e-7, r.adj_close and r.adj_close * 1e-7, None, None) for r in rows()),
    }


def _instruments(chance: random.Random) -> dict[str, Instrument]:
    return {
        "FUND": Instrument("etf"),
        "TRIPLE": Instrument("etf"),
        "LATE": Instrument("fund"),
        "FLAT": Instrument("fund"),
        "INDEX": Instrument("etf", diversified=True),
        "NEW20": Instrument("etf"),
        "NEW63": Instrument("fund", diversified=True),
        "CRYPTO": Instrument("crypto"),
        "CRYPTO_NEW": Instrument("crypto", lot_size=0.01),
        "FULL1": Instrument("option", multiplier=100),
        "FULL2": Instrument("bond", multiplier=0.01),
        "FULL3": Instrument("stock", lot_size=chance.choice([5, 10, 100])),
        "FULL4": Instrument("stock", fractional=True),
        "FULL5": Instrument("etf", diversified=False),
        "RISE0": Instrument("stock", fractional=True),
        "RISE1": Instrument("etf"),
        "RISE2": Instrument("stock", diversified=True, lot_size=0.5),
        "MISSING1": Instrument("fund", diversified=True),
    }
