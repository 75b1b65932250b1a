"""Seeded persons: every kind of portfolio that the definitions tell apart, with weights at their thresholds."""

import random
from collections.abc import Callable, Sequence
from copy import replace
from typing import Any

from tests.oracle.facts import Facts, Prepared
from tests.oracle.inputs import Holding, InvalidHolding, Market, Person

NONSENSE: tuple[dict[str, Any], ...] = (
    {"largest_position": {"warning": 0.05, "breach": 0.08}},
    {"largest_position": {"warning": 0.2, "breach": 0.2}, "beta": {"warning": 0.5}},
    {"largest_position": {"breach": 0.1}},
    {"largest_position": {"warning": 0, "breach": 0.3}},
    {"largest_position": {"warning": "0.10", "breach": " 0.22 "}, "drawdown": {"warning": -0.05, "breach": -0.1}},
    {"drawdown": {"warning": -0.4, "breach": -0.1}, "volatility": {"warning": float("nan")}},
    {"effective_holdings": {"warning": 20, "breach": 10}, "cash_share": {"warning": True, "breach": 0.5}},
    {"largst_position": {"warning": 0.1}, "beta": 3, "correlation": {"breach": "much"}},
    {"gross_exposure": {"warning": -1e11}, "value_at_risk": {"warning": -0.001, "breach": -0.002}},
    {"price_coverage": {"warning": 0.2, "breach": 0.5}, "risk_concentration": {"warning": 1e13}},
)


def people(market: Market, seed: int, count: int) -> tuple[Person, ...]:
    """Return so many persons, each kind in turn."""
    crowd = _Crowd(market, seed)
    return tuple(crowd.person(at) for at in range(count))


