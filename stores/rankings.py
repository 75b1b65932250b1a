"""The portfolios of a run in the order of each figure, so that the database never has to sort a list.

Written when the run ends: for each order, blocks of a thousand lines and an index of the blocks. A page of a list reads
the index and mostly one block, wherever in the list it is and however many portfolios there are.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import batched, islice
from typing import override

import msgspec
import numpy as np
import zstandard
from msgspec import Struct
from pymongo import ASCENDING, IndexModel

from analysis.models import Integers
from records import FIGURES, SortField, Summary, Wanted
from stores.indexes import Indexed, Indexes
from stores.lines import COMPLETE, INCOMPLETE, Line, Lines, packed, unpacked
from stores.mongo import Document, DocumentDatabase, write_each

_LINES_PER_BLOCK = 1_000
_BLOCKS_AT_ONCE = 50
_BLOCKS_PER_DELETE = 500
_INDEX = -1
"""The number of the document with the index of the blocks, which is written last."""
_FEW_BLOCKS = 20
"""The users of so many blocks are found by the beginnings of their ids and sorted here."""
# Sorts after every character that an id may have.
_LAST_CHARACTER = "\U0010ffff"
_LAST: SortField = "user_id"
"""The order that is written last and deleted last, so that a run with it has all of them."""

type Place = tuple[float | None, str]
"""The place of a line in an order: the figure, and the user id among equal ones; of users without a figure, the id."""
type Load = Callable[[int], list[Line]]


class Index(Struct, frozen=True, array_like=True):
    """The blocks of one order, ascending; the first ``valued`` of them have the figure, the others do not.

    ``firsts`` are the places of the first lines, and ``facets`` the numbers of lines in each block that have a facet.
    """

    valued: int
    firsts: list[Place]
    facets: dict[str, list[int]]


class Ranking(Struct, frozen=True):
    """An order of all lines: its index, and the lines of a block by its number."""

    index: Index
    load: Load


type Rankings = Callable[[SortField], Ranking]


class RankingStore(Indexed):
    """Blocks by run, order and number."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._blocks = database["portfolio_rankings"]

    @override
    def indexes(self) -> Indexes:
        """Return the key, which is behind every query here."""
        keys = [("run_id", ASCENDING), ("sort", ASCENDING), ("number", ASCENDING)]
        return [(self._blocks, [IndexModel(keys, name="run_id_sort_number", unique=True)])]

    def write(self, run_id: str, lines: Lines) -> None:
        """Store all orders of the lines of a run, replacing earlier ones."""
        if not lines.user_ids:
            return
        for sort in (*FIGURES, _LAST):
            order = _Order(lines, sort)
            of_sort: Document = {"run_id": run_id, "sort": sort}
            numbered = ((of_sort | {"number": n}, packed(order.lines(n))) for n in range(len(order.blocks)))
            for some in batched(numbered, _BLOCKS_AT_ONCE, strict=False):
                write_each(self._blocks, [(key, key | {"lines": block}) for key, block in some])
            key = of_sort | {"number": _INDEX}
            write_each(self._blocks, [(key, key | {"index": _compressed(order.index())})])
            self._blocks.delete_many(of_sort | {"number": {"$gte": len(order.blocks)}})  # of earlier ones

    def of(self, run_id: str) -> Rankings | None:
        """Return the stored orders of a run, ``None`` if it has none, or not yet."""
        key = {"run_id": run_id, "sort": _LAST, "number": _INDEX}
        if self._blocks.find_one(key, {"number": True}) is None:
            return None
        return lambda sort: self._ranking(run_id, sort)

    def of_users(self, run_id: str, user_ids: Iterable[str]) -> Iterator[Line]:
        """Yield the lines of these users of a ranked run, by id; those without a line are left out."""
        index, wanted = self._index(run_id, _LAST), frozenset(user_ids)
        firsts = [] if index is None else [user_id for _, user_id in index.firsts]
        for number in sorted({bisect_right(firsts, user_id) - 1 for user_id in wanted} - {-1}):
            yield from (line for line in self._block(run_id, _LAST, number) if line.summary.user_id in wanted)

    def blocks(self, run_id: str) -> Iterator[list[Line]]:
        """Yield the lines of a ranked run by user id, a thousand at a time."""
        index = self._index(run_id, _LAST)
        for number in range(0 if index is None else len(index.firsts)):
            yield self._block(run_id, _LAST, number)

    def boundaries(self, run_id: str) -> list[str]:
        """Return the first user id of each thousand of a ranked run; none of another one."""
        index = self._index(run_id, _LAST)
        return [] if index is None else [user_id for _, user_id in index.firsts]

    def forget(self, run_id: str, user_id: str, *, erase: bool) -> bool:
        """Return whether the orders of a run have a line of a user; with ``erase``, take it out of all of them.

        The order by user id is the last, so that a repetition after a crash finds what is left.
        """
        index = self._index(run_id, _LAST)
        if index is None:
            return False
        line = next(self.of_users(run_id, [user_id]), None)
        found = line is not None or user_id in {first for _, first in index.firsts}
        if (
            found
            and erase
            and not (
                all(self._take_out(run_id, sort, _place(line, sort)) for sort in FIGURES if line is not None)
                and self._take_out(run_id, _LAST, (None, user_id))
            )
        ):
            self._write_without(run_id, user_id)
        return found

    def _take_out(self, run_id: str, sort: SortField, place: Place) -> bool:
        """Take the line at a place out of its block; return False, changing nothing, if it is the only one there."""
        index = self._index(run_id, sort)
        if index is None:
            return True
        number = _block_with(index, sort, place)
        left = Lines([line for line in self._block(run_id, sort, number) if line.summary.user_id != place[1]])
        if not left.user_ids:
            return False
        mine = _Order(left, sort).index()
        firsts = [*index.firsts[:number], *mine.firsts, *index.firsts[number + 1 :]]
        facets = {
            facet: [*counts[:number], *mine.facets.get(facet, [0]), *counts[number + 1 :]]
            for facet, counts in index.facets.items()
        }
        of_sort: Document = {"run_id": run_id, "sort": sort}
        block, key = of_sort | {"number": number}, of_sort | {"number": _INDEX}
        write_each(self._blocks, [(block, block | {"lines": packed(left.lines)})])
        write_each(self._blocks, [(key, key | {"index": _compressed(Index(index.valued, firsts, facets))})])
        return True

    def _write_without(self, run_id: str, user_id: str) -> None:
        """Write all orders anew, without a user who is alone in a block."""
        left = [line for block in self.blocks(run_id) for line in block if line.summary.user_id != user_id]
        if left:
            self.write(run_id, Lines(left))
        else:
            self._blocks.delete_many({"run_id": run_id})

    def purge(self, run_id: str) -> int:
        """Delete some of the orders of a run, the one by user id last; return how many blocks."""
        for sort in (*FIGURES, _LAST):
            last = self._blocks.find({"run_id": run_id, "sort": sort}, {"_id": False, "number": True})
            numbers = sorted(block["number"] for block in last.limit(_BLOCKS_PER_DELETE))
            if numbers:
                of_sort = {"run_id": run_id, "sort": sort, "number": {"$lte": numbers[-1]}}
                return self._blocks.delete_many(of_sort).deleted_count
        return 0

    def _ranking(self, run_id: str, sort: SortField) -> Ranking:
        return Ranking(self._index(run_id, sort) or Index(0, [], {}), lambda number: self._block(run_id, sort, number))

    def _index(self, run_id: str, sort: SortField) -> Index | None:
        found = self._blocks.find_one({"run_id": run_id, "sort": sort, "number": _INDEX}, {"index": True})
        return None if found is None else msgspec.msgpack.decode(_decompressed(found["index"]), type=Index)

    def _block(self, run_id: str, sort: SortField, number: int) -> list[Line]:
        found = self._blocks.find_one({"run_id": run_id, "sort": sort, "number": number}, {"lines": True})
        return [] if found is None else unpacked(found["lines"])  # none of a run that is being purged


