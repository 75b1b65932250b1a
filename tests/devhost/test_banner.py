"""What a start of this app tells: the console, the users and the prices that it will use."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analysis.prices import Bars
from devhost.mongodb import users_in
from devhost.newest_price import prices_of
from devhost.sample_data import SAMPLE_USERS
from fields import Fields
from settings import Settings
from stores.mongo import DocumentDatabase
from stores.symbols import History, PriceStore
from tests.devhost.harness import ROOT, running_host

TODAY = date(2026, 11, 26)


def write_prices(folder: Path, symbol: str, newest: date) -> None:
    days = (newest - timedelta(days=1), newest)
    (folder / f"{symbol}.csv").write_text("date,close\n" + "".join(f"{day},100.5\n" for day in days))


def told(mongodb_url: str, **environment: str) -> str:
    ours = {"MONGODB_URL": mongodb_url, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
    return prices_of(Settings.from_environment(ours | environment), mongodb_url, TODAY)


def test_a_start_tells_the_console_first_then_the_sample_and_that_it_is_old_and_broken_on_purpose(
    tmp_path: Path,
) -> None:
    with running_host(tmp_path, ROOT, MONGODB_URL="", MARKET_DATA_PROVIDER="sample") as host:
        base_url = str(host.client.base_url).rstrip("/")
        assert host.lines[0] == f"Admin console: {base_url}/api/admin/console"
        holdings = sum(len(user.holdings) for user in SAMPLE_USERS)
        (at,) = [number for number, line in enumerate(host.lines) if line.startswith("MongoDB at ")]
        assert host.lines[at + 2 : at + 4] == [
            f"  database portfolio: {len(SAMPLE_USERS)} users, {holdings} holdings",
            "  sample data: some of these users are broken on purpose",
        ]
        assert "Prices: the sample, up to 2022-12-28: it ends there on purpose" in host.lines
        assert host.lines[-1] == f"Listening on {base_url}"
        assert max(map(len, host.lines)) <= 80
        assert host.stop() == 0


def test_a_start_tells_the_database_of_the_url_and_the_files(
    tmp_path: Path, mongodb_url: str, database: DocumentDatabase
) -> None:
    database.users.insert_one({"user_id": "ann"})
    database.holdings.insert_many([{"user_id": "ann", "symbol": symbol} for symbol in ("A", "B")])
    prices = tmp_path / "prices"
    prices.mkdir()
    write_prices(prices, "SPY", date(2024, 5, 3))
    settings = {"MONGODB_URL": f"{mongodb_url}/{database.name}", "PRICES_DIR": str(prices)}
    with running_host(tmp_path, ROOT, **settings) as host:
        assert f"  database {database.name}: 1 user, 2 holdings" in host.lines
        (line,) = [line for line in host.lines if line.startswith("Prices: ")]
        assert line.startswith(f"Prices: 1 file in {prices}, SPY up to 2024-05-03, ")
        assert line.endswith(" weekdays ago: check the source of prices")
        assert "  sample data: some of these users are broken on purpose" not in host.lines
        assert host.stop() == 0


@pytest.mark.parametrize(
    ("newest", "age"),
    [
        (date(2026, 11, 26), ""),
        (date(2026, 11, 19), ""),
        (date(2026, 11, 18), ", 6 weekdays ago: check the source of prices"),
    ],
)
def test_files_older_than_five_weekdays_are_told_to_be_old(tmp_path: Path, newest: date, age: str) -> None:
    write_prices(tmp_path, "SPY", newest)
    write_prices(tmp_path, "AAPL", TODAY)
    assert told("mongodb://unused", PRICES_DIR=str(tmp_path)) == f"2 files in {tmp_path}, SPY up to {newest}{age}"


def test_files_without_the_benchmark_are_told_with_the_setting(tmp_path: Path) -> None:
    write_prices(tmp_path, "AAPL", TODAY)
    assert told("mongodb://unused", PRICES_DIR=str(tmp_path)) == (
        f"1 file in {tmp_path}, but the benchmark has none (SPY: no prices): see BENCHMARK_SYMBOL"
    )


def test_of_a_server_the_stored_prices_are_told_and_no_request_is_sent(
    mongodb_url: str, database: DocumentDatabase
) -> None:
    alpaca = {"MARKET_DATA_PROVIDER": "alpaca", "ALPACA_KEY_ID": "id", "ALPACA_SECRET_KEY": "key"}
    settings = alpaca | {"ALPACA_URL": "http://127.0.0.1:1", "MONGODB_DATABASE": database.name}
    assert told(mongodb_url, **settings) == "alpaca, none stored yet: the first run requests them"
    days = np.array(["2026-11-24", "2026-11-25"], dtype="datetime64[D]")
    bars = Bars(dates=days, close=np.array([1.0, 2.0]), adj_close=np.array([1.0, 2.0]))
    PriceStore(database).save({"SPY": History("alpaca", date(2026, 1, 2), date(2026, 11, 25), bars)})
    assert told(mongodb_url, **settings) == "alpaca, SPY up to 2026-11-25"


def test_users_and_holdings_are_counted_where_fields_says_they_are(
    mongodb_url: str, database: DocumentDatabase
) -> None:
    database.people.insert_one({"positions": [{}, {}]})
    fields = Fields.read("users=people,users.user_id=_id,holdings=people.positions[]")
    assert users_in(mongodb_url, database.name, fields) == "1 user, holdings in people.positions[]"
    assert users_in(mongodb_url, database.name, Fields.read("users=people")) == "1 user, 0 holdings"


def test_what_the_database_refuses_is_told_and_does_not_end_the_start(mongodb_url: str) -> None:
    name = "x" * 64
    reason = f"Invalid database name: '{name}'. Database names must be at most 63 characters."
    assert users_in(mongodb_url, name, Fields()) == f"its users cannot be counted: {reason}"
