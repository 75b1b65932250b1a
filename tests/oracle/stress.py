"""Stress: the worst days of the window, shocks of the market, and named episodes.

Readings: every scenario is listed, with ``None`` where it has no return, and then without a coverage; worst days and
shocks name the report's coverage; days without trading in an episode count as the day before.
"""

import math
from bisect import bisect_right
from datetime import date

from tests.oracle import measures
from tests.oracle.bars import EXACT
from tests.oracle.facts import Prepared
from tests.oracle.valuation import Book
from tests.oracle.window import eligible, mix, sides_pass

EPISODES = {
    "global_financial_crisis": (date(2008, 9, 12), date(2009, 3, 9)),
    "covid_crash": (date(2020, 2, 19), date(2020, 3, 23)),
    "inflation_bear_2022": (date(2022, 1, 3), date(2022, 10, 12)),
}
SHOCKS = (-10, -20, -30)
type Entry = dict[str, object]


def stress(market: Prepared, book: Book, returns: measures.Returns, beta: float | None, coverage: float) -> list[Entry]:
    """Return the section of that name; ``coverage`` is the window's."""
    told = None if book.has_unknown_size else coverage
    found = [
        _entry("worst_day", worst(returns, 1), book, told),
        _entry("worst_5_days", worst(returns, 5), book, told),
        _entry("worst_21_days", worst(returns, 21), book, told),
    ]
    shocks = [(f"market_{shock}", None if beta is None else beta * shock / 100) for shock in SHOCKS]
    found += [_entry(name, result, book, told) for name, result in shocks]
    return found + [episode(market, book, name) for name in EPISODES]


def _entry(scenario: str, result: float | None, book: Book, coverage: float | None) -> Entry:
    if result is None:
        return {"scenario": scenario, "return": None, "loss": None, "coverage": None}
    return {"scenario": scenario, "return": result, "loss": result * book.estimated_total, "coverage": coverage}


def worst(returns: measures.Returns, days: int) -> float | None:
    """Return the lowest compounded return of so many days in a row."""
    if days == 1:
        return min(returns)
    if min(returns) < -1:
        return None
    return min(math.prod(1 + r for r in returns[at : at + days]) for at in range(len(returns) - days + 1)) - 1


def episode(market: Prepared, book: Book, name: str) -> Entry:
    """Return the entry of a named episode."""
    first, last = EPISODES[name]
    days = market.calendar.days
    if days[0] > first or days[-1] < last:
        return _entry(name, None, book, None)
    start, end = bisect_right(days, first) - 1, bisect_right(days, last) - 1
    candidates = eligible(book)
    reaching = {position.symbol for position in candidates if min(position.facts.adjusted) <= start}
    coverage, c = book.coverage(reaching), book.coverage({position.symbol for position in candidates})
    told = None if book.has_unknown_size else coverage
    if coverage < c - 0.05 - EXACT or not sides_pass(book, reaching):
        return _entry(name, None, book, told)
    weights = mix(book, reaching).weights
    changes = [weight * market.symbol(symbol).change_between(start, end) for symbol, weight in weights.items()]
    return _entry(name, math.fsum(changes), book, told)
