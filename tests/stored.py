"""What runs stored, read and changed as the app has it: a report is one compressed value of its document."""

from typing import Any

import msgspec

from stores.mongo import DocumentDatabase
from stores.report_values import compressor, decompressed
from stores.reports import ReportStore
from stores.symbols import ResearchStore


def stored_reports(database: DocumentDatabase, **query: object) -> list[dict[str, Any]]:
    """Return the reports that match, as the API shows them, by user id."""
    store = ReportStore(database, ResearchStore(database))
    keys = database.portfolio_analyses.find(query, {"run_id": True, "user_id": True}).sort("user_id", 1)
    found = [store.get(key["run_id"], key["user_id"]) for key in keys]
    return [report for report in found if report is not None]


def change_report(database: DocumentDatabase, run_id: str, user_id: str, **members: object) -> None:
    """Replace members of a stored report."""
    whose = {"run_id": run_id, "user_id": user_id}
    stored = database.portfolio_analyses.find_one(whose)
    assert stored is not None
    report = msgspec.json.decode(decompressed(stored["report"])) | members
    value = compressor()(msgspec.json.encode(report))
    database.portfolio_analyses.update_one(whose, {"$set": {"report": value}})
