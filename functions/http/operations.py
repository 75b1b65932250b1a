"""The table of the API's operations. Routes, checks and the document at /api/openapi.json are all based on it."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from msgspec import Struct

from analysis.models import Report, Series
from functions.engine import EngineUnavailable
from functions.http.answers import Accepted, AuditPage, EarlierReport, Health, PortfoliosPage, RunsPage, Timetable
from functions.http.problems import NotFound
from functions.http.requests import InvalidMember, NewestQuery, Nothing, PortfoliosQuery, TriggerRequest
from records import AuditedAction, Run
from runs.starting import InvalidAsOf, KeyReused, NothingFailed, RunActive, RunOver

BASE = "api/admin/portfolio"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API: what it accepts, what it answers, and its own errors.

    ``name`` is that of the function. An operation with an ``action`` changes something and is audited under that name.
    Errors that many operations have in common follow from the rest: see ``functions/http/openapi_problems.py``.
    """

    name: str
    method: Literal["GET", "POST"]
    route: str
    summary: str
    answer: object
    status: HTTPStatus = HTTPStatus.OK
    query: type[Struct] = Nothing
    body: type[Struct] = Nothing
    errors: tuple[type[Exception], ...] = ()
    action: AuditedAction | None = None
    idempotent: bool = False
    public: bool = False
    cached: bool = False


TRIGGER = Operation(
    "trigger_analysis",
    "POST",
    f"{BASE}/trigger-analysis",
    summary="Start a run over all users, or over those named",
    answer=Accepted,
    status=HTTPStatus.ACCEPTED,
    body=TriggerRequest,
    errors=(RunActive, InvalidAsOf, KeyReused, EngineUnavailable),
    action="trigger",
    idempotent=True,
)
RETRY = Operation(
    "retry_analysis",
    "POST",
    f"{BASE}/analysis-runs/{{run_id}}/retry",
    summary="Start a run over the users who failed in an earlier one",
    answer=Accepted,
    status=HTTPStatus.ACCEPTED,
    errors=(NotFound, RunActive, NothingFailed, InvalidMember, EngineUnavailable),
    action="retry",
)
CANCEL = Operation(
    "cancel_analysis",
    "POST",
    f"{BASE}/analysis-runs/{{run_id}}/cancel",
    summary="End a run early",
    answer=Accepted,
    status=HTTPStatus.ACCEPTED,
    errors=(NotFound, RunOver, InvalidMember),
    action="cancel",
)
STATUS = Operation(
    "get_analysis_status",
    "GET",
    f"{BASE}/analysis-status/{{run_id}}",
    summary="Tell where a run stands",
    answer=Run,
    errors=(NotFound,),
)
RUNS = Operation(
    "list_analysis_runs",
    "GET",
    f"{BASE}/analysis-runs",
    summary="List runs, newest first",
    answer=RunsPage,
    query=NewestQuery,
)
PORTFOLIOS = Operation(
    "list_portfolios",
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios",
    summary="List the portfolios of a run, a line each",
    answer=PortfoliosPage,
    query=PortfoliosQuery,
    errors=(NotFound,),
)
REPORT = Operation(
    "get_portfolio_report",
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}",
    summary="Give one user's report of a run",
    answer=Report,
    errors=(NotFound,),
)
SERIES = Operation(
    "get_portfolio_series",
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/series",
    summary="Give the growth, drawdowns and correlations behind one user's report",
    answer=Series,
    errors=(NotFound,),
)
EARLIER = Operation(
    "get_earlier_report",
    "GET",
    f"{BASE}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/earlier",
    summary="Give the user's report of the last run before this one that has one, among the twenty before it",
    answer=EarlierReport,
    errors=(NotFound,),
)
SCHEDULE = Operation(
    "get_schedule",
    "GET",
    f"{BASE}/schedule",
    summary="Tell when the nightly run was due last and is due next, and whether its timer is disabled",
    answer=Timetable,
)
AUDIT = Operation(
    "list_audit_entries",
    "GET",
    f"{BASE}/audit",
    summary="List who asked for what, newest first",
    answer=AuditPage,
    query=NewestQuery,
)
HEALTH = Operation(
    "health", "GET", "api/health", summary="Tell whether the app can do its work", answer=Health, public=True
)
OPENAPI = Operation(
    "openapi",
    "GET",
    "api/openapi.json",
    summary="Give this document",
    answer=dict[str, object],
    public=True,
    cached=True,
)

OPERATIONS = (
    TRIGGER,
    RETRY,
    CANCEL,
    STATUS,
    RUNS,
    PORTFOLIOS,
    REPORT,
    SERIES,
    EARLIER,
    SCHEDULE,
    AUDIT,
    HEALTH,
    OPENAPI,
)