def rankings_of(lines: Lines) -> Rankings:
    """Return the orders of lines that are not stored."""

    def ranking(sort: SortField) -> Ranking:
        order = _Order(lines, sort)
        return Ranking(order.index(), lambda number: unpacked(packed(order.lines(number))))

    return ranking


class _Order:
    """The lines in one order, in ``blocks`` of line numbers; those without the figure come last."""

    def __init__(self, lines: Lines, sort: SortField) -> None:
        self._lines, self._sort = lines, sort
        # Equal figures are in the order of the user ids, which is that of Python's text, whatever the database has.
        by_id = lines.by_id
        valued, others = by_id, by_id[:0]
        if sort != "user_id":
            figures = lines.figures[by_id, FIGURES.index(sort)]
            known = ~np.isnan(figures)
            others, valued = by_id[~known], by_id[known][figures[known].argsort(kind="stable")]
        of_valued, of_others = _cut(valued), _cut(others)
        self.blocks, self._valued = of_valued + of_others, len(of_valued)

    def index(self) -> Index:
        lines = self._lines
        ofs = [lines.masks[block] for block in self.blocks]
        facets = {
            facet: [int(np.count_nonzero(masks & np.uint64(1 << bit))) for masks in ofs]
            for bit, facet in enumerate(lines.facets)
        }
        return Index(self._valued, [self._place(int(block[0])) for block in self.blocks], facets)

    def lines(self, number: int) -> Iterator[msgspec.Raw]:
        return (self._lines.lines[line] for line in self.blocks[number].tolist())

    def _place(self, line: int) -> Place:
        if self._sort == "user_id":
            return None, self._lines.user_ids[line]
        figure = float(self._lines.figures[line, FIGURES.index(self._sort)])
        return None if np.isnan(figure) else figure, self._lines.user_ids[line]


