"""The report of one person, as a plain dict with the members of the contract.

Readings: a person without holdings has neither performance nor risk nor stress; a skipped report has no sections;
the lists of symbols in ``data_quality`` are of holdings, price issues also of what is watched, and the benchmark's
bad days in each report; a stale symbol is in no other list.
"""

from typing import Any

from tests.oracle import measures
from tests.oracle.bars import EXACT
from tests.oracle.checks import absolute, checks, holdings_values
from tests.oracle.decisions import Advice
from tests.oracle.facts import Prepared
from tests.oracle.inputs import Market, Person
from tests.oracle.orders import order_plan
from tests.oracle.prices import Issue
from tests.oracle.stress import stress
from tests.oracle.valuation import Book, book
from tests.oracle.window import Mix, Shares, Window, mix, portfolio_returns, shares, sides_pass, window

type Section = dict[str, object]


def analyze(market: Market, person: Person) -> dict[str, Any]:
    """Return the report of a person."""
    prepared = Prepared.of(market)
    owned = book(prepared, person)
    if _is_skipped(owned):
        return {"status": "skipped", "reason": "non_positive_value"}
    return _Analysis(prepared, person, owned).report()


def _is_skipped(owned: Book) -> bool:
    if not owned.positions:
        return owned.total < 0
    return owned.is_complete and owned.total <= 0


def _valuation_reason(owned: Book) -> str | None:
    """Return why nothing but the valuation is given, if so."""
    if not owned.positions:
        return None
    if not owned.priced:
        return "no_prices"
    return "incomplete_valuation" if owned.total <= 0 or owned.estimated_total <= 0 else None


