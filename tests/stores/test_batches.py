import pytest

from stores.batches import BatchStore
from stores.mongo import DocumentDatabase
from stores.records import Outcome


@pytest.fixture
def batches(database: DocumentDatabase) -> BatchStore:
    store = BatchStore(database)
    store.ensure_indexes()
    return store


def test_a_batch_gives_the_members_it_was_planned_with(batches: BatchStore) -> None:
    batches.write("run", "users", [["a", "b"], ["c"]])
    batches.write("run", "symbols", [["X"]])
    assert batches.members("run", "users", 1) == ["c"]
    assert batches.members("run", "symbols", 0) == ["X"]


def test_a_plan_written_twice_is_the_second_one(batches: BatchStore) -> None:
    batches.write("run", "users", [["a"], ["b"], ["c"]])
    batches.write("run", "users", [["a", "b"]])
    assert [batches.members("run", "users", number) for number in range(3)] == [["a", "b"], [], []]


def test_priced_symbols_are_the_planned_ones_without_the_failed(batches: BatchStore) -> None:
    batches.write("run", "symbols", [["A", "B"], ["C", "D"], ["E"]])
    batches.record_symbols("run", 0, failed=["B"])
    batches.record_symbols("run", 1, failed=[])
    assert batches.priced_symbols("run") == ["A", "C", "D"]
    assert batches.priced_symbols("run", 0) == ["A"]


def test_a_page_recorded_twice_counts_once(batches: BatchStore) -> None:
    batches.write("run", "users", [["a", "b"], ["c"]])
    assert [batches.record_page("run", 0, Outcome(analyzed=2)) for _ in range(2)] == [True, False]
    assert batches.count_pages_done("run") == 1
    assert batches.record_page("run", 1, Outcome(failed=1))
    assert batches.count_pages_done("run") == 2


def test_a_page_of_a_run_that_is_over_leaves_nothing_behind(batches: BatchStore) -> None:
    batches.write("run", "users", [["a"]])
    batches.write("other", "users", [["b"]])
    batches.delete("run")
    assert not batches.record_page("run", 0, Outcome(analyzed=1))
    assert batches.members("run", "users", 0) == []
    assert batches.members("other", "users", 0) == ["b"]


def test_research_of_all_batches_comes_back_together(batches: BatchStore) -> None:
    batches.write("run", "symbols", [["A"], ["B"], ["C"]])
    batches.record_research("run", 0, [{"symbol": "A"}])
    batches.record_research("run", 1, [{"symbol": "B"}])
    assert sorted(item["symbol"] for item in batches.research("run")) == ["A", "B"]
