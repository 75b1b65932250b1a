"""From which day on a ledger is believed, and every issue that says why not before."""

import numpy as np
import pytest

from analysis.models import Account, Holding, InvalidHolding, Portfolio
from analysis.returns.ledger import Ledgers
from analysis.returns.measuring import measure_returns
from tests.analysis.returns.arranged import (
    a_person,
    a_world,
    about,
    contributed,
    issues,
    ledgers_of,
    measured,
    outcome,
    period,
    returns,
    since,
    transactions,
    weeks,
)  # fmt: skip

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")


def test_portfolio_without_transactions_has_no_returns() -> None:
    world = a_world(*DAYS).prices("A", 10)
    found = measured([a_person().holds("A", 1), a_person().did("deposit", DAYS[1], amount=1).has(1)], world)
    assert (found[0].returns, found[0].reason) == (None, "no_transactions")
    assert found[1].returns is not None


def test_holding_without_a_price_or_rate_today_leaves_the_valuation_incomplete() -> None:
    world = a_world(*DAYS).prices("A", 10).prices("B", 10, currency="CHF")
    for symbol in ("B", "UNKNOWN"):
        person = a_person().did("buy", DAYS[1], symbol="A", quantity=1, price=10).holds("A", 1).holds(symbol, 1)
        assert outcome(person, world).reason == "incomplete_valuation"


def test_holding_that_cannot_be_read_leaves_the_valuation_incomplete() -> None:
    world, ledgers = a_world(*DAYS), ledgers_of([a_person().did("deposit", DAYS[1], amount=1)])
    portfolio = Portfolio("user", invalid_holdings=(InvalidHolding("A", "no quantity"),))
    (found,) = measure_returns([portfolio], ["USD"], [()], ledgers, world.market(), world.days[-1].item())
    assert found.reason == "incomplete_valuation"


def test_sale_of_more_than_was_bought_begins_after_the_last_negative_day() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("sell", DAYS[1], symbol="A", quantity=5, price=10)
    person.did("buy", DAYS[2], symbol="A", quantity=2, price=10).did("buy", DAYS[3], symbol="A", quantity=9, price=10)
    found = returns(person.holds("A", 3), world)
    assert issues(found) == ["negative_position"]
    assert str(found.issues[0].date) == DAYS[2]
    assert str(found.since) == DAYS[3]
    assert since(person, world).start_value == -60


def test_short_position_of_today_may_be_negative_before_its_first_transaction() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("sell", DAYS[2], symbol="A", quantity=5, price=10).holds("A", -8)
    found = returns(person, world)
    assert issues(found) == ["opening_position"]
    assert str(found.since) == DAYS[2]


def test_cash_that_was_never_paid_in_is_unexplained() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=5, price=10).did("deposit", DAYS[3], amount=60)
    found = returns(person.holds("A", 5).has(0), world)
    assert issues(found) == ["unexplained_cash"]
    assert str(found.since) == DAYS[3]


def test_cents_of_opening_cash_are_none() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("deposit", DAYS[1], amount=50).did("buy", DAYS[1], symbol="A", quantity=5, price=10)
    assert issues(returns(person.holds("A", 5).has(-0.01), world)) == []
    assert issues(returns(a_person().did("deposit", DAYS[1], amount=50).has(50.02), world)) == ["opening_position"]


def test_what_an_account_held_before_is_known_from_its_first_transaction_on() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 10, 12)
    person = a_person().did("deposit", DAYS[1], amount=100, account_id="one")
    person.did("sell", DAYS[2], symbol="A", quantity=5, price=10, account_id="two")
    found = returns(person.holds("A", 5).has(100, account_id="one").has(50, account_id="two"), world)
    assert issues(found) == ["opening_position"]
    assert str(found.since) == DAYS[2]
    own = period(found, "since")
    assert (own.start_value, own.end_value) == (200, 210)


def test_symbol_that_no_transaction_names_was_held_from_the_persons_first_one() -> None:
    world = a_world(*DAYS).prices("A", 10).prices("B", 10)
    person = a_person().did("buy", DAYS[2], symbol="A", quantity=1, price=10).holds("A", 1).holds("B", 7)
    assert str(returns(person, world).since) == DAYS[2]
    assert since(person, world).start_value == 70


def test_position_without_a_price_counts_at_its_own_trade_for_ten_days() -> None:
    world = weeks(6).prices("A", *[np.nan] * 8, 20.0)
    person = a_person().did("buy", str(world.days[2]), symbol="A", quantity=1, price=16).holds("A", 1)
    found = returns(person, world)
    assert issues(found) == []
    assert period(found, "since").twr == about(0.25)


def test_position_without_a_price_for_longer_begins_the_period_after_it() -> None:
    world = weeks(6).prices("A", *[np.nan] * 15, 20.0)
    days = [str(day) for day in world.days]
    person = a_person().did("buy", days[2], symbol="A", quantity=1, price=16)
    person.did("buy", days[20], symbol="A", quantity=1, price=20).holds("A", 2)
    found = returns(person, world)
    assert issues(found) == ["missing_price"]
    assert (str(found.issues[0].date), str(found.since)) == (days[14], days[20])


