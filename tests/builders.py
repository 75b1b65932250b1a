"""Builders of the records that tests arrange: portfolios, bars, price tables."""

from collections.abc import Iterable, Mapping
from copy import replace
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import numpy as np

from analysis.decisions import Adviser
from analysis.histories import read_histories, resolve_as_of
from analysis.models import Account, Dates, Floats, Holding, Instrument, InvalidHolding, Portfolio, Report, Research
from analysis.price_table import PriceTable, join_prices, prepare_prices
from analysis.prices import Bars
from analysis.report import analyze_portfolios
from analysis.research import research_symbols
from stores.report_values import encoder, joined
from stores.reports import ReportStore, stored_forms


def save(store: ReportStore, reports: Iterable[Report]) -> None:
    """Store reports that can all be written."""
    stored, refused = stored_forms(reports)
    assert refused == {}
    store.save(stored)


def document_of(report: Report, research: Iterable[Research] = ()) -> dict[str, Any]:
    """Return a report as the API shows it."""
    document: dict[str, Any] = msgspec.json.decode(
        joined(encoder()(report), {own.symbol: msgspec.json.encode(own) for own in research})
    )
    return document


def members(record: object) -> dict[str, object]:
    """Return the members of a record by name; none of anything else."""
    names: Iterable[str] = getattr(record, "__struct_fields__", ()) or getattr(record, "__dataclass_fields__", ())
    return {name: getattr(record, name) for name in names}


@dataclass(frozen=True)
class PortfolioBuilder:
    """A portfolio with defaults for everything a test does not set; every method returns a new builder."""

    portfolio: Portfolio

    def holding(self, symbol: str, quantity: float, avg_price: float | None = 100.0) -> "PortfolioBuilder":
        """Add a holding."""
        holdings = (*self.portfolio.holdings, Holding(symbol, quantity, avg_price))
        return PortfolioBuilder(replace(self.portfolio, holdings=holdings))

    def invalid_holding(
        self, symbol: str, reason: str, quantity: float | None = None, avg_price: float | None = None
    ) -> "PortfolioBuilder":
        """Add a holding that cannot be read."""
        invalid = (*self.portfolio.invalid_holdings, InvalidHolding(symbol, reason, quantity, avg_price))
        return PortfolioBuilder(replace(self.portfolio, invalid_holdings=invalid))

    def watching(self, *symbols: str) -> "PortfolioBuilder":
        """Add symbols to the watchlist."""
        return PortfolioBuilder(replace(self.portfolio, watchlist=(*self.portfolio.watchlist, *symbols)))

    def cash(self, amount: float) -> "PortfolioBuilder":
        """Set the cash."""
        return PortfolioBuilder(replace(self.portfolio, cash=amount))

    def buying_power(self, amount: float) -> "PortfolioBuilder":
        """Set the buying power."""
        return PortfolioBuilder(replace(self.portfolio, buying_power=amount))

    def account(self, cash: float, currency: str, buying_power: float | None = None) -> "PortfolioBuilder":
        """Add an account in a currency; as when documents are read, the portfolio has the plain sums."""
        own, power = self.portfolio, cash if buying_power is None else buying_power
        accounts = (*own.accounts, Account(currency, cash, power, currency))
        cash, power = own.cash + cash, own.buying_power + power
        return PortfolioBuilder(replace(own, accounts=accounts, cash=cash, buying_power=power))

    def in_currency(self, code: str) -> "PortfolioBuilder":
        """Name the base currency."""
        return PortfolioBuilder(replace(self.portfolio, base_currency=code))

    def thresholds(self, thresholds: Mapping[str, Mapping[str, float]]) -> "PortfolioBuilder":
        """Set the user's own thresholds."""
        return PortfolioBuilder(replace(self.portfolio, thresholds=thresholds))

    def build(self) -> Portfolio:
        """Return the portfolio."""
        return self.portfolio


def a_portfolio(user_id: str = "user-1") -> PortfolioBuilder:
    """Return a builder of an empty portfolio."""
    return PortfolioBuilder(Portfolio(user_id))


def weekdays(count: int, start: str = "2019-01-01") -> Dates:
    """Return ``count`` dates from Monday to Friday, the first on or after ``start``."""
    return np.busday_offset(start, np.arange(count), roll="forward").astype("datetime64[D]")


def bars(dates: Dates, close: Floats | float, adj_close: Floats | None = None) -> Bars:
    """Return bars with these closes, or with the same close every day."""
    closes = np.broadcast_to(np.asarray(close, dtype=np.float64), dates.shape).copy()
    return Bars(dates, closes, closes.copy() if adj_close is None else adj_close)


def random_walk(dates: Dates, seed: int, volatility: float = 0.01, first: float = 100.0) -> Bars:
    """Return prices that move like those of shares; the adjusted closes include a small dividend."""
    generator = np.random.default_rng(seed)
    close = first * np.exp(np.cumsum(generator.normal(0.0003, volatility, len(dates))))
    return Bars(dates, close, close * np.exp(np.arange(len(dates)) * 0.0001 - 0.0001 * len(dates)))


def without(own: Bars, dropped: slice) -> Bars:
    """Return the bars without some of their days."""
    keep = np.ones(len(own.dates), dtype=np.bool_)
    keep[dropped] = False
    return own.at(keep)


def with_range(own: Bars, seed: int) -> Bars:
    """Return the bars with a high and a low around each close, in raw prices like the close."""
    generator = np.random.default_rng(seed)
    up, down = np.abs(generator.normal(0, 0.01, (2, len(own.dates))))
    return replace(own, high=own.close * (1 + up), low=own.close / (1 + down))


def a_research(symbol: str, score: float | None) -> Research:
    """Return research with this score; its other figures do not matter."""
    others = {name: None for name in Research.__struct_fields__ if name not in _GIVEN_IN_RESEARCH}
    return Research(symbol=symbol, as_of=date(2026, 1, 2), close=100.0, adj_close=100.0, score=score, **others)


_GIVEN_IN_RESEARCH = ("symbol", "as_of", "close", "adj_close", "score")


def a_table(
    symbols: Mapping[str, Bars], benchmark: Bars, *, as_of: date | None = None, lookback_days: int = 1260
) -> PriceTable:
    """Build the price table as a run does."""
    histories = read_histories(symbols, benchmark, resolve_as_of(benchmark, as_of))
    return join_prices([prepare_prices(histories, lookback_days)])


def research_on(symbols: Mapping[str, Bars], benchmark: Bars, as_of: date | None = None) -> list[Research]:
    """Return the research of symbols as a run finds it."""
    return research_symbols(read_histories(symbols, benchmark, resolve_as_of(benchmark, as_of)))


def analyze(
    table: PriceTable,
    *portfolios: PortfolioBuilder,
    research: Iterable[Research] = (),
    risk_free_rate: float = 0.0,
    instruments: Mapping[str, Instrument] | None = None,
) -> list[Report]:
    """Return the reports on some portfolios, by default without research and facts about instruments."""
    adviser, built = Adviser({found.symbol: found for found in research}), [builder.build() for builder in portfolios]
    return analyze_portfolios(built, table, adviser, instruments or {}, "run", risk_free_rate)
