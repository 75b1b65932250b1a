"""The lines of lists: the summaries of a run's portfolios with what lists filter by, kept page by page while it runs.

A million of them take some 200 MB of a process: only what they are sorted and counted by is unpacked.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import overload, override

import msgspec
import numpy as np
import zstandard
from msgspec import Raw, Struct, structs
from numpy.typing import NDArray

from analysis.models import Floats, Integers, Report
from records import FIGURES, Summary

COMPLETE, INCOMPLETE = "complete", "incomplete"
_LEVEL = 1
_NUMBERS, _MASKS = np.dtype("<f8"), np.dtype("<u8")

type Masks = NDArray[np.uint64]


class Standing(Struct, frozen=True, omit_defaults=True):
    """What the book and the list of people know of a portfolio beside its summary.

    ``total_value`` and ``book_value`` are in the person's currency and in that of the book. ``known`` has the last
    state of each check that is unknown now, as ``rule:status``. ``since`` has the date since which a rule is in breach,
    or the person ``failed`` or ``incomplete``. ``breached`` and ``recovered`` are the rules that changed since the
    night before.
    """

    currency: str = ""
    total_value: float | None = None
    book_value: float | None = None
    twr_1y: float | None = None
    price_date: date | None = None
    known: tuple[str, ...] = ()
    since: Mapping[str, date] = {}
    breached: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()


class Line(Struct, frozen=True, array_like=True):
    """One line of a list; ``crossed`` names the checks that are not ok, each as ``rule:status``."""

    summary: Summary
    crossed: tuple[str, ...] = ()
    standing: Standing = Standing()

    @property
    def facets(self) -> tuple[str, ...]:
        """Return what lists filter by."""
        complete = self.summary.complete
        valuation = () if complete is None else (COMPLETE if complete else INCOMPLETE,)
        return (self.summary.status, *self.crossed, *valuation)


class _Wire(Struct, frozen=True, array_like=True):
    """A line in its stored form: the values of the summary in the order of its members."""

    values: tuple[str | int | float | bool | None, ...]
    crossed: tuple[str, ...]
    standing: Standing = Standing()


class _Page(Struct, frozen=True, array_like=True):
    user_ids: list[str]
    figures: bytes
    facets: list[str]
    masks: bytes
    lines: list[Raw]


_NONE = Standing()
_one_wire, _wires = msgspec.msgpack.Decoder(_Wire), msgspec.msgpack.Decoder(list[_Wire])
_page = msgspec.msgpack.Decoder(_Page)


def line_of(report: Report, standing: Standing = _NONE) -> Line:
    """Return the line of a report, and of how its person stands."""
    statuses = [check.status for check in report.checks]
    valuation, risk = report.valuation, report.risk
    summary = Summary(
        user_id=report.user_id,
        status=report.status,
        reason=report.reason,
        market_value=valuation.market_value if valuation else None,
        annual_volatility=risk.annual_volatility if risk else None,
        max_drawdown=risk.max_drawdown if risk else None,
        value_at_risk_95=risk.value_at_risk_95 if risk else None,
        warnings=statuses.count("warning"),
        breaches=statuses.count("breach"),
        unknowns=statuses.count("unknown"),
        complete=valuation.complete if valuation else None,
    )
    crossed = tuple(f"{check.rule}:{check.status}" for check in report.checks if check.status != "ok")
    return Line(summary, crossed, standing)


def packed(lines: Iterable[Raw]) -> bytes:
    """Return lines in their stored form, as one compressed value."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode(list(lines)))


def unpacked(value: bytes) -> list[Line]:
    """Return the lines of a compressed value."""
    return [_line(line) for line in _wires.decode(zstandard.ZstdDecompressor().decompress(value))]


def _line(wire: _Wire) -> Line:
    return Line(Summary(*wire.values), wire.crossed, wire.standing)  # type: ignore[arg-type] # as they were packed


