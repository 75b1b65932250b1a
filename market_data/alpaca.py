"""Prices from Alpaca (https://docs.alpaca.markets/docs/about-market-data-api): many symbols per request, in pages."""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import batched
from typing import Literal

import msgspec
import numpy as np

from analysis.models import Dates, Floats
from analysis.prices import Bars
from market_data.http_source import Answer, HttpSource, KeyPlaces, TryAgain
from market_data.provider import (
    BadPrices,
    FetchedBars,
    KeyRefused,
    Listing,
    MissingPrices,
    ProviderUnavailable,
    fetched_bars,
)
from market_data.rows import Column, bars_from_rows
from market_data.us_market import NEW_YORK, last_complete_day, spelled
from records import PriceIssue
from settings import MarketDataServer

KEYS = KeyPlaces({"APCA-API-KEY-ID": "alpaca-key-id", "APCA-API-SECRET-KEY": "alpaca-secret-key"})

_ROWS_PER_PAGE = 10_000
"""The maximum number of rows in one answer, over all requested symbols."""
_PAGES_PER_PART = 5
"""Long histories are requested in parts: few enough that their last pages, which are not full, cost little, and
enough that most of the work is done when time runs out.
"""
_MOST_PAGES = 1_000
# A day's bar has New York's midnight as its time. A request up to the evening includes it, and is old enough for
# accounts without a subscription to the last minutes of the consolidated feed.
_EVENING = time(17)
_ENDS = "name_change,cash_merger,stock_merger,stock_and_cash_merger,redemption,worthless_removal"
_SYMBOL = re.compile(r"[A-Z0-9]{1,16}(\.[A-Z0-9]{1,8})?")
_INVALID_SYMBOL = re.compile(r"invalid symbol: (\S+)")

type _Adjustment = Literal["raw", "all"]
type _Rows = tuple[Dates, dict[Column, Floats]]
type _Histories = dict[str, list[_Rows | None]]
"""The rows by symbol, page by page; None stands for rows of a wrong shape."""


class _Bar(msgspec.Struct, gc=False):
    t: str
    c: float
    h: float | None = None
    l: float | None = None  # noqa: E741 - the API names it
    v: float | None = None


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


class _ActionsPage(msgspec.Struct):
    corporate_actions: dict[str, list[_Action]] | None
    next_page_token: str | None = None


class _Refusal(msgspec.Struct):
    message: str = ""


_BARS = msgspec.json.Decoder(list[_Bar])


class _InvalidSymbol(Exception):
    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.symbol = symbol


