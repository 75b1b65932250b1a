"""Time-weighted and modified Dietz returns, on examples that were computed by hand or published."""

from math import sqrt

import numpy as np

from tests.analysis.returns.arranged import a_person, a_world, about, outcome, period, returns, since, weeks

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")


def test_textbook_of_the_cfa_institute_two_shares_bought_a_year_apart() -> None:
    # CFA Program, Quantitative Methods: a share at 200, another at 225, both sold at 235, 5 of dividends for each:
    # 15 % and 6.67 %, 10.84 % a year time-weighted.
    world = a_world("2022-01-01", "2022-01-02", "2023-01-01", "2023-01-02", "2024-01-01", "2024-01-02")
    world.prices("A", 200, 200, 225, 225, 235)
    person = a_person().did("buy", "2022-01-02", symbol="A", quantity=1, price=200)
    person.did("dividend", "2023-01-01", symbol="A", amount=5).did(
        "buy", "2023-01-02", symbol="A", quantity=1, price=225
    )
    person.did("dividend", "2024-01-01", symbol="A", amount=10)
    person.did("sell", "2024-01-02", symbol="A", quantity=2, price=235)
    found = since(person, world)
    assert found.twr == about(1.15 * (480 / 450) - 1, abs=1e-12)
    assert found.twr_annualized == about((1.15 * (480 / 450)) ** (365 / 731) - 1, abs=1e-12)
    assert about(0.1084, abs=1e-3) == (1.15 * (480 / 450)) ** 0.5 - 1
    assert found.mwr == about(0.0939, abs=1e-3)


def test_example_of_modified_dietz_start_100_inflow_50_halfway_end_300() -> None:
    # en.wikipedia.org/wiki/Modified_Dietz_method: a gain of 150 on an average capital of 125.
    world = a_world("2022-01-01", "2022-01-02", "2023-01-01", "2024-01-01").prices("A", 1, 1, 2.5, 3)
    person = a_person().did("buy", "2022-01-02", symbol="A", quantity=100, price=1)
    person.did("buy", "2023-01-01", symbol="A", quantity=20, price=2.5).holds("A", 120)
    found = since(person, world.prices("A", 1, 1, 2.5, 2.5))
    assert (found.start_value, found.net_flows, found.end_value) == (0, 150, 300)
    assert found.dietz == about(1.2, abs=1e-12)


def test_deposit_is_no_gain_and_a_withdrawal_no_fall() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 11, 11, 11)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[1], symbol="A", quantity=10, price=10)
    person.did("deposit", DAYS[3], amount=1_000).did("withdrawal", DAYS[4], amount=900).holds("A", 10).has(100)
    found = returns(person, world)
    assert period(found, "since").twr == about(0.1)
    assert found.current_drawdown == 0
    assert found.basis == "account"


def test_deposit_on_the_first_day_is_capital_of_that_day() -> None:
    world = a_world(*DAYS[:3]).prices("A", 10, 12, 12)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[1], symbol="A", quantity=10, price=10)
    person.holds("A", 10).has(0)
    found = since(person, world)
    assert found.twr == about(0.2)
    assert found.dietz == about(0.2)
    assert found.start_value == 0


def test_ledger_that_begins_with_the_first_day_of_prices_starts_with_nothing() -> None:
    world = a_world(*DAYS[:3]).prices("A", 10, 12, 12)
    person = a_person().did("buy", DAYS[0], symbol="A", quantity=10, price=10).holds("A", 10)
    found = returns(person, world)
    own = period(found, "since")
    assert (found.since and found.since.isoformat(), own.start and own.start.isoformat()) == (DAYS[0], "2023-12-31")
    assert own.twr == about(0.2)


def test_flow_larger_than_the_portfolio() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 20, 20, 10)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=1, price=10)
    person.did("buy", DAYS[3], symbol="A", quantity=1_000, price=20).holds("A", 1_001)
    found = since(person, world)
    assert found.twr == about(2 * 0.5 - 1)
    # 4, 3, 2 and 1 days of four; the first day's flow counts whole.
    assert found.dietz == about((10_010 - 20_010) / (10 + 20_000 * 1 / 4))


