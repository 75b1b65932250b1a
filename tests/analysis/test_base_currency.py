"""Everything of a person stands in one currency: values, returns, benchmark, checks, stress, orders."""

from datetime import date

import numpy as np
import pytest

from analysis.base_currency import in_base_currency
from analysis.currencies import NO_RATES, Currencies, Rates
from analysis.models import CurrencyExposure, Dates, Floats, Instrument, Report
from analysis.price_table import PriceTable
from analysis.prices import Bars
from records import CheckStatus
from tests.builders import PortfolioBuilder, a_portfolio, a_research, a_table, analyze, bars, random_walk, weekdays

DATES = weekdays(400)
BENCHMARK = random_walk(DATES, 1)
QUOTES = {"US": random_walk(DATES, 2), "UK": random_walk(DATES, 3, first=500.0), "DE": random_walk(DATES, 4)}
OF_SYMBOL = {"US": "USD", "UK": "GBX", "DE": "EUR"}


def moving(seed: int, first: float) -> Floats:
    random = np.random.default_rng(seed)
    return first * np.exp(np.cumsum(random.normal(0, 0.005, len(DATES))))


PER_EURO = {"USD": (DATES, moving(5, 1.1)), "GBP": (DATES, moving(6, 0.85))}
RATES = Rates(PER_EURO)


def table(code: str, rates: Rates = RATES, of_symbol: dict[str, str] | None = None, default: str = "USD") -> PriceTable:
    currencies = Currencies(default, "USD", OF_SYMBOL if of_symbol is None else of_symbol, rates)
    return in_base_currency(a_table(QUOTES, BENCHMARK), code, currencies)


def report(owner: PortfolioBuilder, code: str, rates: Rates = RATES, **more: object) -> Report:
    (found,) = analyze(table(code, rates), owner, **more)  # type: ignore[arg-type]
    return found


def rate(currency: str, base: str, day: int = -1) -> float:
    """Return the cross rate of a day."""
    per_euro = {"EUR": 1.0, **{code: float(own[1][day]) for code, own in PER_EURO.items()}}
    unit = 0.01 if currency == "GBX" else 1.0
    return unit * per_euro[base] / per_euro["GBP" if currency == "GBX" else currency]


def local_returns(own: Bars) -> Floats:
    return own.adj_close[1:] / own.adj_close[:-1] - 1


class TestRates:
    def test_a_cross_goes_through_the_euro(self) -> None:
        found = RATES.between("GBP", "USD", DATES)
        assert found == pytest.approx(PER_EURO["USD"][1] / PER_EURO["GBP"][1], rel=1e-15)

    @pytest.mark.parametrize(("minor", "major"), [("GBX", "GBP"), ("GBp", "GBP"), ("ZAc", "ZAR"), ("ILA", "ILS")])
    def test_a_minor_unit_is_a_hundredth_of_its_currency_without_any_rate(self, minor: str, major: str) -> None:
        assert NO_RATES.between(minor, major, DATES[:2]).tolist() == [0.01, 0.01]
        assert NO_RATES.between(major, minor, DATES[:1]).tolist() == [100.0]

    def test_the_last_rate_counts_for_ten_calendar_days(self) -> None:
        days: Dates = np.arange("2020-01-01", "2020-01-20", dtype="datetime64[D]")
        known = Rates({"USD": (days[[4, 5]], np.array([1.1, 1.2]))}).between("EUR", "USD", days)
        assert np.flatnonzero(np.isnan(known)).tolist() == [0, 1, 2, 3, 16, 17, 18]
        assert (known[4], known[5], known[15]) == (1.1, 1.2, 1.2)

    def test_a_currency_without_rates_has_none(self) -> None:
        assert np.isnan(RATES.between("VND", "USD", DATES[:1])).all()
        assert np.isnan(NO_RATES.between("EUR", "USD", DATES[:1])).all()


