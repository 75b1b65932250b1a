"""The reports: one document per run and user, with the summary as plain members and the report as a compressed value.

:mod:`stores.report_values` has the form of the value. Lists and counts are the business of :mod:`stores.rankings`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import batched
from typing import override

import bson
import msgspec
from bson.raw_bson import RawBSONDocument
from msgspec import structs
from pymongo import ASCENDING, IndexModel

from analysis.models import Report
from lake.pages import path_of, read_report
from lake.places import Lake
from records import Outcome, RunError, Summary
from stores.indexes import Indexed, Indexes
from stores.lines import Line, Lines, Standing, line_of
from stores.mongo import IDS_PER_LOOKUP, Document, DocumentDatabase, find_each, write_each
from stores.report_values import compressor, decompressed, encoder, held_symbols, joined
from stores.symbols import ResearchStore
from stores.upgrades import report_of_today, summary_of_today

_SUMMARY = Summary.__struct_fields__
_OF_LINE = {"_id": False, "crossed": True, **dict.fromkeys((*_SUMMARY, *Standing.__struct_fields__), True)}
_OF_PATH = {"_id": False, "run_id": True, "as_of": True, "page": True}
_NO_STANDINGS: Mapping[str, Standing] = {}
_LINES_AT_ONCE = 1_000
# The 16 MB limit of MongoDB, minus some room for the key it adds.
_LARGEST_DOCUMENT = 16 * 2**20 - 1024


class _Encoded(RawBSONDocument):
    """A document in the driver's wire format. The driver's check for an empty one would decode all of it."""

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report as it is stored: its ``json`` without research, its ``line`` of lists, and its ``document``."""

    report: Report
    json: bytes
    line: Line
    document: _Encoded


def stored_forms(
    reports: Iterable[Report], page: int | None = None, standings: Mapping[str, Standing] = _NO_STANDINGS
) -> tuple[list[StoredReport], dict[str, str]]:
    """Return the reports of a page as they are stored, and by user id why others cannot be: they affect none of these.

    The number of the ``page`` leads to them in the lake, if they are there; ``standings`` are by user id.
    """
    encode, compress = encoder(), compressor()
    made: list[StoredReport] = []
    refused: dict[str, str] = {}
    for report in reports:
        try:
            json, line = encode(report), line_of(report, standings.get(report.user_id, Standing()))
            document = bson.encode(_document(report, line, page, compress(json)))
        except Exception as error:  # noqa: BLE001 - any error that one user's data may cause
            refused[report.user_id] = f"The report cannot be written as a document: {type(error).__name__}"
            continue
        if len(document) > _LARGEST_DOCUMENT:
            refused[report.user_id] = "The report is too large for a document."
            continue
        made.append(StoredReport(report, json, line, _Encoded(document)))
    return made, refused


