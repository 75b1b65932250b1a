import pytest

from analysis.models import LotMethod
from analysis.returns.gains import GainTotal, RealizedGain, gains_of_year, term_of, totals_of
from tests.analysis.returns.ledgers import a_market, accounts, buy, costs, day, entry, gains, sell

ROUND_TRIP = (buy("2024-03-01", 10, 100.0, fee=5.0), sell("2025-03-03", 10, 120.0, fee=6.0, tax=4.0))


def rows(result: object, *names: str) -> list[tuple[object, ...]]:
    return [tuple(getattr(row, name) for name in names) for row in result.realized]  # type: ignore[attr-defined]


def test_cost_is_with_fees_and_proceeds_are_net_of_fee_and_tax() -> None:
    (row,) = gains(*ROUND_TRIP).realized
    assert row == RealizedGain(
        "X", "A", day("2024-03-01"), day("2025-03-03"), 10, 1190, 1005, 185, 367, "long", wash_sale=False
    )


def test_an_amount_counts_as_it_is_whatever_its_sign() -> None:
    result = gains(buy("2024-03-01", 10, 100.0, amount=-1007.0), sell("2024-03-04", 10, 120.0, amount=1199.0))
    assert rows(result, "cost", "proceeds", "gain") == [(1007, 1199, 192)]
    flipped = gains(buy("2024-03-01", 10, amount=1007.0), sell("2024-03-04", 10, amount=-1199.0))
    assert rows(flipped, "cost", "proceeds") == [(1007, 1199)]


THREE_LOTS = (
    buy("2024-01-02", 10, 10.0, transaction_id="first"),
    buy("2024-02-01", 10, 30.0, transaction_id="second", lot_id="mine"),
    buy("2024-03-01", 10, 20.0, transaction_id="third"),
)


@pytest.mark.parametrize(
    ("method", "lot_id", "expected"),
    [
        ("fifo", "", [("2024-01-02", 10, 100), ("2024-02-01", 5, 150)]),
        ("lifo", "", [("2024-03-01", 10, 200), ("2024-02-01", 5, 150)]),
        ("hifo", "", [("2024-02-01", 10, 300), ("2024-03-01", 5, 100)]),
        ("average", "", [("2024-01-02", 10, 200), ("2024-02-01", 5, 100)]),
        ("specific", "third", [("2024-03-01", 10, 200), ("2024-01-02", 5, 50)]),
        ("specific", "mine", [("2024-02-01", 10, 300), ("2024-01-02", 5, 50)]),
        ("fifo", "third", [("2024-01-02", 10, 100), ("2024-02-01", 5, 150)]),
    ],
)
def test_a_sale_consumes_lots_by_the_method(
    method: LotMethod, lot_id: str, expected: list[tuple[str, float, float]]
) -> None:
    result = gains(*THREE_LOTS, sell("2024-04-01", 15, 40.0, lot_id=lot_id), holding={"X": 15}, method=method)
    found = [(str(row.opened), row.quantity, row.cost) for row in result.realized]
    assert found == expected
    assert [row.proceeds for row in result.realized] == pytest.approx([400, 200])


def test_highest_cost_ties_are_the_oldest_even_if_splits_left_rounding() -> None:
    result = gains(
        buy("2024-01-02", 10, 30.1),
        entry("split", "2024-01-15", "X", 7.0),
        buy("2024-02-01", 10, 4.3),
        sell("2024-04-01", 10, 4.0),
        holding={"X": 70},
        method="hifo",
    )
    assert rows(result, "opened") == [(day("2024-01-02"),)]


def test_averaged_cost_stays_that_of_all_shares_after_a_sale() -> None:
    result = gains(
        buy("2024-01-02", 10, 10.0), buy("2024-02-01", 10, 30.0), sell("2024-03-01", 15, 40.0),
        buy("2024-04-01", 5, 40.0), sell("2024-05-01", 8, 40.0), holding={"X": 2}, method="average",
    )  # fmt: skip
    # 15 of 20 at 20; then 5 at 20 and 5 at 40 are 10 at 30.
    assert [(str(row.opened), row.cost) for row in result.realized] == [
        ("2024-01-02", 200), ("2024-02-01", 100), ("2024-02-01", 150), ("2024-04-01", 90),
    ]  # fmt: skip
    assert [(lot.quantity, lot.cost) for lot in result.unrealized] == [(2, 60)]


