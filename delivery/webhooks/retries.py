"""The times of the attempts to deliver an event."""

from datetime import datetime, timedelta

GIVE_UP_AFTER = timedelta(hours=24)
"""After the first attempt: no attempt is later."""

_PAUSES = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
)
"""The last one again and again."""
_JITTER = 0.2


def next_attempt(
    attempts_made: int, first_attempt_at: datetime, now: datetime, retry_after: timedelta | None, chance: float
) -> datetime | None:
    """Return the time of the next attempt after one that failed, ``None`` if there is none.

    The pause after an attempt depends on how many were made and varies by up to 20 % either way with ``chance``, a
    random number from 0 to 1. The receiver's own ``retry_after`` can make it longer, never shorter. An attempt exactly
    24 hours after the first one is made; a later one is not, and no other takes its place.
    """
    pause = _PAUSES[min(attempts_made, len(_PAUSES)) - 1] * (1 + _JITTER * (2 * chance - 1))
    at = now + max(pause, retry_after or timedelta())
    return at if at <= first_attempt_at + GIVE_UP_AFTER else None
