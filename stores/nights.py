"""What the watchdog knows: since when it knows the schedule, which night waits for its run, and when it fired."""

from dataclasses import dataclass
from datetime import datetime

from stores.mongo import Document, DocumentDatabase

_KEY = {"_id": "nightly_analysis"}
_WATCHDOG = {"_id": "watchdog"}


@dataclass(frozen=True, slots=True)
class Nights:
    """``since`` is when the schedule was first seen; ``awaited`` the missed night whose run is still to be started."""

    since: datetime
    awaited: datetime | None = None


class NightStore:
    """One document of the schedule, which another schedule replaces, and one of the watchdog."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._nights = database["nights"]

    def of(self, schedule: str, now: datetime) -> Nights:
        """Return what is known of the nights of ``schedule``, which is first seen ``now`` if nothing is."""
        known = self._nights.find_one(_KEY | {"schedule": schedule})
        if known is None:
            first: Document = {"schedule": schedule, "since": now, "awaited": None}
            self._nights.update_one(_KEY, {"$set": first}, upsert=True)
            known = first
        return Nights(known["since"], known["awaited"])

    def wait_for(self, night: datetime | None) -> None:
        """Record the night that waits for its run, ``None`` for none."""
        self._nights.update_one(_KEY, {"$set": {"awaited": night}})

    def watched(self, now: datetime) -> None:
        """Record that the watchdog's timer fired."""
        self._nights.update_one(_WATCHDOG, {"$set": {"fired_at": now}}, upsert=True)

    def watched_at(self) -> datetime | None:
        """Return when the watchdog's timer last fired, ``None`` if it never did."""
        known = self._nights.find_one(_WATCHDOG)
        fired_at: datetime | None = None if known is None else known["fired_at"]
        return fired_at
