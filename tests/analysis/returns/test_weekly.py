from datetime import date

from analysis.returns.outcomes import DailyReturns
from analysis.returns.weekly import weekly_returns
from tests.analysis.returns.arranged import a_person, outcome, weeks


def a_ledger() -> DailyReturns:
    world = weeks(3).prices("A", 10, 10, 11)
    daily = outcome(a_person().did("buy", "2024-01-02", symbol="A", quantity=1, price=10).holds("A", 1), world).daily
    assert daily is not None
    return daily


def test_last_trading_day_of_each_week_is_shown() -> None:
    shown = weekly_returns(a_ledger())
    assert shown.days == (date(2024, 1, 5), date(2024, 1, 12), date(2024, 1, 19))
    assert (shown.value, shown.invested) == ((11, 11, 11), (10, 10, 10))
    assert shown.twr_index[-1] == 1.1
    assert shown.benchmark_index == (1, 1, 1)


def test_last_day_is_shown_where_a_week_is_cut() -> None:
    shown = weekly_returns(a_ledger(), date(2024, 1, 8), date(2024, 1, 17))
    assert shown.days == (date(2024, 1, 12), date(2024, 1, 17))


def test_days_outside_of_the_ledger_are_empty() -> None:
    assert weekly_returns(a_ledger(), date(2025, 1, 1)).days == ()
    assert weekly_returns(a_ledger(), date(2024, 1, 17), date(2024, 1, 8)).days == ()
