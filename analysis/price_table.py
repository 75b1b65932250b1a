"""From histories to returns: aligned once per run, batch by batch, and joined into one table for all pages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Literal

import numpy as np

from analysis import measures
from analysis.currencies import AS_QUOTED, BaseCurrency
from analysis.histories import Calendar, PriceHistories, PriceHistory
from analysis.models import Booleans, Dates, Floats, Integers, Objects
from analysis.price_issues import history_issues, return_issues, row_issues, run_issues, symbol_issue
from analysis.prices import as_date
from analysis.returns.payments import ROWS_OF_A_YEAR, Payments, joined_payments, recent_payments
from analysis.stress import episode_returns
from records import PriceIssue, SymbolIssue

MIN_OBSERVATIONS = 63
"""Minimum number of returns of a symbol for return-based figures."""

RETURN_HORIZONS = (1, 21, 252)
"""Trading days of the returns reported for each symbol."""

# Symbols measured together: few enough for copies of their returns to be small relative to all prices.
_TOGETHER = 128

_NO_DAY = np.datetime64("NaT", "D")
_REPORTED = (*(f"return_{days}d" for days in RETURN_HORIZONS), "annual_volatility", "beta")

type History = Literal["enough", "short", "stale"]


@dataclass(frozen=True, slots=True)
class SymbolFigures:
    """The table's figures of one symbol; ``price`` is the close to value at, however old, and ``price_date`` its date.

    The price is as quoted, one unit of its currency is worth ``fx_rate`` of the table's. Volatility (annual) and beta
    are over the symbol's own usable history, and need 63 returns of it.
    """

    price: float
    price_date: date
    history: History
    return_1d: float | None
    return_21d: float | None
    return_252d: float | None
    annual_volatility: float | None
    beta: float | None
    fx_rate: float = 1.0


@dataclass(frozen=True, slots=True)
class PreparedPrices:
    """The prices of some symbols of a run, aligned to the benchmark's trading days: a part of a :class:`PriceTable`.

    Everything is as quoted, whatever the currency.

    Members are those of the table, for these symbols only; ``returns`` are ``(symbols, observations)``.
    """

    as_of: date
    newest: bool
    dates: Dates
    benchmark_returns: Floats
    symbols: tuple[str, ...]
    returns: Floats
    first_day: Integers
    included: Booleans
    close: Floats
    day_return: Floats
    day_before: Dates
    volatility: Floats
    episode_returns: Floats
    later_splits: Mapping[str, float]
    payments: Payments
    figures: tuple[SymbolFigures, ...]
    issues: tuple[SymbolIssue, ...]
    run_issues: tuple[SymbolIssue, ...]


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of a run, aligned to the benchmark's trading days.

    ``dates`` has one day more than there are observations: return ``i`` leads from day ``i`` to day ``i + 1``.
    Column ``columns[symbol]`` belongs to a symbol in every array; symbols without any price up to ``as_of``, or without
    a rate of their currency, have no column and no ``figures``. All returns and figures are in the base currency.

    Attributes:
        newest: whether the benchmark has no later date.
        base: the currency of the table.
        dates: the calendar, ``(observations + 1,)``, ending at ``as_of``.
        benchmark_returns: ``(observations,)``.
        returns: ``(observations, symbols)`` from adjusted closes; all finite, 0 before the usable history.
        first_day: row of ``dates`` with the first usable price, ``(symbols,)``; the number of dates if there is none.
        included: whether the symbol takes part in return-based figures: not stale, and at least 63 returns;
            ``(symbols,)``.
        close: the price to value today's quantities at: the last raw close over all later splits, ``(symbols,)``.
        quoted_close: the same as quoted, in the currency of the symbol.
        day_return: 1 - adjusted close before / last one, over the last two days with a new price, ``(symbols,)``; 0 if
            the last is more than a day old, NaN if the two cannot be compared.
        day_before: the first of these two days, NaT if ``day_return`` is not of two, ``(symbols,)``.
        volatility: annual, over the usable history of included symbols, else NaN, ``(symbols,)``.
        episode_returns: from adjusted closes over each of :data:`analysis.stress.EPISODES`, NaN if the symbol is not
            included or its usable history does not reach back that far, ``(episodes, symbols)``.
        later_splits: what ``close`` is divided by, for symbols that were split after their last price.
        payments: those of a share that the prices imply.
        reported: the symbol figures in reports, from price and date to beta except the history, as Python objects for
            lookups of many holdings at once; ``(members, symbols + 1)``, with ``None`` at the end, for a symbol
            without a column.
        issues: the price issues of each symbol that has some, with or without a column.
        run_issues: those of the whole run.
    """

    as_of: date
    newest: bool
    base: BaseCurrency
    dates: Dates
    benchmark_returns: Floats
    columns: Mapping[str, int]
    returns: Floats
    first_day: Integers
    included: Booleans
    close: Floats
    quoted_close: Floats
    day_return: Floats
    day_before: Dates
    volatility: Floats
    episode_returns: Floats
    later_splits: Mapping[str, float]
    payments: Payments
    figures: Mapping[str, SymbolFigures]
    reported: Objects
    issues: Mapping[str, tuple[SymbolIssue, ...]]
    run_issues: tuple[SymbolIssue, ...]


