"""The records of runs: one document a run, the truth about where it stands."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from stores.mongo import Document, DocumentDatabase, ensure_indexes
from stores.records import ACTIVE_STATUSES, MAX_ERRORS, PHASES, Outcome, Phase, Run, RunError, RunExists, RunStatus

_ACTIVE = {"$in": list(ACTIVE_STATUSES)}


class RunStore:
    """Runs by ``run_id``. Every change of state is one conditional update, so that of two only one takes effect."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._runs = database["portfolio_analysis_runs"]

    def ensure_indexes(self) -> None:
        """Create the key and the indexes behind the queries here."""
        newest = [("requested_at", DESCENDING), ("run_id", DESCENDING)]
        indexes = [
            IndexModel([("run_id", ASCENDING)], name="run_id", unique=True),
            IndexModel(newest, name="requested_at_run_id"),
            IndexModel([("status", ASCENDING), ("requested_at", ASCENDING)], name="status_requested_at"),
        ]
        ensure_indexes(self._runs, indexes)

    def create(self, run: Run, user_ids: Sequence[str] | None) -> None:
        """Record a run that was asked for, over all users or only ``user_ids``.

        Raises:
            RunExists: the id is taken.
        """
        document = _to_document(run) | {"user_ids": list(user_ids) if user_ids is not None else None}
        try:
            self._runs.insert_one(document)
        except DuplicateKeyError:
            raise RunExists(run.run_id) from None

    def delete_queued(self, run_id: str) -> None:
        """Forget a run that was recorded but never got the lease."""
        self._runs.delete_one({"run_id": run_id, "status": "queued"})

    def get(self, run_id: str) -> Run | None:
        """Give the run, or ``None`` where there is none."""
        document = self._runs.find_one({"run_id": run_id}, _API_MEMBERS)
        return None if document is None else msgspec.convert(document, Run)

    def requested_user_ids(self, run_id: str) -> list[str] | None:
        """Give the users the run was asked for, ``None`` for all."""
        document = self._runs.find_one({"run_id": run_id}, {"user_ids": True})
        return None if document is None else document["user_ids"]

    def newest(self, limit: int, before: tuple[datetime, str] | None) -> list[Run]:
        """Give up to ``limit`` runs, newest first, older than the run of that request time and id."""
        query: Document = {}
        if before is not None:
            time, run_id = before
            query = {"$or": [{"requested_at": {"$lt": time}}, {"requested_at": time, "run_id": {"$lt": run_id}}]}
        order = [("requested_at", DESCENDING), ("run_id", DESCENDING)]
        documents = self._runs.find(query, _API_MEMBERS).sort(order).limit(limit)
        return [msgspec.convert(document, Run) for document in documents]

    def queued_before(self, time: datetime) -> list[Run]:
        """Give the runs that were asked for before ``time`` and never started."""
        documents = self._runs.find({"status": "queued", "requested_at": {"$lt": time}}, _API_MEMBERS)
        return [msgspec.convert(document, Run) for document in documents]

    def start(self, run_id: str, now: datetime) -> bool:
        """Move the run from queued to running; tell whether this call did it."""
        changes = {"status": "running", "started_at": now, "progress.phase": "plan"}
        return self._update({"run_id": run_id, "status": "queued"}, changes)

    def planned(
        self, run_id: str, plan: Document, *, as_of: date, figures: Document, errors: Sequence[RunError]
    ) -> bool:
        """Record what the run set out to do, and ``plan`` for whoever plans again; tell whether this call did it."""
        changes: Document = {
            "plan": plan,
            "as_of": as_of.isoformat(),
            **figures,
            "errors": [asdict(error) for error in errors[:MAX_ERRORS]],
            "errors_count": len(errors),
        }
        return self._update({"run_id": run_id, "status": _ACTIVE, "plan": None}, changes)

    def plan(self, run_id: str) -> Document | None:
        """Give the plan that was recorded for the run, ``None`` before there is one."""
        document = self._runs.find_one({"run_id": run_id}, {"plan": True})
        return None if document is None else document.get("plan")

    def reach(self, run_id: str, phase: Phase) -> None:
        """Record that the run reached ``phase``. A late call cannot move it back."""
        earlier = list(PHASES[: PHASES.index(phase)])
        query = {"run_id": run_id, "status": _ACTIVE, "progress.phase": {"$in": earlier}}
        self._update(query, {"progress.phase": phase})

    def page_done(self, run_id: str, outcome: Outcome) -> None:
        """Add a page to the progress shown; to be called once a page. The end of the run counts anew."""
        figures = {
            "progress.pages_done": 1,
            "users_analyzed": outcome.analyzed,
            "portfolios_analyzed": outcome.analyzed,
            "users_skipped": outcome.skipped,
            "users_failed": outcome.failed,
        }
        self._runs.update_one({"run_id": run_id, "status": _ACTIVE}, {"$inc": figures})

    def finish(self, run_id: str, status: RunStatus, changes: Document) -> bool:
        """Move an active run to its final state; tell whether this call did it."""
        return self._update({"run_id": run_id, "status": _ACTIVE}, {"status": status, **changes})

    def _update(self, query: Document, changes: Document) -> bool:
        return self._runs.update_one(query, {"$set": changes}).matched_count == 1


_API_MEMBERS = {"_id": False, **dict.fromkeys(Run.__dataclass_fields__, True)}


def _to_document(record: Any) -> Document:  # noqa: ANN401 - any record of ours
    # Times stay BSON dates; calendar dates, for which BSON has no type, become ISO strings.
    document: Document = msgspec.to_builtins(record, builtin_types=(datetime,))
    return document
