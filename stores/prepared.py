"""The prepared symbols of a run in a file that the processes of an instance share, read symbol by symbol.

The file has a record a symbol, then the index, then the place of the index. A record begins with the numbers and the
returns of a symbol that has a column in tables, and ends with one MessagePack value of all else. The file is read, not
mapped into memory: that takes as long, and many more pages than are needed would count as memory of the process.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy as np

from analysis.models import Booleans, Floats, Instrument, Integers, Research
from analysis.price_table import PreparedPrices, SymbolFigures
from analysis.returns.payments import Payments
from analysis.stress import EPISODES
from records import SymbolIssue
from stores.batches import PRICES_FORM, Researched
from stores.shared_files import discard, shared_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORM = (1, PRICES_FORM)
"""The form of the file, raised with every change of it, and that of prepared prices."""
_TAIL = np.dtype([("index", "<i8"), ("magic", "S8")])
_MAGIC = b"prepared"
_DAYS, _RETURNS = np.dtype("<i4"), np.dtype("<f8")
_COPIED = ("first_day", "included", "close", "day_return", "volatility")
_NUMBERS = np.dtype(
    [
        ("first_day", "<i8"),
        ("day_before", "<i8"),
        ("close", "<f8"),
        ("day_return", "<f8"),
        ("volatility", "<f8"),
        ("episode_returns", "<f8", (len(EPISODES),)),
        ("included", "?"),
        ("without_payments", "?"),
    ]
)


class Gone(Exception):
    """The file was deleted, or written again, since its index was read."""


class _Value(msgspec.Struct, array_like=True, frozen=True):
    """What a record has besides numbers and returns; there are ``figures`` if there is a column in tables."""

    research: Research | None = None
    instrument: Instrument | None = None
    figures: SymbolFigures | None = None
    later_splits: float | None = None
    payment_days: tuple[int, ...] = ()
    payments: tuple[float, ...] = ()
    issues: tuple[SymbolIssue, ...] = ()


class _Index(msgspec.Struct, frozen=True):
    """What is of the whole run, and where its symbols are.

    Record ``i`` is of ``symbols[i]``, from byte ``starts[i]`` to ``starts[i + 1]``, and ``priced[i]`` says whether it
    has a column in tables. ``instruments`` and ``issues`` are those that batches have of symbols of other batches or of
    none, as of the benchmark; they count before the symbol's own. ``currencies`` are of all instruments that have one,
    ``multipliers`` those other than 1.
    """

    form: tuple[int, int]
    plan_id: str
    as_of: date
    newest: bool
    dates: bytes
    benchmark_returns: bytes
    run_issues: tuple[SymbolIssue, ...]
    symbols: list[str]
    starts: bytes
    priced: bytes
    currencies: dict[str, str]
    multipliers: dict[str, float]
    instruments: dict[str, Instrument]
    issues: dict[str, tuple[SymbolIssue, ...]]


_VALUES = msgspec.msgpack.Decoder(_Value)
_INDEXES = msgspec.msgpack.Decoder(_Index)


class PreparedSymbols:
    """The prepared symbols of a run, in a file.

    ``currencies`` are those of all symbols whose instruments have one, ``multipliers`` those other than 1.
    """

    def __init__(self, path: Path, stamp: tuple[int, ...], index: _Index) -> None:
        self._path, self._stamp, self._index = path, stamp, index
        self._numbers = {symbol: number for number, symbol in enumerate(index.symbols)}
        self._starts: Integers = np.frombuffer(index.starts, np.int64)
        self._priced: Booleans = np.frombuffer(index.priced, np.bool_)
        self.currencies = {symbol: sys.intern(currency) for symbol, currency in index.currencies.items()}
        self.multipliers = index.multipliers

    def of(self, symbols: Collection[str]) -> Researched:
        """Return what the run has of these symbols, in the order of its batches.

        Raises:
            Gone: the file was deleted, or written again.
        """
        index = self._index
        found = sorted(self._numbers[symbol] for symbol in symbols if symbol in self._numbers)
        names = [index.symbols[number] for number in found]
        numbers, returns, values = self._read(np.array(found, dtype=np.int64))
        instruments = {
            name: own.instrument for name, own in zip(names, values, strict=True) if own.instrument is not None
        }
        others = [(symbol, own) for symbol, own in index.issues.items() if symbol in symbols]
        own_issues = (issue for own in values for issue in own.issues)
        issues = dict.fromkeys([*(issue for _, own in others for issue in own), *own_issues])
        return Researched(
            names,
            [own.research for own in values if own.research is not None],
            PreparedPrices(
                as_of=index.as_of,
                newest=index.newest,
                dates=np.frombuffer(index.dates, _DAYS).astype("datetime64[D]"),
                benchmark_returns=np.frombuffer(index.benchmark_returns, _RETURNS),
                symbols=tuple(name for name, own in zip(names, values, strict=True) if own.figures is not None),
                returns=returns,
                **{name: np.ascontiguousarray(numbers[name]) for name in _COPIED},
                day_before=numbers["day_before"].astype("datetime64[D]"),
                episode_returns=np.ascontiguousarray(numbers["episode_returns"].T),
                later_splits={
                    name: own.later_splits
                    for name, own in zip(names, values, strict=True)
                    if own.later_splits is not None
                },
                payments=_payments([own for own in values if own.figures is not None], numbers["without_payments"]),
                figures=tuple(own.figures for own in values if own.figures is not None),
                issues=tuple(issues),
                run_issues=index.run_issues,
            ),
            instruments | {symbol: own for symbol, own in index.instruments.items() if symbol in symbols},
        )

    def _read(self, records: Integers) -> tuple["NDArray[Any]", Floats, list[_Value]]:
        """Return the numbers and returns of the records with a column in tables, and the values of all."""
        priced = self._priced[records].tolist()
        observations = len(self._index.benchmark_returns) // _RETURNS.itemsize
        numbers, returns = np.empty(sum(priced), _NUMBERS), np.empty((sum(priced), observations), _RETURNS)
        # One call a record for all its parts: the calls cost more than the copies.
        heads = zip(_rows(numbers), _rows(returns), strict=True)
        head_size = _NUMBERS.itemsize + observations * _RETURNS.itemsize
        starts, ends = self._starts[records].tolist(), self._starts[records + 1].tolist()
        values = []
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            raise Gone(self._path.name) from error
        try:
            if _stamp(file) != self._stamp:
                raise Gone(self._path.name)
            for start, end, has_column in zip(starts, ends, priced, strict=True):
                value = bytearray(end - start - head_size * has_column)
                os.preadv(file, [*(next(heads) if has_column else ()), value], start)
                values.append(_VALUES.decode(value))
        finally:
            os.close(file)
        return numbers, returns, values


def prepared_symbols(plan_id: str, batches: Callable[[], Iterable[Researched]]) -> PreparedSymbols:
    """Return the prepared symbols of a run, from the instance's file; the first process writes it from ``batches``.

    Raises:
        TempFolderUnusable: the file cannot be written.
    """
    return shared_file(_name(plan_id), partial(_open, plan_id), lambda file: _write(file, plan_id, batches()))


def discard_prepared(plan_id: str) -> None:
    """Delete the instance's file of a run, if there is one."""
    discard(_name(plan_id))


