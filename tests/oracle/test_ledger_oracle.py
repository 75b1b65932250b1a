"""The oracle of returns against published examples, examples by hand, pyxirr, and the identity of its sums."""

import random
from copy import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
import pyxirr

from tests.oracle import ledger_cases as cases
from tests.oracle.ledger_differences import differences
from tests.oracle.ledger_examples import FIRST, booked, daily, kinds, market_of, person_of, since
from tests.oracle.ledger_inputs import months_before
from tests.oracle.ledger_measures import dietz_capital, xirr, xirr_roots
from tests.oracle.ledger_returns import Result, returns_of

SEEDS = range(12)
DAYS = daily(6)
ROUNDING = 1e-12


def near(value: float) -> object:
    return pytest.approx(value, rel=ROUNDING, abs=1e-9)


def found(case: cases.Case) -> Result:
    return returns_of(case.person, case.market, case.today)


def test_xirr_agrees_with_the_documentation_of_excel() -> None:
    """https://support.microsoft.com/office/xirr-function-de1242ec-6477-445b-b11b-a303ad9adc9d."""
    days = [date(2008, 1, 1), date(2008, 3, 1), date(2008, 10, 30), date(2009, 2, 15), date(2009, 4, 1)]
    amounts = [-10000, 2750, 4250, 3250, 2750]
    rate = xirr([*zip(days, map(Decimal, amounts), strict=True)], Decimal("0.1"))
    assert rate is not None
    assert float(rate) == pytest.approx(0.373362535, abs=5e-9)  # as printed there, by an iteration of limited precision


def test_xirr_agrees_with_pyxirr() -> None:
    chance = random.Random(1)  # noqa: S311 - repeatable on purpose
    for _ in range(100):
        days = sorted(chance.sample(daily(1500, date(2019, 1, 1)), chance.randint(2, 20)))
        amounts = [-chance.uniform(1000, 9000), *(chance.uniform(10, 2000) for _ in days[1:])]
        rate = xirr([*zip(days, map(Decimal, amounts), strict=True)])
        expected = pyxirr.xirr(days, amounts)
        assert expected is not None
        assert (rate is None) == (expected > 100)
        assert float(100 if rate is None else rate) == pytest.approx(min(expected, 100), rel=1e-9, abs=1e-9)


def test_xirr_finds_all_roots_and_takes_the_nearest() -> None:
    days = [FIRST, FIRST + timedelta(days=365), FIRST + timedelta(days=730)]
    flows = [*zip(days, map(Decimal, (-100, 230, -132)), strict=True)]  # -(x - 1.1)(x - 1.2) 100
    assert [float(root) for root in xirr_roots(flows)] == [near(0.1), near(0.2)]
    assert float(xirr(flows, Decimal("0.16")) or 0) == near(0.2)
    assert float(xirr(flows, Decimal("-0.5")) or 0) == near(0.1)
    assert xirr([(day, -flow * flow) for day, flow in flows]) is None


def test_modified_dietz_agrees_with_the_textbook() -> None:
    """Wikipedia, "Modified Dietz method", Example: 100 is 300 after two years with 50 at half time: 120 %; IRR 50 %."""
    start, middle, end = date(2021, 1, 1), date(2022, 1, 1), date(2023, 1, 1)
    capital = dietz_capital(start, date(2021, 1, 4), end, Decimal(100), [(middle, Decimal(50))])
    assert capital == 125
    assert float((300 - 100 - 50) / capital) == near(1.2)
    rate = xirr([(start, Decimal(-100)), (middle, Decimal(-50)), (end, Decimal(300))])
    assert float(rate or 0) == near(0.5)