class AlpacaProvider:
    """Two requests per batch: the traded bars, and their closes adjusted for everything."""

    symbols_per_batch = 100

    def __init__(
        self, source: HttpSource, server: MarketDataServer, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._source = source
        self._feed = server.feed
        self._now = now

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """As :meth:`Provider.daily_bars`; a day that is not over has no bar yet."""
        end = min(end, self.last_day())
        names = spelled(symbols, ".")
        requested = sorted({name for name in names.values() if _SYMBOL.fullmatch(name)}) if start <= end else []
        raw: _Histories = {}
        adjusted: _Histories = {}

        def bars_of(symbol: str) -> tuple[Bars, tuple[PriceIssue, ...]]:
            return _bars(symbol, raw.get(names[symbol], []), adjusted.get(names[symbol], []))

        deadline = self._source.deadline()
        try:
            for part in batched(requested, _symbols_per_part(start, end), strict=False):
                traded = self._rows(list(part), start, end, "raw", deadline)
                adjusted |= self._rows(sorted(traded), start, end, "all", deadline)
                raw |= traded
        except ProviderUnavailable as error:
            error.fetched = fetched_bars([symbol for symbol, name in names.items() if name in raw], bars_of, start, end)
            raise
        return fetched_bars(names, bars_of, start, end)

    def version(self, symbol: str) -> str:  # noqa: ARG002 - the same for all
        """As :meth:`Provider.version`: each feed has its own prices."""
        return f"alpaca {self._feed}"

    def last_day(self) -> date:
        """As :meth:`Provider.last_day`: bars of the current day still change."""
        return last_complete_day(self._now())

    def listings(self, symbols: Sequence[str], since: date) -> dict[str, Listing]:
        """As :meth:`Provider.listings`, from the corporate actions: one request for all symbols if they fit a page."""
        names = {symbol: name for symbol, name in spelled(symbols, ".").items() if _SYMBOL.fullmatch(name)}
        params = {"types": _ENDS, "start": since.isoformat(), "end": self.last_day().isoformat(), "limit": "1000"}
        requested, deadline = sorted(set(names.values())), self._source.deadline()
        found: dict[str, Listing] = {}
        for page in self._pages("/v1/corporate-actions", requested, params, self._actions_page, deadline):
            for group, actions in (page.corporate_actions or {}).items():
                for name, listing in (_listing(group, action) for action in actions):
                    found[name] = max(found.get(name, listing), listing, key=_day)
        return {symbol: found[name] for symbol, name in names.items() if name in found}

    def _rows(self, names: list[str], start: date, end: date, adjustment: _Adjustment, deadline: float) -> _Histories:
        params = {
            "timeframe": "1Day",
            "start": datetime.combine(start, time(), NEW_YORK).isoformat(),
            "end": datetime.combine(end, _EVENING, NEW_YORK).isoformat(),
            "adjustment": adjustment,
            "feed": self._feed,
            "sort": "asc",
            "limit": str(_ROWS_PER_PAGE),
        }
        rows: _Histories = {}
        for page in self._pages("/v2/stocks/bars", names, params, self._bars_page, deadline):
            for name, block in (page.bars or {}).items():
                if name in names:
                    rows.setdefault(name, []).append(_parsed(block))
        return rows

    def _pages[Page: "_BarsPage | _ActionsPage"](
        self, path: str, names: list[str], params: dict[str, str], read: Callable[[Answer], Page], deadline: float
    ) -> Iterator[Page]:
        """Yield the pages of the answer about ``names``, without invalid symbols."""
        tokens, names = {""}, list(names)
        while names and len(tokens) <= _MOST_PAGES:
            try:
                page = self._source.ask(path, {"symbols": ",".join(names), **params}, read, deadline)
            except _InvalidSymbol as error:
                # It makes the whole request fail: the others are requested without it.
                if error.symbol not in names:
                    raise ProviderUnavailable("alpaca: it refuses a symbol that was not asked for") from None
                names.remove(error.symbol)
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

    def _bars_page(self, answer: Answer) -> "_BarsPage":
        return self._decoded(answer, _BarsPage)

    def _actions_page(self, answer: Answer) -> "_ActionsPage":
        return self._decoded(answer, _ActionsPage)

    def _decoded[Page](self, answer: Answer, kind: type[Page]) -> Page:
        if answer.status in (400, 403):
            message = _message(answer)
            if invalid := _INVALID_SYMBOL.fullmatch(message):
                raise _InvalidSymbol(invalid[1])
            if "subscription" in message:
                raise KeyRefused(f"alpaca: the subscription does not include ALPACA_FEED={self._feed} (403).")
        self._source.expect_success(answer)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise TryAgain("its answer is not what the documentation describes") from None


def _symbols_per_part(start: date, end: date) -> int:
    weekdays = int(np.busday_count(start, end + timedelta(days=1)))
    return max(1, _PAGES_PER_PART * _ROWS_PER_PAGE // max(1, weekdays))


def _listing(group: str, action: _Action) -> tuple[str, Listing]:
    since = action.effective_date or action.process_date
    if group == "name_changes":
        return action.old_symbol, Listing("renamed", since, action.new_symbol)
    return action.acquiree_symbol or action.symbol, Listing("delisted", since)


def _day(listing: Listing) -> date:
    return listing.since or date.min


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
        "close": np.array([bar.c for bar in bars], dtype=np.float64),
        "high": np.array([bar.h for bar in bars], dtype=np.float64),
        "low": np.array([bar.l for bar in bars], dtype=np.float64),
        "volume": np.array([bar.v for bar in bars], dtype=np.float64),
    }
    return days.astype("datetime64[D]"), columns


@functools.lru_cache(maxsize=16_384)  # all symbols share the same days
def _epoch_day(instant: str) -> int:
    """Return the day in New York, counted from 1970-01-01, of an instant such as 2022-02-01T05:00:00Z."""
    moment = datetime.fromisoformat(instant)
    if moment.tzinfo is None:
        raise ValueError("an instant without a zone")
    return moment.astimezone(NEW_YORK).date().toordinal() - date(1970, 1, 1).toordinal()


def _bars(symbol: str, raw: list[_Rows | None], adjusted: list[_Rows | None]) -> tuple[Bars, tuple[PriceIssue, ...]]:
    """Join the traded bars with the adjusted closes; an issue of both is reported once."""
    if not raw:
        raise MissingPrices(symbol)
    bars, issues = _in_order(symbol, "bars", raw)
    if not adjusted:
        raise BadPrices(symbol, "adjusted bars", "there are none")
    adjusted_bars, adjusted_issues = _in_order(symbol, "adjusted bars", adjusted)
    if not np.array_equal(bars.dates, adjusted_bars.dates):
        raise BadPrices(symbol, "adjusted bars", "they are of other days than the bars")
    return replace(bars, adj_close=adjusted_bars.close), tuple(dict.fromkeys(issues + adjusted_issues))


def _in_order(symbol: str, where: str, pages: list[_Rows | None]) -> tuple[Bars, tuple[PriceIssue, ...]]:
    rows = [page for page in pages if page is not None]
    if len(rows) < len(pages):
        raise BadPrices(symbol, where, "they are not of the shape that the documentation describes")
    dates = np.concatenate([days for days, _ in rows])
    columns = {name: np.concatenate([page[name] for _, page in rows]) for name in rows[0][1]}
    return bars_from_rows(symbol, dates, {**columns, "adj_close": columns["close"]})
