"""What the persons of a page really earned: returns, costs of lots and income, in one base currency."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import date

from analysis.currencies import BaseCurrency
from analysis.models import Holding, Income, Portfolio, Returns, record
from analysis.returns.income import income_of
from analysis.returns.ledger import Ledgers, Market
from analysis.returns.lots import OpenCosts, open_cost
from analysis.returns.measuring import measure_returns
from analysis.returns.stock_splits import pending_splits

_NO_COSTS = OpenCosts({}, ())


@record
class Earned:
    """What a person really earned.

    ``costs`` are those of the lots of holdings in other currencies, and ``reasons`` say why a section is ``None``.
    """

    returns: Returns | None = None
    income: Income | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def earn(
    portfolios: Sequence[Portfolio], ledgers: Ledgers, market: Market, base: BaseCurrency, today: date
) -> tuple[list[Portfolio], list[Earned]]:
    """Return the portfolios after the splits that their holdings do not reflect yet, and what each person earned.

    ``today`` is a day in UTC.
    """
    pending = pending_splits(portfolios, ledgers, market)
    owned = [_split(portfolio, number, pending) for number, portfolio in enumerate(portfolios)]
    found = measure_returns(
        owned, [base.code] * len(owned), [own.accounts for own in owned], ledgers, market, today, pending
    )
    earned = []
    for number, (portfolio, own) in enumerate(zip(owned, found, strict=True)):
        transactions = list(ledgers.transactions.of(number))
        known = (transactions, portfolio.holdings, portfolio.accounts, market, base.code)
        costs = open_cost(*known, portfolio.lot_method, today) if transactions else _NO_COSTS
        income, no_income = income_of(*known, today, costs)
        reasons = {"returns": own.reason, "income": no_income}
        earned.append(
            Earned(
                own.returns,
                income,
                _foreign(costs.costs, base),
                {section: reason for section, reason in reasons.items() if reason is not None},
                tuple(_notes(portfolio, number, pending)),
            )
        )
    return owned, earned


def symbols_of(portfolios: Sequence[Portfolio], ledgers: Ledgers) -> set[str]:
    """Return the symbols whose prices :func:`earn` needs."""
    transactions = ledgers.transactions
    traded = {*transactions.symbol.tolist(), *transactions.to_symbol.tolist()} - {""}
    return traded.union(held.symbol for portfolio in portfolios for held in portfolio.holdings)


def _split(portfolio: Portfolio, number: int, pending: Mapping[tuple[int, str], float]) -> Portfolio:
    """Return the portfolio with the holdings that its pending splits make of it; what was paid stays the same."""
    if not any(owner == number for owner, _ in pending):
        return portfolio
    ratios = [(held, pending.get((number, held.symbol), 1.0)) for held in portfolio.holdings]
    holdings = [
        held if ratio == 1 else Holding(held.symbol, held.quantity * ratio, held.avg_price and held.avg_price / ratio)
        for held, ratio in ratios
    ]
    return replace(portfolio, holdings=tuple(holdings))


def _foreign(costs: Mapping[str, float | None], base: BaseCurrency) -> dict[str, float]:
    """Return the known costs of what is quoted in other currencies: only there do the rates of old days count."""
    return {
        symbol: cost for symbol, cost in costs.items() if cost is not None and base.of(symbol) != base.code
    }


def _notes(portfolio: Portfolio, number: int, pending: Mapping[tuple[int, str], float]) -> list[str]:
    return [
        f"{held.symbol} is valued with {pending[number, held.symbol]:g} times the quantity that is stored: "
        "its last split is not in the holdings yet."
        for held in portfolio.holdings
        if (number, held.symbol) in pending
    ]
