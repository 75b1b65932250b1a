"""No NaN and no infinity reaches the database or an answer, whatever quantities and prices there are."""

import json
import math
from collections.abc import Iterator

import bson
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.decisions import Adviser
from analysis.models import Floats, Holding, Portfolio
from analysis.prices import Bars
from analysis.report import analyze_portfolios
from tests.builders import a_table, bars, document_of, random_walk, research_on, weekdays

DAYS = weekdays(270)
BENCHMARK = random_walk(DAYS, seed=1)

ABSURD = [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300, -1e300, 1e-300, 5e-324, 1e12]
numbers = st.sampled_from(ABSURD) | st.floats()
finite = numbers.filter(math.isfinite)
price_series = st.one_of(
    st.sampled_from(ABSURD).map(lambda price: np.full(270, price)),
    st.tuples(st.sampled_from(ABSURD), st.sampled_from(ABSURD)).map(lambda two: np.resize(np.array(two), 270)),
    st.tuples(numbers, st.integers(0, 269)).map(lambda one: _with_one(*one)),
    st.lists(numbers, min_size=1, max_size=30).map(lambda some: np.resize(np.array(some), 270)),
)


def _with_one(price: float, day: int) -> Floats:
    closes = random_walk(DAYS, seed=2).close.copy()
    closes[day] = price
    return closes


def floats_in(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    for entry in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from floats_in(entry)


@settings(deadline=None, max_examples=150)
@given(
    absurd=st.tuples(price_series, price_series),
    holdings=st.dictionaries(
        st.sampled_from(["SOUND", "ABSURD", "RANGE", "NONE"]), st.tuples(finite, st.none() | finite), max_size=4
    ),
    cash=numbers,
    buying_power=numbers,
)
def test_every_report_can_be_written_as_bson_and_json(
    absurd: tuple[Floats, ...],
    holdings: dict[str, tuple[float, float | None]],
    cash: float,
    buying_power: float,
) -> None:
    walk = random_walk(DAYS, seed=3)
    symbols = {
        "SOUND": walk,
        "ABSURD": Bars(DAYS, absurd[0], absurd[1]),
        "RANGE": Bars(DAYS, walk.close, walk.adj_close, absurd[0], absurd[1]),
    }
    awkward = Portfolio(
        "awkward",
        tuple(Holding(symbol, quantity, paid) for symbol, (quantity, paid) in holdings.items()),
        ("ABSURD", "NONE", "RANGE", "SOUND"),
        cash,
        buying_power,
    )
    sound = Portfolio("sound", (Holding("SOUND", 10, 100.0),), ("ABSURD",), 1e3, 1e3)
    research = {found.symbol: found for found in research_on(symbols, BENCHMARK)}

    reports = analyze_portfolios([awkward, sound], a_table(symbols, BENCHMARK), Adviser(research), {}, "run", 0.01)

    for report in reports:
        document = document_of(report, research.values())
        plain = bson.decode(bson.encode(document))
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        assert np.isfinite(list(floats_in(plain))).all()
        assert (report.status == "analyzed") or report.reason in ("non_finite_value", "non_positive_value")
    assert (reports[1].status, reports[1].reason) == ("analyzed", None)


@pytest.mark.parametrize("price", [math.nan, math.inf, 0.0, -5.0])
def test_a_symbol_without_a_usable_price_is_missing(price: float) -> None:
    table = a_table({"A": bars(DAYS, price), "B": random_walk(DAYS, 1)}, BENCHMARK)

    (report,) = analyze_portfolios(
        [Portfolio("user", (Holding("A", 1, 1.0), Holding("B", 1, 1.0)))], table, Adviser({}), {}, "run", 0.0
    )

    assert report.data_quality is not None
    assert report.data_quality.missing_symbols == ("A",)


def test_a_stress_entry_is_named_return_in_documents() -> None:
    (report,) = analyze_portfolios(
        [Portfolio("user", (Holding("A", 1, 1.0),))],
        a_table({"A": random_walk(DAYS, 1)}, BENCHMARK),
        Adviser({}),
        {},
        "run",
        0.0,
    )

    entries = document_of(report)["stress"]
    assert {tuple(sorted(entry)) for entry in entries} == {("coverage", "loss", "return", "scenario")}
