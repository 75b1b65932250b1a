"""The step between the two passes of a run: the symbols of all pages in batches, and the rates of their currencies."""

import logging
import secrets
from collections import Counter
from datetime import datetime
from itertools import batched

from analysis.currencies import major
from records import MAX_ERRORS, Batch, Failure, Plan, PlannedRun, RunError
from runs.planning import plan_pages
from runs.rates import fetch_rates
from runs.reading import in_turn, limit_of, read
from runs.services import Services
from stores.backend import ID_TYPES
from stores.nobody import why_nobody
from stores.pages import Origin
from stores.portfolio_documents import UNKNOWN_CURRENCY
from stores.portfolios import OF_PORTFOLIOS

MOST_CURRENCIES = 60
"""The most currencies of one run, more than the European Central Bank has ever had at a time."""

_log = logging.getLogger(__name__)


def collect(services: Services, run_id: str) -> Plan:
    """Complete and return the plan: the symbols of all pages with their holders, once all pages were read."""
    run, plan = services.runs.planned_run(run_id, services.settings), services.runs.plan(run_id)
    if run is None or plan is None:
        return Plan()
    services.runs.reach(run_id, "plan")
    if plan.symbol_batches:
        # Delivered again: the batches of the attempt that counts may still have its own id.
        if attempt := services.runs.symbols_by(run_id):
            services.batches.adopt_symbols(attempt, plan.plan_id)
        return plan
    merged = _merged(services, run, plan.plan_id)
    symbols = merged.symbols
    most = services.provider.symbols_per_batch
    # Pages need the prepared prices of at least one batch, even without a symbol: they contain the trading days.
    batches = [dict(batch) for batch in batched(symbols.items(), most, strict=False)] or [{}]
    currencies = _currencies(services, run, merged)
    fetch_rates(services, currencies, run.as_of, run.parameters.lookback_days)
    whole = Plan(
        plan_id=plan.plan_id,
        symbols=len(symbols),
        symbol_batches=len(batches),
        pages=plan.pages,
        # One person's symbols must not keep that person, or those whose run failed, from being analyzed.
        min_success_rate=run.parameters.min_success_rate if run.of_all_users else 0.0,
        positions=sum(symbols.values()),
        load_at_once=services.provider.batches_at_once,
        currencies=currencies,
        failure=_nobody(services) if run.of_all_users and not merged.users else None,
    )
    errors, errors_count = _errors(services, run, merged)
    figures = {
        "users_to_analyze": merged.users,
        "users_to_analyze_estimated": False,
        "symbols": len(symbols),
        "errors_count": errors_count,
    }
    # Written before the plan is recorded, and under an id of its own: an attempt that does not count changes nothing.
    attempt = f"{plan.plan_id}-{secrets.token_hex(4)}"
    services.batches.write_symbols(run_id, attempt, batches)
    if not services.runs.record_symbols(run_id, whole, attempt, figures=figures, errors=errors):
        services.batches.delete_plan(attempt)  # nothing else would, if the run has ended meanwhile
    return collect(services, run_id)


def plan_at_once(services: Services, run_id: str, started_at: datetime) -> Plan:
    """Record and return the whole plan in one step, for runs of versions of the orchestration without a first pass."""
    plan = plan_pages(services, run_id, started_at)
    if plan.failure or plan.symbol_batches or not plan.plan_id:
        return plan
    for number in range(plan.pages):
        read(services, Batch(run_id, plan.plan_id, number))
    return collect(services, run_id)


class _Merged:
    """What all pages found together; of users, only counts and the first ones that are errors."""

    def __init__(self) -> None:
        self.users = self.strange = self.unreadable = self.errors_count = 0
        self.unknown: list[str] = []
        self.idle: list[str] = []
        self.holders: Counter[str] = Counter()
        self.others: dict[Origin, set[str]] = {"watchlists": set(), "transactions": set()}
        self.currencies: Counter[str] = Counter()
        self.id_types: dict[str, set[str]] = {name: set() for name in OF_PORTFOLIOS}
        self.symbols: dict[str, int] = {}
        """Those to load, ascending, with the number of their holders."""


