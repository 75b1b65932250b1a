from copy import replace
from dataclasses import fields
from datetime import date

import numpy as np
import pytest

from analysis.histories import read_histories
from analysis.models import Instrument
from analysis.price_table import PreparedPrices, PriceTable, join_prices, prepare_prices
from analysis.returns.payments import Payments
from records import Outcome, RunError
from stores.batches import BatchStore, PageErrors
from stores.lines import Lines
from stores.mongo import DocumentDatabase
from tests.builders import a_research, random_walk, weekdays

DAYS = weekdays(90)
BENCHMARK = random_walk(DAYS, seed=9)
MISSING = RunError(None, "missing_prices", "no prices")
NONE = PageErrors()

FACTS = {"BRK.B": Instrument("stock", diversified=False, multiplier=2.0, lot_size=0.5, fractional=True)}


def prepared(*symbols: str) -> PreparedPrices:
    """Return prepared prices, with too few prices for C for most figures, and a split of A after the day."""
    walks = {symbol: random_walk(DAYS, seed=ord(symbol)) for symbol in symbols}
    if "A" in walks:
        walks["A"] = replace(walks["A"], close=walks["A"].close * np.where(np.arange(90) < 88, 4, 1))
    if "C" in walks:
        walks["C"] = walks["C"].at(slice(60, None))
    histories = read_histories(walks, BENCHMARK, DAYS[85].item())
    return prepare_prices(histories, 80, benchmark_symbol="SPY", asked_on=date(2026, 1, 1))


@pytest.fixture
def batches(database: DocumentDatabase) -> BatchStore:
    store = BatchStore(database)
    store.ensure_indexes()
    return store


def test_a_batch_has_the_members_it_was_planned_with(batches: BatchStore) -> None:
    batches.write("run", "plan", "users", [["a", "b"], ["c"]])
    batches.write("run", "plan", "symbols", [["X"]])
    assert batches.members("plan", "users", 1) == ["c"]
    assert batches.members("plan", "symbols", 0) == ["X"]


def test_another_attempt_of_planning_does_not_change_the_first(batches: BatchStore) -> None:
    batches.write("run", "plan", "users", [["a"], ["b"]])
    batches.write("run", "late-plan", "users", [["a", "b", "c"]])
    assert [batches.members("plan", "users", number) for number in range(2)] == [["a"], ["b"]]
    assert batches.members("late-plan", "users", 0) == ["a", "b", "c"]


def test_a_batch_of_symbols_has_the_number_of_holders_of_each(batches: BatchStore) -> None:
    batches.write_symbols("run", "plan", [{"X": 3, "Y": 0}, {"Z": 1}])
    assert batches.members("plan", "symbols", 0) == ["X", "Y"]
    assert [batches.symbols("plan", number) for number in range(2)] == [{"X": 3, "Y": 0}, {"Z": 1}]
    batches.delete("run")
    assert batches.symbols("plan", 0) == {}


def test_symbols_of_a_plan_by_an_earlier_version_count_as_held_once(batches: BatchStore) -> None:
    batches.write("run", "plan", "symbols", [["X", "Y"]])
    assert batches.symbols("plan", 0) == {"X": 1, "Y": 1}


def test_symbols_without_prices_that_are_no_errors_are_not_among_the_priced_ones(batches: BatchStore) -> None:
    batches.write_symbols("run", "plan", [{"A": 1, "B": 1, "C": 0}, {"D": 0}])
    batches.record_symbols("plan", 0, ["C", "B"], {"B": MISSING})
    assert batches.failed_symbols("plan") == ["B", "C"]
    assert batches.priced_symbols("plan", 0) == ["A"]
    assert batches.symbol_errors("plan", 9) == (1, [MISSING])


def test_priced_symbols_are_the_planned_ones_without_the_failed(batches: BatchStore) -> None:
    batches.write("run", "plan", "symbols", [["A", "B"], ["C", "D"], ["E"]])
    batches.record_symbols("plan", 0, ["B"], {"B": MISSING})
    batches.record_symbols("plan", 1, [], {})
    assert batches.priced_symbols("plan", 0) == ["A"]
    assert batches.priced_symbols("plan", 1) == ["C", "D"]
    with pytest.raises(LookupError):  # not treated as a batch without prices
        batches.priced_symbols("plan", 2)
    batches.delete("run")
    assert batches.priced_symbols("plan", 0) == []


def test_a_page_recorded_twice_counts_once(batches: BatchStore) -> None:
    batches.write("run", "plan", "users", [["a", "b"], ["c"]])
    assert [batches.record_page("plan", 0, Outcome(analyzed=2), NONE, Lines()) for _ in range(2)] == [True, False]
    assert batches.count_pages_done("run") == 1
    assert batches.record_page("plan", 1, Outcome(failed=1), NONE, Lines())
    assert batches.count_pages_done("run") == 2


