"""A defect of one portfolio or one symbol does not affect others."""

import math
from collections.abc import Iterator
from copy import replace

import numpy as np
import pytest

from analysis.models import Report
from analysis.prices import Bars
from tests.analysis.market import BENCHMARK, DAYS, SYMBOLS, TABLE, only, price
from tests.builders import PortfolioBuilder, a_portfolio, a_table, analyze, bars, members, research_on


def floats_in(record: object) -> Iterator[float]:
    if isinstance(record, float):
        yield record
    elif isinstance(record, tuple):
        for entry in record:
            yield from floats_in(entry)
    for member in members(record).values():
        yield from floats_in(member)


def classes_in(record: object) -> Iterator[type]:
    yield type(record)
    if isinstance(record, tuple):
        for entry in record:
            yield from classes_in(entry)
    for member in members(record).values():
        yield from classes_in(member)


AWKWARD = (
    a_portfolio("nothing"),
    a_portfolio("cash").cash(1),
    a_portfolio("nan").holding("A", math.nan),
    a_portfolio("infinite").holding("A", math.inf).holding("B", 1),
    a_portfolio("missing").holding("NONE", 5).cash(3),
    a_portfolio("huge").holding("A", 1e12).holding("B", 1e12),
    a_portfolio("huge and canceling").holding("A", 1e12).holding("B", -1e12).cash(1e14),
    a_portfolio("overflowing").holding("A", 1e300).holding("B", 1e300),
    a_portfolio("tiny").holding("A", 1e-300),
    a_portfolio("leveraged").holding("A", 1).cash(1e-9 - price("A")),
    a_portfolio("stale").holding("STALE", 5),
    a_portfolio("flat").holding("FLAT", 5),
    a_portfolio("short").holding("B", -5).cash(1e6),
    a_portfolio("absurd buying power").holding("A", 5).buying_power(math.nan),
    a_portfolio("in debt").holding("A", 5).buying_power(-1e6),
)
SOUND = a_portfolio("sound").holding("A", 10).holding("B", 3.5).holding("YOUNG", 7).cash(100)


def approximately(report: Report) -> list[object]:
    return [pytest.approx(figure, rel=1e-9, abs=1e-12) for figure in floats_in((report,))]


class TestIsolation:
    @pytest.mark.parametrize("portfolio", AWKWARD, ids=lambda builder: builder.portfolio.user_id)
    def test_no_figure_of_an_awkward_portfolio_is_nan_or_infinite(self, portfolio: PortfolioBuilder) -> None:
        report = only(analyze(TABLE, portfolio, research=research_on(SYMBOLS, BENCHMARK)))

        assert all(math.isfinite(figure) for figure in floats_in((report,)))

    def test_awkward_portfolios_do_not_change_another_report(self) -> None:
        alone = only(analyze(TABLE, SOUND))

        beside = analyze(TABLE, *AWKWARD[:6], SOUND, *AWKWARD[6:])

        assert [report.user_id for report in beside] == [
            builder.portfolio.user_id for builder in (*AWKWARD[:6], SOUND, *AWKWARD[6:])
        ]
        assert list(floats_in((beside[6],))) == approximately(alone)
        assert (beside[6].status, beside[6].reason) == ("analyzed", None)

    def test_absurd_prices_of_one_symbol_affect_only_portfolios_that_hold_it(self) -> None:
        absurd = bars(DAYS, np.where(np.arange(600) % 2, 1e-150, 1e150))
        table = a_table({**SYMBOLS, "ABSURD": absurd}, BENCHMARK)

        research = research_on({**SYMBOLS, "ABSURD": absurd}, BENCHMARK)

        hurt, sound = analyze(
            table, a_portfolio().holding("ABSURD", 1).holding("A", 1).watching("ABSURD"), SOUND, research=research
        )

        alone = only(analyze(TABLE, SOUND, research=research_on(SYMBOLS, BENCHMARK)))
        assert list(floats_in((sound,))) == approximately(alone)
        assert all(math.isfinite(figure) for figure in floats_in((hurt,)))

    def test_days_without_a_usable_price_are_days_without_a_price(self) -> None:
        close = SYMBOLS["A"].close.copy()
        close[[100, 300]] = math.nan, math.inf
        close[301] = -1
        broken = Bars(DAYS, close, SYMBOLS["A"].adj_close)
        gaps = np.ones(600, dtype=np.bool_)
        gaps[[100, 300, 301]] = False
        sound = Bars(DAYS[gaps], SYMBOLS["A"].close[gaps], SYMBOLS["A"].adj_close[gaps])

        portfolio = a_portfolio().holding("A", 5).holding("B", 1)
        one, other = (
            only(analyze(a_table(symbols, BENCHMARK), portfolio, research=research_on(symbols, BENCHMARK)))
            for symbols in ({**SYMBOLS, "A": broken}, {**SYMBOLS, "A": sound})
        )

        assert one.data_quality is not None
        assert other.data_quality is not None
        assert [issue.kind for issue in one.data_quality.price_issues] == ["bad_bars"]
        assert replace(one, data_quality=replace(one.data_quality, price_issues=())) == other
        assert one.data_quality.coverage == 1

    def test_an_empty_page_has_no_reports(self) -> None:
        assert analyze(TABLE) == []

    def test_without_any_prices_every_user_still_gets_a_report(self) -> None:
        table = a_table({}, BENCHMARK)

        alone, cash = analyze(table, a_portfolio().holding("A", 1), a_portfolio().holding("A", 1).cash(5))

        assert (alone.status, alone.reason) == (cash.status, cash.reason) == ("analyzed", "no_prices")

    def test_a_report_holds_plain_python_values_only(self) -> None:
        research = research_on(SYMBOLS, BENCHMARK)

        reports = analyze(TABLE, SOUND, *AWKWARD, research=research, risk_free_rate=0.01)

        assert {cls for cls in classes_in(tuple(reports)) if cls.__module__.startswith("numpy")} == set()
