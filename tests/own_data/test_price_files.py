"""Price files in the shapes that other programs give them: the right figures."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analysis.prices import Bars
from market_data.csv_files import CsvProvider
from records import PriceIssue
from tests.own_data.exports import Shape, bars_of, days_of, shapes

EVER = (date(1900, 1, 1), date(2100, 1, 1))
SHAPES = shapes()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_file_in_another_shape_gives_the_figures_of_the_plain_one(shape: Shape, tmp_path: Path) -> None:
    (tmp_path / shape.file).write_bytes(shape.content)
    fetched = CsvProvider(tmp_path).daily_bars([shape.symbol], *EVER)
    assert fetched.errors == {}
    assert_same(fetched.bars[shape.symbol], bars_of(days_of(), shape.columns))
    expected = {shape.symbol: (PriceIssue("close_is_adjusted"),)} if shape.adjusted_only else {}
    assert fetched.issues == expected


@pytest.mark.parametrize(("name", "none"), [("splitFactor", "1.0"), ("split_coefficient", "0.0")])
def test_a_split_that_a_file_tells_is_told_with_its_day(name: str, none: str, tmp_path: Path) -> None:
    rows = [
        f"2026-01-0{day},{close},{close},{split}" for day, close, split in ((5, 8, none), (6, 2, "4.0"), (7, 2, none))
    ]
    (tmp_path / "X.csv").write_text("\n".join([f"date,close,adj_close,{name}", *rows]))
    bars = CsvProvider(tmp_path).daily_bars(["X"], *EVER).bars["X"]
    assert [bars.told_split(row) for row in range(3)] == [None, 4, None]


def test_splits_of_yfinance_are_not_told_since_its_closes_are_adjusted_for_them(tmp_path: Path) -> None:
    (tmp_path / "X.csv").write_text("Date,Close,Stock Splits\n2026-01-05,2,0.0\n2026-01-06,2,4.0\n")
    assert CsvProvider(tmp_path).daily_bars(["X"], *EVER).bars["X"].split is None


def assert_same(found: Bars, expected: Bars) -> None:
    for name in ("dates", "close", "adj_close", "high", "low"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert (ours is None) == (theirs is None), name
        assert ours is None or np.array_equal(ours, theirs), name