def test_time_weighted_return_with_a_flow_agrees_with_the_textbook() -> None:
    """https://acadifi.com/community/gips-performance-calculation-time-weighted-money-weighted: 1.05 x 1.08 - 1.

    1,000,000 are worth 1,050,000 before a deposit of 200,000, and 1,350,000 in the end.
    """
    market = market_of(DAYS, {"X": [100, 100, 102, 105, 105, 113.4]})
    person = person_of(
        [
            booked("deposit", DAYS[1], amount=1_000_000.0),
            booked("buy", DAYS[1], "X", quantity=10_000.0, price=100.0),
            booked("deposit", DAYS[4], amount=200_000.0),
            booked("buy", DAYS[4], "X", amount=200_000.0, quantity=200_000 / 105),
        ],
        {"X": 10_000 + 200_000 / 105},
    )
    period = since(returns_of(person, market, DAYS[-1]))
    assert period.twr == near(0.134)
    assert (period.start_value, period.net_flows, period.end_value) == (0, 1_200_000, near(1_350_000))


def test_each_member_of_a_period_is_as_computed_by_hand() -> None:
    market = market_of(DAYS, {"X": [10, 10, 11, 12, 12, 9]}, benchmark=[0, 0.5, 0.1, 0, 0, 0])
    person = person_of(
        [
            booked("deposit", DAYS[1], amount=1000.0),
            booked("buy", DAYS[1], "X", quantity=50.0, price=9.0, fee=5.0),
            booked("dividend", DAYS[2], "X", amount=20.0, tax=3.0),
            booked("sell", DAYS[3], "X", quantity=20.0, price=12.5, fee=1.0, tax=2.0),
            booked("withdrawal", DAYS[4], amount=100.0),
            booked("fee", DAYS[5], amount=7.0),
        ],
        {"X": 30.0},
        1000 - 455 + 20 + 247 - 100 - 7.0,
    )
    result = returns_of(person, market, DAYS[-1])
    period = since(result)
    values = [545 + 500.0, 565 + 550.0, 812 + 360.0, 712 + 360.0, 705 + 270.0]
    assert period.end_value == near(values[-1])
    assert period.price_gain == near(50 + 50 + (360 - 550 + 250) + 0 - 90)
    assert (period.income, period.fees, period.taxes) == (near(23), near(5 + 1 + 7), near(3 + 2))
    assert (period.net_flows, period.fx_gain, period.residual) == (900, 0, near(0))
    growth = values[0] / 1000 * values[1] / values[0] * values[2] / values[1]
    assert period.twr == near(growth * (values[3] + 100) / values[2] * values[4] / values[3] - 1)
    assert period.dietz == near((975 - 900) / (1000 - 100 * 1 / 5))
    assert period.benchmark_same_flows == near(1000 * 1.5 * 1.1 - 100)
    assert period.max_drawdown == near(values[4] / values[3] - 1) == result.returns.current_drawdown
    gains = {row.symbol: row.gain for row in result.returns.contributions if row.period == "since"}
    assert gains == {"X": near(70 + 23 - 5 - 1 - 3 - 2), None: near(-7)}


def test_currency_gain_is_that_of_positions_cash_and_differing_rates() -> None:
    market = market_of(DAYS, {"X": [1000, 1000, 1000, 1100, 1100, 1100]},
        rates={"GBP": [0.8, 0.8, 0.8, 0.8, 0.5, 0.5], "USD": [2, 2, 2, 2, 2, 2]}, currencies={"X": "GBX"})  # fmt: skip
    person = person_of(
        [
            booked("deposit", DAYS[1], amount=1000.0),
            booked("buy", DAYS[2], "X", quantity=10.0, price=1000.0, fx_rate=0.026),
        ],
        {"X": 10.0},
        1000 - 260.0,
        base="EUR",
    )
    period = since(returns_of(person, market, DAYS[-1]))  # a penny is 0.0125 euros, then 0.02; a dollar half a euro
    assert period.end_value == near(370 + 11000 * 0.02)
    assert period.price_gain == near(1000 * 0.0125)
    assert period.fx_gain == near(11000 * (0.02 - 0.0125) - 10000 * (0.013 - 0.0125))
    assert (period.net_flows, period.residual) == (near(500), near(0))