@pytest.mark.parametrize(("lot_id", "found"), [("third", True), ("unknown", False), ("", False)])
def test_a_sale_of_a_specific_lot_that_is_not_there_is_told(lot_id: str, found: object) -> None:
    result = gains(*THREE_LOTS, sell("2024-04-01", 5, 40.0, lot_id=lot_id), holding={"X": 25}, method="specific")
    assert [(issue.date, issue.kind) for issue in result.issues] == (
        [] if found else [(day("2024-04-01"), "lot_not_found")]
    )
    assert result.realized[0].opened == day("2024-03-01" if found else "2024-01-02")


def test_a_sale_of_the_only_lot_need_not_name_it() -> None:
    assert gains(*ROUND_TRIP, method="specific").issues == ()


class TestTerms:
    @pytest.mark.parametrize(
        ("opened", "closed", "term"),
        [
            ("2023-03-01", "2024-03-01", "short"),
            ("2023-03-01", "2024-03-02", "long"),
            ("2023-02-28", "2024-02-28", "short"),
            ("2023-02-28", "2024-02-29", "long"),
            ("2024-02-28", "2025-02-28", "short"),
            ("2024-02-28", "2025-03-01", "long"),
            ("2024-02-29", "2025-02-28", "short"),
            ("2024-02-29", "2025-03-01", "long"),
        ],
    )
    def test_long_is_after_the_same_date_a_year_later(self, opened: str, closed: str, term: str) -> None:
        assert term_of(day(opened), day(closed)) == term
        assert rows(gains(buy(opened, 1, 1.0), sell(closed, 1, 1.0)), "term") == [(term,)]

    def test_round_trip_of_one_day_is_short_and_no_short_lot(self) -> None:
        result = gains(sell("2024-03-01", 5, 12.0), buy("2024-03-01", 5, 10.0))
        assert rows(result, "days", "term", "gain", "wash_sale") == [(0, "short", 10, False)]
        assert result.unrealized == ()


class TestShortLots:
    def test_a_sale_beyond_the_lots_is_closed_by_the_purchase_that_covers_it(self) -> None:
        result = gains(
            buy("2022-01-03", 4, 10.0), sell("2022-02-01", 10, 15.0, fee=10.0), buy("2024-02-01", 8, 12.0, fee=4.0),
            holding={"X": 2},
        )  # fmt: skip
        assert rows(result, "opened", "closed", "quantity", "proceeds", "cost", "gain", "days", "term") == [
            (day("2022-01-03"), day("2022-02-01"), 4, 56, 40, 16, 29, "short"),
            (day("2022-02-01"), day("2024-02-01"), 6, 84, 75, 9, 730, "short"),
        ]
        assert [(str(lot.opened), lot.quantity, lot.cost) for lot in result.unrealized] == [("2024-02-01", 2, 25)]

    def test_an_open_one_has_negative_quantity_cost_and_value(self) -> None:
        result = gains(sell("2022-02-01", 10, 15.0), holding={"X": -10}, market=a_market({"X": 12.0}))
        (lot,) = result.unrealized
        assert (lot.quantity, lot.cost, lot.value, lot.gain, lot.term) == (-10, -150, -120, 30, "short")
        assert costs(sell("2022-02-01", 10, 15.0), holding={"X": -10}).costs == {"X": -150}

    @pytest.mark.parametrize(
        ("method", "opened"), [("fifo", "2024-01-02"), ("lifo", "2024-03-01"), ("hifo", "2024-02-01")]
    )
    def test_the_method_chooses_which_is_covered(self, method: LotMethod, opened: str) -> None:
        shorts = [
            sell(on, 1, price) for on, price in (("2024-01-02", 12.0), ("2024-02-01", 10.0), ("2024-03-01", 11.0))
        ]
        result = gains(*shorts, buy("2024-04-01", 1, 9.0), holding={"X": -2}, method=method)
        assert rows(result, "opened") == [(day(opened),)]

    def test_splits_count_for_them_too(self) -> None:
        result = gains(sell("2024-01-02", 10, 20.0), entry("split", "2024-02-01", "X", 2.0), buy("2024-03-01", 20, 9.0))
        assert rows(result, "quantity", "proceeds", "cost", "gain") == [(20, 200, 180, 20)]


