"""Whole runs, step by step, without an engine: nights, their retries and others."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from unittest.mock import patch

from records import Batch, Failure, Run, Trigger
from runs.collecting import plan_at_once
from runs.ending import finish
from runs.prices import load_batch
from runs.reports import analyze
from runs.research import research_batch
from runs.services import Services

_numbers = count()
_FIRST = datetime(2026, 1, 2, 1, tzinfo=UTC)


def run_once(  # noqa: PLR0913 - each by its name
    services: Services,
    *,
    retry_of: str | None = None,
    user_ids: Sequence[str] | None = None,
    dry_run: bool = False,
    as_of: date | None = None,
    failure: Failure | None = None,
    cancel: bool = False,
    twice: bool = False,
) -> str:
    """Run all steps, each run an hour after the one before; return its id. Pages may be analyzed ``twice``."""
    number = next(_numbers)
    run_id, at = f"run_20260102_030405_{number:04x}", _FIRST + timedelta(hours=number)
    run = Run(
        run_id, "queued", Trigger("http", "admin-secret"), at, dry_run=dry_run, as_of=as_of, as_of_requested=as_of
    )
    services.runs.create(replace(run, retry_of=retry_of), user_ids)
    services.lease.acquire(run_id, at)
    plan = plan_at_once(services, run_id, at)
    for each in range(plan.symbol_batches):
        load_batch(services, Batch(run_id, plan.plan_id, each))
        research_batch(services, Batch(run_id, plan.plan_id, each))
    for each in range(plan.pages):
        if twice:  # as if the process had died before the page counted as done
            with patch.object(services.batches, "record_page", return_value=False):
                analyze(services, Batch(run_id, plan.plan_id, each))
        analyze(services, Batch(run_id, plan.plan_id, each))
    if cancel:
        services.runs.request_cancel(run_id, at)
    finish(services, run_id, failure, {})
    return run_id
