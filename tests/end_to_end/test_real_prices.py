"""Runs with prices from a provider's server, over HTTP."""

from collections.abc import Iterator

import pytest
import redis

from market_data.sample_prices import SampleProvider
from tests.end_to_end.app import App, running_app
from tests.market_data.made_up import EVER, traded
from tests.market_data.provider_apis import KEYS, alpaca
from tests.market_data.provider_server import ProviderServer, a_provider_server
from tests.market_data.test_sample_prices import COMPANIES


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    sample = SampleProvider().daily_bars([*COMPANIES, "SP500"], *EVER).bars
    sample["SPY"] = sample.pop("SP500")
    with a_provider_server(alpaca, {symbol: traded(symbol, bars) for symbol, bars in sample.items()}) as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, redis_url: str, server: ProviderServer) -> Iterator[App]:
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()  # other tests ask for the same prices
    environment = {
        "REDIS_URL": redis_url,
        "MARKET_DATA_PROVIDER": "alpaca",
        "ALPACA_URL": server.url,
        "ALPACA_KEY_ID": KEYS["alpaca-key-id"],
        "ALPACA_SECRET_KEY": KEYS["alpaca-secret-key"],
    }
    with running_app(tmp_path_factory.mktemp("app"), **environment) as running:
        yield running


def test_a_run_whose_key_is_refused_ends_at_once_and_names_the_settings(app: App, server: ProviderServer) -> None:
    server.always = "401"
    run = app.run()
    server.always = ""
    assert run["status"] == "failed"
    assert run["errors"][0]["error_type"] == "provider_key_refused"
    assert "ALPACA_KEY_ID and ALPACA_SECRET_KEY" in run["errors"][0]["error"]
    assert len(server.asked) == 1


def test_a_run_sends_the_minimum_of_requests_through_one_rate_limit_and_does_not_reveal_its_key(
    app: App, server: ProviderServer, redis_url: str
) -> None:
    server.forget()
    run = app.run()
    assert run["status"] == "completed_with_errors"
    assert [error["error"] for error in run["errors"] if error["user_id"] is None] == ["NOSUCH: no prices"]
    rows = sum(server.market[symbol].dates.size for symbol in COMPANIES)
    # One page per adjustment for the benchmark; for all other symbols as many as their rows fill, and at most one
    # more for each of the three parts in which such long histories are requested. Splits are asked for once for the
    # benchmark and once for each part.
    full, splits = 1 + -(-rows // 10_000), 1 + 3
    assert 2 * full + splits <= len(server.asked) <= 2 * (full + 3) + splits
    asked = len(server.asked)
    app.run()
    assert len(server.asked) <= asked + 4  # everything is stored except the unknown symbol
    with redis.Redis.from_url(redis_url) as client:
        scripts = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert scripts >= asked  # each request waits for its turn in the rate limit that all workers share
    output = app.log.read_text() + "".join(app.output) + str(run)
    assert not any(key in output for key in KEYS.values())
