"""Prices from Alpaca (https://docs.alpaca.markets/docs/about-market-data-api): many symbols per request, in pages."""

import functools
import logging
import math
import re
from collections.abc import Callable, Iterator, Sequence
from copy import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import batched
from typing import Any, Literal

import msgspec
import numpy as np

from analysis.models import Dates, Floats
from analysis.prices import Bars
from market_data.http_source import Answer, HttpSource, KeyPlaces
from market_data.patience import end_of_patience
from market_data.provider import BadPrices, KeyRefused, Listing, ProviderUnavailable
from market_data.rates import RateSource
from market_data.rows import NO_PRICE, Column, bars_from_rows, prices_of
from market_data.us_market import NEW_YORK, UsProvider
from records import PriceIssue

_ROWS_PER_PAGE = 10_000
"""The maximum number of rows in one answer, over all requested symbols."""
_PAGES_PER_PART = 5
"""Long histories are requested in parts: few enough that their last pages, which are not full, cost little, and
enough that most of the work is done when time runs out.
"""
_MOST_PAGES = 1_000
_FIRST_DAY = date(2016, 1, 1)
"""The first day of its data."""
# A day's bar has New York's midnight as its time. A request up to the evening includes it, and is old enough for
# accounts without a subscription to the last minutes of the consolidated feed.
_EVENING = time(17)
_ACTIONS = "/v1/corporate-actions"
_ENDS = "name_change,cash_merger,stock_merger,stock_and_cash_merger,redemption,worthless_removal"
_SPLITS = "forward_split,reverse_split,stock_dividend"
# Actions are found by the day on which they were processed, which may be weeks from the ex-date.
_PROCESSED_WITHIN = timedelta(days=45)
_INVALID_SYMBOL = re.compile(r"invalid symbol: (\S+)")

_log = logging.getLogger(__name__)

type _Adjustment = Literal["raw", "all"]
type _Rows = tuple[Dates, dict[Column, Floats]]
type _Pages = list[_Rows | None]
"""The rows of a symbol, page by page; None for rows of a wrong shape."""
type _Splits = list[tuple[date, float]]
"""The new shares for an old one by ex-date, for each action of a symbol."""
type _Found = tuple[_Pages, _Pages, _Splits]


class _Bar(msgspec.Struct, gc=False):
    t: str
    c: Any
    h: Any = None
    l: Any = None  # noqa: E741 - the API names it


class _BarsPage(msgspec.Struct):
    bars: dict[str, msgspec.Raw] | None
    next_page_token: str | None = None


class _Action(msgspec.Struct):
    symbol: str = ""
    old_symbol: str = ""
    new_symbol: str | None = None
    acquiree_symbol: str = ""
    effective_date: date | None = None
    process_date: date | None = None
    ex_date: date | None = None
    new_rate: Any = None
    old_rate: Any = None
    rate: Any = None


class _ActionsPage(msgspec.Struct):
    corporate_actions: dict[str, list[_Action]] | None
    next_page_token: str | None = None


class _Refusal(msgspec.Struct):
    message: str = ""


_BARS = msgspec.json.Decoder(list[_Bar])


class _InvalidSymbol(Exception):
    """The message is the symbol."""


class _NotOffered(Exception):
    """The server does not answer this question, or not with this key; the message is the status."""


