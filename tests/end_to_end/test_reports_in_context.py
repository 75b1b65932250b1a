"""The context of a report, over HTTP: its series, the previous report, other users beyond a limit, the schedule."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.end_to_end.app import BASE, App, running_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="module")
def runs(app: App) -> list[str]:
    """Return two runs of different days, and one without reports."""
    asked: list[dict[str, Any]] = [{"as_of": "2022-06-01"}, {}, {"dry_run": True}]
    return [app.run(**body)["run_id"] for body in asked]


def portfolio(app: App, run_id: str, user_id: str, what: str) -> httpx.Response:
    return app.client.get(f"{BASE}/analysis-runs/{run_id}/portfolios/{user_id}/{what}")


def listed(app: App, run_id: str, **query: Any) -> list[str]:  # noqa: ANN401 - any parameter
    found: list[str] = []
    after = None
    while after is not None or not found:
        params = {"limit": 2, **query} | ({"after": after} if after else {})
        page = app.client.get(f"{BASE}/analysis-runs/{run_id}/portfolios", params=params)
        assert page.status_code == 200, page.text
        found += [line["user_id"] for line in page.json()["portfolios"]]
        if (after := page.json()["next"]) is None:
            break
    return found


@pytest.mark.parametrize("number", [0, 1])
def test_the_series_agree_with_the_report_also_after_a_later_run(app: App, runs: list[str], number: int) -> None:
    report = app.report(runs[number], "sam-stale-share" if number else "ada-allrounder")
    series = portfolio(app, runs[number], report["user_id"], "series").json()
    performance = report["performance"]
    assert (series["dates"][0], series["dates"][-1]) == (performance["start"], performance["end"])
    assert series["growth"][-1] == pytest.approx(1 + performance["cumulative_return"], rel=1e-9)
    assert min(series["drawdown"]) == pytest.approx(report["risk"]["max_drawdown"], rel=1e-9)
    assert performance["observations"] / 5 < len(series["dates"]) < performance["observations"] / 4


def test_a_report_without_figures_of_returns_has_no_series_and_a_reason(app: App, runs: list[str]) -> None:
    answer = portfolio(app, runs[1], "tess-stale-mostly", "series")
    assert answer.status_code == 404
    assert "no figures from returns" in answer.json()["detail"]


def test_the_earlier_report_is_that_of_the_run_before(app: App, runs: list[str]) -> None:
    def earlier(run_id: str) -> Any:  # noqa: ANN401 - any JSON
        return portfolio(app, run_id, "ada-allrounder", "earlier").json()["report"]

    assert earlier(runs[1]) == app.report(runs[0], "ada-allrounder")
    assert earlier(runs[0]) is None
    assert earlier(runs[2]) == app.report(runs[1], "ada-allrounder")


def test_the_report_of_another_night_is_asked_for_by_its_run(app: App, runs: list[str]) -> None:
    def of_night(night: str, user_id: str = "ada-allrounder") -> httpx.Response:
        path = f"{BASE}/analysis-runs/{runs[2]}/portfolios/{user_id}/earlier"
        return app.client.get(path, params={"night": night})

    assert of_night(runs[0]).json()["report"] == app.report(runs[0], "ada-allrounder")
    assert of_night(runs[0], "nobody").json() == {"report": None}
    assert of_night("run_20200101_000000_0000").status_code == 404
    assert (of_night("last").status_code, of_night("last").json()["member"]) == (422, "night")


@pytest.mark.parametrize("check", ["drawdown", "volatility:warning", "largest_position:breach", "volatility:unknown"])
@pytest.mark.parametrize("sort", ["user_id", "market_value"])
def test_a_check_lists_exactly_the_users_whose_report_has_it(app: App, runs: list[str], check: str, sort: str) -> None:
    rule, _, status = check.partition(":")
    statuses = {status} if status else {"warning", "breach"}
    expected = {
        user_id
        for user_id in listed(app, runs[1])
        if any(c["rule"] == rule and c["status"] in statuses for c in app.report(runs[1], user_id)["checks"])
    }
    found = listed(app, runs[1], check=check, sort=sort, order="desc")
    assert (set(found), len(found)) == (expected, len(expected))
    assert expected


def test_a_prefix_lists_the_users_whose_id_begins_with_it(app: App, runs: list[str]) -> None:
    assert listed(app, runs[1], user_id_prefix="f") == ["finn-fifties"]
    assert listed(app, runs[1], user_id_prefix="nobody") == []


def test_the_schedule_contains_the_previous_and_the_next_night(app: App) -> None:
    schedule = app.client.get(f"{BASE}/schedule").json()
    assert (schedule["schedule"], schedule["disabled"]) == ("0 0 1 * * *", False)
    previous, following = (datetime.fromisoformat(schedule[name]) for name in ("previous", "next"))
    assert following - previous == timedelta(days=1)
    assert previous.strftime("%H:%M:%S%z") == "01:00:00+0000"
