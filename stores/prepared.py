"""The prepared symbols of a run in a file that the processes of an instance share, read symbol by symbol.

The file is read, not mapped into memory: that takes as long, and many more pages than are needed would count as memory
of the process.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from analysis.models import Booleans, Floats, Integers
from analysis.price_table import PreparedPrices
from analysis.returns.payments import Payments
from stores.batches import Researched
from stores.prepared_form import COPIED, DAYS, FORM, MAGIC, NUMBERS, RETURNS, TAIL, Index, Value, rows
from stores.prepared_writing import write_prepared
from stores.shared_files import shared_file, symbols_file

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Gone(Exception):
    """The file was deleted, or written again, since its index was read."""


_VALUES = msgspec.msgpack.Decoder(Value)
_INDEXES = msgspec.msgpack.Decoder(Index)


class PreparedSymbols:
    """The prepared symbols of a run, in a file.

    ``currencies`` are those of all symbols whose instruments have one, ``multipliers`` those other than 1.
    """

    def __init__(self, path: Path, stamp: tuple[int, ...], index: Index) -> None:
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
                dates=np.frombuffer(index.dates, DAYS).astype("datetime64[D]"),
                benchmark_returns=np.frombuffer(index.benchmark_returns, RETURNS),
                symbols=tuple(name for name, own in zip(names, values, strict=True) if own.figures is not None),
                returns=returns,
                **{name: np.ascontiguousarray(numbers[name]) for name in COPIED},
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

    def _read(self, records: Integers) -> tuple["NDArray[Any]", Floats, list[Value]]:
        """Return the numbers and returns of the records with a column in tables, and the values of all."""
        priced = self._priced[records].tolist()
        observations = len(self._index.benchmark_returns) // RETURNS.itemsize
        numbers, returns = np.empty(sum(priced), NUMBERS), np.empty((sum(priced), observations), RETURNS)
        # One call a record for all its parts: the calls cost more than the copies.
        heads = zip(rows(numbers), rows(returns), strict=True)
        head_size = NUMBERS.itemsize + observations * RETURNS.itemsize
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
                if os.preadv(file, [*(next(heads) if has_column else ()), value], start) < end - start:
                    raise Gone(self._path.name)
                values.append(_VALUES.decode(value))
        finally:
            os.close(file)
        return numbers, returns, values


def prepared_symbols(plan_id: str, batches: Callable[[], Iterable[Researched]]) -> PreparedSymbols:
    """Return the prepared symbols of a run, from the instance's file; the first process writes it from ``batches``.

    Raises:
        TempFolderUnusable: the file cannot be written.
    """
    return shared_file(
        symbols_file(plan_id), partial(_open, plan_id), lambda file: write_prepared(file, plan_id, batches())
    )


def _open(plan_id: str, path: Path) -> PreparedSymbols | None:
    """Return the symbols of a file; ``None`` if there is none, or it is not one of this plan and form, or not whole."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        stamp = _stamp(file)
        end = os.fstat(file).st_size - TAIL.itemsize
        tail = os.pread(file, TAIL.itemsize, max(end, 0))
        if len(tail) < TAIL.itemsize or tail[-len(MAGIC) :] != MAGIC:
            return None
        start = int(np.frombuffer(tail, TAIL)["index"][0])
        if not 0 <= start <= end:
            return None
        index = _INDEXES.decode(os.pread(file, end - start, start))
    except msgspec.DecodeError:
        return None
    finally:
        os.close(file)
    if index.form != FORM or index.plan_id != plan_id or np.frombuffer(index.starts, np.int64)[-1] != start:
        return None
    return PreparedSymbols(path, stamp, index)


def _stamp(file: int) -> tuple[int, ...]:
    """Return what differs between two files of the same name."""
    found = os.fstat(file)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _payments(values: Sequence[Value], without: Booleans) -> Payments:
    counts = [len(own.payments) for own in values]
    return Payments(
        column=np.repeat(np.arange(len(values)), counts),
        day=np.array([day for own in values for day in own.payment_days], dtype=np.int64).astype("datetime64[D]"),
        amount=np.array([amount for own in values for amount in own.payments], dtype=np.float64),
        without=np.ascontiguousarray(without),
    )
