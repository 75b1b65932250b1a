"""The reports: one document per run and user, and beside it a short one, the summary for lists."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, override

import bson
import msgspec
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne

from analysis.models import Decision, Report, Research
from records import FIGURES, Outcome, RunError, SortField, Summary, Wanted
from stores.indexes import Indexed, Indexes
from stores.mongo import Document, DocumentDatabase, Documents, bulk_write, insert_new
from stores.upgrades import report_of_today, summary_of_today

_MEMBERS = tuple(member.name for member in fields(Report))
_OF_SUMMARY = {"_id": False, **dict.fromkeys((member.name for member in fields(Summary)), True)}
# Sorts after every character that an id may have.
_LAST_CHARACTER = "\U0010ffff"
# The 16 MB limit of MongoDB, minus some room for the key it adds.
_LARGEST_DOCUMENT = 16 * 2**20 - 1024


class Unwritable(Exception):
    """The report fits no document. The message contains the reason, without any value."""


class _Encoded(RawBSONDocument):
    """A document in the driver's wire format. The driver's check for an empty one would decode all of it."""

    def __bool__(self) -> bool:
        return True


class Shared:
    """The parts that many reports of a run embed, in the driver's wire format: encoded only once.

    They are the research of each symbol, and the decisions about it that do not depend on a portfolio.
    """

    def __init__(self, research: Iterable[Research] = (), decisions: Iterable[Decision] = ()) -> None:
        self.research = {found.symbol: _embedded(msgspec.to_builtins(found)) for found in research}
        # Keyed by identity: hashing a decision would take as long as encoding it. Safe, since all stay referenced.
        self._shared_decisions = tuple(decisions)
        self._decisions = {id(decision): _embedded(_decision(decision)) for decision in self._shared_decisions}

    def decisions(self, decisions: Sequence[Decision]) -> list[Mapping[str, Any]]:
        """Return decisions as documents embed them, whether or not they are shared."""
        known = map(self._decisions.get, map(id, decisions))
        return [
            _decision(decision) if encoded is None else encoded
            for decision, encoded in zip(decisions, known, strict=True)
        ]


class ReportStore(Indexed):
    """Reports by ``run_id`` and ``user_id``, each with its summary for lookups, counts, sorting and lists.

    Separate, since a report is a hundred times as long, and a list or count of many would read all of it. A report is
    written before its summary and deleted after it: every summary has its report.
    """

    def __init__(self, database: DocumentDatabase) -> None:
        self._reports = database["portfolio_analyses"]
        self._summaries = database["portfolio_summaries"]

    @override
    def indexes(self) -> Indexes:
        """Return the keys, and for summaries one index per figure to sort by, read forwards or backwards."""
        run, user = ("run_id", ASCENDING), ("user_id", ASCENDING)
        key = IndexModel([run, user], name="run_id_user_id", unique=True)
        indexes = [
            key,
            IndexModel([run, ("status", ASCENDING), user], name="run_id_status_user_id"),
            IndexModel([run, ("crossed", ASCENDING), user], name="run_id_crossed_user_id"),
        ]
        indexes += [IndexModel([run, (figure, ASCENDING), user], name=f"run_id_{figure}") for figure in FIGURES]
        return [(self._reports, [key]), (self._summaries, indexes)]

    def save(self, reports: Sequence[Report], shared: Shared) -> dict[str, str]:
        """Store the reports, each holding with the research of its symbol; a repetition replaces them.

        Returns, by user id, why a report cannot be stored: such a report must not affect the others.
        """
        documents: list[tuple[Document, _Encoded]] = []
        summaries: list[tuple[Document, _Encoded]] = []
        refused: dict[str, str] = {}
        for report in reports:
            try:
                document, line = _encoded(report, shared)
            except Unwritable as error:
                refused[report.user_id] = str(error)
            else:
                key = {"run_id": report.run_id, "user_id": report.user_id}
                documents.append((key, document))
                summaries.append((key, line))
        if documents:
            _write(self._reports, documents)
            _write(self._summaries, summaries)
        return refused

    def complete(self, run_id: str) -> None:
        """Write the missing summaries of a writer that died between report and summary."""
        of_run, user_id = {"run_id": run_id}, {"_id": False, "user_id": True}
        listed = {summary["user_id"] for summary in self._summaries.find(of_run, user_id)}
        for key in self._reports.find(of_run, user_id):
            if key["user_id"] not in listed and (report := self.get(run_id, key["user_id"])) is not None:
                _write(self._summaries, [(of_run | key, _line(report))])

    def get(self, run_id: str, user_id: str) -> Document | None:
        """Return a report in the form of today, or ``None`` if there is none."""
        report = self._reports.find_one({"run_id": run_id, "user_id": user_id}, {"_id": False})
        return None if report is None else report_of_today(report)

    def first(self, run_ids: Iterable[str], user_id: str) -> Document | None:
        """Return the user's report from the first of these runs that has one: nearly always the very first."""
        return next((report for run_id in run_ids if (report := self.get(run_id, user_id))), None)

    def outcome(self, run_id: str) -> Outcome:
        """Return the numbers of reports of a run by status."""
        # An index covers this: a server-side count per status takes eight times as long where it is not covered.
        statuses = self._summaries.find({"run_id": run_id}, {"_id": False, "status": True})
        return Outcome(**Counter(document["status"] for document in statuses))

    def failures(self, run_id: str, limit: int) -> list[RunError]:
        """Return the first ``limit`` failed users of a run, by user id."""
        fields = {"user_id": True, "reason": True, "error": True}
        documents = (
            self._summaries.find({"run_id": run_id, "status": "failed"}, fields).sort("user_id", ASCENDING).limit(limit)
        )
        return [RunError(d["user_id"], d["reason"], d["error"]) for d in documents]

    def failed_user_ids(self, run_id: str) -> Iterator[str]:
        """Yield the users that failed in a run, by id."""
        failed = self._summaries.find({"run_id": run_id, "status": "failed"}, {"_id": False, "user_id": True})
        return (document["user_id"] for document in failed.sort("user_id", ASCENDING))

    def purge(self, run_id: str, limit: int) -> int:
        """Delete up to ``limit`` reports of a run; return how many."""
        some = self._reports.find({"run_id": run_id}, {"_id": False, "user_id": True}).sort("user_id", ASCENDING)
        user_ids = [document["user_id"] for document in some.limit(limit)]
        if user_ids:
            deleted = {"run_id": run_id, "user_id": {"$lte": user_ids[-1]}}
            self._summaries.delete_many(deleted)
            self._reports.delete_many(deleted)
        return len(user_ids)

    def summaries(
        self,
        run_id: str,
        *,
        limit: int,
        wanted: Wanted,
        sort: SortField,
        descending: bool,
        after: tuple[float | None, str] | None,
    ) -> list[Summary]:
        """Return up to ``limit`` of the ``wanted`` summaries of a run in order, starting after that figure and user id.

        Ties are ordered by user id, in the same direction; users without the figure come last in either order.
        """
        base: Document = {"run_id": run_id, **_conditions(wanted)}
        if sort == "user_id":
            if after is not None:
                base = _and_user_id(base, "$lt" if descending else "$gt", after[1])
            return self._find(base, [("user_id", DESCENDING if descending else ASCENDING)], limit)
        found: list[Summary] = []
        if after is None or after[0] is not None:
            direction = DESCENDING if descending else ASCENDING
            order: list[tuple[str, int]] = [(sort, direction), ("user_id", direction)]
            found = self._find(base | _beyond(sort, after, descending=descending), order, limit)
        if len(found) < limit:
            rest: Document = base | {sort: None}
            if after is not None and after[0] is None:
                rest = _and_user_id(rest, "$gt", after[1])
            found += self._find(rest, [("user_id", ASCENDING)], limit - len(found))
        return found

    def _find(self, query: Document, order: list[tuple[str, int]], limit: int) -> list[Summary]:
        documents = self._summaries.find(query, _OF_SUMMARY).sort(order).limit(limit)
        return [msgspec.convert(summary_of_today(document), Summary) for document in documents]


