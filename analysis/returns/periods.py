"""The periods of returns, and their figures for a block of portfolios."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import get_args

import numpy as np

from analysis.models import Booleans, Dates, Floats, Integers, PeriodName
from analysis.returns import performance
from analysis.returns.bookings import FEES, FLOW, FX, INCOME, RESIDUAL, TAXES, TRADE
from analysis.returns.money_weighted import CashFlows, cash_flows
from analysis.returns.positions import Values

PERIODS: tuple[PeriodName, ...] = get_args(PeriodName.__value__)
_MONTHS: Mapping[PeriodName, int] = {"1m": 1, "3m": 3, "1y": 12, "3y": 36, "5y": 60}
SINCE = PERIODS.index("since")
FIGURES = (
    "twr", "twr_annualized", "mwr", "dietz", "start_value", "end_value", "net_flows", "price_gain", "income", "fees",
    "taxes", "fx_gain", "residual", "benchmark_same_flows", "max_drawdown", "annual_volatility",
)  # fmt: skip
"""In the order of the members of :class:`ReturnPeriod`, which are passed by position."""
MONEY_WEIGHTED, DIETZ = FIGURES.index("mwr"), FIGURES.index("dietz")


def starts_of(trading_days: Dates) -> Integers:
    """Return the place of the trading day after which each period starts, -1 if it is before the first; 0 for since.

    The last one on or before the last day minus so many months, its day clipped to the month; for ``ytd`` the last one
    of the year before.
    """
    end: date = trading_days[-1].item()
    wanted = [_before(end, name) for name in PERIODS]
    return trading_days.searchsorted(np.array(wanted, dtype="datetime64[D]"), "right") - 1


def _before(end: date, name: PeriodName) -> date:
    if name == "ytd":
        return date(end.year - 1, 12, 31)
    months = end.year * 12 + end.month - 1 - _MONTHS.get(name, 0)
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(end.day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True, slots=True, eq=False)
class PeriodFigures:
    """The figures of a block; those that are not known are NaN.

    Attributes:
        figures: in the order of :data:`FIGURES`, without the money-weighted return, ``(figures, periods, portfolios)``.
        capital: of the modified Dietz return, ``(periods, portfolios)``, as the following.
        days: calendar days.
        negative: whether there was no capital on a day.
        flows: the problems of the money-weighted return.
        current_drawdown: ``(portfolios,)``.
        index: time-weighted, ``(portfolios, days)``; NaN from a day without capital on.
    """

    figures: Floats
    capital: Floats
    days: Floats
    negative: Booleans
    flows: CashFlows
    current_drawdown: Floats
    index: Floats


def period_figures(
    values: Values, flow: Floats, sums: Floats, later: Floats, dates: Dates, start: Integers, starts: Integers
) -> PeriodFigures:
    """Return the figures of periods after ``starts``, ``(periods, portfolios)``, none before ``start``.

    ``flow`` is by day, and ``later`` what 1 in the benchmark on each day is at the end, both ``(portfolios, days)``;
    ``sums`` are of the parts of what moved in each period, ``(parts, periods, portfolios)``.
    """
    value = values.positions + values.money
    every = np.arange(len(start))
    ordinal = dates.astype(np.int64)
    growth = performance.growth_of(value, flow, start)
    spans = performance.Spans(starts, value.shape[1])
    weighted = performance.time_weighted(growth, spans)
    size, fx_of_positions, fx_of_money = spans.after(
        np.stack([np.abs(flow), values.fx_of_positions, values.fx_of_money])
    )
    begin, end = value[every, starts], np.broadcast_to(value[:, -1], starts.shape)
    capital = performance.dietz_capital(value, flow, spans, ordinal)
    capital = np.where(capital > performance.NO_MONEY * (np.abs(begin) + size), capital, np.nan)
    length = (ordinal[-1] - ordinal)[starts].astype(np.float64)
    fx = fx_of_positions + fx_of_money + sums[FX]
    price_gain = values.positions[:, -1] - values.positions[every, starts] - sums[TRADE] - fx_of_positions
    figures = [
        weighted.growth - 1, performance.annualized(weighted.growth, length), np.full(starts.shape, np.nan),
        (end - begin - sums[FLOW]) / capital, begin, end, sums[FLOW], price_gain, sums[INCOME], sums[FEES], sums[TAXES],
        fx, sums[RESIDUAL], performance.with_same_flows(value, flow, later, spans), weighted.max_drawdown,
        weighted.annual_volatility,
    ]  # fmt: skip
    index = growth.index
    if growth.negative.any():
        index = np.where(np.logical_or.accumulate(growth.negative, axis=1), np.nan, index)
    return PeriodFigures(
        figures=np.stack(figures),
        capital=capital,
        days=length,
        negative=weighted.negative,
        flows=cash_flows(value, flow, starts, ordinal),
        current_drawdown=np.where(np.isnan(index[:, -1]), np.nan, weighted.current_drawdown),
        index=index,
    )
