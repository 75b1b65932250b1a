"""Splits, symbols that become others, and what their positions were worth before."""

from collections.abc import Mapping
from typing import Any

import pytest

from analysis.models import Portfolio
from analysis.returns.ledger import Ledgers
from analysis.returns.stock_splits import pending_splits
from tests.analysis.returns.arranged import (
    World,
    a_person,
    a_world,
    about,
    contributed,
    issues,
    ledgers_of,
    measured,
    outcome,
    portfolios_of,
    returns,
    since,
    weeks,
)  # fmt: skip

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")


@pytest.mark.parametrize("closes", [(10, 10, 12, 6, 6), (5, 5, 6, 6, 6)], ids=["raw", "adjusted"])
@pytest.mark.parametrize("source", ["own", "told", "both"])
def test_split_between_two_buys(closes: tuple[float, ...], source: str) -> None:
    world = a_world(*DAYS).prices("A", *closes)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=1, price=10)
    if source != "told":
        person.did("split", DAYS[3], symbol="A", quantity=2)
    if source != "own":
        world.splitting("A", DAYS[3], 2)
    person.did("buy", DAYS[3], symbol="A", quantity=2, price=6).holds("A", 4)
    found = since(person, world)
    assert issues(returns(person, world)) == []
    assert (found.end_value, found.price_gain) == (about(24), about(2))
    assert found.twr == about(0.2)


def test_split_that_each_account_has_counts_once() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 12, 6, 6)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=2, price=10, account_id="one")
    for account in ("one", "two"):
        person.did("split", DAYS[3], symbol="A", quantity=2, account_id=account)
    found = returns(person.holds("A", 4), world)
    assert issues(found) == []


def test_stock_dividend_is_a_split_of_one_and_its_ratio() -> None:
    world = a_world(*DAYS).prices("A", 11, 11, 11, 10, 10)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=10, price=11)
    found = since(person.did("stock_dividend", DAYS[3], symbol="A", quantity=0.1).holds("A", 11), world)
    assert (found.twr, found.end_value) == (about(0), about(110))


def test_split_that_the_holding_does_not_know_yet_is_pending() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 12, 4, 4).splitting("A", DAYS[3], 3)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=2, price=10).holds("A", 2)
    found = returns(person, world)
    assert issues(found) == ["corporate_action_pending"]
    assert since(person, world).end_value == about(24)
    known = a_person().did("buy", DAYS[1], symbol="A", quantity=2, price=10).holds("A", 6)
    assert issues(returns(known, world)) == []


def pending_of(portfolios: list[Portfolio], ledgers: Ledgers, world: World) -> Mapping[tuple[int, str], float]:
    return pending_splits(portfolios, ledgers, world.market(), world.days[-1].item())


def test_of_two_splits_only_the_one_the_holding_lacks_is_pending() -> None:
    world = a_world(*DAYS).prices("A", 12).splitting("A", DAYS[2], 2).splitting("A", DAYS[4], 3)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=1, price=10).holds("A", 2)
    pending = pending_of(portfolios_of([person]), ledgers_of([person]), world)
    assert pending == {(0, "A"): 3}
    neither = a_person().did("buy", DAYS[1], symbol="A", quantity=1, price=10).holds("A", 1)
    assert pending_of(portfolios_of([neither]), ledgers_of([neither]), world) == {(0, "A"): 6}


def test_split_before_the_last_transaction_is_never_pending() -> None:
    world = a_world(*DAYS).prices("A", 12).splitting("A", DAYS[2], 2)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=1, price=10)
    person.did("buy", DAYS[3], symbol="A", quantity=1, price=10).holds("A", 2)
    assert pending_of(portfolios_of([person]), ledgers_of([person]), world) == {}


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize(
    ("action", "held"),
    [
        ({"type": "symbol_change", "ratio": 1}, {"NEW": 10}),
        ({"type": "merger", "ratio": 0.5}, {"NEW": 5}),
        ({"type": "spin_off", "ratio": 0.5}, {"OLD": 10, "NEW": 5}),
    ],
)
def test_split_of_shares_that_came_by_a_corporate_action_is_pending(
    action: dict[str, Any], held: dict[str, float], is_told: object
) -> None:
    world = a_world(*DAYS).prices("OLD", 10).prices("NEW", 20, 20, 20, 5, 5)
    person = a_person().did("deposit", DAYS[0], amount=100).did("buy", DAYS[1], symbol="OLD", quantity=10, price=10)
    person.did(date=DAYS[2], symbol="OLD", to_symbol="NEW", **action).has(0)
    for symbol, quantity in held.items():
        person.holds(symbol, quantity)
    if is_told:
        world.splitting("NEW", DAYS[3], 4)
    else:
        person.did("split", DAYS[3], symbol="NEW", quantity=4)
    assert pending_of(portfolios_of([person]), ledgers_of([person]), world) == {(0, "NEW"): 4}
    assert issues(returns(person, world)) == ["corporate_action_pending"]
    assert since(person, world).end_value == about(sum(held.values()) * 20 - 10 * held.get("OLD", 0))


@pytest.mark.parametrize(
    ("later", "value"),
    [
        ({}, 100),
        ({"2024-01-09": 10, "2024-01-10": 5}, 100),
        ({"2024-01-09": 10, "2024-01-10": 10}, 200),
        ({"2024-01-10": 10.5}, 200),
        ({"2024-01-09": 10}, 100),
    ],
)
def test_closes_after_the_calendar_tell_in_which_shares_it_is(later: dict[str, float], value: float) -> None:
    """In a report of an earlier day, splits since then may or may not be in the closes up to it."""
    world = a_world(*DAYS).prices("A", 10).then("A", later)
    person = a_person().did("deposit", DAYS[0], amount=100).did("buy", DAYS[1], symbol="A", quantity=10, price=10)
    person.did("split", "2024-01-10", symbol="A", quantity=2).holds("A", 20).has(0)
    (found,) = measured([person], world, today="2024-01-31")
    assert found.returns is not None
    assert found.returns.periods[-1].end_value == value


