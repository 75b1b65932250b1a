"""The HTTP routes: each handler decodes the request, delegates, and encodes the answer.

Routes include their ``api/`` and host.json sets an empty prefix: the host rejects routes that start with ``admin``,
and checks this before it applies a prefix.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from analysis.models import Series
from functions.access.administrators import current_admin
from functions.engine import HASTY_DEADLINE_SECONDS, Engine
from functions.http import operations
from functions.http.answers import Accepted, AuditPage, PortfoliosPage, RunsPage, Timetable
from functions.http.endpoint import endpoint, json_response
from functions.http.problems import NotFound
from functions.http.requests import (
    NewestQuery,
    PortfoliosQuery,
    TriggerRequest,
    decode_cursor,
    decode_time_cursor,
    encode_cursor,
    read_body,
    read_id,
    read_query,
    read_request_key,
)
from functions.http.timetable import timetable
from functions.services import services, settings
from records import Run, SortField, Summary, Trigger
from runs.starting import cancel_run, retry_run, start_run

_EARLIER_RUNS = 20
_STARTED = "Portfolio analysis running in background"

blueprint = df.Blueprint(http_auth_level=func.AuthLevel.ANONYMOUS)


@blueprint.route(operations.TRIGGER.route)
@blueprint.durable_client_input(client_name="client")
@endpoint(operations.TRIGGER)
def trigger_analysis(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> Accepted:
    """Start a run."""
    asked, admin = read_body(req, TriggerRequest), current_admin.get()
    run_id = start_run(
        services(),
        Engine(client),
        Trigger(source="http", actor=admin.actor),
        user_ids=asked.user_ids,
        as_of=asked.as_of,
        dry_run=asked.dry_run,
        request=read_request_key(req, admin, asked),
    )
    return Accepted("started", run_id, _STARTED, _status_url(run_id))


@blueprint.route(operations.RETRY.route)
@blueprint.durable_client_input(client_name="client")
@endpoint(operations.RETRY)
def retry_analysis(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> Accepted:
    """Start a run over the failed users of an earlier run."""
    trigger = Trigger(source="retry", actor=current_admin.get().actor)
    run_id = retry_run(services(), Engine(client), _run(read_id(req, "run_id")), trigger)
    return Accepted("started", run_id, _STARTED, _status_url(run_id))


@blueprint.route(operations.CANCEL.route)
@blueprint.durable_client_input(client_name="client")
@endpoint(operations.CANCEL)
def cancel_analysis(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> Accepted:
    """Cancel a run."""
    run = _run(read_id(req, "run_id"))
    cancel_run(services(), Engine(client), run, current_admin.get().actor)
    message = "Portfolio analysis ends at its next step; what is stored stays"
    return Accepted("canceling", run.run_id, message, _status_url(run.run_id))


@blueprint.route(operations.STATUS.route)
@endpoint(operations.STATUS)
def get_analysis_status(req: func.HttpRequest) -> Run:
    """Return the record of a run."""
    return _run(read_id(req, "run_id"))


@blueprint.route(operations.RUNS.route)
@endpoint(operations.RUNS)
def list_analysis_runs(req: func.HttpRequest) -> RunsPage:
    """List runs, newest first."""
    query = read_query(req, NewestQuery)
    runs = services().runs.newest(query.limit + 1, _before(query))
    return RunsPage(*_page(runs, query.limit, lambda run: (run.requested_at, run.run_id)))


@blueprint.route(operations.PORTFOLIOS.route)
@endpoint(operations.PORTFOLIOS)
def list_portfolios(req: func.HttpRequest) -> PortfoliosPage:
    """List the portfolios of a run, one summary each."""
    run, query = _run(read_id(req, "run_id")), read_query(req, PortfoliosQuery)
    summaries = services().reports.summaries(
        run.run_id,
        limit=query.limit + 1,
        wanted=query.wanted,
        sort=query.sort,
        descending=query.order == "desc",
        after=decode_cursor("after", query.after, tuple[float | None, str]) if query.after else None,
    )
    return PortfoliosPage(*_page(summaries, query.limit, lambda summary: _place(summary, query.sort)))


@blueprint.route(operations.REPORT.route)
@endpoint(operations.REPORT)
def get_portfolio_report(req: func.HttpRequest) -> dict[str, Any]:
    """Return one user's report of a run."""
    return _report(read_id(req, "run_id"), read_id(req, "user_id"))


