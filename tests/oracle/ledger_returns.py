"""The section ``returns`` of a person, day by day, and its weekly series.

Readings:
- ``current_drawdown`` and the weekly index are over the sound period; an index after a day of negative capital is null.
- A sound period that begins on the first day of the calendar starts one day (of any kind) before it.
- ``annualized`` figures of a return below -1 are null.
- ``benchmark_same_flows`` is null if it is negative on any day, by more than 1e-9 of the flows.
- Contributions have a row for every symbol ever held, and for others that ever brought something.
- A period without its figures still tells its ``start``; ``since`` does not.
- The series begins with the start of the sound period only if that is the last day of its ISO week.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from analysis.models import Contribution, PeriodName, ReturnPeriod, Returns, ReturnsIssue, ReturnsIssueKind
from analysis.returns.ledger import Market
from tests.oracle.ledger_book import Book
from tests.oracle.ledger_days import Day, Days
from tests.oracle.ledger_inputs import CENT, ONE, SMALL, ZERO, Person, World, months_before, precisely
from tests.oracle.ledger_measures import (
    YEAR,
    annual_volatility,
    compounded,
    daily_return,
    dietz_capital,
    drawdowns,
    is_negative_capital,
    xirr_logarithm,
)
from tests.oracle.ledger_positions import Positions
from tests.oracle.ledger_soundness import first_day

MONTHS: dict[PeriodName, int] = {"1m": 1, "3m": 3, "1y": 12, "3y": 36, "5y": 60}
NAMES: tuple[PeriodName, ...] = ("1m", "3m", "ytd", "1y", "3y", "5y", "since")
WITH_CONTRIBUTIONS = ("ytd", "1y", "since")


@dataclass(frozen=True, slots=True)
class Week:
    """The last day of a week in the series."""

    date: date
    value: float
    invested: float
    twr_index: float | None
    benchmark_index: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What the oracle finds; ``gross`` is the gross value to which tolerances relate."""

    returns: Returns
    series: tuple[Week, ...]
    gross: float
    incomplete: bool
    """Whether a holding is unpriced today, so that the section is null."""


@precisely
def returns_of(person: Person, market: Market, today: date) -> Result:
    """Return everything of the section ``returns``."""
    world = World(market, person.base)
    book = Book(person, world, today)
    positions = Positions(book)
    days = Days(book, positions)
    return Section(days).result()


