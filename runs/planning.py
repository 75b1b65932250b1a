"""The first step of a run: its plan."""

import logging
import re
import secrets
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import batched

from analysis.currencies import major
from analysis.histories import NoBenchmarkDateError, resolve_as_of
from market_data.provider import KeyRefused
from records import USER_ID_PATTERN, Failure, Parameters, Plan, Run, RunError
from runs.prices import fetch_histories, was_asked_in_vain
from runs.rates import fetch_rates
from runs.services import Services
from stores.nobody import why_nobody
from stores.portfolio_documents import UNKNOWN_CURRENCY
from stores.portfolios import OwnSymbols

MOST_CURRENCIES = 60
"""The most currencies of one run, more than the European Central Bank has ever had at a time."""

_MOST_UNKNOWN_TRADED = 200
"""The symbols without stored prices that a run asks for because of one user's transactions."""

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
    planner = _Planner(services, run, as_of)
    pages = list(planner.pages(parameters.page_size))
    symbols = planner.symbols()
    most = services.provider.symbols_per_batch
    # Pages need the prepared prices of at least one batch, even without a symbol: they contain the trading days.
    batches = [dict(batch) for batch in batched(symbols.items(), most, strict=False)] or [{}]
    currencies = planner.currencies(symbols)
    fetch_rates(services, currencies, as_of, parameters.lookback_days)
    made = Plan(
        plan_id=f"{run.run_id}-{secrets.token_hex(4)}",
        symbols=len(symbols),
        symbol_batches=len(batches),
        pages=len(pages),
        # One person's symbols must not keep that person, or those whose run failed, from being analyzed.
        min_success_rate=parameters.min_success_rate if planner.is_of_all_users else 0.0,
        positions=sum(symbols.values()),
        load_at_once=services.provider.batches_at_once,
        currencies=currencies,
        failure=_nobody(services) if planner.is_of_all_users and not pages else None,
    )
    services.batches.write(run.run_id, made.plan_id, "users", pages)
    services.batches.write_symbols(run.run_id, made.plan_id, batches)
    figures = {
        "users_to_analyze": sum(map(len, pages)),
        "symbols": len(symbols),
        "progress.pages_total": len(pages),
    }
    errors = planner.errors()
    return made, services.runs.record_plan(run.run_id, made, parameters, as_of=as_of, figures=figures, errors=errors)


def _nobody(services: Services) -> Failure | None:
    """Return why there is nobody to analyze although something is stored: a run of nobody would look like success."""
    why = why_nobody(services.portfolios)
    return None if why is None else Failure("nobody_to_analyze", why)


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


class _Planner:
    """Iterates over the users once, and collects their symbols and the errors of the request."""

    def __init__(self, services: Services, run: Run, as_of: date) -> None:
        self._portfolios = services.portfolios
        self._transactions = services.transactions
        self._base_currency, self._benchmark = services.settings.base_currency, services.settings.benchmark_symbol
        self._requested = (
            list(services.reports.failed_user_ids(run.retry_of))
            if run.retry_of
            else services.runs.requested_user_ids(run.run_id)
        )
        self._active: set[str] = set()
        self._planned: set[str] = set()
        self._strange = 0
        self._holders: Counter[str] = Counter()
        self._currencies: Counter[str] = Counter()
        limit, of_all_users = services.settings.watchlist_unknown_limit, self.is_of_all_users
        self._watched = _Others(services, as_of, "watchlists", limit, of_all_users=of_all_users)
        self._traded = _Others(services, as_of, "transactions", _MOST_UNKNOWN_TRADED, of_all_users=of_all_users)

    @property
    def is_of_all_users(self) -> bool:
        """Return whether the run is of all users, not of requested or failed ones."""
        return self._requested is None

    def pages(self, page_size: int) -> Iterator[list[str]]:
        """Yield the users to analyze, page by page, in the order of their ids."""
        for page in batched(self._users(), page_size, strict=False):
            yield list(page)

    def symbols(self) -> dict[str, int]:
        """Return the symbols of the users of all pages, ascending, with the number of their holders."""
        watched = self._watched.chosen(self._holders.keys())
        others = watched | self._traded.chosen(self._holders.keys() | watched)
        return {symbol: self._holders[symbol] for symbol in sorted(self._holders.keys() | others)}

    def currencies(self, symbols: Mapping[str, int]) -> tuple[str, ...]:
        """Return the currencies of the users of all pages and of these symbols: those of most of them, in order."""
        counts = self._currencies.copy()
        for symbol, instrument in self._portfolios.instruments([*symbols, self._benchmark]).items():
            if instrument.currency not in (None, UNKNOWN_CURRENCY):
                counts[major(instrument.currency)] += max(symbols.get(symbol, 0), 1)
        del counts[self._base_currency]
        in_turn = sorted(counts, key=lambda currency: (-counts[currency], currency))
        if left_out := len(in_turn[MOST_CURRENCIES - 1 :]):
            _log.warning("%d currencies are left out: a run has rates of at most %d", left_out, MOST_CURRENCIES)
        return tuple(sorted([self._base_currency, *in_turn[: MOST_CURRENCIES - 1]]))

    def errors(self) -> list[RunError]:
        """Return an error for everything requested or stored that cannot be analyzed."""
        if self._requested is None:
            unusable = self._portfolios.count_without_user_id() + self._strange
            key = self._portfolios.fields["users"].described_field("user_id")
            text = f"{unusable} documents in users have no {key}, or one that cannot be used."
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

    def _tell_id_types(self) -> None:
        found = self._portfolios.id_types()
        if len({kind for kinds in found.values() for kind in kinds}) > 1:
            described = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in found.items() if kinds)
            _log.warning("Ids are of several types, and compared by their text forms (%s)", described)

    def _users(self) -> Iterable[str]:
        if self.is_of_all_users:
            self._tell_id_types()
            for entry in self._portfolios.entries_without_use():
                _log.warning("FIELDS may be wrong: none of the first documents has what %s says", entry)
        for found in self._portfolios.active_user_ids(self._requested):
            user_ids = [user_id for user_id in found if _USER_ID.search(user_id)]
            self._strange += len(found) - len(user_ids)
            symbols = self._portfolios.symbols(user_ids, contiguous=self.is_of_all_users)
            for own in symbols.values():
                self._holders.update(own.held)
            self._watched.add([own.watched for own in symbols.values()])
            self._add_traded(symbols)
            if self._requested is not None:
                self._active.update(user_ids)
                self._planned.update(symbols)
            yield from (user_id for user_id in user_ids if user_id in symbols)

    def _add_traded(self, symbols: Mapping[str, OwnSymbols]) -> None:
        """Add what the transactions of some users name, and their currencies."""
        user_ids = [user_id for user_id in symbols if _USER_ID.search(user_id)]
        traded = self._transactions.traded(sorted(user_ids), contiguous=self.is_of_all_users)
        self._traded.add(
            [own.symbols - symbols[user_id].held - symbols[user_id].watched for user_id, own in traded.items()]
        )
        for own in traded.values():
            self._currencies.update({major(currency) for currency in own.currencies} - {UNKNOWN_CURRENCY})