def test_a_page_of_a_run_that_is_over_leaves_nothing_behind(batches: BatchStore) -> None:
    batches.write("run", "plan", "users", [["a"]])
    batches.write("other", "other-plan", "users", [["b"]])
    batches.delete("run")
    assert not batches.record_page("plan", 0, Outcome(analyzed=1), NONE, Lines())
    assert batches.members("plan", "users", 0) == []
    assert batches.members("other-plan", "users", 0) == ["b"]


def test_research_of_all_batches_comes_back_together(batches: BatchStore) -> None:
    batches.write("run", "plan", "symbols", [["A", "B"], ["C"], ["gone"]])
    parts = [prepared("A", "B"), prepared("C"), prepared()]
    for number, part in reversed(list(enumerate(parts))):
        with pytest.raises(LookupError):  # not treated as a batch of symbols without prices
            list(batches.researched("plan"))
        batches.record_research("plan", number, [a_research(symbol, 0.5) for symbol in part.symbols], part, FACTS)
    found = list(batches.researched("plan"))
    assert [own.symbols for own in found] == [["A", "B"], ["C"], ["gone"]]
    assert [own.instruments for own in found] == [FACTS] * 3
    assert [research for own in found for research in own.research] == [a_research(symbol, 0.5) for symbol in "ABC"]
    assert [own.prices.symbols for own in found] == [("A", "B"), ("C",), ()]
    table, expected = join_prices([own.prices for own in found]), join_prices([prepared("A", "B", "C")])
    assert expected.later_splits == {"A": 4}
    assert [issue.kind for issue in expected.run_issues] == ["old_prices"]
    for name in (field.name for field in fields(Payments)):
        np.testing.assert_array_equal(getattr(table.payments, name), getattr(expected.payments, name), err_msg=name)
    for name in (field.name for field in fields(PriceTable) if field.name != "payments"):
        np.testing.assert_array_equal(getattr(table, name), getattr(expected, name), err_msg=name)
    batches.delete("run")
    with pytest.raises(LookupError):
        list(batches.researched("plan"))


def test_the_errors_of_all_batches_are_counted_and_the_first_are_given_in_order(batches: BatchStore) -> None:
    batches.write("run", "plan", "symbols", [["A", "B"], ["C"]])
    errors = {symbol: RunError(None, "missing_prices", f"{symbol}: no prices") for symbol in "ABC"}
    batches.record_symbols("plan", 1, ["C"], {"C": errors["C"]})
    batches.record_symbols("plan", 0, ["B", "A"], {"B": errors["B"], "A": errors["A"]})
    assert batches.symbol_errors("plan", 2) == (3, [errors["A"], errors["B"]])
    assert batches.symbol_errors("plan", 9) == (3, [errors["A"], errors["B"], errors["C"]])
    assert batches.symbol_errors("no-plan", 9) == (0, [])


def test_outcomes_and_errors_of_pages_add_up(batches: BatchStore) -> None:
    batches.write("run", "plan", "users", [["a", "b"], ["c"], ["d"]])
    failed, invalid = RunError("c", "invalid_account", "no"), RunError("d", "invalid_holding", "A: no")
    batches.record_page("plan", 0, Outcome(analyzed=1, skipped=1), NONE, Lines())
    batches.record_page("plan", 1, Outcome(failed=1), PageErrors([failed], [invalid], 7), Lines())
    assert batches.outcome("plan") == Outcome(analyzed=1, skipped=1, failed=1)
    assert batches.user_errors("plan", 5) == [failed]
    assert batches.invalid_holdings("plan", 5) == (7, [invalid])
    assert batches.invalid_holdings("plan", 0) == (7, [])


def test_the_price_issues_of_all_batches_are_counted_once_and_those_of_the_run_come_first(batches: BatchStore) -> None:
    batches.write("run", "plan", "symbols", [["A"], ["B"]])
    jumping = random_walk(DAYS, seed=1).at(slice(90))
    walks = {"A": jumping, "B": replace(jumping, adj_close=jumping.adj_close * np.where(np.arange(90) < 50, 1, 1.3))}
    for number, (symbol, own) in enumerate(walks.items()):
        histories = read_histories({symbol: own}, BENCHMARK, DAYS[89].item())
        prices = prepare_prices(histories, 80, benchmark_symbol="SPY", asked_on=date(2026, 1, 1))
        batches.record_research("plan", number, [], prices, {})
    count, found = batches.price_issues("plan", 9)
    assert count == 2
    assert [(issue.symbol, issue.kind) for issue in found] == [(None, "old_prices"), ("B", "jump")]
    assert batches.price_issues("plan", 1) == (2, found[:1])