def test_sold_to_zero_and_bought_again_skips_the_days_without_money() -> None:
    world = weeks(8).prices("A", *np.tile([10.0, 11.0], 20))
    days = [str(day) for day in world.days]
    person = a_person().did("buy", days[2], symbol="A", quantity=0.3, price=10)
    person.did("sell", days[5], symbol="A", quantity=0.1, price=11).did(
        "sell", days[5], symbol="A", quantity=0.2, price=11
    )
    person.did("buy", days[32], symbol="A", quantity=5, price=10).holds("A", 5)
    found = since(person, world)
    returned = [0, 0.1, 1 / 1.1 - 1, 0.1] + [0.0] + [0.1, 1 / 1.1 - 1] * 3 + [0.1]
    assert found.twr == about(np.prod(1 + np.array(returned)) - 1)
    assert found.annual_volatility is None
    assert found.reason is None


def test_volatility_counts_the_days_with_a_return() -> None:
    world = weeks(8).prices("A", *np.tile([10.0, 11.0], 20))
    person = a_person().did("buy", str(world.days[1]), symbol="A", quantity=1, price=11).holds("A", 1)
    own = np.append(0.0, np.tile([1 / 1.1 - 1, 0.1], 19))
    found = since(person, world)
    assert found.annual_volatility == about(own.std(ddof=1) * sqrt(252))
    assert found.max_drawdown == about(1 / 1.1 - 1)


def test_negative_cash_is_a_debt_and_its_interest_an_expense() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 11)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[1], symbol="A", quantity=20, price=10)
    person.did("interest", DAYS[3], amount=-5).holds("A", 20).has(-105)
    found = since(person, world)
    assert found.twr == about(120 / 100 * 115 / 120 - 1)
    assert (found.income, found.price_gain) == (-5, about(20))


def test_dividend_that_is_reinvested_on_its_day() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 9, 9)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[1], symbol="A", quantity=10, price=10)
    person.did("dividend", DAYS[2], symbol="A", quantity=10, price=1, tax=1).did(
        "buy", DAYS[2], symbol="A", quantity=1, price=9
    )
    found = since(person.holds("A", 11).has(0), world)
    assert (found.income, found.taxes, found.price_gain) == (10, 1, about(-10))
    assert found.twr == about(-0.01)


def test_fee_larger_than_the_trade() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[2], symbol="A", quantity=1, price=10)
    person.did("sell", DAYS[3], symbol="A", quantity=1, price=10, fee=25, amount=-15).has(75)
    found = since(person, world)
    assert (found.fees, found.end_value, found.residual) == (25, 75, about(0))
    assert found.twr == about(-0.25)


def test_transfer_in_kind_is_a_flow_at_the_close_whatever_its_price() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 12, 12, 15)
    person = a_person().did("transfer_in", DAYS[2], symbol="A", quantity=10, price=3)
    person.did("transfer_out", DAYS[4], symbol="A", quantity=4).holds("A", 6)
    found = since(person, world)
    assert (found.net_flows, found.price_gain, found.end_value) == (120 - 60, 30, 90)
    assert found.twr == about(0.25)


def test_round_trip_within_a_day_leaves_its_gain() -> None:
    world = a_world(*DAYS).prices("A", 10)
    person = a_person().did("deposit", DAYS[1], amount=100).did("buy", DAYS[2], symbol="A", quantity=5, price=9)
    found = since(person.did("sell", DAYS[2], symbol="A", quantity=5, price=11).has(110), world)
    assert (found.price_gain, found.twr) == (about(10), about(0.1))


def test_short_position_gains_when_prices_fall_and_pays_dividends() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 8)
    person = a_person().did("deposit", DAYS[1], amount=100).did("sell", DAYS[1], symbol="A", quantity=5, price=10)
    found = since(person.did("dividend", DAYS[3], symbol="A", amount=-2).holds("A", -5).has(148), world)
    assert (found.price_gain, found.income, found.end_value) == (10, -2, 108)
    assert found.twr == about(0.08)


