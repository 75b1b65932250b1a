"""Ledgers of several currencies: rates, exchanges and minor units."""

import pytest

from tests.analysis.returns.arranged import a_person, a_world, about, contributed, issues, returns, since

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04")


def test_gain_of_a_foreign_share_is_split_into_price_and_currency() -> None:
    # Dollars for a euro: 1, 1, 2, 2. The share rises from 10 to 12 euros on the third day.
    world = a_world(*DAYS).prices("A", 10, 10, 12, currency="EUR").per_euro("USD", 1, 1, 2)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=10, price=10).holds("A", 10)
    found = since(person, world)
    assert (found.price_gain, found.fx_gain, found.end_value) == (20 * 2, 100 * 1, 240)
    assert found.twr == about(1.4)


def test_rate_of_the_transaction_counts_and_its_difference_is_of_the_currency() -> None:
    world = a_world(*DAYS).prices("A", 10, currency="EUR").per_euro("USD", 1.1)
    person = a_person().did("deposit", DAYS[1], amount=1_000)
    person.did("buy", DAYS[2], symbol="A", quantity=10, price=10, fee=1, fx_rate=1.2)
    person.holds("A", 10).has(1_000 - 101 * 1.2)
    found = returns(person, world)
    own = since(person, world)
    assert own.fx_gain == about(-101 * 0.1)
    assert own.fees == about(1.1)
    assert own.residual == about(0, abs=1e-9)
    assert contributed(found)["A"].gain == about(-1.1 - 10.1)
    assert contributed(found)[None].gain == about(0, abs=1e-9)


def test_exchange_gains_what_it_brings_beyond_the_days_rate() -> None:
    world = a_world(*DAYS).per_euro("USD", 1.1)
    person = a_person().did("deposit", DAYS[1], amount=1_100, account_id="main")
    person.did("exchange", DAYS[2], account_id="main", amount=550, to_amount=490, to_currency="EUR")
    found = since(person.has(550).has(490, "EUR", "euros"), world)
    assert found.fx_gain == about(490 * 1.1 - 550)
    assert found.end_value == about(550 + 539)
    assert found.net_flows == about(1_100)


@pytest.mark.parametrize("arriving", [{"to_amount": 40}, {}])
def test_transfer_between_own_accounts_is_an_exchange_and_no_flow(arriving: dict[str, float]) -> None:
    world = a_world(*DAYS)
    person = a_person().did("deposit", DAYS[1], amount=100, account_id="one")
    person.did("exchange", DAYS[2], account_id="one", amount=40, to_account_id="two", **arriving)
    found = since(person.has(60, account_id="one").has(40, account_id="two"), world)
    assert (found.net_flows, found.end_value, found.twr, found.fx_gain) == (100, 100, 0, 0)


def test_cash_in_another_currency_gains_with_its_rate() -> None:
    world = a_world(*DAYS).per_euro("USD", 1, 1, 1.5)
    person = a_person().did("deposit", DAYS[1], amount=100, currency="EUR").has(100, "EUR")
    found = since(person, world)
    assert (found.fx_gain, found.end_value) == (50, 150)
    assert contributed(returns(person, world))[None].gain == 50


def test_shares_in_pence_are_paid_from_an_account_in_pounds() -> None:
    world = a_world(*DAYS).prices("A", 500, 500, 600, currency="GBX").per_euro("GBP", 0.8).per_euro("USD", 1.0)
    person = a_person("GBP").did("deposit", DAYS[1], amount=100)
    found = since(person.did("buy", DAYS[1], symbol="A", quantity=10, price=500).holds("A", 10).has(50), world)
    assert (found.end_value, found.price_gain) == (about(110), about(10))
    assert issues(returns(person, world)) == []
    dollars = a_person("USD").did("buy", DAYS[1], symbol="A", quantity=10, price=500).holds("A", 10)
    assert since(dollars, world).end_value == about(60 / 0.8)


def test_account_in_the_currency_of_a_transaction_pays_for_it() -> None:
    world = a_world(*DAYS).prices("A", 10, currency="EUR").per_euro("USD", 1.1)
    person = (
        a_person()
        .did("deposit", DAYS[1], amount=100, account_id="d")
        .did("deposit", DAYS[1], amount=200, account_id="e")
    )
    person.did("buy", DAYS[2], symbol="A", quantity=10, price=10)
    found = returns(person.holds("A", 10).has(100, "USD", "d").has(100, "EUR", "e"), world)
    assert issues(found) == []


def test_bonds_per_hundred_have_a_multiplier() -> None:
    world = a_world(*DAYS).prices("BOND", 98, 98, 99, multiplier=0.01)
    person = a_person().did("deposit", DAYS[1], amount=1_000)
    person.did("buy", DAYS[1], symbol="BOND", quantity=1_000, price=98).did(
        "interest", DAYS[3], symbol="BOND", amount=20
    )
    found = returns(person.holds("BOND", 1_000).has(40), world)
    own = since(person, world)
    assert (own.end_value, own.price_gain, own.income) == (about(1_030), about(10), 20)
    assert contributed(found)["BOND"].gain == about(30)


def test_missing_rate_begins_the_period_after_it() -> None:
    world = a_world(*DAYS).prices("A", 10, currency="CHF").prices("B", 10).per_euro("USD", 1.0)
    world.rates["CHF"] = (world.days[2:], world.closes["A"][2:] / 10)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=10, price=10)
    person.did("buy", DAYS[3], symbol="B", quantity=1, price=10).holds("A", 10).holds("B", 1)
    found = returns(person, world)
    assert str(found.since) == DAYS[3]
    assert "missing_fx_rate" in issues(found)
    assert since(person, world).start_value == about(100)
