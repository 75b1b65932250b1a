"""The records of what was measured: one for each portfolio, and the days behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from analysis.measures import CANCELED
from analysis.models import Booleans, Dates, Floats, Integers, ReturnPeriod, Returns, ReturnsIssue
from analysis.returns.contributions import OF_PERIODS, contributions
from analysis.returns.money_weighted import internal_rates, joined, of_period
from analysis.returns.page import Block, Page
from analysis.returns.periods import DIETZ, FIGURES, MONEY_WEIGHTED, PERIODS, SINCE, PeriodFigures
from analysis.returns.soundness import Soundness

_OF_AN_EARLIER_DAY = "The positions are those of {}: later transactions were taken back."
_START, _END, _FLOWS = (FIGURES.index(name) for name in ("start_value", "end_value", "net_flows"))


@dataclass(frozen=True, slots=True, eq=False)
class DailyReturns:
    """What was there on each day from the start of the sound period on, ``(days,)``.

    Attributes:
        value: in the base currency.
        flow: from outside; what is on the first day is in its value.
        twr_index: 1 on the first day; NaN from a day without capital on.
        benchmark_to_end: what 1 in the benchmark on each day is at the end.
    """

    days: Dates
    value: Floats
    flow: Floats
    twr_index: Floats
    benchmark_to_end: Floats

    @property
    def invested(self) -> Floats:
        """Return the start value and the flows up to each day."""
        invested: Floats = np.append(self.value[:1], self.flow[1:]).cumsum()
        return invested

    @property
    def benchmark_index(self) -> Floats:
        """Return the growth of the benchmark from the first day on, 1 there."""
        index: Floats = self.benchmark_to_end[0] / self.benchmark_to_end
        return index


@dataclass(frozen=True, slots=True, eq=False)
class LedgerReturns:
    """What a person really earned; without ``returns``, ``reason`` says why in one word.

    ``daily`` is ``None`` without a sound period, too.
    """

    returns: Returns | None
    reason: str | None
    daily: DailyReturns | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BlockFigures:
    """What was measured of a block.

    Attributes:
        since: day of the first transaction of the sound period, among those of the page; -1 without one.
        known: whether a period has figures, ``(periods, portfolios)``.
        gains: of rows, in the periods with contributions, ``(periods, rows)``.
        held: whether a row was ever held.
        value, flow: ``(portfolios, days)``.
        later: what 1 in the benchmark on each day is at the end, ``(portfolios, days)``.
    """

    block: Block
    since: Integers
    known: Booleans
    measured: PeriodFigures
    gains: Floats
    held: Booleans
    value: Floats
    flow: Floats
    later: Floats


def outcomes_of(
    page: Page, found: Soundness, starts: Integers, late: Booleans, figures: Sequence[BlockFigures]
) -> list[LedgerReturns]:
    """Return the outcome of each portfolio of a page.

    ``starts`` are the days of the page after which the periods start, and ``late`` says whether a portfolio has
    transactions after ``as_of``.
    """
    outcomes: list[LedgerReturns] = []
    rates = _money_weighted(figures)
    begin = [_day(page, place) for place in starts.tolist()]
    for part, weighted in zip(figures, rates, strict=True):
        part.measured.figures[MONEY_WEIGHTED] = weighted
        reasons = _reasons(part)
        rows = optional_figures(part)
        for number in range(part.block.size):
            owner = part.block.owners.start + number
            if found.incomplete[owner]:
                outcomes.append(LedgerReturns(None, "incomplete_valuation"))
                continue
            periods = tuple(_periods(page, part, number, rows[number], reasons[number], begin))
            outcomes.append(_outcome(page, part, number, periods, found.issues[owner], late=bool(late[owner])))
    return outcomes


def _money_weighted(figures: Sequence[BlockFigures]) -> Iterator[Floats]:
    """Yield the money-weighted returns of each block, found for all of the page at once."""
    guesses = []
    for part in figures:
        growth = 1 + part.measured.figures[DIETZ]
        guess = np.where(growth > 0, growth ** (365 / part.measured.days) - 1, np.where(np.isnan(growth), np.nan, -1.0))
        guesses.append(np.where(part.known, guess, np.nan).ravel())
    flows = joined([part.measured.flows for part in figures])
    wanted = np.concatenate([part.known.ravel() for part in figures])
    logarithms = np.full(len(wanted), np.nan)
    if wanted.any():
        logarithms[wanted] = internal_rates(flows.of(wanted), np.concatenate(guesses)[wanted])
    place = 0
    for part in figures:
        size = part.known.size
        yield of_period(logarithms[place : place + size].reshape(part.known.shape), part.measured.days)
        place += size


def _reasons(part: BlockFigures) -> list[list[str | None]]:
    """Return why a figure of a period is not known, by portfolio and period; of several reasons the first."""
    figures = part.measured.figures
    reasons = np.full(part.known.shape, None, dtype=np.object_)
    reasons[np.isnan(figures[MONEY_WEIGHTED])] = "no_solution"
    reasons[np.isnan(figures[DIETZ])] = "no_capital"
    reasons[part.measured.negative] = "negative_capital"
    reasons[~part.known] = "ledger_begins_later"
    reasons[:, part.since < 0] = "unsound_ledger"
    listed: list[list[str | None]] = reasons.T.tolist()
    return listed


def optional_figures(part: BlockFigures) -> list[list[list[float | None]]]:
    """Return the figures by portfolio and period, ``None`` for those that are not known."""
    figures = np.where(part.known, part.measured.figures, np.nan).transpose(2, 1, 0)
    values: list[list[list[float | None]]] = figures.tolist()
    for portfolio, period, figure in np.argwhere(~np.isfinite(figures)).tolist():
        values[portfolio][period][figure] = None
    return values


def _day(page: Page, place: int) -> date | None:
    """Return a trading day by its place among the days of the page; it may be before them."""
    trading = place + page.frame.calendar.first
    return None if trading < 0 else page.prices.dates[trading].item()


def _periods(
    page: Page,
    part: BlockFigures,
    number: int,
    rows: Sequence[Sequence[float | None]],
    reasons: Sequence[str | None],
    begin: Sequence[date | None],
) -> Iterator[ReturnPeriod]:
    since, end = int(part.since[number]), page.prices.as_of.item()
    starts = list(begin)
    starts[SINCE] = page.frame.calendar.dates[since - 1].item() if since >= 0 else None
    for name, row, reason, start in zip(PERIODS, rows, reasons, starts, strict=True):
        yield ReturnPeriod(name, start, end, **dict(zip(FIGURES, row, strict=True)), reason=reason)


def _outcome(
    page: Page,
    part: BlockFigures,
    number: int,
    periods: tuple[ReturnPeriod, ...],
    issues: Sequence[ReturnsIssue],
    *,
    late: bool,
) -> LedgerReturns:
    owner, block = part.block.owners.start + number, part.block
    since = int(part.since[number])
    frame, figures = page.frame, part.measured.figures[:, OF_PERIODS, number]
    first, last = (frame.rows.owner.searchsorted([owner, owner + 1]) - block.rows.start).tolist()
    held = np.flatnonzero(part.held[first:last]) + first
    names = [frame.rows.names[symbol] for symbol in frame.rows.symbol[held + block.rows.start].tolist()]
    gain = figures[_END] - figures[_START] - figures[_FLOWS]
    gain[np.abs(gain) <= CANCELED * np.abs(figures[[_END, _START, _FLOWS]]).sum(axis=0)] = 0.0
    total = np.where(part.known[OF_PERIODS, number], gain, np.nan)
    capital = part.measured.capital[OF_PERIODS, number]
    returns = Returns(
        basis="account" if page.in_account[owner] else "securities",
        since=frame.calendar.dates[since].item() if since >= 0 else None,
        current_drawdown=_known(part.measured.current_drawdown[number]) if since >= 0 else None,
        periods=periods,
        contributions=contributions(names, part.gains[:, held], total, capital),
        issues=tuple(sorted(issues, key=lambda issue: issue.date or date.min)),
        notes=(_OF_AN_EARLIER_DAY.format(page.prices.as_of.item()),) if late else (),
    )
    return LedgerReturns(returns, None, _daily(page, part, number) if since >= 0 else None)


def _known(figure: np.float64) -> float | None:
    return float(figure) if np.isfinite(figure) else None


def _daily(page: Page, part: BlockFigures, number: int) -> DailyReturns:
    start = int(part.since[number]) - 1
    own = slice(start - part.block.first, None)
    days = page.frame.calendar.dates[start : page.frame.calendar.count]
    measured = (part.value, part.flow, part.measured.index, part.later)
    return DailyReturns(days, *(each[number, own] for each in measured))
