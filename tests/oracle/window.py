"""Coverage, window and sides: which holdings stand for the whole, and with what weight.

Readings: a side's share of gross value is of gross value with the estimates; where no window qualifies, all count;
an episode has no minimum of coverage but c - 0.05.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle import measures
from tests.oracle.bars import EXACT
from tests.oracle.facts import Facts, Prepared
from tests.oracle.measures import YEAR
from tests.oracle.valuation import Book, Position

SMALL_SIDE = 0.05


@dataclass(frozen=True, slots=True)
class Side:
    """All longs or all shorts: their signed sum with estimates, and what is included of it."""

    whole: float
    included: float
    share: float

    @property
    def is_half_included(self) -> bool:
        """Return whether at least half of it is included."""
        return not self.whole or self.included / self.whole >= 0.5 - EXACT

    @property
    def passes(self) -> bool:
        """Return whether it is included or small enough to count as cash."""
        return self.is_half_included or self.share <= SMALL_SIDE + EXACT


def side(book: Book, included: set[str], sign: int) -> Side:
    """Return the longs (sign 1) or the shorts (-1)."""
    values = [(position.symbol, position.value) for position in book.priced if position.value * sign > 0]
    estimates = [estimate for estimate in book.estimates if estimate * sign > 0]
    whole = math.fsum([*(value for _, value in values), *estimates])
    everything = book.gross + book.unpriced_cost
    within = math.fsum(value for symbol, value in values if symbol in included)
    return Side(whole, within, abs(whole) / everything if everything else 0.0)


def sides_pass(book: Book, included: set[str]) -> bool:
    """Return whether both sides pass."""
    return all(side(book, included, sign).passes for sign in (1, -1))


@dataclass(frozen=True, slots=True)
class Mix:
    """The weights that stand for the whole, by symbol, and that of cash. They add up to 1."""

    weights: dict[str, float]
    cash: float


def mix(book: Book, included: set[str]) -> Mix:
    """Return the included weights, scaled up side by side."""
    total = book.estimated_total
    cash = book.cash / total
    weights: dict[str, float] = {}
    for sign in (1, -1):
        part = side(book, included, sign)
        if not part.is_half_included:
            cash += part.whole / total
            continue
        for position in book.priced:
            if position.symbol in included and position.value * sign > 0:
                weights[position.symbol] = position.value / total * (part.whole / part.included)
    return Mix(weights, cash)


@dataclass(frozen=True, slots=True)
class Window:
    """The place at which the window begins, what is included, and what is too young for it."""

    start: int
    included: set[str]
    young: set[str]
    coverage: float


def eligible(book: Book) -> list[Position]:
    """Return the positions with figures of their own."""
    return [position for position in book.priced if position.facts.has_figures and position.value != 0]


def window(book: Book, last: int) -> Window | None:
    """Return the portfolio's window, ``None`` without a holding that has figures."""
    candidates = eligible(book)
    if not candidates:
        return None
    everything = {position.symbol for position in candidates}
    c = book.coverage(everything)
    windows = []
    for start in sorted({position.facts.start for position in candidates}):
        included = {position.symbol for position in candidates if position.facts.start <= start}
        windows.append(Window(start, included, everything - included, book.coverage(included)))
    counting = [w for w in windows if w.coverage >= 0.5 - EXACT and sides_pass(book, w.included)] or windows
    chosen = _longest(counting, c - 0.05)
    if last - chosen.start < YEAR:
        year = [w for w in counting if last - w.start >= YEAR]
        if year and year[-1].coverage >= c - 0.25 - EXACT:
            chosen = _longest(counting, year[-1].coverage - 0.05)
    return chosen


def _longest(windows: Sequence[Window], coverage: float) -> Window:
    return next(w for w in windows if w.coverage >= coverage - EXACT)


def portfolio_returns(market: Prepared, chosen: Window, weights: Mix) -> list[float]:
    """Return the returns of today's mix over the window."""
    n = market.calendar.last - chosen.start
    rate = measures.daily_rate(market.market.risk_free_rate)
    series = [(weight, market.symbol(symbol).returns[-n:]) for symbol, weight in weights.weights.items()]
    return [math.fsum([weights.cash * rate, *(w * r[at] for w, r in series)]) for at in range(n)]


@dataclass(frozen=True, slots=True)
class Shares:
    """How the included holdings share in the portfolio's risk."""

    risk_contributions: dict[str, float]
    diversification_ratio: float | None
    average_correlation: float | None


def shares(market: Prepared, chosen: Window, weights: Mix) -> Shares:
    """Return risk contributions, diversification ratio and average correlation over the window."""
    n = market.calendar.last - chosen.start
    facts: list[Facts] = [market.symbol(symbol) for symbol in weights.weights]
    w = list(weights.weights.values())
    differences = [measures.centered(fact.returns[-n:]) for fact in facts]
    count = range(len(facts))
    s = [[math.sumprod(differences[i], differences[j]) / (n - 1) if j <= i else 0.0 for j in count] for i in count]
    s = [[s[max(i, j)][min(i, j)] for j in count] for i in count]
    products = [math.sumprod(row, w) for row in s]
    variance = math.sumprod(w, products)
    risk = math.sqrt(max(variance, 0.0))
    deviations = [math.sqrt(s[i][i]) if math.sqrt(s[i][i]) > EXACT else 0.0 for i in count]
    above = below = 0.0
    for i in count:
        for j in range(i):
            if deviations[i] and deviations[j]:
                above += w[i] * w[j] * s[i][j] / (deviations[i] * deviations[j])
                below += abs(w[i] * w[j])
    contributions = {fact.symbol: w[i] * products[i] / variance for i, fact in enumerate(facts)} if risk > EXACT else {}
    spread = math.fsum(abs(w[i]) * deviations[i] for i in count)
    return Shares(contributions, spread / risk if risk > EXACT else None, above / below if below else None)