def test_more_lost_than_everything_has_no_time_weighted_return() -> None:
    world = a_world(*DAYS).prices("A", 10, 10, 40, 40, 40)
    person = a_person().did("deposit", DAYS[1], amount=100).did("sell", DAYS[1], symbol="A", quantity=10, price=10)
    found = returns(person.holds("A", -10).has(200), world)
    own = period(found, "since")
    assert (own.twr, own.max_drawdown, own.reason) == (None, None, "negative_capital")
    assert own.dietz == about(-3)
    assert found.current_drawdown is None


def test_later_periods_do_not_know_a_total_loss_before_them() -> None:
    world = weeks(30).prices("A", *[10.0] * 20, 0.0).prices("B", *[10.0] * 120, *[11.0] * 30)
    days = [str(day) for day in world.days]
    person = a_person().did("buy", days[10], symbol="A", quantity=1, price=10)
    person.did("buy", days[30], symbol="B", quantity=1, price=10).holds("A", 1).holds("B", 1)
    found = returns(person, world)
    assert period(found, "since").twr == -1
    assert period(found, "3m").twr == about(0.1)


def test_benchmark_with_the_same_flows() -> None:
    world = a_world(*DAYS).prices("A", 10).benchmark_returns(0, 0.5, 0.1, -0.2, 0.05)
    person = a_person().did("deposit", DAYS[1], amount=100).did("withdrawal", DAYS[3], amount=30).has(70)
    assert since(person, world).benchmark_same_flows == about(((100 * 1.5 * 1.1 * 0.8) - 30) * 1.05)
    person = a_person().did("deposit", DAYS[1], amount=100).did("withdrawal", DAYS[3], amount=100).has(0)
    world.benchmark_returns(0, 0, -0.5)
    assert since(person, world).benchmark_same_flows is None


def test_periods_start_on_the_last_trading_day_and_leap_days_are_clipped() -> None:
    world = weeks(70, "2023-01-02").prices("A", 10)
    world.days = world.days[world.days <= np.datetime64("2024-03-29")]
    world.prices("A", 10)
    person = a_person().did("buy", "2023-02-01", symbol="A", quantity=1, price=10).holds("A", 1)
    found = returns(person, world)
    starts = {own.period: str(own.start) for own in found.periods}
    assert starts == {
        "1m": "2024-02-29", "3m": "2023-12-29", "ytd": "2023-12-29", "1y": "2023-03-29", "3y": "None", "5y": "None",
        "since": "2023-01-31",
    }  # fmt: skip
    assert [own.period for own in found.periods if own.reason == "ledger_begins_later"] == ["3y", "5y"]


def test_year_with_a_leap_day_is_annualized_over_366_days() -> None:
    world = a_world("2024-01-01", "2024-01-02", "2025-01-01").prices("A", 100, 100, 110)
    person = a_person().did("buy", "2024-01-02", symbol="A", quantity=1, price=100).holds("A", 1)
    found = since(person, world)
    assert found.twr_annualized == about(1.1 ** (365 / 366) - 1)


def test_series_has_value_invested_and_both_indexes_from_the_start_day() -> None:
    world = a_world(*DAYS[:4]).prices("A", 10, 10, 11, 11).benchmark_returns(0, 0.1)
    person = a_person().did("buy", DAYS[1], symbol="A", quantity=1, price=10).holds("A", 2)
    person.did("buy", DAYS[3], symbol="A", quantity=1, price=11)
    daily = outcome(person, world).daily
    assert daily is not None
    assert daily.value.tolist() == [0, 10, 11, 22]
    assert daily.invested.tolist() == [0, 10, 10, 21]
    assert daily.twr_index.tolist() == about([1, 1, 1.1, 1.1])
    assert daily.benchmark_index.tolist() == about([1, 1.1, 1.1, 1.1])
