"""The second step of a run, per batch of symbols: the stored price histories are extended to the range it needs.

The source is asked for the missing days and a few before them. If these match the stored days, the new days are
appended. If they do not, because a split or dividend moved the adjusted closes or the source corrected its data, the
whole history is fetched again.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from zlib import crc32

import numpy as np

from analysis.prices import Bars, clean
from market_data.patience import one_patience
from market_data.provider import (
    BadPrices,
    FetchedBars,
    KeyRefused,
    MissingPrices,
    PricesError,
    Provider,
    ProviderUnavailable,
)
from market_data.rates import is_rate
from records import Batch, BatchResult, Failure, Parameters, PriceIssue, RunError
from runs.services import Services
from stores.symbols import History

OVERLAP = timedelta(days=10)
"""How far back stored days are fetched again: a week of trading and a holiday or two."""

TURNS = 20
"""Weekdays in which the whole history of every symbol is fetched again, a part of the symbols each night."""

# The named stress episodes begin in 2008; no figure needs older prices.
_HISTORY_START = date(2007, 1, 1)
_LISTINGS = ("renamed", "delisted")
_ASKED_AGAIN_AFTER = timedelta(days=7)
_LONGEST_ERROR = 200
_NONE = Bars(*(np.empty(0, kind) for kind in ("datetime64[D]", np.float64, np.float64)))

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Update:
    """The updated histories by symbol, and the errors of the symbols that could not be updated.

    After a ``failure`` of the source, these are only the symbols that were complete by then.
    """

    histories: dict[str, History] = field(default_factory=dict)
    errors: dict[str, PricesError] = field(default_factory=dict)
    failure: ProviderUnavailable | KeyRefused | None = None

    def new(self, kept: Mapping[str, History]) -> dict[str, History]:
        """Return the histories that differ from the ``kept`` ones."""
        return {symbol: own for symbol, own in self.histories.items() if own is not kept.get(symbol)}


def load_batch(services: Services, batch: Batch) -> BatchResult:
    """Fetch and store the prices of a batch of symbols. A symbol without usable prices affects no other."""
    run = services.runs.planned_run(batch.run_id, services.settings)
    if run is None:
        return BatchResult()
    services.runs.reach(batch.run_id, "market_data")
    if failure := _changed_provider(run.parameters, services.settings.market_data_provider):
        return BatchResult(failure=failure)
    holders = services.batches.symbols(batch.plan_id, batch.number)
    lookback_days, ask_again = run.parameters.lookback_days, not run.of_all_users
    try:
        found = fetch_histories(services, list(holders), run.as_of, lookback_days, ask_again=ask_again)
    except KeyRefused as error:  # a retry would be refused, too
        return BatchResult(failure=Failure("provider_key_refused", str(error)))
    # A symbol that is only watched is no error of the run: users may enter anything.
    worst = sorted(
        (symbol for symbol in found.errors if holders[symbol]), key=lambda symbol: (-holders[symbol], symbol)
    )
    errors = {
        symbol: RunError(None, found.errors[symbol].error_type, str(found.errors[symbol])[:_LONGEST_ERROR])
        for symbol in worst
    }
    services.batches.record_symbols(batch.plan_id, batch.number, found.errors, errors)
    own = [holders[symbol] for symbol in worst]
    return BatchResult(
        failed=len(worst), failed_symbols=tuple(worst), failed_holders=tuple(own), failed_positions=sum(own)
    )


def _changed_provider(parameters: Parameters, provider: str) -> Failure | None:
    """Return why a run must not go on: prices of two sources do not fit together, and a report names one."""
    planned = parameters.market_data_provider
    if planned in ("", provider):
        return None
    text = f"MARKET_DATA_PROVIDER was changed from {planned} to {provider} during the run. Start it again."
    return Failure("provider_changed", text)


def history_start(as_of: date, lookback_days: int) -> date:
    """Return the first day to fetch: that of the oldest stress episode or of the lookback, whichever is earlier."""
    return min(_HISTORY_START, as_of - timedelta(days=2 * lookback_days))


def fetch_histories(
    services: Services, symbols: Sequence[str], wanted: date, lookback_days: int, *, ask_again: bool
) -> Update:
    """Fetch the missing prices of the symbols up to ``wanted``, and store them for later steps and runs.

    A symbol without any price up to then is among the errors. ``ask_again`` as in :func:`bring_up_to_date`.

    Raises:
        ProviderUnavailable, KeyRefused: the source failed; its answers up to then are stored, so that the next attempt
            continues from there.
    """
    kept, start = services.prices.load(symbols), history_start(wanted, lookback_days)
    update = bring_up_to_date(services.provider, kept, symbols, start, wanted, ask_again=ask_again)
    services.prices.save(update.new(kept))
    if update.failure is not None:
        raise update.failure
    for symbol, own in update.histories.items():
        if (error := _error_of(symbol, own.bars.since(start), wanted)) is not None:
            update.errors[symbol] = error
    return update


def _error_of(symbol: str, bars: Bars, wanted: date) -> PricesError | None:
    """Return the reason why a symbol has no usable price up to ``wanted``, if it has none."""
    rows = clean(bars, wanted)
    if rows.too_many:
        share = f"{len(rows.bad_days)} days have impossible prices, the first {rows.bad_days[0]}"
        return BadPrices(symbol, share, "at most 5, or 1 % of all, may be")
    return None if len(rows.bars.dates) else MissingPrices(symbol)


def bring_up_to_date(
    provider: Provider,
    kept: Mapping[str, History],
    symbols: Iterable[str],
    start: date,
    wanted: date,
    *,
    ask_again: bool = False,
) -> Update:
    """Return the histories of ``symbols`` from ``start`` to at least ``wanted``, reusing ``kept`` ones if possible.

    Symbols that were asked for in vain this week are left at that, unless ``ask_again``.
    """
    today = provider.last_day()
    end = max(wanted, today)
    sources = {symbol: provider.version(symbol) for symbol in symbols}
    # A history without usable prices is never continued: when it is asked for again, it is fetched in full.
    usable = {
        symbol: own
        for symbol, own in kept.items()
        if own.source == sources.get(symbol) and own.start <= start and _error_of(symbol, own.bars, own.end) is None
    }
    update = Update({symbol: own for symbol, own in usable.items() if own.end >= wanted})
    if not ask_again:
        update.histories |= {
            symbol: kept[symbol]
            for symbol, source in sources.items()
            if was_asked_in_vain(kept.get(symbol), source, today)
        }
    if update.histories.keys() == sources.keys():
        return update
    with one_patience():
        _fetch(update, provider, sources, usable, start, end)
        _add_listings(update, provider, kept, start, end)
    return update


def was_asked_in_vain(own: History | None, source: str, today: date) -> bool:
    """Return whether ``source``, in the same state, was asked less than a week ago and had no price of the symbol."""
    if own is None or len(own.bars.dates):
        return False
    return own.source == source and today - own.end < _ASKED_AGAIN_AFTER


def _fetch(
    update: Update,
    provider: Provider,
    sources: Mapping[str, str],
    usable: Mapping[str, History],
    start: date,
    end: date,
) -> None:
    """Add the histories that are not up to date: the ``usable`` ones continued where possible, all others in full."""
    outdated = sorted(
        (own.end, symbol)
        for symbol, own in usable.items()
        if symbol not in update.histories and not _is_due(symbol, own.end, end)
    )
    for last, group in groupby(outdated, key=lambda pair: pair[0]):
        _continue(update, provider, {symbol: usable[symbol] for _, symbol in group}, last - OVERLAP, end)
    rest = [symbol for symbol in sources if symbol not in update.histories and symbol not in update.errors]
    fetched = _ask(update, provider, rest, start, end)
    for symbol in fetched:
        update.histories[symbol] = History(sources[symbol], start, end, *fetched[symbol])
        if not len(update.histories[symbol].bars.dates) and symbol in usable:
            # Prices that the source no longer returns were once correct; the last one counts as long as it is fresh.
            update.histories[symbol] = replace(usable[symbol], end=end)


def _is_due(symbol: str, stored: date, end: date) -> bool:
    """Return whether a day after ``stored``, up to ``end``, is one on which the whole history is fetched again.

    That is every 20th weekday, another one for each symbol: nothing else shows a correction of days long ago.
    """
    first, last = (int(np.busday_count(_HISTORY_START, day + timedelta(days=1))) for day in (stored, end))
    turn = crc32(symbol.encode()) % TURNS
    return (last - turn) // TURNS > (first - turn) // TURNS


def _add_listings(update: Update, provider: Provider, kept: Mapping[str, History], start: date, end: date) -> None:
    """Add known or newly fetched renames and delistings to the new histories whose prices stopped.

    After a failure of the source nothing is fetched, and histories without a known one are removed.
    """
    new = update.new(kept)
    stopped = {
        symbol
        for symbol, own in new.items()
        if not is_rate(symbol) and not _has_days_since(own.bars, end - OVERLAP)  # no currency is delisted
    }
    known = {
        symbol: [issue for issue in kept[symbol].issues if issue.kind in _LISTINGS] for symbol in stopped & set(kept)
    }
    asked = sorted(symbol for symbol in stopped if not known.get(symbol))
    if update.failure is not None:
        # If they were stored, the next attempt would find them complete and never ask for the reason.
        for symbol in asked:
            del new[symbol], update.histories[symbol]
        asked = []
    try:
        listings = provider.listings(asked, start) if asked else {}
    except (KeyRefused, ProviderUnavailable) as error:  # the prices are there; only an explanation is missing
        _log.warning("Listing status of %d symbols is unavailable: %s", len(asked), error)
        listings = {}
    for symbol, listing in listings.items():
        dates = new[symbol].bars.dates
        # The symbol may belong to another company by now.
        if listing.since is None or not len(dates) or dates[-1].item() - OVERLAP < listing.since:
            known[symbol] = [PriceIssue(listing.status, listing.since, new_symbol=listing.new_symbol)]
    for symbol, own in new.items():
        issues = [issue for issue in own.issues if issue.kind not in _LISTINGS] + known.get(symbol, [])
        update.histories[symbol] = replace(own, issues=tuple(issues))


def _has_days_since(bars: Bars, day: date) -> bool:
    return bool(len(bars.dates)) and bars.dates[-1].item() >= day


type _Answer = dict[str, tuple[Bars, tuple[PriceIssue, ...]]]


def _ask(update: Update, provider: Provider, symbols: Sequence[str], start: date, end: date) -> _Answer:
    """Return the source's bars, empty for symbols without prices; add all other errors to ``update``.

    After a failure of the source, return the bars that came before it, and do not send another request.
    """
    if not symbols or update.failure is not None:
        return {}
    try:
        fetched = provider.daily_bars(symbols, start, end)
    except ProviderUnavailable as error:
        update.failure, fetched = error, error.fetched
    except KeyRefused as error:
        update.failure, fetched = error, FetchedBars({}, {})
    missing = {symbol for symbol, error in fetched.errors.items() if isinstance(error, MissingPrices)}
    update.errors.update({symbol: error for symbol, error in fetched.errors.items() if symbol not in missing})
    return {
        symbol: (fetched.bars.get(symbol, _NONE), fetched.issues.get(symbol, ()))
        for symbol in (*fetched.bars, *missing)
    }


def _continue(update: Update, provider: Provider, usable: Mapping[str, History], since: date, end: date) -> None:
    for symbol, (bars, issues) in _ask(update, provider, list(usable), since, end).items():
        own = usable[symbol]
        if _continues(own.bars, bars, since):
            known = {issue.kind: issue for issue in (*own.issues, *issues)}
            joined = _joined(own.bars.at(own.bars.dates < np.datetime64(since)), bars)
            update.histories[symbol] = replace(own, end=end, bars=joined, issues=tuple(known.values()))


def _continues(own: Bars, bars: Bars, since: date) -> bool:
    """Return whether ``bars``, which begin at ``since``, match the stored days of ``own``."""
    last = own.dates[-1].item()
    if last < since:  # nothing to compare: prices that resume may have been adjusted meanwhile
        return not len(bars.dates)
    # Days after the last stored one are new, even if an earlier request covered them: the source lacked them then.
    old, new = own.between(since, last), bars.between(since, last)
    # An adjusted close that is missing in both is no change.
    return np.array_equal(old.dates, new.dates) and all(
        np.array_equal(getattr(old, name), getattr(new, name), equal_nan=True) for name in ("close", "adj_close")
    )


def _joined(old: Bars, new: Bars) -> Bars:
    if not len(old.dates) or not len(new.dates):
        return old if len(old.dates) else new

    def column(name: str) -> Any:  # noqa: ANN401 - an array of the column's kind, or none
        parts = [(own, getattr(own, name)) for own in (old, new)]
        if all(part is None for _, part in parts):
            return None
        return np.concatenate([np.full(len(own.dates), np.nan) if part is None else part for own, part in parts])

    return Bars(*map(column, Bars.__struct_fields__))
