"""The first step of a run: its plan."""

import logging
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import batched

from analysis.histories import NoBenchmarkDateError, resolve_as_of
from market_data.provider import KeyRefused
from records import USER_ID_PATTERN, Failure, Parameters, Plan, Run, RunError
from runs.prices import fetch_histories
from runs.services import Services
from stores.portfolios import MOST_HOLDINGS, MOST_WATCHED

_USER_ID = re.compile(USER_ID_PATTERN)

_log = logging.getLogger(__name__)


def plan(services: Services, run_id: str, started_at: datetime) -> Plan:
    """Record and return the plan: the as-of date, the users in pages and their symbols in batches."""
    started = services.runs.start(run_id, started_at)
    run = services.runs.get(run_id)
    if run is not None and started:
        _log.info("Portfolio analysis background task started (%s)", services.runs.described(run))
    if run is None or not run.has_work:
        return Plan()
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
    made, counted = _write_plan(services, run, as_of, parameters)
    if counted:
        return made
    services.batches.delete_plan(made.plan_id)  # nothing else would, if the run has ended meanwhile
    return plan(services, run_id, started_at)


def _write_plan(services: Services, run: Run, as_of: date, parameters: Parameters) -> tuple[Plan, bool]:
    """Write the batches; return the plan, and whether it is the one that counts."""
    planner = _Planner(services, run)
    pages = list(planner.pages(parameters.page_size))
    most = services.provider.symbols_per_batch
    symbols = [list(batch) for batch in batched(sorted(planner.symbols), most, strict=False)]
    made = Plan(
        plan_id=f"{run.run_id}-{secrets.token_hex(4)}",
        symbols=len(planner.symbols),
        symbol_batches=len(symbols),
        pages=len(pages),
        min_success_rate=parameters.min_success_rate,
    )
    services.batches.write(run.run_id, made.plan_id, "users", pages)
    services.batches.write(run.run_id, made.plan_id, "symbols", symbols)
    figures = {
        "users_to_analyze": sum(map(len, pages)),
        "symbols": len(planner.symbols),
        "progress.pages_total": len(pages),
    }
    errors = planner.errors()
    return made, services.runs.record_plan(run.run_id, made, parameters, as_of=as_of, figures=figures, errors=errors)


class _BenchmarkMissing(Exception):
    pass


def _load_benchmark(services: Services, run: Run, parameters: Parameters) -> date:
    """Store the benchmark's bars, whose dates are the trading calendar, and return the as-of date on it."""
    symbol, last = parameters.benchmark_symbol, services.provider.last_day()
    wanted = min(run.as_of or last, last)
    update = fetch_histories(services, [symbol], wanted, parameters.lookback_days)
    if symbol in update.errors:
        raise _BenchmarkMissing(f"BENCHMARK_SYMBOL has no usable prices: {update.errors[symbol]}")
    try:
        return resolve_as_of(update.histories[symbol].bars, wanted)
    except NoBenchmarkDateError as error:
        raise _BenchmarkMissing(f"BENCHMARK_SYMBOL {symbol}: {error}") from error


class _Planner:
    """Iterates over the users once, and collects their symbols and the errors of the request."""

    def __init__(self, services: Services, run: Run) -> None:
        self._portfolios = services.portfolios
        self._requested = (
            list(services.reports.failed_user_ids(run.retry_of))
            if run.retry_of
            else services.runs.requested_user_ids(run.run_id)
        )
        self._active: set[str] = set()
        self._planned: set[str] = set()
        self._strange = 0
        self.symbols: set[str] = set()

    def pages(self, page_size: int) -> Iterator[list[str]]:
        """Yield the users to analyze, page by page, in the order of their ids."""
        for page in batched(self._users(), page_size, strict=False):
            yield list(page)

    def errors(self) -> list[RunError]:
        """Return an error for everything requested or stored that cannot be analyzed."""
        if self._requested is None:
            unusable = self._portfolios.count_without_user_id() + self._strange
            text = f"{unusable} documents in users have no user_id, or one that cannot be used."
            return [RunError(None, "invalid_user_id", text)] if unusable else []
        requested = sorted(set(self._requested))
        return [
            RunError(user_id, "unknown_user", "There is no active user of this id.")
            for user_id in requested
            if user_id not in self._active
        ] + [
            RunError(user_id, "nothing_to_analyze", "The user has neither holdings nor a watchlist.")
            for user_id in requested
            if user_id in self._active - self._planned
        ]

    def _users(self) -> Iterable[str]:
        for found in self._portfolios.active_user_ids(self._requested):
            user_ids = [user_id for user_id in found if _USER_ID.search(user_id)]
            self._strange += len(found) - len(user_ids)
            symbols = self._portfolios.symbols(user_ids, contiguous=self._requested is None)
            # A user with more symbols than a report can hold fails, and must not cost other users their prices.
            self.symbols.update(*(own for own in symbols.values() if len(own) <= MOST_HOLDINGS + MOST_WATCHED))
            if self._requested is not None:
                self._active.update(user_ids)
                self._planned.update(symbols)
            yield from (user_id for user_id in user_ids if user_id in symbols)