class TestOpeningQuantities:
    SALES = (buy("2024-02-01", 10, 10.0), sell("2024-03-01", 12, 20.0))

    def test_shares_without_a_record_are_consumed_first(self) -> None:
        result = gains(*self.SALES, holding={"X": 3})
        assert rows(result, "opened", "quantity", "proceeds", "cost", "gain", "days", "term") == [
            (None, 5, 100, None, None, None, None),
            (day("2024-02-01"), 7, 140, 70, 70, 29, "short"),
        ]
        assert result.totals.unknown == GainTotal(100, None, None)
        assert result.totals.short == GainTotal(140, 70, 70)
        assert costs(*self.SALES, holding={"X": 3}).costs == {"X": 30}

    @pytest.mark.parametrize("method", ["lifo", "hifo"])
    def test_they_are_the_last_by_other_orders(self, method: LotMethod) -> None:
        result = gains(*self.SALES, holding={"X": 3}, method=method)
        assert rows(result, "opened", "quantity") == [(day("2024-02-01"), 10), (None, 2)]
        assert costs(*self.SALES, holding={"X": 3}, method=method).costs == {"X": None}

    def test_they_do_not_change_the_average_of_the_others(self) -> None:
        result = gains(*self.SALES, holding={"X": 3}, method="average")
        assert rows(result, "opened", "cost") == [(None, None), (day("2024-02-01"), 70)]

    def test_a_symbol_without_entries_is_a_lot_without_a_record(self) -> None:
        (lot,) = gains(holding={"X": 3}, market=a_market({"X": 4.0})).unrealized
        assert (lot.account_id, lot.opened, lot.quantity, lot.cost, lot.value, lot.gain) == (
            "A",
            None,
            3,
            None,
            12,
            None,
        )
        (lot,) = gains(holding={"X": 3}, own_accounts=accounts("A", "B")).unrealized
        assert lot.account_id is None

    def test_they_are_counted_in_the_shares_before_splits(self) -> None:
        result = gains(
            sell("2024-01-02", 4, 10.0), entry("split", "2024-02-01", "X", 3.0), buy("2024-03-01", 1, 5.0),
            holding={"X": 19},
        )  # fmt: skip
        assert rows(result, "opened", "quantity") == [(None, 4)]
        assert [(lot.opened, lot.quantity) for lot in result.unrealized] == [(None, 18), (day("2024-03-01"), 1)]

    def test_they_lie_where_sales_need_them(self) -> None:
        result = gains(
            buy("2024-01-02", 10, 10.0, account_id="A"), sell("2024-02-01", 30, 11.0, account_id="B"),
            holding={"X": 60}, own_accounts=accounts("A", "B"),
        )  # fmt: skip
        assert rows(result, "account_id", "opened", "quantity") == [("B", None, 30)]
        assert [(lot.account_id, lot.opened, lot.quantity) for lot in result.unrealized] == [
            ("A", None, 50), ("A", day("2024-01-02"), 10),
        ]  # fmt: skip

    def test_a_short_holding_beyond_the_ledger_has_no_record_either(self) -> None:
        result = gains(buy("2024-02-01", 4, 10.0), holding={"X": -6})
        assert rows(result, "opened", "proceeds", "cost", "gain", "term") == [(None, None, 40, None, None)]
        assert [(lot.quantity, lot.cost) for lot in result.unrealized] == [(-6, None)]

    def test_fewer_shares_than_the_ledger_has_are_told_and_their_cost_is_unknown(self) -> None:
        result = gains(buy("2024-02-01", 10, 10.0), holding={"X": 6})
        assert [issue.kind for issue in result.issues] == ["negative_position"]
        assert costs(buy("2024-02-01", 10, 10.0), holding={"X": 6}).costs == {"X": None}