@pytest.mark.parametrize("told", ["ledger", "source", "both"])
@pytest.mark.parametrize("closes", [[10, 10, 10, 5, 5, 6], [5, 5, 5, 5, 5, 6]])
def test_a_split_is_no_gain_in_the_ledger_or_from_the_source(told: str, closes: list[float]) -> None:
    splits = {"X": [(DAYS[3] if told == "source" else DAYS[5], 2.0)]} if told != "ledger" else {}
    entries = [booked("split", DAYS[3], "X", quantity=2.0)] if told != "source" else []
    trades = [booked("deposit", DAYS[1], amount=100.0), booked("buy", DAYS[1], "X", quantity=10.0, price=10.0)]
    market = market_of(DAYS, {"X": closes}, splits=splits)
    period = since(returns_of(person_of([*trades, *entries], {"X": 20.0}), market, DAYS[-1]))
    assert (period.twr, period.price_gain, period.residual) == (near(0.2), near(20), near(0))


def test_a_split_that_holdings_do_not_have_yet_is_pending() -> None:
    market = market_of(DAYS, {"X": [10, 10, 10, 5, 5, 5]}, splits={"X": [(DAYS[3], 2.0)]})
    trades = [booked("deposit", DAYS[1], amount=100.0), booked("buy", DAYS[1], "X", quantity=10.0, price=10.0)]
    result = returns_of(person_of(trades, {"X": 10.0}), market, DAYS[-1])
    assert kinds(result) == {"corporate_action_pending"}
    assert since(result).end_value == near(100)


def test_securities_alone_pay_and_receive_from_outside() -> None:
    market = market_of(DAYS, {"X": [10, 10, 12, 12, 12, 12]}, multipliers={"X": 100.0})
    trades = [
        booked("buy", DAYS[1], "X", quantity=1.0, price=10.0, fee=10.0),
        booked("dividend", DAYS[3], "X", amount=60.0),
        booked("sell", DAYS[4], "X", quantity=1.0, price=12.0),
    ]
    result = returns_of(person_of(trades, cash=None), market, DAYS[-1])
    assert result.returns.basis == "securities"
    period = since(result)
    assert (period.net_flows, period.price_gain) == (near(1010 - 60 - 1200), near(200))
    assert (period.income, period.fees) == (near(60), near(10))
    assert period.twr == near(1000 / 1010 * 1.2 * 1260 / 1200 - 1)


def test_a_short_position_gains_by_a_fall_and_pays_dividends() -> None:
    market = market_of(DAYS, {"X": [10, 10, 10, 8, 8, 8]})
    trades = [
        booked("deposit", DAYS[1], amount=1000.0),
        booked("sell", DAYS[1], "X", quantity=10.0, price=10.0),
        booked("dividend", DAYS[4], "X", amount=-5.0),
    ]
    period = since(returns_of(person_of(trades, {"X": -10.0}, 1095.0), market, DAYS[-1]))
    assert (period.price_gain, period.income, period.end_value) == (near(20), near(-5), near(1015))


def test_unexplained_beginnings_move_the_sound_period() -> None:
    market = market_of(DAYS, {"X": [10] * 6, "Y": [float("nan")] * 3 + [10] * 3})
    deposit, buy = booked("deposit", DAYS[1], amount=10.0), booked("buy", DAYS[3], "X", quantity=1.0, price=10.0)
    sale = booked("sell", DAYS[4], "X", quantity=5.0, price=10.0)
    opening = returns_of(person_of([deposit, buy], {"X": 8.0}), market, DAYS[-1])
    assert (kinds(opening), opening.returns.since) == ({"opening_position"}, DAYS[1])
    assert since(opening).start_value == near(70)
    sold = returns_of(person_of([deposit, buy, sale], {"X": 0.0}, 50.0), market, DAYS[-1])
    assert (kinds(sold), sold.returns.since) == ({"opening_position"}, DAYS[1])
    missing = returns_of(person_of([deposit, buy], {"X": 0.0}), market, DAYS[-1])
    assert (kinds(missing), missing.returns.since) == ({"negative_position"}, DAYS[3])
    cash = returns_of(person_of([booked("deposit", DAYS[2], amount=10.0)], {}, 4.0), market, DAYS[-1])
    assert (kinds(cash), cash.returns.since) == ({"unexplained_cash"}, DAYS[2])
    unpriced = returns_of(
        person_of([deposit, booked("deposit", DAYS[4], amount=1.0)], {"Y": 1.0}, 11.0), market, DAYS[-1]
    )
    assert (kinds(unpriced), unpriced.returns.since) == ({"missing_price", "opening_position"}, DAYS[4])
    nothing = returns_of(person_of([deposit], {"Y": 1.0}, 10.0), market, DAYS[-1])
    assert {period.reason for period in nothing.returns.periods} == {"unsound_ledger"}


