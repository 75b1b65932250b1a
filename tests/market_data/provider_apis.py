"""The answers of the providers' servers, from their documentation, and failures of answers by name."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from analysis.models import Floats
from analysis.prices import Bars
from tests.market_data.provider_server import ProviderServer, Question, Reply

KEYS = {
    "alpaca-key-id": "AK-invented-key-id",
    "alpaca-secret-key": "invented/secret+key==",
    "alphavantage-api-key": "INVENTED+KEY/OF&16",
}
_NEW_YORK = ZoneInfo("America/New_York")

type Row = dict[str, Any]


def alpaca(server: ProviderServer, question: Question) -> Reply:
    """Return an answer as described by https://docs.alpaca.markets/reference/stockbars."""
    names = ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")
    shown = [value for name, value in question.headers.items() if name.upper() in names]
    if shown != [KEYS["alpaca-key-id"], KEYS["alpaca-secret-key"]]:
        return 401, {"message": "unauthorized."}, {}
    params = question.params
    symbols = params["symbols"].split(",")
    for symbol in symbols:
        if symbol not in server.market and not symbol.replace(".", "").isalpha():
            return 400, {"message": f"invalid symbol: {symbol}"}, {}
    if question.path == "/v1/corporate-actions":
        return _corporate_actions(server, question, symbols)
    if params["feed"] == "sip" and question.failure == "no subscription":
        return 403, {"message": "subscription does not permit querying recent SIP data"}, {}
    assert question.path == "/v2/stocks/bars"
    assert (params["timeframe"], params["sort"], params["limit"]) == ("1Day", "asc", "10000")
    if question.failure == "an invalid symbol that was not requested":
        return 400, {"message": "invalid symbol: NOBODY"}, {}
    start, end = (datetime.fromisoformat(params[name]) for name in ("start", "end"))
    rows = [
        (symbol, row)
        for symbol in sorted(set(symbols) & set(server.market))
        for moment, row in _alpaca_rows(server.market[symbol], params["adjustment"])
        if start <= moment <= end
    ]
    first = int(base64.b64decode(params["page_token"])) if "page_token" in params else 0
    last = first + server.page_rows
    bars: dict[str, list[Row]] = {}
    for symbol, row in rows[first:last]:
        bars.setdefault(symbol, []).append(row)
    token = base64.b64encode(str(last).encode()).decode()
    if question.failure == "the same page again and again":
        token = base64.b64encode(str(first).encode()).decode()
    elif last >= len(rows) and question.failure != "pages without end":
        token = ""
    return 200, {"bars": _spoiled(bars, question.failure), "next_page_token": token or None}, {}


def _corporate_actions(server: ProviderServer, question: Question, symbols: list[str]) -> Reply:
    """Return an answer as described by https://docs.alpaca.markets/reference/corporateactions-1, one action a page."""
    params, asked = question.params, set(symbols)
    first, last = params["start"], params["end"]
    changes = [
        (
            "name_changes",
            {"old_symbol": old, "new_symbol": new, "old_cusip": "0", "new_cusip": "1", "process_date": day},
        )
        for old, (new, day) in server.renamed.items()
        if old in asked and first <= day <= last
    ]
    mergers = [
        ("cash_mergers", {"acquiree_symbol": symbol, "rate": 1.5, "effective_date": day, "process_date": day})
        for symbol, day in server.delisted.items()
        if symbol in asked and first <= day <= last
    ]
    splits = [
        _split(symbol, *row) for symbol in symbols for row in _splits_of(server, symbol) if first <= row[0] <= last
    ]
    dividends = [("cash_dividends", {"symbol": symbol, "rate": 0.1, "ex_date": first}) for symbol in symbols]
    wanted = set(params["types"].split(","))
    actions = [action for action in [*dividends, *changes, *mergers, *splits] if action[0].removesuffix("s") in wanted]
    number = int(params.get("page_token", "0"))
    group, action = actions[number] if actions else ("", {})
    token = str(number + 1) if number + 1 < len(actions) else None
    return 200, {"corporate_actions": {group: [action]} if group else {}, "next_page_token": token}, {}


def _splits_of(server: ProviderServer, symbol: str) -> list[tuple[str, float]]:
    """Return the days and ratios of the splits of a symbol."""
    bars = server.market.get(symbol)
    if bars is None or bars.split is None:
        return []
    return [(str(bars.dates[row]), float(bars.split[row])) for row in np.flatnonzero(bars.split != 1)]


