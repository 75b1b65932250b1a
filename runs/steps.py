"""Functions that the steps of a run share."""

from functions.services import Services
from records import Run
from stores.prices import PriceStore


def wanted_run(services: Services, run_id: str) -> Run | None:
    """Return the run of a step, ``None`` if the step has nothing to do: the run is over or being canceled."""
    run = services.runs.get(run_id)
    return run if run is not None and run.is_active and run.cancel_requested_at is None else None


def prices_of(services: Services, run: Run) -> PriceStore:
    """Return the price store that the steps of a run share: a dry run has its own, dropped when the run is over."""
    return services.prices.apart(run.run_id) if run.dry_run else services.prices


def drop_prices_if_over(services: Services, run: Run) -> None:
    """Drop the prices of a dry run that was closed while one of its steps was still writing them."""
    if run.dry_run and ((now := services.runs.get(run.run_id)) is None or not now.is_active):
        prices_of(services, run).drop()
