"""A provider that allows few requests, asked by several workers."""

from datetime import UTC, datetime, timedelta

from tests.builders import a_portfolio, random_walk, weekdays
from tests.faults.people import BENCHMARK
from tests.faults.site import Site
from tests.faults.truth import check
from tests.market_data.made_up import traded
from tests.market_data.provider_apis import KEYS, alpaca
from tests.market_data.provider_server import a_provider_server

PER_MINUTE = 32
"""So few that only one batch is loaded at a time: one may take 66 requests, and two of those more than four minutes."""
SYMBOLS = [f"S{number:03}" for number in range(101)]
BATCHES = [SYMBOLS[:100], SYMBOLS[100:]]


def test_workers_load_one_batch_after_the_other_and_neither_the_limit_nor_a_pause_costs_an_attempt(
    standing_site: Site,
) -> None:
    days = weekdays(100, start=f"{datetime.now(UTC) - timedelta(days=145):%Y-%m-%d}")
    bars = traded("S", random_walk(days, seed=1))
    portfolio = a_portfolio("u")
    for symbol in SYMBOLS:
        portfolio = portfolio.holding(symbol, 1.0, 1.0)
    with a_provider_server(alpaca, dict.fromkeys([BENCHMARK, *SYMBOLS], bars)) as server:
        standing_site.heal(
            MARKET_DATA_PROVIDER="alpaca",
            ALPACA_URL=server.url,
            ALPACA_KEY_ID=KEYS["alpaca-key-id"],
            ALPACA_SECRET_KEY=KEYS["alpaca-secret-key"],
            MARKET_DATA_REQUESTS_PER_MINUTE=str(PER_MINUTE),
            ANALYSIS_STALL_SECONDS="240",  # waiting for the next minute is no stall; the watchdog looks every five
        )
        standing_site.forget_prices()
        standing_site.populate([portfolio.build()])
        server.requests_per_minute = PER_MINUTE  # more are refused, with a pause of a quarter of a minute
        server.failures.extend([""] * 10 + ["429 with Retry-After of a second"])
        check(standing_site, standing_site.trigger(), states=("completed",))
    assert "load_prices: failed" not in standing_site.log()
    asked = [question.params["symbols"].split(",")[0] for question in server.asked]
    batches = [BATCHES.index(next(own for own in BATCHES if symbol in own)) for symbol in asked if symbol != BENCHMARK]
    assert set(batches) == {0, 1}
    assert batches == sorted(batches)
    assert [question.failure for question in server.asked if question.failure] == ["429 with Retry-After of a second"]
