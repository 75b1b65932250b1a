"""The records of what was measured: one for each portfolio, and the days behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import batched, cycle, repeat

import numpy as np

from analysis.measures import CANCELED, optional, optional_rows
from analysis.models import Booleans, Contribution, Dates, Floats, Integers, ReturnPeriod, Returns
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
        outcomes += _of_block(page, found, part, begin, late)
    return outcomes


def _money_weighted(figures: Sequence[BlockFigures]) -> Iterator[Floats]:
    """Yield the money-weighted returns of each block, found for all of the page at once."""
    guesses = []
    for part in figures:
        growth = 1 + part.measured.figures[DIETZ]
        gained = np.log(growth, out=np.where(np.isnan(growth), np.nan, -np.inf), where=growth > 0)
        guess = gained * (365 / part.measured.days)
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


def _reasons(part: BlockFigures) -> list[str | None]:
    """Return why a figure of a period is not known, portfolio by portfolio; of several reasons the first."""
    figures = part.measured.figures
    reasons = np.full(part.known.shape, None, dtype=np.object_)
    reasons[np.isnan(figures[MONEY_WEIGHTED])] = "no_solution"
    reasons[np.isnan(figures[DIETZ])] = "no_capital"
    reasons[part.measured.negative] = "negative_capital"
    reasons[~part.known] = "ledger_begins_later"
    reasons[:, part.since < 0] = "unsound_ledger"
    listed: list[str | None] = reasons.T.ravel().tolist()
    return listed


def _day(page: Page, place: int) -> date | None:
    """Return a trading day by its place among the days of the page; it may be before them."""
    trading = place + page.frame.calendar.first
    return None if trading < 0 else page.prices.dates[trading].item()


def _of_block(
    page: Page, found: Soundness, part: BlockFigures, begin: Sequence[date | None], late: Booleans
) -> Iterator[LedgerReturns]:
    known, dates = part.since >= 0, page.frame.calendar.dates
    sound = known.tolist()
    since, start = (_optional_dates(dates[part.since - before], known) for before in (0, 1))
    drawdowns = optional(np.where(known, part.measured.current_drawdown, np.nan))
    told = zip(sound, since, drawdowns, _periods(page, part, begin, start), _contributions(page, part), strict=True)
    for number, (is_sound, day, drawdown, periods, contributed) in enumerate(told):
        owner = part.block.owners.start + number
        if found.incomplete[owner]:
            yield LedgerReturns(None, "incomplete_valuation")
            continue
        returns = Returns(
            basis="account" if page.in_account[owner] else "securities",
            since=day,
            current_drawdown=drawdown,
            periods=periods,
            contributions=contributed,
            issues=tuple(sorted(found.issues[owner], key=lambda issue: issue.date or date.min)),
            notes=(_OF_AN_EARLIER_DAY.format(page.prices.as_of.item()),) if late[owner] else (),
        )
        yield LedgerReturns(returns, None, _daily(page, part, number) if is_sound else None)


def _optional_dates(days: Dates, known: Booleans) -> list[date | None]:
    listed: list[date | None] = np.where(known, days, np.datetime64("NaT", "D")).tolist()
    return listed


def _periods(
    page: Page, part: BlockFigures, begin: Sequence[date | None], since: Sequence[date | None]
) -> Iterator[tuple[ReturnPeriod, ...]]:
    """Yield the periods of each portfolio: figures that are not known are ``None``."""
    starts = [day for first in since for day in (*begin[:SINCE], first)]
    figures = np.where(part.known, part.measured.figures, np.nan).swapaxes(1, 2).reshape(len(FIGURES), -1)
    columns = (cycle(PERIODS), starts, repeat(page.prices.as_of.item()), *optional_rows(figures), _reasons(part))
    yield from batched(map(ReturnPeriod, *columns), len(PERIODS), strict=True)


def _contributions(page: Page, part: BlockFigures) -> list[tuple[Contribution, ...]]:
    rows, held = page.frame.rows, np.flatnonzero(part.held)
    names = [rows.names[symbol] for symbol in rows.symbol[held + part.block.rows.start].tolist()]
    begin, end, flows = part.measured.figures[:, OF_PERIODS][[_START, _END, _FLOWS]]
    gain = end - begin - flows
    gain[np.abs(gain) <= CANCELED * (np.abs(end) + np.abs(begin) + np.abs(flows))] = 0.0
    total = np.where(part.known[OF_PERIODS], gain, np.nan)
    owner = part.block.row_owner(page)[held]
    return contributions(names, owner, part.gains[:, held], total, part.measured.capital[OF_PERIODS])


def _daily(page: Page, part: BlockFigures, number: int) -> DailyReturns:
    start = int(part.since[number]) - 1
    own = slice(start - part.block.first, None)
    days = page.frame.calendar.dates[start : page.frame.calendar.count]
    measured = (part.value, part.flow, part.measured.index, part.later)
    return DailyReturns(days, *(each[number, own] for each in measured))
