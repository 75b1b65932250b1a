"""The first step of a run: its plan, as far as it needs no user's documents."""

import logging
import secrets
from collections.abc import Iterator
from datetime import date, datetime
from itertools import batched

from analysis.histories import NoBenchmarkDateError, resolve_as_of
from market_data.provider import KeyRefused
from records import Failure, Parameters, Plan, Run
from runs.nights import night_of
from runs.prices import fetch_histories
from runs.services import Services
from runs.telling import tell_start
from stores.pages import Users
from stores.ranges import id_ranges

_WRITTEN_AT_ONCE = 500

_log = logging.getLogger(__name__)


def plan_pages(services: Services, run_id: str, started_at: datetime) -> Plan:
    """Record and return the plan without its symbols: the as-of date, and the users in pages."""
    started = services.runs.start(run_id, started_at)
    run = services.runs.get(run_id)
    if run is not None and started:
        _log.info("Portfolio analysis background task started (%s)", run.described)
    if run is None or not run.has_work:
        return Plan()
    tell_start(services, run)
    if (recorded := services.runs.plan(run_id)) is not None:
        # Delivered again: a plan that other steps already use must not change.
        return recorded
    parameters = Parameters.of(services.settings)
    try:
        as_of = _load_benchmark(services, run, parameters)
    except _BenchmarkMissing as error:
        return Plan(failure=Failure("benchmark_prices", str(error)))
    except KeyRefused as error:  # a retry would be refused, too
        return Plan(failure=Failure("provider_key_refused", str(error)))
    made, users = _write_pages(services, run, parameters.page_size)
    # Of those, some are inactive, or own nothing.
    estimate = {"users_to_analyze": users, "users_to_analyze_estimated": True, "progress.pages_total": made.pages}
    night = night_of(services, run)
    if services.runs.record_plan(run_id, made, parameters, as_of=as_of, figures=estimate, night=night):
        return made
    services.batches.delete_plan(made.plan_id)  # nothing else would, if the run has ended meanwhile
    return plan_pages(services, run_id, started_at)


def _write_pages(services: Services, run: Run, page_size: int) -> tuple[Plan, int]:
    """Write the pages; return the plan, and the number of users in them."""
    plan_id = f"{run.run_id}-{secrets.token_hex(4)}"
    pages = users = 0
    for lot in batched(_pages(services, run, page_size), _WRITTEN_AT_ONCE, strict=False):
        services.pages.write(run.run_id, plan_id, pages, [page for page, _ in lot])
        services.runs.reach(run.run_id, "plan")
        pages += len(lot)
        users += sum(count for _, count in lot)
    return Plan(plan_id=plan_id, pages=pages), users


def _pages(services: Services, run: Run, size: int) -> Iterator[tuple[Users, int]]:
    """Yield the pages, each with its number of users, without holding more than one of them."""
    requested = services.runs.requested_user_ids(run.run_id)
    if run.retry_of is None and requested is None:
        for entry in services.portfolios.entries_without_use():
            _log.warning("FIELDS may be wrong: none of the first documents has what %s says", entry)
        yield from id_ranges(services.portfolios.collections["users"], size)
        return
    some = services.reports.failed_user_ids(run.retry_of) if run.retry_of else sorted(set(requested or ()))
    for page in batched(some, size, strict=False):
        yield list(page), len(page)


class _BenchmarkMissing(Exception):
    pass


def _load_benchmark(services: Services, run: Run, parameters: Parameters) -> date:
    """Store the benchmark's bars, whose dates are the trading calendar, and return the as-of date on it."""
    symbol, last = parameters.benchmark_symbol, services.provider.last_day()
    wanted = min(run.as_of or last, last)
    update = fetch_histories(services, [symbol], wanted, parameters.lookback_days, ask_again=True)
    if symbol in update.errors:
        raise _BenchmarkMissing(f"BENCHMARK_SYMBOL has no usable prices: {update.errors[symbol]}")
    try:
        return resolve_as_of(update.histories[symbol].bars, wanted)
    except NoBenchmarkDateError as error:
        raise _BenchmarkMissing(f"BENCHMARK_SYMBOL {symbol}: {error}") from error
