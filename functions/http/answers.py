"""The records that the API returns; the document at /api/openapi.json describes exactly these."""

from typing import Literal

from msgspec import Struct

from analysis.models import Report
from functions.http.requests import RunId
from records import AuditEntry, Run, Summary, Time

type DependencyState = Literal["ok", "unavailable", "not_configured"]


class Accepted(Struct, frozen=True):
    """Something that goes on in the background; ``status_url`` tells how far it is."""

    status: Literal["started", "canceling"]
    run_id: RunId
    message: str
    status_url: str


class RunsPage(Struct, frozen=True):
    """Runs, newest first; ``next`` is the cursor of the page after this one, null on the last."""

    runs: list[Run]
    next: str | None


class PortfoliosPage(Struct, frozen=True):
    """Portfolios of a run, a line each; ``next`` is the cursor of the page after this one, null on the last."""

    portfolios: list[Summary]
    next: str | None


class AuditPage(Struct, frozen=True):
    """Entries of the audit log, newest first; ``next`` is the cursor of the page after this one, null on the last."""

    entries: list[AuditEntry]
    next: str | None


class EarlierReport(Struct, frozen=True):
    """The same user's report of the last of the runs before that has one, null where none of them has."""

    report: Report | None


class Timetable(Struct, frozen=True):
    """When the nightly run was due last and is due next, by a schedule in UTC; null where its timer is disabled."""

    schedule: str
    previous: Time | None
    next: Time | None
    disabled: bool
    """The timer is disabled; the nightly run must be started by other means."""


class Checks(Struct, frozen=True):
    """Which of the app's dependencies answer."""

    mongodb: DependencyState
    redis: DependencyState
    key_vault: DependencyState
    engine: DependencyState


class Health(Struct, frozen=True):
    """Whether the app can do its work; ``degraded`` means that it can, slower."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: Checks
