"""The routes of a person's own reports: what an administrator may read about everybody, of one person only.

No route takes the id of a user: it is the token's.
"""

from http import HTTPStatus
from typing import Any

import azure.functions as func
import msgspec
from msgspec import Struct

from analysis.models import Report, Series
from functions.access.persons import Person
from functions.http.accepting import ENDINGS, JSON, ContentKind
from functions.http.answers import GainsOfYear, IncomeOfReport, ReturnsOfReport
from functions.http.encoded_answers import encoded_response
from functions.http.endpoint import Api, etag_of, is_known, json_response
from functions.http.exports import LISTS, REPORTS, report_file
from functions.http.problems import NotFound
from functions.http.report_documents import gains_document, returns_document, section_of, series_document
from functions.http.requests import GainsQuery, RunId, WeeksQuery
from lake.places import LakeUnavailable
from runs.services import Services

BASE = "api/me"
_KNOWN = {304: "The caller has the current document."}

api = Api()


class OfRun(Struct, frozen=True, forbid_unknown_fields=True):
    """The run of a report, by default the newest night."""

    run_id: RunId | None = None


class WeeksOfRun(WeeksQuery, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """The days of a series, both included, and the run of the report, by default the newest night."""

    run_id: RunId | None = None


class GainsOfRun(GainsQuery, frozen=True, forbid_unknown_fields=True):
    """The year of gains, and the method that chooses lots; and the run of the report, by default the newest night."""

    run_id: RunId | None = None


@api.route(
    "GET",
    f"{BASE}/report",
    answer=Report,
    errors=(LakeUnavailable,),
    callers="persons",
    others=_KNOWN,
    formats=REPORTS,
)
def get_own_report(
    request: func.HttpRequest, person: Person, query: OfRun, kind: ContentKind, services: Services
) -> func.HttpResponse:
    """Return the person's own report, as JSON or as a file."""
    report = _report(services, person, query.run_id)
    if kind != JSON:
        answer = report_file(kind, report)
        return _private(request, answer.get_body(), answer)
    return _private(request, report, encoded_response(request, report))


def _file_route(kind: ContentKind, ending: str) -> None:
    """Declare the route of the report as a file, for links in a page."""

    def get(request: func.HttpRequest, person: Person, query: OfRun, services: Services) -> func.HttpResponse:
        answer = report_file(kind, _report(services, person, query.run_id))
        return _private(request, answer.get_body(), answer)

    get.__name__, get.__doc__ = f"get_own_{ending}", f"Return the person's own report as {ending.upper()}."
    errors = (LakeUnavailable,)
    path = f"{BASE}/report.{ending}"
    api.route("GET", path, answer=bytes, errors=errors, callers="persons", others=_KNOWN, formats=(kind,))(get)


for _kind, _ending in ENDINGS.items():
    _file_route(_kind, _ending)


@api.route("GET", f"{BASE}/series", answer=Series, errors=(LakeUnavailable,), callers="persons", others=_KNOWN)
def get_own_series(request: func.HttpRequest, person: Person, query: OfRun, services: Services) -> func.HttpResponse:
    """Return the growth, drawdowns and correlations behind the person's own report."""
    return _document(request, series_document(services, _decoded(services, person, query.run_id)))


@api.route(
    "GET", f"{BASE}/returns", answer=ReturnsOfReport, errors=(LakeUnavailable,), callers="persons", others=_KNOWN
)
def get_own_returns(
    request: func.HttpRequest, person: Person, query: WeeksOfRun, services: Services
) -> func.HttpResponse:
    """Return what the person really earned, with the weeks behind it."""
    return _document(request, returns_document(services, _decoded(services, person, query.run_id), query))


@api.route("GET", f"{BASE}/income", answer=IncomeOfReport, errors=(LakeUnavailable,), callers="persons", others=_KNOWN)
def get_own_income(request: func.HttpRequest, person: Person, query: OfRun, services: Services) -> func.HttpResponse:
    """Return the income of the person in the twelve months before the report."""
    return _document(request, section_of(_decoded(services, person, query.run_id), "income"))


@api.route(
    "GET",
    f"{BASE}/gains",
    answer=GainsOfYear,
    errors=(LakeUnavailable,),
    callers="persons",
    others=_KNOWN,
    formats=LISTS,
)
def get_own_gains(
    request: func.HttpRequest, person: Person, query: GainsOfRun, kind: ContentKind, services: Services
) -> func.HttpResponse:
    """Return the gains that the person realized in a year, and the lots held; the gains alone as CSV or XLSX."""
    found = gains_document(services, _decoded(services, person, query.run_id), query, kind)
    if isinstance(found, func.HttpResponse):
        return _private(request, found.get_body(), found)
    return _document(request, found)


def _report(services: Services, person: Person, run_id: str | None) -> bytes:
    """Return the report of a run, or of the newest night.

    Raises:
        NotFound: there is no such run, or no report of the person in it: which of both is nobody else's to know.
    """
    from runs.people import runs_of

    told_by = run_id or runs_of(services, [person.user_id]).get(person.user_id)
    report = None if told_by is None else services.reports.json(told_by, person.user_id)
    if report is None:
        raise NotFound("There is no report.")
    return report


def _decoded(services: Services, person: Person, run_id: str | None) -> dict[str, Any]:
    report: dict[str, Any] = msgspec.json.decode(_report(services, person, run_id))
    return report


def _document(request: func.HttpRequest, content: object) -> func.HttpResponse:
    answer = json_response(content)
    return _private(request, answer.get_body(), answer)


def _private(request: func.HttpRequest, content: bytes, answer: func.HttpResponse) -> func.HttpResponse:
    """Return the answer with the headers of a person's own data, or 304 if the caller has its ``content``."""
    etag = etag_of(content)
    headers = {"ETag": etag, "Cache-Control": "private", "Vary": "Authorization, Accept-Encoding"}
    if is_known(request, etag):
        return func.HttpResponse(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    for name, value in headers.items():
        answer.headers[name] = value
    return answer
