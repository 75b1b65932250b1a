"""The series behind a report, from the stored prices."""

from datetime import date
from typing import Any

from analysis.base_currency import in_base_currency
from analysis.currencies import Currencies, major
from analysis.histories import read_histories
from analysis.models import Holding, Instrument, InvalidHolding, Portfolio, Series
from analysis.price_table import join_prices, prepare_prices
from analysis.series import portfolio_series
from records import Parameters
from runs.rates import currency_of_benchmark, load_rates
from runs.services import Services

_MOST_HOLDINGS = 500  # each with some 200 KB of prices


class NoSeries(Exception):
    """A report has no series; the message says why."""


def series_of(services: Services, report: dict[str, Any]) -> Series:
    """Return the series of the holdings in ``report``, as of its date and with the parameters of its run.

    The prices are those that the last run stored, which may have corrected earlier ones.

    Raises:
        NoSeries: the report has no figures from returns or too many holdings, or the prices do not cover its date.
    """
    if report["performance"] is None:
        raise NoSeries("it has no figures from returns.")
    if len(report["holdings"]) > _MOST_HOLDINGS:
        raise NoSeries(f"it has more than {_MOST_HOLDINGS} holdings.")
    parameters = services.runs.parameters(report["run_id"]) or Parameters.of(services.settings)
    as_of, benchmark = date.fromisoformat(report["as_of"]), parameters.benchmark_symbol
    portfolio = _portfolio(report)
    # A holding that the report could not value has none here either, though prices may be stored by now.
    symbols = {holding["symbol"] for holding in report["holdings"] if holding["reason"] is None}
    histories = services.prices.load(sorted(symbols | {benchmark}))
    bars = {symbol: history.bars for symbol, history in histories.items() if len(history.bars.dates)}
    if benchmark not in bars or bars[benchmark].dates[-1].item() < as_of:
        raise NoSeries("the stored prices do not cover its date.")
    held = {symbol: bars[symbol] for symbol in symbols if symbol in bars}
    prices = prepare_prices(read_histories(held, bars[benchmark], as_of), parameters.lookback_days)
    table = in_base_currency(join_prices([prices]), report["currency"], _currencies(services, report, parameters))
    series = portfolio_series(portfolio, table, _instruments(report), parameters.risk_free_rate)
    if series is None:
        raise NoSeries("the prices of its holdings are no longer stored.")
    return series


def _portfolio(report: dict[str, Any]) -> Portfolio:
    """Return the holdings and the cash of a report."""
    readable = [of for of in report["holdings"] if of["reason"] != "invalid"]
    invalid = [of for of in report["holdings"] if of["reason"] == "invalid"]
    return Portfolio(
        report["user_id"],
        tuple(Holding(of["symbol"], of["quantity"], of["avg_price"]) for of in readable),
        cash=report["valuation"]["cash"],
        invalid_holdings=tuple(
            InvalidHolding(of["symbol"], "invalid", of["quantity"], of["avg_price"]) for of in invalid
        ),
    )


def _instruments(report: dict[str, Any]) -> dict[str, Instrument]:
    """Return the multipliers behind the values in a report, whatever is known of the instruments by now."""
    found = {}
    for of in report["holdings"]:
        if of["price"] is None:
            value, price = of["cost_basis"] and of["cost_basis"] / of["fx_rate"], of["avg_price"]
        else:
            value, price = of["market_value_local"], of["price"]
        if value and price:
            found[of["symbol"]] = Instrument(multiplier=value / (of["quantity"] * price))
    return found


def _currencies(services: Services, report: dict[str, Any], parameters: Parameters) -> Currencies:
    """Return the currencies of the holdings in a report, with the rates that are stored."""
    of_symbol = {of["symbol"]: of["currency"] for of in report["holdings"]}
    benchmark = currency_of_benchmark(services, parameters)
    wanted = {major(currency) for currency in (*of_symbol.values(), benchmark, report["currency"])}
    return Currencies(parameters.base_currency, benchmark, of_symbol, load_rates(services, wanted))