def test_transfer_of_shares_without_a_price_cannot_be_valued() -> None:
    world = a_world(*DAYS).prices("A", np.nan, np.nan, np.nan, 10)
    person = a_person().did("transfer_in", DAYS[1], symbol="A", quantity=1, price=9)
    person.did("transfer_out", DAYS[1], symbol="A", quantity=1).did("buy", DAYS[3], symbol="A", quantity=1, price=10)
    found = returns(person.holds("A", 1), world)
    assert set(issues(found)) == {"missing_price"}
    assert str(found.since) == DAYS[3]


def test_transaction_before_the_first_price_begins_the_period_after_the_first_day() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("buy", "2023-06-01", symbol="A", quantity=1, price=10)
    person.did("buy", DAYS[2], symbol="A", quantity=1, price=10).holds("A", 2)
    found = returns(person, world)
    assert issues(found) == ["missing_price"]
    assert str(found.since) == DAYS[2]
    assert since(person, world).start_value == 10


def test_ledger_that_begins_with_the_first_day_must_begin_with_nothing() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("buy", DAYS[0], symbol="A", quantity=1, price=10).holds("A", 5)
    found = returns(person, world)
    assert (found.since, set(issues(found))) == (None, {"opening_position", "missing_price"})
    assert {own.reason for own in found.periods} == {"unsound_ledger"}
    cash = a_person().did("deposit", DAYS[0], amount=10).did("deposit", DAYS[2], amount=10).has(30)
    assert str(returns(cash, world).since) == DAYS[2]


def test_transaction_that_is_yet_to_come_is_ignored_and_told() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=1, price=10)
    person.did("buy", "2024-03-01", symbol="A", quantity=5, price=10).holds("A", 1)
    found = returns(person, world)
    assert issues(found) == ["future_transaction"]
    assert since(person, world).end_value == 10


def test_past_as_of_takes_later_transactions_back_and_says_so() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=4, price=10)
    person.did("sell", "2024-03-01", symbol="A", quantity=3, price=10).holds("A", 1)
    found = returns(person, world, today="2024-04-01")
    assert since(person, world, today="2024-04-01").end_value == 40
    assert len(found.notes) == 1
    assert contributed(found).keys() == {"A", None}


def test_amount_that_differs_counts_and_the_difference_is_a_residual() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("deposit", DAYS[1], amount=200)
    person.did("buy", DAYS[1], symbol="A", quantity=10, price=10, amount=-103, fee=1).holds("A", 10).has(97)
    found = returns(person, world)
    assert issues(found) == ["amount_mismatch"]
    own = since(person, world)
    assert (own.residual, own.fees, own.price_gain) == (about(-2), 1, about(0))
    assert contributed(found)[None].gain == about(-2)


def test_small_difference_of_an_amount_is_no_issue() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=10, price=10, amount=100.09).holds("A", 10)
    assert issues(returns(person, world)) == []


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "buy", "symbol": "A", "quantity": 1},
        {"type": "sell", "symbol": "A", "price": 1},
        {"type": "deposit"},
        {"type": "dividend", "symbol": "A"},
        {"type": "transfer_in", "symbol": "A"},
        {"type": "split", "symbol": "A"},
        {"type": "merger", "symbol": "A"},
        {"type": "spin_off", "symbol": "A", "to_symbol": "B"},
        {"type": "exchange", "amount": 5, "to_currency": "EUR"},
        {"type": "fee"},
    ],
    ids=lambda entry: entry["type"],
)
def test_transaction_that_does_not_say_what_it_moved_is_unreadable(entry: dict[str, str]) -> None:
    world = a_world(*DAYS).prices("A", 10).prices("B", 10).per_euro("USD", 1.0)
    person = a_person().did("deposit", DAYS[1], amount=10).did(date=DAYS[2], **entry).did("deposit", DAYS[3], amount=5)
    found = returns(person.has(15), world)
    assert issues(found) == ["unreadable"]
    assert str(found.since) == DAYS[3]


def test_unsound_day_of_the_reader_begins_the_period_after_it() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("deposit", DAYS[1], amount=10).did("deposit", DAYS[3], amount=5).has(15)
    assert str(returns(person, world, unsound=DAYS[1]).since) == DAYS[3]
    found = returns(person, world, unsound=DAYS[4])
    assert (found.since, found.periods[0].reason, found.contributions) == (None, "unsound_ledger", ())


def test_ledger_of_which_nothing_can_be_read_is_unsound() -> None:
    world = a_world(*DAYS)
    ledgers = Ledgers(transactions([]), [()], np.array([DAYS[1]], dtype="datetime64[D]"))
    world.prices("A", 10)
    portfolio, account = Portfolio("user", (Holding("A", 1, 1),)), Account("one", 5, 5, "USD")
    (found,) = measure_returns([portfolio], ["USD"], [(account,)], ledgers, world.market(), world.days[-1].item())
    assert found.returns is not None
    assert {own.reason for own in found.returns.periods} == {"unsound_ledger"}


def test_order_of_what_was_given_does_not_matter() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 11, 12)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[1], symbol="A", quantity=5, price=10)
    person.did("buy", DAYS[2], symbol="A", quantity=1, price=11).did("sell", DAYS[3], symbol="A", quantity=2, price=12)
    person.holds("A", 4).has(63)
    straight = since(person, world)
    person.entries.reverse()
    assert since(person, world) == straight
