"""The content of plain price files, rule by rule."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.prices import Bars, clean
from market_data.price_files.content import text_of
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.series import prices_of_text

FULL = """date,open,high,low,close,adj_close,volume
2026-01-05,1,2.5,0.5,2,1.5,100
2026-01-06,2,3.5,1.5,3,2.5,
"""


def parse_bars(content: bytes) -> Bars:
    return prices_of_text(text_of(content)).bars_of(None)


def closes(*rows: str) -> bytes:
    """Return a file of dates and closes."""
    return "\n".join(["date,close", *rows]).encode()


def fault_of(content: bytes) -> tuple[int | None, str]:
    with pytest.raises(PriceFileFault) as caught:
        parse_bars(content)
    return caught.value.line, caught.value.rule


def test_all_columns_of_a_full_file_are_read() -> None:
    bars = parse_bars(FULL.encode())
    assert bars.dates.astype(str).tolist() == ["2026-01-05", "2026-01-06"]
    assert (bars.close.tolist(), bars.adj_close.tolist()) == ([2.0, 3.0], [1.5, 2.5])
    assert bars.high is not None
    assert bars.low is not None
    assert (bars.high.tolist(), bars.low.tolist()) == ([2.5, 3.5], [0.5, 1.5])


def test_without_adjusted_closes_the_closes_stand_for_them() -> None:
    bars = parse_bars(closes("2026-01-05,2", "2026-01-06,3"))
    assert bars.adj_close.tolist() == bars.close.tolist() == [2.0, 3.0]
    assert (bars.high, bars.low) == (None, None)


@pytest.mark.parametrize(
    "changed",
    [
        FULL.upper(),
        FULL.replace("\n", "\r\n"),
        "\ufeff" + FULL,
        FULL + "\n\r\n  \n",
        FULL.rstrip("\n"),
        FULL.replace(",", ", "),
        FULL.replace("2026-01-05", '"2026-01-05"').replace(",close,", ',"close",'),
        FULL.replace("open", "Currency").replace(",1,2.5", ",EUR,2.5"),
        FULL.replace(",2.5,0.5,", ",+2.5,.5,").replace("3,2.5", "3.,25e-1"),
    ],
    ids=["case", "crlf", "bom", "blank end", "no end", "spaces", "quotes", "extra column", "other notations"],
)
def test_files_of_other_programs_mean_the_same(changed: str) -> None:
    expected, bars = parse_bars(FULL.encode()), parse_bars(changed.encode())
    assert bars.high is not None
    assert bars.low is not None
    assert expected.high is not None
    assert expected.low is not None
    for name in ("dates", "close", "adj_close", "high", "low"):
        assert getattr(bars, name).tolist() == getattr(expected, name).tolist(), name


def test_columns_may_come_in_any_order() -> None:
    assert parse_bars(b"close,date\n2,2026-01-05").close.tolist() == [2.0]


@pytest.mark.parametrize("name", ["high", "low"])
def test_one_day_without_high_or_low_is_a_day_without(name: str) -> None:
    blank = {"high": FULL.replace("3.5,1.5", ",1.5"), "low": FULL.replace("3.5,1.5", "3.5,")}[name]
    bars = parse_bars(blank.encode())
    assert np.isnan(getattr(bars, name)).tolist() == [False, True]
    assert bars.close.tolist() == [2.0, 3.0]


def test_highs_without_lows_are_ignored() -> None:
    bars = parse_bars(b"date,high,close\n2026-01-05,nonsense,2")
    assert (bars.high, bars.low) == (None, None)


def test_a_header_without_rows_has_no_prices() -> None:
    assert parse_bars(b"date,close\n").dates.tolist() == []


ROWS = ("2026-01-05,2", "2026-01-06,3", "2026-01-07,4", "2026-01-08,5")


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("2026-01-06,9", "the date repeats that of the line above"),
        ("2026-01-02,9", "the date is before that of the line above"),
        ("2026-02-30,9", "the date '2026-02-30' is not a day in the form of the first row: year, month, day"),
        ("07.01.2026,9", "the date '07.01.2026' is not a day in the form of the first row"),
        ("NaT,9", "the date 'NaT' is not a day in the form of the first row"),
        (",9", "the date '' is not a day in the form of the first row"),
        ("2026-01-07", "it has 1 cells, the header has 2"),
        ("2026-01-07,9,9", "it has 3 cells, the header has 2"),
        ('2026-01-07,"9', "it is not CSV: unexpected end of data"),
        ("2026-01-07\r9", "it has 1 cells, the header has 2"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_rule(row: str, rule: str) -> None:
    line, found = fault_of(closes(*ROWS[:2], row, ROWS[3]))
    assert line == 4
    assert found.startswith(rule)


@pytest.mark.parametrize("cell", ["", "null", "N/A", "#N/A", "NA", "-", ".", " "])
def test_a_row_without_a_close_is_no_row(cell: str) -> None:
    bars = parse_bars(closes(*ROWS[:2], f"2026-01-07,{cell}", ROWS[3]))
    assert bars.dates.astype(str).tolist() == ["2026-01-05", "2026-01-06", "2026-01-08"]


@pytest.mark.parametrize(
    ("cell", "close"),
    [("0", 0), ("-9", -9), ("1e-400", 0), ("1000000000001", 1e12 + 1), ("1e999", math.inf), ("cheap", math.inf),
     ("NaN", math.inf), ("inf", math.inf), ("1_0", math.inf), ("٣", math.inf), ("9 5", math.inf), ("$9", 9),
     ("9$5", math.inf), ("$", math.inf), ("$9$", math.inf), ("-$-9", math.inf), ('"9,000.5,0"', math.inf)],
)  # fmt: skip
def test_row_13_an_impossible_or_unreadable_close_keeps_its_row(cell: str, close: float) -> None:
    assert parse_bars(closes(*ROWS[:2], f"2026-01-07,{cell}", ROWS[3])).close.tolist() == [2, 3, close, 5]


def test_a_blank_adjusted_close_is_missing() -> None:
    assert np.isnan(parse_bars(FULL.replace("3,2.5", "3,").encode()).adj_close).tolist() == [False, True]


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("day,close\n2026-01-05,1", "the header has no column date"),
        ("date,value\n2026-01-05,1", "the header has no column close"),
        ("2026-01-05,1", "the header has no column date"),
        ("date,close,Close\n2026-01-05,1,1", "the columns close and Close mean the same: rename or remove one"),
    ],
)
def test_a_bad_header_is_the_first_line(header: str, rule: str) -> None:
    assert fault_of(header.encode()) == (1, rule)


CELLS = st.one_of(
    st.sampled_from(["2026-01-05", "2026-01-06", "1", "0", "-1", "1e999", "nan", "", '"', "\r", "\x00", " ", "1,1"]),
    st.dates().map(str),
    st.floats().map(repr),
    st.text(max_size=8),
)
HEADERS = st.lists(st.sampled_from(["date", "close", "adj_close", "high", "low", "x"]), min_size=2, max_size=6)
TABLES = st.tuples(HEADERS, st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=5)).map(
    lambda table: "\n".join(",".join(row) for row in [table[0], *table[1]]).encode(errors="replace")
)
GOOD_ROWS = st.lists(
    st.tuples(st.dates(), st.floats(1e-300, 1e12, allow_subnormal=False)), unique_by=lambda row: row[0], min_size=1
).map(sorted)


@given(st.one_of(TABLES, st.binary(max_size=200)))
@example(b"date,close\n0001-01-01,1e12\n9999-12-31,5e-324")
def test_any_file_results_in_sound_bars_or_a_fault_on_one_of_its_lines(content: bytes) -> None:
    outcome = outcome_of(content)
    if isinstance(outcome, Bars):
        assert_sound(outcome)
    else:
        assert outcome.line is None or 1 <= outcome.line <= len(content.splitlines()) + 1
        assert outcome.rule


def outcome_of(content: bytes) -> Bars | PriceFileFault:
    try:
        return parse_bars(content)
    except PriceFileFault as fault:
        return fault


def assert_sound(bars: Bars) -> None:
    assert (np.diff(bars.dates) > np.timedelta64(0, "D")).all()
    assert (bars.high is None) == (bars.low is None)
    assert not np.isnan(bars.close).any()
    for prices in (bars.close, bars.adj_close, bars.high, bars.low):
        if prices is not None:
            assert prices.shape == bars.dates.shape
    counting = clean(bars, date.max).bars
    assert all(0 < price <= 1e12 for price in (*counting.close.tolist(), *counting.adj_close.tolist()))


@given(GOOD_ROWS)
def test_the_bars_of_a_good_file_have_exactly_its_figures(rows: list[tuple[object, float]]) -> None:
    bars = parse_bars(closes(*(f"{day},{price!r}" for day, price in rows)))
    assert list(zip(bars.dates.tolist(), bars.close.tolist(), strict=True)) == rows
