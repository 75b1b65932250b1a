"""The columns of a price file: what each header means, of the programs whose exports are known."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from market_data.price_files.faults import PriceFileFault
from market_data.rows import Column

type Ranks = tuple[tuple[str, ...], ...]
"""Names of a column without case, accents and punctuation: those of an earlier rank go before later ones."""

_DATE: Ranks = (("date",), ("datum",), ("datetime", "timestamp", "time", "windowstart"))
_SYMBOL: Ranks = (("symbol",), ("ticker",), ("name",))
_PRICES: Mapping[Column, Ranks] = {
    "close": (
        ("close",),
        ("closelast", "closeprice", "closingprice", "schlusskurs", "schluss", "cloture", "clot"),
        ("last", "latest", "lastprice", "zuletzt", "letzter", "dernier"),
        ("price", "kurs", "cours"),
    ),
    "adj_close": (("adjclose", "adjustedclose", "closeadj", "adjcloseprice", "adjustedcloseprice", "adjprice"),),
    "high": (("high",), ("highprice", "hoch", "tageshoch", "plushaut", "haut")),
    "low": (("low",), ("lowprice", "tief", "tagestief", "plusbas", "bas")),
    "split": (
        ("split", "splitfactor", "splitcoefficient", "splitratio"),
    ),  # not of yfinance, whose closes are adjusted
}
_ADJUSTED = re.compile("adj|ajust|bereinigt")
_UNUSED_ADJUSTED = re.compile("adj(usted)?(open|high|low|volume)")
# Adjusted closes are all that yfinance writes, beside these columns or in this order, unless it is asked for raw ones.
_YFINANCE = {"dividends", "stocksplits"}
_YFINANCE_OF_ONE_LEVEL = ("Date", "Close", "High", "Low", "Open", "Volume")
_LETTERS = {"t": "date", "o": "open", "h": "high", "l": "low", "c": "close"}
_NUMBERED = re.compile(r"\s*[0-9]+\.\s+")
# LOW and OPEN are symbols, too, but not where every column may have such a name.
_NAMES = frozenset({
    "open", "volume", "vol", "vwap", "turnover", "trades", "transactions", "change", "chg", "bid", "ask", "mid",
    "value", "settle", "openint", "per", "currency", "exchange", "isin", "dividend", "dividends", "amount",
}).union(*_DATE, *_SYMBOL, *(rank for ranks in _PRICES.values() for rank in ranks))  # fmt: skip
_SYMBOL_IN_HEADER = re.compile(r"[A-Z0-9^][A-Z0-9.^=/ _-]{0,31}")


class Layout(NamedTuple):
    """The columns of a table: of its dates, its symbols if it has such a column, and the prices of each symbol.

    The symbol of ``prices`` is ``None`` where the header names none. ``names`` are the columns that are used.
    """

    date: int
    symbol: int | None
    prices: Mapping[str | None, Mapping[Column, int]]
    names: tuple[str, ...]
    close_is_adjusted: bool

    @property
    def is_wide(self) -> bool:
        """Return whether its header has nothing but a date and symbols, as a line of text may have."""
        return None not in self.prices and len(self.names) == 1


def layout_of(header: Sequence[str]) -> Layout | None:
    """Return the layout of a table with this header; ``None`` if it is no header of prices.

    Raises:
        PriceFileFault: two columns mean the same, one is adjusted in an unknown way, or there is no close.
    """
    meanings = _meanings(header)
    date = _first(header, meanings, _DATE)
    if date is None:
        return None
    symbol = _first(header, meanings, _SYMBOL)
    columns = _price_columns(header, meanings)
    if symbol is None and columns.keys() in (set(), {"high"}, {"low"}):
        if wide := _columns_of_symbols(header, date):
            return Layout(date, None, wide, (header[date],), close_is_adjusted=False)
        if not columns:
            return None
    columns, adjusted = _with_close(columns, set(meanings))
    adjusted = adjusted or tuple(header) == _YFINANCE_OF_ONE_LEVEL
    used = (date, *(() if symbol is None else (symbol,)), *columns.values())
    return Layout(date, symbol, {None: columns}, tuple(dict.fromkeys(header[index] for index in used)), adjusted)


def has_dates(header: Sequence[str]) -> bool:
    """Return whether a header has a column of dates."""
    return _first(header, _meanings(header), _DATE) is not None


def layout_of_levels(levels: Sequence[Sequence[str]]) -> Layout | None:
    """Return the layout of a header of three lines as yfinance writes it: fields, symbols and the name of the dates.

    ``None`` if these lines are no such header. Raises as :func:`layout_of`.
    """
    *above, (date, *blanks) = levels
    if len(above[0]) != len(above[1]) or not {cells[0] for cells in above} <= {"Price", "Ticker", ""}:
        return None
    if _first([date], _meanings([date]), _DATE) is None or any(blanks):
        return None
    fields, symbols = above if "close" in map(_plain, above[0]) else reversed(above)
    prices: dict[str | None, Mapping[Column, int]] = {}
    adjusted = False
    for symbol in dict.fromkeys(filter(None, symbols[1:])):
        own = [field if of == symbol else "" for field, of in zip(fields, symbols, strict=True)]
        prices[symbol], of_symbol = _with_close(_price_columns(own, _meanings(own)), _YFINANCE)
        adjusted = adjusted or of_symbol
    return Layout(0, None, prices, (date, *dict.fromkeys(fields[1:])), adjusted) if prices else None


def _meanings(header: Sequence[str]) -> list[str]:
    meanings = [_plain(name) for name in header]
    if "date" not in meanings and set(meanings) >= _LETTERS.keys():
        return [_LETTERS.get(meaning, meaning) for meaning in meanings]
    return meanings


def _plain(name: str) -> str:
    """Return a name without its number, case, accents and punctuation: ``close`` for ``4. Close*``."""
    letters = unicodedata.normalize("NFKD", _NUMBERED.sub("", name)).casefold()
    return "".join(filter(str.isalnum, letters))


def _first(header: Sequence[str], meanings: Sequence[str], ranks: Ranks) -> int | None:
    for rank in ranks:
        found = [index for index, meaning in enumerate(meanings) if meaning in rank]
        if len(found) > 1:
            first, second = (header[index] for index in found[:2])
            raise PriceFileFault(f"the columns {first} and {second} mean the same: rename or remove one")
        if found:
            return found[0]
    return None


def _price_columns(header: Sequence[str], meanings: Sequence[str]) -> dict[Column, int]:
    for name, meaning in zip(header, meanings, strict=True):
        known = meaning in _PRICES["adj_close"][0] or _UNUSED_ADJUSTED.fullmatch(meaning)
        if _ADJUSTED.search(meaning) and not known:
            raise PriceFileFault(
                f"the column {name} is adjusted in a way that is not known: name it adj_close or remove it"
            )
    found = {column: _first(header, meanings, ranks) for column, ranks in _PRICES.items()}
    return {column: index for column, index in found.items() if index is not None}


def _with_close(columns: dict[Column, int], meanings: AbstractSet[str]) -> tuple[dict[Column, int], bool]:
    """Return the columns with a close, and whether it is adjusted and there is no raw one."""
    if "close" in columns:
        return columns, "adj_close" not in columns and meanings >= _YFINANCE
    if "adj_close" in columns:
        return {"close": columns["adj_close"], **columns}, True
    raise PriceFileFault("the header has no column close")


def _columns_of_symbols(header: Sequence[str], date: int) -> dict[str | None, Mapping[Column, int]]:
    """Return the column of each symbol, if all columns beside that of the dates may be named after one."""
    named = {index: name.strip() for index, name in enumerate(header) if index != date and name.strip()}
    if not all(map(_SYMBOL_IN_HEADER.fullmatch, named.values())) or _NAMES.issuperset(map(_plain, named.values())):
        return {}
    if repeated := next((name for name, count in Counter(named.values()).items() if count > 1), None):
        raise PriceFileFault(f"the header has the column {repeated} more than once")
    return {name: {"close": index} for index, name in named.items()}