class TestValues:
    def test_a_holding_tells_its_quote_and_its_value_in_base(self) -> None:
        found = report(a_portfolio().holding("UK", 200, 450.0).holding("US", 10, 80.0), "USD")
        uk, us = found.holdings

        assert (found.currency, uk.currency, us.currency) == ("USD", "GBX", "USD")
        assert uk.price == QUOTES["UK"].close[-1]
        assert uk.fx_rate == pytest.approx(rate("GBX", "USD"), rel=1e-15)
        assert uk.market_value_local == pytest.approx(200 * QUOTES["UK"].close[-1], rel=1e-15)
        assert uk.market_value == pytest.approx(200 * QUOTES["UK"].close[-1] * rate("GBX", "USD"), rel=1e-14)
        assert uk.cost_basis == pytest.approx(200 * 450 * rate("GBX", "USD"), rel=1e-14)
        assert (us.fx_rate, us.market_value) == (1.0, us.market_value_local)
        assert found.valuation is not None
        assert found.valuation.market_value == pytest.approx((uk.market_value or 0) + (us.market_value or 0), rel=1e-14)

    def test_accounts_of_several_currencies_are_one_sum_in_base(self) -> None:
        owner = a_portfolio().holding("DE", 10).account(1000, "EUR").account(-500, "USD", 200).account(0, "GBP")
        found = report(owner, "GBP")

        assert found.valuation is not None
        expected = 1000 * rate("EUR", "GBP") - 500 * rate("USD", "GBP")
        assert found.valuation.cash == pytest.approx(expected, rel=1e-13)
        assert found.order_plan is not None
        power = 1000 * rate("EUR", "GBP") + 200 * rate("USD", "GBP")
        power += found.order_plan.total_sell_proceeds
        assert found.order_plan.available_buying_power == pytest.approx(power, rel=1e-13)

    def test_a_change_of_a_day_is_between_values_each_at_its_days_rate(self) -> None:
        found = report(a_portfolio().holding("DE", 3), "USD")
        own = QUOTES["DE"]
        now = 3 * own.close[-1] * rate("EUR", "USD")
        before = 3 * own.close[-1] * own.adj_close[-2] / own.adj_close[-1] * rate("EUR", "USD", -2)

        assert found.valuation is not None
        assert found.valuation.day_change == pytest.approx(now - before, rel=1e-10)
        assert found.valuation.day_change_pct == pytest.approx(100 * (now - before) / before, rel=1e-10)

    def test_a_price_that_is_not_new_has_no_change_whatever_the_rate_did(self) -> None:
        prices = QUOTES | {"DE": QUOTES["DE"].at(slice(None, -4))}
        currencies = Currencies("USD", "USD", OF_SYMBOL, RATES)
        own = in_base_currency(a_table(prices, BENCHMARK), "USD", currencies)
        (found,) = analyze(own, a_portfolio().holding("DE", 3))
        assert found.valuation is not None
        assert found.valuation.day_change == 0

    def test_without_a_rate_a_holding_is_unpriced_and_never_one_to_one(self) -> None:
        only_pounds = Rates({"GBP": PER_EURO["GBP"]})
        found = report(a_portfolio().holding("DE", 3).holding("US", 5).cash(100), "USD", only_pounds)
        de, us = found.holdings

        assert (de.reason, de.market_value, de.fx_rate, de.cost_basis) == ("missing_fx_rate", None, None, None)
        assert us.reason is None
        assert found.valuation is not None
        assert not found.valuation.complete
        assert found.data_quality is not None
        assert (found.data_quality.coverage, found.data_quality.missing_symbols) == (None, ())
        assert "Not valued: DE, whose currency has no rate in USD." in found.data_quality.notes
        coverage = next(check for check in found.checks if check.rule == "price_coverage")
        assert (coverage.status, coverage.value) == ("breach", None)

    def test_cash_without_a_rate_is_a_part_of_unknown_value(self) -> None:
        found = report(a_portfolio().holding("US", 5).account(1000, "USD").account(7, "VND").account(0, "XAF"), "USD")

        assert found.valuation is not None
        assert (found.valuation.cash, found.valuation.complete) == (1000, False)
        (lost,) = [holding for holding in found.holdings if holding.reason is not None]
        assert (lost.symbol, lost.quantity, lost.currency, lost.reason) == ("VND cash", 7, "VND", "missing_fx_rate")

    def test_an_estimate_of_a_holding_without_a_price_is_in_base(self) -> None:
        of_symbol = OF_SYMBOL | {"NONE": "EUR"}
        (found,) = analyze(table("USD", of_symbol=of_symbol), a_portfolio().holding("US", 1).holding("NONE", 10, 20.0))
        assert found.valuation is not None
        assert found.valuation.unpriced_cost == pytest.approx(200 * rate("EUR", "USD"), rel=1e-13)