def _merged(services: Services, run: PlannedRun, plan_id: str) -> _Merged:
    merged = _Merged()
    for found in services.pages.found(plan_id):
        merged.users += found.users
        merged.strange += found.strange
        merged.unreadable += found.unreadable
        merged.errors_count += found.unknown_count + found.idle_count
        merged.unknown += found.unknown[: MAX_ERRORS - len(merged.unknown)]
        merged.idle += found.idle[: MAX_ERRORS - len(merged.idle)]
        merged.holders.update(found.holders)
        merged.others["watchlists"].update(found.watched)
        merged.others["transactions"].update(found.traded)
        merged.currencies.update(found.currencies)
        for name, kinds in found.id_types.items():
            merged.id_types[name].update(kinds)
    known = set(merged.holders)
    for origin, chosen in merged.others.items():
        _choose(services, run, plan_id, origin, chosen, known)
        known |= chosen
    merged.symbols = {symbol: merged.holders[symbol] for symbol in sorted(known)}
    return merged


def _choose(
    services: Services, run: PlannedRun, plan_id: str, origin: Origin, chosen: set[str], known: set[str]
) -> None:
    """Add to ``chosen`` some of the unknown symbols of each user with many, besides those that are ``known``."""
    limit, waiting, left_out = limit_of(services, origin), set[str](), 0
    for crowds in services.pages.crowds(plan_id, origin):
        left_out += crowds.left_out
        for crowd in crowds.symbols:
            own = in_turn(set(crowd).difference(chosen, known), crowds.asked_on, run.as_of)
            chosen.update(own[:limit])
            waiting.update(own[limit:])
    if count := len(waiting - chosen) + left_out:
        _log.info("%d unknown symbols of %s wait for a later run", count, origin)


def _currencies(services: Services, run: PlannedRun, merged: _Merged) -> tuple[str, ...]:
    """Return the currencies of the users of all pages and of their symbols: those of most of them, in order."""
    counts, base = merged.currencies.copy(), run.parameters.base_currency
    symbols = merged.symbols
    for symbol, instrument in services.portfolios.instruments([*symbols, run.parameters.benchmark_symbol]).items():
        if instrument.currency not in (None, UNKNOWN_CURRENCY):
            counts[major(instrument.currency)] += max(symbols.get(symbol, 0), 1)
    del counts[base]
    in_order = sorted(counts, key=lambda currency: (-counts[currency], currency))
    if left_out := len(in_order[MOST_CURRENCIES - 1 :]):
        _log.warning("%d currencies are left out: a run has rates of at most %d", left_out, MOST_CURRENCIES)
    return tuple(sorted([base, *in_order[: MOST_CURRENCIES - 1]]))


def _errors(services: Services, run: PlannedRun, merged: _Merged) -> tuple[list[RunError], int]:
    """Return the first errors, and the number, for everything requested or stored that cannot be analyzed."""
    if run.of_all_users:
        _tell(merged)
        unusable = services.portfolios.count_without_user_id() + merged.strange
        key = services.portfolios.fields["users"].described_field("user_id")
        text = f"{unusable} documents in users have no {key}, or one that cannot be used."
        return ([RunError(None, "invalid_user_id", text)], 1) if unusable else ([], 0)
    errors = [
        RunError(user_id, "unknown_user", "There is no active user of this id.") for user_id in merged.unknown
    ] + [
        RunError(user_id, "nothing_to_analyze", "The user has neither holdings nor a watchlist.")
        for user_id in merged.idle
    ]
    return errors[:MAX_ERRORS], merged.errors_count


def _tell(merged: _Merged) -> None:
    """Log what may be wrong with the users' documents."""
    if len(set[str]().union(*merged.id_types.values())) > 1:
        in_order = [
            (name, [kind.name for kind in ID_TYPES if kind.name in own]) for name, own in merged.id_types.items()
        ]
        described = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in in_order if kinds)
        _log.warning("Ids are of several types, and compared by their text forms (%s)", described)
    if merged.unreadable:
        _log.warning("%d users count as inactive: is_active is neither true nor false", merged.unreadable)


def _nobody(services: Services) -> Failure | None:
    """Return why there is nobody to analyze although something is stored: a run of nobody would look like success."""
    why = why_nobody(services.portfolios)
    return None if why is None else Failure("nobody_to_analyze", why)
