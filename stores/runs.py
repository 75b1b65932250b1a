"""The records of runs, one document per run, the single source of its state."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import get_args, override

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from records import (
    ACTIVE_STATUSES,
    MAX_ERRORS,
    PHASES,
    Closing,
    KeyTaken,
    NightOfRun,
    Outcome,
    Parameters,
    Phase,
    Plan,
    PlannedRun,
    RequestKey,
    Run,
    RunError,
    RunExists,
    RunStatus,
    Scope,
    user_counts,
)
from stores.indexes import Indexed, Indexes
from stores.mongo import Document, DocumentDatabase
from stores.upgrades import run_of_today

_log = logging.getLogger(__name__)

_ACTIVE = {"$in": list(ACTIVE_STATUSES)}
_LEASE = "portfolio-analysis"
_COMPLETED = {"$in": ["completed", "completed_with_errors"]}
_NEWEST = [("requested_at", DESCENDING), ("run_id", DESCENDING)]
_OF_USERS: Mapping[Scope, Document] = {
    "all": {"user_ids": None, "retry_of": None},
    "some": {"user_ids": {"$ne": None}, "retry_of": None},
    "failed": {"retry_of": {"$ne": None}},
}
_OF_EVERYBODY: Document = {**_OF_USERS["all"], "dry_run": False, "as_of_requested": None}


class RunStore(Indexed):
    """Runs by ``run_id``. Every change of state is one conditional update, so that only one of two takes effect."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._runs = database["portfolio_analysis_runs"]

    @override
    def indexes(self) -> Indexes:
        """Return the keys and the indexes behind the queries here."""
        indexes = [
            IndexModel([("run_id", ASCENDING)], name="run_id", unique=True),
            IndexModel([("request.key", ASCENDING)], name="request_key", unique=True, sparse=True),
            IndexModel(_NEWEST, name="requested_at_run_id"),
            IndexModel([("retry_of", ASCENDING)], name="retry_of", sparse=True),
            IndexModel([("status", ASCENDING), ("requested_at", ASCENDING)], name="status_requested_at"),
            IndexModel([("purged", ASCENDING), ("completed_at", ASCENDING)], name="purged_completed_at"),
            IndexModel([("closing", ASCENDING)], name="closing", sparse=True),
        ]
        return [(self._runs, indexes)]

    def create(
        self,
        run: Run,
        user_ids: Sequence[str] | None,
        request: RequestKey | None = None,
        *,
        version: str | None = None,
    ) -> None:
        """Record a requested run, over all users or only ``user_ids``, with its version of the orchestration.

        Raises:
            KeyTaken: a run is already recorded under the same key of ``request``.
            RunExists: the id is taken.
        """
        # Times stay BSON dates; calendar dates, for which BSON has no type, become ISO strings.
        document: Document = msgspec.to_builtins(run, builtin_types=(datetime,))
        del document["users"]  # follows from the rest
        document |= {
            "user_ids": list(user_ids) if user_ids is not None else None,
            "progressed_at": run.requested_at,
            "purged": False,
            "orchestration_version": version,
        }
        if request is not None:
            document["request"] = asdict(request)
        try:
            self._runs.insert_one(document)
        except DuplicateKeyError:
            earlier = request and self._runs.find_one({"request.key": request.key})
            if earlier:
                raise KeyTaken(earlier["run_id"], earlier["request"]["body"], earlier["requested_at"]) from None
            raise RunExists(run.run_id) from None

    def forget_key(self, run_id: str) -> None:
        """Release the idempotency key of the run for a new request."""
        self._runs.update_one({"run_id": run_id}, {"$unset": {"request": ""}})

    def delete_queued(self, run: Run) -> bool:
        """Delete a run that never started, unless another request adopted it; return whether this call did it."""
        return self._runs.delete_one(_as_requested(run)).deleted_count == 1

    def adopt(self, run: Run, now: datetime, version: str) -> bool:
        """Pass a run that never started to the request of ``now``; return whether this call did it."""
        changes = {"requested_at": now, "progressed_at": now, "orchestration_version": version}
        return self._update(_as_requested(run), changes)

    def get(self, run_id: str) -> Run | None:
        """Return the run, or ``None`` if there is none."""
        document = self._runs.find_one({"run_id": run_id}, _API_MEMBERS)
        return None if document is None else _run(document)

    def requested_user_ids(self, run_id: str) -> list[str] | None:
        """Return the users the run was requested for, ``None`` for all."""
        document = self._runs.find_one({"run_id": run_id}, {"user_ids": True})
        return None if document is None else document["user_ids"]

    def has_key(self, key: str) -> bool:
        """Return whether a run is recorded under this key of a request, other than one that failed before it began."""
        never_began = {"status": "failed", "started_at": None}
        return self._runs.find_one({"request.key": key, "$nor": [never_began]}, {"run_id": True}) is not None

    def is_as_requested(self, run: Run) -> bool:
        """Return whether the run neither started nor ended, and was not adopted by another request."""
        return self._runs.find_one(_as_requested(run), {"run_id": True}) is not None

    def of_everybody_since(self, time: datetime) -> list[Run]:
        """Return the runs of all users as of the newest date that were requested since ``time``; dry ones excepted."""
        return self._find({"requested_at": {"$gte": time}, **_OF_EVERYBODY})

    def newest(self, limit: int, before: tuple[datetime, str] | None, users: Scope | None = None) -> list[Run]:
        """Return up to ``limit`` runs, newest first, older than the run of that request time and id.

        They are of any ``users``, or of these.
        """
        query: Document = {} if users is None else dict(_OF_USERS[users])
        if before is not None:
            time, run_id = before
            query |= {"$or": [{"requested_at": {"$lt": time}}, {"requested_at": time, "run_id": {"$lt": run_id}}]}
        documents = self._runs.find(query, _API_MEMBERS).sort(_NEWEST).limit(limit)
        return [_run(document) for document in documents]

    def newest_night(self) -> Run | None:
        """Return the latest run of everybody as of the newest date that completed."""
        found = self._runs.find({"status": _COMPLETED, **_OF_EVERYBODY}, _API_MEMBERS).sort(_NEWEST).limit(1)
        return next((run for run in map(_read, found) if run is not None), None)

    def last_nights(self, number: int) -> list[str]:
        """Return the runs of the last nights and those that retried them, the oldest first."""
        members = {"run_id": True, "requested_at": True}
        newest = self._runs.find({"status": _COMPLETED, **_OF_EVERYBODY}, members).sort(_NEWEST)
        last = [(own["requested_at"], own["run_id"]) for own in newest.limit(number)]
        found = list(last)
        while last := [run.place for run in self.retries_of([run_id for _, run_id in last])]:
            found += last
        return [run_id for _, run_id in sorted(found)]

    def with_retries(self, run: Run) -> list[Run]:
        """Return a run and its completed retries, over chains, the latest first."""
        found = last = [run]
        while last := self.retries_of([own.run_id for own in last]):
            found = found + last
        return sorted(found, key=lambda own: own.place, reverse=True)

    def retries_of(self, run_ids: Sequence[str]) -> list[Run]:
        """Return the completed retries of some runs, in no order."""
        return self._find({"retry_of": {"$in": list(run_ids)}, "status": _COMPLETED})

    def queued_before(self, time: datetime) -> list[Run]:
        """Return the runs that were requested before ``time`` and never started."""
        return self._find({"status": "queued", "requested_at": {"$lt": time}})

    def active_before(self, time: datetime) -> list[Run]:
        """Return the active runs that were requested before ``time``."""
        return self._find({"status": _ACTIVE, "requested_at": {"$lt": time}})

    def progressed_at(self, run_id: str) -> datetime | None:
        """Return the time of the run's last progress, ``None`` if there is no such run."""
        document = self._runs.find_one({"run_id": run_id}, {"progressed_at": True})
        return None if document is None else document["progressed_at"]

    def version(self, run_id: str) -> str | None:
        """Return the version of the orchestration that the run was requested with, ``None`` if it is unknown."""
        document = self._runs.find_one({"run_id": run_id}, {"orchestration_version": True})
        return None if document is None else document.get("orchestration_version")

    def to_purge(self, before: datetime, limit: int) -> list[Run]:
        """Return up to ``limit`` runs that ended before a time and have not been purged, the oldest first.

        Those whose purge is postponed are left out until then.
        """
        query = {"purged": False, "completed_at": {"$lt": before}, "purge_after": {"$not": {"$gt": datetime.now(UTC)}}}
        documents = self._runs.find(query, _API_MEMBERS).sort("completed_at", ASCENDING).limit(limit)
        return [_run(document) for document in documents]

    def time_of_night(self, number: int) -> datetime | None:
        """Return when a completed night was requested, the newest being number 1; ``None`` if there is none."""
        query = {"status": _COMPLETED, **_OF_EVERYBODY}
        newest = self._runs.find(query, {"requested_at": True}).sort("requested_at", DESCENDING)
        return next((document["requested_at"] for document in newest.skip(number - 1).limit(1)), None)

    def to_leave_to_lake(self, before: datetime, limit: int) -> list[Run]:
        """Return up to ``limit`` runs that ended before a time and were not left to the lake, the oldest first."""
        query = {"purged": False, "completed_at": {"$lt": before}, "left_to_lake": {"$ne": True}}
        documents = self._runs.find(query, _API_MEMBERS).sort("completed_at", ASCENDING).limit(limit)
        return [_run(document) for document in documents]

    def left_to_lake(self, run_id: str) -> None:
        """Record that the reports of the run are no longer here."""
        self._runs.update_one({"run_id": run_id}, {"$set": {"left_to_lake": True}})

    def postpone_purge(self, run_id: str, until: datetime) -> bool:
        """Postpone the purge of the run to a time; return whether this is the first time."""
        was = self._runs.find_one_and_update({"run_id": run_id}, {"$set": {"purge_after": until}})
        return was is not None and "purge_after" not in was

    def purged(self, run_id: str) -> None:
        """Record that only the record of the run is left, which names nobody any more."""
        self._runs.update_one({"run_id": run_id, "user_ids": {"$ne": None}}, {"$set": {"user_ids": []}})
        nobody = {"errors": {"user_id": {"$ne": None}}}
        self._runs.update_one({"run_id": run_id}, {"$set": {"purged": True}, "$pull": nobody})

    def with_reports(self) -> dict[str, bool]:
        """Return all runs, the oldest first, and whether the reports that they made are all in the database."""
        members = {"run_id": True, "status": True, "purged": True}
        found = self._runs.find({}, members).sort([("requested_at", ASCENDING), ("run_id", ASCENDING)])
        completed = _COMPLETED["$in"]
        return {own["run_id"]: own["status"] in completed and not own.get("purged") for own in found}

    def forget(self, user_id: str, *, erase: bool) -> int:
        """Count the runs that were requested for a user or failed for that user, or name the user no more."""
        requested, failed = {"user_ids": user_id}, {"errors.user_id": user_id}
        count = self._runs.count_documents({"$or": [requested, failed]})
        if erase:
            self._runs.update_many(requested, {"$pull": {"user_ids": user_id}})
            self._runs.update_many(failed, {"$pull": {"errors": {"user_id": user_id}}})
        return count

    def start(self, run_id: str, now: datetime) -> bool:
        """Move the run from queued to running; return whether this call did it."""
        changes = {"status": "running", "started_at": now, "progress.phase": "plan", **_progress()}
        return self._update({"run_id": run_id, "status": "queued"}, changes)

    def record_plan(
        self,
        run_id: str,
        plan: Plan,
        parameters: Parameters,
        *,
        as_of: date,
        figures: Document,
        night: NightOfRun | None = None,
    ) -> bool:
        """Record the scope of the run, and ``plan`` for later attempts at planning; return whether this call did it."""
        changes: Document = {
            "night": msgspec.to_builtins(night),
            "plan": msgspec.to_builtins(plan),
            "parameters": msgspec.to_builtins(parameters),
            "as_of": as_of.isoformat(),
            **figures,
        }
        return self._update({"run_id": run_id, "status": _ACTIVE, "plan": None}, changes)

    def record_symbols(
        self, run_id: str, plan: Plan, attempt: str, *, figures: Document, errors: Sequence[RunError]
    ) -> bool:
        """Complete the recorded plan by that of its symbols, collected by ``attempt``; return whether this call did it.

        It is done once.
        """
        changes: Document = {
            "plan": msgspec.to_builtins(plan),
            "symbols_by": attempt,
            **figures,
            "errors": [asdict(error) for error in errors[:MAX_ERRORS]],
        }
        query: Document = {"run_id": run_id, "status": _ACTIVE, "plan.plan_id": plan.plan_id}
        return self._update(query | {"plan.symbol_batches": 0}, changes)

    def symbols_by(self, run_id: str) -> str | None:
        """Return the attempt that collected the symbols of the run's plan, ``None`` if they were planned with it."""
        document = self._runs.find_one({"run_id": run_id}, {"symbols_by": True}) or {}
        return document.get("symbols_by")

    def plan(self, run_id: str) -> Plan | None:
        """Return the recorded plan of the run, ``None`` before there is one."""
        document = self._runs.find_one({"run_id": run_id}, {"plan": True}) or {}
        return msgspec.convert(document.get("plan"), Plan | None)

    def parameters(self, run_id: str) -> Parameters | None:
        """Return the settings that were fixed for the run, ``None`` if none are recorded."""
        document = self._runs.find_one({"run_id": run_id}, {"parameters": True}) or {}
        return msgspec.convert(document.get("parameters"), Parameters | None)

    def night(self, run_id: str) -> NightOfRun | None:
        """Return the night of a run, ``None`` if it belongs to none or is not planned."""
        document = self._runs.find_one({"run_id": run_id}, {"night": True}) or {}
        return msgspec.convert(document.get("night"), NightOfRun | None)

    def planned_run(self, run_id: str, settings: object) -> PlannedRun | None:
        """Return the run for one of its steps, ``None`` if the step has nothing to do: the run is over or canceled.

        The ``settings`` are for a run that was planned by a version of the app that recorded no parameters.

        Raises:
            LookupError: the run was never planned.
        """
        members = _API_MEMBERS | dict.fromkeys(("plan", "parameters", "user_ids", "night"), True)
        document = self._runs.find_one({"run_id": run_id}, members)
        run = None if document is None else _run(document)
        if document is None or run is None or not run.has_work:
            return None
        if run.as_of is None or document.get("plan") is None:
            raise LookupError(f"{run_id} was never planned")
        recorded = msgspec.convert(document.get("parameters"), Parameters | None)
        of_all_users = run.retry_of is None and document["user_ids"] is None
        parameters = recorded or Parameters.of(settings)
        asked_on, currencies = run.requested_at.astimezone(UTC).date(), tuple(document["plan"].get("currencies", ()))
        night = msgspec.convert(document.get("night"), NightOfRun | None)
        return PlannedRun(run.as_of, run.dry_run, of_all_users, parameters, asked_on, currencies, night)

    def reach(self, run_id: str, phase: Phase) -> None:
        """Record the start of a step of ``phase``. A late call cannot move the run back."""
        earlier = list(PHASES[: PHASES.index(phase)])
        query: Document = {"run_id": run_id, "status": _ACTIVE}
        if not self._update(query | {"progress.phase": {"$in": earlier}}, {"progress.phase": phase, **_progress()}):
            self._update(query, _progress())

    def page_done(self, run_id: str, outcome: Outcome) -> None:
        """Add a page to the visible progress; called once per page. The end of the run counts again."""
        added = {"progress.pages_done": 1, **user_counts(outcome)}
        query, changes = {"run_id": run_id, "status": _ACTIVE}, {"$inc": added, "$set": _progress()}
        self._runs.update_one(query, changes)

    def request_cancel(self, run_id: str, now: datetime) -> bool:
        """Request an early end of an active run; return whether there was an active one."""
        return self._update({"run_id": run_id, "status": _ACTIVE}, {"cancel_requested_at": now})

    def finish(self, run_id: str, status: RunStatus, changes: Document) -> bool:
        """Move an active run to its final state; return whether this call did it.

        A run that is being canceled takes no other final state, whichever request came first.
        """
        query: Document = {"run_id": run_id, "status": _ACTIVE}
        if status != "canceled":
            query["cancel_requested_at"] = None
        return self._update(query, {"status": status, "closing": "recorded", **changes})

    def take_log(self, run_id: str) -> bool:
        """Claim the log line of a run's end; return False if it is logged or claimed already."""
        return self._update({"run_id": run_id, "closing": "recorded"}, {"closing": "logging"})

    def give_back_log(self, run_id: str) -> None:
        """Release the claim on the log line of a run's end, after its owner died or got stuck."""
        self._update({"run_id": run_id, "closing": "logging"}, {"closing": "recorded"})

    def set_closing(self, run_id: str, closing: Closing | None) -> None:
        """Record the progress of closing a finished run, ``None`` for all of it, which includes the log."""
        query: Document = {"run_id": run_id}
        if closing is None:
            self._runs.update_one(query | {"closing": "logged"}, {"$unset": {"closing": ""}})
        else:
            self._runs.update_one(query, {"$set": {"closing": closing}})

    def half_closed(self, before: datetime) -> list[Run]:
        """Return the runs that reached their final state before a time, and whose closing was interrupted."""
        return self._find({"closing": {"$in": list(get_args(Closing.__value__))}, "completed_at": {"$lt": before}})

    def recount(self, run: Run, outcome: Outcome, errors: Sequence[RunError], errors_count: int) -> None:
        """Correct counts and errors of a finished run, unless they differ from those of ``run`` by now.

        Whether the run is completed with or without errors follows from them.
        """
        was = user_counts(Outcome(run.users_analyzed, run.users_skipped, run.users_failed))
        query = {"run_id": run.run_id, "status": {"$nin": list(ACTIVE_STATUSES)}, **was}
        corrected: Document = {"errors": [asdict(error) for error in errors], "errors_count": errors_count}
        if run.is_completed:
            corrected["status"] = "completed_with_errors" if errors_count else "completed"
        self._update(query, user_counts(outcome) | corrected)

    def _find(self, query: Document) -> list[Run]:
        found = map(_read, self._runs.find(query, _API_MEMBERS))
        return [run for run in found if run is not None]

    def _update(self, query: Document, changes: Document) -> bool:
        return self._runs.update_one(query, {"$set": changes}).matched_count == 1


