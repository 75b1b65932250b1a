"""The list of a run's portfolios, in the order of any figure."""

from collections.abc import Iterator

from records import Run, SortField, Summary, Wanted
from runs.services import Services
from stores.lines import Lines
from stores.rankings import Place, Rankings, all_of, page_of, rankings_of


def portfolios_of(
    services: Services, run: Run, *, limit: int, wanted: Wanted, sort: SortField, descending: bool, after: Place | None
) -> list[Summary]:
    """Return up to ``limit`` of the ``wanted`` summaries of a run in order, starting after that place.

    Those of a run under way are put in order here: those of its finished pages.
    """
    return page_of(_rankings(services, run), limit=limit, wanted=wanted, sort=sort, descending=descending, after=after)


def all_portfolios_of(
    services: Services, run: Run, *, wanted: Wanted, sort: SortField, descending: bool
) -> Iterator[Summary]:
    """Return the ``wanted`` summaries of a run in order, however many there are, read block by block."""
    return all_of(_rankings(services, run), wanted=wanted, sort=sort, descending=descending)


def _rankings(services: Services, run: Run) -> Rankings:
    return services.rankings.of(run.run_id) or rankings_of(_lines(services, run))


def _lines(services: Services, run: Run) -> Lines:
    plan = services.runs.plan(run.run_id) if run.is_active else None
    return services.reports.lines(run.run_id) if plan is None else services.batches.lines(plan.plan_id)