class TestReturns:
    def test_a_return_in_base_compounds_the_local_one_and_that_of_the_rate(self) -> None:
        found = report(a_portfolio().holding("DE", 3), "USD")
        fx = PER_EURO["USD"][1]
        returns = (1 + local_returns(QUOTES["DE"])) * (fx[1:] / fx[:-1]) - 1

        assert found.performance is not None
        assert found.risk is not None
        assert found.performance.cumulative_return == pytest.approx(np.prod(1 + returns) - 1, rel=1e-9)
        assert found.risk.annual_volatility == pytest.approx(returns.std(ddof=1) * np.sqrt(252), rel=1e-9)
        own = found.holdings[0]
        assert own.return_21d == pytest.approx(np.prod(1 + returns[-21:]) - 1, rel=1e-9)
        assert own.annual_volatility == pytest.approx(found.risk.annual_volatility, rel=1e-9)
        benchmark = local_returns(BENCHMARK)
        beta = np.cov(returns, benchmark)[0, 1] / benchmark.var(ddof=1)
        assert own.beta == pytest.approx(beta, rel=1e-9)

    def test_the_benchmark_is_in_base_too(self) -> None:
        euro = table("EUR")
        fx = 1 / PER_EURO["USD"][1]
        expected = (1 + local_returns(BENCHMARK)) * (fx[1:] / fx[:-1]) - 1
        assert euro.benchmark_returns == pytest.approx(expected, rel=1e-12, abs=1e-15)

    def test_what_is_all_in_base_is_exactly_what_it_was_as_quoted(self) -> None:
        quoted = a_table(QUOTES, BENCHMARK)
        own = table("USD", NO_RATES, of_symbol=dict.fromkeys(OF_SYMBOL, "USD"))
        assert own.returns.tolist() == quoted.returns.tolist()
        assert own.close.tolist() == quoted.close.tolist()
        assert own.figures == quoted.figures

    def test_there_is_no_history_before_the_last_day_without_a_rate(self) -> None:
        days = np.r_[0:300, 320:400]
        gap = Rates(PER_EURO | {"USD": (DATES[days], PER_EURO["USD"][1][days])})
        found = report(a_portfolio().holding("DE", 3), "USD", gap)
        # The last rate before the gap counts for ten calendar days, and the history begins with the first after it.
        assert found.performance is not None
        assert found.performance.start == DATES[320].item()
        assert found.holdings[0].return_252d is None

    def test_too_short_a_history_of_rates_counts_like_one_of_prices(self) -> None:
        late = Rates(PER_EURO | {"USD": (DATES[-40:], PER_EURO["USD"][1][-40:])})
        found = report(a_portfolio().holding("DE", 3), "USD", late)
        assert found.data_quality is not None
        assert found.data_quality.short_history_symbols == ("DE",)
        assert found.reason == "low_coverage"

    def test_an_episode_moves_with_the_rate(self) -> None:
        dates = weekdays(1000, "2019-06-03")
        own, market = random_walk(dates, 8), random_walk(dates, 9)
        fx = np.linspace(1.0, 1.5, len(dates))
        currencies = Currencies("USD", "USD", {"DE": "EUR"}, Rates({"USD": (dates, fx)}))
        quoted = a_table({"DE": own}, market)
        (found,) = analyze(in_base_currency(quoted, "USD", currencies), a_portfolio().holding("DE", 1))
        start, end = np.datetime64("2020-02-19"), np.datetime64("2020-03-23")
        first, last = np.flatnonzero((dates == start) | (dates == end)).tolist()
        expected = own.adj_close[last] / own.adj_close[first] * fx[last] / fx[first] - 1
        assert found.stress is not None
        crash = next(entry for entry in found.stress if entry.scenario == "covid_crash")
        assert crash.return_ == pytest.approx(expected, rel=1e-9)


