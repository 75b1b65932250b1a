"""What all steps of a run have in common."""

from functions.services import Services
from stores.records import Run


def wanted_run(services: Services, run_id: str) -> Run | None:
    """Give the run a step is to work for, ``None`` where it need do nothing: the run is over or being canceled."""
    run = services.runs.get(run_id)
    return run if run is not None and run.is_active and run.cancel_requested_at is None else None
