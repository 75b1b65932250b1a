"""From the rows of a source's answer to bars: in order, each day once, every price possible."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from analysis.models import Dates, Floats, Integers
from analysis.prices import Bars, issue_of
from market_data.provider import BadPrices, MissingPrices
from records import PriceIssue

type Column = Literal["close", "adj_close", "high", "low", "volume"]

HIGHEST_PRICE = 1e12


def bars_from_rows(symbol: str, dates: Dates, columns: Mapping[Column, Floats]) -> tuple[Bars, tuple[PriceIssue, ...]]:
    """Return the bars of ``symbol``, and the issues of its rows that were corrected.

    All arrays are of shape ``(rows,)``, usually oldest first. Rows that are out of order are sorted, and of several
    rows of one day the last counts. ``high`` and ``low`` count only together; a ``NaN`` in one of these or in
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
    complete = {
        name: values for name, values in columns.items() if name in ("close", "adj_close") or not np.isnan(values).any()
    }
    for name, values in complete.items():
        _check(symbol, name, dates, values)
    if not {"high", "low"} <= complete.keys():
        complete = {name: values for name, values in complete.items() if name not in ("high", "low")}
    return Bars(dates, **complete), issues


def _issues(dates: Dates) -> tuple[PriceIssue, ...]:
    steps = np.diff(dates)
    if (steps > np.timedelta64(0, "D")).all():
        return ()
    days, counts = np.unique(dates, return_counts=True)
    unordered = dates[1:][steps < np.timedelta64(0, "D")]
    return (*issue_of("duplicate_days", days[counts > 1]), *issue_of("unordered_days", unordered))


def _check(symbol: str, name: Column, dates: Dates, values: Floats) -> None:
    impossible = impossible_rows(name, values)
    if impossible.size:
        rule = "not zero or a positive number" if name == "volume" else f"not above zero and up to {HIGHEST_PRICE:g}"
        raise BadPrices(symbol, f"{name} of {dates[impossible[0]]}", f"it is {rule}")


def impossible_rows(name: Column, values: Floats) -> Integers:
    """Return the rows whose value no price, or no volume, can have."""
    good = (values >= 0) & (values < np.inf) if name == "volume" else (values > 0) & (values <= HIGHEST_PRICE)
    return np.flatnonzero(~good)