def report_document(report: Report, shared: Shared) -> Document:
    """Return the report as the API shows it: each holding with the research of its symbol, if there is any."""
    own = {name: getattr(report, name) for name in _MEMBERS}
    document: Document = msgspec.to_builtins(own | {"decisions": ()})
    document["decisions"] = shared.decisions(report.decisions)
    for holding in document["holdings"]:
        holding["research"] = shared.research.get(holding["symbol"])
    for entry in document["stress"] or ():
        entry["return"] = entry.pop("return_")  # a Python keyword, which no record can use as a name
    return document


def summarize(report: Document) -> Summary:
    """Return the list entry of a stored report."""
    statuses = [check["status"] for check in report["checks"] or ()]
    valuation, risk = report["valuation"] or {}, report["risk"] or {}
    return Summary(
        user_id=report["user_id"],
        status=report["status"],
        reason=report["reason"],
        market_value=valuation.get("market_value"),
        annual_volatility=risk.get("annual_volatility"),
        max_drawdown=risk.get("max_drawdown"),
        value_at_risk_95=risk.get("value_at_risk_95"),
        warnings=statuses.count("warning"),
        breaches=statuses.count("breach"),
        unknowns=statuses.count("unknown"),
        complete=valuation.get("complete"),
    )


def _write(collection: Documents, documents: Sequence[tuple[Document, _Encoded]]) -> None:
    """Insert the new documents, nearly always all, at half the cost of a lookup first; replace existing ones."""
    existing = [documents[position] for position in insert_new(collection, [document for _, document in documents])]
    bulk_write(collection, [ReplaceOne(key, document) for key, document in existing])


