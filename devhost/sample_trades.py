"""The trades behind the sample holdings: on days chosen so that they cost about what the holding says.

Prices and shares are in today's shares, as the closes of the sample are.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.models import Floats
from devhost.sample_market import SampleMarket

_FIRST_DAY, _LAST_DAY = "2015-02-02", "2022-11-30"
_SECOND_LOT, _SOLD_AGAIN = 0.4, 0.25
_NEAR, _AROUND = 0.01, 0.12
_BETWEEN_LOTS = 20
_DECIMALS = 6
_UNTIL_SALE, _SALES_WITHIN = 40, 200


@dataclass(frozen=True, slots=True)
class Trade:
    """Shares that came on a trading day, negative if they left."""

    day: int
    symbol: str
    shares: float
    price: float


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is to be bought, or sold short if ``shares`` are negative.

    ``name`` is what days are chosen by, ``price`` the average to come near to. Sizes are multiples of ``unit``, the new
    shares of the least whole lot of old ones. Days are from ``first`` on and before ``end``. ``lots`` are one or two;
    ``trimmed`` says that some more are bought with the first and sold again.
    """

    name: str
    symbol: str
    shares: float
    price: float
    unit: int
    first: int
    end: int
    lots: int
    trimmed: bool


def window(market: SampleMarket, symbol: str) -> tuple[int, int]:
    """Return the first trading day on which a symbol may be traded, and the one after the last."""
    return market.number(_FIRST_DAY), min(market.number(_LAST_DAY), len(market.closes.get(symbol, market.days)))


def trades_of(purchase: Purchase, market: SampleMarket) -> list[Trade]:
    """Return the trades that end in the shares, by day."""
    closes = market.closes[purchase.symbol][: purchase.end]
    distance = np.abs(closes / purchase.price - 1)
    distance[: purchase.first] = np.inf
    if purchase.lots > 1 and (found := _two_lots(purchase, closes, distance)):
        days, shares = found
    else:
        near = np.flatnonzero(distance <= _NEAR).tolist() or [int(distance.argmin())]
        days, shares = [_one_of(near, purchase)], [purchase.shares]
    last = purchase.end - 1
    if purchase.trimmed and days[0] + _UNTIL_SALE <= last:
        sold = _multiple(shares[0] * _SOLD_AGAIN, purchase)
        shares[0] += sold
        days.append(min(days[0] + _UNTIL_SALE + _seed(purchase) % _SALES_WITHIN, last))
        shares.append(-sold)
    moved = zip(days, shares, strict=True)
    return [
        Trade(day, purchase.symbol, round(own, _DECIMALS), market.close(purchase.symbol, day))
        for day, own in sorted(moved)
    ]


def _two_lots(purchase: Purchase, closes: Floats, distance: Floats) -> tuple[list[int], list[float]] | None:
    """Return the days and sizes of two purchases; ``None`` if no second day makes up for the first one's price."""
    around = np.flatnonzero(distance <= _AROUND).tolist()
    if not around:
        return None
    day = _one_of(around[: len(around) // 2 + 1], purchase)
    second = _multiple(purchase.shares * _SECOND_LOT, purchase)
    first = purchase.shares - second
    later = closes[day + _BETWEEN_LOTS :]
    if not second or not len(later):
        return None
    wanted = (purchase.shares * purchase.price - first * closes[day]) / second
    other = day + _BETWEEN_LOTS + int(np.abs(later - wanted).argmin())
    average = (first * closes[day] + second * closes[other]) / purchase.shares
    return ([day, other], [first, second]) if abs(average / purchase.price - 1) <= _NEAR else None


def _multiple(shares: float, purchase: Purchase) -> float:
    if purchase.shares % 1:
        return round(shares, 4)
    return purchase.unit * round(shares / purchase.unit)


def _one_of(days: Sequence[int], purchase: Purchase) -> int:
    return days[_seed(purchase) % len(days)]


def _seed(purchase: Purchase) -> int:
    """Return a number that is always the same for a position, but unlike those of others."""
    return zlib.crc32(purchase.name.encode())