class _Kept(Sequence[Raw]):
    """Encoded lines, each compressed with the first ones as dictionary: to a quarter, and read alone in any order."""

    def __init__(self) -> None:
        self._values, self._ends = bytearray(), array("q", [0])
        self._compress: Callable[[memoryview], bytes] = bytes
        self._decompress: Callable[[bytearray], bytes] = bytes

    def extend(self, lines: Sequence[Raw]) -> None:
        """Add lines at the end."""
        if lines and not self._values:
            first = zstandard.ZstdCompressionDict(b"".join(lines), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            first.precompute_compress(level=_LEVEL)
            self._compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=first).compress
            self._decompress = zstandard.ZstdDecompressor(dict_data=first).decompress
        for line in lines:
            self._values += self._compress(memoryview(line))
            self._ends.append(len(self._values))

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, number: int) -> Raw: ...
    @overload
    def __getitem__(self, number: slice) -> list[Raw]: ...
    @override
    def __getitem__(self, number: int | slice) -> Raw | list[Raw]:
        """Return a line, or some."""
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        return Raw(self._decompress(self._values[self._ends[number] : self._ends[number + 1]]))


class Lines:
    """The lines of a run, or of a page of it, in columns.

    ``figures`` is ``(lines, figures)``, NaN where null. Bit ``i`` of the ``masks``, ``(lines,)``, tells whether a line
    has facet ``i`` of the ``facets``.
    """

    def __init__(self, lines: Sequence[Line] = ()) -> None:
        self.user_ids = [line.summary.user_id for line in lines]
        self.lines: Sequence[Raw] = [
            Raw(msgspec.msgpack.encode(_Wire(structs.astuple(line.summary), line.crossed, line.standing)))
            for line in lines
        ]
        rows = [[getattr(line.summary, name) for name in FIGURES] for line in lines]
        self.figures: Floats = np.array(rows, dtype=np.float64).reshape(len(lines), len(FIGURES))
        bits: dict[str, int] = {}
        masks = [sum(1 << bits.setdefault(facet, len(bits)) for facet in line.facets) for line in lines]
        self.facets, self.masks = list(bits), np.array(masks, dtype=np.uint64)

    def __iter__(self) -> Iterator[Line]:
        """Yield the lines, each unpacked when it is reached."""
        return (_line(_one_wire.decode(line)) for line in self.lines)

    def to_bytes(self) -> bytes:
        """Return the lines of a page as one compressed value."""
        figures, masks = self.figures.astype(_NUMBERS).tobytes(), self.masks.astype(_MASKS).tobytes()
        page = _Page(self.user_ids, figures, self.facets, masks, list(self.lines))
        return zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode(page))

    @classmethod
    def from_pages(cls, values: Iterable[bytes]) -> "Lines":
        """Return the lines of all pages together."""
        made, kept, decompressor = cls(), _Kept(), zstandard.ZstdDecompressor()
        # These grow in place: a list of arrays would be there twice in the end.
        figures, masks = bytearray(), bytearray()
        for value in values:
            page = _page.decode(decompressor.decompress(value))
            facets, of_page = page.facets, np.frombuffer(page.masks, _MASKS)
            if {COMPLETE, INCOMPLETE}.isdisjoint(facets):  # nobody is valued, or an earlier version wrote the page
                again = cls([_line(_one_wire.decode(line)) for line in page.lines])
                facets, of_page = again.facets, again.masks
            made.user_ids += page.user_ids
            kept.extend(page.lines)
            figures += page.figures
            masks += made._renumbered(facets, of_page).astype(_MASKS).tobytes()
        made.figures = np.frombuffer(figures, _NUMBERS).reshape(-1, len(FIGURES))
        made.masks, made.lines = np.frombuffer(masks, _MASKS), kept
        return made

    @cached_property
    def by_id(self) -> Integers:
        """Return the numbers of the lines, ``(lines,)``, in the order of the user ids as Python compares text."""
        return np.array(sorted(range(len(self.user_ids)), key=self.user_ids.__getitem__), dtype=np.int64)

    def _renumbered(self, facets: Sequence[str], masks: Masks) -> Masks:
        """Return the masks of a page by the facets of all pages, to which new ones are added."""
        self.facets += [facet for facet in facets if facet not in self.facets]
        one, renumbered = np.uint64(1), np.zeros_like(masks)
        for bit, facet in enumerate(facets):
            renumbered |= ((masks >> np.uint64(bit)) & one) << np.uint64(self.facets.index(facet))
        return renumbered
