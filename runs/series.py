"""The series behind a report, from the stored prices."""

from datetime import date
from typing import Any

from analysis.models import Holding, Portfolio, Series
from analysis.returns import join_prices, prepare_prices
from analysis.series import portfolio_series
from functions.http.problems import NotFound
from functions.services import Services
from settings import Settings

_MOST_HOLDINGS = 500  # each with some 200 KB of prices


def series_of(services: Services, report: dict[str, Any], settings: Settings) -> Series:
    """Return the series of the holdings in ``report``, as of its date.

    The prices are those that the last run stored, which may have corrected earlier ones.

    Raises:
        NotFound: the report has no figures from returns or too many holdings, or the prices do not cover its date.
    """
    whose = f"The report of run {report['run_id']} on user {report['user_id']}"
    if report["performance"] is None:
        raise NotFound(f"{whose} has no figures that rest on returns.")
    if len(report["holdings"]) > _MOST_HOLDINGS:
        raise NotFound(f"{whose} has more than {_MOST_HOLDINGS} holdings, for which no series are made.")
    as_of, benchmark = date.fromisoformat(report["as_of"]), settings.benchmark_symbol
    holdings = tuple(Holding(of["symbol"], of["quantity"], of["avg_price"]) for of in report["holdings"])
    symbols = {holding.symbol for holding in holdings}
    histories = services.prices.load(sorted(symbols | {benchmark}))
    bars = {symbol: history.bars for symbol, history in histories.items() if len(history.bars.dates)}
    if benchmark not in bars or bars[benchmark].dates[-1].item() < as_of:
        raise NotFound(f"{whose} is older than the prices that are kept, or newer.")
    held = {symbol: bars[symbol] for symbol in symbols if symbol in bars}
    table = join_prices([prepare_prices(held, bars[benchmark], as_of, settings.lookback_days)])
    portfolio = Portfolio(report["user_id"], holdings, cash=report["valuation"]["cash"])
    series = portfolio_series(portfolio, table)
    if series is None:
        raise NotFound(f"{whose} rests on prices that are no longer kept.")
    return series
