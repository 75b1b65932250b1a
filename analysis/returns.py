"""From prices to returns: aligned once per run, batch by batch, and joined into one table for all pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from analysis import measures
from analysis.models import Booleans, Dates, Floats, Integers, Objects
from analysis.prices import MAX_GAP, Bars, days_until, find_issues, known_bars, symbol_issue, trading_day_numbers
from analysis.stress import episode_returns
from records import SymbolIssue

MIN_OBSERVATIONS = 63
"""Minimum number of returns of a symbol for return-based figures."""

RETURN_HORIZONS = (1, 21, 252)
"""Trading days of the returns reported for each symbol."""

# The square of a larger one overflows. In products over all symbols an infinity, even with weight zero, would reach
# every portfolio; so such a day ends the usable history before it, like a NaN.
_ABSURD_RETURN = 1e100

# Symbols measured together: few enough for copies of their returns to be small relative to all prices.
_TOGETHER = 128

type History = Literal["enough", "short", "stale"]


class NoBenchmarkDateError(ValueError):
    """The benchmark has no price on or before the requested date, so there is no date to analyze."""

    def __init__(self, requested: date | None) -> None:
        super().__init__(f"the benchmark has no price{f' up to {requested}' if requested else ''}")


@dataclass(frozen=True, slots=True)
class SymbolFigures:
    """The table's figures of one symbol; ``price`` is the last raw close, however old, and ``price_date`` its date.

    Volatility (annual) and beta are over the symbol's own usable history, and need 63 returns of it.
    """

    price: float
    price_date: date
    history: History
    return_1d: float | None
    return_21d: float | None
    return_252d: float | None
    annual_volatility: float | None
    beta: float | None


@dataclass(frozen=True, slots=True)
class PreparedPrices:
    """The prices of some symbols of a run, aligned to the benchmark's trading days: a part of a :class:`PriceTable`.

    Members are those of the table, for these symbols only; ``returns`` are ``(symbols, observations)``.
    """

    as_of: date
    dates: Dates
    benchmark_returns: Floats
    symbols: tuple[str, ...]
    returns: Floats
    first_day: Integers
    included: Booleans
    close: Floats
    day_return: Floats
    volatility: Floats
    episode_returns: Floats
    figures: tuple[SymbolFigures, ...]
    issues: tuple[SymbolIssue, ...]


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of a run, aligned to the benchmark's trading days.

    ``dates`` has one day more than there are observations: return ``i`` leads from day ``i`` to day ``i + 1``.
    Column ``columns[symbol]`` belongs to a symbol in every array; symbols without any price up to ``as_of`` have no
    column and no ``figures``.

    Attributes:
        dates: the calendar, ``(observations + 1,)``, ending at ``as_of``.
        benchmark_returns: ``(observations,)``.
        returns: ``(observations, symbols)`` from adjusted closes; all finite, 0 before the usable history.
        first_day: row of ``dates`` with the first usable price, ``(symbols,)``; the number of dates if there is none.
        included: whether the symbol takes part in return-based figures, ``(symbols,)``.
        close: last raw close, ``(symbols,)``.
        day_return: the part of the last close that the last day changed, NaN if unknown, ``(symbols,)``.
        volatility: own annual volatility, NaN if unknown, ``(symbols,)``.
        later_splits: the product of the ratios of splits after ``as_of``, for symbols that have some.
        episode_returns: from adjusted closes over each of :data:`analysis.stress.EPISODES`, NaN if the symbol's
            history does not reach back that far, ``(episodes, symbols)``.
        reported: the symbol figures in reports, from price and date to beta except the history, as Python objects for
            lookups of many holdings at once; ``(members, symbols + 1)``, with ``None`` at the end, for a symbol
            without a column.
        issues: the price issues of each symbol that has some, with or without a column.
        run_issues: the issues of the whole run.
    """

    as_of: date
    dates: Dates
    benchmark_returns: Floats
    columns: Mapping[str, int]
    returns: Floats
    first_day: Integers
    included: Booleans
    close: Floats
    day_return: Floats
    volatility: Floats
    later_splits: Mapping[str, float]
    episode_returns: Floats
    figures: Mapping[str, SymbolFigures]
    reported: Objects
    issues: Mapping[str, tuple[SymbolIssue, ...]]
    run_issues: tuple[SymbolIssue, ...]


