"""What a person earned, computed again behind a report: the weeks of its returns, and the gains as of now.

The ledger and the prices are those that are stored now, which may be more, or more correct, than those of the report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from analysis.currencies import Currencies, major
from analysis.earnings import after_splits, named_in
from analysis.models import Instrument, LotMethod, Portfolio
from analysis.returns.entries import Person
from analysis.returns.gains import Gains, gains_of_year
from analysis.returns.ledger import Ledgers, Market
from analysis.returns.lots import gains_of
from analysis.returns.measuring import measure_returns
from analysis.returns.weekly import WeeklyReturns, weekly_returns
from records import Parameters
from runs.rates import load_rates
from runs.services import Services
from runs.universe import market_of

_MOST_SYMBOLS = 1_000  # each with some 200 KB of prices


class NotComputable(Exception):
    """There is nothing to compute from; the message says why."""


@dataclass(frozen=True, slots=True)
class YearOfGains:
    """The gains of a year by a method, in a currency."""

    year: int
    method: LotMethod
    currency: str
    gains: Gains


def weeks_of(services: Services, report: dict[str, Any], first: date | None, last: date | None) -> WeeklyReturns | None:
    """Return the weeks behind the returns in a report, ``None`` if its ledger has no sound period.

    Raises:
        NotComputable: the person's documents or the prices are no longer there.
    """
    own = _ledger_of(services, report)
    accounts, today = own.portfolio.accounts, datetime.now(UTC).date()
    (found,) = measure_returns([own.portfolio], [own.currency], [accounts], own.ledgers, own.market, today)
    return None if found.daily is None else weekly_returns(found.daily, first, last)


def gains_behind(services: Services, report: dict[str, Any], year: int | None, method: LotMethod | None) -> YearOfGains:
    """Return the gains of a year, by default this one, by a method, by default the person's own.

    Raises:
        NotComputable: as :func:`weeks_of`.
    """
    own = _ledger_of(services, report)
    today = datetime.now(UTC).date()
    transactions = list(own.ledgers.transactions.of(0))
    person = Person(transactions, own.portfolio.holdings, own.portfolio.accounts, own.market, own.currency, today)
    by, of_year = method or own.portfolio.lot_method, today.year if year is None else year
    return YearOfGains(of_year, by, own.currency, gains_of_year(gains_of(person, by), of_year))


@dataclass(frozen=True, slots=True)
class _Ledger:
    """One person's portfolio with its ledger, and the prices of both."""

    portfolio: Portfolio
    ledgers: Ledgers
    market: Market
    currency: str


def _ledger_of(services: Services, report: dict[str, Any]) -> _Ledger:
    parameters = services.runs.parameters(report["run_id"]) or Parameters.of(services.settings)
    user_id, code, as_of = report["user_id"], report["currency"], date.fromisoformat(report["as_of"])
    page = services.transactions.load(
        [user_id], datetime.now(UTC).date(), contiguous=False, base_currency=parameters.base_currency
    )
    if not page.portfolios:
        raise NotComputable("the documents of the user cannot be read.")
    symbols = named_in(page.portfolios, page.ledgers)
    if len(symbols) > _MOST_SYMBOLS:
        raise NotComputable(f"its ledger names more than {_MOST_SYMBOLS} symbols.")
    instruments = services.portfolios.instruments([*sorted(symbols), parameters.benchmark_symbol])
    currencies = _currencies(services, page.portfolios[0], page.ledgers, instruments, code, parameters)
    multipliers = {symbol: instrument.multiplier for symbol, instrument in instruments.items()}
    market = market_of(services, symbols, as_of, parameters, multipliers, currencies)
    if market is None:
        raise NotComputable("the stored prices do not cover its date.")
    (portfolio,), _ = after_splits(page.portfolios, page.ledgers, market, datetime.now(UTC).date())
    return _Ledger(portfolio, page.ledgers, market, code)


def _currencies(
    services: Services,
    portfolio: Portfolio,
    ledgers: Ledgers,
    instruments: Mapping[str, Instrument],
    code: str,
    parameters: Parameters,
) -> Currencies:
    """Return the currencies of everything that a ledger names."""
    of_symbol = {symbol: own.currency for symbol, own in instruments.items() if own.currency is not None}
    transactions = ledgers.transactions
    written = {*transactions.currency.tolist(), *transactions.to_currency.tolist()} - {""}
    wanted = {
        major(currency)
        for currency in (
            code, parameters.base_currency, *of_symbol.values(), *written,
            *(account.currency for account in portfolio.accounts),
        )
    }  # fmt: skip
    default = parameters.base_currency
    return Currencies(
        default, of_symbol.get(parameters.benchmark_symbol, default), of_symbol, load_rates(services, wanted)
    )
