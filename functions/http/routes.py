"""The routes of the API, after those of persons. A new one is a handler here; endpoint.py has what it may declare.

Paths include their ``api/`` and host.json sets an empty prefix: the host rejects routes that start with ``admin``, and
checks this before it applies a prefix.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import islice
from typing import Any

import azure.functions as func

from analysis.models import Report, Series
from functions.access import administrators, sessions
from functions.access.administrators import Admin
from functions.access.audit import MOST_USER_IDS, Attempt
from functions.engine import DurableEngine
from functions.http.accepting import JSON, ContentKind
from functions.http.answers import (
    Accepted,
    AuditPage,
    EarlierReport,
    GainsOfYear,
    Health,
    IncomeOfReport,
    PortfoliosPage,
    ReturnsOfReport,
    RunsPage,
    StartedSession,
    Timetable,
)
from functions.http.cursors import decode_time_cursor, encode_cursor
from functions.http.encoded_answers import encoded_response
from functions.http.endpoint import json_response
from functions.http.event_routes import BASE, api
from functions.http.exports import LISTS, REPORTS, portfolios_file, report_file
from functions.http.problems import NotFound
from functions.http.report_documents import gains_document, returns_document, section_of, series_document
from functions.http.requests import (
    EarlierQuery,
    GainsQuery,
    NewestQuery,
    PortfoliosQuery,
    RunId,
    RunsQuery,
    TriggerRequest,
    UserId,
    WeeksQuery,
)
from functions.services import Worker
from lake.places import LakeUnavailable
from problems import InvalidMember
from records import PriceDays, RequestKey, Run, SortField, Summary, Trigger
from runs.engine import Engine, EngineUnavailable
from runs.services import Services
from runs.starting import InvalidAsOf, KeyReused, NothingFailed, RunActive, RunOver, cancel_run, retry_run, start_run
from settings import Settings

__all__ = ["BASE", "api"]

_EARLIER_RUNS = 20


@api.route(
    "POST",
    f"{BASE}/session",
    status=HTTPStatus.CREATED,
    answer=StartedSession,
    action="start_session",
    headers=("Set-Cookie",),
    by_session=False,
)
def start_session(request: func.HttpRequest, admin: Admin, worker: Worker) -> func.HttpResponse:
    """Start a session, which a cookie carries, by the admin secret or a bearer token."""
    session_id, session = administrators.start_session(request, admin, worker)
    seconds = int((session.expires_at - session.created_at).total_seconds())
    cookie = sessions.cookie(request, worker.settings, session_id, seconds)
    started = StartedSession(session.actor, session.credential, session.expires_at)
    return json_response(started, HTTPStatus.CREATED, {"Set-Cookie": cookie})


@api.route(
    "DELETE",
    f"{BASE}/session",
    status=HTTPStatus.NO_CONTENT,
    answer=bytes,
    errors=(NotFound,),
    action="end_session",
    headers=("Set-Cookie",),
)
def end_session(request: func.HttpRequest, admin: Admin, worker: Worker) -> func.HttpResponse:
    """End the session of the request at once."""
    session_id = sessions.session_id_of(request, worker.settings)
    if admin.credential != "session" or session_id is None:
        raise NotFound("The request is not signed in by a session, so there is none to end.")
    sessions.end(session_id, worker)
    headers = {"Set-Cookie": sessions.cookie(request, worker.settings, "", 0)}
    return func.HttpResponse(status_code=HTTPStatus.NO_CONTENT, headers=headers)


@api.route(
    "POST",
    f"{BASE}/trigger-analysis",
    status=HTTPStatus.ACCEPTED,
    errors=(RunActive, InvalidAsOf, KeyReused, EngineUnavailable),
    action="trigger",
)
def trigger_analysis(
    asked: TriggerRequest, admin: Admin, key: RequestKey | None, services: Services, engine: Engine
) -> Accepted:
    """Start a run of all users, or of selected ones."""
    run_id = start_run(
        services,
        engine,
        Trigger(source="http", actor=admin.actor),
        user_ids=asked.user_ids,
        as_of=asked.as_of,
        dry_run=asked.dry_run,
        request=key,
    )
    return _started(run_id)


@api.route(
    "POST",
    f"{BASE}/analysis-runs/{{run_id}}/retry",
    status=HTTPStatus.ACCEPTED,
    errors=(NotFound, RunActive, NothingFailed, InvalidMember, EngineUnavailable),
    action="retry",
)
def retry_analysis(run_id: RunId, admin: Admin, services: Services, engine: Engine, attempt: Attempt) -> Accepted:
    """Start a run of the users that failed in an earlier run."""
    run = _run(services, run_id)
    failed = list(islice(services.reports.failed_user_ids(run_id), MOST_USER_IDS))
    attempt.tell(dry_run=False, as_of=run.as_of, user_ids=failed, user_ids_count=run.users_failed)
    return _started(retry_run(services, engine, run, Trigger(source="retry", actor=admin.actor)))


@api.route(
    "POST",
    f"{BASE}/analysis-runs/{{run_id}}/cancel",
    status=HTTPStatus.ACCEPTED,
    errors=(NotFound, RunOver, InvalidMember),
    action="cancel",
)
def cancel_analysis(run_id: RunId, admin: Admin, services: Services, engine: Engine) -> Accepted:
    """Cancel a run."""
    cancel_run(services, engine, _run(services, run_id), admin.actor)
    return Accepted(
        "canceling", run_id, "Portfolio analysis ends with its next step; stored reports are kept", _status_url(run_id)
    )


@api.route("GET", f"{BASE}/analysis-status/{{run_id}}", errors=(NotFound,))
def get_analysis_status(run_id: RunId, services: Services) -> Run:
    """Return the record of a run."""
    return _run(services, run_id)


@api.route("GET", f"{BASE}/analysis-runs")
def list_analysis_runs(query: RunsQuery, services: Services) -> RunsPage:
    """List runs, newest first."""
    runs = services.runs.newest(query.limit + 1, _before(query), query.users)
    return RunsPage(*_page(runs, query.limit, lambda run: (run.requested_at, run.run_id)))


@api.route(
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios",
    answer=PortfoliosPage,
    errors=(NotFound,),
    action="list_portfolios",
    formats=LISTS,
)
def list_portfolios(
    run_id: RunId, query: PortfoliosQuery, kind: ContentKind, services: Services, attempt: Attempt
) -> PortfoliosPage | func.HttpResponse:
    """List the portfolios of a run as summaries: a page as JSON, all that the filter lists as CSV or XLSX."""
    from runs.lists import all_portfolios_of, portfolios_of

    run, descending = _run(services, run_id), query.order == "desc"
    if kind != JSON:
        found = all_portfolios_of(services, run, wanted=query.wanted, sort=query.sort, descending=descending)
        return portfolios_file(kind, run, found, attempt)
    summaries = portfolios_of(
        services,
        run,
        limit=query.limit + 1,
        wanted=query.wanted,
        sort=query.sort,
        descending=descending,
        after=query.place(),
    )
    page = PortfoliosPage(*_page(summaries, query.limit, lambda summary: query.cursor(_place(summary, query.sort))))
    attempt.tell(user_ids=[summary.user_id for summary in page.portfolios])
    return page


@api.route(
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}",
    answer=Report,
    errors=(NotFound, LakeUnavailable),
    action="read_report",
    formats=REPORTS,
)
def get_portfolio_report(
    request: func.HttpRequest, run_id: RunId, user_id: UserId, kind: ContentKind, services: Services, attempt: Attempt
) -> func.HttpResponse:
    """Return one user's report of a run, as JSON or as a file."""
    report = services.reports.json(run_id, user_id)
    if report is None:
        raise _no_report(run_id, user_id)
    if kind != JSON:
        attempt.tell(action="export_report")
        return report_file(kind, report)
    return encoded_response(request, report)


