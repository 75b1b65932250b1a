"""Rules for every provider over HTTP: concurrency, time limits and connections."""

from concurrent.futures import ThreadPoolExecutor
from copy import replace
from datetime import date
from types import ModuleType

import numpy as np
import pytest

from market_data import http_source, patience
from market_data.patience import end_of_patience, one_patience
from market_data.provider import ProviderUnavailable
from tests.devhost.harness import eventually
from tests.market_data.made_up import EVER
from tests.market_data.remote import GENEROUS, REMOTE, a_remote_provider

ONE_AT_ONCE, TWO_AT_ONCE = (replace(GENEROUS, concurrency=number) for number in (1, 2))
START, END = date(2022, 1, 3), date(2022, 1, 31)


@pytest.mark.parametrize("api", REMOTE)
def test_no_more_requests_are_under_way_in_a_process_than_the_setting_says(api: str) -> None:
    with (
        a_remote_provider(api, settings=TWO_AT_ONCE) as (provider, server),
        ThreadPoolExecutor(8) as threads,
    ):
        server.always = "time-out"  # until the server's door is set
        batches = [threads.submit(provider.daily_bars, ["KO"], START, END) for _ in range(8)]
        eventually(lambda: server.under_way == 2)
        server.door.set()
        assert all("KO" in batch.result().bars for batch in batches)
    assert server.most_at_once == 2


@pytest.mark.parametrize(
    ("where", "name", "value", "failure", "message"),
    [
        (patience, "PATIENCE_SECONDS", 0.3, "body drop by drop", "does not end"),
        (http_source, "_LARGEST_ANSWER_BYTES", 1000, "none", "too long"),
    ],
)
def test_an_answer_that_is_too_slow_or_too_large_is_aborted(
    monkeypatch: pytest.MonkeyPatch, where: ModuleType, name: str, value: float, failure: str, message: str
) -> None:
    monkeypatch.setattr(where, name, value)
    with a_remote_provider("alpaca") as (provider, server):
        server.always = failure
        with pytest.raises(ProviderUnavailable, match=message):
            provider.daily_bars(["KO"], START, END)
    assert len(server.asked) == 1


def test_a_request_fails_if_others_use_up_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        a_remote_provider("alpaca", settings=ONE_AT_ONCE) as (provider, server),
        ThreadPoolExecutor(1) as threads,
    ):
        server.always = "time-out"
        first = threads.submit(provider.daily_bars, ["KO"], START, END)
        eventually(lambda: server.under_way == 1)
        monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.1)
        with pytest.raises(ProviderUnavailable, match="other requests"):
            provider.daily_bars(["KO"], START, END)
        server.door.set()
        assert "KO" in first.result().bars


def test_a_pause_between_attempts_never_exceeds_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.5)
    with a_remote_provider("alpaca") as (provider, server):
        server.always = "500"
        with pytest.raises(ProviderUnavailable, match="500"):
            provider.daily_bars(["KO"], START, END)
    assert len(server.asked) == 1


def test_all_requests_of_a_step_share_the_time_limit_of_one() -> None:
    with one_patience():
        ends = end_of_patience()
        with one_patience():
            assert end_of_patience() == ends
    assert end_of_patience() > ends


def test_connections_are_reused_for_the_next_request() -> None:
    with a_remote_provider("alpaca") as (provider, server):
        for _ in range(3):
            provider.daily_bars(["KO"], START, END)
    assert len({question.client for question in server.asked}) == 1


@pytest.mark.parametrize("api", REMOTE)
def test_answers_received_before_an_outage_are_part_of_the_error(api: str) -> None:
    with a_remote_provider(api, settings=ONE_AT_ONCE) as (provider, server):
        expected = provider.daily_bars(["AAPL"], *EVER).bars["AAPL"]
        needed = len(server.asked)
        server.failures.extend(["none"] * needed)
        server.always = "500"
        with pytest.raises(ProviderUnavailable) as caught:
            provider.daily_bars(["AAPL", "KO"], *EVER)
    fetched = caught.value.fetched
    assert (set(fetched.bars), fetched.errors) == ({"AAPL"}, {})
    assert np.array_equal(fetched.bars["AAPL"].adj_close, expected.adj_close)