class TestSplits:
    def test_a_split_between_two_purchases_changes_the_first_only(self) -> None:
        result = gains(
            buy("2024-01-02", 10, 40.0), entry("split", "2024-02-01", "X", 4.0), buy("2024-02-01", 10, 11.0),
            sell("2024-03-01", 45, 12.0), holding={"X": 5},
        )  # fmt: skip
        assert rows(result, "quantity", "cost") == [(40, 400), (5, 55)]

    def test_a_stock_dividend_is_a_split_of_one_and_that(self) -> None:
        result = gains(
            buy("2024-01-02", 100, 10.0), entry("stock_dividend", "2024-02-01", "X", 0.05),
            sell("2025-01-03", 105, 10.0),
        )  # fmt: skip
        assert rows(result, "quantity", "cost", "term") == [(105, 1000, "long")]

    @pytest.mark.parametrize(("told", "shares"), [("2024-02-08", 20), ("2024-02-09", 40)])
    def test_the_source_counts_more_than_five_days_away_from_an_own_entry(self, told: str, shares: float) -> None:
        market = a_market({"X": 10.0}, splits={"X": [(day(told), 2.0)]})
        result = gains(
            buy("2024-01-02", 10, 40.0), entry("split", "2024-02-01", "X", 2.0), sell("2024-03-01", shares, 12.0),
            market=market,
        )  # fmt: skip
        assert rows(result, "quantity", "cost") == [(shares, 400)]

    def test_an_entry_of_each_account_counts_once(self) -> None:
        both = [
            entry("split", on, "X", 2.0, account_id=account, transaction_id=account)
            for on, account in (("2024-02-01", "A"), ("2024-02-02", "B"))
        ]
        result = gains(
            buy("2024-01-02", 10, 10.0, account_id="A"), buy("2024-01-02", 5, 10.0, account_id="B"), *both,
            holding={"X": 30}, own_accounts=accounts("A", "B"),
        )  # fmt: skip
        assert [(lot.account_id, lot.quantity, lot.cost) for lot in result.unrealized] == [
            ("A", 20, 100),
            ("B", 10, 50),
        ]
        assert result.issues == ()

    def test_a_split_that_the_holding_does_not_have_yet_is_told(self) -> None:
        market = a_market({"X": {"2019-12-30": 40.0, "2026-11-24": 10.0}}, splits={"X": [(day("2026-11-24"), 4.0)]})
        result = gains(buy("2024-01-02", 10, 30.0), holding={"X": 10}, market=market)
        assert [(lot.quantity, lot.cost, lot.value) for lot in result.unrealized] == [(40, 300, 400)]
        assert [issue.kind for issue in result.issues] == ["corporate_action_pending"]
        assert costs(buy("2024-01-02", 10, 30.0), holding={"X": 10}, market=market).costs == {"X": 300}
        assert gains(buy("2024-01-02", 10, 30.0), holding={"X": 40}, market=market).issues == ()

    def test_the_last_close_is_divided_by_a_split_after_it(self) -> None:
        market = a_market({"X": 40.0}, splits={"X": [(day("2026-11-26"), 4.0)]})
        (lot,) = gains(buy("2024-01-02", 10, 30.0), holding={"X": 40}, market=market).unrealized
        assert (lot.quantity, lot.value) == (40, 400)

    @pytest.mark.parametrize("before", [40.0, 10.0])
    def test_a_transfer_before_a_split_has_its_value_whichever_shares_the_closes_are_in(self, before: float) -> None:
        market = a_market({"X": {"2019-12-30": before, "2024-02-01": 10.0}}, splits={"X": [(day("2024-02-01"), 4.0)]})
        assert costs(entry("transfer_in", "2024-01-02", "X", 5.0), holding={"X": 20}, market=market).costs == {"X": 200}


