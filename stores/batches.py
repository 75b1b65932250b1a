"""The plan of a run: its symbols and users in numbered batches, fixed once, deleted after the run.

Activities receive a plan id and a number. The members of the batch are stored here, so messages stay small for any
number of users, and a page has the same users each time it runs. Each attempt at planning writes under its own id; the
run record names the one that counts, so a late attempt changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import repeat
from typing import Literal, override

import msgspec
import numpy as np
from msgspec import structs
from pymongo import ASCENDING, IndexModel, InsertOne

from analysis.models import Floats, Instrument, Research
from analysis.price_table import PreparedPrices, SymbolFigures
from analysis.returns.payments import Payments
from analysis.stress import EPISODES
from records import Outcome, RunError, SymbolIssue
from stores.indexes import Indexed, Indexes
from stores.lines import Lines
from stores.mongo import Document, DocumentDatabase, bulk_write, update_where
from stores.upgrades import issue_of_today

type BatchKind = Literal["symbols", "users"]

_DAYS = np.dtype("<i4")
_NUMBERS = np.dtype("<f8")
_NUMBER_ARRAYS = ("benchmark_returns", "returns", "close", "day_return", "volatility", "episode_returns")
_PAGES_AT_ONCE = 100
PRICES_FORM = 3
"""The form of prepared prices, raised with every change of it."""
_FIGURES = msgspec.msgpack.Decoder(tuple[SymbolFigures, ...])


@dataclass(frozen=True, slots=True)
class PageErrors:
    """The errors of a page: the failures of its users, and the first of the holdings that could not be read."""

    errors: Sequence[RunError] = ()
    invalid_holdings: Sequence[RunError] = ()
    invalid_holdings_count: int = 0


class OtherForm(Exception):
    """Another version of the app prepared the prices of a run."""


@dataclass(frozen=True, slots=True)
class Researched:
    """What pages need of some symbols of a run; instruments may also be of others, as of the benchmark."""

    symbols: Sequence[str]
    research: Sequence[Research]
    prices: PreparedPrices
    instruments: Mapping[str, Instrument]


class BatchStore(Indexed):
    """Batches by plan, kind and number."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._batches = database["run_batches"]

    @override
    def indexes(self) -> Indexes:
        """Return the key and the index behind the deletion of a run's batches."""
        keys = [("plan_id", ASCENDING), ("kind", ASCENDING), ("number", ASCENDING)]
        indexes = [IndexModel(keys, name="plan_id_kind_number", unique=True), IndexModel("run_id", name="run_id")]
        return [(self._batches, indexes)]

    def write(self, run_id: str, plan_id: str, kind: BatchKind, batches: Iterable[list[str]]) -> None:
        """Write the batches of a new plan for a run."""
        self._write(run_id, plan_id, kind, ({"members": members} for members in batches))

    def write_symbols(self, run_id: str, plan_id: str, batches: Iterable[Mapping[str, int]]) -> None:
        """Write the batches of symbols of a new plan for a run, with the number of holders of each symbol."""
        contents = ({"members": list(batch), "holders": list(batch.values())} for batch in batches)
        self._write(run_id, plan_id, "symbols", contents)

    def symbols(self, plan_id: str, number: int) -> dict[str, int]:
        """Return the symbols of a batch with the number of their holders, none after the run."""
        query = {"plan_id": plan_id, "kind": "symbols", "number": number}
        document = self._batches.find_one(query, {"members": True, "holders": True})
        if document is None:
            return {}
        # A plan without holders is of an earlier version of the app.
        return dict(zip(document["members"], document.get("holders", repeat(1)), strict=False))

    def members(self, plan_id: str, kind: BatchKind, number: int) -> list[str]:
        """Return the symbols or user ids of a batch, none after the run."""
        document = self._batches.find_one({"plan_id": plan_id, "kind": kind, "number": number}, {"members": True})
        return [] if document is None else document["members"]

    def record_symbols(self, plan_id: str, number: int, failed: Iterable[str], errors: Mapping[str, RunError]) -> None:
        """Record the symbols of a batch without usable prices in this run, and those of them that are errors of it."""
        values = {"failed": sorted(failed), "errors": [asdict(errors[symbol]) for symbol in sorted(errors)]}
        self._set(plan_id, "symbols", number, values)

    def failed_symbols(self, plan_id: str) -> list[str]:
        """Return all symbols without usable prices in this run."""
        batches = self._batches.find({"plan_id": plan_id, "kind": "symbols"}, {"failed": True})
        return [symbol for batch in batches for symbol in batch.get("failed", [])]

    def symbol_errors(self, plan_id: str, limit: int) -> tuple[int, list[RunError]]:
        """Return the number of errors of symbols without usable prices, and up to ``limit`` of them, in order."""
        return self._errors({"plan_id": plan_id, "kind": "symbols"}, limit)

    def priced_symbols(self, plan_id: str, number: int) -> list[str]:
        """Return the symbols of a batch that have usable prices in this run; none after the run.

        Raises:
            LookupError: the prices of the batch were never loaded.
        """
        query = {"plan_id": plan_id, "kind": "symbols", "number": number}
        document = self._batches.find_one(query, {"members": True, "failed": True})
        if document is None:
            return []
        if "failed" not in document:
            raise LookupError(f"{plan_id}: prices were never loaded")
        return sorted(set(document["members"]) - set(document["failed"]))

    def record_research(
        self,
        plan_id: str,
        number: int,
        research: Sequence[Research],
        prices: PreparedPrices,
        instruments: Mapping[str, Instrument],
    ) -> None:
        """Store the research, prepared prices and instruments of a batch for the pages of this run."""
        values = {
            "research": msgspec.to_builtins(research),
            "prices": _prepared_to_document(prices),
            # A symbol cannot be the name of a member: it may contain a dot.
            "instruments": [[symbol, structs.asdict(instrument)] for symbol, instrument in instruments.items()],
        }
        self._set(plan_id, "symbols", number, values)

    def researched(self, plan_id: str) -> Iterator[Researched]:
        """Yield the batches of symbols of this run, in order, each as its own research left it.

        Raises:
            LookupError: a batch was never researched, or the run is over.
            OtherForm: another version of the app did it.
        """
        members = {"members": True, "research": True, "prices": True, "instruments": True}
        query, over = {"plan_id": plan_id, "kind": "symbols"}, True
        # Few at a time: together they may be larger than the memory of a process.
        for batch in self._batches.find(query, members, batch_size=2).sort("number", ASCENDING):
            over = False
            if "prices" not in batch:
                raise LookupError(f"{plan_id}: a batch was never researched")
            if batch["prices"].get("form") != PRICES_FORM:
                raise OtherForm(plan_id)
            yield Researched(
                batch["members"],
                msgspec.convert(batch["research"], list[Research]),
                _prepared_from_document(batch["prices"]),
                {symbol: Instrument(**members) for symbol, members in batch["instruments"]},
            )
        if over:
            raise LookupError(f"{plan_id}: the run is over")

    def count_symbols(self, plan_id: str) -> int:
        """Return the number of symbols of a plan, none after the run."""
        batches = self._batches.find({"plan_id": plan_id, "kind": "symbols"}, {"_id": False, "members": True})
        return sum(len(batch["members"]) for batch in batches)

    def price_issues(self, plan_id: str, limit: int) -> tuple[int, list[SymbolIssue]]:
        """Return the number of price issues of all batches, and up to ``limit`` of them, in order."""
        query = {"plan_id": plan_id, "kind": "symbols"}
        members = {"prices.run_issues": True, "prices.issues": True}
        batches = self._batches.find(query, members).sort("number", ASCENDING)
        prices = [batch.get("prices", {}) for batch in batches]
        kinds = ("run_issues", "issues")
        stored = [issue_of_today(issue) for kind in kinds for own in prices for issue in own.get(kind, [])]
        # Each batch reports the issues of the run and of the benchmark.
        issues = list(dict.fromkeys(msgspec.convert(stored, list[SymbolIssue])))
        return len(issues), issues[:limit]

    def record_page(self, plan_id: str, number: int, outcome: Outcome, errors: PageErrors, lines: Lines) -> bool:
        """Record a page's outcome, errors and lines, and drop its portfolios; return whether it is the first for it."""
        key = {"plan_id": plan_id, "kind": "users", "number": number}
        values = {"outcome": asdict(outcome), **asdict(errors), "lines": lines.to_bytes()}
        changes = {"$set": values, "$unset": {"kept": ""}}
        return update_where(self._batches, key, {"outcome": {"$exists": False}}, changes)

    def outcome(self, plan_id: str) -> Outcome:
        """Return the sum of the recorded outcomes of all pages."""
        pages = self._batches.find(
            {"plan_id": plan_id, "kind": "users", "outcome": {"$exists": True}}, {"outcome": True}
        )
        return sum((Outcome(**page["outcome"]) for page in pages), Outcome())

    def lines(self, plan_id: str) -> Lines:
        """Return the recorded lines of all pages."""
        done = {"plan_id": plan_id, "kind": "users", "lines": {"$exists": True}}
        pages = self._batches.find(done, {"lines": True}, batch_size=_PAGES_AT_ONCE)
        return Lines.from_pages(page["lines"] for page in pages)

    def user_errors(self, plan_id: str, limit: int) -> list[RunError]:
        """Return the first ``limit`` recorded failures of users, in order."""
        return self._errors({"plan_id": plan_id, "kind": "users"}, limit)[1]

    def invalid_holdings(self, plan_id: str, limit: int) -> tuple[int, list[RunError]]:
        """Return the number of holdings that could not be read, and up to ``limit`` of them, in order."""
        members = {"invalid_holdings": True, "invalid_holdings_count": True}
        count = 0
        first: list[RunError] = []
        for page in self._batches.find({"plan_id": plan_id, "kind": "users"}, members).sort("number", ASCENDING):
            count += page.get("invalid_holdings_count", 0)
            first += [RunError(**error) for error in page.get("invalid_holdings", ())[: limit - len(first)]]
        return count, first

    def count_pages_done(self, run_id: str) -> int:
        """Return the number of pages with a recorded outcome."""
        return self._batches.count_documents({"run_id": run_id, "kind": "users", "outcome": {"$exists": True}})

    def delete(self, run_id: str) -> None:
        """Delete the plans of a finished run."""
        self._batches.delete_many({"run_id": run_id})

    def adopt_symbols(self, attempt: str, plan_id: str) -> None:
        """Make the batches of symbols that were written under an attempt's own id those of the plan."""
        self._batches.update_many({"plan_id": attempt, "kind": "symbols"}, {"$set": {"plan_id": plan_id}})

    def delete_plan(self, plan_id: str) -> None:
        """Delete a plan that does not count."""
        self._batches.delete_many({"plan_id": plan_id})

    def _write(self, run_id: str, plan_id: str, kind: BatchKind, contents: Iterable[Document]) -> None:
        documents = [
            {"run_id": run_id, "plan_id": plan_id, "kind": kind, "number": number, **content}
            for number, content in enumerate(contents)
        ]
        bulk_write(self._batches, [InsertOne(document) for document in documents])

    def _errors(self, query: Document, limit: int) -> tuple[int, list[RunError]]:
        count = 0
        first: list[RunError] = []
        for batch in self._batches.find(query, {"errors": True}).sort("number", ASCENDING):
            errors = batch.get("errors", [])
            count += len(errors)
            first += [RunError(**error) for error in errors[: limit - len(first)]]
        return count, first

    def _set(self, plan_id: str, kind: BatchKind, number: int, values: Document) -> None:
        query = {"plan_id": plan_id, "kind": kind, "number": number}
        self._batches.update_one(query, {"$set": values})


