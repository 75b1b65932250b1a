"""The records that the API returns; the document at /api/openapi.json describes exactly these."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from analysis.models import Income, LotMethod, Report, Returns, ReturnsIssue
from analysis.returns.gains import GainTotals, RealizedGain, UnrealizedLot
from functions.http.requests import RunId
from records import (
    Attention,
    AuditEntry,
    BackendUser,
    Book,
    Credential,
    Date,
    EventShown,
    PersonSummary,
    ReceiverShown,
    Run,
    Summary,
    Time,
)  # fmt: skip
from schedules import Schedule

type DependencyState = Literal["ok", "unavailable", "not_configured"]


class Accepted(Struct, frozen=True):
    """A request that is carried out in the background; ``status_url`` shows its progress."""

    status: Literal["started", "canceling"]
    run_id: RunId
    message: str
    status_url: str


class StartedSession(Struct, frozen=True):
    """A session of an administrator: the names in the audit log, and the end if nothing ends it before."""

    actor: str
    credential: Credential
    expires_at: Time


class RunsPage(Struct, frozen=True):
    """Runs, newest first; ``next`` is the cursor of the next page, null on the last one."""

    runs: list[Run]
    next: str | None


class PortfoliosPage(Struct, frozen=True):
    """Summaries of the portfolios of a run; ``next`` is the cursor of the next page, null on the last one."""

    portfolios: list[Summary]
    next: str | None


class PeoplePage(Struct, frozen=True):
    """The people of the newest night; ``next`` is the cursor of the next page, null on the last one.

    If ids are asked for, ``users`` are those of them that the backend has, whether analyzed or not, otherwise null.
    """

    portfolios: list[PersonSummary]
    next: str | None
    users: list[BackendUser] | None


class NamedAttention(Attention, frozen=True):
    """A person that needs attention, with the name, and the run with the report."""

    name: str | None = None
    run_id: RunId | None = None


class BookOfNight(Book, frozen=True):
    """The book of the newest night, with the names of the persons that need attention."""

    attention: tuple[NamedAttention, ...]


class EventsPage(Struct, frozen=True):
    """Events of the outbox, newest first; ``next`` is the cursor of the next page, null on the last one."""

    events: list[EventShown]
    next: str | None


class Webhooks(Struct, frozen=True):
    """The receivers of events."""

    webhooks: list[ReceiverShown]


class Queued(Struct, frozen=True):
    """An event that is on its way to these endpoints."""

    status: Literal["queued"]
    event_id: str
    endpoint_ids: list[str]


class AuditPage(Struct, frozen=True):
    """Entries of the audit log, newest first; ``next`` is the cursor of the next page, null on the last one."""

    entries: list[AuditEntry]
    next: str | None


class EarlierReport(Struct, frozen=True):
    """The user's latest report of an earlier run, or the one of a night; null if there is none."""

    report: Report | None


class Week(Struct, frozen=True):
    """The end of a week: value and money invested, and the growth of both indexes since the sound period began."""

    date: Date
    value: float | None
    invested: float | None
    twr_index: float | None
    benchmark_index: float | None


class ReturnsOfReport(Struct, frozen=True):
    """What a person really earned, by the report, with its weeks by the transactions and prices as they are now."""

    run_id: RunId
    user_id: str
    as_of: Date
    currency: str
    returns: Returns | None
    reason: str | None
    """Why there are no returns."""
    series: list[Week]


class IncomeOfReport(Struct, frozen=True):
    """The income of the last twelve months, by the report."""

    run_id: RunId
    user_id: str
    as_of: Date
    currency: str
    income: Income | None
    reason: str | None
    """Why there is no income."""


class GainsOfYear(Struct, frozen=True):
    """The gains that were realized in a year, and all lots held, by the transactions as they are now."""

    run_id: RunId
    user_id: str
    currency: str
    year: int
    method: LotMethod
    realized: tuple[RealizedGain, ...]
    totals: GainTotals
    unrealized: tuple[UnrealizedLot, ...]
    issues: tuple[ReturnsIssue, ...]


class Timetable(Struct, frozen=True):
    """The times of the nightly run by its schedule in UTC, null while its timer is disabled."""

    schedule: str
    previous: Time | None
    next: Time | None
    disabled: bool
    """The timer is disabled; the nightly run must be started by other means."""
    watchdog: Time | None
    """When the watchdog's timer, due every five minutes, last fired; null if it never did or the database is down."""

    @classmethod
    def at(cls, now: datetime, schedule: Schedule, watchdog: datetime | None, *, disabled: bool) -> "Timetable":
        """Return the times before and after ``now``."""
        if disabled:
            return cls(schedule.expression, None, None, disabled, watchdog)
        return cls(schedule.expression, schedule.before(now), schedule.after(now), disabled, watchdog)


class Dependencies(Struct, frozen=True):
    """The state of each of the app's dependencies."""

    mongodb: DependencyState
    redis: DependencyState
    key_vault: DependencyState
    engine: DependencyState
    schedule: DependencyState
    """Unavailable while the timer of the nightly run is disabled: no night will be analyzed."""


class Health(Struct, frozen=True):
    """The health of the app; ``degraded`` means that a dependency is unavailable that it can work without."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: Dependencies
