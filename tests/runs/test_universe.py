"""Pages of a run of many symbols read theirs from a file of the instance, and their reports are the same."""

import gc
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runs.universe
from analysis.price_table import PriceTable
from market_data.sample_prices import SampleProvider
from records import Batch, Failure, Plan
from runs.reports import analyze
from runs.services import Services
from runs.universe import Part, Universe
from stores.mongo import DocumentDatabase
from stores.shared_files import shared_folder
from tests.runs.steps import RUN_ID, all_services, analyze_all, finish_run, prepare, start
from tests.stored import stored_reports

HELD = {
    "u0": {"AAPL": 2.0, "MSFT": -1.0},
    "u1": {"JPM": 3.0, "RRC": 5.0, "NOSUCH": 1.0},
    "u2": {"KO": 4.0, "AAPL": 1.0, "SP500": 1.0},
    "u3": {"NOSUCH": 1.0},
}
BASE_CURRENCIES = {"u2": "EUR"}
WATCHED = {"u0": "PEP", "u3": "KO"}
INSTRUMENTS: list[dict[str, Any]] = [
    {"symbol": "AAPL", "currency": "USD", "kind": "stock", "multiplier": 10},
    {"symbol": "KO", "currency": "GBX", "kind": "etf", "diversified": True},
    {"symbol": "SP500", "currency": "USD", "kind": "index"},
]
TRADES = [
    {"type": "buy", "symbol": "KO", "quantity": 4, "price": 50, "date": "2021-03-01", "transaction_id": "1"},
    {"type": "dividend", "symbol": "KO", "amount": 2, "date": "2022-03-01", "transaction_id": "2"},
]


class TwoAtATime(SampleProvider):
    """The sample, in many batches."""

    symbols_per_batch = 2


