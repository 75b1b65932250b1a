"""Timer triggers, as the host's timer extension fires them (``TimerListener``, ``ScheduleMonitor``)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from copy import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from devhost.errors import InvocationError, StartError
from devhost.messages import FunctionInfo
from devhost.platform_settings import disabled_functions
from schedules import Schedule, ScheduleError

_SETTING = re.compile(r"%([^%]+)%")
_NEVER = datetime.min.replace(tzinfo=UTC)
_EVERY_MINUTE = Schedule.read("0 * * * * *")

type Invoke = Callable[[str, str], Awaitable[Any]]


class ScheduleStatus(msgspec.Struct, frozen=True, rename="pascal"):
    """The last and the next time of a timer, as in the trigger's payload."""

    last: datetime
    next: datetime
    last_updated: datetime


class Timer:
    """One timer function, fired when due and never twice at once."""

    def __init__(self, function: FunctionInfo, environment: Mapping[str, str], data_dir: Path | None) -> None:
        """Resolve and check the schedule and the retry policy.

        If the host would leave out this one function with a log line, the local host does not start.

        Raises:
            StartError: the setting it names is missing, the schedule breaks a rule, or the policy is not
                supported here.
        """
        self.function = function.name
        self._disabled = function.name.lower() in disabled_functions(environment)
        self._schedule = _schedule(function, environment)
        self._retries, self._delay_seconds = _retry_policy(function)
        # A timer that is due several times per minute stores no status and logs no lines.
        self._monitored = not _due_several_times_a_minute(self._schedule)
        self._file = data_dir / "timers" / f"{self.function}.json" if data_dir and self._monitored else None
        self._status = self._remembered(_now())

    def payload(self, *, past_due: bool = False) -> str:
        """Return the trigger's JSON."""
        status = msgspec.to_builtins(self._status, builtin_types=(datetime,))
        dates = {name: value.isoformat() for name, value in status.items()} if self._monitored else None
        payload = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": dates, "IsPastDue": past_due}
        return msgspec.json.encode(payload).decode()

    async def run(self, invoke: Invoke) -> None:
        """Fire whenever due, first for a time missed while the host was down; runs until canceled."""
        if self._disabled:
            return
        self._write_status(self._remembered(_now()))  # a time missed during the host's start was never announced
        if self._status.next < _now():
            await self._fire(invoke, past_due=True)
        while True:
            await asyncio.sleep((self._status.next - _now()).total_seconds())
            await self._fire(invoke, past_due=False)

    async def _fire(self, invoke: Invoke, *, past_due: bool) -> None:
        fired = max(self._status.next, _now())
        done = ScheduleStatus(fired, self._schedule.after(fired), fired)
        for left in range(self._retries, -1, -1):
            try:
                await invoke(self.function, self.payload(past_due=past_due))
                break
            except InvocationError:  # logged by the worker
                if left:
                    await self._pause(done)
        # Only now, so that after a crash in between it is past due at the next start.
        self._write_status(done)

    async def _pause(self, done: ScheduleStatus) -> None:
        try:
            await asyncio.sleep(self._delay_seconds)
        except asyncio.CancelledError:
            # A stopped host does not retry, and counts this occurrence as done: nothing is past due afterwards.
            self._write_status(done)
            raise

    def _remembered(self, now: datetime) -> ScheduleStatus:
        """Return the status of the last start; under a changed schedule, missed times do not become past due."""
        known = self._read_status()
        if known is None:
            return ScheduleStatus(_NEVER, self._schedule.after(now), now)
        since = known.last if known.last != _NEVER else known.last_updated
        following = self._schedule.after(since)
        if following == known.next:
            return known
        if following < now:
            since, following = now, self._schedule.after(now)
        return ScheduleStatus(_NEVER, following, since)

    def _read_status(self) -> ScheduleStatus | None:
        if self._file is None or not self._file.exists():
            return None
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=ScheduleStatus)
        except msgspec.DecodeError as error:
            raise StartError(f"{self._file} is ill-formed ({error}): remove it") from None

    def _write_status(self, status: ScheduleStatus) -> None:
        self._status = status
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new = self._file.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(status))
            new.replace(self._file)  # after a kill, the old or the new file is there


def _now() -> datetime:
    return datetime.now(UTC)


def _retry_policy(function: FunctionInfo) -> tuple[int, float]:
    """Return the number of retries, and the seconds between them. Without a policy an exception is not retried."""
    policy = function.retry_policy
    if policy is None:
        return 0, 0.0
    if policy.strategy != "fixed_delay" or policy.max_retry_count < 0:
        raise StartError(f"function {function.name}: the local host supports only fixed_delay retries with a limit")
    return policy.max_retry_count, policy.delay_seconds


def _schedule(function: FunctionInfo, environment: Mapping[str, str]) -> Schedule:
    expression = str(function.trigger["schedule"])
    for name in _SETTING.findall(expression):
        if not environment.get(name):
            raise StartError(f"{name} is missing: the schedule of function {function.name} is %{name}%")
    expression = _SETTING.sub(lambda found: environment[found[1]], expression)
    try:
        return Schedule.read(expression)
    except ScheduleError as error:
        raise StartError(f"function {function.name}: its schedule {expression!r} {error}") from None


def _due_several_times_a_minute(schedule: Schedule) -> bool:
    rest = replace(schedule, expression=_EVERY_MINUTE.expression, seconds=_EVERY_MINUTE.seconds)
    return rest == _EVERY_MINUTE and len(schedule.seconds) > 1
