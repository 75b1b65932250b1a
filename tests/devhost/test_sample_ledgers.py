"""The ledgers of the sample users lead to what they own, and are as special as the comments on the users say."""

import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any

import pytest

from analysis.returns.ledger import TYPES
from devhost.sample_cash import cash_of
from devhost.sample_data import SAMPLE_USERS, SampleUser
from devhost.sample_ledgers import ledger_of
from devhost.sample_market import SampleMarket, sample_market
from devhost.sample_transactions import documents_of

USERS = {user.user_id: user for user in SAMPLE_USERS}
SPLIT_MISSED, INCOMPLETE = "sid-split-missed", "una-unknown-cost"
IN_DEBT, SHORT = "walt-underwater", "quinn-short"
EXOTIC = {"merger", "spin_off"}
MOST_TRANSACTIONS = 85  # of the two users with the most holdings, whose dividends of a year alone are some 60

type Ledger = list[dict[str, Any]]


def ledger(user_id: str, *types: str) -> Ledger:
    documents = documents_of(user_id, ledger_of(USERS[user_id]))
    return [own for own in documents if not types or own["type"] in types]


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest) -> SampleUser:
    return USERS[request.param]


@pytest.fixture(scope="module")
def market() -> SampleMarket:
    return sample_market()


def number_of(market: SampleMarket, transaction: dict[str, Any]) -> int:
    return market.number(transaction["date"].date())


def moved(transaction: dict[str, Any]) -> float:
    """Return the shares that a transaction brings, negative if they leave, 0 if it moves none."""
    signs = {"buy": 1, "transfer_in": 1, "sell": -1, "transfer_out": -1}
    return float(signs.get(transaction["type"], 0) * transaction.get("quantity", 0))


def ratio_of(transaction: dict[str, Any]) -> float:
    """Return the new shares for an old one."""
    new = {"split": 0.0, "stock_dividend": 1.0}.get(transaction["type"])
    return 1.0 if new is None else float(new + transaction["quantity"])


def shares_held(user_id: str) -> dict[str, float]:
    """Return the holdings as numbers; the one that cannot be read is of ten shares."""
    held = {holding.symbol: holding.quantity for holding in USERS[user_id].holdings}
    return {symbol: 10.0 if quantity == "ten" else float(quantity) for symbol, quantity in held.items()}