class ReportStore(Indexed):
    """Reports by ``run_id`` and ``user_id``; ``research`` has what is joined when one is read.

    The ``lake`` has those of which only the summary is left here.
    """

    def __init__(self, database: DocumentDatabase, research: ResearchStore, lake: Lake | None = None) -> None:
        self._lake = lake
        self._reports = database["portfolio_analyses"]
        self._earlier_summaries = database["portfolio_summaries"]
        self._research = research

    @override
    def indexes(self) -> Indexes:
        """Return the key, and the index behind the failed users and the counts of a run."""
        run, user = ("run_id", ASCENDING), ("user_id", ASCENDING)
        indexes = [
            IndexModel([run, user], name="run_id_user_id", unique=True),
            IndexModel([run, ("status", ASCENDING), user], name="run_id_status_user_id"),
        ]
        return [(self._reports, indexes)]

    def save(self, reports: Sequence[StoredReport]) -> None:
        """Store the reports; a repetition replaces them."""
        keys = ({"run_id": own.report.run_id, "user_id": own.report.user_id} for own in reports)
        write_each(self._reports, [(key, own.document) for key, own in zip(keys, reports, strict=True)])

    def get(self, run_id: str, user_id: str) -> Document | None:
        """Return a report in the form of today, or ``None`` if there is none; raises as :meth:`json`."""
        json = self.json(run_id, user_id)
        return None if json is None else msgspec.json.decode(json)

    def json(self, run_id: str, user_id: str) -> bytes | None:
        """Return the JSON of a report in the form of today, or ``None`` if there is none.

        Raises:
            LakeUnavailable: it is in the lake only, which does not answer.
        """
        document = self._reports.find_one({"run_id": run_id, "user_id": user_id}, {"_id": False})
        if document is None:
            return None
        if "crossed" not in document:  # of an earlier version of the app
            return msgspec.json.encode(report_of_today(document))
        if "report" not in document:
            return self._in_lake(document)
        report = decompressed(document["report"])
        return joined(report, self._research.json(run_id, held_symbols(report)))

    def outcome(self, run_id: str) -> Outcome:
        """Return the numbers of reports of a run by status."""
        # An index covers this: a server-side count per status takes eight times as long where it is not covered.
        statuses = self._reports.find({"run_id": run_id}, {"_id": False, "status": True})
        return Outcome(**Counter(document["status"] for document in statuses))

    def failures(self, run_id: str, limit: int) -> list[RunError]:
        """Return the first ``limit`` failed users of a run, by user id."""
        fields = {"user_id": True, "reason": True, "error": True}
        documents = (
            self._reports.find({"run_id": run_id, "status": "failed"}, fields).sort("user_id", ASCENDING).limit(limit)
        )
        return [RunError(d["user_id"], d["reason"], d["error"]) for d in documents]

    def failed_user_ids(self, run_id: str) -> Iterator[str]:
        """Yield the users that failed in a run, by id."""
        failed = self._reports.find({"run_id": run_id, "status": "failed"}, {"_id": False, "user_id": True})
        return (document["user_id"] for document in failed.sort("user_id", ASCENDING))

    def count_failed(self, run_id: str) -> int:
        """Return the number of users that failed in a run."""
        return self._reports.count_documents({"run_id": run_id, "status": "failed"})

    def lines(self, run_id: str) -> Lines:
        """Return the lines of all reports of a run, in the order of the database, read from their documents."""
        return Lines.from_pages(page.to_bytes() for page in self._pages_of_lines(run_id))

    def _pages_of_lines(self, run_id: str) -> Iterator[Lines]:
        # Earlier versions of the app kept the lines apart from the reports.
        mine = self._reports.find({"run_id": run_id, "crossed": {"$exists": True}}, _OF_LINE)
        some: list[Line] = []
        for documents in (mine, self._earlier_summaries.find({"run_id": run_id}, _OF_LINE)):
            for document in documents:
                crossed = tuple(document.pop("crossed", ()))
                summary, standing = summary_of_today(document), msgspec.convert(document, Standing)
                some.append(Line(msgspec.convert(summary, Summary), crossed, standing))
                if len(some) == _LINES_AT_ONCE:
                    yield Lines(some)
                    some = []
        yield Lines(some)

    def _in_lake(self, document: Document) -> bytes | None:
        if self._lake is None:
            return None
        path = path_of(date.fromisoformat(document["as_of"]), document["run_id"], document["page"])
        return read_report(self._lake, path, document["run_id"], document["user_id"])

    def run_of_each(self, run_ids: Sequence[str], user_ids: Sequence[str]) -> dict[str, str]:
        """Return by user which of the runs has the first report on that user that has not failed, or the first."""
        failed: dict[str, str] = {}
        others: dict[str, str] = {}
        members = {"user_id": True, "status": True}
        left = user_ids
        for run_id in run_ids:
            for document in find_each(self._reports, "user_id", left, members, condition={"run_id": run_id}):
                of_status = failed if document["status"] == "failed" else others
                of_status.setdefault(document["user_id"], run_id)
            left = [user_id for user_id in left if user_id not in others]
        return failed | others

    def total_values(self, run_id: str, currencies: Mapping[str, str]) -> Iterator[tuple[str, date, float]]:
        """Yield user, date and total value of the reports of a run on users, of those with one in their currency.

        ``currencies`` has that of each user: amounts in another one do not compare.
        """
        user_ids, fields = list(currencies), dict.fromkeys(("user_id", "as_of", "currency", "total_value"), True)
        for document in find_each(self._reports, "user_id", user_ids, fields, condition={"run_id": run_id}):
            if "total_value" in document and document.get("currency") == currencies[document["user_id"]]:
                yield document["user_id"], date.fromisoformat(document["as_of"]), document["total_value"]

    def leave_to_lake(self, run_id: str, since: str | None, before: str | None) -> int:
        """Keep only the summaries of the reports in the lake, of a run and on users from one id up to another.

        Return how many reports that were.
        """
        some = _between(run_id, since, before) | {"page": {"$gte": 0}, "report": {"$exists": True}}
        return self._reports.update_many(some, {"$unset": {"report": ""}}).modified_count

    def purge(self, run_id: str, since: str | None, before: str | None) -> None:
        """Delete the reports of a run, on users from one id up to another."""
        some = _between(run_id, since, before)
        # The reports last: as long as there is one, the purge of the run goes on.
        self._earlier_summaries.delete_many(some)
        self._reports.delete_many(some)

    def paths(self, user_id: str, run_ids: Sequence[str]) -> dict[str, str]:
        """Return by run the path of the file of the lake that has its report on a user."""
        found = find_each(self._reports, "run_id", run_ids, condition={"user_id": user_id}, fields=_OF_PATH)
        return {
            document["run_id"]: path_of(date.fromisoformat(document["as_of"]), document["run_id"], document["page"])
            for document in found
            if document.get("page") is not None
        }

    def forget(self, user_id: str, run_ids: Iterable[str], *, erase: bool) -> int:
        """Count the reports and earlier summaries on a user, or delete them."""
        count = 0
        for lot in batched(run_ids, IDS_PER_LOOKUP, strict=False):
            mine: Document = {"run_id": {"$in": list(lot)}, "user_id": user_id}
            for collection in (self._reports, self._earlier_summaries):
                count += collection.delete_many(mine).deleted_count if erase else collection.count_documents(mine)
        return count

    def nth_user_id(self, run_id: str, number: int) -> str | None:
        """Return the id of a user by its place among those of a run, counted from 0; ``None`` if there are fewer."""
        found = self._reports.find({"run_id": run_id}, {"_id": False, "user_id": True}).sort("user_id", ASCENDING)
        return next((document["user_id"] for document in found.skip(number).limit(1)), None)


def _between(run_id: str, since: str | None, before: str | None) -> Document:
    """Return the condition on the reports of a run on users from one id up to another, who is left."""
    bounds = {operator: user_id for operator, user_id in (("$gte", since), ("$lt", before)) if user_id is not None}
    return {"run_id": run_id} | ({"user_id": bounds} if bounds else {})


def _document(report: Report, line: Line, page: int | None, value: bytes) -> Document:
    summary = structs.asdict(line.summary)
    return {
        "run_id": report.run_id,
        "user_id": report.user_id,
        "as_of": report.as_of.isoformat(),
        "currency": report.currency,
        "schema_version": report.schema_version,
        **summary,
        **msgspec.to_builtins(line.standing),
        "crossed": line.crossed,
        "error": report.error,
        "page": page,
        "report": value,
    }
