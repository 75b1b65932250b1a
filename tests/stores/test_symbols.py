"""Bars in MongoDB."""

import logging
from datetime import date

import numpy as np
import pytest

from analysis.prices import Bars
from records import PriceIssue
from stores.mongo import DocumentDatabase
from stores.symbols import History, PriceStore

FULL = Bars(
    dates=np.array(["1969-12-31", "2024-02-29", "2026-01-02"], dtype="datetime64[D]"),
    close=np.array([1.0, 0.0, np.inf]),
    adj_close=np.array([0.1, np.nan, 0.3]),  # as the source gives them
    high=np.array([1.5, np.nan, -3.5]),
    low=np.array([0.5, 0.25, 0.125]),
    split=np.array([1.0, np.nan, 4.0]),
)
CLOSES_ONLY = Bars(dates=FULL.dates[:1], close=FULL.close[:1], adj_close=FULL.adj_close[:1])


def history(own: Bars) -> History:
    issues = (PriceIssue("duplicate_days", date(2024, 2, 29), count=2), PriceIssue("renamed", new_symbol="Y"))
    return History("csv 17", date(2020, 1, 1), date(2026, 1, 5), own, issues)


@pytest.fixture
def store(database: DocumentDatabase) -> PriceStore:
    made = PriceStore(database)
    made.ensure_indexes()
    return made


def same(one: Bars, other: Bars) -> bool:
    for name in Bars.__struct_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    return True


def test_bars_are_loaded_exactly_as_they_were_saved(store: PriceStore) -> None:
    store.save({"full": history(FULL), "closes": history(CLOSES_ONLY)})
    loaded = store.load(["full", "closes"])
    assert same(loaded["full"].bars, FULL)
    assert loaded["closes"].bars.high is None
    assert loaded["closes"].bars.low is None
    assert loaded["closes"].bars.split is None
    assert np.array_equal(loaded["closes"].bars.close, CLOSES_ONLY.close)


def test_unknown_symbols_are_left_out(store: PriceStore) -> None:
    store.save({"known": history(FULL)})
    assert list(store.load(["unknown", "known"])) == ["known"]
    assert store.load([]) == {}


def test_saving_again_replaces(store: PriceStore) -> None:
    store.save({"X": history(FULL)})
    store.save({"X": history(CLOSES_ONLY)})
    assert len(store.load(["X"])["X"].bars.dates) == 1


def test_saving_nothing_changes_nothing(store: PriceStore) -> None:
    store.save({})
    assert store.load(["X-never"]) == {}


def test_each_symbol_has_one_document(store: PriceStore, database: DocumentDatabase) -> None:
    store.save({"A": history(FULL)})
    store.save({"A": history(FULL), "B": history(FULL)})
    assert database.symbol_prices.count_documents({}) == 2


def test_the_requested_range_and_the_issues_are_stored_with_the_bars(store: PriceStore) -> None:
    store.save({"A": history(FULL), "NONE": history(FULL.at(slice(0)))})
    kept = store.load(["A", "NONE"])
    for name in ("source", "start", "end", "issues"):
        assert getattr(kept["A"], name) == getattr(history(FULL), name)
    assert len(kept["NONE"].bars.dates) == 0


@pytest.mark.parametrize(
    "damage",
    [
        {"$unset": {"source": ""}},
        {"$set": {"close": b"123"}},
        {"$set": {"close": b"12345678"}},
        {"$set": {"dates": "2026-01-05"}},
        {"$set": {"end": "yesterday"}},
        {"$set": {"issues": [{"kind": "nonsense"}]}},
    ],
    ids=["of an earlier version", "half a number", "one day", "text", "no date", "unknown issue"],
)
def test_an_unreadable_history_is_ignored_with_a_warning(
    store: PriceStore, database: DocumentDatabase, caplog: pytest.LogCaptureFixture, damage: dict[str, object]
) -> None:
    store.save({"A": history(FULL), "B": history(FULL)})
    database.symbol_prices.update_one({"symbol": "A"}, damage)
    with caplog.at_level(logging.WARNING):
        assert list(store.load(["A", "B"])) == ["B"]
    assert "symbol=A" in caplog.text