class TestCorporateActions:
    def test_lots_go_on_under_the_new_symbol(self) -> None:
        result = gains(
            buy("2024-01-02", 10, 40.0), entry("symbol_change", "2024-02-01", "X", to_symbol="Y"),
            sell("2025-03-03", 10, 50.0, "Y"),
        )  # fmt: skip
        assert rows(result, "symbol", "opened", "cost", "term") == [("Y", day("2024-01-02"), 400, "long")]

    def test_cash_of_a_merger_is_a_sale_of_that_part(self) -> None:
        merger = entry("merger", "2024-02-01", "X", to_symbol="Y", ratio=0.5, amount=100.0)
        market = a_market({"Y": 60.0})  # 5 shares arrive, 300: a quarter of the value is cash
        result = gains(buy("2024-01-02", 10, 20.0), merger, holding={"Y": 5}, market=market)
        assert rows(result, "symbol", "quantity", "proceeds", "cost", "gain") == [("X", 2.5, 100, 50, 50)]
        assert [(lot.symbol, lot.quantity, lot.cost) for lot in result.unrealized] == [("Y", 5, 150)]
        assert costs(buy("2024-01-02", 10, 20.0), merger, holding={"Y": 5}, market=market).costs == {"Y": 150}

    def test_a_merger_for_cash_alone_is_a_sale_of_all(self) -> None:
        result = gains(buy("2024-01-02", 10, 20.0), entry("merger", "2024-02-01", "X", amount=250.0))
        assert rows(result, "quantity", "proceeds", "cost", "gain") == [(10, 250, 200, 50)]
        assert result.unrealized == ()
        assert result.issues == ()

    def test_without_a_close_of_the_new_shares_the_parts_of_the_cost_are_unknown(self) -> None:
        merger = entry("merger", "2024-02-01", "X", to_symbol="Y", ratio=0.5, amount=100.0)
        result = gains(buy("2024-01-02", 10, 20.0), merger, holding={"Y": 5})
        assert rows(result, "proceeds", "cost", "gain") == [(100, None, None)]
        assert [(lot.quantity, lot.cost) for lot in result.unrealized] == [(5, None)]

    def test_opening_shares_of_a_renamed_symbol_were_those_of_the_old_one(self) -> None:
        result = gains(
            sell("2024-01-02", 4, 40.0), entry("symbol_change", "2024-02-01", "X", to_symbol="Y", ratio=2.0),
            buy("2024-03-01", 3, 10.0, "Y"), holding={"Y": 15},
        )  # fmt: skip
        assert rows(result, "symbol", "opened", "quantity") == [("X", None, 4)]
        assert [(lot.opened, lot.quantity) for lot in result.unrealized] == [(None, 12), (day("2024-03-01"), 3)]

    def test_shares_still_held_under_the_old_symbol_have_no_record(self) -> None:
        result = gains(
            buy("2024-01-02", 10, 40.0), entry("symbol_change", "2024-02-01", "X", to_symbol="Y"), holding={"X": 10}
        )
        assert [(lot.symbol, lot.opened, lot.quantity) for lot in result.unrealized] == [
            ("X", None, 10), ("Y", day("2024-01-02"), 10),
        ]  # fmt: skip
        assert [issue.kind for issue in result.issues] == ["negative_position"]

    def test_a_spin_off_splits_the_cost_by_the_first_closes_and_keeps_the_age(self) -> None:
        market = a_market({"X": 30.0, "Y": {"2024-02-02": 40.0}})  # 0.25 x 40 beside 30: a quarter
        result = gains(
            buy("2023-01-03", 8, 40.0), entry("spin_off", "2024-02-01", "X", to_symbol="Y", ratio=0.25),
            sell("2024-03-01", 2, 50.0, "Y"), holding={"X": 8}, market=market,
        )  # fmt: skip
        assert rows(result, "symbol", "opened", "quantity", "cost", "term") == [("Y", day("2023-01-03"), 2, 80, "long")]
        assert [(lot.symbol, lot.quantity, lot.cost) for lot in result.unrealized] == [("X", 8, 240)]

    def test_a_spin_off_of_opening_shares_brings_shares_without_a_record(self) -> None:
        market = a_market({"X": 30.0, "Y": 40.0})
        result = gains(
            entry("spin_off", "2024-02-01", "X", to_symbol="Y", ratio=0.25), holding={"X": 8, "Y": 5}, market=market
        )
        assert [(lot.symbol, lot.opened, lot.quantity) for lot in result.unrealized] == [
            ("X", None, 8), ("Y", None, 2), ("Y", None, 3),
        ]  # fmt: skip

    def test_returned_capital_lowers_the_cost_and_is_income_below_zero(self) -> None:
        returned = entry("return_of_capital", "2024-03-01", "X", amount=300.0)
        result = gains(buy("2024-01-02", 10, 10.0), buy("2024-02-01", 10, 20.0), returned, holding={"X": 20})
        assert [lot.cost for lot in result.unrealized] == [0, 50]
        assert [(part.date, part.symbol, part.amount) for part in result.capital_income] == [
            (day("2024-03-01"), "X", 50)
        ]
        averaged = gains(
            buy("2024-01-02", 10, 10.0), buy("2024-02-01", 10, 20.0), returned, holding={"X": 20}, method="average"
        )
        assert [lot.cost for lot in averaged.unrealized] == [0, 0]
        assert averaged.capital_income == ()

    def test_capital_returned_in_one_account_is_of_its_lots(self) -> None:
        result = gains(
            buy("2024-01-02", 10, 10.0), buy("2024-01-02", 10, 10.0, account_id="B"),
            entry("return_of_capital", "2024-03-01", "X", amount=20.0), holding={"X": 20},
            own_accounts=accounts("A", "B"),
        )  # fmt: skip
        assert [(lot.account_id, lot.cost) for lot in result.unrealized] == [("A", 80), ("B", 100)]


