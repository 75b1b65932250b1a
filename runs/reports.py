"""The last pass of a run, per page of users: portfolios in, reports out."""

import logging
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np

from analysis.currencies import BaseCurrency
from analysis.earnings import Earned, earn, symbols_of
from analysis.models import SECTIONS, Portfolio, Report
from analysis.report import analyze_portfolios
from analysis.returns.ledger import Ledgers
from analysis.valuation import symbols_in
from lake.pages import path_of, write_page
from lake.places import Lake
from records import MAX_ERRORS, Batch, BatchResult, Failure, Outcome, PlannedRun, RunError
from runs.ending import recount_if_over
from runs.services import Services
from runs.standing import lines_before, standing_of
from runs.telling import tell_of_people
from runs.universe import Part, Universe, forget, universe_of
from stores.batches import OtherForm, PageErrors
from stores.lines import Line, Lines, Standing
from stores.pages import Page
from stores.portfolio_documents import InvalidPortfolio
from stores.report_values import joined
from stores.reports import StoredReport, stored_forms
from stores.transactions import Page as WithLedgers

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Common:
    """The parts that the reports of one page have in common."""

    run_id: str
    base_currency: str
    risk_free_rate: float
    part: Part


def analyze(services: Services, batch: Batch) -> BatchResult:
    """Analyze a page of users and store the reports, unless the run is dry."""
    run = services.runs.planned_run(batch.run_id, services.settings)
    if run is None:
        forget(batch.plan_id)
        return BatchResult()
    services.runs.reach(batch.run_id, "analyze")
    page = services.pages.get(batch.plan_id, batch.number)
    if page is None or page.outcome is not None:  # its portfolios are gone
        return BatchResult(failed=0 if page is None or page.outcome is None else page.outcome.failed)
    try:
        universe = universe_of(services, batch.plan_id, run)
    except OtherForm:  # a retry would find the same
        text = "The app was deployed during the run, and cannot read what the other version prepared. Start it again."
        return BatchResult(failure=Failure("other_version", text))
    stored = _of_page(services, batch, run, universe, _load(services, page, run, batch))
    reports = [one.report for one in stored]
    counts = Counter(report.status for report in reports)
    outcome = Outcome(analyzed=counts["analyzed"], skipped=counts["skipped"], failed=counts["failed"])
    errors = _errors(reports, dry_run=run.dry_run)
    lines = Lines([] if run.dry_run else [one.line for one in stored])
    if services.batches.record_page(batch.plan_id, batch.number, outcome, errors, lines):
        services.runs.page_done(batch.run_id, outcome)
    recount_if_over(services, batch.run_id)
    return BatchResult(failed=outcome.failed)


def _load(services: Services, page: Page, run: PlannedRun, batch: Batch) -> WithLedgers:
    """Return the portfolios that the first pass kept, or those of its users, with their ledgers.

    Raises:
        LookupError: the first pass never read the page.
    """
    today, base_currency = datetime.now(UTC).date(), run.parameters.base_currency
    if page.kept is not None:
        kept = page.kept.all()
        return services.transactions.complete(kept, today, contiguous=run.of_all_users, base_currency=base_currency)
    if (user_ids := page.members()) is None:
        raise LookupError(f"page {batch.number} of {batch.plan_id} was never read")
    return services.transactions.load(user_ids, today, contiguous=run.of_all_users, base_currency=base_currency)


def _of_page(
    services: Services, batch: Batch, run: PlannedRun, universe: Universe, page: WithLedgers
) -> list[StoredReport]:
    """Return the reports of a page, stored unless the run is dry; nothing else of its prices stays in memory."""
    parameters, lake = run.parameters, services.lake
    with universe.part(symbols_in(page.portfolios)) as part:
        common = _Common(batch.run_id, parameters.base_currency, parameters.risk_free_rate, part)
        reports = _reports(page, common)
        before = lines_before(services, run.night, [report.user_id for report in reports])
        stored = _stored(reports, before, common, None if lake is None else batch.number)
        if not run.dry_run:
            if lake is not None:
                _write_to_lake(lake, stored, common, batch.number)
            services.reports.save(stored)
            tell_of_people(services, run, [(own.report, own.line.standing) for own in stored], before)
        return stored


