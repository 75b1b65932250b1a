"""The fourth step of a run, per page of users: portfolios in, reports out."""

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.decisions import Adviser
from analysis.models import SECTIONS, Instrument, Portfolio, Report
from analysis.price_table import PriceTable, join_prices
from analysis.report import analyze_portfolios
from records import MAX_ERRORS, Batch, BatchResult, Failure, Outcome, PlannedRun, RunError
from runs.ending import recount_if_over
from runs.services import Services
from stores.batches import OtherForm, PageErrors
from stores.portfolio_documents import InvalidPortfolio
from stores.reports import Shared

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Universe:
    """The prices, research and instruments of a run; ``shared`` is the part that reports embed."""

    table: PriceTable
    adviser: Adviser
    shared: Shared
    instruments: Mapping[str, Instrument]


@dataclass(frozen=True, slots=True)
class _Page:
    """The parts that the reports of one page have in common."""

    run_id: str
    risk_free_rate: float
    universe: Universe


def analyze(services: Services, batch: Batch) -> BatchResult:
    """Analyze a page of users and store the reports, unless the run is dry."""
    run = services.runs.planned_run(batch.run_id, services.settings)
    if run is None:
        return BatchResult()
    services.runs.reach(batch.run_id, "analyze")
    try:
        universe = universe_of(services, batch.plan_id)
    except OtherForm:  # a retry would find the same
        text = "The app was deployed during the run, and cannot read what the other version prepared. Start it again."
        return BatchResult(failure=Failure("other_version", text))
    portfolios = _portfolios(services, batch, run)
    page = _Page(batch.run_id, run.parameters.risk_free_rate, universe)
    reports = _reports(portfolios, page)
    if not run.dry_run:
        reports = _save(services, reports, page)
    counts = Counter(report.status for report in reports)
    outcome = Outcome(analyzed=counts["analyzed"], skipped=counts["skipped"], failed=counts["failed"])
    if services.batches.record_page(batch.plan_id, batch.number, outcome, _errors(reports, dry_run=run.dry_run)):
        services.runs.page_done(batch.run_id, outcome)
    recount_if_over(services, batch.run_id)
    return BatchResult(failed=outcome.failed)


def _portfolios(services: Services, batch: Batch, run: PlannedRun) -> list[Portfolio | InvalidPortfolio]:
    user_ids = services.batches.members(batch.plan_id, "users", batch.number)
    return services.portfolios.load(user_ids, contiguous=run.of_all_users)


_building = threading.Lock()
_kept: dict[str, Universe] = {}


def universe_of(services: Services, plan_id: str) -> Universe:
    """Return the run's universe; the first page of a run in this process builds it, the others wait and share it."""
    with _building:
        if plan_id not in _kept:
            _kept.clear()
            research, prices, instruments = services.batches.researched(plan_id)
            adviser = Adviser({found.symbol: found for found in research})
            shared = Shared(research, adviser.standing())
            _kept[plan_id] = Universe(join_prices(prices), adviser, shared, instruments)
        return _kept[plan_id]


def _reports(portfolios: Sequence[Portfolio | InvalidPortfolio], page: _Page) -> list[Report]:
    valid = [portfolio for portfolio in portfolios if isinstance(portfolio, Portfolio)]
    invalid = [portfolio for portfolio in portfolios if isinstance(portfolio, InvalidPortfolio)]
    failed = [_failed(page, portfolio.user_id, portfolio.error_type, portfolio.error) for portfolio in invalid]
    try:
        return _analyze(valid, page) + failed
    except Exception as error:  # noqa: BLE001 - any error that one user's data may cause
        # The location, but not the message, which may name a user's holdings.
        name, place = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
        _log.error("A page failed; its users are analyzed one by one (run_id=%s): %s\n%s", page.run_id, name, place)
        return [_analyze_alone(portfolio, page) for portfolio in valid] + failed


def _analyze(portfolios: Sequence[Portfolio], page: _Page) -> list[Report]:
    universe = page.universe
    return analyze_portfolios(
        portfolios, universe.table, universe.adviser, universe.instruments, page.run_id, page.risk_free_rate
    )


def _analyze_alone(portfolio: Portfolio, page: _Page) -> Report:
    try:
        return _analyze([portfolio], page)[0]
    except Exception as error:  # noqa: BLE001 - one user's data never costs another's report
        return _failed(page, portfolio.user_id, "analysis_error", f"The analysis failed: {type(error).__name__}")


def _save(services: Services, reports: Sequence[Report], page: _Page) -> list[Report]:
    """Store and return the reports; one that does not fit in a document becomes a failed one."""
    refused = services.reports.save(reports, page.universe.shared)
    if not refused:
        return list(reports)
    failed = [_failed(page, user_id, "unwritable_report", reason) for user_id, reason in refused.items()]
    services.reports.save(failed, page.universe.shared)
    return [report for report in reports if report.user_id not in refused] + failed


def _failed(page: _Page, user_id: str, error_type: str, error: str) -> Report:
    return Report(
        run_id=page.run_id,
        user_id=user_id,
        as_of=page.universe.table.as_of,
        currency="USD",
        status="failed",
        reason=error_type,
        reasons=dict.fromkeys(SECTIONS, error_type),
        error=error,
    )


def _errors(reports: Sequence[Report], *, dry_run: bool) -> PageErrors:
    # Unless the run is dry, the failures are in the reports.
    failed = [report for report in reports if report.status == "failed"] if dry_run else []
    invalid = [
        RunError(report.user_id, "invalid_holding", f"{holding.symbol}: {holding.reason}.")
        for report in reports
        if report.data_quality is not None
        for holding in report.data_quality.invalid_holdings
    ]
    return PageErrors(
        [RunError(report.user_id, report.reason or "", report.error or "") for report in failed[:MAX_ERRORS]],
        invalid[:MAX_ERRORS],
        len(invalid),
    )
