"""Prices from Alpha Vantage (https://www.alphavantage.co/documentation/): one symbol per request.

It always answers 200: errors are in a member named ``Note``, ``Information`` or ``Error Message``, as sentences that
have changed over the years. None of them is ever shown: some quote the key.
"""

import csv
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from analysis.models import Dates, Floats
from analysis.prices import Bars
from market_data.http_source import Answer, HttpSource, KeyPlaces, TryAgain
from market_data.patience import end_of_patience
from market_data.provider import BadPrices, Listing, ProviderUnavailable
from market_data.rates import RateSource, currency_of, is_rate
from market_data.rows import Column, bars_from_rows, prices_of
from market_data.us_market import UsProvider
from records import PriceIssue

_COMPACT_DAYS = 100
"""The number of latest days in an answer that is not the whole history."""
_MOST_SYMBOLS = 100
_REQUESTS_FOR_LISTINGS = 1
_INVALID_KEY = re.compile(r"apikey.*(invalid|missing)|demo\W* api key", re.IGNORECASE)
_TOO_FAST = re.compile(r"per (minute|second)|more sparingly", re.IGNORECASE)
_USED_UP = re.compile(r"per day|daily", re.IGNORECASE)
_PREMIUM = re.compile(r"premium", re.IGNORECASE)

type _Rows = tuple[Dates, dict[Column, Floats]]
type _Found = _Rows | str
"""The rows of a symbol, none if it is unknown, or the rule that the answer breaks."""

_COLUMNS: tuple[Column, ...] = ("close", "adj_close", "high", "low", "split")
_RATE_COLUMNS: tuple[Column, ...] = ("close",)
_EURO = "EUR"
_NO_ROWS: _Rows = (np.array([], dtype="datetime64[D]"), {})


class _Day(msgspec.Struct, gc=False):
    close: Any = msgspec.field(name="4. close")
    adj_close: Any = msgspec.field(name="5. adjusted close")
    high: Any = msgspec.field(name="2. high", default=None)
    low: Any = msgspec.field(name="3. low", default=None)
    split: Any = msgspec.field(name="8. split coefficient", default=None)


class _Rate(msgspec.Struct, gc=False):
    close: Any = msgspec.field(name="4. close")


class _Content(msgspec.Struct):
    about: dict[str, str] = msgspec.field(name="Meta Data", default_factory=dict)
    days: msgspec.Raw = msgspec.field(name="Time Series (Daily)", default=msgspec.Raw(b"{}"))
    rates: msgspec.Raw = msgspec.field(name="Time Series FX (Daily)", default=msgspec.Raw(b"{}"))
    note: str = msgspec.field(name="Note", default="")
    information: str = msgspec.field(name="Information", default="")
    error: str = msgspec.field(name="Error Message", default="")