class AlpacaProvider(UsProvider[_Found]):
    """Three requests per batch: the traded bars, their closes adjusted for everything, and their splits."""

    keys = KeyPlaces({"APCA-API-KEY-ID": "alpaca-key-id", "APCA-API-SECRET-KEY": "alpaca-secret-key"})
    _symbol = re.compile(r"[A-Z0-9]{1,16}(\.[A-Z0-9]{1,8})?")
    _separator = "."

    def __init__(
        self,
        source: HttpSource,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rates: RateSource | None = None,
    ) -> None:
        super().__init__(source, now, rates)
        # Of a first load: the whole history of every symbol.
        parts = -(-self.symbols_per_batch // _symbols_per_part(_FIRST_DAY, self.last_day()))
        self.batches_at_once = source.batches_at_once((2 * _PAGES_PER_PART + 1) * parts)
        self._version = f"alpaca {source.server.feed}"  # each feed has its own prices
        self._told_without_splits = False

    def listings(self, symbols: Sequence[str], since: date) -> dict[str, Listing]:
        """As :meth:`Provider.listings`, from the corporate actions: one request for all symbols if they fit a page."""
        names = {symbol: name for symbol, name in self._names(symbols).items() if self._symbol.fullmatch(name)}
        params = {"types": _ENDS, "start": since.isoformat(), "end": self.last_day().isoformat(), "limit": "1000"}
        requested, deadline = sorted(set(names.values())), end_of_patience()
        found: dict[str, Listing] = {}
        for page in self._pages(_ACTIONS, requested, params, self._actions, deadline):
            for group, actions in (page.corporate_actions or {}).items():
                for name, listing in (_listing(group, action) for action in actions):
                    found[name] = max(found.get(name, listing), listing, key=lambda known: known.since or date.min)
        return {symbol: found[name] for symbol, name in names.items() if name in found}

    def _fetch(self, names: list[str], start: date, end: date, found: dict[str, _Found]) -> None:
        deadline = end_of_patience()
        for part in batched(names, _symbols_per_part(start, end), strict=False):
            traded = self._rows(list(part), start, end, "raw", deadline)
            adjusted = self._rows(sorted(traded), start, end, "all", deadline)
            splits = self._splits(sorted(traded), start, end, deadline)
            found |= {name: (rows, adjusted.get(name, []), splits.get(name, [])) for name, rows in traded.items()}

    def _bars(self, symbol: str, rows: _Found) -> tuple[Bars, tuple[PriceIssue, ...]]:
        """Join the traded bars with the adjusted closes of their days; an issue of both is reported once."""
        raw, adjusted, splits = rows
        bars, issues = _in_order(symbol, "bars", raw)
        if not adjusted:
            raise BadPrices(symbol, "adjusted bars", "there are none")
        adjusted_bars, adjusted_issues = _in_order(symbol, "adjusted bars", adjusted)
        places = adjusted_bars.dates.searchsorted(bars.dates)
        found = adjusted_bars.dates.take(places, mode="clip") == bars.dates
        adj_close = np.where(found, adjusted_bars.close.take(places, mode="clip"), NO_PRICE)
        split = _split_column(bars.dates, splits)
        return replace(bars, adj_close=adj_close, split=split), tuple(dict.fromkeys(issues + adjusted_issues))

    def _rows(
        self, names: list[str], start: date, end: date, adjustment: _Adjustment, deadline: float
    ) -> dict[str, _Pages]:
        params = {
            "timeframe": "1Day",
            "start": datetime.combine(start, time(), NEW_YORK).isoformat(),
            "end": datetime.combine(end, _EVENING, NEW_YORK).isoformat(),
            "adjustment": adjustment,
            "feed": self._source.server.feed,
            "sort": "asc",
            "limit": str(_ROWS_PER_PAGE),
        }
        rows: dict[str, _Pages] = {}
        for page in self._pages(
            "/v2/stocks/bars", names, params, lambda answer: self._content(answer, _BarsPage), deadline
        ):
            for name, block in (page.bars or {}).items():
                if name in names:
                    rows.setdefault(name, []).append(_parsed(block))
        return rows

    def _splits(self, names: list[str], start: date, end: date, deadline: float) -> dict[str, _Splits]:
        """Return the splits and stock dividends of each symbol from ``start`` to ``end``."""

        def read(answer: Answer) -> _ActionsPage:
            if answer.status in (400, 403, 404) and not _INVALID_SYMBOL.fullmatch(_message(answer)):
                raise _NotOffered(f"{answer.status}")
            return self._actions(answer)

        since, until = (day.isoformat() for day in (start - _PROCESSED_WITHIN, end + _PROCESSED_WITHIN))
        params = {"types": _SPLITS, "start": since, "end": until, "limit": "1000"}
        found: dict[str, _Splits] = {}
        try:
            for page in self._pages(_ACTIONS, names, params, read, deadline):
                for group, actions in (page.corporate_actions or {}).items():
                    for action in actions:
                        ratio = _ratio(group, action)
                        if action.ex_date is not None and start <= action.ex_date <= end and ratio is not None:
                            found.setdefault(action.symbol, []).append((action.ex_date, ratio))
        except _NotOffered as error:  # the prices are there, and show most splits by themselves
            if not self._told_without_splits:
                _log.warning("Alpaca tells no splits: its corporate actions answer %s", error)
                self._told_without_splits = True
            return {}
        return found

    def _pages[Page: "_BarsPage | _ActionsPage"](
        self, path: str, names: list[str], params: dict[str, str], read: Callable[[Answer], Page], deadline: float
    ) -> Iterator[Page]:
        """Yield the pages of the answer about ``names``, without invalid symbols."""
        tokens, names = {""}, list(names)
        while names and len(tokens) <= _MOST_PAGES:
            try:
                request = {"symbols": ",".join(names), **params}
                page = self._source.get(path, request, read, deadline)
            except _InvalidSymbol as error:
                # It makes the whole request fail: the others are requested without it.
                if str(error) not in names:
                    raise ProviderUnavailable("alpaca: it refuses a symbol that was not asked for") from None
                names.remove(str(error))
                continue
            yield page
            token = page.next_page_token or ""
            if not token:
                return
            if token in tokens:
                break
            tokens.add(token)
            params = params | {"page_token": token}
        if names:
            raise ProviderUnavailable("alpaca: its pages do not end")

    def _actions(self, answer: Answer) -> _ActionsPage:
        return self._content(answer, _ActionsPage)

    def _content[Page](self, answer: Answer, kind: type[Page]) -> Page:
        if answer.status in (400, 403):
            message = _message(answer)
            if invalid := _INVALID_SYMBOL.fullmatch(message):
                raise _InvalidSymbol(invalid[1])
            if "subscription" in message:
                raise KeyRefused(
                    f"alpaca: the subscription does not include ALPACA_FEED={self._source.server.feed} (403)."
                )
        return self._source.content(answer, kind)


def _symbols_per_part(start: date, end: date) -> int:
    weekdays = int(np.busday_count(start, end + timedelta(days=1)))
    return max(1, _PAGES_PER_PART * _ROWS_PER_PAGE // max(1, weekdays))


def _listing(group: str, action: _Action) -> tuple[str, Listing]:
    since = action.effective_date or action.process_date
    if group == "name_changes":
        return action.old_symbol, Listing("renamed", since, action.new_symbol)
    return action.acquiree_symbol or action.symbol, Listing("delisted", since)


def _ratio(group: str, action: _Action) -> float | None:
    """Return the new shares for an old one of an action; ``None`` if it is no split, or has no such ratio."""
    new, old, more = prices_of([action.new_rate, action.old_rate, action.rate])
    if group in ("forward_splits", "reverse_splits"):
        ratio = float(new / old) if old > 0 else math.nan
    else:
        ratio = float(1 + more) if group == "stock_dividends" else math.nan
    return ratio if math.isfinite(ratio) and ratio > 0 else None


def _split_column(dates: Dates, splits: _Splits) -> Floats | None:
    """Return the new shares for an old one on each day, 1 for none; a day without a bar counts as the next one."""
    column = np.ones(len(dates))
    for day, ratio in splits:
        row = int(dates.searchsorted(np.datetime64(day)))
        # Before the first bar there is no price that a split could change.
        if row < len(dates) and (row > 0 or dates[row].item() == day):
            column[row] *= ratio
    return column if (column != 1).any() else None


def _message(answer: Answer) -> str:
    try:
        return msgspec.json.decode(answer.body, type=_Refusal).message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _parsed(block: msgspec.Raw) -> _Rows | None:
    try:
        bars = _BARS.decode(block)
        days = np.array([_epoch_day(bar.t) for bar in bars], dtype=np.int64)
    except (msgspec.MsgspecError, ValueError):
        return None
    columns: dict[Column, Floats] = {
        "close": prices_of([bar.c for bar in bars]),
        "high": prices_of([bar.h for bar in bars]),
        "low": prices_of([bar.l for bar in bars]),
    }
    return days.astype("datetime64[D]"), columns


@functools.lru_cache(maxsize=16_384)  # all symbols share the same days
def _epoch_day(instant: str) -> int:
    """Return the day in New York, counted from 1970-01-01, of an instant such as 2022-02-01T05:00:00Z."""
    moment = datetime.fromisoformat(instant)
    if moment.tzinfo is None:
        raise ValueError("an instant without a zone")
    return moment.astimezone(NEW_YORK).date().toordinal() - date(1970, 1, 1).toordinal()


def _in_order(symbol: str, where: str, pages: _Pages) -> tuple[Bars, tuple[PriceIssue, ...]]:
    rows = [page for page in pages if page is not None]
    if len(rows) < len(pages):
        raise BadPrices(symbol, where, "they are not of the shape that the documentation describes")
    dates = np.concatenate([days for days, _ in rows])
    columns = {name: np.concatenate([page[name] for _, page in rows]) for name in rows[0][1]}
    return bars_from_rows(symbol, dates, {**columns, "adj_close": columns["close"]})
