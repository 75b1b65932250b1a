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


def assert_same(found: Bars, expected: Bars) -> None:
    for name in ("dates", "close", "adj_close", "high", "low"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert (ours is None) == (theirs is None), name
        assert ours is None or np.array_equal(ours, theirs), name
