"""The HTTP routes: translate, delegate, translate.

Routes are spelled with their ``api/`` and host.json sets an empty prefix: the host refuses routes that start with
``admin``, and looks before it applies a prefix.
"""

from datetime import datetime

import azure.durable_functions as df
import azure.functions as func

from functions.auth import current_admin
from functions.endpoint import endpoint, json_response
from functions.problems import NotFound
from functions.requests import (
    PortfoliosQuery,
    RunsQuery,
    TriggerRequest,
    decode_cursor,
    encode_cursor,
    read_body,
    read_id,
    read_query,
    read_request_key,
)
from functions.runs import cancel_run, retry_run, start_run
from functions.services import services
from stores.records import Run, SortField, Summary, Trigger

BASE = "api/admin/portfolio"
blueprint = df.Blueprint(http_auth_level=func.AuthLevel.ANONYMOUS)


@blueprint.route(f"{BASE}/trigger-analysis")
@blueprint.durable_client_input(client_name="client")
@endpoint("POST")
def trigger_analysis(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> func.HttpResponse:
    """Start a run."""
    asked, actor = read_body(req, TriggerRequest), current_admin.get().actor
    run_id = start_run(
        services(),
        client,
        Trigger(source="http", actor=actor),
        user_ids=asked.user_ids,
        as_of=asked.as_of,
        dry_run=asked.dry_run,
        request=read_request_key(req, actor, asked),
    )
    return _accepted("started", run_id, "Portfolio analysis running in background")


@blueprint.route(f"{BASE}/analysis-runs/{{run_id}}/retry")
@blueprint.durable_client_input(client_name="client")
@endpoint("POST")
def retry_analysis(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> func.HttpResponse:
    """Start a run over the users who failed in an earlier one."""
    trigger = Trigger(source="retry", actor=current_admin.get().actor)
    run_id = retry_run(services(), client, _run(read_id(req, "run_id")), trigger)
    return _accepted("started", run_id, "Portfolio analysis running in background")


@blueprint.route(f"{BASE}/analysis-runs/{{run_id}}/cancel")
@blueprint.durable_client_input(client_name="client")
@endpoint("POST")
def cancel_analysis(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> func.HttpResponse:
    """End a run early."""
    run = _run(read_id(req, "run_id"))
    cancel_run(services(), client, run, current_admin.get().actor)
    return _accepted("canceling", run.run_id, "Portfolio analysis ends at its next step; what is stored stays")


@blueprint.route(f"{BASE}/analysis-status/{{run_id}}")
@endpoint("GET")
def get_analysis_status(req: func.HttpRequest) -> func.HttpResponse:
    """Tell where a run stands."""
    return json_response(_run(read_id(req, "run_id")))


@blueprint.route(f"{BASE}/analysis-runs")
@endpoint("GET")
def list_analysis_runs(req: func.HttpRequest) -> func.HttpResponse:
    """List runs, newest first."""
    query = read_query(req, RunsQuery)
    before = decode_cursor("before", query.before, tuple[datetime, str]) if query.before else None
    runs = services().runs.newest(query.limit + 1, before)
    page = runs[: query.limit]
    more = len(runs) > len(page)
    return json_response(
        {"runs": page, "next": encode_cursor((page[-1].requested_at, page[-1].run_id)) if more else None}
    )


@blueprint.route(f"{BASE}/analysis-runs/{{run_id}}/portfolios")
@endpoint("GET")
def list_portfolios(req: func.HttpRequest) -> func.HttpResponse:
    """List the portfolios of a run, a line each."""
    run, query = _run(read_id(req, "run_id")), read_query(req, PortfoliosQuery)
    summaries = services().reports.summaries(
        run.run_id,
        limit=query.limit + 1,
        status=query.status,
        sort=query.sort,
        descending=query.order == "desc",
        after=decode_cursor("after", query.after, tuple[float | None, str]) if query.after else None,
    )
    page = summaries[: query.limit]
    more = len(summaries) > len(page)
    return json_response({"portfolios": page, "next": encode_cursor(_place(page[-1], query.sort)) if more else None})


@blueprint.route(f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}")
@endpoint("GET")
def get_portfolio_report(req: func.HttpRequest) -> func.HttpResponse:
    """Give one user's report of a run."""
    run_id, user_id = read_id(req, "run_id"), read_id(req, "user_id")
    report = services().reports.get(run_id, user_id)
    if report is None:
        raise NotFound(f"Run {run_id} has no report on user {user_id}.")
    return json_response(report)


@blueprint.route("api/health")
@endpoint("GET", public=True)
def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host binds it
    """Tell whether the app can do its work."""
    from functions.health import check  # noqa: PLC0415 - pymongo: not while indexing

    state = check()
    return json_response(state, status_code=503 if state["status"] == "unavailable" else 200)


def _accepted(status: str, run_id: str, message: str) -> func.HttpResponse:
    status_url = f"/{BASE}/analysis-status/{run_id}"
    return json_response(
        {"status": status, "run_id": run_id, "message": message, "status_url": status_url},
        status_code=202,
        headers={"Location": status_url, "Retry-After": "5"},
    )


def _place(summary: Summary, sort: SortField) -> tuple[float | None, str]:
    return None if sort == "user_id" else getattr(summary, sort), summary.user_id


def _run(run_id: str) -> Run:
    run = services().runs.get(run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run
