from datetime import date

import numpy as np
import pytest

from analysis.models import Dates, Floats
from analysis.returns.payments import implied_payments
from tests.builders import weekdays

DAYS = weekdays(600)
NO_DAYS: Dates = np.array([], dtype="datetime64[D]")


def closes(seed: int = 1, first: float = 80.0, volatility: float = 0.015) -> Floats:
    steps = np.random.default_rng(seed).normal(0.0003, volatility, len(DAYS) - 1)
    return first * np.exp(np.concatenate([[0.0], np.cumsum(steps)]))


def adjusted(close: Floats, payments: dict[int, float], splits: dict[int, float] | None = None) -> Floats:
    """Return adjusted closes as sources calculate them, backwards: by 1 - payment / close before, and by splits."""
    factors = np.ones(len(close))
    for row, amount in payments.items():
        factors[:row] *= 1 - amount / close[row - 1]
    for row, ratio in (splits or {}).items():
        factors[:row] /= ratio
    return close * factors


def implied(
    close: Floats, adj_close: Floats, split_days: Dates = NO_DAYS, splits: tuple[tuple[date, float], ...] = ()
) -> dict[int, float]:
    dates, amounts = implied_payments(DAYS, close, adj_close, split_days, splits)
    rows = DAYS.searchsorted(dates).tolist()
    return dict(zip(rows, amounts.tolist(), strict=True))


def test_payment_is_the_close_before_times_one_minus_the_ratio_of_returns() -> None:
    close, adj_close = np.full(600, 50.01), np.full(600, 49.01)
    close[300:], adj_close[300:] = 48.25, 48.25
    # 50.01 x (1 - 49.01/48.25 x 48.25/50.01)
    assert implied(close, adj_close) == pytest.approx({300: 1.0})


QUARTERS = {61: 0.24, 124: 0.24, 187: 0.25, 250: 0.25, 313: 0.25, 376: 0.25, 439: 0.26, 502: 0.26, 565: 0.26}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("decimals", "error"), [(2, 0.025), (6, 5e-6)])
def test_quarterly_dividends_are_found_in_rounded_prices(seed: int, decimals: int, error: float) -> None:
    close = np.round(closes(seed, first=30.0), 2)
    adj_close = np.round(adjusted(close, QUARTERS), decimals)
    found = implied(close, adj_close)
    assert found.keys() == QUARTERS.keys()
    assert all(abs(found[row] - amount) < error for row, amount in QUARTERS.items())


def test_prices_without_rounding_tell_the_exact_amounts() -> None:
    close = closes()
    assert implied(close, adjusted(close, QUARTERS)) == pytest.approx(QUARTERS, rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_rounding_alone_is_no_payment(seed: int) -> None:
    close = closes(seed, first=3.0)
    adj_close = np.round(close * 0.7, 2)
    assert implied(np.round(close, 2), adj_close) == {}


@pytest.mark.parametrize(
    ("share", "found"), [(0.0004, False), (0.0006, True), (0.16, True), (1 - 1 / 1.2, True), (0.168, False)]
)
def test_payment_is_from_a_twentieth_of_a_percent_to_what_a_corporate_action_is(share: float, found: object) -> None:
    close = np.full(600, 100 + 1e-7)
    assert (300 in implied(close, adjusted(close, {300: close[0] * share}))) is found


@pytest.mark.parametrize(("amount", "found"), [(0.03, True), (0.012, False)])
def test_payment_is_more_than_twice_the_rounding(amount: float, found: object) -> None:
    close = np.full(600, 10.01)  # two decimals: about 0.1 % of rounding in adj/close on both days
    assert bool(implied(close, np.round(adjusted(close, {300: amount}), 2))) is found


def test_payments_are_found_in_whole_numbers() -> None:
    assert implied(np.full(600, 100.0), adjusted(np.full(600, 100.0), {300: 1.0})) == {300: pytest.approx(1.0)}


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_an_adjusted_close_that_is_wrong_for_a_day_or_two_is_no_payment(length: int, factor: float) -> None:
    close = closes()
    adj_close = close.copy()
    adj_close[300 : 300 + length] *= factor
    assert implied(close, adj_close) == {}


def test_payment_of_the_last_day_is_found() -> None:
    close = closes()
    assert implied(close, adjusted(close, {599: 0.5})) == pytest.approx({599: 0.5})


def test_payments_before_a_split_are_in_todays_shares() -> None:
    close = closes()
    close[:300] *= 4
    adj_close = adjusted(close, {100: 2.0, 299: 2.0, 301: 0.5}, {300: 4.0})
    split = (DAYS[300].item(), 4.0)
    assert implied(close, adj_close, splits=(split,)) == pytest.approx({100: 0.5, 299: 0.5, 301: 0.5})


def test_closes_that_are_in_new_shares_already_tell_the_payments_in_them() -> None:
    close = closes()
    adj_close = adjusted(close, {100: 0.5})
    assert implied(close, adj_close, splits=((DAYS[300].item(), 4.0),)) == pytest.approx({100: 0.5})
    assert implied(close, adj_close, splits=((date(2100, 1, 1), 4.0),)) == pytest.approx({100: 0.125})


@pytest.mark.parametrize("days_before", [0, 1, 2])
def test_no_payment_is_on_the_day_of_a_known_split(days_before: int) -> None:
    # A split of 11:10 is too small to be told from a dividend; known on a day without trading, it shows on the next.
    row = 300 + next(number for number in range(5) if DAYS[300 + number].item().weekday() == 0)
    close = closes()
    close[:row] *= 1.1
    adj_close = adjusted(close, {}, {row: 1.1})
    known = DAYS[row : row + 1] - np.timedelta64(days_before, "D")
    assert implied(close, adj_close).keys() == {row}
    assert implied(close, adj_close, split_days=known) == {}


def test_of_more_than_thirteen_in_a_year_the_largest_count() -> None:
    close = np.full(600, 100 + 1e-7)
    payments = {599 - 10 * number: 0.5 + 0.01 * number for number in range(20)}
    assert implied(close, adjusted(close, payments)).keys() == {599 - 10 * number for number in range(7, 20)}
    monthly = {599 - 21 * number: 0.5 for number in range(25)}
    assert implied(close, adjusted(close, monthly)).keys() == monthly.keys()


@pytest.mark.parametrize("length", [0, 1])
def test_a_day_alone_has_no_payment(length: int) -> None:
    dates, amounts = implied_payments(DAYS[:length], np.ones(length), np.ones(length), NO_DAYS, ())
    assert len(dates) == len(amounts) == 0