@blueprint.route(operations.SERIES.route)
@endpoint(operations.SERIES)
def get_portfolio_series(req: func.HttpRequest) -> Series:
    """Return the data for the charts of one user's report."""
    from runs.series import series_of  # noqa: PLC0415 - numpy, not needed for indexing

    run_id, user_id = read_id(req, "run_id"), read_id(req, "user_id")
    return series_of(services(), _report(run_id, user_id), settings())


@blueprint.route(operations.EARLIER.route)
@endpoint(operations.EARLIER)
def get_earlier_report(req: func.HttpRequest) -> dict[str, Any]:
    """Return the user's last report before a run, for comparison."""
    run, user_id = _run(read_id(req, "run_id")), read_id(req, "user_id")
    earlier = services().runs.newest(_EARLIER_RUNS, (run.requested_at, run.run_id))
    return {"report": services().reports.first((other.run_id for other in earlier), user_id)}


@blueprint.route(operations.SCHEDULE.route)
@endpoint(operations.SCHEDULE)
def get_schedule(req: func.HttpRequest) -> Timetable:  # noqa: ARG001 - the host binds it
    """Return the times of the nightly run, and whether its timer is enabled."""
    return timetable(settings().schedule, datetime.now(UTC), disabled=settings().timer_disabled)


@blueprint.route(operations.AUDIT.route)
@endpoint(operations.AUDIT)
def list_audit_entries(req: func.HttpRequest) -> AuditPage:
    """List audit entries, newest first."""
    query = read_query(req, NewestQuery)
    entries = services().audit.newest(query.limit + 1, _before(query))
    return AuditPage(*_page(entries, query.limit, lambda entry: (entry.at, entry.entry_id)))


@blueprint.route(operations.HEALTH.route)
@blueprint.durable_client_input(client_name="client")
@endpoint(operations.HEALTH)
def health(
    req: func.HttpRequest,  # noqa: ARG001 - the host binds it
    client: df.SyncDurableFunctionsClient,
) -> func.HttpResponse:
    """Return the health of the app and its dependencies."""
    from functions.http.health import check  # noqa: PLC0415 - pymongo, not needed for indexing

    state = check(Engine(client, HASTY_DEADLINE_SECONDS))
    return json_response(state, status_code=503 if state.status == "unavailable" else 200)


@blueprint.route(operations.OPENAPI.route)
@endpoint(operations.OPENAPI)
def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """Return the OpenAPI document."""
    from functions.http.openapi import document_for  # noqa: PLC0415 - made once, on demand

    return document_for(req)


def _status_url(run_id: str) -> str:
    return "/" + operations.STATUS.route.format(run_id=run_id)


def _before(query: NewestQuery) -> tuple[datetime, str] | None:
    return decode_time_cursor("before", query.before) if query.before else None


def _page[Item](found: list[Item], limit: int, place: Callable[[Item], object]) -> tuple[list[Item], str | None]:
    """Return the first ``limit`` items found, and the cursor of the next page if there are more."""
    page = found[:limit]
    return page, encode_cursor(place(page[-1])) if len(found) > limit else None


def _place(summary: Summary, sort: SortField) -> tuple[float | None, str]:
    return None if sort == "user_id" else getattr(summary, sort), summary.user_id


def _report(run_id: str, user_id: str) -> dict[str, Any]:
    report = services().reports.get(run_id, user_id)
    if report is None:
        raise NotFound(f"Run {run_id} has no report on user {user_id}.")
    return report


def _run(run_id: str) -> Run:
    run = services().runs.get(run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run
