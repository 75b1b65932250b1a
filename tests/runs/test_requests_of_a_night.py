"""The number of requests to a provider's server for a thousand symbols, night by night."""

from copy import replace
from datetime import UTC, datetime, timedelta
from itertools import batched

import numpy as np
import pytest

from analysis.prices import Bars
from market_data.provider import Provider, ProviderUnavailable
from runs.prices import TURNS, Update, bring_up_to_date, history_start
from stores.symbols import History
from tests.builders import random_walk, weekdays
from tests.market_data.made_up import EVER, made_up_market, traded
from tests.market_data.provider_server import ProviderServer
from tests.market_data.remote import GENEROUS, REMOTE, a_remote_provider

SYMBOLS = ["".join(chr(65 + number // 26**place % 26) for place in range(3)) for number in range(1_000)]
DAYS = weekdays(60, start="2026-01-05")


def night(provider: Provider, kept: dict[str, History]) -> dict[str, History]:
    """Return the histories after a run, which updates the stored ones batch by batch."""
    wanted, histories = provider.last_day(), dict(kept)
    for batch in batched(SYMBOLS, provider.symbols_per_batch, strict=False):
        update = bring_up_to_date(provider, histories, batch, history_start(wanted, 1260), wanted)
        assert update.errors == {}
        histories |= update.histories
    return histories


def evening(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(f"{day}T23:30:00").replace(tzinfo=UTC)


def whole_histories(server: ProviderServer) -> list[set[str]]:
    """Return the symbols of each request for whole histories."""
    asked = [question.params for question in server.asked if question.params["start"] < "2008"]
    return [set(params["symbols"].split(",")) for params in asked]


def test_a_night_takes_three_requests_per_batch_and_three_for_those_whose_turn_it_is_or_that_were_split() -> None:
    moment = [evening(DAYS[-3])]
    with a_remote_provider("alpaca", now=lambda: moment[0]) as (provider, server):
        walk = random_walk(DAYS, seed=1)
        server.market.clear()
        server.market.update({symbol: traded(symbol, scaled(walk, number)) for number, symbol in enumerate(SYMBOLS)})
        batches = len(SYMBOLS) // provider.symbols_per_batch

        kept = night(provider, {})
        server.asked.clear()

        again = night(provider, kept)
        assert all(again[symbol] is kept[symbol] for symbol in SYMBOLS)
        assert server.asked == []

        moment[0] += timedelta(days=1)
        kept = night(provider, kept)
        whole = whole_histories(server)
        assert len(server.asked) - len(whole) == 3 * batches  # raw, adjusted and splits, one page of each
        assert len(whole) <= 3 * batches
        assert sum(map(len, whole)) == pytest.approx(3 * len(SYMBOLS) / TURNS, rel=0.5)
        assert not any(SYMBOLS[500] in symbols for symbols in whole)
        assert {history.end for history in kept.values()} == {DAYS[-2].item()}
        server.asked.clear()

        moment[0] += timedelta(days=1)
        split = server.market[SYMBOLS[500]]
        server.market[SYMBOLS[500]] = Bars(split.dates, split.close, split.adj_close / 2, split.high, split.low)
        kept = night(provider, kept)
        whole = whole_histories(server)
        assert len(server.asked) - len(whole) == 3 * batches
        assert len(whole) <= 3 * batches
        assert [SYMBOLS[500] in symbols for symbols in whole].count(True) == 3
        for symbol in (SYMBOLS[0], SYMBOLS[500], SYMBOLS[999]):
            np.testing.assert_array_equal(kept[symbol].bars.adj_close, server.market[symbol].adj_close)


@pytest.mark.parametrize("api", REMOTE)
def test_answers_received_before_an_outage_are_not_requested_again(api: str) -> None:
    last = evening(made_up_market()["AAPL"].dates[-1])
    with a_remote_provider(api, settings=replace(GENEROUS, concurrency=1), now=lambda: last) as (provider, server):

        def update(kept: dict[str, History], *symbols: str) -> Update:
            return bring_up_to_date(provider, kept, symbols, EVER[0], provider.last_day())

        expected = update({}, "AAPL").histories["AAPL"]
        server.failures.extend(["none"] * len(server.asked))
        server.always = "500"
        partly = update({}, "AAPL", "KO")
        assert isinstance(partly.failure, ProviderUnavailable)
        assert set(partly.histories) == {"AAPL"}
        server.forget()
        rest = update(partly.histories, "AAPL", "KO")
        assert server.asked
        assert not any("AAPL" in value for question in server.asked for value in question.params.values())
    assert (rest.failure, set(rest.histories)) == (None, {"AAPL", "KO"})
    np.testing.assert_array_equal(rest.histories["AAPL"].bars.adj_close, expected.bars.adj_close)


def scaled(walk: Bars, number: int) -> Bars:
    factor = 1 + number / 1_000
    return Bars(walk.dates, walk.close * factor, walk.adj_close * factor)
