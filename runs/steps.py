"""Functions that the steps of a run share."""

from datetime import date

from functions.services import Services
from records import Run


def wanted_run(services: Services, run_id: str) -> Run | None:
    """Return the run of a step, ``None`` if the step has nothing to do: the run is over or being canceled."""
    run = services.runs.get(run_id)
    return run if run is not None and run.is_active and run.cancel_requested_at is None else None


def planned_as_of(run: Run) -> date:
    """Return the as-of date of a run that has a plan."""
    if run.as_of is None:
        raise ValueError(f"{run.run_id} was never planned")
    return run.as_of
