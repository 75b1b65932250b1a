from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from analysis.models import Account, Holding, Income
from analysis.returns.entries import Person
from analysis.returns.income import income_of
from analysis.returns.ledger import Market, Transaction
from tests.analysis.returns.ledgers import TODAY, a_market, accounts, booked, buy, costs, day, entry, sell


def paid(on: str, amount: float | None, symbol: str = "X", **members: Any) -> Transaction:  # noqa: ANN401
    return entry("dividend", on, symbol, amount=amount, **members)


def income(
    *transactions: Transaction,
    holding: Mapping[str, float] | None = None,
    market: Market | None = None,
    own_accounts: list[Account] | None = None,
    base: str = "USD",
    avg_price: float | None = None,
) -> tuple[Income | None, str | None]:
    market = market or a_market({"X": 20.0})
    own_accounts = own_accounts or accounts()
    holdings = [Holding(symbol, quantity, avg_price) for symbol, quantity in (holding or {}).items()]
    open_costs = costs(*transactions, holding=holding, market=market, own_accounts=own_accounts, base=base)
    paid = any(own.type == "dividend" for own in transactions)
    known = (holdings, own_accounts, market, base, TODAY)
    whole = income_of(Person(booked(transactions), *known), open_costs, has_dividends=paid)
    # Nothing before the last twelve months matters but whether there ever was a dividend.
    recent = [own for own in transactions if own.date > TODAY - timedelta(days=370)]
    # Splits that a holding does not have yet are applied before: they are found in the whole ledger.
    actions = {"split", "stock_dividend", "symbol_change", "merger", "spin_off"}
    if not market.prices.splits and not any(own.type in actions for own in transactions):
        assert income_of(Person(booked(recent), *known), open_costs, has_dividends=paid) == whole
    return whole


def known(result: tuple[Income | None, str | None]) -> Income:
    found, reason = result
    assert found is not None
    assert reason is None
    return found


BOUGHT = buy("2024-01-02", 10, 10.0)


class TestTransactions:
    def test_income_is_gross_and_of_the_last_twelve_months(self) -> None:
        result = known(
            income(
                BOUGHT, paid("2025-11-25", 4.0), paid("2025-11-26", 5.0, tax=2.0, fee=1.0), paid("2026-11-25", 6.0),
                paid("2026-11-26", 7.0), holding={"X": 10},
            )
        )  # fmt: skip
        assert (result.basis, result.trailing_12m) == ("transactions", 14)

    def test_months_are_twelve_and_end_with_the_last_days(self) -> None:
        result = known(
            income(
                BOUGHT, paid("2025-11-30", 3.0), paid("2025-12-01", 5.0), paid("2026-11-02", 6.0),
                paid("2026-11-03", 1.0), holding={"X": 10},
            )
        )  # fmt: skip
        assert [row.month for row in result.by_month] == ["2025-12", *(f"2026-{month:02}" for month in range(1, 12))]
        assert [row.amount for row in result.by_month] == [5, *[0] * 10, 7]
        assert result.trailing_12m == 15

    def test_amounts_are_computed_where_absent(self) -> None:
        result = known(income(BOUGHT, paid("2026-05-04", None, quantity=10.0, price=0.5, tax=1.0), holding={"X": 10}))
        assert result.trailing_12m == 5

    def test_amounts_are_in_base_at_their_days_rate(self) -> None:
        market = a_market({"X": 20.0}, rates={"USD": {"2019-12-30": 1.0, "2026-05-04": 1.25}}, currencies={"X": "EUR"})
        result = known(
            income(BOUGHT, paid("2026-04-30", 8.0), paid("2026-05-04", 8.0), holding={"X": 10}, market=market)
        )
        assert result.trailing_12m == 18

    def test_by_symbol_has_yields_on_value_and_cost_the_largest_first(self) -> None:
        result = known(
            income(
                BOUGHT, buy("2024-01-02", 5, 40.0, "Y"), buy("2024-01-02", 1, 1.0, "Z"),
                sell("2026-03-02", 1, 1.0, "Z"),
                paid("2026-02-02", 1.0, "Z"), paid("2026-05-04", 5.0), paid("2026-05-04", 10.0, "Y"),
                entry("interest", "2026-06-01", amount=2.0), holding={"X": 10, "Y": 5},
                market=a_market({"X": 20.0, "Y": 50.0}),
            )
        )  # fmt: skip
        assert [(row.symbol, row.amount, row.yield_on_value, row.yield_on_cost) for row in result.by_symbol] == [
            ("Y", 10, 0.04, 0.05), ("X", 5, 0.025, 0.05), (None, 2, None, None), ("Z", 1, None, None),
        ]  # fmt: skip
        assert result.trailing_12m == 18
        # Of the holdings: neither interest on cash, nor what was sold since.
        assert (result.yield_on_value, result.yield_on_cost) == (15 / 450, 15 / 300)

    def test_a_cost_that_lots_do_not_know_is_that_of_the_holding(self) -> None:
        result = known(income(paid("2026-05-04", 5.0), holding={"X": 10}, avg_price=25.0))
        assert (result.yield_on_value, result.yield_on_cost) == (0.025, 0.02)
        assert known(income(paid("2026-05-04", 5.0), holding={"X": 10})).yield_on_cost is None

    def test_without_a_price_there_is_no_yield_on_value(self) -> None:
        result = known(income(BOUGHT, paid("2026-05-04", 5.0), holding={"X": 10}, market=a_market()))
        assert (result.by_symbol[0].yield_on_value, result.yield_on_value) == (None, None)
        assert result.yield_on_cost == 0.05

    def test_a_short_position_pays(self) -> None:
        result = known(income(sell("2024-01-02", 10, 25.0), paid("2026-05-04", -5.0), holding={"X": -10}))
        (row,) = result.by_symbol
        assert (row.amount, row.yield_on_value, row.yield_on_cost) == (-5, 0.025, 0.02)
        assert result.next_12m == -5

    def test_dividends_of_long_ago_still_make_the_ledger_the_basis(self) -> None:
        result = known(income(BOUGHT, paid("2024-05-06", 5.0), holding={"X": 10}))
        assert (result.basis, result.trailing_12m, result.next_12m, result.by_symbol) == ("transactions", 0, 0, ())

    def test_returned_capital_below_the_cost_is_income_but_not_expected_again(self) -> None:
        returned = entry("return_of_capital", "2026-03-02", "X", amount=130.0)
        result = known(income(BOUGHT, returned, paid("2026-05-04", 5.0), holding={"X": 10}))
        assert (result.trailing_12m, result.next_12m) == (35, 5)
        assert result.yield_on_cost is None


