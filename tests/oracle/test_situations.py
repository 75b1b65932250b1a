"""Situations whose right answer can be computed by hand."""

import math
import random
from collections.abc import Mapping, Sequence
from copy import replace
from datetime import date
from typing import Any

import pytest

from tests.oracle.inputs import Holding, Market, Person, Row
from tests.oracle.measures import annual_volatility
from tests.oracle.paths import Path, weekdays
from tests.oracle.report import analyze

DAYS = weekdays(date(2025, 6, 30), 400)


def walk(seed: int, last: float = 100.0, *, drift: float = 0.0, days: Sequence[date] = DAYS) -> Path:
    """Return a path that ends at a price."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    values = [last]
    for _ in days[1:]:
        values.append(values[-1] / (1 + chance.gauss(drift, 0.01)))
    return Path(list(days), values[::-1])


def market(**paths: Path) -> Market:
    rows = {symbol: path.rows() for symbol, path in ({"INDEX": walk(0).dividend(50, 0.01)} | paths).items()}
    return Market(DAYS[-1], rows)


def report(
    prices: Market,
    *holdings: Holding,
    cash: float | None = None,
    buying_power: float | None = None,
    watchlist: tuple[str, ...] = (),
    thresholds: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    return analyze(prices, Person(holdings, watchlist, cash, buying_power, thresholds or {}))


def check(found: dict[str, Any], rule: str) -> tuple[str, Any]:
    return next((entry["status"], entry["value"]) for entry in found["checks"] if entry["rule"] == rule)


def decision(found: dict[str, Any], symbol: str) -> dict[str, Any]:
    return next(entry for entry in found["decisions"] if entry["symbol"] == symbol)


def issues(found: dict[str, Any], symbol: str) -> list[tuple[str, str | None]]:
    return [
        (entry["kind"], entry["ratio"]) for entry in found["data_quality"]["price_issues"] if entry["symbol"] == symbol
    ]


def test_a_holding_without_a_price_counts_with_its_cost_and_nothing_is_sold_for_its_weight() -> None:
    found = report(market(AAPL=walk(1, 125.674)), Holding("AAPL", 10, 100), Holding("GONE", 5, 40000))
    assert found["data_quality"]["coverage"] == pytest.approx(1256.74 / 201256.74)
    assert found["valuation"]["market_value"] == pytest.approx(1256.74)
    assert found["valuation"]["unpriced_cost"] == 200000
    assert found["valuation"]["complete"] is False
    assert {entry["decision"] for entry in found["decisions"]} == {"HOLD"}
    assert (found["order_plan"]["orders"], found["order_plan"]["reason"]) == ([], "incomplete_valuation")


@pytest.mark.parametrize(("cost", "gain"), [(0.0, 10000.0), (None, None), (-3.5, 10350.0)])
def test_a_holding_is_valued_whatever_its_cost(cost: float | None, gain: float | None) -> None:
    found = report(market(GIFT=walk(1)), Holding("GIFT", 100, cost))
    (holding,) = found["holdings"]
    assert holding["market_value"] == pytest.approx(10000)
    assert holding["unrealized_pl"] == pytest.approx(gain)
    assert holding["unrealized_pl_pct"] is None
    assert found["data_quality"]["unknown_cost_symbols"] == ([] if gain else ["GIFT"])
    assert found["valuation"]["unrealized_pl"] == pytest.approx(gain)


def last_day(change: float) -> Path:
    path = walk(1)
    path.adjusted[-1] = path.close[-1] = path.close[-2] * (1 + change)
    return path


def test_a_split_on_the_day_is_no_loss() -> None:
    path = last_day(0.01)
    path.adjusted[-2:] = path.close[-2:] = [100.0, 101.0]
    found = report(market(SPLIT=path.split(-1, 10)), Holding("SPLIT", 100, 50))
    assert found["valuation"]["day_change"] == pytest.approx(100)
    assert found["valuation"]["day_change_pct"] == pytest.approx(1)
    assert issues(found, "SPLIT") == [("split", "10:1")]


@pytest.mark.parametrize(
    ("ratio", "dividend", "kind"), [(0.05, 0.0, ("split", "1:20")), (1.0, 0.27, ("distribution", None))]
)
def test_a_reverse_split_or_a_special_dividend_leaves_the_return_of_the_day(
    ratio: float, dividend: float, kind: tuple[str, str | None]
) -> None:
    found = report(market(ACTED=last_day(0.01).split(-1, ratio, dividend)), Holding("ACTED", 100, 50))
    assert found["valuation"]["day_change_pct"] == pytest.approx(1)
    assert found["holdings"][0]["return_1d"] == pytest.approx(0.01)
    assert issues(found, "ACTED") == [kind]


def test_an_earlier_day_values_quantities_of_today_at_the_price_after_a_later_split() -> None:
    path = walk(1).split(-5, 4)
    path.close[-11] = 400.0
    path.adjusted[-11] = 100.0
    found = report(replace(market(LATER=path), as_of=DAYS[-11]), Holding("LATER", 100, 50))
    assert found["holdings"][0]["price"] == pytest.approx(100)
    assert found["valuation"]["market_value"] == pytest.approx(10000)
    assert found["order_plan"]["reason"] == "past_as_of"


def test_a_short_side_without_history_cannot_be_stood_for_by_the_long_side() -> None:
    prices = market(LONG=walk(1), NEW=walk(2, days=DAYS[-10:]))
    found = report(prices, Holding("LONG", 600, 50), Holding("NEW", -500, 50), cash=90000)
    assert found["data_quality"]["coverage"] == pytest.approx(60 / 110)
    assert (found["risk"], found["reason"]) == (None, "low_coverage")


def test_longs_are_scaled_to_longs_and_shorts_to_shorts() -> None:
    long, short = walk(1), walk(2)
    prices = market(LONG=long, SHORT=short, NEW=walk(3, days=DAYS[-10:]))
    holdings = (Holding("LONG", 600, 50), Holding("SHORT", -500, 50), Holding("NEW", 400, 50))
    found = report(prices, *holdings, cash=50000)
    changes = [
        a / b - 1 - 0.5 * (c / d - 1)
        for b, a, d, c in zip(long.close, long.close[1:], short.close, short.close[1:], strict=False)
    ]
    assert found["risk"]["annual_volatility"] == pytest.approx(annual_volatility(changes))


def test_nothing_is_bought_beyond_the_persons_own_limit() -> None:
    rising = walk(5, drift=0.003)
    limits = {"largest_position": {"warning": 0.05, "breach": 0.08}}
    found = report(market(RISING=rising), Holding("RISING", 120, 50), cash=88000, thresholds=limits)
    research = found["research"]["RISING"]
    assert research["score"] >= 0.5
    assert check(found, "largest_position") == ("breach", pytest.approx(0.12))
    advice = decision(found, "RISING")
    assert (advice["decision"], advice["position_size_percent"]) == ("SELL", math.ceil(100 * (1 - 0.065 / 0.12)))
    assert advice["strength"] == 8


def test_a_large_short_is_covered_down_to_the_target_whatever_the_buying_power() -> None:
    prices = market(SHORT=walk(1), RISING=walk(2, 10, drift=0.003))
    found = report(prices, Holding("SHORT", -600, 50), cash=160000, buying_power=0.0, watchlist=("RISING",))
    cover, purchase = found["order_plan"]["orders"]
    assert (cover["symbol"], cover["side"], cover["shares"], cover["skip_reason"]) == ("SHORT", "BUY", 402, None)
    assert cover["original_size_percent"] == cover["adjusted_size_percent"] == 67
    assert purchase["skip_reason"] == "less_than_one_lot"


def test_borrowed_money_is_exposure_and_the_proceeds_of_shorts_are_no_cash() -> None:
    names = [f"N{at}" for at in range(24)]
    found = report(
        market(**{name: walk(at) for at, name in enumerate(names)}), *(Holding(name, 10) for name in names), cash=-18000
    )
    assert check(found, "gross_exposure") == ("breach", pytest.approx(4))
    found = report(market(LONG=walk(1), SHORT=walk(2)), Holding("LONG", 1), Holding("SHORT", -1), cash=200)
    assert check(found, "cash_share") == ("warning", pytest.approx(0.5))


def test_cash_at_the_risk_free_rate_has_no_alpha() -> None:
    prices = replace(market(), risk_free_rate=0.045)
    found = report(prices, Holding("INDEX", 100), cash=10000)
    assert found["risk"]["alpha"] == pytest.approx(0, abs=1e-12)
    assert found["risk"]["beta"] == pytest.approx(0.5)


def test_the_best_scores_share_the_buying_power() -> None:
    names = [f"N{at:02}" for at in range(81)]
    prices = market(**{name: walk(at, 1 + at / 10, drift=0.003) for at, name in enumerate(names)})
    found = report(prices, watchlist=tuple(names), cash=1e6, buying_power=10000)
    scores = {name: found["research"][name]["score"] for name in names}
    bought = [order for order in found["order_plan"]["orders"] if order["skip_reason"] is None]
    dropped = [order for order in found["order_plan"]["orders"] if order["skip_reason"] == "lower_score"]
    assert (len(bought), found["order_plan"]["scaling_factor"]) == (20, pytest.approx(0.5))
    assert min(scores[order["symbol"]] for order in bought) >= max(scores[order["symbol"]] for order in dropped)
    assert 9990 < found["order_plan"]["total_buy_cost"] <= 10000


def test_what_is_unpriced_counts_in_the_weights() -> None:
    path = walk(1)
    found = report(market(PRICED=path), Holding("PRICED", 400), Holding("GONE", 300, 100), cash=-39000)
    own = found["holdings"][0]["annual_volatility"]
    assert found["risk"]["annual_volatility"] == pytest.approx(70 / 31 * own)
    assert found["data_quality"]["coverage"] == pytest.approx(40 / 70)
    assert found["holdings"][0]["weight"] == pytest.approx(40)


def test_dust_of_a_young_symbol_does_not_shorten_the_window() -> None:
    falling = walk(1, 62)
    falling.close[200] = falling.adjusted[200] = 100.0
    prices = market(FALLING=falling, NEW=walk(2, days=DAYS[-64:]))
    found = report(prices, Holding("FALLING", 1000), Holding("NEW", 0.62))
    assert found["performance"]["observations"] == 399
    assert found["data_quality"]["young_symbols"] == ["NEW"]
    assert check(found, "drawdown")[0] == "breach"


def test_cash_alone_wants_no_attention() -> None:
    found = report(market(), cash=1000)
    assert {entry["status"] for entry in found["checks"]} == {"ok", "unknown"}
    assert found["reason"] == "no_holdings"


def test_one_high_close_is_a_bad_row_and_the_last_one_waits() -> None:
    steady = walk(1)
    prices = market(SPIKED=walk(1).spike(-20, 100), NOW=walk(1).spike(-1, 100), STEADY=steady)
    found = report(prices, *(Holding(symbol, 10) for symbol in ("SPIKED", "NOW", "STEADY")))
    spiked, now, clean = found["holdings"]
    assert spiked["annual_volatility"] == pytest.approx(clean["annual_volatility"], rel=0.1)
    assert (now["price"], now["price_date"]) == (pytest.approx(steady.close[-2]), DAYS[-2])
    assert issues(found, "SPIKED") == [("bad_bars", None)]
    assert issues(found, "NOW") == [("unconfirmed_price", None)]


def test_a_zero_close_of_the_benchmark_drops_the_day_for_all() -> None:
    prices = market(LONG=walk(1))
    index = list(prices.rows["INDEX"])
    index[100] = replace(index[100], close=0.0)
    found = report(replace(prices, rows={**prices.rows, "INDEX": tuple(index)}), Holding("LONG", 10))
    assert found["performance"]["observations"] == 398
    assert issues(found, "INDEX") == [("bad_bars", None)]


@pytest.mark.parametrize(("close", "kind"), [(0.0, "bad_bars"), (1e5, "unconfirmed_price")])
def test_a_last_bar_of_the_benchmark_that_does_not_count_is_told_and_the_day_before_is_analyzed(
    close: float, kind: str
) -> None:
    prices = market(LONG=walk(1))
    index = list(prices.rows["INDEX"])
    index[-1] = replace(index[-1], close=close, adj_close=close, high=None)
    found = report(replace(prices, rows={**prices.rows, "INDEX": tuple(index)}), Holding("LONG", 10))
    assert found["performance"]["end"] == DAYS[-2]
    assert issues(found, "INDEX") == [(kind, None)]


def test_rows_without_adjusted_closes_are_taken_as_they_are() -> None:
    prices = market(PLAIN=walk(1))
    rows = tuple(Row(row.day, row.close, None) for row in prices.rows["PLAIN"])
    with_none = report(replace(prices, rows={**prices.rows, "PLAIN": rows}), Holding("PLAIN", 10))
    assert with_none["risk"] == report(prices, Holding("PLAIN", 10))["risk"]
