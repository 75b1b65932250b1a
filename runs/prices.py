"""The second step of a run, per batch of symbols: the stored price histories are extended to the range it needs.

The source is asked for the missing days and a few before them. If these match the stored days, the new days are
appended. If they do not, because a split or dividend moved the adjusted closes or the source corrected its data, the
whole history is fetched again.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from analysis.prices import Bars
from market_data.patience import one_patience
from market_data.provider import (
    FetchedBars,
    KeyRefused,
    MissingPrices,
    PricesError,
    Provider,
    ProviderUnavailable,
)
from records import Batch, BatchResult, Failure, PriceIssue, RunError
from runs.services import Services
from stores.symbols import History

OVERLAP = timedelta(days=10)
"""How far back stored days are fetched again: a week of trading and a holiday or two."""

# The named stress episodes begin in 2008; no figure needs older prices.
_HISTORY_START = date(2007, 1, 1)
_LISTINGS = ("renamed", "delisted")
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
    symbols = services.batches.members(batch.plan_id, "symbols", batch.number)
    try:
        found = fetch_histories(services, symbols, run.as_of, run.parameters.lookback_days)
    except KeyRefused as error:  # a retry would be refused, too
        return BatchResult(failure=Failure("provider_key_refused", str(error)))
    errors = {
        symbol: RunError(None, error.error_type, str(error)[:_LONGEST_ERROR]) for symbol, error in found.errors.items()
    }
    services.batches.record_symbols(batch.plan_id, batch.number, errors)
    return BatchResult(failed=len(errors), failed_symbols=tuple(sorted(errors)))


def history_start(as_of: date, lookback_days: int) -> date:
    """Return the first day to fetch: that of the oldest stress episode or of the lookback, whichever is earlier."""
    return min(_HISTORY_START, as_of - timedelta(days=2 * lookback_days))


def fetch_histories(services: Services, symbols: Sequence[str], wanted: date, lookback_days: int) -> Update:
    """Fetch the missing prices of the symbols up to ``wanted``, and store them for later steps and runs.

    A symbol without any price up to then is among the errors.

    Raises:
        ProviderUnavailable, KeyRefused: the source failed; its answers up to then are stored, so that the next attempt
            continues from there.
    """
    kept, start = services.prices.load(symbols), history_start(wanted, lookback_days)
    update = bring_up_to_date(services.provider, kept, symbols, start, wanted)
    services.prices.save(update.new(kept))
    if update.failure is not None:
        raise update.failure
    for symbol, own in update.histories.items():
        if not len(own.bars.between(start, wanted).dates):
            update.errors[symbol] = MissingPrices(symbol)
    return update


def bring_up_to_date(
    provider: Provider, kept: Mapping[str, History], symbols: Iterable[str], start: date, wanted: date
) -> Update:
    """Return the histories of ``symbols`` from ``start`` to at least ``wanted``, reusing ``kept`` ones if possible."""
    end = max(wanted, provider.last_day())
    sources = {symbol: provider.version(symbol) for symbol in symbols}
    # A history without prices is fetched again in full: the source may have returned an incomplete answer.
    usable = {
        symbol: own
        for symbol, own in kept.items()
        if own.source == sources.get(symbol) and own.start <= start and len(own.bars.dates)
    }
    update = Update({symbol: own for symbol, own in usable.items() if own.end >= wanted})
    if update.histories.keys() == sources.keys():
        return update
    with one_patience():
        _fetch(update, provider, sources, usable, start, end)
        _add_listings(update, provider, kept, start, end)
    return update


def _fetch(
    update: Update,
    provider: Provider,
    sources: Mapping[str, str],
    usable: Mapping[str, History],
    start: date,
    end: date,
) -> None:
    """Add the histories that are not up to date: the ``usable`` ones continued where possible, all others in full."""
    outdated = sorted((own.end, symbol) for symbol, own in usable.items() if symbol not in update.histories)
    for last, group in groupby(outdated, key=lambda pair: pair[0]):
        _continue(update, provider, {symbol: usable[symbol] for _, symbol in group}, last - OVERLAP, end)
    rest = [symbol for symbol in sources if symbol not in update.histories and symbol not in update.errors]
    fetched = _ask(update, provider, rest, start, end)
    for symbol in fetched:
        update.histories[symbol] = History(sources[symbol], start, end, *fetched[symbol])
        if not len(update.histories[symbol].bars.dates) and symbol in usable:
            # Prices that the source no longer returns were once correct; the last one counts as long as it is fresh.
            update.histories[symbol] = replace(usable[symbol], end=end)


def _add_listings(update: Update, provider: Provider, kept: Mapping[str, History], start: date, end: date) -> None:
    """Add known or newly fetched renames and delistings to the new histories whose prices stopped.

    After a failure of the source nothing is fetched, and histories without a known one are removed.
    """
    new = update.new(kept)
    stopped = {symbol for symbol, own in new.items() if not _has_days_since(own.bars, end - OVERLAP)}
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
    return _days(own, since, last) == _days(bars, since, last)


def _days(bars: Bars, start: date, end: date) -> list[tuple[date, float, float]]:
    days = slice(*bars.dates.searchsorted(np.array([start, end + timedelta(days=1)], dtype="datetime64[D]")))
    return list(zip(bars.dates[days].tolist(), bars.close[days].tolist(), bars.adj_close[days].tolist(), strict=True))


def _joined(old: Bars, new: Bars) -> Bars:
    if not len(old.dates) or not len(new.dates):
        return old if len(old.dates) else new

    def column(name: str) -> Any:  # noqa: ANN401 - an array of the column's kind, or none
        parts = getattr(old, name), getattr(new, name)
        return None if parts[0] is None or parts[1] is None else np.concatenate(parts)

    return Bars(*(column(member.name) for member in fields(Bars)))
