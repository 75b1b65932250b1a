"""What the tests of decisions and orders arrange."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date

from analysis.checks import Limits
from analysis.decisions import Adviser, Situation
from analysis.models import Action, Decision, HoldingReport, Instrument, OrderPlan, Research
from analysis.orders import OrderPlanner
from analysis.price_table import History, SymbolFigures
from tests.builders import PortfolioBuilder, a_portfolio, a_research

DAY = date(2026, 1, 2)
TOTAL = 10_000.0


def valued(symbol: str, weight: float | None, *, price: float | None = 100.0) -> HoldingReport:
    """Return a holding of this weight in a total value of 10,000."""
    value = None if weight is None else weight * TOTAL
    quantity = value / price if value is not None and price else 1.0
    others = {name: None for name in HoldingReport.__struct_fields__ if name not in _GIVEN}
    return HoldingReport(
        symbol=symbol, quantity=quantity, currency="USD", price=price, market_value=value, weight=weight, **others
    )


_GIVEN = ("symbol", "quantity", "currency", "price", "market_value", "weight")


def situation(
    *,
    total_value: float = TOTAL,
    complete: bool = True,
    valuation_only: bool = False,
    limits: tuple[float, float] = (0.15, 0.25),
    funds: Collection[str] = (),
) -> Situation:
    """Return a portfolio's situation, by default one without anything special and with the default limits."""
    return Situation(total_value, complete, valuation_only, Limits(*limits), funds)


def decide(
    holdings: Iterable[HoldingReport],
    research: Iterable[Research] = (),
    portfolio: PortfolioBuilder | None = None,
    found: Situation | None = None,
) -> dict[str, Decision]:
    """Return the decisions by symbol."""
    adviser = Adviser({own.symbol: own for own in research})
    owner = (portfolio or a_portfolio()).build()
    return {decision.symbol: decision for decision in adviser.decide(owner, tuple(holdings), found or situation())}


def quote(price: float, history: History = "enough") -> SymbolFigures:
    """Return the figures of a symbol with this price."""
    return SymbolFigures(price, DAY, history, None, None, None, None, None)


def decision(symbol: str, action: Action, percent: float) -> Decision:
    """Return a decision; its signal and reason do not matter."""
    return Decision(symbol, action, percent, 5, None, "", 5)


def sell(symbol: str, percent: float = 50) -> Decision:
    """Return the decision to sell a part of a holding."""
    return decision(symbol, "SELL", percent)


def buy(symbol: str, percent: float = 10) -> Decision:
    """Return the decision to spend a part of the buying power, or to cover a part of a short position."""
    return decision(symbol, "BUY", percent)


def plan(
    portfolio: PortfolioBuilder,
    *decisions: Decision,
    prices: Mapping[str, float | SymbolFigures] | None = None,
    scores: Mapping[str, float] | None = None,
    instruments: Mapping[str, Instrument] | None = None,
    reason: str | None = None,
) -> OrderPlan:
    """Return the plan at these prices, by default 100, and these scores, by default 0.5."""
    quotes = {}
    for decided in decisions:
        price = (prices or {}).get(decided.symbol, 100.0)
        quotes[decided.symbol] = price if isinstance(price, SymbolFigures) else quote(price)
    research = {d.symbol: a_research(d.symbol, (scores or {}).get(d.symbol, 0.5)) for d in decisions}
    return OrderPlanner(quotes, research, instruments or {}).plan(portfolio.build(), decisions, reason)
