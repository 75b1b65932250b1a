"""The last step of a run: counts, errors and durations into its record, the lease released."""

from dataclasses import asdict
from datetime import UTC, datetime

from functions.messages import FinishInput
from functions.runs import close_run
from functions.services import Services
from stores.records import Metrics, Run, RunError, RunStatus


def finish(services: Services, message: FinishInput) -> RunStatus:
    """Bring a run to its final state; gives the state, also when it had one already."""
    run = services.runs.get(message.run_id)
    if run is None:
        services.lease.release(message.run_id)
        return "failed"
    # What is stored is the truth about a run; only a dry one, which stores nothing, is counted on the way.
    outcome = message.outcome if message.dry_run else services.reports.outcome(run.run_id)
    user_errors = message.user_errors if message.dry_run else services.reports.failures(run.run_id, limit=100)
    failure = [RunError(None, message.failure.error_type, message.failure.error)] if message.failure else []
    symbol_errors = [RunError(None, error.error_type, error.error) for error in message.symbol_errors]
    errors_count = len(failure) + run.errors_count + outcome.failed + message.symbols_failed
    status: RunStatus = "failed" if failure else "completed_with_errors" if errors_count else "completed"
    close_run(
        services,
        run,
        status,
        outcome,
        [*failure, *run.errors, *user_errors, *symbol_errors],
        errors_count=errors_count,
        figures={"symbols_failed": message.symbols_failed, "metrics": asdict(_metrics(run, message))},
    )
    return status if run.is_active else run.status


def _metrics(run: Run, message: FinishInput) -> Metrics:
    total = (datetime.now(UTC) - (run.started_at or run.requested_at)).total_seconds()
    durations = {f"{phase}_duration_seconds": seconds for phase, seconds in message.durations.items()}
    return Metrics(
        total_duration_seconds=total,
        avg_duration_per_user_seconds=total / run.users_to_analyze if run.users_to_analyze else None,
        **durations,
    )
