"""From the rows of a source's answer to bars: in order, each day once. Which of them count, the analysis decides."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

import msgspec
import numpy as np

from analysis.models import Dates, Floats
from analysis.price_issues import issue_of
from analysis.prices import Bars
from market_data.provider import MissingPrices
from records import PriceIssue

type Column = Literal["close", "adj_close", "high", "low", "split"]

NO_PRICE, UNREADABLE = np.nan, np.inf

NO_PRICE_TEXTS = {"", "null", "n/a", "#n/a", "na", "-", "."}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_COLUMN = msgspec.json.Decoder(list[float])


def prices_of(values: Sequence[object]) -> Floats:
    """Return the prices in a source's column: :data:`NO_PRICE` for none, :data:`UNREADABLE` for what is no number."""
    kinds = set(map(type, values))
    if kinds <= {float, int}:
        with suppress(OverflowError):
            return np.array(values, dtype=np.float64)
    if kinds == {str}:
        numbers = plain_numbers(list(map(str, values)))
        if numbers is not None:
            return numbers
    return np.array([_price_of(value) for value in values], dtype=np.float64)


def plain_numbers(texts: Sequence[str]) -> Floats | None:
    """Return the numbers, if all are written as in JSON: parsed as such, a column takes a fifth of the time."""
    with suppress(msgspec.DecodeError):
        numbers = _COLUMN.decode(f"[{','.join(texts)}]")
        if len(numbers) == len(texts):
            return np.array(numbers, dtype=np.float64)
    return None


def _price_of(value: object) -> float:
    text = "" if value is None else str(value).strip()
    if text.lower() in NO_PRICE_TEXTS:
        return NO_PRICE
    # float() would also accept digits of any script and underscores between them.
    return float(text) if _NUMBER.fullmatch(text) else UNREADABLE


def bars_from_rows(symbol: str, dates: Dates, columns: Mapping[Column, Floats]) -> tuple[Bars, tuple[PriceIssue, ...]]:
    """Return the bars of ``symbol``, and the issues of its rows that were corrected.

    All arrays are of shape ``(rows,)``, usually oldest first, and numbers those of :func:`prices_of`; ``high``, ``low``
    and ``split`` may be left out. Rows without a close are no rows, those out of order are sorted, and of several rows
    of one day the last counts.

    Raises:
        MissingPrices: there are no rows.
    """
    if not dates.size or np.isnan(columns["close"]).all():
        raise MissingPrices(symbol)
    bars = priced_rows(dates, columns)
    issues = _issues(bars.dates)
    if issues:
        bars = bars.at(np.argsort(bars.dates, kind="stable"))
        bars = bars.at(np.append(bars.dates[1:] != bars.dates[:-1], True))
    return bars, issues


def priced_rows(dates: Dates, columns: Mapping[Column, Floats]) -> Bars:
    """Return the rows that have a close, as they come.

    Highs and lows count only if there are some of both, and splits only if there is one.
    """
    high, low = columns.get("high"), columns.get("low")
    if high is None or low is None or np.isnan(high).all() or np.isnan(low).all():
        high = low = None
    split = columns.get("split")
    if split is not None and not (np.isfinite(split) & (split > 0) & (split != 1)).any():
        split = None
    bars = Bars(dates, columns["close"], columns["adj_close"], high, low, split)
    given = ~np.isnan(bars.close)
    return bars if given.all() else bars.at(given)


def _issues(dates: Dates) -> tuple[PriceIssue, ...]:
    steps = np.diff(dates)
    if (steps > np.timedelta64(0, "D")).all():
        return ()
    days, counts = np.unique(dates, return_counts=True)
    unordered = dates[1:][steps < np.timedelta64(0, "D")]
    return (*issue_of("duplicate_days", days[counts > 1]), *issue_of("unordered_days", unordered))
