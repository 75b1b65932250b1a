"""From the rows of a source's answer to bars: in order, each day once, every price possible."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from analysis.models import Booleans, Dates, Floats
from analysis.prices import Bars
from market_data.provider import BadPrices, MissingPrices
from records import PriceIssue, PriceIssueKind

type Column = Literal["close", "adj_close", "high", "low", "volume"]

HIGHEST_PRICE = 1e12


def bars_from_rows(symbol: str, dates: Dates, columns: Mapping[Column, Floats]) -> tuple[Bars, tuple[PriceIssue, ...]]:
    """Return the bars of ``symbol``, and the issues of its rows that were corrected.

    All arrays are of shape ``(rows,)``, usually oldest first. Rows that are out of order are sorted, and of several
    rows of one day the last counts. ``high`` and ``low`` count only if both are given; a ``NaN`` in one of these or in
    ``volume`` means that the day has none, and then the bars have no such column.

    Raises:
        MissingPrices: there are no rows.
        BadPrices: a price is not above zero or too high, or a volume is below zero; names the first such day.
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