class TestExposure:
    def test_shares_are_of_the_absolute_values_with_pence_as_pounds(self) -> None:
        owner = a_portfolio().holding("UK", 100).holding("US", -5).account(300, "GBP").account(-100, "EUR")
        found = report(owner, "USD")
        uk, us = (abs(holding.market_value or 0) for holding in found.holdings)
        amounts = {"GBP": uk + 300 * rate("GBP", "USD"), "USD": us, "EUR": 100 * rate("EUR", "USD")}
        total = sum(amounts.values())
        expected = sorted(amounts.items(), key=lambda own: -own[1])
        assert [own.currency for own in found.currency_exposure] == [code for code, _ in expected]
        assert [own.share for own in found.currency_exposure] == pytest.approx([v / total for _, v in expected])

    def test_everything_in_base_is_one_share(self) -> None:
        own = table("USD", NO_RATES, of_symbol=dict.fromkeys(OF_SYMBOL, "USD"))
        with_cash, nothing = analyze(own, a_portfolio().holding("US", 1).cash(5), a_portfolio("empty"))
        assert with_cash.currency_exposure == (CurrencyExposure("USD", 1.0),)
        assert nothing.currency_exposure == ()

    @pytest.mark.parametrize(("us", "de", "status"), [(100, 1, "ok"), (60, 100, "warning"), (1, 100, "breach")])
    def test_only_a_base_currency_that_the_person_names_is_a_limit(self, us: int, de: int, status: CheckStatus) -> None:
        assert QUOTES["US"].close[-1] == pytest.approx(QUOTES["DE"].close[-1], rel=0.3)
        owner = a_portfolio().holding("US", us).holding("DE", de)
        named, unnamed = (report(own, "USD") for own in (owner.in_currency("USD"), owner))
        (found,) = [check for check in named.checks if check.rule == "currency_exposure"]
        share = next(own.share for own in named.currency_exposure if own.currency == "EUR")
        assert found.value == pytest.approx(share)
        assert found.status == status
        assert not [check for check in unnamed.checks if check.rule == "currency_exposure"]

    def test_a_holding_without_a_rate_leaves_the_share_unknown(self) -> None:
        found = report(a_portfolio().holding("US", 5).holding("DE", 5).in_currency("USD"), "USD", NO_RATES)
        (check,) = [check for check in found.checks if check.rule == "currency_exposure"]
        assert check.status == "unknown"


class TestOrders:
    def test_an_order_has_the_local_price_and_the_cost_in_base(self) -> None:
        owner = a_portfolio().holding("US", 100).account(10_000, "USD").watching("UK")
        found = report(owner, "USD", research=[a_research("UK", 0.9), a_research("US", 0.0)])
        assert found.order_plan is not None
        (order,) = [order for order in found.order_plan.orders if order.side == "BUY"]
        price = float(QUOTES["UK"].close[-1])
        shares = int(1000 / (price * rate("GBX", "USD")))
        assert (order.symbol, order.shares, order.estimated_price) == ("UK", shares, price)
        assert order.estimated_cost == pytest.approx(shares * price * rate("GBX", "USD"), rel=1e-12)


class TestDoubts:
    @pytest.mark.parametrize(
        ("factor", "told"), [(0.01, True), (0.0104, True), (100, True), (1, False), (0.012, False)]
    )
    def test_a_purchase_price_in_another_unit_than_the_price_is_suspected(self, factor: float, told: bool) -> None:
        found = report(a_portfolio().holding("UK", 5, float(QUOTES["UK"].close[-1]) * factor), "USD")
        assert found.data_quality is not None
        kinds = [(issue.symbol, issue.kind, issue.date) for issue in found.data_quality.price_issues]
        assert kinds.count(("UK", "suspected_minor_unit", DATES[-1].item())) == told

    def test_a_currency_that_nobody_says_is_told_once_and_is_the_default(self) -> None:
        own = table("EUR", of_symbol={"DE": "EUR"}, default="USD")
        (found,) = analyze(own, a_portfolio().holding("US", 5).holding("UK", 5).holding("DE", 5))
        assert [holding.currency for holding in found.holdings] == ["USD", "USD", "EUR"]
        assert found.data_quality is not None
        (told,) = [issue for issue in found.data_quality.price_issues if issue.kind == "assumed_currency"]
        assert (told.symbol, told.count, told.date) == (None, 2, None)
        assert told.text == "US, UK without a currency in instruments: taken to be in USD."

    def test_a_bond_quoted_per_hundred_has_its_multiplier(self) -> None:
        bond = {"US": Instrument(multiplier=0.01, currency="USD")}
        (found,) = analyze(table("EUR"), a_portfolio().holding("US", 10_000), instruments=bond)
        expected = 100 * QUOTES["US"].close[-1] * rate("USD", "EUR")
        assert found.holdings[0].market_value == pytest.approx(expected, rel=1e-13)


def test_as_of_an_earlier_day_its_own_rates_count() -> None:
    currencies = Currencies("USD", "USD", OF_SYMBOL, RATES)
    quoted = a_table(QUOTES, bars(DATES, BENCHMARK.close), as_of=DATES[300].item())
    own = in_base_currency(quoted, "USD", currencies)
    assert isinstance(own.as_of, date)
    assert own.base.rate("EUR") == PER_EURO["USD"][1][300]
