"""Seeded markets for ledgers: shares with their true prices, and what a source of prices tells about them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from analysis.currencies import Rates
from analysis.models import Dates
from analysis.returns.ledger import LedgerPrices, Market
from tests.oracle.ledger_inputs import MOST_TRADING_DAYS_OLD, months_before

CURRENCIES = ("USD", "EUR", "GBP", "JPY")
PRICED_IN = {"USD": "USD", "EUR": "EUR", "GBP": "GBX", "JPY": "JPY"}
LEVELS = {"USD": 1.1, "GBP": 0.86, "JPY": 150.0}
RATIOS = (2.0, 3.0, 1.5, 4.0, 10.0, 0.1, 0.5)


@dataclass(slots=True, eq=False)
class Split:
    """A split on a day: ``entry`` and ``told`` are the places at which ledger and source have it, if they do."""

    place: int
    ratio: float
    entry: int | None
    told: int | None
    is_in_closes: bool


@dataclass(slots=True, eq=False)
class Share:
    """A symbol with its true price on each day, in shares of the day; closes are known from and to some place."""

    symbol: str
    currency: str
    multiplier: float
    prices: list[float]
    first: int
    last: int
    gap: tuple[int, int]
    split: Split | None = None

    def is_known(self, place: int) -> bool:
        """Return whether the source has a close on the day."""
        return self.first <= place <= self.last and not self.gap[0] <= place < self.gap[1]

    def is_priced(self, place: int) -> bool:
        """Return whether there is a close that is not too old."""
        return any(self.is_known(at) for at in range(max(0, place - MOST_TRADING_DAYS_OLD), place + 1))

    def closes(self, days: int) -> list[float]:
        """Return the raw closes as they are told, carried for ten days."""
        found: list[float] = []
        age = MOST_TRADING_DAYS_OLD + 1
        for place in range(days):
            age = 0 if self.is_known(place) else age + 1
            if age == 0:
                split = self.split
                is_old = split is not None and split.is_in_closes and place < split.place < days
                found.append(self.prices[place] / (split.ratio if split is not None and is_old else 1.0))
            else:
                found.append(found[-1] if found and age <= MOST_TRADING_DAYS_OLD else float("nan"))
        return found


def trading_days(chance: random.Random, count: int) -> list[date]:
    """Return weekdays with some holidays left out."""
    day = date(chance.randint(2014, 2022), chance.randint(1, 12), chance.randint(1, 28))
    found: list[date] = []
    while len(found) < count:
        if day.weekday() < 5 and chance.random() > 0.02:
            found.append(day)
        day += timedelta(days=1)
    return found


def walk(chance: random.Random, days: int, price: float) -> list[float]:
    """Return a random walk of prices, rounded as prices are."""
    prices = []
    for _ in range(days):
        price *= 1 + max(-0.08, min(0.08, chance.gauss(0.0003, 0.015)))
        prices.append(round(price, 4))
    return prices


def share(chance: random.Random, symbol: str, days: int, *, is_sound: bool) -> Share:
    """Return a share, of a wild market with closes that begin late, end early or are missing for a while."""
    currency = PRICED_IN[chance.choice(CURRENCIES)]
    level = {"GBX": 2000.0, "JPY": 3000.0}.get(currency, 80.0)
    prices = walk(chance, days, level * chance.uniform(0.3, 3))
    multiplier = chance.choice([1.0] * 8 + [0.01, 100.0])
    found = Share(symbol, currency, multiplier, prices, 0, days - 1, (0, 0))
    if chance.random() < 0.35 and days > 12:
        _split(chance, found, days, is_sound=is_sound)
        return found
    place = chance.randrange(days)
    found.gap = (place, place + chance.randint(1, MOST_TRADING_DAYS_OLD)) if place else (0, 0)
    if chance.random() < 0.15:
        found.first = chance.randrange(days // 2)
        found.gap = (0, 0)
    if not is_sound:
        if chance.random() < 0.1:
            found.last = chance.randrange(days // 2, days)
        if chance.random() < 0.1:
            found.gap = (place, place + chance.randint(11, 40))
    return found


def _split(chance: random.Random, found: Share, days: int, *, is_sound: bool) -> None:
    place, ratio = chance.randrange(3, days), chance.choice(RATIOS)
    if not is_sound and chance.random() < 0.4:
        place = days - chance.randint(1, 6)
    found.prices = [price / (ratio if at >= place else 1) for at, price in enumerate(found.prices)]
    told = chance.choice(["ledger", "source", "both"])
    entry = place if told != "source" else None
    source = place if told != "ledger" else None
    if told == "both" and not is_sound and chance.random() < 0.3:
        source = min(days - 1, place + chance.randint(1, 3))
    found.split = Split(place, ratio, entry, source, chance.random() < 0.5)


def rates(chance: random.Random, days: Sequence[date], *, is_sound: bool) -> Rates:
    """Return rates with gaps, of a wild market also a long one."""
    per_euro = {}
    for currency, start in LEVELS.items():
        level = start
        day, dates, values = days[0] - timedelta(days=20), [], []
        gap = day
        if not is_sound and chance.random() < 0.1:
            gap = chance.choice(days)
        while day <= days[-1]:
            level *= 1 + chance.gauss(0, 0.004)
            missing = chance.random() < 0.1 or gap <= day < gap + timedelta(days=14)
            if day.weekday() < 5 and not missing:
                dates.append(day)
                values.append(round(level, 6))
            day += timedelta(days=1)
        per_euro[currency] = (np.array(dates, dtype="datetime64[D]"), np.array(values))
    return Rates(per_euro)


def market(
    chance: random.Random, days: Sequence[date], shares: Sequence[Share], found: Rates, every_day: Sequence[date]
) -> Market:
    """Return what is known of the shares up to the last of some days, and of ``every_day`` the splits."""
    as_of = days[-1]
    returns = np.array([0.0, *(chance.gauss(0.0004, 0.011) for _ in days[1:])])
    known = [share for share in shares if any(share.is_known(place) for place in range(len(days)))]
    closes = [share.closes(len(days)) for share in known]
    splits = {
        share.symbol: [(every_day[share.split.told], share.split.ratio)]
        for share in shares
        if share.split is not None and share.split.told is not None
    }
    payments = {share.symbol: _payments(chance, as_of, share) for share in known if chance.random() < 0.6}
    prices = LedgerPrices(
        np.array(days, dtype="datetime64[D]"),
        {share.symbol: row for row, share in enumerate(known)},
        np.array(closes, dtype=np.float64).reshape(len(known), len(days)),
        splits,
        frozenset(share.symbol for share in known if chance.random() < 0.1),
        {symbol: (dates, amounts) for symbol, (dates, amounts) in payments.items()},
        {
            symbol: frozenset(dates.astype(object).tolist()[:1])
            for symbol, (dates, _) in payments.items()
            if chance.random() < 0.2
        },
        returns,
    )
    default = "USD"
    told = [share for share in shares if share.currency != default or share.multiplier != 1 or chance.random() < 0.5]
    return Market(
        prices,
        found,
        {share.symbol: share.currency for share in told},
        {share.symbol: share.multiplier for share in told},
        chance.choice(CURRENCIES),
        default,
    )


def _payments(
    chance: random.Random, as_of: date, share: Share
) -> tuple[Dates, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    first = months_before(as_of, 12)
    dates = sorted({first + timedelta(days=chance.randint(1, 360)) for _ in range(chance.randint(1, 4))})
    amounts = np.array([share.prices[-1] * chance.uniform(0.002, 0.01) for _ in dates])
    return np.array(dates, dtype="datetime64[D]"), amounts