class _Analysis:
    """The figures of one person, and the reason for those that are absent."""

    def __init__(self, market: Prepared, person: Person, owned: Book) -> None:
        self.market, self.person, self.book = market, person, owned
        self.valuation_reason = _valuation_reason(owned)
        self.window = window(owned, market.calendar.last)
        self.reason = self.valuation_reason or self._figures_reason()
        self.mix: Mix | None = None
        self.shares: Shares | None = None
        self.returns: list[float] = []
        if self.reason is None and self.window:
            self.mix = mix(owned, self.window.included)
            self.returns = portfolio_returns(market, self.window, self.mix)
            self.shares = shares(market, self.window, self.mix)

    @property
    def coverage(self) -> float:
        """Return the coverage as if positions of unknown size did not exist."""
        return self.book.coverage(self.window.included if self.window else set())

    def _figures_reason(self) -> str | None:
        owned = self.book
        if not owned.positions:
            return "no_holdings"
        has_shorts = any((position.quantity or 0) < 0 for position in owned.positions)
        if owned.has_unknown_size and (owned.cash < 0 or has_shorts):
            return "incomplete_valuation"
        included = self.window.included if self.window else set()
        if self.coverage < 0.5 - EXACT or not sides_pass(owned, included) or not included:
            return "low_coverage"
        return None

    def report(self) -> Section:
        """Return the report."""
        performance, risk = self._performance_and_risk()
        diversification = self._diversification()
        advice = Advice(self.market, self.book, self.person, valuation_only=self.valuation_reason is not None)
        decisions = advice.decisions()
        sections: Section = {
            "performance": performance,
            "risk": risk,
            "diversification": diversification,
            "stress": self._stress(risk),
        }
        return {
            "status": "analyzed",
            "reason": self.reason,
            "reasons": {name: self.reason for name, section in sections.items() if section is None},
            "valuation": self.book.figures(),
            "holdings": self._holdings(),
            **sections,
            "checks": checks(self._checked(risk, diversification), self.person.thresholds),
            "decisions": [decision.figures() for decision in decisions],
            "order_plan": order_plan(self.market, self.book, self.person, decisions, self.valuation_reason),
            "data_quality": self._data_quality(),
            "research": self._research(),
        }

    def _performance_and_risk(self) -> tuple[Section | None, Section | None]:
        if self.mix is None or self.window is None:
            return None, None
        days = self.market.calendar.days[self.window.start :]
        benchmark = self.market.benchmark_returns(self.window.start)
        rate = self.market.market.risk_free_rate
        return measures.performance(self.returns, days), measures.risk(self.returns, benchmark, days, rate)

    def _diversification(self) -> Section | None:
        if not self.book.positions or self.valuation_reason:
            return None
        gross = self.book.gross
        squares = sum((position.value / gross) ** 2 for position in self.book.priced)
        return {
            "herfindahl_index": squares,
            "effective_holdings": 1 / squares,
            "largest_weight": max(abs(position.value) for position in self.book.priced) / self.book.total,
            "diversification_ratio": self.shares.diversification_ratio if self.shares else None,
            "average_correlation": self.shares.average_correlation if self.shares else None,
        }

    def _stress(self, risk: Section | None) -> list[Section] | None:
        if risk is None or self.window is None:
            return None
        return stress(self.market, self.book, self.returns, _number(risk["beta"]), self.coverage)

    def _holdings(self) -> list[Section]:
        weighed = self.valuation_reason is None
        contributions = self.shares.risk_contributions if self.shares else {}
        return [
            position.figures()
            | {
                "weight": position.value / self.book.total if weighed and position.reason is None else None,
                "risk_contribution": contributions.get(position.symbol) if position.reason is None else None,
            }
            for position in self.book.positions
        ]

    def _checked(self, risk: Section | None, diversification: Section | None) -> dict[str, float | None]:
        values = holdings_values(self.book, self._contributions())
        if risk:
            values["volatility"] = _number(risk["annual_volatility"])
            values["drawdown"] = _number(risk["current_drawdown"])
            values["value_at_risk"] = _number(risk["value_at_risk_95"])
            values["beta"] = absolute(_number(risk["beta"]))
        values["correlation"] = _number(diversification["average_correlation"]) if diversification else None
        values["price_coverage"] = None if self.book.has_unknown_size else 1 - self.coverage
        return values

    def _contributions(self) -> dict[str, float] | None:
        """Return the risk contributions, ``None`` if they are null although holdings are included."""
        return self.shares.risk_contributions or None if self.shares else None

    def _data_quality(self) -> Section:
        window: Window | None = self.window
        priced, readable = self.book.priced, [p for p in self.book.positions if p.reason != "invalid"]
        stale = sorted(p.symbol for p in priced if p.facts.is_stale)
        return {
            "coverage": None if self.book.has_unknown_size else self.coverage,
            "missing_symbols": sorted(p.symbol for p in self.book.positions if p.reason == "missing_price"),
            "stale_symbols": stale,
            "short_history_symbols": sorted(p.symbol for p in priced if p.symbol not in stale and p.facts.is_short),
            "young_symbols": sorted(window.young) if window else [],
            "unknown_cost_symbols": sorted(p.symbol for p in readable if p.avg_price is None),
            "price_issues": [_told(issue) for issue in self._issues()],
        }

    def _symbols(self) -> list[str]:
        held = [position.symbol for position in self.book.positions if position.reason != "invalid"]
        return list(dict.fromkeys([*held, *self.person.watchlist]))

    def _issues(self) -> list[Issue]:
        own = [issue for symbol in self._symbols() for issue in self.market.symbol(symbol).issues]
        return own + [issue for issue in self.market.benchmark_issues if issue not in own]

    def _research(self) -> dict[str, Section | None]:
        found = {symbol: self.market.symbol(symbol).research for symbol in self._symbols()}
        return {symbol: research.figures if research else None for symbol, research in found.items()}


def _told(issue: Issue) -> Section:
    return {
        "symbol": issue.symbol,
        "kind": issue.kind,
        "date": issue.day,
        "ratio": issue.ratio,
        "count": issue.count,
        "days": issue.days,
    }


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None