def _cut(order: Integers) -> list[Integers]:
    return [order[first : first + _LINES_PER_BLOCK] for first in range(0, len(order), _LINES_PER_BLOCK)]


def page_of(
    rankings: Rankings, *, limit: int, wanted: Wanted, sort: SortField, descending: bool, after: Place | None
) -> list[Summary]:
    """Return up to ``limit`` of the summaries that :func:`all_of` yields."""
    return list(islice(all_of(rankings, wanted=wanted, sort=sort, descending=descending, after=after), limit))


def all_of(
    rankings: Rankings, *, wanted: Wanted, sort: SortField, descending: bool, after: Place | None = None
) -> Iterator[Summary]:
    """Yield the summaries of the lines that :func:`lines_of` yields."""
    lines = lines_of(rankings, wanted=wanted, sort=sort, descending=descending, after=after)
    return (line.summary for line in lines)


def lines_of(
    rankings: Rankings, *, wanted: Wanted, sort: SortField, descending: bool, after: Place | None = None
) -> Iterator[Line]:
    """Yield the ``wanted`` lines of a run in order, starting after that place, read block by block.

    Ties are ordered by user id, in the same direction; users without the figure come last in either order, by user id.
    """
    if wanted.user_id_prefix and sort != "user_id":
        by_id = rankings("user_id")
        first, end = _blocks_with(by_id.index, wanted.user_id_prefix)
        if end - first <= _FEW_BLOCKS:
            few = [line for number in range(first, end) for line in by_id.load(number) if _is_wanted(line, wanted)]
            ranking = rankings_of(Lines(few))(sort)
            return _after(ranking, wanted, sort, after, descending=descending)
    return _after(rankings(sort), wanted, sort, after, descending=descending)


def _after(
    ranking: Ranking, wanted: Wanted, sort: SortField, after: Place | None, *, descending: bool
) -> Iterator[Line]:
    """Yield the wanted summaries of an order after a place, reading no block without one."""
    index = ranking.index
    facets = _facets_of(wanted, index)
    counts = [index.facets.get(facet, []) for facet in facets]
    first, end = _blocks_with(index, wanted.user_id_prefix) if sort == "user_id" else (0, len(index.firsts))
    for number, backwards in _walk(index, sort, after, descending=descending):
        if not first <= number < end or (facets and not any(of_block[number] for of_block in counts if of_block)):
            continue
        lines = ranking.load(number)
        for line in reversed(lines) if backwards else lines:
            if (after is None or _is_after(_place(line, sort), after, sort, descending=descending)) and _is_wanted(
                line, wanted
            ):
                yield line


