"""Days, accounts, quantities and amounts of lots and income, as the slow second implementation has them, too."""

from copy import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analysis.currencies import BaseCurrency, Currencies
from analysis.earnings import earn
from analysis.models import Holding, Income, Portfolio
from analysis.returns.ledger import Ledgers, Market
from tests.analysis.returns.arranged import transactions
from tests.analysis.returns.ledgers import TODAY, WEEKDAYS, a_market, accounts, buy, costs, day, entry, gains, sell
from tests.analysis.returns.test_income import income, known, paid

FIRST = WEEKDAYS[0].item()
LAST = WEEKDAYS[-1].item()


def test_a_sale_on_saturday_is_booked_after_the_purchase_on_monday() -> None:

    result = gains(sell("2024-06-01", 10, 12.0), buy("2024-06-03", 10, 10.0))
    assert [(row.quantity, row.gain, row.term) for row in result.realized] == [(10, 20, "short")]
    assert [lot.quantity for lot in result.unrealized] == []
    assert str(result.realized[0].closed) == "2024-06-01"


def test_a_purchase_on_saturday_is_in_the_shares_after_the_split_on_monday() -> None:
    result = gains(
        buy("2024-05-31", 10, 10.0), buy("2024-06-01", 10, 5.0), entry("split", "2024-06-03", "X", 2.0),
        holding={"X": 30},
    )  # fmt: skip
    assert [(lot.quantity, lot.cost) for lot in result.unrealized] == [(20, 100), (10, 50)]


def test_shares_bought_on_saturday_and_sold_on_monday_are_not_held_beside() -> None:
    result = gains(
        buy("2023-01-03", 10, 100.0), buy("2024-06-01", 10, 90.0), sell("2024-06-03", 20, 80.0),
    )  # fmt: skip
    assert [row.wash_sale for row in result.realized] == [False, False]


def test_a_purchase_on_sunday_is_none_after_the_sale_on_saturday() -> None:
    sold = (buy("2023-01-03", 10, 100.0), sell("2024-06-01", 10, 80.0))
    gone = gains(*sold, buy("2024-06-02", 10, 79.0), sell("2024-06-03", 10, 70.0))
    assert [row.wash_sale for row in gone.realized] == [False, False]
    held = gains(*sold, buy("2024-06-02", 10, 79.0), holding={"X": 10})
    assert [row.wash_sale for row in held.realized] == [True]


def test_what_happened_before_the_first_day_has_its_rate_and_close() -> None:
    market = a_market({"X": 10.0}, rates={"USD": {str(FIRST): 1.25}}, currencies={"X": "EUR"})
    early = str(FIRST - timedelta(days=20))
    result = gains(
        buy(early, 10, 10.0), entry("transfer_in", early, "X", 4.0), holding={"X": 14}, market=market
    )  # fmt: skip
    assert sorted(lot.cost or 0 for lot in result.unrealized) == [50, 125]
    assert {lot.opened for lot in result.unrealized} == {FIRST - timedelta(days=20)}


def test_a_dividend_booked_on_saturday_is_of_the_distribution_on_monday() -> None:
    market = a_market({"X": 20.0}, distributions={"X": ["2026-02-02"]})
    result = known(income(buy("2024-01-02", 10, 10.0), paid("2026-01-31", 10.0), holding={"X": 10}, market=market))
    assert (result.trailing_12m, result.next_12m) == (10, 0)


@pytest.mark.parametrize(("split", "shares"), [(LAST, 40), (LAST + timedelta(days=1), 10)])
def test_a_split_is_pending_on_or_before_the_last_day_of_prices(split: object, shares: float) -> None:
    market = a_market({"X": 40.0}, splits={"X": [(split, 4.0)]})  # type: ignore[list-item]
    result = gains(buy("2024-01-02", 10, 30.0), holding={"X": 10}, market=market)
    assert sum(lot.quantity for lot in result.unrealized if lot.opened) == 40
    pending = [(issue.kind, issue.date) for issue in result.issues if issue.kind == "corporate_action_pending"]
    assert pending == ([("corporate_action_pending", LAST)] if shares == 40 else [])


