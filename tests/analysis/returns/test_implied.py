"""The income of persons without a ledger is that which prices imply, for all of a page at once."""

from datetime import date

import numpy as np
import pytest

from analysis.base_currency import in_base_currency
from analysis.currencies import Currencies, Rates
from analysis.histories import read_histories
from analysis.models import Dates, Income, Instrument, Portfolio, Report
from analysis.price_table import PriceTable, join_prices, prepare_prices
from analysis.prices import Bars
from analysis.returns.entries import Person
from analysis.returns.income import income_of
from analysis.returns.ledger import Market
from analysis.returns.lots import OpenCosts
from analysis.returns.quotes import ledger_prices
from tests.builders import PortfolioBuilder, a_portfolio, analyze, random_walk, weekdays

DATES = weekdays(900, "2020-01-01")
BENCHMARK = random_walk(DATES, 1)
AS_OF: date = DATES[-1].item()
OF_SYMBOL = {"UK": "GBX", "DE": "EUR"}
RATES = Rates({"USD": (DATES, np.linspace(1.0, 1.2, len(DATES))), "GBP": (DATES, np.linspace(0.9, 0.8, len(DATES)))})
CURRENCIES = Currencies("USD", "USD", OF_SYMBOL, RATES)
BOND = {"DE": Instrument(multiplier=0.01, currency="EUR")}


def paying(seed: int, every: int, share: float) -> Bars:
    """Return prices with a dividend of a share of the price every so many days, rounded like a file."""
    close = np.round(random_walk(DATES, seed).close, 4)
    factor = np.ones(len(DATES))
    for row in range(len(DATES) - 1, 0, -1):
        factor[row - 1] = factor[row] * (1 - share if row % every == 0 else 1)
    return Bars(DATES, close, np.round(close * factor, 6))


QUARTERLY, MONTHLY, UK, DE = paying(2, 63, 0.006), paying(3, 21, 0.003), paying(4, 126, 0.02), paying(5, 250, 0.03)
NONE = random_walk(DATES, 6)
BARS = {"Q": QUARTERLY, "M": MONTHLY, "UK": UK, "DE": DE, "NONE": Bars(DATES, NONE.close, NONE.close.copy())}


def table(code: str) -> PriceTable:
    prepared = prepare_prices(read_histories(BARS, BENCHMARK, AS_OF), 700)
    return in_base_currency(join_prices([prepared]), code, CURRENCIES)


def report(owner: PortfolioBuilder, code: str) -> Report:
    (found,) = analyze(table(code), owner, instruments=BOND)
    return found


def same(mine: float | None, other: float | None) -> bool:
    return mine is other if mine is None or other is None else bool(mine == pytest.approx(other, rel=1e-9))


def alone(portfolio: Portfolio, code: str) -> Income:
    """Return the income as for a person with a ledger in which nothing stands."""
    histories = read_histories(BARS, BENCHMARK, AS_OF)
    prices = ledger_prices(histories, BARS)
    multipliers = {symbol: own.multiplier for symbol, own in BOND.items()}
    market = Market(prices, RATES, OF_SYMBOL, multipliers, "USD", "USD")
    person = Person((), portfolio.holdings, portfolio.accounts, market, code, AS_OF)
    income, reason = income_of(person, OpenCosts({}, ()), has_dividends=False)
    assert (income is None) is (reason is not None)
    assert income is not None
    return income


@pytest.mark.parametrize("code", ["USD", "EUR", "GBP"])
@pytest.mark.parametrize(
    "owner",
    [
        a_portfolio().holding("M", 10, 80.0).holding("Q", 3.5, 90.0),
        a_portfolio().holding("M", 10, None).holding("UK", 200, 70.0).cash(500),
        a_portfolio().holding("DE", 5_000, 90.0).holding("NONE", 7, 10.0).holding("Q", -4, 100.0),
        a_portfolio().holding("Q", 1, -3.0).holding("UK", 1, 0.0),
    ],
    ids=["two payers", "pence", "a bond per hundred and a short position", "gifts"],
)
def test_it_is_that_of_a_person_whose_ledger_is_empty(owner: PortfolioBuilder, code: str) -> None:
    income, found = alone(owner.build(), code), report(owner, code).income

    assert found is not None
    assert found.basis == "implied"
    for name in ("trailing_12m", "next_12m", "yield_on_value", "yield_on_cost"):
        assert same(getattr(found, name), getattr(income, name)), name
    assert [month.month for month in found.by_month] == [month.month for month in income.by_month]
    assert [month.amount for month in found.by_month] == pytest.approx([month.amount for month in income.by_month])
    assert [row.symbol for row in found.by_symbol] == [row.symbol for row in income.by_symbol]
    for mine, other in zip(found.by_symbol, income.by_symbol, strict=True):
        for name in ("amount", "yield_on_value", "yield_on_cost"):
            assert same(getattr(mine, name), getattr(other, name)), name


def test_a_quarterly_dividend_is_recovered_from_the_prices() -> None:
    found = report(a_portfolio().holding("Q", 100, 50.0), "USD")
    year: Dates = DATES[DATES[-1] - np.timedelta64(365, "D") < DATES]
    rows = [row for row in range(1, len(DATES)) if row % 63 == 0 and DATES[row] in year]
    assert found.income is not None
    assert found.income.trailing_12m == pytest.approx(
        sum(100 * QUARTERLY.close[row - 1] * 0.006 for row in rows), rel=1e-3
    )


def test_prices_without_dividends_have_no_income_and_a_reason() -> None:
    found = report(a_portfolio().holding("NONE", 5), "USD")
    assert (found.income, found.reasons["income"]) == (None, "prices_without_dividends")


def test_nobody_without_transactions_has_returns_and_the_reason_says_so() -> None:
    found = report(a_portfolio().holding("Q", 5), "USD")
    assert (found.returns, found.reasons) == (None, {"returns": "no_transactions"})