class AlphaVantageProvider(UsProvider[_Found]):
    """One request per symbol: the last 100 days if these are enough, else the whole history."""

    keys = KeyPlaces(params={"apikey": "alphavantage-api-key"})
    _symbol = re.compile(r"[A-Z0-9]{1,16}([.-][A-Z0-9]{1,8})?|\$[A-Z]{3}")
    _separator = "-"
    _version = "alphavantage"

    def __init__(
        self,
        source: HttpSource,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rates: RateSource | None = None,
    ) -> None:
        super().__init__(source, now, rates)
        # One minute's requests, so that several batches at once end in time.
        self.symbols_per_batch = min(_MOST_SYMBOLS, source.server.requests_per_minute)
        self.batches_at_once = source.batches_at_once(self.symbols_per_batch + _REQUESTS_FOR_LISTINGS)

    def listings(self, symbols: Sequence[str], since: date) -> dict[str, Listing]:
        """As :meth:`Provider.listings`, from the list of all delisted symbols; new names are not known."""
        if not symbols:
            return {}
        params = {"function": "LISTING_STATUS", "state": "delisted"}
        delisted = self._source.get("/query", params, self._read_delisted, end_of_patience())
        known = {symbol: delisted[name] for symbol, name in self._names(symbols).items() if name in delisted}
        return {symbol: Listing("delisted", day) for symbol, day in known.items() if day >= since}

    def _fetch(self, names: list[str], start: date, end: date, found: dict[str, _Found]) -> None:
        deadline = end_of_patience()
        # The latest bars may include today's, which is not final.
        recent = np.busday_count(start, self.last_day() + timedelta(days=2)) <= _COMPACT_DAYS
        size = "compact" if recent else "full"

        def fetch(name: str) -> None:
            read = self._read_rates if is_rate(name) else self._read
            params = {**_question(name), "outputsize": size, "datatype": "json"}
            found[name] = self._source.get("/query", params, lambda answer: read(answer, name, start, end), deadline)

        # The first one alone: if the key is refused or used up, only one request is spent.
        for name in names[:1]:
            fetch(name)
        with ThreadPoolExecutor(self._source.server.concurrency) as threads:
            list(threads.map(fetch, names[1:]))

    def _bars(self, symbol: str, rows: _Found) -> tuple[Bars, tuple[PriceIssue, ...]]:
        if isinstance(rows, str):
            raise BadPrices(symbol, "answer", rows)
        return bars_from_rows(symbol, *rows)

    def _read(self, answer: Answer, name: str, start: date, end: date) -> _Found:
        content = self._content(answer)
        if content.error:
            return _NO_ROWS  # "invalid API call": the symbol is unknown
        if content.about.get("2. Symbol", name).upper() != name:
            return "it is about another symbol"
        return _rows(content.days, start, end, _Day, _COLUMNS)

    def _read_rates(self, answer: Answer, name: str, start: date, end: date) -> _Found:
        content = self._content(answer)
        if content.error:
            return _NO_ROWS
        pair = content.about.get("2. From Symbol", _EURO), content.about.get("3. To Symbol", currency_of(name))
        if pair != (_EURO, currency_of(name)):
            return "it is about other currencies"
        # A day of currencies ends at midnight UTC, hours after the last session of shares.
        over = self._now().astimezone(UTC).date() - timedelta(days=1)
        rows = _rows(content.rates, start, min(end, over), _Rate, _RATE_COLUMNS)
        if isinstance(rows, str):
            return rows
        dates, columns = rows
        return dates, {**columns, "adj_close": columns["close"]}

    def _read_delisted(self, answer: Answer) -> dict[str, date]:
        """Return the last day on which each symbol was delisted, from a CSV file, or from JSON if there is none."""
        if answer.body.lstrip().startswith(b"{"):
            self._content(answer)
        self._source.expect_success(answer)
        try:
            header, *rows = csv.reader(answer.body.decode().splitlines(), strict=True)
            symbol, day = header.index("symbol"), header.index("delistingDate")
            days = sorted((date.fromisoformat(row[day]), row[symbol]) for row in rows if row[day] not in ("", "null"))
        except (UnicodeDecodeError, csv.Error, ValueError, IndexError):
            raise TryAgain("its list is not what the documentation describes") from None
        return {name: last for last, name in days}

    def _content(self, answer: Answer) -> _Content:
        """Return the content of an answer; a sentence, except that about an invalid call, raises its error."""
        content = self._source.content(answer, _Content)
        if _INVALID_KEY.search(content.error + content.information):
            raise self._source.key_refused("invalid")
        if content.note or content.information:
            raise self._error_for(f"{content.note} {content.information}")
        return content

    def _error_for(self, sentence: str) -> Exception:
        """Return the error that a sentence in place of prices means."""
        # Most of them contain an offer to lift daily limits and unlock paid features: the order decides.
        if _TOO_FAST.search(sentence):
            self._source.pause()
            return TryAgain("requests come too fast")
        if _USED_UP.search(sentence):
            return ProviderUnavailable("alphavantage: the requests of the day are used up")
        if _PREMIUM.search(sentence):
            return self._source.key_refused("its plan does not include adjusted daily prices")
        return TryAgain("it answers with a note instead of prices")


def _question(name: str) -> dict[str, str]:
    """Return the parameters that ask for the days of a symbol."""
    if is_rate(name):
        return {"function": "FX_DAILY", "from_symbol": _EURO, "to_symbol": currency_of(name)}
    return {"function": "TIME_SERIES_DAILY_ADJUSTED", "symbol": name}


def _rows(days: msgspec.Raw, start: date, end: date, kind: type[_Day | _Rate], names: tuple[Column, ...]) -> _Found:
    try:
        rows = msgspec.json.decode(days, type=dict[str, kind])  # type: ignore[valid-type]
        dates = np.array([date.fromisoformat(day).toordinal() for day in reversed(rows)], dtype=np.int64)
    except (msgspec.MsgspecError, ValueError):
        return "it is not of the shape that the documentation describes"
    oldest_first = list(reversed(rows.values()))
    columns = {name: prices_of([getattr(row, name) for row in oldest_first]) for name in names}
    inside = (dates >= start.toordinal()) & (dates <= end.toordinal())
    in_range = (dates[inside] - date(1970, 1, 1).toordinal()).astype("datetime64[D]")
    return in_range, {name: values[inside] for name, values in columns.items()}