def _walk(index: Index, sort: SortField, after: Place | None, *, descending: bool) -> Iterator[tuple[int, bool]]:
    """Yield the numbers of the blocks that may have lines after a place, and whether to read them backwards."""
    valued, others = index.firsts[: index.valued], [user_id for _, user_id in index.firsts[index.valued :]]
    keys = [user_id for _, user_id in valued] if sort == "user_id" else valued
    key = None if after is None else after[1] if sort == "user_id" else after
    if after is None or sort == "user_id" or after[0] is not None:
        if descending:
            last = len(keys) if key is None else bisect_left(keys, key)
            yield from ((number, True) for number in range(last - 1, -1, -1))
        else:
            first = 0 if key is None else max(bisect_right(keys, key) - 1, 0)
            yield from ((number, False) for number in range(first, len(keys)))
        yield from ((number, False) for number in range(index.valued, len(index.firsts)))
    else:
        first = max(bisect_right(others, after[1]) - 1, 0)
        yield from ((number, False) for number in range(index.valued + first, len(index.firsts)))


def _block_with(index: Index, sort: SortField, place: Place) -> int:
    """Return the number of the block that a place is in, if it is in any."""
    if sort == "user_id":
        return max(bisect_right([user_id for _, user_id in index.firsts], place[1]) - 1, 0)
    valued, others = index.firsts[: index.valued], [user_id for _, user_id in index.firsts[index.valued :]]
    if place[0] is None:
        return index.valued + max(bisect_right(others, place[1]) - 1, 0)
    return max(bisect_right(valued, place) - 1, 0)


def _place(line: Line, sort: SortField) -> Place:
    return None if sort == "user_id" else getattr(line.summary, sort), line.summary.user_id


def _is_after(place: Place, after: Place, sort: SortField, *, descending: bool) -> bool:
    figure, user_id = place
    if sort == "user_id":
        return user_id < after[1] if descending else user_id > after[1]
    if figure is None or after[0] is None:
        return figure is None and (after[0] is not None or user_id > after[1])
    return (figure, user_id) < after if descending else (figure, user_id) > after


def _is_wanted(line: Line, wanted: Wanted) -> bool:
    return (
        (wanted.status is None or line.summary.status == wanted.status)
        and (wanted.check is None or not {*line.crossed}.isdisjoint(_checks_of(wanted)))
        and line.summary.user_id.startswith(wanted.user_id_prefix)
        and (wanted.complete is None or line.summary.complete is wanted.complete)
    )


def _checks_of(wanted: Wanted) -> Sequence[str]:
    if wanted.check is None:
        return ()
    statuses = ("warning", "breach") if wanted.check_status is None else (wanted.check_status,)
    return [f"{wanted.check}:{status}" for status in statuses]


def _facets_of(wanted: Wanted, index: Index) -> Sequence[str]:
    """Return facets of which every wanted line has one; none if every line may be wanted."""
    if wanted.check is not None:
        return _checks_of(wanted)
    if wanted.status is not None:
        return [wanted.status]
    # Lists of an earlier version do not count them.
    counts = not {COMPLETE, INCOMPLETE}.isdisjoint(index.facets)
    return [] if wanted.complete is None or not counts else [COMPLETE if wanted.complete else INCOMPLETE]


def _blocks_with(by_id: Index, prefix: str) -> tuple[int, int]:
    """Return the range of the blocks that may have user ids with a prefix."""
    firsts = [user_id for _, user_id in by_id.firsts]
    return max(bisect_right(firsts, prefix) - 1, 0), bisect_right(firsts, prefix + _LAST_CHARACTER)


def _compressed(index: Index) -> bytes:
    return zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(index))


def _decompressed(value: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(value)