@pytest.mark.parametrize(("days", "count"), [(5, 1), (6, 2)])
def test_entry_and_told_split_are_one_up_to_five_trading_days_apart(days: int, count: int) -> None:
    world = weeks(4).prices("A", 10)
    told, entered = world.days[3], world.days[3 + days]
    world.splitting("A", str(told), 2)
    person = a_person().did("deposit", str(world.days[0]), amount=100)
    person.did("buy", str(world.days[1]), symbol="A", quantity=10, price=10)
    person.did("split", str(entered), symbol="A", quantity=2).holds("A", 10 * 2**count).has(0)
    assert issues(returns(person, world)) == []


def test_symbol_change_carries_the_position_on() -> None:
    world = a_world(*DAYS).prices("OLD", 10, 10, 11).prices("NEW", 5, 5, 5.5, 6, 6)
    person = a_person().did("buy", DAYS[1], symbol="OLD", quantity=10, price=10)
    person.did("symbol_change", DAYS[3], symbol="OLD", to_symbol="NEW", ratio=2).holds("NEW", 20)
    found, own = returns(person, world), since(person, world)
    assert issues(found) == []
    assert (own.end_value, own.price_gain, own.net_flows) == (about(120), about(20), 100)
    gains = contributed(found)
    assert (gains["OLD"].gain, gains["NEW"].gain) == (about(20), about(0))


def test_short_position_that_merges_into_a_long_one_was_there_before() -> None:
    world = a_world(*DAYS).prices("OLD", 5).prices("NEW", 5)
    person = a_person().did("deposit", DAYS[1], amount=100)
    person.did("buy", DAYS[1], symbol="NEW", quantity=10, price=5).did(
        "sell", DAYS[1], symbol="OLD", quantity=4, price=5
    )
    person.did("merger", DAYS[3], symbol="OLD", to_symbol="NEW", ratio=1).holds("NEW", 6).has(70)
    found, own = returns(person, world), since(person, world)
    assert issues(found) == []
    assert (own.start_value, own.end_value, own.price_gain) == (about(0), about(100), about(0))


def test_symbol_that_changed_before_any_record_of_it_is_what_its_successor_is_today() -> None:
    world = a_world(*DAYS).prices("OLD", 10).prices("NEW", 5)
    person = a_person().did("symbol_change", DAYS[2], symbol="OLD", to_symbol="NEW", ratio=2)
    found = returns(person.did("buy", DAYS[3], symbol="NEW", quantity=2, price=5).holds("NEW", 12), world)
    assert issues(found) == ["opening_position"]
    assert since(person, world).start_value == about(50)


def test_merger_with_cash_sells_that_part() -> None:
    world = a_world(*DAYS).prices("OLD", 10, 10, 11).prices("NEW", 20)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[1], symbol="OLD", quantity=10, price=10)
    person.did("merger", DAYS[3], symbol="OLD", to_symbol="NEW", ratio=0.5, amount=30).holds("NEW", 5).has(30)
    found, own = returns(person, world), since(person, world)
    assert issues(found) == []
    assert (own.end_value, own.price_gain, own.residual) == (130, about(30), 0)
    assert contributed(found)["OLD"].gain == about(100 + 30 - 100)


def test_spin_off_moves_value_from_the_parent() -> None:
    world = a_world(*DAYS).prices("OLD", 10, 10, 10, 8).prices("CHILD", 4, 4, 4, 4, 5)
    person = a_person().did("buy", DAYS[1], symbol="OLD", quantity=10, price=10)
    person.did("spin_off", DAYS[3], symbol="OLD", to_symbol="CHILD", ratio=0.5).holds("OLD", 10).holds("CHILD", 5)
    found, own = returns(person, world), since(person, world)
    assert issues(found) == []
    assert (own.end_value, own.twr) == (105, about(0.05))
    assert (contributed(found)["OLD"].gain, contributed(found)["CHILD"].gain) == (about(0), about(5))


def test_return_of_capital_is_a_sale_of_no_shares() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 10, 9)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[1], symbol="A", quantity=10, price=10)
    person.did("return_of_capital", DAYS[3], symbol="A", amount=10).holds("A", 10).has(10)
    own = since(person, world)
    assert (own.income, own.price_gain, own.twr) == (0, about(0), about(0))


def test_closes_that_hold_the_dividends_count_them_once() -> None:
    world = a_world(*DAYS).prices("A", 9, 9, 9, 9)
    world.adjusted = frozenset({"A"})
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[1], symbol="A", quantity=10, price=9)
    found = returns(person.did("dividend", DAYS[3], symbol="A", amount=10).holds("A", 10).has(20), world)
    assert issues(found) == ["prices_already_adjusted"]
    assert (since(person, world).income, since(person, world).twr) == (0, about(0))


def test_split_after_as_of_leads_back_from_todays_holding() -> None:
    world = a_world(*DAYS).prices("A", 10).splitting("A", "2024-01-08", 2)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=3, price=10)
    person.did("sell", "2024-01-09", symbol="A", quantity=2, price=5).holds("A", 4)
    found = outcome(person, world, today="2024-01-10").returns
    assert found is not None
    assert issues(found) == []
    assert found.notes
    assert since(person, world, today="2024-01-10").end_value == about(30)