def test_months_are_clipped_at_their_end() -> None:
    assert months_before(date(2024, 3, 31), 1) == date(2024, 2, 29)
    assert months_before(date(2024, 1, 15), 3) == date(2023, 10, 15)
    assert months_before(date(2024, 2, 29), 12) == date(2023, 2, 28)
    assert months_before(date(2024, 2, 29), -12) == date(2025, 2, 28)


@pytest.mark.parametrize("seed", SEEDS)
def test_sound_ledgers_add_up(seed: int) -> None:
    case = cases.sound(seed)
    result = found(case)
    assert kinds(result) <= {"prices_already_adjusted"}
    assert result.returns.since is not None
    for period in result.returns.periods:
        if period.residual is not None:
            assert abs(period.residual) <= 1e-9 * result.gross
    for name in ("ytd", "1y", "since"):
        period = next(period for period in result.returns.periods if period.period == name)
        rows = [row for row in result.returns.contributions if row.period == name]
        if period.dietz is not None:
            assert sum(row.contribution or 0 for row in rows) == pytest.approx(period.dietz, rel=1e-9, abs=1e-9)
    last = result.series[-1]
    assert last.value == since(result).end_value
    assert last.invested == pytest.approx((since(result).start_value or 0) + (since(result).net_flows or 0))


@pytest.mark.parametrize("seed", SEEDS)
def test_sound_ledgers_are_worth_what_their_writer_knows(seed: int) -> None:
    case = cases.sound(seed)
    result = found(case)
    weeks = [week for week in result.series if case.values.get(week.date, (None, 0))[0] is not None]
    assert weeks
    for week in weeks:
        shares, cash = case.values[week.date]
        known = (shares or 0) + (cash if result.returns.basis == "account" else 0)
        assert abs(week.value - known) <= 1e-9 * result.gross


@pytest.mark.parametrize("seed", SEEDS)
def test_wild_ledgers_have_an_answer(seed: int) -> None:
    result = found(cases.wild(seed))
    for period in result.returns.periods:
        unknown = period.reason in ("unsound_ledger", "ledger_begins_later")
        assert (period.end_value is None) == unknown


def test_every_fault_is_told() -> None:
    told: set[str] = set()
    for seed in range(100, 130):
        told |= kinds(found(cases.wild(seed)))
    expected = {"amount_mismatch", "future_transaction", "opening_position", "missing_price", "unexplained_cash"}
    assert told >= expected | {"negative_position", "corporate_action_pending", "unknown_type"}


def test_columns_give_back_the_transactions() -> None:
    ledgers = [cases.sound(seed).person.transactions for seed in range(3)]
    columns = cases.columns(ledgers)
    assert np.all(np.diff(columns.owner) >= 0)
    for owner, ledger in enumerate(ledgers):
        assert sorted(columns.of(owner), key=repr) == sorted(ledger, key=repr)


def test_differences_are_told() -> None:
    result = found(cases.sound(1))
    assert differences(result.returns, result) == []
    first, *others = result.returns.periods
    more = (first.end_value or 0) + 1e-6 * result.gross
    changed = replace(result.returns, periods=(replace(first, end_value=more), *others), issues=())
    assert [text.split(":")[0] for text in differences(changed, result)][:1] == ["1m.end_value"]
    assert differences(None, result)