@pytest.fixture
def services(
    database: DocumentDatabase, mongodb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with all_services(database, mongodb_url, TwoAtATime()) as made:
        yield made


def prepared_run(services: Services, database: DocumentDatabase) -> Plan:
    start(services, database, users=0)
    for user_id, held in HELD.items():
        currency = {"base_currency": BASE_CURRENCIES[user_id]} if user_id in BASE_CURRENCIES else {}
        database.users.insert_one({"user_id": user_id, **currency})
        database.accounts.insert_one({"user_id": user_id, "cash": 100.0, "currency": "USD"})
        database.holdings.insert_many(
            [
                {"user_id": user_id, "symbol": symbol, "quantity": quantity, "avg_price": 30.0}
                for symbol, quantity in held.items()
            ]
        )
    database.watchlist.insert_many([{"user_id": user_id, "symbol": symbol} for user_id, symbol in WATCHED.items()])
    database.transactions.insert_many([{"user_id": "u2", **trade} for trade in TRADES])
    database.instruments.insert_many([dict(own) for own in INSTRUMENTS])
    return prepare(services)


def reports(database: DocumentDatabase) -> list[dict[str, Any]]:
    return stored_reports(database)


def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any run count as one of too many symbols to keep."""
    monkeypatch.setattr(runs.universe, "_MOST_KEPT", 0)


def part_of(services: Services, made: Plan, symbols: Collection[str] = ()) -> Part:
    run = services.runs.planned_run(RUN_ID, services.settings)
    assert run is not None
    with Universe(services, made.plan_id, run).part(symbols) as part:
        return part


def files() -> list[str]:
    return sorted(path.name for path in shared_folder().iterdir() if path.name != "lock")


def test_reports_of_a_run_of_many_symbols_are_the_same_as_with_all_in_memory(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyze_all(services, prepared_run(services, database))
    expected = reports(database)
    assert files() == []
    assert [report["currency"] for report in expected] == ["USD", "USD", "EUR", "USD"]
    assert expected[2]["returns"] is not None
    for collection in database.list_collection_names():
        database.drop_collection(collection)

    large(monkeypatch)
    made = prepared_run(services, database)
    analyze_all(services, made)
    assert files() == [f"{made.plan_id}.symbols"]
    assert reports(database) == expected


@contextmanager
def without_garbage_collector() -> Iterator[list[object]]:
    """Collect no garbage during the body; what the collector would have freed in it is in the list at the end."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_the_prices_of_a_page_are_freed_with_the_page_and_do_not_wait_for_the_garbage_collector(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    made = prepared_run(services, database)
    with without_garbage_collector() as found:
        analyze_all(services, made)
    assert len(reports(database)) == len(HELD)
    assert {type(own).__name__ for own in found} & {"Part", "PriceTable", "Adviser", "Report", "Portfolio"} == set()


def test_pages_have_the_columns_of_their_symbols_only(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    part = part_of(services, prepared_run(services, database), {"MSFT", "KO", "NOSUCH"})
    assert set(part.table.columns) == {"MSFT", "KO"}
    assert set(part.adviser.research) == {"MSFT", "KO"}
    assert set(part.instruments) == {"KO"}
    assert set(part.in_currency("EUR", {"KO", "AAPL"}).columns) == {"KO"}


def test_a_table_in_a_base_currency_is_bit_for_bit_the_part_of_the_whole_one(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prepared_run(services, database)
    whole = part_of(services, made).in_currency("EUR", ())
    large(monkeypatch)
    some = part_of(services, made, {"AAPL", "KO", "JPM"}).in_currency("EUR", {"AAPL", "KO"})

    def of(table: PriceTable, symbol: str) -> list[bytes]:
        column = table.columns[symbol]
        arrays = (table.returns, table.close, table.day_return, table.volatility, table.episode_returns)
        return [np.ascontiguousarray(array[..., column]).tobytes() for array in arrays]

    assert set(some.columns) == {"AAPL", "KO"}
    for symbol in some.columns:
        assert of(some, symbol) == of(whole, symbol)
        assert some.figures[symbol] == whole.figures[symbol]


def test_few_tables_in_base_currencies_are_kept(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prepared_run(services, database)
    part = part_of(services, made)
    monkeypatch.setattr(runs.universe, "_MOST_IN_CURRENCIES", part.table.returns.nbytes)
    first = part.in_currency("EUR", {"KO"})
    assert first is part.in_currency("EUR", {"AAPL"})
    assert set(part.in_currency("GBP", {"KO"}).columns) == {"KO"}
    assert first is part.in_currency("EUR", {"AAPL"})


def test_a_file_that_is_deleted_during_the_run_is_written_again(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    made = prepared_run(services, database)
    analyze(services, Batch(RUN_ID, made.plan_id, 0))
    (file,) = files()
    (shared_folder() / file).unlink()
    result = analyze(services, Batch(RUN_ID, made.plan_id, 1))
    assert (result.failed, files()) == (0, [file])


def of_the_end(services: Services, _made: Plan) -> None:
    finish_run(services)


def of_a_page_after_the_cancellation(services: Services, made: Plan) -> None:
    run = services.runs.get(RUN_ID)
    assert run is not None
    services.runs.request_cancel(RUN_ID, run.requested_at)
    analyze(services, Batch(RUN_ID, made.plan_id, 1))


@pytest.mark.parametrize("last_step", [of_the_end, of_a_page_after_the_cancellation])
def test_nothing_is_left_behind_by_a_run(
    services: Services,
    database: DocumentDatabase,
    monkeypatch: pytest.MonkeyPatch,
    last_step: Callable[[Services, Plan], None],
) -> None:
    large(monkeypatch)
    made = prepared_run(services, database)
    analyze(services, Batch(RUN_ID, made.plan_id, 0))
    last_step(services, made)
    assert files() == []


def test_what_another_version_of_the_app_prepared_ends_the_run_and_leaves_no_file(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    made = prepared_run(services, database)
    database.run_batches.update_one({"kind": "symbols", "number": 1}, {"$set": {"prices.form": 1}})
    assert analyze(services, Batch(RUN_ID, made.plan_id, 0)).failure == Failure(
        "other_version",
        "The app was deployed during the run, and cannot read what the other version prepared. Start it again.",
    )
    assert files() == []


def test_pages_wait_for_room_but_one_page_always_has_it(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    made = prepared_run(services, database)
    run = services.runs.planned_run(RUN_ID, services.settings)
    assert run is not None
    all_of_it = Universe(services, made.plan_id, run)
    monkeypatch.setattr(runs.universe, "_MOST_AT_ONCE", 1)
    began, ended = threading.Event(), threading.Event()

    def second() -> bool:
        began.set()
        with all_of_it.part({"KO"}):
            return ended.is_set()

    with ThreadPoolExecutor(1) as pool:
        with all_of_it.part({"AAPL", "MSFT"}):
            other = pool.submit(second)
            began.wait()
            ended.set()
        assert other.result()
    with pytest.raises(ZeroDivisionError), all_of_it.part({"KO"}):
        raise ZeroDivisionError
    with all_of_it.part({"KO"}) as part:
        assert set(part.table.columns) == {"KO"}
