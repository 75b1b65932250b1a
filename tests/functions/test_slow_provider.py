"""A night at a provider that allows few requests a minute, simulated in virtual time from 1 to 40 instances.

The orchestrators, the steps, the provider and its rate limit are the real ones, on a real database.
"""

import json
from collections import deque
from collections.abc import Iterator
from copy import replace
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from types import SimpleNamespace
from typing import Any, override
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import numpy as np
import pytest

from functions.messages import FinishInput, PlanInput, to_wire
from functions.orchestration import MAX_FAN_OUT
from market_data import alphavantage, http_source, patience
from market_data.alphavantage import AlphaVantageProvider
from market_data.http_source import HttpSource
from market_data.provider import ProviderUnavailable
from market_data.sample_prices import SampleProvider
from records import Batch, BatchResult, Run, Trigger
from runs.collecting import collect
from runs.ending import finish
from runs.planning import plan_pages
from runs.prices import fetch_histories, load_batch
from runs.reading import read
from runs.services import Services
from settings import MarketDataServer
from stores.mongo import DocumentDatabase
from stores.rate_limit import Rate, RateLimit
from tests.builders import random_walk
from tests.functions.simulated_engine import Activity, SimulatedEngine
from tests.functions.test_replay import Orchestrator, orchestrators
from tests.market_data import provider_apis
from tests.market_data.made_up import traded
from tests.market_data.provider_server import ProviderServer, Question
from tests.runs.steps import NOW, RUN_ID, all_services
from tests.virtual_time import VirtualSemaphore, VirtualThreadPool, VirtualTime

__all__ = ["orchestrators"]

SYMBOLS = 1_500
PER_MINUTE = 75
ANSWER_SECONDS = 0.8
CONCURRENCY = 4


class Limit(RateLimit):
    """The rate limit of all workers, which is in Redis where there are several."""

    @property
    @override
    def shared(self) -> bool:
        return True


@dataclass
class Provider:
    """The provider's server, as a transport of the HTTP client, with the times of its requests."""

    time: VirtualTime
    server: ProviderServer
    moments: list[float] = field(default_factory=list)
    failures: deque[str] = field(default_factory=deque)
    """The failures of the next requests, as in :class:`ProviderServer`."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.moments.append(self.time.now)
        failure = self.failures.popleft() if self.failures else ""
        self.time.sleep(ANSWER_SECONDS)
        url = urlsplit(str(request.url))
        question = Question(url.path, dict(parse_qsl(url.query)), {}, ("", 0), failure)
        status, content, headers = provider_apis.alphavantage(self.server, question)
        return httpx.Response(status, headers=headers, content=json.dumps(content).encode())

    def close(self) -> None:
        pass

    def most_in_a_minute(self) -> int:
        moments = np.array(self.moments)
        return int((np.searchsorted(moments, moments + 60 - 1e-6) - np.arange(len(moments))).max())


def symbol(number: int) -> str:
    return "".join(chr(65 + number // 26**place % 26) for place in range(4))


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    virtual = VirtualTime()
    for module in (patience, http_source):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=virtual))
    monkeypatch.setattr(alphavantage, "ThreadPoolExecutor", partial(VirtualThreadPool, virtual))
    return virtual


@pytest.fixture
def server(time: VirtualTime) -> Provider:
    days = np.arange("2026-01-05", "2026-02-14", dtype="datetime64[D]")
    bars = traded("A", random_walk(days, seed=1))
    market = dict.fromkeys([symbol(number) for number in range(SYMBOLS)], bars) | {"SPY": bars}
    return Provider(time, ProviderServer("", market, lambda: None))


def a_provider(time: VirtualTime, server: Provider, limit: RateLimit, per_minute: int) -> AlphaVantageProvider:
    settings = MarketDataServer("http://provider", "", per_minute, CONCURRENCY, keys={})
    keys = AlphaVantageProvider.keys
    source = HttpSource("alphavantage", settings, keys, provider_apis.KEYS.__getitem__, limit, sleep=time.sleep)
    source._at_once = VirtualSemaphore(time, CONCURRENCY)  # type: ignore[assignment] # noqa: SLF001
    source._client._transport._inner = server  # type: ignore[attr-defined] # noqa: SLF001
    return AlphaVantageProvider(source, lambda: NOW.replace(month=2, day=14))


def activities_of(services: Services) -> dict[str, Activity]:
    """Return the steps of an instance; those after the prices do nothing."""

    def batch(message: dict[str, Any]) -> Batch:
        return msgspec.convert(message, Batch)

    def finished(message: dict[str, Any]) -> str:
        end = msgspec.convert(message, FinishInput)
        return finish(services, end.run_id, end.failure, end.durations)

    def planned(message: dict[str, Any]) -> object:
        asked = msgspec.convert(message, PlanInput)
        return to_wire(plan_pages(services, asked.run_id, asked.started_at))

    return {
        "plan_run": planned,
        "read_page": lambda message: to_wire(read(services, batch(message))),
        "collect_symbols": lambda message: to_wire(collect(services, message["run_id"])),
        "load_prices": lambda message: to_wire(load_batch(services, batch(message))),
        "research_symbols": lambda _: to_wire(BatchResult()),
        "analyze_page": lambda _: to_wire(BatchResult()),
        "finish_run": finished,
    }


@dataclass
class Night:
    """A simulated night, and its result."""

    engine: SimulatedEngine
    server: Provider
    services: Services

    @property
    def run(self) -> Run:
        run = self.services.runs.get(RUN_ID)
        assert run is not None
        return run


@dataclass
class Nights:
    """Everything that a simulated night needs."""

    time: VirtualTime
    server: Provider
    orchestrators: dict[str, Orchestrator]
    services: Services

    def night(
        self,
        instances: int,
        *,
        shared: bool = True,
        symbols: int = SYMBOLS,
        per_minute: int = PER_MINUTE,
        at_once: int | None = None,
    ) -> Night:
        """Return the first night of a user who holds these symbols; ``at_once`` replaces the provider's limit."""
        database = self.services.portfolios.collections["users"].documents.database
        database.users.insert_one({"user_id": "u"})
        database.holdings.insert_many(
            {"user_id": "u", "symbol": symbol(number), "quantity": 1, "avg_price": 1} for number in range(symbols)
        )
        self.services.runs.create(Run(RUN_ID, "queued", Trigger("http", "admin-secret"), NOW), None)
        kind, rate = Limit if shared else RateLimit, Rate(per_minute)
        of_all = kind(None, "alphavantage", rate, self.time, self.time.sleep)
        steps = []
        for _ in range(instances):
            limit = of_all if shared else kind(None, "alphavantage", rate, self.time, self.time.sleep)
            provider = a_provider(self.time, self.server, limit, per_minute)
            if at_once is not None:
                provider.batches_at_once = at_once
            steps.append(activities_of(replace(self.services, provider=provider)))
        engine = SimulatedEngine(self.time, self.orchestrators)
        engine.run(RUN_ID, steps)
        return Night(engine, self.server, self.services)


