"""Failures of a provider's server during a run: for a moment, for a batch, or for longer than a step waits."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import random_walk, weekdays
from tests.deployed import hasty_app
from tests.faults.people import BENCHMARK, SYMBOLS
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures
from tests.market_data.made_up import traded
from tests.market_data.provider_apis import KEYS, alpaca
from tests.market_data.provider_server import ProviderServer, a_provider_server

QUESTIONS_OF_PLAN = 3
"""The requests for the benchmark's raw and adjusted bars and splits come first, those for the symbols follow."""
FIRST_PART = sorted(SYMBOLS)[:9]
"""Long histories are requested in parts of a few symbols."""
QUESTIONS = QUESTIONS_OF_PLAN + 6


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    days = weekdays(300, start=f"{datetime.now(UTC) - timedelta(days=425):%Y-%m-%d}")  # up to last week
    walks = {symbol: random_walk(days, seed) for seed, symbol in enumerate([BENCHMARK, *SYMBOLS])}
    with a_provider_server(alpaca, {symbol: traded(symbol, bars) for symbol, bars in walks.items()}) as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hasty_app(tmp_path_factory.mktemp("hasty") / "app")


def new_at(site: Site, server: ProviderServer, app: Path) -> Site:
    """Return the site with everything working and no stored prices; they come from the server."""
    server.forget()
    site.heal(
        app,
        MARKET_DATA_PROVIDER="alpaca",
        ALPACA_URL=server.url,
        ALPACA_KEY_ID=KEYS["alpaca-key-id"],
        ALPACA_SECRET_KEY=KEYS["alpaca-secret-key"],
        MARKET_DATA_REQUESTS_PER_MINUTE="100000",
    )
    site.forget_prices()
    return site


@pytest.fixture(scope="module")
def expected(standing_site: Site, server: ProviderServer, app: Path) -> Figures:
    """Return the figures of every user without failures of the server."""
    site = new_at(standing_site, server, app)
    run_id = site.trigger()
    check(site, run_id, states=("completed",))
    assert len(server.asked) == QUESTIONS
    return figures(site, run_id)


@pytest.fixture
def site(standing_site: Site, server: ProviderServer, app: Path, expected: Figures) -> Site:  # noqa: ARG001 - it must be computed first
    return new_at(standing_site, server, app)


@pytest.mark.parametrize(
    "failure",
    ["429 with Retry-After of a second", "500", "connection lost", "body cut off", "truncated JSON", "not JSON"],
)
@pytest.mark.parametrize("question", [0, QUESTIONS_OF_PLAN], ids=["plan", "prices"])
def test_a_failed_request_is_retried_and_the_run_completes_with_the_same_figures(
    site: Site, server: ProviderServer, expected: Figures, failure: str, question: int
) -> None:
    server.failures.extend([""] * question + [failure])
    run_id = site.trigger()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == expected
    assert [asked.failure for asked in server.asked].count(failure) == 1
    assert len(server.asked) == QUESTIONS + 1


def test_half_of_an_answer_fails_the_run_by_name_and_the_next_run_gets_the_other_half(
    site: Site, server: ProviderServer, expected: Figures
) -> None:
    server.failures.extend([""] * QUESTIONS_OF_PLAN + ["half of the batch missing"])
    run = check(site, site.trigger(), states=("failed",))
    lost = FIRST_PART[0::2]
    assert run["errors"][0]["error_type"] == "too_few_prices"
    assert [error["error"] for error in run["errors"][1:]] == [f"{symbol}: no prices" for symbol in lost]
    run_id = site.trigger()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == expected


def test_a_row_with_an_impossible_price_does_not_fail_its_symbol(site: Site, server: ProviderServer) -> None:
    server.failures.extend([""] * QUESTIONS_OF_PLAN + ["a negative price"])
    run = check(site, site.trigger(), states=("completed",))
    assert (run["symbols_failed"], run["errors"]) == (0, [])


def test_a_symbol_with_too_many_impossible_prices_fails_by_name_and_is_asked_for_again(
    site: Site, server: ProviderServer, expected: Figures
) -> None:
    server.failures.extend([""] * QUESTIONS_OF_PLAN + ["negative prices alone"])
    run = check(site, site.trigger(), states=("completed_with_errors",))
    (error,) = run["errors"]
    assert (error["user_id"], error["error_type"]) == (None, "bad_prices")
    assert error["error"].startswith(f"{min(SYMBOLS)}: ")
    assert (run["symbols_failed"], run["users_failed"]) == (1, 0)
    run_id = site.trigger()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == expected


def test_a_server_that_fails_for_longer_than_a_step_retries_is_asked_by_the_next_attempt_of_the_step(
    site: Site, server: ProviderServer, expected: Figures
) -> None:
    server.failures.extend([""] * QUESTIONS_OF_PLAN + ["503"] * 5)
    run_id = site.trigger()
    check(site, run_id, states=("completed",))
    assert "load_prices: failed: ProviderUnavailable" in site.log()
    assert figures(site, run_id) == expected


def test_answers_received_before_the_server_failed_are_not_requested_again_by_the_next_attempt(
    site: Site, server: ProviderServer, expected: Figures
) -> None:
    questions_of_a_part = 3
    server.failures.extend([""] * (QUESTIONS_OF_PLAN + questions_of_a_part) + ["503"] * 5)
    run_id = site.trigger()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == expected
    assert server.params("symbols").count(",".join(FIRST_PART)) == questions_of_a_part
    assert len(server.asked) == QUESTIONS + 5


def test_a_key_that_is_revoked_during_a_run_ends_the_run_and_names_the_settings(
    site: Site, server: ProviderServer
) -> None:
    server.failures.extend([""] * QUESTIONS_OF_PLAN)
    server.always = "401"
    run = check(site, site.trigger(), states=("failed",))
    assert "ALPACA_KEY_ID and ALPACA_SECRET_KEY" in run["errors"][0]["error"]
    assert len(server.asked) == QUESTIONS_OF_PLAN + 1
