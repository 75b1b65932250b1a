"""The prices, research, instruments and rates of a run, which all pages of a process share."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

import numpy as np

from analysis.base_currency import in_base_currency
from analysis.currencies import Currencies
from analysis.decisions import Adviser
from analysis.histories import read_histories
from analysis.price_table import PriceTable, join_prices
from analysis.returns.ledger import Market
from analysis.returns.quotes import ledger_prices
from records import Parameters, PlannedRun
from runs.prices import history_start
from runs.rates import load_rates
from runs.services import Services
from stores.batches import Researched
from stores.prepared import Gone, PreparedSymbols, prepared_symbols
from stores.shared_files import discard, symbols_file

_MOST_QUOTED = 4_000
"""Symbols whose prices for ledgers are kept in a process, each with some 40 KB."""

_MOST_KEPT = 64 * 2**20
"""The size of the returns of a run, in bytes, up to which a process keeps them all: 6,600 symbols with 1,260 each.

Those of more symbols are in a file of the instance, of which each page reads its own.
"""

_MOST_AT_ONCE = 80 * 2**20
"""The size of returns that pages of a process have at once, if each reads its own; a page alone may have more.

That of two pages of 200 users with 20 random holdings each.
"""

_MOST_IN_CURRENCIES = 2 * _MOST_KEPT
"""The size of returns in base currencies that a process keeps."""


class Part:
    """Some symbols of a run, or all: what analyzing pages needs of them.

    ``table`` has the prices as quoted.
    """

    def __init__(self, universe: "Universe", batches: Sequence[Researched], *, kept: bool) -> None:
        research = [found for batch in batches for found in batch.research]
        self.table: PriceTable = join_prices([batch.prices for batch in batches])
        self.adviser = Adviser({found.symbol: found for found in research})
        self.instruments = {symbol: own for batch in batches for symbol, own in batch.instruments.items()}
        self.market = universe.market
        self.currencies = universe.currencies
        self._kept = kept
        self._making = threading.Lock()
        self._tables: dict[str, PriceTable] = {}

    def in_currency(self, code: str, symbols: Collection[str]) -> PriceTable:
        """Return the table in a base currency, with these of its symbols at least."""
        if not self._kept:
            return in_base_currency(self.table, code, self.currencies, symbols)
        with self._making:
            if code not in self._tables:
                own = [table for table in self._tables.values() if table.returns is not self.table.returns]
                if (len(own) + 1) * self.table.returns.nbytes > _MOST_IN_CURRENCIES:
                    return in_base_currency(self.table, code, self.currencies, symbols)
                self._tables[code] = in_base_currency(self.table, code, self.currencies)
            return self._tables[code]


class _Room:
    """The room for the returns of pages: those that do not fit wait for others to end, but one always fits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = 0

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Take room during the body."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= _MOST_AT_ONCE)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


_room = _Room()


class Universe:
    """The symbols of a run, from its batches, and the currencies and prices for ledgers of all."""

    def __init__(self, services: Services, plan_id: str, run: PlannedRun) -> None:
        self._services, self._plan_id, self._run = services, plan_id, run
        self._making = threading.Lock()
        self._quoted: frozenset[str] = frozenset()
        self._market: Market | None = None
        self._bytes_per_symbol = run.parameters.lookback_days * np.dtype(np.float64).itemsize
        self._whole: Part | None = None
        if services.batches.count_symbols(plan_id) * self._bytes_per_symbol <= _MOST_KEPT:
            batches = list(services.batches.researched(plan_id))
            instruments = {symbol: own for batch in batches for symbol, own in batch.instruments.items()}
            of_symbol = {symbol: own.currency for symbol, own in instruments.items() if own.currency is not None}
            self._multipliers: Mapping[str, float] = {symbol: own.multiplier for symbol, own in instruments.items()}
            self.currencies = currencies_of(services, of_symbol, run.currencies, run.parameters)
            self._whole = Part(self, batches, kept=True)
        else:
            self._prepared = self._open()
            self._multipliers = self._prepared.multipliers
            self.currencies = currencies_of(services, self._prepared.currencies, run.currencies, run.parameters)

    @property
    def in_file(self) -> bool:
        """Return whether the symbols are in a file of the instance."""
        return self._whole is None

    @contextmanager
    def part(self, symbols: Collection[str]) -> Iterator[Part]:
        """Have the part with these symbols, as far as the run has them: all of a small run, else these alone."""
        if self._whole is not None:
            yield self._whole
            return
        wanted = frozenset(symbols)
        # As quoted, and in a base currency.
        tables = 1 if len(self._run.currencies) <= 1 else 2
        with _room.taken(tables * len(wanted) * self._bytes_per_symbol):
            yield Part(self, [self._read(wanted)], kept=False)

    def market(self, symbols: Collection[str]) -> Market:
        """Return the prices for ledgers of these symbols, and of others that pages asked for before."""
        with self._making:
            if self._market is None or not self._quoted.issuperset(symbols):
                every = self._quoted.union(symbols)
                self._quoted = every if len(every) <= _MOST_QUOTED else frozenset(symbols)
                run = self._run
                market = market_of(
                    self._services, self._quoted, run.as_of, run.parameters, self._multipliers, self.currencies
                )
                if market is None:
                    raise LookupError(f"the stored prices do not reach {run.as_of}")
                self._market = market
            return self._market

    def _read(self, symbols: Collection[str]) -> Researched:
        while True:
            try:
                return self._prepared.of(symbols)
            except Gone:
                self._prepared = self._open()

    def _open(self) -> PreparedSymbols:
        return prepared_symbols(self._plan_id, lambda: self._services.batches.researched(self._plan_id))


_building = threading.Lock()
_kept: dict[str, Universe] = {}


def universe_of(services: Services, plan_id: str, run: PlannedRun) -> Universe:
    """Return the run's universe; the first page of a run in this process builds it, the others wait and share it.

    Raises:
        LookupError: a batch was never researched, or the run is over.
        OtherForm: another version of the app prepared the prices.
        TempFolderUnusable: the instance's file of a large run cannot be written.
    """
    with _building:
        if plan_id not in _kept:
            _kept.clear()
            _kept[plan_id] = Universe(services, plan_id, run)
        return _kept[plan_id]


def forget(plan_id: str) -> None:
    """Delete what this process, and this instance, has of a run that is over."""
    with _building:
        kept = _kept.pop(plan_id, None)
    if kept is None or kept.in_file:
        discard(symbols_file(plan_id))


def currencies_of(
    services: Services, of_symbol: Mapping[str, str], wanted: Collection[str], parameters: Parameters
) -> Currencies:
    """Return the currencies of a run's symbols, with the rates of the ``wanted`` ones as they are stored."""
    default = parameters.base_currency
    benchmark = of_symbol.get(parameters.benchmark_symbol, default)
    return Currencies(default, benchmark, of_symbol, load_rates(services, wanted))


def market_of(
    services: Services,
    symbols: Collection[str],
    as_of: date,
    parameters: Parameters,
    multipliers: Mapping[str, float],
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
        multipliers=multipliers,
        benchmark_currency=currencies.benchmark,
        default_currency=currencies.default,
    )