@pytest.fixture
def nights(
    database: DocumentDatabase,
    mongodb_url: str,
    time: VirtualTime,
    server: Provider,
    orchestrators: dict[str, Orchestrator],
) -> Iterator[Nights]:
    with all_services(database, mongodb_url, SampleProvider(), BENCHMARK_SYMBOL="SPY") as services:
        for store in (services.prices, services.batches, services.portfolios, services.runs):
            store.ensure_indexes()
        yield Nights(time, server, orchestrators, services)


def assert_took_the_time_of_its_requests(nights: Nights, night: Night, symbols: int, per_minute: int) -> None:
    """Check that the run completed, lost no attempt of a step, and took hardly longer than its requests."""
    assert night.run.status == "completed"
    assert night.engine.failed == {}
    assert len(night.server.moments) == symbols + 1
    ideal = 60 * (symbols + 1) / per_minute
    assert ideal * 0.95 < nights.time.now < ideal * 1.1
    assert night.engine.longest["load_prices"] < patience.PATIENCE_SECONDS


@pytest.mark.parametrize("instances", [1, 8, 40])
def test_a_night_takes_the_time_of_its_requests_on_any_number_of_instances(nights: Nights, instances: int) -> None:
    night = nights.night(instances)
    assert_took_the_time_of_its_requests(nights, night, SYMBOLS, PER_MINUTE)
    assert night.server.most_in_a_minute() <= PER_MINUTE
    assert night.engine.most_at_once["load_prices"] == 3


@pytest.mark.parametrize("instances", [1, 8, 40])
def test_without_redis_one_batch_is_loaded_at_a_time_so_that_the_limit_of_one_worker_is_that_of_all(
    nights: Nights, instances: int
) -> None:
    night = nights.night(instances, shared=False, symbols=1_000)
    assert_took_the_time_of_its_requests(nights, night, 1_000, PER_MINUTE)
    assert night.server.most_in_a_minute() <= PER_MINUTE + Rate(PER_MINUTE).burst
    assert night.engine.most_at_once["load_prices"] == 1


def test_if_all_batches_are_loaded_at_once_many_instances_use_up_the_attempts_waiting_for_each_other(
    nights: Nights,
) -> None:
    night = nights.night(40, symbols=600, per_minute=10, at_once=0)
    assert (night.run.status, night.run.errors[0].error_type) == ("failed", "ProviderUnavailable")
    assert night.engine.failed["load_prices"] > 200


def test_groups_of_batches_share_the_number_of_batches_at_once(nights: Nights) -> None:
    night = nights.night(40, symbols=220, per_minute=4)
    plan_ = nights.services.runs.plan(RUN_ID)
    assert plan_ is not None
    assert plan_.symbol_batches > MAX_FAN_OUT
    assert_took_the_time_of_its_requests(nights, night, 220, 4)
    assert night.engine.most_at_once["load_prices"] == plan_.load_at_once == 3


def test_pauses_that_the_provider_asks_for_cost_their_time_and_no_attempt(nights: Nights, server: Provider) -> None:
    note = "the note of five a minute"
    server.failures.extend(([""] * 99 + [note]) * 10)
    night = nights.night(8, symbols=1_000)
    assert (night.run.status, night.engine.failed) == ("completed", {})
    assert len(server.moments) == 1_000 + 1 + 10
    assert nights.time.now < 60 * 1_011 / PER_MINUTE * 1.1 + 10 * 15


def test_the_answers_of_a_batch_that_gives_up_in_the_middle_are_kept_and_the_next_attempt_asks_for_the_rest(
    nights: Nights, server: Provider
) -> None:
    limit = Limit(None, "alphavantage", Rate(4), nights.time, nights.time.sleep)
    services = replace(nights.services, provider=a_provider(nights.time, server, limit, 4))
    symbols = [symbol(number) for number in range(80)]
    stored = [0]

    def attempts() -> None:
        for _ in range(2):
            with pytest.raises(ProviderUnavailable, match="the rate limit leaves no turn in time"):
                fetch_histories(services, symbols, date(2026, 2, 13), 100, ask_again=False)
            stored.append(len(services.prices.load(symbols)))
        assert not fetch_histories(services, symbols, date(2026, 2, 13), 100, ask_again=False).errors

    nights.time.start(attempts)
    nights.time.run()
    assert stored == sorted({*stored})  # each attempt added some
    # None was asked for twice, except the one whose answer was under way when the time of an attempt ended.
    assert len(server.moments) <= len(symbols) + len(stored) - 1
