"""The fourth step of a run, per page of users: portfolios in, reports out."""

import logging
import traceback
from collections import Counter
from collections.abc import Sequence

from analysis.models import Portfolio, Report
from analysis.report import analyze_portfolios
from functions.messages import BatchInput, BatchResult
from functions.services import Services, settings
from records import MAX_ERRORS, Outcome, Run, RunError
from runs.ending import recount_if_over
from runs.steps import wanted_run
from runs.universe import Universe, universe
from stores.portfolios import InvalidPortfolio

_log = logging.getLogger(__name__)


def analyze(services: Services, batch: BatchInput) -> BatchResult:
    """Analyze a page of users and store the reports, unless the run is dry."""
    run = wanted_run(services, batch.run_id)
    if run is None:
        return BatchResult()
    services.runs.reach(run.run_id, "analyze")
    user_ids = services.batches.members(batch.plan_id, "users", batch.number)
    for_all = run.retry_of is None and services.runs.requested_user_ids(run.run_id) is None
    portfolios = services.portfolios.load(user_ids, contiguous=for_all)
    known = universe(services, batch.plan_id)
    reports = _reports(portfolios, run, known)
    if not run.dry_run:
        reports = _save(services, reports, run, known)
    counts = Counter(report.status for report in reports)
    outcome = Outcome(analyzed=counts["analyzed"], skipped=counts["skipped"], failed=counts["failed"])
    # Unless the run is dry, the errors are in the reports.
    errors = _errors(reports) if run.dry_run else []
    if services.batches.record_page(batch.plan_id, batch.number, outcome, errors):
        services.runs.page_done(run.run_id, outcome)
    recount_if_over(services, run.run_id)
    return BatchResult(failed=outcome.failed)


def _reports(portfolios: Sequence[Portfolio | InvalidPortfolio], run: Run, known: Universe) -> list[Report]:
    valid = [portfolio for portfolio in portfolios if isinstance(portfolio, Portfolio)]
    invalid = [portfolio for portfolio in portfolios if isinstance(portfolio, InvalidPortfolio)]
    failed = [_failed(run, known, portfolio.user_id, portfolio.error_type, portfolio.error) for portfolio in invalid]
    try:
        return _analyze(valid, run, known) + failed
    except Exception as error:  # noqa: BLE001 - any error that one user's data may cause
        # The location, but not the message, which may name a user's holdings.
        name, place = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
        text = "A page could not be analysed at once; analysing user by user (run_id=%s): %s\n%s"
        _log.error(text, run.run_id, name, place)
        return [_alone(portfolio, run, known) for portfolio in valid] + failed


def _save(services: Services, reports: Sequence[Report], run: Run, known: Universe) -> list[Report]:
    """Store and return the reports; one that does not fit in a document becomes a failed one."""
    refused = services.reports.save(reports, known.shared)
    if not refused:
        return list(reports)
    failed = [_failed(run, known, user_id, "unwritable_report", why) for user_id, why in refused.items()]
    services.reports.save(failed, known.shared)
    return [report for report in reports if report.user_id not in refused] + failed


def _alone(portfolio: Portfolio, run: Run, known: Universe) -> Report:
    try:
        return _analyze([portfolio], run, known)[0]
    except Exception as error:  # noqa: BLE001 - one user's data never costs another's report
        return _failed(
            run, known, portfolio.user_id, "analysis_error", f"The analysis broke off: {type(error).__name__}"
        )


def _analyze(portfolios: Sequence[Portfolio], run: Run, known: Universe) -> list[Report]:
    return analyze_portfolios(portfolios, known.table, known.adviser, run.run_id, settings().risk_free_rate)


def _failed(run: Run, known: Universe, user_id: str, error_type: str, error: str) -> Report:
    return Report(
        run_id=run.run_id,
        user_id=user_id,
        as_of=known.table.as_of,
        currency="USD",
        status="failed",
        reason=error_type,
        error=error,
    )


def _errors(reports: Sequence[Report]) -> list[RunError]:
    failed = [report for report in reports if report.status == "failed"]
    return [RunError(report.user_id, report.reason or "", report.error or "") for report in failed[:MAX_ERRORS]]
