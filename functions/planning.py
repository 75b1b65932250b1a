"""The first step of a run: what is there to do?"""

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import batched

from analysis.returns import NoBenchmarkDateError, resolve_as_of
from functions.messages import Failure, Plan, PlanInput
from functions.services import Services, settings
from stores.records import Run, RunError

# The named stress episodes begin in 2008; what a source has before that serves no figure.
_HISTORY_START = date(2007, 1, 1)
_SYMBOLS_PER_BATCH = 100

_log = logging.getLogger(__name__)


def plan(services: Services, message: PlanInput) -> Plan:
    """Fix the as-of date, the users in pages and their symbols in batches, and record them."""
    run_id = message.run_id
    if services.runs.start(run_id, message.started_at):
        _log.info("Portfolio analysis background task started (run_id=%s)", run_id)
    run = services.runs.get(run_id)
    if run is None or not run.is_active:
        return Plan(failure=Failure("run_over", "The run ended before it could be planned."))
    try:
        as_of = _load_benchmark(services, run, datetime.now(UTC).date())
    except _BenchmarkMissing as error:
        return Plan(failure=Failure("benchmark_prices", str(error)))

    planner = _Planner(services, run)
    pages = list(planner.pages(settings().page_size))
    symbols = [list(batch) for batch in batched(sorted(planner.symbols), _SYMBOLS_PER_BATCH, strict=False)]
    services.batches.write(run_id, "users", pages)
    services.batches.write(run_id, "symbols", symbols)
    services.runs.planned(
        run_id,
        as_of=as_of,
        users=sum(map(len, pages)),
        symbols=len(planner.symbols),
        pages=len(pages),
        errors=planner.errors(),
    )
    return Plan(
        symbols=len(planner.symbols),
        symbol_batches=len(symbols),
        pages=len(pages),
        min_success_rate=settings().min_success_rate,
        dry_run=run.dry_run,
    )


def history_start(as_of: date) -> date:
    """Give the first day to fetch prices for: the oldest stress episode or the lookback, whichever reaches further."""
    return min(_HISTORY_START, as_of - timedelta(days=2 * settings().lookback_days))


class _BenchmarkMissing(Exception):
    pass


def _load_benchmark(services: Services, run: Run, today: date) -> date:
    """Keep the benchmark's bars, whose dates are the trading calendar; give the as-of date on it."""
    symbol, requested = settings().benchmark_symbol, run.as_of
    end = requested or today
    fetched = services.provider.daily_bars([symbol], history_start(end), end)
    if symbol not in fetched.bars:
        raise _BenchmarkMissing(f"BENCHMARK_SYMBOL has no usable prices: {fetched.errors[symbol]}")
    services.prices.save(fetched.bars)
    try:
        return resolve_as_of(fetched.bars[symbol], requested)
    except NoBenchmarkDateError as error:
        raise _BenchmarkMissing(f"BENCHMARK_SYMBOL {symbol}: {error}") from error


class _Planner:
    """Goes once through the users, and remembers their symbols and what is wrong with the request."""

    def __init__(self, services: Services, run: Run) -> None:
        self._portfolios = services.portfolios
        self._requested = services.runs.requested_user_ids(run.run_id)
        self._active: set[str] = set()
        self._planned: set[str] = set()
        self.symbols: set[str] = set()

    def pages(self, page_size: int) -> Iterator[list[str]]:
        """Give the users to analyse, page by page, in the order of their ids."""
        for page in batched(self._users(), page_size, strict=False):
            yield list(page)

    def errors(self) -> list[RunError]:
        """Give what was asked for, or stored, but cannot be analysed."""
        if self._requested is None:
            nameless = self._portfolios.count_without_user_id()
            text = f"{nameless} documents in users have no user_id that is text."
            return [RunError(None, "invalid_user_id", text)] if nameless else []
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
        for user_ids in self._portfolios.active_user_ids(self._requested):
            symbols = self._portfolios.symbols(user_ids, contiguous=self._requested is None)
            self.symbols.update(*symbols.values())
            if self._requested is not None:
                self._active.update(user_ids)
                self._planned.update(symbols)
            yield from (user_id for user_id in user_ids if user_id in symbols)