class TestTransfers:
    def test_in_opens_a_lot_at_the_market_value_or_the_cost_that_it_brings(self) -> None:
        market = a_market({"X": 12.0})
        result = gains(
            entry("transfer_in", "2024-01-06", "X", 10.0, fee=3.0, transaction_id="1"),
            entry("transfer_in", "2024-01-07", "X", 10.0, price=7.0, transaction_id="2"), holding={"X": 20},
            market=market,
        )  # fmt: skip
        assert [(str(lot.opened), lot.cost) for lot in result.unrealized] == [("2024-01-06", 123), ("2024-01-07", 70)]

    def test_in_without_a_price_has_an_unknown_cost(self) -> None:
        result = gains(entry("transfer_in", "2024-01-08", "X", 10.0), sell("2024-02-01", 10, 12.0))
        assert rows(result, "opened", "cost", "gain", "term") == [(day("2024-01-08"), None, None, "short")]
        assert result.totals.unknown == GainTotal(120, None, None)

    def test_out_takes_lots_without_a_gain(self) -> None:
        result = gains(*THREE_LOTS, entry("transfer_out", "2024-04-01", "X", 15.0), holding={"X": 15}, method="lifo")
        assert result.realized == ()
        assert [(str(lot.opened), lot.quantity, lot.cost) for lot in result.unrealized] == [
            ("2024-01-02", 10, 100), ("2024-02-01", 5, 150),
        ]  # fmt: skip

    def test_between_own_accounts_lots_keep_age_and_cost(self) -> None:
        result = gains(
            *THREE_LOTS, entry("exchange", "2024-04-01", "X", 10.0, to_account_id="B"),
            sell("2024-05-01", 10, 50.0, account_id="B"), holding={"X": 20}, own_accounts=accounts("A", "B"),
        )  # fmt: skip
        assert rows(result, "account_id", "opened", "cost") == [("B", day("2024-01-02"), 100)]
        assert result.issues == ()


