"""The oracle of lots, gains and income against published examples, by hand, and sums that no method changes."""

from collections import defaultdict
from copy import replace
from datetime import date

import numpy as np
import pytest

from analysis.models import LotMethod
from analysis.returns.ledger import Market, Transaction
from tests.oracle import ledger_cases as cases
from tests.oracle.ledger_examples import booked, daily, market_of, person_of
from tests.oracle.ledger_gains import Gains
from tests.oracle.ledger_income import income_of
from tests.oracle.ledger_lots import gains_of

METHODS: tuple[LotMethod, ...] = ("fifo", "lifo", "hifo", "average", "specific")
DAYS = daily(500)
TODAY = DAYS[-1]
SEEDS = range(8)


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-12, abs=1e-9)


def market(**closes: list[float]) -> Market:
    return market_of(DAYS, closes or {"X": [18.0] * len(DAYS)})


def gains(
    transactions: list[Transaction],
    held: float,
    method: LotMethod = "fifo",
    known: Market | None = None,
    symbol: str = "X",
) -> Gains:
    return gains_of(person_of(transactions, {symbol: held}), known or market(), TODAY, method)


THREE_LOTS = [
    booked("buy", DAYS[0], "X", quantity=10.0, price=9.9, fee=1.0, lot_id="a"),
    booked("buy", DAYS[1], "X", quantity=10.0, price=20.0, lot_id="b"),
    booked("buy", DAYS[2], "X", quantity=10.0, price=15.0, lot_id="c"),
    booked("sell", DAYS[420], "X", quantity=15.0, price=18.0, fee=2.0, tax=1.0, lot_id="c"),
]


@pytest.mark.parametrize(
    ("method", "costs"),
    [
        ("fifo", [100, 100]),
        ("lifo", [150, 100]),
        ("hifo", [200, 75]),
        ("average", [150, 75]),
        ("specific", [150, 50]),
    ],
)
def test_each_method_consumes_its_lots(method: LotMethod, costs: list[float]) -> None:
    found = gains(THREE_LOTS, 15.0, method)
    assert [row.cost for row in found.realized] == [near(cost) for cost in costs]
    assert [row.quantity for row in found.realized] == [10, 5]
    assert [row.proceeds for row in found.realized] == [near(267 * 10 / 15), near(267 * 5 / 15)]
    assert found.totals["long"].gain == near(267 - sum(costs))
    assert sum(row.cost or 0 for row in found.unrealized) == near(450 - sum(costs))
    assert found.issues == ({("lot_not_found", DAYS[420])} if method == "specific" else set())


def test_a_term_is_long_after_the_same_day_a_year_later() -> None:
    buy = booked("buy", date(2024, 2, 29), "X", quantity=3.0, price=10.0)
    sales = [
        booked("sell", date(2025, 2, 28), "X", quantity=1.0, price=9.0),
        booked("sell", date(2025, 3, 1), "X", quantity=1.0, price=9.0),
    ]
    found = gains([buy, *sales], 1.0)
    assert [(row.term, row.days) for row in found.realized] == [("short", 365), ("long", 366)]
    assert found.totals["short"].gain == found.totals["long"].gain == near(-1)
    assert (found.totals["unknown"].gain, found.unrealized[0].term) == (0, "long")


@pytest.mark.parametrize(("days", "is_wash"), [(30, True), (31, False)])
def test_a_wash_sale_is_that_of_the_tax_office(days: int, is_wash: bool) -> None:
    """IRS, Publication 550: 100 shares bought for 1,000, sold for 750, bought again within 30 days for 800."""
    trades = [
        booked("buy", DAYS[0], "X", quantity=100.0, price=10.0),
        booked("sell", DAYS[50], "X", quantity=100.0, price=7.5),
        booked("buy", DAYS[50 + days], "X", quantity=100.0, price=8.0),
    ]
    (row,) = gains(trades, 100.0).realized
    assert (row.gain, row.wash_sale) == (-250, is_wash)


