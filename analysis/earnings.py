"""What the persons of a page really earned: returns, costs of lots and income, in one base currency."""

from collections.abc import Iterable, Mapping, Sequence
from copy import replace
from datetime import date

import numpy as np

from analysis.currencies import BaseCurrency
from analysis.models import Booleans, Holding, Income, Portfolio, Returns, ReturnsIssue
from analysis.price_table import PriceTable
from analysis.returns.entries import Person
from analysis.returns.implied import implied_incomes
from analysis.returns.income import income_of
from analysis.returns.ledger import TYPES, Ledgers, Market, Transactions, TransactionType
from analysis.returns.lots import OpenCosts, open_cost
from analysis.returns.measuring import measure_returns
from analysis.returns.stock_splits import pending_splits
from analysis.valuation import Positions
from records import Record

_NO_COSTS = OpenCosts({}, ())
_YEAR = np.timedelta64(366 + 14, "D")
"""A year, and the days before it on which an own entry may tell of a split of its first ones."""
_RENAMES = [TYPES.index("symbol_change"), TYPES.index("merger")]


class Earned(Record, frozen=True):
    """What a person really earned.

    ``costs`` are those of the lots of holdings in other currencies, and ``reasons`` say why a section is ``None``.
    """

    returns: Returns | None = None
    income: Income | None = None
    costs: Mapping[str, float] = {}
    reasons: dict[str, str] = {}  # noqa: RUF012 - each record gets its own
    notes: tuple[str, ...] = ()


WITHOUT_LEDGER = Earned(reasons={"returns": "no_transactions"})
"""What a person without transactions earned."""


def with_implied_incomes(earned: Sequence[Earned], positions: Positions, table: PriceTable) -> list[Earned]:
    """Return what was earned, with the income that prices imply for the persons without a ledger."""
    wanted = np.array([own is WITHOUT_LEDGER for own in earned], dtype=np.bool_)
    incomes = implied_incomes(table.payments, table.as_of, positions, table.quoted_close, wanted)
    return [
        own
        if not implied
        else Earned(income=income, reasons=own.reasons if reason is None else own.reasons | {"income": reason})
        for own, implied, (income, reason) in zip(earned, wanted.tolist(), incomes, strict=True)
    ]


def earn(
    portfolios: Sequence[Portfolio], ledgers: Ledgers, market: Market, base: BaseCurrency, today: date
) -> tuple[list[Portfolio], list[Earned]]:
    """Return the portfolios after the splits that their holdings do not reflect yet, and what each person earned.

    ``today`` is a day in UTC. The income of persons without a ledger is left to :func:`with_implied_incomes`.
    """
    owned, pending = after_splits(portfolios, ledgers, market, today)
    found = measure_returns(
        owned, [base.code] * len(owned), [own.accounts for own in owned], ledgers, market, today, pending
    )
    of_the_year = ledgers.transactions.at(ledgers.transactions.date > market.prices.as_of - _YEAR)
    has_dividends = _with(ledgers, "dividend", len(portfolios))
    earned = [WITHOUT_LEDGER] * len(portfolios)
    for number in ledgers.owners().tolist():
        portfolio, own = owned[number], found[number]
        known = (portfolio.holdings, portfolio.accounts, market, base.code, today)
        costs = _NO_COSTS
        if _needs_lots(portfolio, ledgers, number, base):
            costs = open_cost(Person(list(ledgers.transactions.of(number)), *known), portfolio.lot_method)
        recent = ledgers.transactions if _needs_all(portfolio, ledgers.transactions, number) else of_the_year
        income, no_income = income_of(
            Person(list(recent.of(number)), *known), costs, has_dividends=bool(has_dividends[number])
        )
        reasons = {"returns": own.reason, "income": no_income}
        earned[number] = Earned(
            _with_issues(own.returns, costs.issues),
            income,
            _foreign(costs.costs, base),
            {section: reason for section, reason in reasons.items() if reason is not None},
            tuple(_notes(portfolio, number, pending)),
        )
    return owned, earned


def after_splits(
    portfolios: Sequence[Portfolio], ledgers: Ledgers, market: Market, today: date
) -> tuple[list[Portfolio], Mapping[tuple[int, str], float]]:
    """Return the portfolios after the splits that their holdings do not reflect yet, and the ratios of these splits."""
    pending = pending_splits(portfolios, ledgers, market, today)
    return [_split(portfolio, number, pending) for number, portfolio in enumerate(portfolios)], pending


def symbols_of(portfolios: Sequence[Portfolio], ledgers: Ledgers) -> set[str]:
    """Return the symbols whose prices :func:`earn` needs: those of persons with a ledger."""
    owners = [portfolios[number] for number in ledgers.owners().tolist()]
    return named_in(owners, ledgers)


def named_in(portfolios: Iterable[Portfolio], ledgers: Ledgers) -> set[str]:
    """Return the symbols of all holdings and transactions."""
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


def _with(ledgers: Ledgers, type_: TransactionType, size: int) -> Booleans:
    """Return which of the portfolios have a transaction of a type."""
    transactions = ledgers.transactions
    return np.bincount(transactions.owner[transactions.type == TYPES.index(type_)], minlength=size) > 0


def _needs_lots(portfolio: Portfolio, ledgers: Ledgers, number: int, base: BaseCurrency) -> bool:
    """Return whether lots say more than the holdings.

    They tell of costs at old rates, of capital that came back as income, and of sales whose lot is not found.
    """
    start, end = ledgers.transactions.owner.searchsorted([number, number + 1]).tolist()
    if start == end:
        return False
    returned = TYPES.index("return_of_capital") in ledgers.transactions.type[start:end]
    foreign = any(base.of(held.symbol) != base.code for held in portfolio.holdings)
    return returned or foreign or portfolio.lot_method == "specific"


def _with_issues(returns: Returns | None, issues: tuple[ReturnsIssue, ...]) -> Returns | None:
    """Return the returns with more issues, in the order of their days."""
    if returns is None or not issues:
        return returns
    return replace(returns, issues=tuple(sorted((*returns.issues, *issues), key=lambda own: own.date or date.min)))


def _needs_all(portfolio: Portfolio, transactions: Transactions, number: int) -> bool:
    """Return whether income needs older transactions than those of the last year.

    Changes of symbols need what both symbols had by then, and accounts that only transactions name their first ones.
    """
    start, end = transactions.owner.searchsorted([number, number + 1]).tolist()
    named = {*transactions.account_id[start:end].tolist(), *transactions.to_account_id[start:end].tolist(), ""}
    known = {"", *(account.account_id for account in portfolio.accounts)}
    return not named <= known or bool(np.isin(transactions.type[start:end], _RENAMES).any())


def _foreign(costs: Mapping[str, float | None], base: BaseCurrency) -> dict[str, float]:
    """Return the known costs of what is quoted in other currencies: only there do the rates of old days count."""
    return {symbol: cost for symbol, cost in costs.items() if cost is not None and base.of(symbol) != base.code}


def _notes(portfolio: Portfolio, number: int, pending: Mapping[tuple[int, str], float]) -> list[str]:
    return [
        f"{held.symbol} is valued with {pending[number, held.symbol]:g} times the quantity that is stored: "
        "its last split is not in the holdings yet."
        for held in portfolio.holdings
        if (number, held.symbol) in pending
    ]