def prepare_prices(
    histories: PriceHistories,
    lookback_days: int,
    source_issues: Sequence[SymbolIssue] = (),
    *,
    benchmark_symbol: str | None = None,
    asked_on: date | None = None,
) -> PreparedPrices:
    """Return the prices of symbols aligned to the last ``lookback_days`` + 1 days of the calendar.

    The issues of the prices on those days are reported together with ``source_issues``, those of the source's answer;
    prices are old by the day ``asked_on``.
    """
    calendar = histories.calendar
    dates = calendar.dates[-lookback_days - 1 :]
    benchmark_returns = calendar.returns[-len(dates) + 1 :] if len(dates) > 1 else np.empty(0)
    usable = list(histories.usable.values())
    prices = _align(usable, dates)
    first_day = np.array([_first_day(own, calendar, len(dates)) for own in usable], dtype=np.int64)
    returns = _usable_returns(prices, first_day)
    included = len(dates) - 1 - first_day >= MIN_OBSERVATIONS
    volatility, beta = own_risk(returns, benchmark_returns, first_day, included)
    close = np.array([own.bars.close[-1] / float(own.later_splits) for own in usable])
    last_moves = [_last_move(own, calendar) for own in usable]
    issues = (
        *source_issues,
        *_issues(histories, dates[0], returns, first_day, included),
    )
    return PreparedPrices(
        as_of=histories.as_of,
        newest=histories.as_of == histories.last_benchmark_date,
        dates=dates,
        benchmark_returns=benchmark_returns,
        symbols=tuple(histories.usable),
        returns=np.ascontiguousarray(returns.T),
        first_day=first_day,
        included=included,
        close=close,
        day_return=np.array([change for change, _ in last_moves], dtype=np.float64),
        day_before=np.array([day for _, day in last_moves], dtype="datetime64[D]"),
        volatility=volatility,
        episode_returns=np.where(included, episode_returns(usable, calendar.dates), np.nan),
        later_splits={
            symbol: float(own.later_splits) for symbol, own in histories.usable.items() if own.later_splits != 1
        },
        payments=recent_payments(
            [
                (own.bars, own.actions(len(own.bars.dates) - ROWS_OF_A_YEAR)[0], float(own.later_splits))
                for own in usable
            ],
            histories.as_of,
        ),
        figures=_figures(usable, close, prices, first_day, volatility, beta),
        issues=issues,
        run_issues=tuple(run_issues(histories, benchmark_symbol, len(dates), asked_on, source_issues)),
    )


def join_prices(parts: Sequence[PreparedPrices]) -> PriceTable:
    """Return the table of a run from at least one part; all parts have the same days."""
    symbols = [symbol for part in parts for symbol in part.symbols]
    figures = [own for part in parts for own in part.figures]
    of_run = tuple(dict.fromkeys(issue for part in parts for issue in part.run_issues))
    # A benchmark may be held, too; its issues of the run also count days after the last one that counts.
    told = {(issue.symbol, issue.kind) for issue in of_run}
    issues: dict[str, tuple[SymbolIssue, ...]] = {}
    for issue in dict.fromkeys(issue for part in parts for issue in part.issues):
        if issue.symbol is not None and (issue.symbol, issue.kind) not in told:
            issues[issue.symbol] = (*issues.get(issue.symbol, ()), issue)
    close = np.concatenate([part.close for part in parts])
    # Of a single part the returns, nearly all of its memory, are not copied.
    returns = parts[0].returns if len(parts) == 1 else np.concatenate([part.returns for part in parts])
    return PriceTable(
        as_of=parts[0].as_of,
        newest=all(part.newest for part in parts),
        base=AS_QUOTED,
        dates=parts[0].dates,
        benchmark_returns=parts[0].benchmark_returns,
        columns={symbol: column for column, symbol in enumerate(symbols)},
        returns=returns.T,
        first_day=np.concatenate([part.first_day for part in parts]),
        included=np.concatenate([part.included for part in parts]),
        close=close,
        quoted_close=close,
        day_return=np.concatenate([part.day_return for part in parts]),
        day_before=np.concatenate([part.day_before for part in parts]),
        volatility=np.concatenate([part.volatility for part in parts]),
        episode_returns=np.concatenate([part.episode_returns for part in parts], axis=1),
        later_splits={symbol: factor for part in parts for symbol, factor in part.later_splits.items()},
        payments=joined_payments([part.payments for part in parts]),
        figures=dict(zip(symbols, figures, strict=True)),
        reported=reported(figures),
        issues=issues,
        run_issues=of_run,
    )


