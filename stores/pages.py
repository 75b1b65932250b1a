"""The pages of a run: the batches of users of its plan, each with what its first pass found.

A page is a range of ids, or a list of ids. The first pass keeps the portfolios that it read for the analysis; those
that take too much room are not kept, but the ids are: a page has the same users each time it is analyzed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Literal

import msgspec
import zstandard
from msgspec import Struct
from pymongo import ASCENDING, InsertOne

from analysis.models import Portfolio
from records import Outcome
from stores.mongo import Document, DocumentDatabase, bulk_write, update_where
from stores.portfolio_documents import InvalidPortfolio
from stores.ranges import IdRange

type Origin = Literal["watchlists", "transactions"]
type Users = IdRange | list[str]

MOST_KEPT_BYTES = 8 * 2**20
"""The most that the first pass leaves in a page's document, of the 16 MB that a document may have."""

_LEVEL = 1
_AT_ONCE = 100


class Crowds(Struct, frozen=True, omit_defaults=True):
    """The symbols without stored prices of users with more of them than a run asks for, user by user.

    ``asked_on`` has the days when they were last asked for, of those that were; ``left_out`` counts those of users with
    very many of them.
    """

    symbols: list[list[str]] = []
    asked_on: dict[str, date] = {}
    left_out: int = 0


class Found(Struct, frozen=True, omit_defaults=True):
    """What the first pass found in a page: counts of its users, and what is to be loaded for them.

    ``holders`` has the number of holders by symbol, ``watched`` and ``traded`` the symbols to load besides, and
    ``currencies`` the number of users by currency. The ``unknown`` and ``idle`` users were requested, but are not
    active or have nothing to analyze; both lists have the first of them.
    """

    users: int = 0
    strange: int = 0
    unreadable: int = 0
    unknown: list[str] = []
    unknown_count: int = 0
    idle: list[str] = []
    idle_count: int = 0
    holders: dict[str, int] = {}
    watched: list[str] = []
    traded: list[str] = []
    currencies: dict[str, int] = {}
    id_types: dict[str, list[str]] = {}


class Kept(Struct, frozen=True):
    """The portfolios of a page."""

    portfolios: list[Portfolio] = []
    invalid: list[InvalidPortfolio] = []

    @classmethod
    def of(cls, portfolios: Sequence[Portfolio | InvalidPortfolio]) -> "Kept":
        """Return the portfolios of a page, the invalid ones apart."""
        return cls(
            [own for own in portfolios if isinstance(own, Portfolio)],
            [own for own in portfolios if isinstance(own, InvalidPortfolio)],
        )

    def all(self) -> list[Portfolio | InvalidPortfolio]:
        """Return the portfolios, the invalid ones last."""
        return [*self.portfolios, *self.invalid]


class Page(Struct, frozen=True):
    """A page as a step finds it: ``kept`` and ``outcome`` are ``None`` where there are none."""

    users: Users
    is_read: bool = False
    kept: Kept | None = None
    outcome: Outcome | None = None

    def members(self) -> list[str] | None:
        """Return the ids of the users, ``None`` of a range."""
        return None if isinstance(self.users, IdRange) else self.users


_KEPT, _FOUND, _CROWDS = msgspec.msgpack.Decoder(Kept), msgspec.msgpack.Decoder(Found), msgspec.msgpack.Decoder(Crowds)


class PageStore:
    """Pages by plan and number, in the collection of the batches."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._batches = database["run_batches"]

    def write(self, run_id: str, plan_id: str, first: int, pages: Sequence[Users]) -> None:
        """Write consecutive pages of a new plan for a run, from number ``first`` on."""
        documents = [
            {"run_id": run_id, "plan_id": plan_id, "kind": "users", "number": number}
            | ({"range": users.to_document()} if isinstance(users, IdRange) else {"members": users})
            for number, users in enumerate(pages, first)
        ]
        bulk_write(self._batches, [InsertOne(document) for document in documents])

    def get(self, plan_id: str, number: int) -> Page | None:
        """Return a page, ``None`` after the run."""
        members = dict.fromkeys(("members", "range", "read", "kept", "outcome"), True)
        document = self._batches.find_one(_key(plan_id, number), members)
        if document is None:
            return None
        kept, outcome = document.get("kept"), document.get("outcome")
        return Page(
            document["members"] if "members" in document else IdRange.from_document(document["range"]),
            is_read=document.get("read", False),
            kept=None if kept is None else _KEPT.decode(_unpacked(kept)),
            outcome=None if outcome is None else Outcome(**outcome),
        )

    def record_read(self, plan_id: str, number: int, found: Found, crowds: Mapping[Origin, Crowds], kept: Kept) -> None:
        """Record what the first pass found in a page, unless that is recorded, or the run is over."""
        values: Document = {
            "read": True,
            "found": _packed(found),
            "crowds": {origin: _packed(own) for origin, own in crowds.items() if own.symbols},
        }
        packed = _packed(kept)
        if len(packed) <= MOST_KEPT_BYTES:
            values["kept"] = packed
        else:
            values["members"] = [own.user_id for own in kept.all()]
        update_where(self._batches, _key(plan_id, number), {"read": {"$exists": False}}, {"$set": values})

    def found(self, plan_id: str) -> Iterator[Found]:
        """Yield what the first pass found, page by page.

        Raises:
            LookupError: a page was never read.
        """
        for document in self._in_order(plan_id, "found"):
            if "found" not in document:
                raise LookupError(f"{plan_id}: a page was never read")
            yield _FOUND.decode(_unpacked(document["found"]))

    def crowds(self, plan_id: str, origin: Origin) -> Iterator[Crowds]:
        """Yield the symbols of users with too many unknown ones, page by page."""
        for document in self._in_order(plan_id, f"crowds.{origin}"):
            if origin in document.get("crowds", ()):
                yield _CROWDS.decode(_unpacked(document["crowds"][origin]))

    def _in_order(self, plan_id: str, member: str) -> Iterator[Document]:
        query = {"plan_id": plan_id, "kind": "users"}
        return iter(self._batches.find(query, {member: True}, batch_size=_AT_ONCE).sort("number", ASCENDING))


def _key(plan_id: str, number: int) -> Document:
    return {"plan_id": plan_id, "kind": "users", "number": number}


def _packed(value: Struct) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode(value))


def _unpacked(value: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(value)