def _name(plan_id: str) -> str:
    return f"{plan_id}.symbols"


def _open(plan_id: str, path: Path) -> PreparedSymbols | None:
    """Return the symbols of a file; ``None`` if there is none, or it is not one of this plan and form, or not whole."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        stamp = _stamp(file)
        end = os.fstat(file).st_size - _TAIL.itemsize
        tail = os.pread(file, _TAIL.itemsize, max(end, 0))
        if len(tail) < _TAIL.itemsize or tail[-len(_MAGIC) :] != _MAGIC:
            return None
        start = int(np.frombuffer(tail, _TAIL)["index"][0])
        if not 0 <= start <= end:
            return None
        index = _INDEXES.decode(os.pread(file, end - start, start))
    except msgspec.DecodeError:
        return None
    finally:
        os.close(file)
    if index.form != _FORM or index.plan_id != plan_id or np.frombuffer(index.starts, np.int64)[-1] != start:
        return None
    return PreparedSymbols(path, stamp, index)


def _stamp(file: int) -> tuple[int, ...]:
    """Return what differs between two files of the same name."""
    found = os.fstat(file)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _write(file: BinaryIO, plan_id: str, batches: Iterable[Researched]) -> None:
    """Write the file, with one batch at a time in memory."""
    made = _Contents()
    for batch in batches:
        file.writelines(made.add(batch))
    index = msgspec.msgpack.encode(made.index(plan_id))
    file.write(index)
    file.write(np.array([(made.end, _MAGIC)], _TAIL).tobytes())


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
                of_columns[number] if priced else _Value(),
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

    def index(self, plan_id: str) -> _Index:
        """Return the index of what was added, which is at least one batch."""
        prices = self._prices
        if prices is None:
            raise LookupError(f"{plan_id}: there are no batches")
        return _Index(
            form=_FORM,
            plan_id=plan_id,
            as_of=prices.as_of,
            newest=self._newest,
            dates=prices.dates.astype(_DAYS).tobytes(),
            benchmark_returns=prices.benchmark_returns.astype(_RETURNS).tobytes(),
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
    numbers = np.zeros(len(prices.symbols), _NUMBERS)
    for name in _COPIED:
        numbers[name] = getattr(prices, name)
    numbers["day_before"] = prices.day_before.astype(np.int64)
    numbers["episode_returns"] = prices.episode_returns.T
    numbers["without_payments"] = prices.payments.without
    returns = np.ascontiguousarray(prices.returns, _RETURNS)
    return [bytes(own) + bytes(row) for own, row in zip(_rows(numbers), _rows(returns), strict=True)]


def _values(prices: PreparedPrices) -> list[_Value]:
    """Return the other part of each symbol, as far as it comes from its prices alone."""
    payments = prices.payments
    bounds = payments.column.searchsorted(np.arange(len(prices.symbols) + 1)).tolist()
    days, amounts = payments.day.astype(np.int64).tolist(), payments.amount.tolist()
    return [
        _Value(
            figures=figures,
            later_splits=prices.later_splits.get(symbol),
            payment_days=tuple(days[start:end]),
            payments=tuple(amounts[start:end]),
        )
        for symbol, figures, start, end in zip(prices.symbols, prices.figures, bounds[:-1], bounds[1:], strict=True)
    ]


def _payments(values: Sequence[_Value], without: Booleans) -> Payments:
    counts = [len(own.payments) for own in values]
    return Payments(
        column=np.repeat(np.arange(len(values)), counts),
        day=np.array([day for own in values for day in own.payment_days], dtype=np.int64).astype("datetime64[D]"),
        amount=np.array([amount for own in values for amount in own.payments], dtype=np.float64),
        without=np.ascontiguousarray(without),
    )


def _rows(array: "NDArray[Any]") -> list[memoryview]:
    """Return the memory of each row of an array."""
    memory = memoryview(array.reshape(-1).view(np.uint8))
    size = array.nbytes // max(len(array), 1)
    return [memory[row * size : (row + 1) * size] for row in range(len(array))]