def _align(histories: Sequence[PriceHistory], dates: Dates) -> Floats:
    """Return the adjusted closes on each of ``dates``, carried forward, ``(symbols, days)``; NaN before the first."""
    prices = np.full((len(histories), len(dates)), np.nan)
    for symbol, own in enumerate(histories):
        rows = own.bars.dates.searchsorted(dates, "right") - 1
        start = int(rows.searchsorted(0))
        prices[symbol, start:] = own.bars.adj_close[rows[start:]]
    return prices


def _first_day(own: PriceHistory, calendar: Calendar, days: int) -> int:
    """Return the row, among the last ``days`` of the calendar, of the first usable price; ``days`` if it is stale."""
    if own.stale:
        return days
    number = int(calendar.numbers(own.bars.dates[own.start : own.start + 1])[0])
    return max(number - (len(calendar.dates) - days), 0)


def _usable_returns(prices: Floats, first_day: Integers) -> Floats:
    """Return the returns, ``(observations, symbols)``, 0 before the usable history."""
    returns = prices[:, 1:] / prices[:, :-1]
    returns -= 1
    returns[np.arange(prices.shape[1] - 1) < first_day[:, None]] = 0
    return returns.T


def _last_move(own: PriceHistory, calendar: Calendar) -> tuple[float, np.datetime64]:
    """Return the return of the last day with a new price, and the day before it with one."""
    if len(calendar.dates) - 1 - own.day > 1:
        return 0.0, _NO_DAY
    last = len(own.bars.dates) - 1
    before = own.last_row_before(own.day, calendar)
    if before < 0 or any(row > before for row in own.suspected) or any(gap.row > before for gap in own.gaps):
        return np.nan, _NO_DAY
    return float(1 - own.bars.adj_close[before] / own.bars.adj_close[last]), own.bars.dates[before]


def own_risk(
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


def _figures(
    usable: Sequence[PriceHistory],
    close: Floats,
    prices: Floats,
    first_day: Integers,
    volatility: Floats,
    beta: Floats,
) -> tuple[SymbolFigures, ...]:
    observations = prices.shape[1] - 1 - first_day
    stale = np.array([own.stale for own in usable], dtype=np.bool_)
    short = observations < MIN_OBSERVATIONS
    return tuple(
        map(
            SymbolFigures,
            close.tolist(),
            [as_date(own.bars.dates[-1]) for own in usable],
            np.select([stale, short], ["stale", "short"], "enough").tolist(),
            *(measures.optional(_recent_return(prices, observations, days)) for days in RETURN_HORIZONS),
            measures.optional(volatility),
            measures.optional(beta),
        )
    )


def _issues(
    histories: PriceHistories, since: np.datetime64, returns: Floats, first_day: Integers, included: Booleans
) -> Iterator[SymbolIssue]:
    calendar = histories.calendar
    before = len(calendar.dates) - 1 - len(returns)
    usable_returns = np.maximum(len(returns) - first_day, 1)
    zero_shares = ((returns == 0).sum(axis=0) - first_day) / usable_returns
    for column, (symbol, own) in enumerate(histories.usable.items()):
        found: Iterator[PriceIssue] = history_issues(own, calendar, since)
        if included[column]:
            first = before + int(first_day[column])
            found = chain(found, return_issues(own, calendar, first, float(zero_shares[column])))
        yield from (symbol_issue(symbol, issue) for issue in found)
    for symbol, rows in histories.bad.items():
        yield from (symbol_issue(symbol, issue) for issue in row_issues(rows, since))


def reported(figures: Sequence[SymbolFigures]) -> Objects:
    """Return the figures as a :class:`PriceTable` has them for reports."""
    rows = [(own.price, own.price_date, *(getattr(own, name) for name in _REPORTED)) for own in figures]
    return np.array([*rows, (None,) * (2 + len(_REPORTED))], dtype=np.object_).T


def _recent_return(prices: Floats, observations: Integers, days: int) -> Floats:
    if days >= prices.shape[1]:
        return np.full(len(prices), np.nan)
    return np.where(observations >= days, prices[:, -1] / prices[:, -1 - days] - 1, np.nan)