def _prepared_to_document(prices: PreparedPrices) -> Document:
    """Return the arrays as blocks of little-endian numbers, days as integers since 1970-01-01, the others as float64.

    A batch of 100 symbols over 1,260 days is 1 MB; the limit of a MongoDB document is 16 MB.
    """
    return {
        "form": PRICES_FORM,
        "as_of": prices.as_of.isoformat(),
        "newest": prices.newest,
        "symbols": list(prices.symbols),
        "dates": prices.dates.astype(_DAYS).tobytes(),
        "first_day": prices.first_day.astype(_DAYS).tobytes(),
        "day_before": prices.day_before.astype(np.int64).tobytes(),
        "included": prices.included.tobytes(),
        **{name: getattr(prices, name).astype(_NUMBERS).tobytes() for name in _NUMBER_ARRAYS},
        "payments": {
            "column": prices.payments.column.astype(np.int64).tobytes(),
            "day": prices.payments.day.astype(_DAYS).tobytes(),
            "amount": prices.payments.amount.astype(_NUMBERS).tobytes(),
            "without": prices.payments.without.tobytes(),
        },
        "figures": msgspec.msgpack.encode(prices.figures),
        "later_splits": msgspec.msgpack.encode(prices.later_splits),
        "issues": msgspec.to_builtins(prices.issues),
        "run_issues": msgspec.to_builtins(prices.run_issues),
    }