class _Crowd:
    """A source of persons who hold symbols of one market."""

    def __init__(self, market: Market, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.market = Prepared.of(market)
        facts = [self.market.symbol(symbol) for symbol in market.rows]
        self.priced = [fact for fact in facts if not fact.is_missing]
        self.lasting = [fact for fact in self.priced if fact.has_figures and len(fact.returns) >= 252]
        self.young = [fact for fact in self.priced if fact.has_figures and len(fact.returns) < 252]
        self.excluded = [fact for fact in self.priced if not fact.has_figures]
        self.missing = [fact.symbol for fact in facts if fact.is_missing] + ["MISSING1", "MISSING2"]

    def person(self, at: int) -> Person:
        """Return a person of the kind whose turn it is."""
        return _KINDS[at % len(_KINDS)](self)

    def pick(self, facts: Sequence[Facts], most: int) -> list[Facts]:
        """Return some of the symbols."""
        return self.chance.sample(facts, min(len(facts), self.chance.randint(1, most)))

    def some(self, facts: Sequence[Facts], count: int) -> list[Facts]:
        """Return so many of the symbols, or all."""
        return self.chance.sample(facts, min(len(facts), count))

    def worth(self, fact: Facts, value: float, *, whole: bool = False) -> Holding:
        """Return a holding of that value, bought at some price."""
        quantity = value / (fact.price * fact.multiplier)
        cost = self.chance.choice([None, 0.0, -3.5, *(fact.price * self.chance.uniform(0.3, 1.8) for _ in range(6))])
        return Holding(fact.symbol, float(round(quantity) or 1) if whole else quantity, cost)

    def values(self, facts: Sequence[Facts], least: float = 500, most: float = 30000) -> list[Holding]:
        """Return holdings of random values."""
        whole = self.chance.random() < 0.5
        return [self.worth(fact, self.chance.uniform(least, most), whole=whole) for fact in facts]

    def watched(self, most: int = 8) -> tuple[str, ...]:
        """Return a watchlist."""
        return tuple(fact.symbol for fact in self.pick(self.priced, most))

    def long_only(self) -> Person:
        """Return a person with shares and some cash."""
        cash = self.chance.choice([None, 0.0, 1234.5, 40000.0])
        power = self.chance.choice([None, 0.0, 2500.0])
        return Person(tuple(self.values(self.pick(self.priced, 12))), self.watched(), cash, power)

    def long_short(self) -> Person:
        """Return a person with shorts."""
        holdings = self.values(self.pick(self.priced, 14))
        turned = [replace(h, quantity=-h.quantity) if self.chance.random() < 0.35 else h for h in holdings]
        return Person(tuple(turned), self.watched(), self.chance.uniform(10000, 150000))

    def leveraged(self) -> Person:
        """Return a person in debt."""
        holdings = self.values(self.pick(self.lasting, 24), 5000)
        debt = -self.chance.choice([0.2, 0.5, 0.75, 0.97]) * 5000 * len(holdings)
        return Person(tuple(holdings), self.watched(), debt, self.chance.choice([None, 20000.0]))

    def cash_only(self) -> Person:
        """Return a person without holdings."""
        closed = (Holding("FULL0", 0.0, 10.0),) if self.chance.random() < 0.5 else ()
        watchlist = self.watched() if self.chance.random() < 0.6 else ()
        return Person(closed, watchlist, self.chance.choice([None, 0.0, 5000.0, -10.0]))

    def single(self) -> Person:
        """Return a person with one symbol."""
        return Person(tuple(self.values([self.chance.choice(self.priced)])), cash=self.chance.choice([0.0, 100.0]))

    def unpriced(self) -> Person:
        """Return a person with something unpriced, of known or unknown size."""
        missing = self.chance.choice(self.missing)
        cost = self.chance.choice([None, 0.0, -2.0, 3.0, 40.0, 40000.0])
        holding = Holding(missing, self.chance.choice([5.0, 1.0, -20.0]), cost)
        cash = self.chance.choice([-39000.0, -500.0, 0.0, 5000.0])
        return Person((*self.values(self.pick(self.lasting, 8)), holding), self.watched(), cash, 5000.0)

    def barely_unpriced(self) -> Person:
        """Return a person with about 1 % unpriced."""
        holdings = [self.worth(fact, 10000.0) for fact in self.some(self.lasting, 9)]
        estimate = len(holdings) * 10000 / 99 * self.chance.choice([0.001, 0.999, 1.0, 1.001])
        return Person((*holdings, Holding("MISSING1", 1.0, estimate)), self.watched(), 5000.0)

    def invalid(self) -> Person:
        """Return a person with invalid holdings."""
        bad = InvalidHolding("WRONG", self.chance.choice([None, 7.0, -7.0]), self.chance.choice([None, 12.0]))
        return Person(tuple(self.values(self.pick(self.priced, 8))), self.watched(), 1000.0, invalid=(bad,))

    def nothing_priced(self) -> Person:
        """Return a person of whose holdings none has a price."""
        quantities = self.chance.choice([(3.0, 4.0), (3.0, -4.0)])
        costs = self.chance.choice([(10.0, 20.0), (None, 20.0), (10.0, 0.0)])
        holdings = [Holding(f"MISSING{at}", q, c) for at, q, c in zip((1, 2), quantities, costs, strict=True)]
        return Person(tuple(holdings), self.watched(), self.chance.choice([None, 500.0, -500.0]))

    def worthless(self) -> Person:
        """Return a person whose debt is at least the value, with or without something unpriced."""
        holdings = self.values(self.pick(self.lasting, 5))
        value = sum(h.quantity * self._unit(h.symbol) for h in holdings)
        extra = self.chance.choice([(), (Holding("MISSING1", 10.0, 500.0),), (Holding("MISSING1", -10.0, 500.0),)])
        return Person((*holdings, *extra), self.watched(), -value * self.chance.choice([1.0, 1.2, 0.97]))

    def at_window_threshold(self) -> Person:
        """Return a person whose young holdings weigh what the rule of the window compares with."""
        share = self.chance.choice([0.05, 0.25, 0.5]) * self.chance.choice([1, 1, 1 - 1e-9, 1 + 1e-9, 0.98, 1.02])
        lasting, young = self.some(self.lasting, 4), self.some(self.young, 2)
        holdings = [self.worth(fact, 100000 * (1 - share) / len(lasting)) for fact in lasting]
        holdings += [self.worth(fact, 100000 * share / len(young)) for fact in young]
        return Person(tuple(holdings), cash=self.chance.choice([0.0, 20000.0]))

    def at_coverage_threshold(self) -> Person:
        """Return a person of whose value about half is included."""
        share = 0.5 * self.chance.choice([1, 1, 1 - 1e-9, 1 + 1e-9, 0.97, 1.03])
        excluded = self.some(self.excluded, 2) or self.some(self.young, 2)
        lasting = self.some(self.lasting, 3)
        holdings = [self.worth(fact, 100000 * (1 - share) / len(lasting)) for fact in lasting]
        holdings += [self.worth(fact, 100000 * share / len(excluded)) for fact in excluded]
        return Person(tuple(holdings), cash=3000.0)

    def at_side_threshold(self) -> Person:
        """Return a person with a small short side of which about half is included."""
        side = 100000 * self.chance.choice([0.05, 0.05 - 1e-9, 0.05 + 1e-9, 0.03, 0.07, 0.4])
        within = self.chance.choice([0.5, 0.5 - 1e-9, 0.5 + 1e-9, 0.2, 0.8, 0.0, 1.0])
        first, second, *longs = self.some(self.lasting, 6)
        outside = self.chance.choice(self.excluded or [second])
        holdings = [self.worth(fact, (100000 - side) / len(longs)) for fact in longs]
        shorts = [self.worth(first, -side * within), self.worth(outside, -side * (1 - within))]
        return Person((*holdings, *(short for short in shorts if short.quantity)), cash=50000.0)

    def at_position_threshold(self) -> Person:
        """Return a person with a weight at a limit of the largest position."""
        weight = self.chance.choice([0.15, 0.25, 0.6, 0.12]) * self.chance.choice([1, 1 - 1e-9, 1 + 1e-9])
        first, *rest = self.some(self.lasting, 9)
        holdings = [self.worth(first, 100000 * weight)]
        holdings += [self.worth(fact, 100000 * (1 - weight) / len(rest)) for fact in rest]
        return Person(tuple(holdings), self.watched(), 0.0, 10000.0, self.chance.choice([{}, *NONSENSE]))

    def own_limits(self) -> Person:
        """Return a person with thresholds, sensible or not."""
        return replace(self.long_only(), thresholds=self.chance.choice(NONSENSE))

    def dust(self) -> Person:
        """Return a person with dust of every kind beside five holdings."""
        holdings = [self.worth(fact, 20000.0) for fact in self.some(self.lasting, 5)]
        held = {holding.symbol for holding in holdings}
        others = [fact for fact in self.some(self.priced, 5) if fact.symbol not in held]
        holdings += [self.worth(fact, self.chance.choice([3.0, -3.0, 0.01])) for fact in others]
        return Person(tuple(holdings), cash=self.chance.choice([0.0, 1e-9, -1.0]))

    def big_short(self) -> Person:
        """Return a person with a short of 60 % and without buying power."""
        first, *rest = self.some(self.lasting, 4)
        holdings = [self.worth(first, -60000.0), *(self.worth(fact, 20000.0) for fact in rest)]
        cash = 100000.0 if self.chance.random() < 0.6 else 160000.0
        return Person(tuple(holdings), self.watched(), cash, self.chance.choice([0.0, None, 40000.0]))

    def many_shorts(self) -> Person:
        """Return a person whose shorts cost more to cover than there is."""
        facts = self.some(self.lasting, 6)
        shorts = [self.worth(fact, -self.chance.uniform(20000, 60000), whole=True) for fact in facts[:3]]
        longs = [self.worth(fact, 45000.0, whole=True) for fact in facts[3:]]
        return Person((*shorts, *longs), self.watched(), self.chance.choice([0.0, 5000.0, 30000.0, 90000.0]), 20000.0)

    def many_buys(self) -> Person:
        """Return a person with a long watchlist and little buying power."""
        watchlist = tuple(fact.symbol for fact in self.some(self.priced, 90))
        power = self.chance.choice([100.0, 3000.0, 10000.0, 250000.0])
        return Person(tuple(self.values(self.pick(self.lasting, 3))), watchlist, 100000.0, power)

    def extreme(self) -> Person:
        """Return a person with extreme magnitudes."""
        size = self.chance.choice([1e-6, 1e-3, 1e9, 1e12])
        return Person(tuple(self.values(self.pick(self.lasting, 6), size, 3 * size)), self.watched(), size, size)

    def _unit(self, symbol: str) -> float:
        fact = self.market.symbol(symbol)
        return fact.price * fact.multiplier


_KINDS: tuple[Callable[[_Crowd], Person], ...] = (
    _Crowd.long_only, _Crowd.long_short, _Crowd.leveraged, _Crowd.unpriced, _Crowd.at_window_threshold,
    _Crowd.at_side_threshold, _Crowd.at_coverage_threshold, _Crowd.cash_only, _Crowd.at_position_threshold,
    _Crowd.barely_unpriced, _Crowd.own_limits, _Crowd.dust, _Crowd.big_short, _Crowd.many_shorts, _Crowd.many_buys,
    _Crowd.single, _Crowd.invalid, _Crowd.many_buys, _Crowd.nothing_priced, _Crowd.worthless, _Crowd.extreme,
)  # fmt: skip
