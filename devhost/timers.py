"""Timer triggers: six-field NCRONTAB schedules in UTC, and the status that makes a missed one past due."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from croniter import croniter

from devhost.errors import InvocationError, StartError
from devhost.messages import FunctionInfo

_FIELDS = 6
_SETTING = re.compile(r"%([^%]+)%")
_NEVER = datetime.min.replace(tzinfo=UTC)

type Invoke = Callable[[str, str], Awaitable[Any]]


class ScheduleStatus(msgspec.Struct, frozen=True, rename="pascal"):
    """When a timer fired last and is due next, as in the trigger's payload."""

    last: datetime
    next: datetime
    last_updated: datetime


class Timer:
    """One timer function, fired when it is due and never twice at once."""

    def __init__(self, function: FunctionInfo, environment: Mapping[str, str], data_dir: Path | None) -> None:
        """Resolve and check the schedule and the retry policy.

        Raises:
            StartError: the setting it names is missing, the expression is no six-field NCRONTAB, or the policy is not
                the one known here.
        """
        self.function = function.name
        self._schedule = _resolved(function, environment)
        if len(self._schedule.split()) != _FIELDS or not croniter.is_valid(self._schedule, second_at_beginning=True):
            raise StartError(
                f"function {self.function}: the schedule '{self._schedule}' is no six-field NCRONTAB expression"
            )
        self._retries, self._delay_seconds = _retry_policy(function)
        self._file = data_dir / "timers" / f"{self.function}.json" if data_dir else None
        self._status = self._read_status() or ScheduleStatus(_NEVER, self._after(_now()), _now())

    def payload(self, *, past_due: bool = False) -> str:
        """The trigger's JSON."""
        status = msgspec.to_builtins(self._status, builtin_types=(datetime,))
        dates = {name: value.strftime("%4Y-%m-%dT%H:%M:%S+00:00") for name, value in status.items()}
        payload = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": dates, "IsPastDue": past_due}
        return msgspec.json.encode(payload).decode()

    async def run(self, invoke: Invoke) -> None:
        """Fire whenever due, first of all what became due while the host was down; runs until cancelled."""
        self._write_status(self._status)
        if self._status.next < _now():
            await self._fire(invoke, past_due=True)
        while True:
            await asyncio.sleep((self._status.next - _now()).total_seconds())
            await self._fire(invoke, past_due=False)

    async def _fire(self, invoke: Invoke, *, past_due: bool) -> None:
        due = self._status.next
        for left in range(self._retries, -1, -1):
            try:
                await invoke(self.function, self.payload(past_due=past_due))
                break
            except InvocationError:  # logged by the worker
                if left:
                    await asyncio.sleep(self._delay_seconds)
        # Only now, so that a crash meanwhile makes it past due at the next start.
        fired = _now() if past_due else max(due, _now())
        self._write_status(ScheduleStatus(fired, self._after(fired), fired))

    def _after(self, moment: datetime) -> datetime:
        following: datetime = croniter(self._schedule, moment, second_at_beginning=True).get_next(datetime)
        return following

    def _read_status(self) -> ScheduleStatus | None:
        if self._file is None or not self._file.exists():
            return None
        return msgspec.json.decode(self._file.read_bytes(), type=ScheduleStatus)

    def _write_status(self, status: ScheduleStatus) -> None:
        self._status = status
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_bytes(msgspec.json.encode(status))


def _now() -> datetime:
    return datetime.now(UTC)


def _retry_policy(function: FunctionInfo) -> tuple[int, float]:
    """Give the number of retries, and the seconds between them. Without a policy an exception is not retried."""
    policy = function.retry_policy
    if policy is None:
        return 0, 0.0
    if policy.strategy != "fixed_delay":
        raise StartError(f"function {function.name}: the local host knows retries of fixed_delay only")
    return policy.max_retry_count, policy.delay_seconds


def _resolved(function: FunctionInfo, environment: Mapping[str, str]) -> str:
    schedule = str(function.trigger["schedule"])
    for name in _SETTING.findall(schedule):
        if not environment.get(name):
            raise StartError(f"{name} is missing: the schedule of function {function.name} is %{name}%")
    return _SETTING.sub(lambda found: environment[found[1]], schedule)
