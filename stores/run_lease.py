"""The lease of the active run."""

from datetime import datetime

from pymongo.errors import DuplicateKeyError

from stores.mongo import DocumentDatabase

_LEASE = "portfolio-analysis"


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
