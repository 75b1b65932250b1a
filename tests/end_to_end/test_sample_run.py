"""A whole run over the sample data, from the trigger to the last report, over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, SECRET, App, running_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app"), REDIS_URL=redis_url) as running:
        yield running


@pytest.fixture(scope="module")
def run(app: App) -> dict[str, Any]:
    return app.run()


def portfolios(app: App, run_id: str, **query: str | int) -> list[dict[str, Any]]:
    """Return all summaries of a run, requested page by page."""
    found: list[dict[str, Any]] = []
    params: dict[str, str | int] = {"limit": 7, **query}
    while True:
        page = app.client.get(f"{BASE}/analysis-runs/{run_id}/portfolios", params=params).json()
        found += page["portfolios"]
        if page["next"] is None:
            return found
        params["after"] = page["next"]


def test_the_trigger_answers_as_an_operator_expects(app: App, run: dict[str, Any]) -> None:
    assert run["trigger"] == {"source": "http", "actor": "admin-secret"}
    answer = app.client.post(f"{BASE}/trigger-analysis", headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
    content = answer.json()
    run_id = content["run_id"]
    assert content == {
        "status": "started",
        "run_id": run_id,
        "message": "Portfolio analysis running in background",
        "status_url": f"{BASE}/analysis-status/{run_id}",
    }
    assert answer.headers["Location"] == content["status_url"]
    assert int(answer.headers["Retry-After"]) > 0
    assert app.client.get(answer.headers["Location"]).status_code == 200
    app.wait(run_id)


@pytest.mark.both_engines
def test_every_planned_user_has_exactly_one_outcome(app: App, run: dict[str, Any]) -> None:
    assert run["status"] == "completed_with_errors"
    assert run["users_to_analyze"] == run["users_analyzed"] + run["users_skipped"] + run["users_failed"]
    assert run["portfolios_analyzed"] == run["users_analyzed"]
    assert min(run["users_analyzed"], run["users_skipped"], run["users_failed"]) > 0
    listed = portfolios(app, run["run_id"])
    assert [summary["user_id"] for summary in listed] == sorted({summary["user_id"] for summary in listed})
    counts = {status: sum(s["status"] == status for s in listed) for status in ("analyzed", "skipped", "failed")}
    assert counts == {
        "analyzed": run["users_analyzed"],
        "skipped": run["users_skipped"],
        "failed": run["users_failed"],
    }


@pytest.mark.parametrize("changed", [{"sort": "warnings"}, {"order": "desc"}])
def test_a_cursor_of_another_order_is_refused(app: App, run: dict[str, Any], changed: dict[str, str]) -> None:
    url = f"{BASE}/analysis-runs/{run['run_id']}/portfolios"
    cursor = app.client.get(url, params={"limit": "1", "sort": "market_value"}).json()["next"]
    asked = {"limit": "1", "sort": "market_value", "after": cursor}
    assert app.client.get(url, params=asked).status_code == 200
    answer = app.client.get(url, params=asked | changed)
    assert (answer.status_code, answer.json()["member"]) == (422, "after")


def test_a_finished_run_has_its_dates_progress_and_durations(run: dict[str, Any]) -> None:
    assert run["as_of"] == "2022-12-28"
    assert run["progress"]["phase"] == "done"
    assert run["progress"]["pages_done"] == run["progress"]["pages_total"] > 0
    times = [run[name] for name in ("requested_at", "started_at", "completed_at")]
    assert all(time.endswith("Z") for time in times)
    # Not compared as text: a whole second has no fraction, and "." sorts before "Z".
    requested, started, completed = map(datetime.fromisoformat, times)
    assert requested <= started <= completed
    assert all(seconds > 0 for seconds in run["metrics"].values())
    assert (run["dry_run"], run["retry_of"]) == (False, None)


def test_each_failure_is_named_in_the_run(app: App, run: dict[str, Any]) -> None:
    failed = {s["user_id"] for s in portfolios(app, run["run_id"], status="failed")}
    named = {error["user_id"]: error["error_type"] for error in run["errors"] if error["user_id"] is not None}
    assert {user_id for user_id, error_type in named.items() if error_type != "invalid_holding"} == failed
    assert named["xena-corrupt-holding"] == "invalid_holding"
    unpriced = [error["error"] for error in run["errors"] if error["error_type"] == "missing_prices"]
    assert len(unpriced) == run["symbols_failed"] > 0
    assert run["errors_count"] == len(run["errors"])


def test_a_report_holds_every_part(app: App, run: dict[str, Any]) -> None:
    best = portfolios(app, run["run_id"], sort="market_value", order="desc")[0]
    report = app.report(run["run_id"], best["user_id"])
    assert report["run_id"] == run["run_id"]
    assert (report["as_of"], report["status"], report["currency"]) == ("2022-12-28", "analyzed", "USD")
    assert report["valuation"]["market_value"] == best["market_value"]
    assert report["risk"]["annual_volatility"] == best["annual_volatility"] > 0
    assert sum(holding["risk_contribution"] for holding in report["holdings"]) == pytest.approx(1)
    assert report["performance"]["end"] == "2022-12-28"
    assert report["diversification"]["effective_holdings"] > 1
    assert report["data_quality"]["coverage"] > 0.5
    assert {check["rule"] for check in report["checks"]} >= {"volatility", "drawdown", "beta"}
    assert all(holding["research"]["symbol"] == holding["symbol"] for holding in report["holdings"])
    assert all(-1 <= holding["research"]["score"] <= 1 for holding in report["holdings"])
    stress = {entry["scenario"]: entry for entry in report["stress"]}
    assert len(stress) == 9
    assert stress["worst_21_days"]["return"] < stress["worst_day"]["return"] < 0
    assert stress["market_-10"]["return"] == pytest.approx(-0.1 * report["risk"]["beta"])
    assert stress["covid_crash"]["loss"] < 0
    assert stress["global_financial_crisis"]["return"] is None  # the sample begins in 2010


def test_every_holding_and_watched_symbol_has_a_decision_and_the_order_plan_contains_those_to_act_on(
    app: App, run: dict[str, Any]
) -> None:
    for summary in portfolios(app, run["run_id"], status="analyzed"):
        report = app.report(run["run_id"], summary["user_id"])
        held = {of["symbol"]: of["quantity"] for of in report["holdings"] if of["reason"] != "invalid"}
        decisions = {decision["symbol"]: decision for decision in report["decisions"]}
        assert held.keys() <= decisions.keys()
        plan = report["order_plan"]
        assert [order["priority"] for order in plan["orders"]] == list(range(1, len(plan["orders"]) + 1))
        assert {order["symbol"] for order in plan["orders"]} == {
            symbol
            for symbol, decision in decisions.items()
            if decision["decision"] != "HOLD" and plan["reason"] is None
        }
        assert plan["total_buy_cost"] <= max(plan["available_buying_power"], 0)
        sold = {order["symbol"]: order["shares"] for order in plan["orders"] if order["side"] == "SELL"}
        assert all(shares <= held[symbol] for symbol, shares in sold.items())


def test_a_user_without_holdings_gets_advice_on_watched_symbols_at_real_prices(app: App, run: dict[str, Any]) -> None:
    report = app.report(run["run_id"], "nell-nothing-held")
    assert (report["reason"], report["stress"]) == ("no_holdings", None)
    assert {decision["symbol"]: decision["decision"] for decision in report["decisions"]} == {
        "AAPL": "HOLD",
        "LLY": "BUY",
        "XOM": "HOLD",
    }
    (order,) = report["order_plan"]["orders"]
    assert (order["symbol"], order["side"], order["shares"]) == ("LLY", "BUY", 6)  # 2,500 at 363.098
    assert order["estimated_cost"] == pytest.approx(6 * 363.098)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_lists_are_sorted_by_a_figure_with_the_missing_last(app: App, run: dict[str, Any], order: str) -> None:
    values = [s["annual_volatility"] for s in portfolios(app, run["run_id"], sort="annual_volatility", order=order)]
    known = [value for value in values if value is not None]
    assert values == known + [None] * (len(values) - len(known))
    assert all((one <= other) if order == "asc" else (one >= other) for one, other in pairwise(known))


def test_runs_are_listed_newest_first_in_pages(app: App, run: dict[str, Any]) -> None:
    newest = app.run(dry_run=True)
    first = app.client.get(f"{BASE}/analysis-runs", params={"limit": 1}).json()
    assert [listed["run_id"] for listed in first["runs"]] == [newest["run_id"]]
    rest = app.client.get(f"{BASE}/analysis-runs", params={"limit": 100, "before": first["next"]}).json()
    assert run["run_id"] in {listed["run_id"] for listed in rest["runs"]}
    assert newest["run_id"] not in {listed["run_id"] for listed in rest["runs"]}
    assert rest["next"] is None


def test_a_second_run_has_the_same_figures(app: App, run: dict[str, Any]) -> None:
    again = app.run()
    user_id = portfolios(app, run["run_id"], status="analyzed")[0]["user_id"]
    one, other = app.report(run["run_id"], user_id), app.report(again["run_id"], user_id)
    assert one | {"run_id": ""} == other | {"run_id": ""}


def test_a_dry_run_counts_the_same_and_leaves_no_report(app: App, run: dict[str, Any]) -> None:
    dry = app.run(dry_run=True)
    assert dry["dry_run"] is True
    same = ("users_to_analyze", "users_analyzed", "users_skipped", "users_failed", "errors", "status")
    assert {member: dry[member] for member in same} == {member: run[member] for member in same}
    assert portfolios(app, dry["run_id"]) == []


def test_a_run_for_chosen_users_reports_on_them_and_names_the_unknown(app: App, run: dict[str, Any]) -> None:
    chosen = [s["user_id"] for s in portfolios(app, run["run_id"], status="analyzed")[:2]]
    some = app.run(user_ids=[*chosen, "nobody"])
    assert [s["user_id"] for s in portfolios(app, some["run_id"])] == sorted(chosen)
    unknown = [error for error in some["errors"] if error["error_type"] == "unknown_user"]
    assert [error["user_id"] for error in unknown] == ["nobody"]


def test_an_earlier_date_means_the_last_trading_day_before_it_and_no_later_price(app: App) -> None:
    run = app.run(as_of="2020-04-12")  # an Easter Sunday
    assert run["as_of"] == "2020-04-09"
    summary = portfolios(app, run["run_id"], status="analyzed", sort="market_value", order="desc")[0]
    report = app.report(run["run_id"], summary["user_id"])
    assert report["performance"]["end"] == "2020-04-09"
    assert max(holding["price_date"] for holding in report["holdings"]) <= "2020-04-09"


@pytest.mark.both_engines
def test_of_simultaneous_triggers_one_starts_and_the_others_name_its_run(app: App) -> None:
    for _ in range(10):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: app.trigger(dry_run=True), range(8)))
        assert {answer.status_code for answer in answers} <= {202, 409}
        started = [answer.json()["run_id"] for answer in answers if answer.status_code == 202]
        # A trigger that is processed after the end of the run starts another one.
        runs = sorted((app.wait(run_id) for run_id in started), key=lambda run: str(run["started_at"]))
        assert runs
        assert all(earlier["completed_at"] <= later["started_at"] for earlier, later in pairwise(runs))
        assert {answer.json()["run_id"] for answer in answers if answer.status_code == 409} <= set(started)


@pytest.mark.both_engines
def test_the_timer_starts_a_run_in_the_same_way(tmp_path: Path) -> None:
    with running_app(tmp_path) as app:  # another run of all users would be that of the night
        app.fire("nightly_analysis")
        eventually(lambda: app.client.get(f"{BASE}/analysis-runs").json()["runs"] != [])
        (run,) = app.client.get(f"{BASE}/analysis-runs").json()["runs"]
        assert run["trigger"] == {"source": "timer", "actor": "nightly_analysis"}
        assert app.wait(run["run_id"])["status"] == "completed_with_errors"


@pytest.mark.both_engines
def test_the_timer_starts_no_second_run_of_a_night(app: App, run: dict[str, Any]) -> None:
    assert run["completed_at"]
    before = app.client.get(f"{BASE}/analysis-runs").json()["runs"]
    app.fire("nightly_analysis")
    eventually(lambda: "The timer starts no run: the night has one" in app.log.read_text())
    assert app.client.get(f"{BASE}/analysis-runs").json()["runs"] == before


@pytest.mark.both_engines
def test_each_log_line_of_a_run_appears_once_and_no_secret_ever(app: App, run: dict[str, Any]) -> None:
    eventually(lambda: f"Portfolio analysis completed with errors (run_id={run['run_id']}" in app.log.read_text())
    log = app.log.read_text()
    for text in (
        "Portfolio analysis triggered via API",
        "Portfolio analysis background task started",
        "Portfolio analysis completed with errors",
    ):
        lines = [line for line in log.splitlines() if text in line and run["run_id"] in line]
        assert len(lines) == 1, text
    assert SECRET not in log + "\n".join(app.output)


def test_health_needs_no_secret_and_everything_is_healthy(app: App) -> None:
    answer = app.client.get("/api/health", headers={"X-Admin-Secret": ""})
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {"mongodb": "ok", "redis": "ok", "key_vault": "not_configured", "engine": "ok", "schedule": "ok"},
    }
