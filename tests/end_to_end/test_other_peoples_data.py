"""The database and price files of another system, checked with figures that empyrical computes from the same files."""

import csv
import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stores.mongo import DocumentDatabase
from tests.conftest import free_port
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, App, running_app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # empyrical warns about its own optional dependencies during import
    import empyrical

DAYS, LOOKBACK = 900, 500
SYMBOLS = [f"S{i:02}" for i in range(12)]
RISK_FREE = 0.02


def write_prices(folder: Path) -> None:
    """Write random walks: adjusted and raw closes differ, columns have another order and case, one is unknown."""
    random = np.random.default_rng(7)
    days = [date(2019, 1, 1) + timedelta(days=i) for i in range(2 * DAYS)]
    trading = [day for day in days if day.weekday() < 5][:DAYS]
    market = random.normal(0.0003, 0.01, DAYS)
    for number, symbol in enumerate(["SPY", *SYMBOLS]):
        own = market if symbol == "SPY" else 0.3 * number * market / 6 + random.normal(0.0002, 0.015, DAYS)
        adjusted = 50 * np.cumprod(1 + own)
        close = adjusted * np.linspace(1.2, 1, DAYS)  # with dividends
        start = 0 if symbol == "SPY" else 40 * number
        with (folder / f"{symbol}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["Date", "Source", "Close", "Adj_Close", "Volume"])
            rows.writerows(
                [trading[i].isoformat(), "mine", repr(float(close[i])), repr(float(adjusted[i])), 1000 + i]
                for i in range(start, DAYS)
            )


def fill(database: DocumentDatabase) -> None:
    """Add users as another backend would have them, with fields of its own."""
    random = np.random.default_rng(11)
    for number in range(30):
        user_id = f"auth0|{number:04}"
        database.users.insert_one(
            {"user_id": user_id, "username": f"name {number}", "email": "x@y.z", "prefs": {"a": [1, {"b": None}]}}
        )
        held = random.choice(SYMBOLS, size=1 + number % 11, replace=False)
        database.holdings.insert_many(
            {
                "user_id": user_id,
                "symbol": str(symbol),
                "quantity": float(random.integers(1, 500)) * (-0.2 if number == 5 and position == 0 else 1),
                "avg_price": float(random.uniform(10, 90)),
                "lot": {"opened": "2020-01-01"},
                "tags": ["x", 1],
            }
            for position, symbol in enumerate(held)
        )
        database.accounts.insert_one({"user_id": user_id, "cash": 1000.0 * (number % 4), "currency": "USD"})


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prices")
    write_prices(folder)
    return folder


@pytest.fixture
def settings(mongodb_url: str, redis_url: str, database: DocumentDatabase, prices: Path) -> dict[str, str]:
    return {
        "MONGODB_URL": mongodb_url,
        "MONGODB_DATABASE": database.name,
        "REDIS_URL": redis_url,
        "MARKET_DATA_PROVIDER": "csv",
        "PRICES_DIR": str(prices),
        "ANALYSIS_LOOKBACK_DAYS": str(LOOKBACK),
        "ANALYSIS_PAGE_SIZE": "7",
        "RISK_FREE_RATE": str(RISK_FREE),
    }


@pytest.fixture
def app(tmp_path: Path, settings: dict[str, str]) -> Iterator[App]:
    with running_app(tmp_path, **settings) as running:
        yield running


def series(prices: Path, symbol: str, column: str) -> "pd.Series[float]":
    table = pd.read_csv(prices / f"{symbol}.csv", index_col="Date")
    return table[column]


def longest_window(every: pd.DataFrame, values: dict[str, float]) -> list[str]:
    """Return the holdings of the longest window in which at most 5 % of the value is too young."""
    gross = sum(map(abs, values.values()))
    for first in sorted(every[symbol].first_valid_index() for symbol in values):
        old = [symbol for symbol in values if every[symbol].first_valid_index() <= first]
        if sum(abs(values[symbol]) for symbol in old) >= 0.95 * gross:
            return old
    raise AssertionError


def scaled(adjusted: pd.DataFrame, values: dict[str, float]) -> Iterator[tuple[str, float]]:
    """Yield each holding of the window with its value, scaled up to that of all holdings on its side."""
    for is_long in (True, False):
        side = {symbol: value for symbol, value in values.items() if (value > 0) == is_long}
        inside = {symbol: value for symbol, value in side.items() if symbol in adjusted}
        yield from ((symbol, value * sum(side.values()) / sum(inside.values())) for symbol, value in inside.items())


def expected(prices: Path, holdings: list[dict[str, Any]], cash: float) -> dict[str, float]:
    """Return a portfolio's figures, computed with pandas and empyrical."""
    calendar = series(prices, "SPY", "Close").index[-(LOOKBACK + 1) :]
    values = {h["symbol"]: h["quantity"] * series(prices, h["symbol"], "Close").iloc[-1] for h in holdings}
    total = sum(values.values()) + cash
    every = pd.DataFrame({symbol: series(prices, symbol, "Adj_Close") for symbol in values}).loc[calendar[0] :]
    adjusted = every[longest_window(every, values)].dropna()
    returns = sum(adjusted[symbol].pct_change().iloc[1:] * value / total for symbol, value in scaled(adjusted, values))
    daily = (1 + RISK_FREE) ** (1 / 252) - 1
    returns += cash / total * daily
    benchmark = series(prices, "SPY", "Adj_Close").pct_change().loc[returns.index]
    return {
        "observations": len(returns),
        "cumulative_return": empyrical.cum_returns_final(returns),
        "cagr": empyrical.cagr(returns),
        "annual_volatility": empyrical.annual_volatility(returns),
        "sharpe_ratio": empyrical.sharpe_ratio(returns, daily),
        "sortino_ratio": empyrical.sortino_ratio(returns, daily),
        "downside_deviation": empyrical.downside_risk(returns, daily),
        "calmar_ratio": empyrical.calmar_ratio(returns),
        "omega_ratio": empyrical.omega_ratio(returns, daily, required_return=0.0),
        "max_drawdown": empyrical.max_drawdown(returns),
        "value_at_risk_95": empyrical.value_at_risk(returns, 0.05),
        "conditional_value_at_risk_95": empyrical.conditional_value_at_risk(returns, 0.05),
        "conditional_value_at_risk_99": empyrical.conditional_value_at_risk(returns, 0.01),
        "beta": empyrical.beta(returns, benchmark, daily),
        "alpha": empyrical.alpha(returns, benchmark, daily),
    }


def test_figures_are_those_that_empyrical_computes_from_the_same_files(
    app: App, database: DocumentDatabase, prices: Path
) -> None:
    fill(database)
    run = app.run()
    assert (run["status"], run["users_analyzed"], run["symbols"]) == ("completed", 30, len(SYMBOLS))
    assert run["progress"]["pages_total"] == 5
    for user in database.users.find():
        holdings = list(database.holdings.find({"user_id": user["user_id"]}))
        account = database.accounts.find_one({"user_id": user["user_id"]})
        assert account is not None
        report = app.report(run["run_id"], user["user_id"])
        figures = report["performance"] | report["risk"]
        wanted = expected(prices, holdings, account["cash"])
        assert {name: figures[name] for name in wanted} == pytest.approx(wanted, rel=1e-9), user["user_id"]


def test_a_bad_file_affects_only_its_symbol_and_is_named_with_its_line(
    app: App, database: DocumentDatabase, prices: Path
) -> None:
    fill(database)
    lines = (prices / "S03.csv").read_text().splitlines()
    bad = {
        "DUPLICATE": [*lines[:5], lines[4], *lines[5:]],
        "UNORDERED": [lines[0], lines[2], lines[1], *lines[3:]],
        "CELLS": [*lines[:2], f"{lines[2]},9", *lines[3:]],
    }
    for symbol, content in bad.items():
        (prices / f"{symbol}.csv").write_text("\n".join(content))
        database.holdings.insert_one({"user_id": "auth0|0001", "symbol": symbol, "quantity": 1, "avg_price": 1})
    run = app.run()
    assert (run["status"], run["users_analyzed"], run["symbols_failed"]) == ("completed_with_errors", 30, 3)
    errors = {e["error"].split(":")[0]: e["error"] for e in run["errors"] if e["error_type"] == "bad_prices"}
    assert set(errors) == set(bad)
    assert "DUPLICATE.csv line 6" in errors["DUPLICATE"]
    assert "UNORDERED.csv line 3" in errors["UNORDERED"]
    assert "CELLS.csv line 3" in errors["CELLS"]
    assert app.report(run["run_id"], "auth0|0001")["data_quality"]["missing_symbols"] == sorted(bad)


def test_row_13_a_close_that_is_no_number_costs_its_row_alone(
    app: App, database: DocumentDatabase, prices: Path
) -> None:
    fill(database)
    header, *lines = (prices / "S03.csv").read_text().splitlines()
    place = header.split(",").index("Close")
    cells = lines[-5].split(",")
    lines[-5] = ",".join([*cells[:place], "cheap", *cells[place + 1 :]])
    (prices / "TEXT.csv").write_text("\n".join([header, *lines]))
    database.holdings.insert_one({"user_id": "auth0|0001", "symbol": "TEXT", "quantity": 1, "avg_price": 1})
    run = app.run(user_ids=["auth0|0001"])
    quality = app.report(run["run_id"], "auth0|0001")["data_quality"]
    assert quality["missing_symbols"] == []
    told = [issue for issue in quality["price_issues"] if issue["symbol"] == "TEXT"]
    assert [(issue["kind"], issue["date"], issue["count"]) for issue in told] == [("bad_bars", cells[0], 1)]


def test_a_file_that_changes_between_runs_is_read_again(app: App, database: DocumentDatabase, prices: Path) -> None:
    fill(database)
    database.holdings.insert_one({"user_id": "auth0|0000", "symbol": "NEW", "quantity": 10, "avg_price": 1})
    for price in ("5.0", "7.5"):
        days = series(prices, "SPY", "Close").index
        (prices / "NEW.csv").write_text("date,close\n" + "".join(f"{day},{price}\n" for day in days))
        run = app.run(user_ids=["auth0|0000"])
        (holding,) = [h for h in app.report(run["run_id"], "auth0|0000")["holdings"] if h["symbol"] == "NEW"]
        assert holding["price"] == float(price)


def test_too_few_positions_with_prices_fail_the_run_and_name_the_missing(app: App, database: DocumentDatabase) -> None:
    fill(database)
    database.holdings.insert_many(
        {"user_id": f"auth0|{number:04}", "symbol": f"GONE{i}", "quantity": 1, "avg_price": 1}
        for number in range(30)
        for i in range(8)
    )
    run = app.run()
    assert run["status"] == "failed"
    assert run["errors"][0]["error_type"] == "too_few_prices"
    assert all(f"GONE{i}" in run["errors"][0]["error"] for i in range(8))
    assert (run["users_analyzed"], database.portfolio_analyses.count_documents({})) == (0, 0)
    eventually(lambda: database.run_leases.count_documents({}) == 0)


def test_one_user_with_invented_symbols_on_the_watchlist_costs_no_other_user_a_report(
    app: App, database: DocumentDatabase
) -> None:
    fill(database)
    watched = [f"NONE{i}" for i in range(9)]
    database.watchlist.insert_many({"user_id": "auth0|0000", "symbol": symbol} for symbol in watched)
    run = app.run()
    assert (run["status"], run["users_analyzed"], run["symbols_failed"]) == ("completed", 30, 0)
    decisions = {own["symbol"]: own for own in app.report(run["run_id"], "auth0|0000")["decisions"]}
    assert all("no price is known" in decisions[symbol]["reasoning_summary"] for symbol in watched)


def test_a_run_of_one_user_whose_symbols_are_mostly_dead_analyzes_the_rest(
    app: App, database: DocumentDatabase
) -> None:
    fill(database)
    database.holdings.insert_many(
        {"user_id": "auth0|0000", "symbol": f"GONE{i}", "quantity": 1, "avg_price": 1} for i in range(8)
    )
    run = app.run(user_ids=["auth0|0000"])
    assert (run["status"], run["users_analyzed"], run["symbols_failed"]) == ("completed_with_errors", 1, 8)


def test_without_its_benchmark_a_run_fails_and_names_the_setting(
    tmp_path: Path, settings: dict[str, str], database: DocumentDatabase
) -> None:
    fill(database)
    with running_app(tmp_path, **settings, BENCHMARK_SYMBOL="NONE") as app:
        run = app.run()
    assert run["status"] == "failed"
    assert run["errors"][0]["error"].startswith("BENCHMARK_SYMBOL has no usable prices: NONE")


def test_an_unavailable_redis_causes_only_a_warning(
    tmp_path: Path, settings: dict[str, str], database: DocumentDatabase
) -> None:
    fill(database)
    settings["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}"
    with running_app(tmp_path, **settings) as app:
        assert app.run()["status"] == "completed"
        assert app.client.get(f"{BASE}/analysis-runs", headers={"X-Admin-Secret": "wrong"}).status_code == 401
        health = app.client.get("/api/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        warnings_shown = app.log.read_text().count("Redis is unavailable")
    assert 1 <= warnings_shown <= 2  # once per worker process


def test_one_users_corrupt_documents_do_not_affect_other_reports(app: App, database: DocumentDatabase) -> None:
    fill(database)
    database.users.insert_many([{"user_id": "zz-1"}, {"user_id": "zz-2"}, {"user_id": 7}, {"username": "nobody"}])
    database.holdings.insert_many(
        [
            {"user_id": "zz-1", "symbol": "S01", "quantity": "ten", "avg_price": 1},
            {"user_id": "zz-1", "symbol": "S02", "quantity": 10, "avg_price": 1},
            {"user_id": "zz-2", "symbol": "S01", "quantity": 10, "avg_price": 1},
        ]
    )
    database.accounts.insert_one({"user_id": "zz-2", "cash": {"$numberDecimal": "1"}})
    run = app.run()
    assert (run["users_to_analyze"], run["users_analyzed"], run["users_failed"]) == (32, 31, 1)
    assert {(e["user_id"], e["error_type"]) for e in run["errors"]} == {
        (None, "invalid_user_id"),
        ("zz-1", "invalid_holding"),
        ("zz-2", "invalid_account"),
    }
    report = app.report(run["run_id"], "zz-1")
    assert {holding["symbol"]: holding["reason"] for holding in report["holdings"]} == {"S01": "invalid", "S02": None}
    assert report["valuation"]["complete"] is False


def test_the_app_leaves_other_peoples_collections_as_they_were(app: App, database: DocumentDatabase) -> None:
    fill(database)
    theirs = ("users", "holdings", "watchlist", "accounts")
    before = {name: list(database[name].find().sort("_id")) for name in theirs}
    app.run()
    assert {name: list(database[name].find().sort("_id")) for name in theirs} == before
    assert set(database.list_collection_names()) - set(theirs) <= {
        "audit_log",
        "deliveries",
        "delivery_passes",
        "outbox",
        "portfolio_analyses",
        "portfolio_analysis_runs",
        "portfolio_books",
        "portfolio_rankings",
        "run_batches",
        "run_leases",
        "symbol_prices",
        "symbol_research",
        "webhooks",
    }
    eventually(lambda: database.run_batches.count_documents({}) == 0)