class Section:
    """The section of one person."""

    def __init__(self, days: Days) -> None:
        self.days = days
        self.world = days.world
        self.since = first_day(days)
        self.start = None if self.since is None else self.since - 1

    def result(self) -> Result:
        """Return everything that is told."""
        book = self.days.book
        for booking in book.bookings:
            if booking.transaction.type == "dividend" and booking.symbol in self.world.market.prices.adjusted:
                book.issues.add(("prices_already_adjusted", None))
        periods, contributions = [], []
        for name in NAMES:
            period, rows = self._period(name)
            periods.append(period)
            contributions += rows
        returns = Returns(
            book.basis,
            None if self.since is None else self.world.days[self.since],
            self._current_drawdown(),
            tuple(periods),
            tuple(contributions),
            issues(book),
        )
        return Result(returns, self._series(), self._gross(), self._is_incomplete())

    def day_at(self, place: int) -> date:
        """Return the day of a place; the one before the calendar is that before its first."""
        return self.world.days[place] if place >= 0 else self.world.days[0] - timedelta(days=1)

    def day(self, place: int) -> Day:
        """Return what was and what happened on a day."""
        return self.days.days[place]

    def _gross(self) -> float:
        return float(max(day.gross + abs(day.flow) for day in self.days.days.values()))

    def _is_incomplete(self) -> bool:
        last = self.world.after - 1
        return any(
            self.days.positions.quantity(symbol, last)
            and (
                self.world.close(symbol, last) is None
                or self.world.to_base(self.world.currency(symbol), self.world.days[last]) is None
            )
            for symbol in self.days.positions.symbols
        ) or any(
            abs(self.days.positions.cash(account, last)) > CENT
            and self.world.to_base(currency, self.world.days[last]) is None
            for account, currency in (self.days.book.currencies.items() if self.days.with_cash else ())
        )

    def _is_negative(self, place: int) -> bool:
        day = self.day(place)
        return is_negative_capital(self.day(place - 1).value, day.value, day.flow)

    def _return(self, place: int) -> Decimal | None:
        return daily_return(self.day(place - 1).value, self.day(place).value, self.day(place).flow)

    def _index(self, start: int) -> list[Decimal]:
        """Return the time-weighted index from a start on, 1 there."""
        index = [ONE]
        for place in range(start + 1, self.world.after):
            r = self._return(place)
            index.append(index[-1] * (ONE if r is None else 1 + r))
        return index

    def _current_drawdown(self) -> float | None:
        if self.start is None or any(self._is_negative(at) for at in range(self.start + 1, self.world.after)):
            return None
        return float(drawdowns(self._index(self.start))[-1])

    def _start_of(self, name: PeriodName) -> int | None:
        if name == "since":
            return self.start
        as_of = self.world.days[-1]
        limit = date(as_of.year - 1, 12, 31) if name == "ytd" else months_before(as_of, MONTHS[name])
        places = [place for place, day in enumerate(self.world.days) if day <= limit]
        return places[-1] if places else None

    def _period(self, name: PeriodName) -> tuple[ReturnPeriod, list[Contribution]]:
        start, end = self._start_of(name), self.world.days[-1]
        begins = None if start is None else self.day_at(start)
        if self.start is None:
            return ReturnPeriod(name, begins, end, reason="unsound_ledger"), []
        if start is None or start < self.start:
            return ReturnPeriod(name, begins, end, reason="ledger_begins_later"), []
        return self._figures(name, start)

    def _figures(self, name: PeriodName, start: int) -> tuple[ReturnPeriod, list[Contribution]]:
        places = range(start + 1, self.world.after)
        begins, ends = self.day_at(start), self.world.days[-1]
        length = (ends - begins).days
        first, last = self.day(start).value, self.day(places[-1]).value
        flows = [(self.world.days[place], self.day(place).flow) for place in places]
        net = sum((flow for _, flow in flows), ZERO)
        gain = last - first - net
        capital = dietz_capital(begins, self.world.days[start + 1], ends, first, flows)
        dietz = None if capital is None else gain / capital
        mwr = self._money_weighted(begins, ends, [first, last], flows, dietz)
        sums = self._sums(places)
        negative = any(self._is_negative(place) for place in places)
        returns = [r for place in places if (r := self._return(place)) is not None]
        twr = None if negative else compounded(returns)
        explained = sums["price"] + sums["income"] + sums["fx"] - sums["fees"] - sums["taxes"]
        reasons = {"negative_capital": negative, "no_capital": capital is None, "no_solution": mwr is None}
        period = ReturnPeriod(
            name,
            begins,
            ends,
            twr=plain(twr),
            twr_annualized=plain(_annualized(twr, length)),
            mwr=plain(mwr),
            dietz=plain(dietz),
            start_value=float(first),
            end_value=float(last),
            net_flows=float(net),
            price_gain=float(sums["price"]),
            income=float(sums["income"]),
            fees=float(sums["fees"]),
            taxes=float(sums["taxes"]),
            fx_gain=float(sums["fx"]),
            residual=float(gain - explained),
            benchmark_same_flows=plain(self._same_flows(first, places)),
            max_drawdown=None if negative else float(min(drawdowns(self._index(start)))),
            annual_volatility=None if negative else plain(annual_volatility(returns)),
            reason=next((reason for reason, applies in reasons.items() if applies), None),
        )
        rows = self._contributions(name, places, gain, capital) if name in WITH_CONTRIBUTIONS else []
        return period, rows

    def _sums(self, places: Sequence[int]) -> dict[str, Decimal]:
        names = {"price": "price_gain", "income": "income", "fx": "fx_gain", "fees": "fees", "taxes": "taxes"}
        return {
            name: sum((sum(getattr(self.day(place), member).values(), ZERO) for place in places), ZERO)
            for name, member in names.items()
        }

    @staticmethod
    def _money_weighted(
        begins: date,
        ends: date,
        values: Sequence[Decimal],
        flows: Sequence[tuple[date, Decimal]],
        dietz: Decimal | None,
    ) -> Decimal | None:
        length = (ends - begins).days
        guess = ZERO
        if dietz is not None:
            guess = (1 + dietz) ** (Decimal(YEAR) / length) - 1 if dietz > -1 else -ONE
        paid = [(begins, -values[0]), *((day, -flow) for day, flow in flows), (ends, values[1])]
        logarithm = xirr_logarithm(paid, guess)
        return None if logarithm is None else (logarithm * min(length, YEAR) / YEAR).exp() - 1

    def _same_flows(self, value: Decimal, places: Sequence[int]) -> Decimal | None:
        gross = abs(value)
        if value < 0:
            return None
        for place in places:
            r, flow = self.world.benchmark_return(place), self.day(place).flow
            if r is None:
                return None
            gross += abs(flow)
            value = (value + max(flow, ZERO)) * (1 + r) - max(-flow, ZERO)
            if value < -SMALL * gross:
                return None
        return value

    def _contributions(
        self, name: PeriodName, places: Sequence[int], gain: Decimal, capital: Decimal | None
    ) -> list[Contribution]:
        positions = self.days.positions
        gains: dict[str | None, Decimal] = {}
        for symbol in sorted(positions.symbols):
            own = sum((_gain(self.day(place), symbol) for place in places), ZERO)
            held = any(end.get(symbol) and positions.quantity(symbol, at) for at, end in positions.ends.items())
            traded = any(b.symbol == symbol and b.moved.shares for b in self.days.book.in_calendar) or any(
                b.transaction.to_symbol == symbol and b.place < self.world.after and before
                for b, before in positions.before.items()
            )
            if held or traded or any(_brought_something(day, symbol) for day in self.days.days.values()):
                gains[symbol] = own
        gains[None] = gain - sum(gains.values(), ZERO)
        return [
            Contribution(
                name, symbol, float(own), float(own / gain) if gain else None, plain(own / capital) if capital else None
            )
            for symbol, own in gains.items()
        ]

    def _series(self) -> tuple[Week, ...]:
        if self.start is None:
            return ()
        index, weeks = self._index(self.start), []
        invested, benchmark = self.day(self.start).value, plain(ONE)
        is_negative = False
        for place in range(self.start, self.world.after):
            day = self.day(place)
            if place > self.start:
                invested += day.flow
                r = self.world.benchmark_return(place)
                benchmark = None if benchmark is None or r is None else benchmark * float(1 + r)
                is_negative = is_negative or self._is_negative(place)
            week = self.day_at(place).isocalendar()[:2]
            if place == self.world.after - 1 or week != self.day_at(place + 1).isocalendar()[:2]:
                own = None if is_negative else float(index[place - self.start])
                weeks.append(Week(self.day_at(place), float(day.value), float(invested), own, benchmark))
        return tuple(weeks)


def _brought_something(day: Day, symbol: str) -> bool:
    parts = (day.price_gain, day.fx_gain, day.income, day.fees, day.taxes)
    return any(part.get(symbol) for part in parts)


def _gain(day: Day, symbol: str) -> Decimal:
    return day.price_gain[symbol] + day.fx_gain[symbol] + day.income[symbol] - day.fees[symbol] - day.taxes[symbol]


def _annualized(twr: Decimal | None, days: int) -> Decimal | None:
    if twr is None or days < YEAR or twr < -1:
        return None
    return (1 + twr) ** (Decimal(YEAR) / days) - 1


def plain(value: Decimal | None) -> float | None:
    """Return a plain number."""
    return None if value is None else float(value)


def issues(book: Book) -> tuple[ReturnsIssue, ...]:
    """Return the issues without texts, in the order of days."""
    kinds: dict[str, ReturnsIssueKind] = {kind: kind for kind in ReturnsIssueKind.__value__.__args__}
    found = sorted(book.issues, key=lambda issue: (str(issue[1]), issue[0]))
    return tuple(ReturnsIssue(day, kinds[kind], "") for kind, day in found)