def _encoded(report: Report, shared: Shared) -> tuple[_Encoded, _Encoded]:
    """Return a report and its summary as documents."""
    try:
        document = report_document(report, shared)
        encoded, line = bson.encode(document), _line(document)
    except Exception as error:
        raise Unwritable(f"The report cannot be written as a document: {type(error).__name__}") from error
    if len(encoded) > _LARGEST_DOCUMENT:
        raise Unwritable("The report is too large for a document.")
    return _Encoded(encoded), line


def _embedded(document: Document) -> RawBSONDocument:
    return RawBSONDocument(bson.encode(document))


def _decision(decision: Decision) -> Document:
    document: Document = msgspec.to_builtins(decision)
    document["confidence"] = decision.strength  # its name in older reports, for their readers
    return document


def _conditions(wanted: Wanted) -> Document:
    conditions: Document = {} if wanted.status is None else {"status": wanted.status}
    if wanted.check is not None:
        statuses = ("warning", "breach") if wanted.check_status is None else (wanted.check_status,)
        conditions["crossed"] = {"$in": [f"{wanted.check}:{status}" for status in statuses]}
    if prefix := wanted.user_id_prefix:
        conditions["user_id"] = {"$gte": prefix, "$lt": prefix + _LAST_CHARACTER}
    return conditions


def _and_user_id(query: Document, operator: str, user_id: str) -> Document:
    """Add a bound on the user id. Two bounds of one kind do not fit one condition, so the tighter one counts."""
    bounds = dict(query.get("user_id", {}))
    if operator in bounds:
        user_id = min(bounds[operator], user_id)
    return query | {"user_id": bounds | {operator: user_id}}


def _line(report: Document) -> _Encoded:
    """Return the document for lists: the summary, the checks that are not ok, and the reason of a failure."""
    crossed = [f"{check['rule']}:{check['status']}" for check in report["checks"] or () if check["status"] != "ok"]
    summary: Document = msgspec.to_builtins(summarize(report))
    return _Encoded(bson.encode({"run_id": report["run_id"], **summary, "crossed": crossed, "error": report["error"]}))


def _beyond(field: str, after: tuple[float | None, str] | None, *, descending: bool) -> Document:
    if after is None:
        return {field: {"$ne": None}}
    value, user_id = after
    beyond = "$lt" if descending else "$gt"
    return {"$or": [{field: {beyond: value}}, {field: value, "user_id": {beyond: user_id}}]}
