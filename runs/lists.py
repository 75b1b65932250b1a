"""The list of a run's portfolios, in the order of any figure."""

from records import Run, SortField, Summary, Wanted
from runs.services import Services
from stores.lines import Lines
from stores.rankings import Place, page_of, rankings_of


def portfolios_of(
    services: Services, run: Run, *, limit: int, wanted: Wanted, sort: SortField, descending: bool, after: Place | None
) -> list[Summary]:
    """Return up to ``limit`` of the ``wanted`` summaries of a run in order, starting after that place.

    Those of a run under way are put in order here: those of its finished pages.
    """
    rankings = services.rankings.of(run.run_id) or rankings_of(_lines(services, run))
    return page_of(rankings, limit=limit, wanted=wanted, sort=sort, descending=descending, after=after)


def _lines(services: Services, run: Run) -> Lines:
    plan = services.runs.plan(run.run_id) if run.is_active else None
    return services.reports.lines(run.run_id) if plan is None else services.batches.lines(plan.plan_id)
