"""Bars in MongoDB and in Redis: the same tests for both, then the specifics of each."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import date
from threading import Thread

import fakeredis
import numpy as np
import pytest

from analysis.models import Bars
from analysis.price_issues import PriceIssue
from stores.mongo import DocumentDatabase
from stores.price_cache import PriceCache
from stores.prices import History, PriceStore
from tests.conftest import free_port

FULL = Bars(
    dates=np.array(["1969-12-31", "2024-02-29", "2026-01-02"], dtype="datetime64[D]"),
    close=np.array([1.0, 1e-9, 1e12]),
    adj_close=np.array([0.1, 0.2, 0.3]),
    high=np.array([1.5, 2.5, 3.5]),
    low=np.array([0.5, 0.25, 0.125]),
    volume=np.array([0.0, 1.0, 1e15]),
)
CLOSES_ONLY = Bars(dates=FULL.dates[:1], close=FULL.close[:1], adj_close=FULL.adj_close[:1])


def history(own: Bars) -> History:
    issues = (PriceIssue("duplicate_days", 2, date(2024, 2, 29)), PriceIssue("renamed", None, None, "Y"))
    return History("csv 17", date(2020, 1, 1), date(2026, 1, 5), own, issues)


type Save = Callable[[dict[str, Bars]], None]
type Load = Callable[[list[str]], dict[str, Bars]]


@pytest.fixture(params=["mongodb", "redis", "fakeredis"])
def keeper(request: pytest.FixtureRequest) -> Iterator[tuple[Save, Load]]:
    if request.param == "mongodb":
        store = PriceStore(request.getfixturevalue("database"))
        store.ensure_indexes()
        yield (
            lambda bars: store.save({symbol: history(own) for symbol, own in bars.items()}),
            lambda symbols: {symbol: own.bars for symbol, own in store.load(symbols).items()},
        )
        return
    url = request.getfixturevalue("redis_url" if request.param == "redis" else "fake_redis_url")
    cache = PriceCache(url)
    yield cache.put, cache.get
    cache.close()


@pytest.fixture
def fake_redis_url() -> Iterator[str]:
    server = fakeredis.TcpFakeServer(("127.0.0.1", free_port()), server_type="redis")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Bars))


def test_bars_come_back_to_the_last_bit(keeper: tuple[Save, Load]) -> None:
    save, load = keeper
    save({"full": FULL, "closes": CLOSES_ONLY})
    loaded = load(["full", "closes"])
    assert same(loaded["full"], FULL)
    assert loaded["closes"].high is None
    assert loaded["closes"].low is None
    assert np.array_equal(loaded["closes"].close, CLOSES_ONLY.close)


def test_unknown_symbols_are_left_out(keeper: tuple[Save, Load]) -> None:
    save, load = keeper
    save({"known": FULL})
    assert list(load(["unknown", "known"])) == ["known"]
    assert load([]) == {}


def test_saving_again_replaces(keeper: tuple[Save, Load]) -> None:
    save, load = keeper
    save({"X": FULL})
    save({"X": CLOSES_ONLY})
    assert len(load(["X"])["X"].dates) == 1


def test_saving_nothing_changes_nothing(keeper: tuple[Save, Load]) -> None:
    save, load = keeper
    save({})
    assert load(["X-never"]) == {}


def test_each_symbol_has_one_document(database: DocumentDatabase) -> None:
    store = PriceStore(database)
    store.save({"A": history(FULL)})
    store.save({"A": history(FULL), "B": history(FULL)})
    assert database.symbol_prices.count_documents({}) == 2


def test_cached_bars_expire(redis_url: str) -> None:
    cache = PriceCache(redis_url)
    cache.put({"expiring": FULL})
    assert 0 < cache._redis.ttl("expiring") <= 12 * 60 * 60  # noqa: SLF001 - the expiry is not visible otherwise
    cache.close()


def test_an_unavailable_redis_is_a_miss_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    cache = PriceCache(f"redis://:hidden@127.0.0.1:{free_port()}")
    with caplog.at_level(logging.WARNING):
        cache.put({"X": FULL})
        assert cache.get(["X"]) == {}
        cache.put({"Y": FULL})
    cache.close()
    warnings = [record.getMessage() for record in caplog.records if record.name == "stores.price_cache"]
    assert warnings == ["Redis cannot be used (ConnectionError): working without a price cache"]


def test_a_value_that_is_not_ours_is_a_miss(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    cache = PriceCache(redis_url)
    cache.put({"good": FULL})
    for key, value in {"garbage": b"garbage", "other": b"\x80", "odd": b"\x81\xa5dates\xc4\x03abc"}.items():
        cache._redis.set(key, value)  # noqa: SLF001 - simulates a value of another program
    assert list(cache.get(["garbage", "other", "odd", "good"])) == ["good"]
    cache.close()
    assert len([record for record in caplog.records if record.name == "stores.price_cache"]) == 1


def test_the_requested_range_and_the_issues_are_stored_with_the_bars(database: DocumentDatabase) -> None:
    store = PriceStore(database)
    store.save({"A": history(FULL), "NONE": history(FULL.at(slice(0)))})
    kept = store.load(["A", "NONE"])
    for name in ("source", "start", "end", "issues"):
        assert getattr(kept["A"], name) == getattr(history(FULL), name)
    assert len(kept["NONE"].bars.dates) == 0


@pytest.mark.parametrize(
    "damage",
    [
        {"$unset": {"source": ""}},
        {"$set": {"close": b"123"}},
        {"$set": {"close": b"12345678"}},
        {"$set": {"dates": "2026-01-05"}},
        {"$set": {"end": "yesterday"}},
        {"$set": {"issues": [{"kind": "nonsense"}]}},
    ],
    ids=["of an earlier version", "half a number", "one day", "text", "no date", "unknown issue"],
)
def test_an_unreadable_history_is_ignored_with_a_warning(
    database: DocumentDatabase, caplog: pytest.LogCaptureFixture, damage: dict[str, object]
) -> None:
    store = PriceStore(database)
    store.save({"A": history(FULL), "B": history(FULL)})
    database.symbol_prices.update_one({"symbol": "A"}, damage)
    with caplog.at_level(logging.WARNING):
        assert list(store.load(["A", "B"])) == ["B"]
    assert "symbol=A" in caplog.text