def resolve_as_of(benchmark: Bars, requested: date | None = None) -> date:
    """Return the last benchmark date that is not after ``requested``, or the last of all.

    Raises:
        NoBenchmarkDateError: there is no such date.
    """
    days = len(benchmark.dates) if requested is None else days_until(benchmark, requested)
    if days == 0:
        raise NoBenchmarkDateError(requested)
    return _to_date(benchmark.dates[days - 1])


# Prices that lie absurdly far apart overflow; the results are removed below.
@np.errstate(over="ignore", invalid="ignore")
def prepare_prices(
    bars: Mapping[str, Bars],
    benchmark: Bars,
    as_of: date,
    lookback_days: int,
    source_issues: Sequence[SymbolIssue] = (),
) -> PreparedPrices:
    """Return the prices of symbols aligned to the last ``lookback_days`` + 1 benchmark dates up to ``as_of``.

    ``as_of`` is a benchmark date, as :func:`resolve_as_of` returns it. A gap of at most :data:`MAX_GAP` benchmark days
    is carried forward, a longer one ends the usable history before it. Nothing is back-filled. The issues of the prices
    on those dates are reported together with ``source_issues``, those of the source's answer.

    Raises:
        NoBenchmarkDateError: the benchmark has no date up to ``as_of``.
    """
    trading_days = benchmark.dates[: days_until(benchmark, as_of)]
    if not len(trading_days):
        raise NoBenchmarkDateError(as_of)
    dates = trading_days[-lookback_days - 1 :]
    known = {symbol: known_bars(own, as_of) for symbol, own in bars.items()}
    priced = {symbol: own for symbol, own in known.items() if len(own.dates)}
    aligned = _align(priced.values(), trading_days, dates)
    returns, first_day = _usable_returns(aligned)
    benchmark_prices = _align([benchmark], trading_days, dates).prices[0]
    benchmark_returns = benchmark_prices[1:] / benchmark_prices[:-1] - 1
    included = len(dates) - 1 - first_day >= MIN_OBSERVATIONS
    volatility, beta = _own_risk(returns, benchmark_returns, first_day, included)
    figures = _figures(aligned, first_day, volatility, beta)
    return PreparedPrices(
        as_of=as_of,
        dates=dates,
        benchmark_returns=benchmark_returns,
        symbols=tuple(priced),
        returns=np.ascontiguousarray(returns.T),
        first_day=first_day,
        included=included,
        close=aligned.close,
        day_return=aligned.day_return,
        volatility=volatility,
        episode_returns=episode_returns(priced.values(), trading_days),
        figures=figures,
        issues=(
            *source_issues,
            *(symbol_issue(symbol, issue) for symbol, own in priced.items() for issue in find_issues(own, dates)),
        ),
    )


def join_prices(parts: Sequence[PreparedPrices]) -> PriceTable:
    """Return the table of a run from at least one part; all parts have the same days."""
    symbols = [symbol for part in parts for symbol in part.symbols]
    figures = [own for part in parts for own in part.figures]
    issues: dict[str, tuple[SymbolIssue, ...]] = {}
    for issue in dict.fromkeys(issue for part in parts for issue in part.issues):
        if issue.symbol is None:
            continue
        issues[issue.symbol] = (*issues.get(issue.symbol, ()), issue)
    return PriceTable(
        as_of=parts[0].as_of,
        dates=parts[0].dates,
        benchmark_returns=parts[0].benchmark_returns,
        columns={symbol: column for column, symbol in enumerate(symbols)},
        returns=np.concatenate([part.returns for part in parts]).T,
        first_day=np.concatenate([part.first_day for part in parts]),
        included=np.concatenate([part.included for part in parts]),
        close=np.concatenate([part.close for part in parts]),
        day_return=np.concatenate([part.day_return for part in parts]),
        volatility=np.concatenate([part.volatility for part in parts]),
        later_splits={},
        episode_returns=np.concatenate([part.episode_returns for part in parts], axis=1),
        figures=dict(zip(symbols, figures, strict=True)),
        reported=np.array([_reported(own) for own in figures] + [(None,) * 7], dtype=np.object_).T,
        issues=issues,
        run_issues=(),
    )