def test_shares_bought_before_wash_only_if_they_are_held_beside() -> None:
    trades = [
        booked("buy", DAYS[0], "X", quantity=10.0, price=30.0),
        booked("buy", DAYS[40], "X", quantity=10.0, price=25.0),
    ]
    all_sold = gains([*trades, booked("sell", DAYS[50], "X", quantity=20.0, price=20.0)], 0.0)
    assert [row.wash_sale for row in all_sold.realized] == [False, False]
    some_sold = gains([*trades, booked("sell", DAYS[50], "X", quantity=15.0, price=20.0)], 5.0)
    assert [row.wash_sale for row in some_sold.realized] == [True, True]


def test_a_sale_beyond_the_lots_opens_a_short_one() -> None:
    trades = [
        booked("buy", DAYS[0], "X", quantity=5.0, price=10.0),
        booked("sell", DAYS[1], "X", quantity=15.0, price=12.0),
        booked("buy", DAYS[2], "X", quantity=12.0, price=11.0),
    ]
    found = gains(trades, 2.0)
    long, short = found.realized
    assert (long.quantity, long.gain) == (5, near(10))
    assert (short.opened, short.closed, short.quantity, short.gain) == (DAYS[1], DAYS[2], -10, near(10))
    assert (short.term, found.unrealized[0].cost) == ("short", near(22))


def test_an_opening_quantity_has_no_cost_and_goes_first() -> None:
    trades = [
        booked("buy", DAYS[1], "X", quantity=5.0, price=10.0),
        booked("sell", DAYS[2], "X", quantity=7.0, price=12.0),
    ]
    first, second = gains(trades, 4.0).realized
    assert (first.opened, first.cost, first.gain, first.term, first.quantity) == (None, None, None, "unknown", 6)
    assert (second.quantity, second.gain) == (1, near(2))


def test_splits_mergers_and_spin_offs_keep_the_cost() -> None:
    closes = {"X": [10.0] * 500, "Y": [20.0] * 500, "Z": [5.0] * 500}
    trades = [
        booked("buy", DAYS[0], "X", quantity=10.0, price=12.0),
        booked("split", DAYS[1], "X", quantity=2.0),
        booked("spin_off", DAYS[2], "X", to_symbol="Z", ratio=0.5),
        booked("merger", DAYS[3], "X", to_symbol="Y", ratio=0.5, amount=50.0),
    ]
    person = person_of(trades, {"Y": 10.0, "Z": 10.0})
    found = gains_of(person, market(**closes), TODAY, "fifo")
    cost = 120 * 200 / 250  # of twenty shares at 10, and ten at 5
    (row,) = found.realized
    assert (row.symbol, row.quantity, row.proceeds) == ("X", near(4), 50)
    assert row.cost == near(cost * 50 / 250)
    left = {lot.symbol: (lot.quantity, lot.cost, lot.opened) for lot in found.unrealized}
    assert left == {"Y": (10, near(cost * 0.8), DAYS[0]), "Z": (10, near(24), DAYS[0])}


def test_capital_returned_lowers_the_cost_to_nothing_and_is_income_beyond() -> None:
    trades = [
        booked("buy", DAYS[300], "X", quantity=10.0, price=10.0),
        booked("return_of_capital", DAYS[301], "X", amount=130.0),
    ]
    found = gains(trades, 10.0)
    assert found.unrealized[0].cost == 0
    income = income_of(person_of(trades, {"X": 10.0}), market(), TODAY)
    assert income is not None
    assert income.trailing_12m == near(30)


def test_transfers_come_at_market_value_or_with_their_cost() -> None:
    trades = [
        booked("transfer_in", DAYS[0], "X", quantity=1.0, price=4.0),
        booked("transfer_in", DAYS[1], "X", quantity=1.0),
    ]
    assert [lot.cost for lot in gains(trades, 2.0).unrealized] == [4, 18]