def test_a_split_behind_the_prices_that_ledger_and_source_tell_counts_once() -> None:
    market = a_market({"X": 40.0}, splits={"X": [(TODAY, 4.0)]})
    split = entry("split", str(TODAY), "X", 4.0)
    (lot,) = gains(buy("2024-01-02", 10, 30.0), split, holding={"X": 40}, market=market).unrealized
    assert (lot.quantity, lot.value) == (40, 400)


class TestAccountsOfTransactions:
    def in_euros(self) -> Market:
        return a_market({"X": 10.0}, rates={"USD": 1.25, "GBP": 0.8}, currencies={"X": "EUR"})

    def test_one_that_only_receives_has_the_currency_that_it_received(self) -> None:
        exchange = entry(
            "exchange", "2024-05-02", amount=100.0, to_amount=80.0, currency="USD", to_currency="GBP",
            to_account_id="B",
        )  # fmt: skip
        bought = buy("2024-06-03", 10, 10.0, account_id="B", fx_rate=0.9)
        (lot,) = gains(exchange, bought, holding={"X": 10}, market=self.in_euros()).unrealized
        assert lot.cost == pytest.approx(100 * 0.9 * 1.25 / 0.8)

    def test_one_without_a_currency_is_in_the_base(self) -> None:
        bought = buy("2024-06-03", 10, 10.0, account_id="B", fx_rate=1.3)
        (lot,) = gains(bought, holding={"X": 10}, market=self.in_euros()).unrealized
        assert lot.cost == pytest.approx(130)

    def test_what_is_yet_to_come_says_nothing_of_one(self) -> None:
        bought = buy("2024-06-03", 10, 10.0, account_id="B", fx_rate=1.3)
        later = entry("deposit", str(TODAY + timedelta(days=9)), amount=1.0, account_id="B", currency="GBP")
        (lot,) = gains(bought, later, holding={"X": 10}, market=self.in_euros()).unrealized
        assert lot.cost == pytest.approx(130)


class TestOpeningShares:
    def test_of_a_renamed_symbol_lie_where_the_new_ones_are_sold(self) -> None:
        result = gains(
            entry("symbol_change", "2024-02-01", "X", to_symbol="Y", ratio=2.0),
            sell("2024-03-01", 8, 10.0, "Y", account_id="B"), holding={"Y": 12}, own_accounts=accounts("A", "B"),
        )  # fmt: skip
        assert [(row.account_id, row.opened, row.quantity) for row in result.realized] == [("B", None, 8)]
        assert [(lot.account_id, lot.quantity) for lot in result.unrealized] == [("A", 12)]

    def test_lie_in_the_account_of_the_dividend_that_alone_names_them(self) -> None:
        dividend = paid("2024-03-01", 5.0, account_id="B")
        (lot,) = gains(dividend, holding={"X": 10}, own_accounts=accounts("A", "B")).unrealized
        assert lot.account_id == "B"


def test_cash_of_a_merger_is_a_sale_at_the_averaged_cost() -> None:
    trades = (
        buy("2022-01-03", 10, 10.0), buy("2024-01-02", 10, 30.0),
        entry("merger", "2024-02-01", "X", to_symbol="Y", amount=200.0),
    )  # fmt: skip
    result = gains(*trades, holding={"Y": 20}, market=a_market({"Y": 30.0}), method="average")
    assert [(row.quantity, row.proceeds, row.cost) for row in result.realized] == [(2.5, 100, 50), (2.5, 100, 50)]


def test_a_sale_whose_costs_are_larger_than_it_is_paid() -> None:
    result = gains(buy("2024-01-02", 1, 2.0), sell("2024-02-01", 1, 2.0, fee=5.0, amount=-3.0))
    assert [(row.proceeds, row.gain) for row in result.realized] == [(-3, -5)]


def test_returned_capital_is_income_of_what_its_symbol_is_called_today() -> None:
    trades = (
        buy("2024-01-02", 10, 10.0), entry("return_of_capital", "2026-03-02", "X", amount=130.0),
        paid("2026-04-01", 5.0), entry("symbol_change", "2026-06-01", "X", to_symbol="Y"),
    )  # fmt: skip
    result = known(income(*trades, holding={"Y": 10}, market=a_market({"Y": 20.0})))
    assert [(row.symbol, row.amount) for row in result.by_symbol] == [("Y", 35)]
    (part,) = costs(*trades, holding={"Y": 10}).capital_income
    assert (part.symbol, part.symbol_today) == ("X", "Y")


