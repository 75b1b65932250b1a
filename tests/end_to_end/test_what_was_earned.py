"""What persons really earned, over HTTP: returns with their weeks, income and gains, also in other currencies."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from analysis.returns.gains import RealizedGain
from tests.end_to_end.app import BASE, App, running_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="module")
def run_id(app: App) -> str:
    return str(app.run()["run_id"])


def asked(app: App, run_id: str, user_id: str, what: str, **query: Any) -> httpx.Response:  # noqa: ANN401
    path = f"{BASE}/analysis-runs/{run_id}/portfolios/{user_id}/{what}"
    return app.client.get(path, params={name.strip("_"): value for name, value in query.items()})


def answer(app: App, run_id: str, user_id: str, what: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401
    found = asked(app, run_id, user_id, what, **query)
    assert found.status_code == 200, found.text
    content: dict[str, Any] = found.json()
    return content


class TestReturns:
    @pytest.mark.parametrize("user_id", ["ada-allrounder", "hana-health", "jo-justbanks", "quinn-short", "gia-gift"])
    def test_they_reconcile_to_the_cent(self, app: App, run_id: str, user_id: str) -> None:
        report = app.report(run_id, user_id)
        assert report["returns"]["since"] is not None
        assert [period["period"] for period in report["returns"]["periods"]] == [
            "1m", "3m", "ytd", "1y", "3y", "5y", "since",
        ]  # fmt: skip
        for period in report["returns"]["periods"]:
            if period["reason"] == "ledger_begins_later":
                assert period["twr"] is None
                continue
            gains = period["price_gain"] + period["income"] + period["fx_gain"] - period["fees"] - period["taxes"]
            end = period["start_value"] + period["net_flows"] + gains + period["residual"]
            assert end == pytest.approx(period["end_value"], abs=0.005)
            assert abs(period["residual"]) < 0.05  # of amounts that the ledger rounds to cents
        since = report["returns"]["periods"][-1]
        valuation = report["valuation"]
        assert since["end_value"] == pytest.approx(valuation["market_value"] + valuation["cash"], abs=0.005)

    def test_the_weeks_end_with_the_report(self, app: App, run_id: str) -> None:
        found = answer(app, run_id, "hana-health", "returns")
        since = found["returns"]["periods"][-1]

        assert (found["currency"], found["reason"]) == ("EUR", None)
        days = [date.fromisoformat(week["date"]) for week in found["series"]]
        assert days[-1] == date(2022, 12, 28)
        assert len(days) == len({day.isocalendar()[:2] for day in days})
        last = found["series"][-1]
        assert last["value"] == pytest.approx(since["end_value"], rel=1e-12)
        assert last["twr_index"] == pytest.approx(1 + since["twr"], rel=1e-12)
        assert last["invested"] == pytest.approx(since["start_value"] + since["net_flows"], rel=1e-9)

    def test_some_weeks_are_those_of_the_whole_series(self, app: App, run_id: str) -> None:
        whole = answer(app, run_id, "ada-allrounder", "returns")["series"]
        some = answer(app, run_id, "ada-allrounder", "returns", from_="2021-01-01", to="2021-06-30")["series"]
        assert some[:-1] == [week for week in whole if "2021-01-01" <= week["date"] <= "2021-06-25"]
        assert some[-1]["date"] == "2021-06-30"

    @pytest.mark.parametrize(
        ("query", "member"), [({"from_": "2022-02-01", "to": "2022-01-31"}, "from"), ({"to": "soon"}, "to")]
    )
    def test_days_that_make_no_sense_are_refused_by_name(
        self, app: App, run_id: str, query: dict[str, str], member: str
    ) -> None:
        found = asked(app, run_id, "ada-allrounder", "returns", **query)
        assert (found.status_code, found.json()["member"]) == (422, member)

    def test_without_transactions_there_is_a_reason_and_an_implied_income(self, app: App, run_id: str) -> None:
        report = app.report(run_id, "xena-corrupt-holding")
        found = answer(app, run_id, "xena-corrupt-holding", "returns")
        assert (found["returns"], found["series"]) == (None, [])
        assert found["reason"] == report["reasons"]["returns"]

    def test_a_holding_without_a_price_leaves_the_returns_out_and_nothing_else(self, app: App, run_id: str) -> None:
        report = app.report(run_id, "rosa-rare")
        assert (report["returns"], report["reasons"]["returns"]) == (None, "incomplete_valuation")
        assert report["performance"] is not None

    def test_an_incomplete_ledger_begins_where_it_is_sound_and_says_why(self, app: App, run_id: str) -> None:
        found = app.report(run_id, "una-unknown-cost")["returns"]
        assert "opening_position" in {issue["kind"] for issue in found["issues"]}
        assert found["since"] is not None

    def test_a_missed_split_is_told_and_valued_on_the_right_side(self, app: App, run_id: str) -> None:
        report = app.report(run_id, "sid-split-missed")
        apple = next(holding for holding in report["holdings"] if holding["symbol"] == "AAPL")
        assert apple["quantity"] == 120
        assert "corporate_action_pending" in {issue["kind"] for issue in report["returns"]["issues"]}
        assert any("4 times the quantity that is stored" in note for note in report["data_quality"]["notes"])

    def test_the_drawdown_check_is_that_of_the_person_where_it_is_known(self, app: App, run_id: str) -> None:
        known, unknown = (app.report(run_id, user_id) for user_id in ("ada-allrounder", "rosa-rare"))
        own, backtest = (
            next(check for check in report["checks"] if check["rule"] == "drawdown") for report in (known, unknown)
        )
        assert own["value"] == known["returns"]["current_drawdown"]
        assert "own time-weighted returns" in own["message"]
        assert "backtest" in backtest["message"]


class TestCurrencies:
    def test_a_person_in_euros_has_everything_in_euros(self, app: App, run_id: str) -> None:
        report = app.report(run_id, "hana-health")
        assert report["currency"] == "EUR"
        assert {holding["currency"] for holding in report["holdings"]} == {"USD"}
        for holding in report["holdings"]:
            local = holding["quantity"] * holding["price"]
            assert holding["market_value_local"] == pytest.approx(local, rel=1e-12)
            assert holding["market_value"] == pytest.approx(local * holding["fx_rate"], rel=1e-12)
        assert [own["currency"] for own in report["currency_exposure"]] == ["USD", "EUR"]
        (check,) = [check for check in report["checks"] if check["rule"] == "currency_exposure"]
        assert (check["status"], check["value"]) == ("breach", report["currency_exposure"][0]["share"])

    def test_persons_without_a_base_currency_have_no_such_check(self, app: App, run_id: str) -> None:
        report = app.report(run_id, "ada-allrounder")
        assert report["currency"] == "USD"
        assert "currency_exposure" not in {check["rule"] for check in report["checks"]}

    def test_the_series_of_a_backtest_is_in_the_base_currency_too(self, app: App, run_id: str) -> None:
        performance = app.report(run_id, "jo-justbanks")["performance"]
        series = answer(app, run_id, "jo-justbanks", "series")
        assert series["growth"][-1] == pytest.approx(1 + performance["cumulative_return"], rel=1e-9)


class TestIncome:
    def test_it_is_that_of_the_report(self, app: App, run_id: str) -> None:
        found, report = answer(app, run_id, "dan-dividend", "income"), app.report(run_id, "dan-dividend")
        assert found["income"] == report["income"]
        assert (found["reason"], found["currency"], found["income"]["basis"]) == (None, "USD", "transactions")
        assert len(found["income"]["by_month"]) == 12
        total = sum(row["amount"] for row in found["income"]["by_symbol"])
        assert total == pytest.approx(found["income"]["trailing_12m"])


class TestGains:
    def test_a_sale_of_another_year_is_found_by_its_year(self, app: App, run_id: str) -> None:
        years = {year: answer(app, run_id, "ada-allrounder", "gains", year=year) for year in range(2015, 2023)}
        sales = [row for found in years.values() for row in found["realized"]]
        assert sales
        for year, found in years.items():
            assert {row["closed"][:4] for row in found["realized"]} <= {str(year)}
            known = [row for row in found["realized"] if row["gain"] is not None]
            total = sum(found["totals"][term]["gain"] for term in ("short", "long"))
            assert total == pytest.approx(sum(row["gain"] for row in known))

    def test_lots_add_up_to_the_holdings(self, app: App, run_id: str) -> None:
        report, found = app.report(run_id, "finn-fifties"), answer(app, run_id, "finn-fifties", "gains")
        for holding in report["holdings"]:
            lots = [lot for lot in found["unrealized"] if lot["symbol"] == holding["symbol"]]
            assert sum(lot["quantity"] for lot in lots) == pytest.approx(holding["quantity"], rel=1e-9)
            assert sum(lot["value"] for lot in lots) == pytest.approx(holding["market_value"], rel=1e-9)

    @pytest.mark.parametrize("method", ["fifo", "lifo", "hifo", "average", "specific"])
    def test_the_method_is_the_one_asked_for(self, app: App, run_id: str, method: str) -> None:
        assert answer(app, run_id, "ada-allrounder", "gains", method=method)["method"] == method

    def test_a_file_has_the_same_columns_and_numbers(self, app: App, run_id: str) -> None:
        year = next(
            year for year in range(2015, 2023) if answer(app, run_id, "ada-allrounder", "gains", year=year)["realized"]
        )
        expected = answer(app, run_id, "ada-allrounder", "gains", year=year)["realized"]
        path = f"{BASE}/analysis-runs/{run_id}/portfolios/ada-allrounder/gains"
        found = app.client.get(path, params={"year": year}, headers={"Accept": "text/csv"})

        assert found.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert found.headers["Content-Disposition"] == f'attachment; filename="gains-ada-allrounder-{year}.csv"'
        rows = list(csv.DictReader(io.StringIO(found.text)))
        assert tuple(rows[0]) == RealizedGain.__struct_fields__
        assert [float(row["gain"]) for row in rows] == [row["gain"] for row in expected]
        assert [row["closed"] for row in rows] == [row["closed"] for row in expected]
        entry = app.newest_entry()
        told = (entry["action"], entry["outcome"], entry["user_id"])
        assert told == ("export_gains", "accepted", "ada-allrounder")

    @pytest.mark.parametrize(("query", "member"), [({"year": "last"}, "year"), ({"method": "best"}, "method")])
    def test_what_cannot_be_asked_for_is_refused_by_name(
        self, app: App, run_id: str, query: dict[str, str], member: str
    ) -> None:
        found = asked(app, run_id, "ada-allrounder", "gains", **query)
        assert (found.status_code, found.json()["member"]) == (422, member)
        assert "null" not in found.json()["detail"]


@pytest.mark.parametrize("what", ["returns", "income", "gains"])
def test_nobody_without_a_report_earned_anything(app: App, run_id: str, what: str) -> None:
    assert asked(app, run_id, "nobody", what).status_code == 404
    assert asked(app, "run_20260102_010000_ab12", "ada-allrounder", what).status_code == 404
