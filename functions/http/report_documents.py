"""The documents made from one report, the same for administrators and for the person it is about."""

from typing import Any

import azure.functions as func

from analysis.models import Series
from functions.http.accepting import JSON, ContentKind
from functions.http.answers import GainsOfYear, Week
from functions.http.exports import list_file
from functions.http.problems import NotFound
from functions.http.requests import GainsQuery, WeeksQuery
from runs.services import Services

type Json = dict[str, Any]


def series_document(services: Services, report: Json) -> Series:
    """Return the growth, drawdowns and correlations behind a report; raises NotFound."""
    from runs.series import NoSeries, series_of

    try:
        return series_of(services, report)
    except NoSeries as error:
        raise NotFound(f"{_named(report)} has no series: {error}") from None


def returns_document(services: Services, report: Json, query: WeeksQuery) -> Json:
    """Return what the person of a report really earned, with the weeks behind it; raises NotFound, InvalidMember."""
    from runs.earned import NotComputable, weeks_of

    query.check()
    try:
        weeks = None if report["returns"] is None else weeks_of(services, report, query.first, query.last)
    except NotComputable as error:
        raise NotFound(f"{_named(report)} has no series of returns: {error}") from None
    return section_of(report, "returns") | {"series": [] if weeks is None else [Week(*week) for week in weeks.rows()]}


def gains_document(
    services: Services, report: Json, query: GainsQuery, kind: ContentKind
) -> GainsOfYear | func.HttpResponse:
    """Return the gains of a year behind a report, the realized ones alone as a file; raises NotFound."""
    from analysis.returns.gains import RealizedGain
    from runs.earned import NotComputable, gains_behind

    run_id, user_id = report["run_id"], report["user_id"]
    try:
        found = gains_behind(services, report, query.year, query.method)
    except NotComputable as error:
        raise NotFound(f"There are no gains of user {user_id} in run {run_id}: {error}") from None
    gains = found.gains
    if kind != JSON:
        return list_file(
            kind, RealizedGain.__struct_fields__, gains.realized, name=f"gains-{user_id}-{found.year}", title="Gains"
        )
    lots = (gains.realized, gains.totals, gains.unrealized, gains.issues)
    return GainsOfYear(run_id, user_id, found.currency, found.year, found.method, *lots)


def section_of(report: Json, section: str) -> Json:
    """Return a section of a report, or why there is none, with what it is of."""
    whose = {name: report[name] for name in ("run_id", "user_id", "as_of", "currency")}
    return whose | {section: report[section], "reason": report["reasons"].get(section)}


def _named(report: Json) -> str:
    return f"The report of run {report['run_id']} on user {report['user_id']}"