@dataclass(frozen=True, slots=True)
class _Aligned:
    """The bars of every symbol on each day of the calendar.

    ``prices`` are adjusted closes carried forward without limit, and ``outdated`` marks those carried forward longer
    than :data:`MAX_GAP`; both ``(symbols, days)``. Before the first price there is NaN, also outdated.
    """

    prices: Floats
    outdated: Booleans
    close: Floats
    day_return: Floats
    price_dates: list[date]


def _align(symbols: Iterable[Bars], trading_days: Dates, dates: Dates) -> _Aligned:
    own_bars = list(symbols)
    prices = np.full((len(own_bars), len(dates)), np.nan)
    outdated = np.ones(prices.shape, dtype=np.bool_)
    close = np.empty(len(own_bars))
    day_return = np.full(len(own_bars), np.nan)
    price_dates: list[date] = []
    day_numbers = np.arange(len(trading_days) - len(dates), len(trading_days))
    for symbol, own in enumerate(own_bars):
        bars = own.dates.searchsorted(dates, "right") - 1
        start = int(bars.searchsorted(0))
        known = bars[start:]
        prices[symbol, start:] = own.adj_close[known]
        ages = day_numbers[start:] - trading_day_numbers(own.dates[known], trading_days)
        outdated[symbol, start:] = ages > MAX_GAP
        close[symbol] = own.close[bars[-1]]
        if len(known) > 1:
            day_return[symbol] = 1 - own.adj_close[known[-2]] / own.adj_close[known[-1]]
        price_dates.append(_to_date(own.dates[bars[-1]]))
    return _Aligned(prices, outdated, close, day_return, price_dates)


def _usable_returns(aligned: _Aligned) -> tuple[Floats, Integers]:
    """Return the returns, ``(observations, symbols)``, 0 before the usable history, and the day of its first price."""
    prices = aligned.prices
    returns = prices[:, 1:] / prices[:, :-1]
    returns -= 1
    unusable = aligned.outdated.copy()
    # Not by absolute values: a third copy of all prices would be the largest part of the memory used here.
    unusable[:, :-1] |= ~((returns > -_ABSURD_RETURN) & (returns < _ABSURD_RETURN))
    days = prices.shape[1]
    first_day = np.where(unusable.any(axis=1), days - np.argmax(unusable[:, ::-1], axis=1), 0)
    returns[np.arange(days - 1) < first_day[:, None]] = 0
    return returns.T, first_day


def _own_risk(
    returns: Floats, benchmark_returns: Floats, first_day: Integers, included: Booleans
) -> tuple[Floats, Floats]:
    """Return the annual volatility and beta of each included symbol over its own usable history."""
    volatility, beta = np.full((2, len(first_day)), np.nan)
    for start in np.unique(first_day[included]):
        sharing = np.flatnonzero(included & (first_day == start))
        for some in np.array_split(sharing, len(sharing) // _TOGETHER + 1):
            own_returns = returns[start:, some]
            volatility[some] = measures.annual_volatility(own_returns)
            beta[some] = measures.beta(own_returns, benchmark_returns[start:])
    return volatility, beta


def _figures(aligned: _Aligned, first_day: Integers, volatility: Floats, beta: Floats) -> tuple[SymbolFigures, ...]:
    observations = aligned.prices.shape[1] - 1 - first_day
    stale = aligned.outdated[:, -1]
    short = observations < MIN_OBSERVATIONS
    return tuple(
        map(
            SymbolFigures,
            aligned.close.tolist(),
            aligned.price_dates,
            np.select([stale, short], ["stale", "short"], "enough").tolist(),
            *(measures.optional(_recent_return(aligned.prices, observations, days)) for days in RETURN_HORIZONS),
            measures.optional(volatility),
            measures.optional(beta),
        )
    )


def _reported(own: SymbolFigures) -> tuple[object, ...]:
    recent = (own.return_1d, own.return_21d, own.return_252d)
    return own.price, own.price_date, *recent, own.annual_volatility, own.beta


def _recent_return(prices: Floats, observations: Integers, days: int) -> Floats:
    if days >= prices.shape[1]:
        return np.full(len(prices), np.nan)
    return np.where(observations >= days, prices[:, -1] / prices[:, -1 - days] - 1, np.nan)


def _to_date(day: np.datetime64) -> date:
    value: date = day.astype("datetime64[D]").item()
    return value
