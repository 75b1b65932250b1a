"""A clock that tests advance."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Returns seconds, a little more at each call, like a real clock."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        self.seconds += 1e-6
        return self.seconds

    def utc(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self())

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