class TestNextTwelveMonths:
    def test_each_payment_of_a_share_is_paid_again_for_todays_shares(self) -> None:
        result = known(
            income(
                BOUGHT, paid("2026-02-02", 5.0), sell("2026-02-02", 4, 20.0), paid("2026-05-04", 3.6, tax=0.4),
                buy("2026-06-01", 14, 20.0), holding={"X": 20},
            )
        )  # fmt: skip
        # 0.50 a share, sold after it on the same day, and 4.00 / 6.
        assert result.next_12m == pytest.approx(20 * (0.5 + 4 / 6))

    def test_shares_are_those_of_today_after_splits_and_renaming(self) -> None:
        result = known(
            income(
                BOUGHT, paid("2026-02-02", 10.0), entry("split", "2026-03-02", "X", 4.0), paid("2026-04-01", 10.0),
                entry("symbol_change", "2026-06-01", "X", to_symbol="Y", ratio=0.5), holding={"Y": 30},
                market=a_market({"Y": 20.0}),
            )
        )  # fmt: skip
        # 10 shares of February, 40 of April: 20 of today; 10 more that were there before the ledger.
        assert [(row.symbol, row.amount) for row in result.by_symbol] == [("Y", 20)]
        assert result.next_12m == pytest.approx(30 * (10 / 30 + 10 / 30))

    def test_what_is_no_longer_held_pays_nothing_again(self) -> None:
        result = known(income(BOUGHT, paid("2026-02-02", 10.0), sell("2026-03-02", 10, 20.0)))
        assert (result.trailing_12m, result.next_12m) == (10, 0)

    def test_paid_after_the_sale_it_is_of_its_own_quantity(self) -> None:
        result = known(
            income(
                BOUGHT, sell("2026-02-02", 10, 20.0), paid("2026-03-02", 10.0, quantity=10.0),
                buy("2026-04-01", 5, 20.0), holding={"X": 5},
            )
        )  # fmt: skip
        assert result.next_12m == 5

    def test_a_distribution_is_not_expected_again(self) -> None:
        market = a_market({"X": 20.0}, distributions={"X": ["2026-02-02"]})
        result = known(
            income(BOUGHT, paid("2026-02-02", 10.0), paid("2026-03-02", 34.0), paid("2026-04-01", 33.0),
                   holding={"X": 10}, market=market)
        )  # fmt: skip
        # On the day of one, or 17 % of the price, as paid some days later.
        assert (result.trailing_12m, result.next_12m) == (77, 33)

    def test_interest_of_a_symbol_is_expected_again_but_not_that_on_cash(self) -> None:
        result = known(
            income(
                BOUGHT, paid("2024-02-02", 1.0), entry("interest", "2026-03-02", "X", amount=4.0),
                entry("interest", "2026-03-02", amount=3.0), holding={"X": 10},
            )
        )  # fmt: skip
        assert (result.trailing_12m, result.next_12m) == (7, 4)