def _prepared_from_document(document: Document) -> PreparedPrices:
    """Return the prices that :func:`_prepared_to_document` encoded."""
    symbols = tuple(document["symbols"])
    arrays: dict[str, Floats] = {
        name: np.frombuffer(document[name], _NUMBERS).astype(np.float64, copy=False) for name in _NUMBER_ARRAYS
    }
    arrays["returns"] = arrays["returns"].reshape(len(symbols), len(arrays["benchmark_returns"]))
    arrays["episode_returns"] = arrays["episode_returns"].reshape(len(EPISODES), len(symbols))
    return PreparedPrices(
        as_of=date.fromisoformat(document["as_of"]),
        newest=document["newest"],
        dates=np.frombuffer(document["dates"], _DAYS).astype("datetime64[D]"),
        symbols=symbols,
        first_day=np.frombuffer(document["first_day"], _DAYS).astype(np.int64),
        day_before=np.frombuffer(document["day_before"], np.int64).astype("datetime64[D]"),
        included=np.frombuffer(document["included"], np.bool_),
        payments=_payments_from_document(document["payments"]),
        figures=_FIGURES.decode(document["figures"]),
        later_splits=msgspec.msgpack.decode(document["later_splits"], type=dict[str, float]),
        issues=msgspec.convert(document["issues"], tuple[SymbolIssue, ...]),
        run_issues=msgspec.convert(document["run_issues"], tuple[SymbolIssue, ...]),
        **arrays,
    )


def _payments_from_document(document: Document) -> Payments:
    return Payments(
        column=np.frombuffer(document["column"], np.int64),
        day=np.frombuffer(document["day"], _DAYS).astype("datetime64[D]"),
        amount=np.frombuffer(document["amount"], _NUMBERS).astype(np.float64),
        without=np.frombuffer(document["without"], np.bool_),
    )