class RunLease:
    """The run lease: one active run at a time, guaranteed by one document with a fixed key.

    Acquiring it is one atomic insert; there is never a check followed by a later write.
    """

    def __init__(self, database: DocumentDatabase) -> None:
        self._leases = database["run_leases"]

    def acquire(self, run_id: str, now: datetime) -> str | None:
        """Take the lease for ``run_id``; return ``None`` on success, else the id of the run that holds it."""
        while True:
            try:
                self._leases.insert_one({"_id": _LEASE, "run_id": run_id, "acquired_at": now})
            except DuplicateKeyError:
                if (holder := self.holder()) is not None:
                    return holder
                # Released between the two calls: retry.
            else:
                return None

    def holder(self) -> str | None:
        """Return the id of the run that holds the lease, if any."""
        document = self._leases.find_one({"_id": _LEASE})
        return None if document is None else str(document["run_id"])

    def take_over(self, holder: str, run_id: str, now: datetime) -> bool:
        """Take the lease from ``holder``, whose run must be over; return whether it was still the holder."""
        update = {"$set": {"run_id": run_id, "acquired_at": now}}
        return self._leases.update_one({"_id": _LEASE, "run_id": holder}, update).matched_count == 1

    def release(self, run_id: str) -> None:
        """Release the lease if ``run_id`` holds it."""
        self._leases.delete_one({"_id": _LEASE, "run_id": run_id})


def _run(document: Document) -> Run:
    users: Scope = "all" if document.get("user_ids") is None else "some"
    return msgspec.convert(run_of_today(document) | {"users": "failed" if document.get("retry_of") else users}, Run)


def _read(document: Document) -> Run | None:
    """Return the run, ``None`` if this version of the app cannot read it: it must not keep others from being closed."""
    try:
        return _run(document)
    except msgspec.ValidationError as error:
        _log.error("The record of a run cannot be read (run_id=%s): %s", document.get("run_id"), error)
        return None


def _as_requested(run: Run) -> Document:
    """Return the query for a run that neither started nor was adopted by another request."""
    return {"run_id": run.run_id, "status": "queued", "requested_at": run.requested_at}


def _progress() -> Document:
    return {"progressed_at": datetime.now(UTC)}


_API_MEMBERS: Document = {
    "_id": False,
    **dict.fromkeys(Run.__dataclass_fields__, True),
    "user_ids": {"$slice": 1},  # there are any number, and whether there are some tells whose run it is
}