class _Others:
    """Chooses which symbols to load that users only watch or trade: those with stored prices, and some of each user.

    Users may name anything, and each unknown symbol costs a request, so the others wait for a later run. ``origin``
    says where the symbols are from.
    """

    def __init__(self, services: Services, as_of: date, origin: str, limit: int, *, of_all_users: bool) -> None:
        self._origin = origin
        self._prices = services.prices
        self._provider = services.provider
        self._limit = limit
        self._as_of = as_of
        self._of_all_users = of_all_users
        self._seen: set[str] = set()
        self._unknown: dict[str, date] = {}
        """The symbols to ask for although none has a stored price, with the day when they were last asked for."""
        self._vain: set[str] = set()
        """The symbols that the source said nothing about this week."""
        self._chosen: set[str] = set()
        self._crowds: list[frozenset[str]] = []
        """The unknown symbols of users who have more of them than the limit."""

    def add(self, symbols: Collection[frozenset[str]]) -> None:
        """Add the symbols of each of some users."""
        self._look_up(set[str]().union(*symbols) - self._seen)
        for own in symbols:
            unknown = own & self._unknown.keys()
            self._chosen |= own - unknown - self._vain
            if len(unknown) <= self._limit:
                self._chosen |= unknown
            else:
                self._crowds.append(unknown)

    def chosen(self, held: Iterable[str]) -> set[str]:
        """Return the symbols to load besides the ``held`` ones of all users, after those of all were added."""
        known, waiting = frozenset(held), set[str]()
        for crowd in self._crowds:
            own = sorted(crowd.difference(self._chosen, known), key=self._turn)
            self._chosen.update(own[: self._limit])
            waiting.update(own[self._limit :])
        if waiting := waiting - self._chosen:
            _log.info("%d unknown symbols of %s wait for a later run", len(waiting), self._origin)
        return self._chosen

    def _look_up(self, symbols: set[str]) -> None:
        self._seen |= symbols
        today = self._provider.last_day()
        for symbol, own in self._prices.without_prices(sorted(symbols)).items():
            if own is None:
                self._unknown[symbol] = date.min
            elif not self._of_all_users or not was_asked_in_vain(own, self._provider.version(symbol), today):
                self._unknown[symbol] = own.end
            elif not own.issues:  # others are loaded, without a request, to show that they are renamed or delisted
                self._vain.add(symbol)

    def _turn(self, symbol: str) -> tuple[date, int]:
        """Return a key by which the symbols that waited longest come first, in an order that differs every day.

        Otherwise symbols whose prices are bad, which leaves them unknown, would keep the others waiting for ever.
        """
        return self._unknown[symbol], zlib.crc32(f"{self._as_of} {symbol}".encode())
