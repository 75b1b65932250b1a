"""The prices, research, instruments and rates of a run, which all pages of a process share."""

import threading
from collections.abc import Collection, Mapping
from datetime import date

import numpy as np

from analysis.base_currency import in_base_currency
from analysis.currencies import Currencies
from analysis.decisions import Adviser
from analysis.histories import read_histories
from analysis.models import Instrument
from analysis.price_table import PriceTable, join_prices
from analysis.returns.ledger import Market
from analysis.returns.quotes import ledger_prices
from records import Parameters, PlannedRun
from runs.prices import history_start
from runs.rates import load_rates
from runs.services import Services

_MOST_QUOTED = 4_000
"""Symbols whose prices for ledgers are kept in a process, each with some 40 KB."""


class Universe:
    """What the pages of a run share; ``table`` has the prices as quoted."""

    def __init__(self, services: Services, plan_id: str, run: PlannedRun) -> None:
        research, prices, instruments = services.batches.researched(plan_id)
        self.table: PriceTable = join_prices(prices)
        self.adviser = Adviser({found.symbol: found for found in research})
        self.instruments = instruments
        self.currencies = currencies_of(services, instruments, run.currencies, run.parameters)
        self._services, self._run = services, run
        self._making = threading.Lock()
        self._tables: dict[str, PriceTable] = {}
        self._quoted: frozenset[str] = frozenset()
        self._market: Market | None = None

    def in_currency(self, code: str) -> PriceTable:
        """Return the table in a base currency."""
        with self._making:
            if code not in self._tables:
                self._tables[code] = in_base_currency(self.table, code, self.currencies)
            return self._tables[code]

    def market(self, symbols: Collection[str]) -> Market:
        """Return the prices for ledgers of these symbols, and of others that pages asked for before."""
        with self._making:
            if self._market is None or not self._quoted.issuperset(symbols):
                every = self._quoted.union(symbols)
                self._quoted = every if len(every) <= _MOST_QUOTED else frozenset(symbols)
                run = self._run
                market = market_of(
                    self._services, self._quoted, run.as_of, run.parameters, self.instruments, self.currencies
                )
                if market is None:
                    raise LookupError(f"the stored prices do not reach {run.as_of}")
                self._market = market
            return self._market


_building = threading.Lock()
_kept: dict[str, Universe] = {}


def universe_of(services: Services, plan_id: str, run: PlannedRun) -> Universe:
    """Return the run's universe; the first page of a run in this process builds it, the others wait and share it.

    Raises:
        LookupError: a batch was never researched, or the run is over.
        OtherForm: another version of the app prepared the prices.
    """
    with _building:
        if plan_id not in _kept:
            _kept.clear()
            _kept[plan_id] = Universe(services, plan_id, run)
        return _kept[plan_id]


def currencies_of(
    services: Services, instruments: Mapping[str, Instrument], wanted: Collection[str], parameters: Parameters
) -> Currencies:
    """Return the currencies of a run's symbols, with the rates of the ``wanted`` ones as they are stored."""
    of_symbol = {symbol: own.currency for symbol, own in instruments.items() if own.currency is not None}
    default = parameters.base_currency
    benchmark = of_symbol.get(parameters.benchmark_symbol, default)
    return Currencies(default, benchmark, of_symbol, load_rates(services, wanted))


def market_of(
    services: Services,
    symbols: Collection[str],
    as_of: date,
    parameters: Parameters,
    instruments: Mapping[str, Instrument],
    currencies: Currencies,
) -> Market | None:
    """Return the stored prices of symbols, as they value ledgers up to ``as_of``; ``None`` if they do not reach it."""
    benchmark, start = parameters.benchmark_symbol, history_start(as_of, parameters.lookback_days)
    stored = services.prices.load([*symbols, benchmark])
    bars = {symbol: own.bars.since(start) for symbol, own in stored.items() if len(own.bars.dates)}
    if benchmark not in bars or np.datetime64(as_of) not in bars[benchmark].dates:
        return None
    histories = read_histories({symbol: bars[symbol] for symbol in symbols if symbol in bars}, bars[benchmark], as_of)
    return Market(
        prices=ledger_prices(histories, bars),
        rates=currencies.rates,
        currencies=currencies.of_symbol,
        multipliers={symbol: own.multiplier for symbol, own in instruments.items()},
        benchmark_currency=currencies.benchmark,
        default_currency=currencies.default,
    )
