"""What runs tell others: events in the outbox, before the step that they are about counts as done.

Each has the same id however often a step is repeated. A dry run tells nothing: it leaves nothing. Only a night and
its retries tell anything of portfolios, and it is delivered only once the run has completed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec import to_builtins

from analysis.models import Report
from delivery.digest import digest_of
from delivery.events import OF_PORTFOLIOS, Event, in_path, new_event
from endpoints import EventType
from records import NightOfRun, PlannedRun, Run
from runs.services import Services
from stores.lines import Line, Standing

_BASE = "/api/admin/portfolio"
_ENDED: Mapping[str, EventType] = {
    "completed": "portfolio-analysis.run.completed",
    "completed_with_errors": "portfolio-analysis.run.completed",
    "failed": "portfolio-analysis.run.failed",
    "canceled": "portfolio-analysis.run.canceled",
}


def tell_start(services: Services, run: Run) -> None:
    """Put the start of a run into the outbox."""
    if run.dry_run:
        return
    _tell(services, _of_run(services, run, "portfolio-analysis.run.started", {}))


def tell_end(services: Services, run: Run) -> None:
    """Put the end of a run into the outbox; begin the delivery of its events on portfolios, or withdraw them."""
    if run.dry_run:
        return
    counts = {
        "users_analyzed": run.users_analyzed,
        "users_skipped": run.users_skipped,
        "users_failed": run.users_failed,
        "symbols_failed": run.symbols_failed,
        "error_type": run.errors[0].error_type if run.status == "failed" and run.errors else None,
    }
    if services.runs.night(run.run_id) is not None:
        if run.is_completed:
            services.passes.begin(run.run_id, services.webhooks.takers(*OF_PORTFOLIOS))
        else:
            services.outbox.withdraw(run.run_id)
    _tell(services, _of_run(services, run, _ENDED[run.status], counts))
    book = services.books.get(run.run_id) if services.settings.digest and run.retry_of is None else None
    if book is not None and run.is_completed:
        known = to_builtins(book) | to_builtins(digest_of(book))
        _tell(services, _of_run(services, run, "portfolio-analysis.digest", known))


def tell_of_people(
    services: Services, run: PlannedRun, reports: Sequence[tuple[Report, Standing]], before: Mapping[str, Line]
) -> None:
    """Put into the outbox what has changed for the persons of a page since the night before."""
    if run.night is not None and not run.dry_run:
        changes = [
            event
            for report, standing in reports
            if report.user_id in before
            for event in _changes(services, run.night, report, standing, before[report.user_id])
        ]
        services.outbox.add(changes)
        if changes:
            _withdraw_if_broken_off(services, reports[0][0].run_id)


def _withdraw_if_broken_off(services: Services, run_id: str) -> None:
    """Withdraw what a page told after the end of its run, which withdrew only what was told before.

    It would keep the next retry from telling the same: the events have the same ids.
    """
    run = services.runs.get(run_id)
    if run is not None and not (run.is_active or run.is_completed):
        services.outbox.withdraw(run_id)


def _changes(
    services: Services, night: NightOfRun, report: Report, standing: Standing, before: Line
) -> Iterator[Event]:
    def event(kind: EventType, data: dict[str, Any]) -> Event:
        known = {"run_id": report.run_id, "user_id": report.user_id, "as_of": report.as_of.isoformat()}
        link = f"{_BASE}/analysis-runs/{report.run_id}/portfolios/{in_path(report.user_id)}"
        source, subject = services.settings.event_source, report.user_id
        return new_event(
            source, kind, subject=subject, run_id=report.run_id, data=known | data | {"link": link}, chain=night.first
        )

    if standing.breached:
        yield event("portfolio-analysis.portfolio.breached", {"rules": _rules(report, standing.breached)})
    if standing.recovered:
        yield event("portfolio-analysis.portfolio.recovered", {"rules": _rules(report, standing.recovered)})
    if report.status == "failed" and before.summary.status != "failed":
        yield event("portfolio-analysis.portfolio.failed", {"reason": report.reason})
    valuation = report.valuation
    if valuation is not None and not valuation.complete and before.summary.complete is not False:
        unpriced = sum(holding.reason is not None for holding in report.holdings)
        yield event("portfolio-analysis.portfolio.incomplete", {"unpriced_holdings": unpriced})


def _rules(report: Report, names: Collection[str]) -> list[dict[str, Any]]:
    return [
        {"rule": check.rule, "status": check.status, "value": check.value, "threshold": check.threshold}
        for check in report.checks
        if check.rule in names
    ]


def _of_run(services: Services, run: Run, kind: EventType, more: dict[str, Any]) -> Event:
    data = {
        "run_id": run.run_id,
        "status": run.status,
        "users": run.users,
        "as_of": run.as_of.isoformat() if run.as_of else None,
        "retry_of": run.retry_of,
        "link": f"{_BASE}/analysis-status/{run.run_id}",
    }
    return new_event(services.settings.event_source, kind, subject=run.run_id, run_id=run.run_id, data=data | more)


def _tell(services: Services, event: Event) -> None:
    services.outbox.add([event], {event.type: services.webhooks.takers(event.type)})