def test_a_payment_is_of_the_shares_that_lead_to_those_of_today() -> None:
    # A sale is missing: 30 were bought, and 10 are held.
    result = known(income(buy("2024-01-02", 30, 10.0), paid("2026-03-02", 5.0), holding={"X": 10}))
    assert result.next_12m == 5


def test_interest_of_a_symbol_counts_where_its_prices_imply_no_payments() -> None:
    market = a_market({"X": 20.0, "Y": 100.0}, payments={"X": {"2026-02-02": 0.2}})
    interest = [entry("interest", "2026-03-02", symbol, amount=4.0) for symbol in ("X", "Y")]
    trades = [replace(own, transaction_id=own.symbol) for own in interest]
    result = known(income(*trades, holding={"X": 10, "Y": 1}, market=market))
    assert (result.basis, result.trailing_12m) == ("implied", 6)
    assert day("2026-03-02") < LAST


def earned(market: Market, *entries: dict[str, Any], holding: str, base: str = "USD") -> Income:
    """Return the income that a report has of a person with ten shares."""
    ledgers = Ledgers(transactions([{"owner": 0, **own} for own in entries]), [()], np.array(["NaT"], "datetime64[D]"))
    currencies = Currencies("USD", "USD", market.currencies, market.rates)
    portfolio = Portfolio("user", (Holding(holding, 10.0, None),))
    _, (found,) = earn([portfolio], ledgers, market, BaseCurrency(base, currencies, LAST), TODAY)
    assert found.income is not None
    return found.income


class TestIncomeOfAReport:
    """It is from the transactions of the last year, where these are enough."""

    def test_shares_before_a_merger_are_those_that_all_transactions_lead_to(self) -> None:
        bought = [
            {"type": "buy", "date": "2023-01-03", "symbol": symbol, "quantity": 5.0, "price": 10.0}
            for symbol in ("X", "Y")
        ]
        paid_five = {"type": "dividend", "date": "2026-02-02", "symbol": "Y", "amount": 5.0}
        merger = {"type": "merger", "date": "2026-06-01", "symbol": "X", "to_symbol": "Y", "ratio": 1.0}
        result = earned(a_market({"X": 20.0, "Y": 20.0}), *bought, paid_five, merger, holding="Y")
        assert result.next_12m == 10

    def test_an_account_has_the_currency_that_its_first_transaction_says(self) -> None:
        market = a_market({"X": 20.0}, rates={"USD": 1.25})
        entries = (
            {"type": "deposit", "date": "2023-01-03", "amount": 1.0, "currency": "EUR", "account_id": "A"},
            {"type": "interest", "date": "2026-02-02", "amount": 4.0, "account_id": "A"},
        )
        assert earned(market, *entries, holding="X").trailing_12m == 5


def test_a_sale_whose_lot_is_not_found_is_an_issue_of_the_returns() -> None:
    entries = [
        {"type": "buy", "date": "2024-01-03", "symbol": "X", "quantity": 10.0, "price": 10.0, "lot_id": "first"},
        {"type": "buy", "date": "2024-01-04", "symbol": "X", "quantity": 10.0, "price": 11.0, "lot_id": "second"},
        {"type": "sell", "date": "2024-02-01", "symbol": "X", "quantity": 10.0, "price": 12.0, "lot_id": "other"},
    ]
    market = a_market({"X": 20.0})
    ledgers = Ledgers(transactions([{"owner": 0, **own} for own in entries]), [()], np.array(["NaT"], "datetime64[D]"))
    base = BaseCurrency("USD", Currencies("USD", "USD", {}, market.rates), LAST)
    told = {}
    for method in ("fifo", "specific"):
        portfolio = Portfolio("user", (Holding("X", 10.0, None),), lot_method=method)
        _, (found,) = earn([portfolio], ledgers, market, base, TODAY)
        assert found.returns is not None
        told[method] = [(issue.date, issue.kind) for issue in found.returns.issues]
    assert told == {"fifo": [], "specific": [(day("2024-02-01"), "lot_not_found")]}