class TestImplied:
    MARKET = a_market({"X": 20.0}, payments={"X": {"2025-11-25": 0.1, "2026-02-02": 0.2, "2026-08-03": 0.3}})

    def test_without_a_dividend_the_prices_tell_them_for_todays_shares(self) -> None:
        result = known(income(buy("2026-06-01", 10, 10.0), holding={"X": 10}, market=self.MARKET))
        assert (result.basis, result.trailing_12m, result.next_12m) == ("implied", 5, 5)
        assert [row.amount for row in result.by_month if row.amount] == [2, 3]
        assert (result.yield_on_value, result.yield_on_cost) == (0.025, 0.05)

    def test_no_transactions_are_needed(self) -> None:
        result = known(income(holding={"X": -10}, market=self.MARKET, avg_price=12.5))
        assert (result.trailing_12m, result.yield_on_value, result.yield_on_cost) == (-5, None, None)
        assert (result.by_symbol[0].yield_on_value, result.by_symbol[0].yield_on_cost) == (0.025, 0.04)

    def test_they_are_in_the_currency_of_the_price_and_times_its_multiplier(self) -> None:
        market = a_market(
            {"X": 2000.0}, payments={"X": {"2026-02-02": 50.0, "2026-08-03": 50.0}}, currencies={"X": "GBX"},
            rates={"GBP": 0.8, "USD": {"2019-12-30": 1.0, "2026-08-03": 1.2}}, multipliers={"X": 2.0},
        )  # fmt: skip
        result = known(income(holding={"X": 10}, market=market))
        assert result.trailing_12m == pytest.approx(10 / 0.8 + 10 * 1.2 / 0.8)
        assert result.yield_on_value == pytest.approx(result.trailing_12m / (400 * 1.2 / 0.8))

    def test_interest_on_cash_counts_but_not_that_of_symbols_which_their_prices_tell(self) -> None:
        result = known(
            income(
                entry("interest", "2026-03-02", amount=3.0), entry("interest", "2026-03-02", "X", amount=4.0),
                holding={"X": 10}, market=self.MARKET,
            )
        )  # fmt: skip
        assert (result.basis, result.trailing_12m, result.next_12m) == ("implied", 8, 5)

    def test_a_split_that_the_holding_does_not_have_yet_counts(self) -> None:
        market = a_market(
            {"X": {"2019-12-30": 20.0, "2026-11-24": 10.0}}, payments={"X": {"2026-02-02": 0.2}},
            splits={"X": [(day("2026-11-24"), 2.0)]},
        )  # fmt: skip
        assert known(income(BOUGHT, holding={"X": 10}, market=market)).trailing_12m == 4

    @pytest.mark.parametrize(
        ("adjusted", "transactions", "reason"),
        [
            (["X", "Y"], (BOUGHT,), "prices_without_dividends"),
            (["X"], (BOUGHT,), None),
            (["X", "Y"], (BOUGHT, paid("2024-03-01", 1.0)), None),
        ],
    )
    def test_prices_that_are_adjusted_tell_nothing(
        self, adjusted: list[str], transactions: tuple[Transaction, ...], reason: str | None
    ) -> None:
        market = a_market({"X": 20.0, "Y": 1.0}, adjusted=adjusted)
        result, why = income(*transactions, holding={"X": 10, "Y": 1}, market=market)
        assert (result is None, why) == (reason is not None, reason)

    def test_nothing_held_is_no_income(self) -> None:
        result = known(income())
        assert (result.trailing_12m, result.by_symbol, result.yield_on_value) == (0, (), None)
        assert len(result.by_month) == 12