@api.route(
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/series",
    errors=(NotFound, LakeUnavailable),
    action="read_series",
)
def get_portfolio_series(run_id: RunId, user_id: UserId, services: Services) -> Series:
    """Return the growth, drawdowns and correlations behind one user's report."""
    return series_document(services, _report(services, run_id, user_id))


@api.route(
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/earlier",
    answer=EarlierReport,
    errors=(NotFound, LakeUnavailable),
    action="read_earlier",
)
def get_earlier_report(
    request: func.HttpRequest, run_id: RunId, user_id: UserId, query: EarlierQuery, services: Services
) -> func.HttpResponse:
    """Return the user's latest report of the twenty runs before this one, or that of a night, its own or a retry's.

    One that failed is returned only if there is no other.
    """
    run = _run(services, run_id)
    if query.night is None:
        earlier = services.runs.newest(_EARLIER_RUNS, (run.requested_at, run.run_id))
    else:
        earlier = services.runs.with_retries(_run(services, query.night))
    told_by = services.reports.run_of_each([other.run_id for other in earlier], [user_id]).get(user_id)
    report = None if told_by is None else services.reports.json(told_by, user_id)
    return encoded_response(request, b'{"report":%s}' % (report or b"null"))


@api.route(
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/returns",
    answer=ReturnsOfReport,
    errors=(NotFound, LakeUnavailable),
    action="read_returns",
)
def get_portfolio_returns(run_id: RunId, user_id: UserId, query: WeeksQuery, services: Services) -> dict[str, Any]:
    """Return what a user really earned, with the weeks behind it."""
    return returns_document(services, _report(services, run_id, user_id), query)