def test_income_is_gross_and_next_is_per_share_of_today() -> None:
    trades = [
        booked("buy", DAYS[0], "X", quantity=10.0, price=10.0),
        booked("dividend", DAYS[100], "X", amount=9.0),
        booked("dividend", DAYS[200], "X", amount=8.0, tax=2.0),
        booked("buy", DAYS[300], "X", quantity=10.0, price=10.0),
        booked("interest", DAYS[400], amount=3.0),
    ]
    income = income_of(person_of(trades, {"X": 20.0}), market(), TODAY)
    assert income is not None
    assert (income.basis, income.trailing_12m, income.next_12m) == ("transactions", near(13), near(20))
    assert (len(income.by_month), sum(month.amount for month in income.by_month)) == (12, near(13))
    assert income.yield_on_value == near(10 / 360)
    rows = {row.symbol: (row.amount, row.yield_on_value) for row in income.by_symbol}
    assert rows == {"X": (near(10), near(10 / 360)), None: (near(3), None)}


def test_the_yield_on_cost_is_by_lots_for_a_person_with_other_currencies() -> None:
    trades = [
        booked("buy", DAYS[0], "X", quantity=10.0, price=10.0, currency="USD"),
        booked("dividend", DAYS[400], "X", amount=5.0, currency="USD"),
    ]
    known = market_of(DAYS, {"X": [18.0] * 500}, rates={"USD": [1.0] * 500})
    for base, of_lots in (("USD", None), ("EUR", near(5 / 100))):
        income = income_of(person_of(trades, {"X": 10.0}, base=base), known, TODAY)
        assert income is not None
        assert income.yield_on_cost == of_lots


def test_income_is_implied_without_a_dividend_in_the_ledger() -> None:
    known = market()
    paid = (np.array([DAYS[300], DAYS[400]], dtype="datetime64[D]"), np.array([0.5, 7.0]))
    prices = replace(known.prices, payments={"X": paid}, distributions={"X": frozenset({DAYS[400]})})
    trades = [booked("buy", DAYS[0], "X", quantity=10.0, price=10.0)]
    income = income_of(person_of(trades, {"X": 10.0}), replace(known, prices=prices), TODAY)
    assert income is not None
    assert (income.basis, income.trailing_12m, income.next_12m) == ("implied", near(5), near(5))
    without = replace(known, prices=replace(prices, adjusted=frozenset({"X"})))
    assert income_of(person_of(trades, {"X": 10.0}), without, TODAY) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_lots_are_what_is_held_by_every_method(seed: int) -> None:
    case = cases.sound(seed)
    held = {holding.symbol: pytest.approx(holding.quantity) for holding in case.person.holdings}
    for method in METHODS:
        quantities: defaultdict[str, float] = defaultdict(float)
        for lot in gains_of(case.person, case.market, case.today, method).unrealized:
            quantities[lot.symbol] += lot.quantity
        assert quantities == held


def test_no_method_changes_the_sum_of_all_gains() -> None:
    told = 0
    for seed in range(300, 330):
        case = cases.sound(seed)
        if {"transfer_out", "return_of_capital"} & {transaction.type for transaction in case.person.transactions}:
            continue  # shares that leave take the cost of the method's lots along
        sums = []
        for method in METHODS:
            found = gains_of(case.person, case.market, case.today, method)
            sums.append(sum(row.gain or 0 for row in [*found.realized, *found.unrealized]))
            told += len(found.realized)
        assert sums == [pytest.approx(sums[0], rel=1e-9, abs=1e-6)] * len(METHODS)
    assert told > 100


def test_a_year_of_gains_is_that_of_closing() -> None:
    case = cases.sound(3)
    every = gains_of(case.person, case.market, case.today, "fifo").realized
    years = {row.closed.year for row in every if row.closed}
    by_year = [gains_of(case.person, case.market, case.today, "fifo", year).realized for year in sorted(years)]
    assert sum(map(len, by_year)) == len(every)
