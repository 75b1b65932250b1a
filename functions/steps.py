"""What all steps of a run have in common."""

from functions.services import Services
from stores.prices import PriceStore
from stores.records import Run


def wanted_run(services: Services, run_id: str) -> Run | None:
    """Give the run a step is to work for, ``None`` where it need do nothing: the run is over or being canceled."""
    run = services.runs.get(run_id)
    return run if run is not None and run.is_active and run.cancel_requested_at is None else None


def prices_of(services: Services, run: Run) -> PriceStore:
    """Give the prices that the steps of a run share: for a dry one a store that is gone when the run is over."""
    return services.prices.apart(run.run_id) if run.dry_run else services.prices


def drop_prices_if_over(services: Services, run: Run) -> None:
    """Leave no prices of a dry run that was closed while a step of it still wrote some."""
    if run.dry_run and ((now := services.runs.get(run.run_id)) is None or not now.is_active):
        prices_of(services, run).drop()