@api.route(
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/income",
    answer=IncomeOfReport,
    errors=(NotFound, LakeUnavailable),
    action="read_income",
)
def get_portfolio_income(run_id: RunId, user_id: UserId, services: Services) -> dict[str, Any]:
    """Return the income of a user in the twelve months before a report."""
    return section_of(_report(services, run_id, user_id), "income")


@api.route(
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/gains",
    answer=GainsOfYear,
    errors=(NotFound, LakeUnavailable),
    action="read_gains",
    formats=LISTS,
)
def get_portfolio_gains(
    run_id: RunId, user_id: UserId, query: GainsQuery, kind: ContentKind, services: Services, attempt: Attempt
) -> GainsOfYear | func.HttpResponse:
    """Return the gains that a user realized in a year, and the lots held; the gains alone as CSV or XLSX."""
    if kind != JSON:
        attempt.tell(action="export_gains")
    return gains_document(services, _report(services, run_id, user_id), query, kind)


@api.route("GET", f"{BASE}/schedule")
def get_schedule(settings: Settings, worker: Worker) -> Timetable:
    """Return the previous and the next time of the nightly run, whether its timer is disabled, and the watchdog's."""
    from functions.http.health import watched_at

    now, watchdog = datetime.now(UTC), watched_at(worker)
    return Timetable.at(now, settings.schedule, watchdog, disabled=settings.timer_disabled)


@api.route("GET", f"{BASE}/price-days")
def get_price_days(services: Services) -> PriceDays:
    """Return the days of the first and the last price, which a run can be as of."""
    from runs.price_days import price_days

    return price_days(services)


@api.route("GET", f"{BASE}/audit")
def list_audit_entries(query: NewestQuery, services: Services) -> AuditPage:
    """List the entries of the audit log, newest first."""
    entries = services.audit.newest(query.limit + 1, _before(query))
    return AuditPage(*_page(entries, query.limit, lambda entry: (entry.at, entry.entry_id)))


@api.route("GET", "api/health", answer=Health, callers="everybody", others={503: "The app cannot work."})
def health(worker: Worker, engine: DurableEngine) -> func.HttpResponse:
    """Return the health of the app and its dependencies."""
    from functions.http.health import recent

    state = recent(worker, engine)
    unavailable = state.status == "unavailable"
    return json_response(state, HTTPStatus.SERVICE_UNAVAILABLE if unavailable else HTTPStatus.OK)


@api.route(
    "GET",
    "api/openapi.json",
    answer=dict[str, object],
    callers="everybody",
    others={304: "The caller has the current document."},
)
def openapi(request: func.HttpRequest) -> func.HttpResponse:
    """Return this document."""
    from functions.http.openapi import document_for

    return document_for(request, api.routes)


def _started(run_id: str) -> Accepted:
    return Accepted("started", run_id, "Portfolio analysis running in background", _status_url(run_id))


def _status_url(run_id: str) -> str:
    return f"/{BASE}/analysis-status/{run_id}"


def _before(query: NewestQuery) -> tuple[datetime, str] | None:
    return decode_time_cursor("before", query.before) if query.before else None


def _page[Item](found: list[Item], limit: int, place: Callable[[Item], object]) -> tuple[list[Item], str | None]:
    """Return the first ``limit`` items found, and the cursor of the next page if there are more."""
    page = found[:limit]
    return page, encode_cursor(place(page[-1])) if len(found) > limit else None


def _place(summary: Summary, sort: SortField) -> tuple[float | None, str]:
    return None if sort == "user_id" else getattr(summary, sort), summary.user_id


def _report(services: Services, run_id: str, user_id: str) -> dict[str, Any]:
    report = services.reports.get(run_id, user_id)
    if report is None:
        raise _no_report(run_id, user_id)
    return report


def _no_report(run_id: str, user_id: str) -> NotFound:
    return NotFound(f"Run {run_id} has no report on user {user_id}.")


def _run(services: Services, run_id: str) -> Run:
    run = services.runs.get(run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run