def after_each_day(user_id: str, market: SampleMarket) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Yield the shares by symbol and the cash by account at the end of each day with a transaction."""
    currencies = {account.account_id: account.currency for account in USERS[user_id].accounts}
    shares: dict[str, float] = defaultdict(float)
    cash: dict[str, float] = defaultdict(float)
    if user_id == INCOMPLETE:
        shares["XOM"] = 70
    for _, on_a_day in groupby(ledger(user_id), key=lambda own: own["date"]):
        for own in on_a_day:
            if symbol := str(own.get("symbol", "")):
                shares[symbol] = shares[symbol] * ratio_of(own) + moved(own)
            if own["type"] == "symbol_change":
                shares[own["to_symbol"]] = shares.pop(symbol) * own["ratio"]
            if "amount" in own:
                currency = currencies[own["account_id"]]
                rate = own.get("fx_rate") or market.rate(own["currency"], currency, number_of(market, own))
                cash[own["account_id"]] += own["amount"] * rate
            if own["type"] == "exchange":
                assert own["to_currency"] == currencies[own["to_account_id"]]
                cash[own["to_account_id"]] += own["to_amount"]
        yield dict(shares), dict(cash)


def test_a_ledger_ends_in_the_holdings_and_the_cash(user: SampleUser, market: SampleMarket) -> None:
    *_, (shares, cash) = [({}, {}), *after_each_day(user.user_id, market)]
    if user.user_id == SPLIT_MISSED:
        shares["AAPL"] /= 4
    if user.user_id == "otto-onlooker":
        assert ledger("otto-onlooker") == []  # as of a person whose transactions are not stored
        return
    assert {symbol: own for symbol, own in shares.items() if abs(own) > 1e-9} == pytest.approx(
        shares_held(user.user_id), abs=1e-9
    )
    for account in user.accounts:
        assert cash.get(account.account_id, 0.0) == pytest.approx(cash_of(account), abs=0.0051), account


def test_no_account_is_overdrawn_but_that_of_the_user_in_debt(user: SampleUser, market: SampleMarket) -> None:
    lowest = min((min(cash.values(), default=0) for _, cash in after_each_day(user.user_id, market)), default=0)
    assert (lowest < -0.01) == (user.user_id == IN_DEBT)


def test_nothing_is_sold_that_is_not_there_but_by_the_short_user(user: SampleUser, market: SampleMarket) -> None:
    sold_short = {s for shares, _ in after_each_day(user.user_id, market) for s, own in shares.items() if own < -1e-9}
    assert sold_short == ({"AMD"} if user.user_id == SHORT else set())


def test_days_and_ids_are_in_order_within_the_sample(user: SampleUser, market: SampleMarket) -> None:
    own = ledger(user.user_id)
    assert len(own) <= MOST_TRANSACTIONS
    assert [each["transaction_id"] for each in own] == sorted({each["transaction_id"] for each in own})
    assert {each["user_id"] for each in own} <= {user.user_id}
    assert {each["account_id"] for each in own} <= {account.account_id for account in user.accounts}
    days = [each["date"].date() for each in own]
    assert days == sorted(days)
    assert all(date(2015, 1, 1) <= day == market.day(market.number(day)) <= date(2022, 12, 28) for day in days)


def test_amounts_are_those_computed_from_shares_prices_and_costs(user: SampleUser) -> None:
    for own in ledger(user.user_id, "buy", "sell", "dividend"):
        value = own["quantity"] * own["price"] * (-1 if own["type"] == "buy" else 1)
        assert own["amount"] == pytest.approx(value - own.get("fee", 0) - own.get("tax", 0), abs=0.0051), own


def test_trades_are_at_the_close_of_their_day(user: SampleUser, market: SampleMarket) -> None:
    splits = ledger(user.user_id, "split", "stock_dividend")
    for own in ledger(user.user_id, "buy", "sell"):
        if own["symbol"] != "NOSUCHOLD":
            later = [s for s in splits if s["symbol"] == own["symbol"] and s["date"] > own["date"]]
            ratio = math.prod(map(ratio_of, later))
            close = market.close(own["symbol"], number_of(market, own))
            assert own["price"] == pytest.approx(close * ratio, abs=1e-6), own


def test_the_average_cost_of_what_was_bought_is_near_to_that_of_the_holding(user: SampleUser) -> None:
    shares: dict[str, float] = defaultdict(float)
    cost: dict[str, float] = defaultdict(float)
    for own in ledger(user.user_id):
        symbol = str(own.get("symbol", ""))
        before = shares[symbol] * ratio_of(own)
        shares[symbol] = before + moved(own)
        if moved(own) * before < 0:
            cost[symbol] *= shares[symbol] / before
        elif own["type"] == "transfer_in" and symbol:
            cost[symbol] += moved(own) * own["price"]
        elif own["type"] in {"buy", "sell"}:
            cost[symbol] -= own["amount"]
    for holding in user.holdings:
        if holding.avg_price and holding.symbol != "NOSUCH":
            scale = 4 if (user.user_id, holding.symbol) == (SPLIT_MISSED, "AAPL") else 1
            average = scale * cost[holding.symbol] / shares[holding.symbol]
            assert average == pytest.approx(holding.avg_price, rel=0.02), holding


def test_every_type_of_transaction_occurs_but_exotic_ones() -> None:
    found = {own["type"] for user_id in USERS for own in ledger(user_id)}
    assert found == set(TYPES) - EXOTIC


def test_the_closes_are_in_new_shares_also_before_each_split(user: SampleUser, market: SampleMarket) -> None:
    for own in ledger(user.user_id, "split", "stock_dividend"):
        ratio = ratio_of(own)
        day = number_of(market, own)
        step = math.log(market.close(own["symbol"], day - 1) / market.close(own["symbol"], day))
        assert abs(step) < abs(step - math.log(ratio))


def test_the_gift_was_transferred_in_and_cost_nothing() -> None:
    first, *later = [own for own in ledger("gia-gift") if own.get("symbol") == "JPM"]
    assert (first["type"], first["quantity"], first["price"]) == ("transfer_in", 40, 0.0)
    assert {own["type"] for own in later} == {"dividend"}


def test_the_incomplete_ledger_has_no_purchase_of_the_holding_of_unknown_cost() -> None:
    types = [own["type"] for own in ledger(INCOMPLETE) if own.get("symbol") == "XOM"]
    assert set(types) == {"dividend"}


def test_the_missed_split_is_the_last_of_its_symbol_and_the_holding_is_what_there_was_before() -> None:
    *earlier, split = [own for own in ledger(SPLIT_MISSED) if own.get("symbol") == "AAPL"]
    assert (split["type"], split["quantity"], split["date"].date()) == ("split", 4, date(2020, 8, 31))
    assert {own["type"] for own in earlier} <= {"buy", "sell"}
    assert all(own["date"] < split["date"] for own in earlier)
    assert sum(map(moved, earlier)) == shares_held(SPLIT_MISSED)["AAPL"]


def test_one_user_keeps_euros_and_changes_them_into_dollars(market: SampleMarket) -> None:
    hana = USERS["hana-health"]
    assert hana.base_currency == "EUR"
    assert [account.currency for account in hana.accounts] == ["EUR", "USD"]
    exchanges = ledger("hana-health", "exchange")
    assert {(own["currency"], own["to_currency"]) for own in exchanges} >= {("EUR", "USD")}
    for own in exchanges:
        reference = market.rate(own["currency"], own["to_currency"], number_of(market, own))
        assert -own["to_amount"] / own["amount"] == pytest.approx(0.997 * reference, rel=1e-4)
    assert {own["account_id"] for own in ledger("hana-health", "buy")} == {"hana-health-usd"}


def test_one_user_pays_for_dollars_in_pounds_at_the_rates_of_a_bank(market: SampleMarket) -> None:
    jo = USERS["jo-justbanks"]
    assert jo.base_currency == "GBP"
    assert [account.currency for account in jo.accounts] == ["GBP"]
    for own in ledger("jo-justbanks", "buy", "sell"):
        reference = market.rate("USD", "GBP", number_of(market, own))
        assert own["fx_rate"] == pytest.approx(reference * (1.0025 if own["type"] == "buy" else 0.9975), rel=1e-5)
    assert all("fx_rate" not in own for own in ledger("jo-justbanks", "dividend"))  # the rate of the day applies


def test_all_other_users_keep_dollars() -> None:
    others = [user for user in SAMPLE_USERS if user.user_id not in {"hana-health", "jo-justbanks"}]
    assert {(user.base_currency, *[account.currency for account in user.accounts]) for user in others} == {
        (None, "USD")
    }