def _split(symbol: str, day: str, ratio: float) -> tuple[str, Row]:
    about = {"symbol": symbol, "cusip": "0", "ex_date": day, "process_date": day, "record_date": day}
    if 1 < ratio < 1.2:
        return "stock_dividends", about | {"rate": ratio - 1}
    group = "forward_splits" if ratio > 1 else "reverse_splits"
    new, old = Fraction(ratio).limit_denominator(1000).as_integer_ratio()
    return group, about | {"new_rate": new, "old_rate": old}


_ROWS: dict[tuple[int, str], tuple[Bars, list[tuple[datetime, Row]]]] = {}


def _alpaca_rows(bars: Bars, adjustment: str) -> list[tuple[datetime, Row]]:
    if (id(bars), adjustment) not in _ROWS:
        scale = {"raw": np.ones_like(bars.close), "all": bars.adj_close / bars.close}[adjustment]
        closes = {"raw": bars.close, "all": bars.adj_close}[adjustment].tolist()
        highs, lows = (_scaled(column, scale) for column in (bars.high, bars.low))
        moments = [datetime(day.year, day.month, day.day, tzinfo=_NEW_YORK) for day in bars.dates.tolist()]
        rows = [
            (
                moment,
                {
                    "t": f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                    "o": close,
                    "h": high,
                    "l": low,
                    "c": close,
                    "v": 1000,
                },
            )
            for moment, close, high, low in zip(moments, closes, highs, lows, strict=True)
        ]
        _ROWS[id(bars), adjustment] = bars, rows
    return _ROWS[id(bars), adjustment][1]


def _scaled(column: Floats | None, scale: Floats) -> list[float]:
    assert column is not None
    return [float(value) for value in column * scale]


# Some of these quote the key, like the real ones.
SENTENCES: dict[str, dict[str, str]] = {
    "the note of five a minute": {
        "Note": "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per minute and 500 "
        "calls per day. Please visit https://www.alphavantage.co/premium/ if you would like a higher frequency."
    },
    "the information of one a second": {
        "Information": "Please consider spreading out your free API requests more sparingly (1 request per second). "
        "You may subscribe to any of the premium plans to lift the free key rate limit (25 requests per day)."
    },
    "the information of the day's limit": {
        "Information": f"We have detected your API key as {KEYS['alphavantage-api-key']} and our standard API rate "
        "limit is 25 requests per day. Please subscribe to any of the premium plans to remove all daily rate limits."
    },
    "the information of a premium endpoint": {
        "Information": "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of the "
        "premium plans at https://www.alphavantage.co/premium/ to instantly unlock all premium endpoints"
    },
    "the error of an invalid key": {
        "Error Message": "the parameter apikey is invalid or missing. Please claim your free API key on "
        "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
    },
    "nothing at all": {},
    "an information of something else": {"Information": "We are moving to another building."},
    "the error of an unknown symbol": {
        "Error Message": "Invalid API call. Please retry or visit the documentation "
        "(https://www.alphavantage.co/documentation/) for TIME_SERIES_DAILY_ADJUSTED."
    },
}


def alphavantage(server: ProviderServer, question: Question) -> Reply:
    """Return an answer as described by https://www.alphavantage.co/documentation/#dailyadj."""
    params = question.params
    if params.get("apikey") != KEYS["alphavantage-api-key"]:
        return 200, SENTENCES["the error of an invalid key"], {}
    if question.failure in SENTENCES:
        return 200, SENTENCES[question.failure], {}
    assert question.path == "/query"
    if params["function"] == "LISTING_STATUS":
        assert params["state"] == "delisted"
        rows = [
            f'{symbol},"{symbol}, Inc",NYSE,Stock,2001-01-01,{day},Delisted' for symbol, day in server.delisted.items()
        ]
        text = "\r\n".join(["symbol,name,exchange,assetType,ipoDate,delistingDate,status", *rows, ""])
        return 200, text.encode(), {"Content-Type": "application/x-download"}
    if params["function"] == "FX_DAILY":
        return _fx_daily(server, question)
    assert params["function"] == "TIME_SERIES_DAILY_ADJUSTED"
    symbol = params["symbol"].replace("-", ".")
    if symbol not in server.market:
        return 200, SENTENCES["the error of an unknown symbol"], {}
    days = _alphavantage_days(server.market[symbol])
    about = {
        "1. Information": "Daily Time Series with Splits and Dividend Events",
        "2. Symbol": "OTHER" if question.failure == "another symbol" else params["symbol"],
        "5. Time Zone": "US/Eastern",
    }
    latest = days if params["outputsize"] == "full" else dict(list(days.items())[:100])
    return 200, {"Meta Data": about, "Time Series (Daily)": _spoiled_january(latest, question.failure)}, {}


