"""Writing the file of the prepared symbols of a run, batch by batch."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import numpy as np

from analysis.models import Instrument
from analysis.price_table import PreparedPrices
from stores.batches import Researched
from stores.prepared_form import COPIED, DAYS, FORM, MAGIC, NUMBERS, RETURNS, TAIL, Index, Value, rows

if TYPE_CHECKING:
    from records import SymbolIssue


def write_prepared(file: BinaryIO, plan_id: str, batches: Iterable[Researched]) -> None:
    """Write the file, with one batch at a time in memory."""
    made = _Contents()
    for batch in batches:
        file.writelines(made.add(batch))
    index = msgspec.msgpack.encode(made.index(plan_id))
    file.write(index)
    file.write(np.array([(made.end, MAGIC)], TAIL).tobytes())


class _Contents:
    """The records of a file that is written, batch by batch, and what its index has of them."""

    def __init__(self) -> None:
        self.end = 0
        self._prices: PreparedPrices | None = None
        self._newest = True
        self._symbols: list[str] = []
        self._starts, self._priced = [0], list[bool]()
        self._run_issues: dict[SymbolIssue, None] = {}
        self._currencies: dict[str, str | None] = {}
        self._multipliers: dict[str, float] = {}
        self._instruments: dict[str, Instrument] = {}
        self._issues: dict[str, dict[SymbolIssue, None]] = {}

    def add(self, batch: Researched) -> list[bytes]:
        """Return the records of a batch."""
        prices, own = batch.prices, dict.fromkeys([*batch.prices.symbols, *batch.symbols])
        self._prices = self._prices or prices
        self._newest = self._newest and prices.newest
        self._run_issues |= dict.fromkeys(prices.run_issues)
        self._add_instruments(batch.instruments, own)
        issues: dict[str, list[SymbolIssue]] = {}
        for issue in prices.issues:
            if issue.symbol in own:
                issues.setdefault(issue.symbol, []).append(issue)
            elif issue.symbol is not None:
                self._issues.setdefault(issue.symbol, {})[issue] = None
        research = {found.symbol: found for found in batch.research}
        heads, of_columns = _heads(prices), _values(prices)
        records = []
        for number, symbol in enumerate(own):
            priced = number < len(prices.symbols)
            value = msgspec.structs.replace(
                of_columns[number] if priced else Value(),
                research=research.get(symbol),
                instrument=batch.instruments.get(symbol),
                issues=tuple(issues.get(symbol, ())),
            )
            record = (heads[number] if priced else b"") + msgspec.msgpack.encode(value)
            records.append(record)
            self._priced.append(priced)
            self.end += len(record)
            self._starts.append(self.end)
        self._symbols += own
        return records

    def _add_instruments(self, instruments: Mapping[str, Instrument], own: Collection[str]) -> None:
        for symbol, instrument in instruments.items():
            if symbol not in own or symbol in self._instruments:  # of several batches, the last one counts
                self._instruments[symbol] = instrument
            self._currencies[symbol] = instrument.currency
            self._multipliers[symbol] = instrument.multiplier

    def index(self, plan_id: str) -> Index:
        """Return the index of what was added, which is at least one batch."""
        prices = self._prices
        if prices is None:
            raise LookupError(f"{plan_id}: there are no batches")
        return Index(
            form=FORM,
            plan_id=plan_id,
            as_of=prices.as_of,
            newest=self._newest,
            dates=prices.dates.astype(DAYS).tobytes(),
            benchmark_returns=prices.benchmark_returns.astype(RETURNS).tobytes(),
            run_issues=tuple(self._run_issues),
            symbols=self._symbols,
            starts=np.array(self._starts, dtype=np.int64).tobytes(),
            priced=np.array(self._priced, dtype=np.bool_).tobytes(),
            currencies={symbol: currency for symbol, currency in self._currencies.items() if currency is not None},
            multipliers={symbol: multiplier for symbol, multiplier in self._multipliers.items() if multiplier != 1},
            instruments=self._instruments,
            issues={symbol: tuple(own) for symbol, own in self._issues.items()},
        )


def _heads(prices: PreparedPrices) -> list[bytes]:
    """Return the numbers and returns of each symbol."""
    numbers = np.zeros(len(prices.symbols), NUMBERS)
    for name in COPIED:
        numbers[name] = getattr(prices, name)
    numbers["day_before"] = prices.day_before.astype(np.int64)
    numbers["episode_returns"] = prices.episode_returns.T
    numbers["without_payments"] = prices.payments.without
    returns = np.ascontiguousarray(prices.returns, RETURNS)
    return [bytes(own) + bytes(row) for own, row in zip(rows(numbers), rows(returns), strict=True)]


def _values(prices: PreparedPrices) -> list[Value]:
    """Return the other part of each symbol, as far as it comes from its prices alone."""
    payments = prices.payments
    bounds = payments.column.searchsorted(np.arange(len(prices.symbols) + 1)).tolist()
    days, amounts = payments.day.astype(np.int64).tolist(), payments.amount.tolist()
    return [
        Value(
            figures=figures,
            later_splits=prices.later_splits.get(symbol),
            payment_days=tuple(days[start:end]),
            payments=tuple(amounts[start:end]),
        )
        for symbol, figures, start, end in zip(prices.symbols, prices.figures, bounds[:-1], bounds[1:], strict=True)
    ]
