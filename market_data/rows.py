"""From the rows that a source answered with to bars: in order, each day once, every price possible."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Literal

import numpy as np

from analysis.models import Bars, Booleans, Dates, Floats
from analysis.price_issues import PriceIssue, PriceIssueKind
from market_data.provider import BadPrices, FetchedBars, MissingPrices, PricesError
from market_data.selection import bars_between

type Column = Literal["close", "adj_close", "high", "low", "volume"]

HIGHEST_PRICE = 1e12


def fetched_bars(
    symbols: Iterable[str], bars_of: Callable[[str], tuple[Bars, tuple[PriceIssue, ...]]], start: date, end: date
) -> FetchedBars:
    """Give the bars of each symbol from ``start`` to ``end``; what ``bars_of`` raises costs that symbol alone."""
    fetched = FetchedBars({}, {})
    for symbol in symbols:
        try:
            bars, issues = bars_of(symbol)
            fetched.bars[symbol] = bars_between(bars, symbol, start, end)
        except PricesError as error:
            fetched.errors[symbol] = error
            continue
        if issues:
            fetched.issues[symbol] = issues
    return fetched


def bars_from_rows(symbol: str, dates: Dates, columns: Mapping[Column, Floats]) -> tuple[Bars, tuple[PriceIssue, ...]]:
    """Give the bars of ``symbol``, and what of its rows had to be mended.

    All arrays are of shape ``(rows,)``, oldest first as a rule. Rows that are out of order are put in order, and of
    those of one day the last counts. ``high`` and ``low`` count only where both are given; a ``NaN`` in one of these
    or in ``volume`` says that the day has none, and then nobody has.

    Raises:
        MissingPrices: there are no rows.
        BadPrices: a price is not above zero or too high, or a volume below zero, naming the first such day.
    """
    if not dates.size:
        raise MissingPrices(symbol)
    issues = _issues(dates)
    if issues:
        order = np.argsort(dates, kind="stable")
        dates = dates[order]
        last_of_day = np.append(dates[1:] != dates[:-1], True)
        dates = dates[last_of_day]
        columns = {name: values[order][last_of_day] for name, values in columns.items()}
    given = {name: values for name, values in columns.items() if name in ("close", "adj_close") or _complete(values)}
    for name, values in given.items():
        _check(symbol, name, dates, values)
    both = {"high", "low"} <= given.keys()
    return (
        Bars(
            dates,
            given["close"],
            given["adj_close"],
            given["high"] if both else None,
            given["low"] if both else None,
            given.get("volume"),
        ),
        issues,
    )


def _issues(dates: Dates) -> tuple[PriceIssue, ...]:
    steps = np.diff(dates)
    if (steps > np.timedelta64(0, "D")).all():
        return ()
    days, counts = np.unique(dates, return_counts=True)
    unordered = dates[1:][steps < np.timedelta64(0, "D")]
    return (*_issue("duplicate_days", days[counts > 1]), *_issue("unordered_days", unordered))


def _issue(kind: PriceIssueKind, days: Dates) -> tuple[PriceIssue, ...]:
    return (PriceIssue(kind, int(days.size), days.min().item()),) if days.size else ()


def _complete(values: Floats) -> bool:
    return not np.isnan(values).any()


def _check(symbol: str, name: Column, dates: Dates, values: Floats) -> None:
    good: Booleans = (values >= 0) & (values < np.inf) if name == "volume" else (values > 0) & (values <= HIGHEST_PRICE)
    if not good.all():
        first = int(np.flatnonzero(~good)[0])
        rule = "not zero or a positive number" if name == "volume" else f"not above zero and up to {HIGHEST_PRICE:g}"
        raise BadPrices(symbol, f"{name} of {dates[first]}", f"it is {rule}")