def _fx_daily(server: ProviderServer, question: Question) -> Reply:
    """Return an answer as described by https://www.alphavantage.co/documentation/#fx-daily."""
    params = question.params
    bars = server.market.get(f"${params['to_symbol']}")
    if params["from_symbol"] != "EUR" or bars is None:
        return 200, SENTENCES["the error of an unknown symbol"], {}
    about = {
        "1. Information": "Forex Daily Prices (open, high, low, close)",
        "2. From Symbol": "EUR",
        "3. To Symbol": "OTHER" if question.failure == "another symbol" else params["to_symbol"],
        "4. Output Size": "Full size" if params["outputsize"] == "full" else "Compact",
        "6. Time Zone": "UTC",
    }
    names = ("1. open", "2. high", "3. low", "4. close")
    rows = list(zip(map(str, bars.dates.tolist()), bars.close.tolist(), strict=True))[::-1]
    days = {day: dict.fromkeys(names, f"{rate:.5f}") for day, rate in rows}
    latest = days if params["outputsize"] == "full" else dict(list(days.items())[:100])
    return 200, {"Meta Data": about, "Time Series FX (Daily)": _spoiled_january(latest, question.failure)}, {}


_DAYS: dict[int, tuple[Bars, dict[str, Row]]] = {}


def _alphavantage_days(bars: Bars) -> dict[str, Row]:
    """Return the rows by day, newest first."""
    if id(bars) not in _DAYS:
        columns = {
            "1. open": bars.close,
            "2. high": bars.high,
            "3. low": bars.low,
            "4. close": bars.close,
            "5. adjusted close": bars.adj_close,
            "8. split coefficient": np.ones_like(bars.close) if bars.split is None else bars.split,
        }
        given = {name: values.tolist() for name, values in columns.items() if values is not None}
        more = {"6. volume": "1000", "7. dividend amount": "0.0000"}
        rows = [dict(zip(given, map(repr, row), strict=True)) | more for row in zip(*given.values(), strict=True)]
        _DAYS[id(bars)] = bars, dict(reversed(list(zip(map(str, bars.dates.tolist()), rows, strict=True))))
    return _DAYS[id(bars)][1]


def _spoiled_january(days: dict[str, Row], failure: str) -> Any:  # noqa: ANN401 - some have an invalid structure
    """Return the days with the named failure in January 2022."""
    if failure not in SPOILED_ROWS:
        return days
    january = [{"t": day, **row} for day, row in reversed(days.items()) if day.startswith("2022-01")]
    spoiled = SPOILED_ROWS[failure](january)
    if not isinstance(spoiled, list):
        return spoiled
    later = {day: row for day, row in days.items() if day > "2022-02"}
    earlier = {day: row for day, row in days.items() if day < "2022-01"}
    return later | {row.pop("t", "2022-01-03"): row for row in reversed(spoiled)} | earlier


def _replace_close(value: object) -> Callable[[list[Row]], list[Row]]:
    def replaced(rows: list[Row]) -> list[Row]:
        return [rows[0], rows[1] | {name: value for name in rows[1] if name in ("c", "4. close")}, *rows[2:]]

    return replaced


# The changes to the rows of the first symbol of an answer.
SPOILED_ROWS: dict[str, Callable[[list[Row]], Any]] = {
    "rows of another shape": lambda _: [{"price": "?"}],
    "no rows but a word": lambda _: "none",
    "a row without an instant": lambda rows: [rows[0], rows[1] | {"t": "yesterday"}],
    "a negative price": _replace_close(-1.0),
    "negative prices alone": lambda rows: [
        row | {name: -1.0 for name in row if name in ("c", "4. close")} for row in rows
    ],
    "a price of nothing": _replace_close(None),
    "a price that is not a number": _replace_close("NaN"),
    "an empty history": lambda rows: rows[:0],
    "a row that comes twice": lambda rows: [*rows, dict(rows[-1])],
    "a day less": lambda rows: rows[:-1],
    "closes alone": lambda rows: [{name: row[name] for name in ("t", "o", "c")} for row in rows],
    "rows out of order": lambda rows: [*rows[1:], rows[0]],
}


def _spoiled(bars: dict[str, list[Row]], failure: str) -> dict[str, Any]:
    if not bars:
        return bars
    first = min(bars)
    if failure == "another symbol":
        return {"OTHER" if name == first else name: rows for name, rows in bars.items()}
    if failure == "half of the batch missing":
        return {name: bars[name] for name in sorted(bars)[1::2]}
    if failure in SPOILED_ROWS:
        return bars | {first: SPOILED_ROWS[failure](bars[first])}
    return bars