class TestAccountsAndCurrencies:
    def test_lots_are_per_account(self) -> None:
        result = gains(
            buy("2024-01-02", 10, 10.0, account_id="A"), buy("2024-02-01", 10, 20.0, account_id="B"),
            sell("2024-03-01", 10, 30.0, account_id="B"), holding={"X": 10}, own_accounts=accounts("A", "B"),
        )  # fmt: skip
        assert rows(result, "account_id", "cost") == [("B", 200)]

    def test_without_an_account_it_is_that_in_the_currency_else_the_first(self) -> None:
        two = [*accounts("A"), *accounts("B", currency="GBP")]
        market = a_market({"X": 10.0}, rates={"GBP": 0.8, "USD": 1.2}, currencies={"X": "GBX", "Z": "CHF"})
        result = gains(
            buy("2024-01-02", 10, 100.0, account_id=""), buy("2024-01-02", 1, 1.0, "Z", account_id=""),
            holding={"X": 10, "Z": 1}, own_accounts=two, market=market,
        )  # fmt: skip
        assert [(lot.symbol, lot.account_id, lot.cost) for lot in result.unrealized] == [
            ("Z", "A", None), ("X", "B", pytest.approx(15)),
        ]  # fmt: skip

    def test_cost_and_proceeds_are_at_their_own_days_rate(self) -> None:
        market = a_market({"X": 9.0}, rates={"USD": {"2019-12-30": 1.0, "2024-06-03": 1.25}}, currencies={"X": "EUR"})
        result = gains(buy("2024-01-02", 10, 10.0), sell("2024-06-03", 4, 10.0), holding={"X": 6}, market=market)
        assert rows(result, "cost", "proceeds", "gain") == [(40, 50, 10)]
        assert [(lot.cost, lot.value) for lot in result.unrealized] == [(60, 67.5)]

    def test_a_day_without_trading_has_the_rate_of_the_next_one_and_its_own_date(self) -> None:
        market = a_market(rates={"USD": {"2019-12-30": 1.0, "2024-06-03": 1.25}}, currencies={"X": "EUR"})
        (lot,) = gains(buy("2024-06-01", 10, 10.0), holding={"X": 10}, market=market).unrealized
        assert (lot.opened, lot.cost) == (day("2024-06-01"), 125)

    def test_the_rate_of_a_transaction_leads_to_the_accounts_currency(self) -> None:
        market = a_market(rates={"USD": 1.25, "GBP": 0.8}, currencies={"X": "EUR"})
        pounds = accounts(currency="GBP")
        (lot,) = gains(
            buy("2024-06-03", 10, 10.0, fx_rate=0.9), holding={"X": 10}, market=market, own_accounts=pounds
        ).unrealized
        assert lot.cost == pytest.approx(10 * 10 * 0.9 * 1.25 / 0.8)

    def test_a_rate_between_equal_currencies_says_nothing(self) -> None:
        market = a_market(rates={"USD": 1.25}, currencies={"X": "EUR"})
        euros = accounts(currency="EUR")
        (lot,) = gains(
            buy("2024-06-03", 10, 10.0, fx_rate=0.9), holding={"X": 10}, market=market, own_accounts=euros
        ).unrealized
        assert lot.cost == pytest.approx(10 * 10 * 1.25)

    def test_the_multiplier_counts(self) -> None:
        market = a_market({"X": 101.0}, multipliers={"X": 0.01})
        (lot,) = gains(buy("2024-06-03", 5000, 98.0, fee=10.0), holding={"X": 5000}, market=market).unrealized
        assert (lot.cost, lot.value) == (4910, 5050)

    def test_without_a_rate_amounts_are_unknown(self) -> None:
        result = gains(*ROUND_TRIP, market=a_market(currencies={"X": "CHF"}))
        assert rows(result, "proceeds", "cost", "gain", "term") == [(None, None, None, "long")]
        assert result.totals.unknown == GainTotal(None, None, None)
        assert result.totals.long == GainTotal(0, 0, 0)