def _reports(page: WithLedgers, common: _Common) -> list[Report]:
    failed = [_failed(common, own, common.base_currency) for own in page.invalid]
    try:
        return _analyze(page.portfolios, page.ledgers, common) + failed
    except Exception as error:  # noqa: BLE001 - any error that one user's data may cause
        # The location, but not the message, which may name a user's holdings.
        name, place = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
        _log.error("A page failed; its users are analyzed one by one (run_id=%s): %s\n%s", common.run_id, name, place)
        alone = [
            _analyze_alone(portfolio, page.ledgers.of(np.array([number])), common)
            for number, portfolio in enumerate(page.portfolios)
        ]
        return alone + failed


def _analyze(portfolios: Sequence[Portfolio], ledgers: Ledgers, common: _Common) -> list[Report]:
    """Return the reports, in the order of the portfolios' base currencies."""
    codes = np.array([own.base_currency or common.base_currency for own in portfolios], dtype=np.object_)
    reports = []
    for code in dict.fromkeys(codes.tolist()):
        numbers = np.flatnonzero(codes == code)
        some = portfolios if len(numbers) == len(portfolios) else [portfolios[number] for number in numbers.tolist()]
        reports += _in_currency(code, some, ledgers.of(numbers), common)
    return reports


def _in_currency(code: str, portfolios: Sequence[Portfolio], ledgers: Ledgers, common: _Common) -> list[Report]:
    part = common.part
    table = part.in_currency(code, symbols_in(portfolios))
    earned: Sequence[Earned] = ()
    if len(ledgers.owners()):
        market = part.market(symbols_of(portfolios, ledgers))
        portfolios, earned = earn(portfolios, ledgers, market, table.base, datetime.now(UTC).date())
    return analyze_portfolios(
        portfolios, table, part.adviser, part.instruments, common.run_id, common.risk_free_rate, earned
    )


def _analyze_alone(portfolio: Portfolio, ledgers: Ledgers, common: _Common) -> Report:
    try:
        return _analyze([portfolio], ledgers, common)[0]
    except Exception as error:  # noqa: BLE001 - one user's data never costs another's report
        text = f"The analysis failed: {type(error).__name__}"
        invalid = InvalidPortfolio(portfolio.user_id, "analysis_error", text)
        return _failed(common, invalid, portfolio.base_currency or common.base_currency)


def _write_to_lake(lake: Lake, stored: Sequence[StoredReport], common: _Common, number: int) -> None:
    research = common.part.adviser.research
    held = {holding.symbol for own in stored for holding in own.report.holdings} & research.keys()
    of_symbols = {symbol: msgspec.json.encode(research[symbol]) for symbol in held}
    path = path_of(common.part.table.as_of, common.run_id, number)
    write_page(lake, path, (joined(own.json, of_symbols) for own in stored))


def _stored(
    reports: Sequence[Report], before: Mapping[str, Line], common: _Common, number: int | None
) -> list[StoredReport]:
    """Return the reports as they are stored; one that does not fit in a document becomes a failed one."""
    stored, refused = stored_forms(reports, number, _standings(reports, before, common))
    failed = [
        _failed(common, InvalidPortfolio(report.user_id, "unwritable_report", refused[report.user_id]), report.currency)
        for report in reports
        if report.user_id in refused
    ]
    return stored + stored_forms(failed, number, _standings(failed, before, common))[0]


def _standings(reports: Sequence[Report], before: Mapping[str, Line], common: _Common) -> Mapping[str, Standing]:
    book = BaseCurrency(common.base_currency, common.part.currencies, common.part.table.as_of)
    return {own.user_id: standing_of(own, before.get(own.user_id), book.rate(own.currency)) for own in reports}


def _failed(common: _Common, own: InvalidPortfolio, currency: str) -> Report:
    return Report(
        run_id=common.run_id,
        user_id=own.user_id,
        as_of=common.part.table.as_of,
        currency=currency,
        status="failed",
        reason=own.error_type,
        reasons=dict.fromkeys(SECTIONS, own.error_type),
        error=own.error,
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