class TestWashSales:
    @pytest.mark.parametrize(
        ("again", "flagged"),
        [
            ("2023-11-19", False), ("2023-11-20", True), ("2023-12-20", True), ("2024-01-19", True),
            ("2024-01-20", False),
        ],
    )  # fmt: skip
    def test_a_purchase_within_thirty_days_on_either_side_flags_a_loss_even_across_new_year(
        self, again: str, flagged: object
    ) -> None:
        result = gains(
            buy("2023-01-03", 10, 100.0), sell("2023-12-20", 10, 80.0), buy(again, 10, 79.0), holding={"X": 10}
        )
        assert rows(result, "gain", "wash_sale") == [(-200, flagged)]
        assert rows(gains_of_year(result, 2023), "wash_sale") == [(flagged,)]

    def test_a_gain_is_none(self) -> None:
        result = gains(
            buy("2023-01-03", 10, 70.0), sell("2023-12-20", 10, 80.0), buy("2024-01-02", 10, 79.0), holding={"X": 10}
        )
        assert rows(result, "wash_sale") == [(False,)]

    def test_the_purchase_of_the_shares_sold_is_none(self) -> None:
        assert rows(gains(buy("2023-12-10", 10, 100.0), sell("2023-12-20", 10, 80.0)), "wash_sale") == [(False,)]

    def test_shares_sold_on_the_same_day_are_not_held_beside(self) -> None:
        result = gains(
            buy("2023-01-03", 10, 100.0), buy("2023-12-10", 10, 90.0), sell("2023-12-20", 10, 80.0, transaction_id="1"),
            sell("2023-12-20", 10, 80.0, transaction_id="2"),
        )  # fmt: skip
        assert rows(result, "wash_sale") == [(False,), (False,)]

    def test_shares_of_the_same_purchase_are_held_beside(self) -> None:
        result = gains(buy("2023-12-10", 10, 100.0), sell("2023-12-20", 4, 80.0), holding={"X": 6})
        assert rows(result, "wash_sale") == [(True,)]

    def test_a_purchase_in_another_account_counts_but_none_of_another_symbol(self) -> None:
        sold = (buy("2023-01-03", 10, 100.0), sell("2023-12-20", 10, 80.0))
        two = accounts("A", "B")
        other = gains(*sold, buy("2024-01-02", 1, 79.0, account_id="B"), holding={"X": 1}, own_accounts=two)
        assert rows(other, "wash_sale") == [(True,)]
        none = gains(*sold, buy("2024-01-02", 1, 79.0, "Y"), holding={"Y": 1})
        assert rows(none, "wash_sale") == [(False,)]

    def test_a_purchase_that_only_covers_is_none(self) -> None:
        result = gains(buy("2023-01-03", 10, 100.0), sell("2023-12-20", 15, 80.0), buy("2024-01-02", 5, 90.0))
        assert rows(result, "gain", "wash_sale") == [(-200, False), (-50, False)]


def test_a_year_has_the_gains_closed_in_it() -> None:
    result = gains(
        buy("2022-01-03", 30, 10.0), sell("2022-12-30", 10, 12.0), sell("2023-01-04", 10, 15.0),
        sell("2023-01-03", 5, 11.0), holding={"X": 5},
    )  # fmt: skip
    year = gains_of_year(result, 2023)
    assert [str(row.closed) for row in year.realized] == ["2023-01-03", "2023-01-04"]
    assert year.totals.short == GainTotal(55, 50, 5)
    assert year.totals.long == GainTotal(150, 100, 50)
    assert year.totals == totals_of(year.realized)
    assert year.unrealized == result.unrealized


def test_transactions_after_today_are_ignored() -> None:
    result = gains(*ROUND_TRIP, holding={"X": 10}, today=day("2025-01-02"))
    assert result.realized == ()
    assert [(lot.quantity, lot.cost, lot.days, lot.term) for lot in result.unrealized] == [(10, 1005, 307, "short")]


def test_fractional_shares_leave_no_crumbs() -> None:
    parts = [buy(f"2024-01-{number:02}", 0.1, 10.0) for number in range(2, 12)]
    result = gains(*parts, sell("2024-03-01", 1.0, 11.0))
    assert result.unrealized == ()
    assert sum(row.quantity for row in result.realized) == pytest.approx(1)
    assert sum(row.proceeds or 0 for row in result.realized) == pytest.approx(11)
