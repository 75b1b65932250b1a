"""What a plan takes from transactions: symbols without holders, and the currencies whose rates figures need."""

import logging
from collections.abc import Iterator
from copy import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from market_data.sample_prices import SampleProvider
from records import Parameters, Plan, Run, Trigger
from runs import reading
from runs.collecting import MOST_CURRENCIES, plan_at_once
from runs.services import Services
from stores.mongo import DocumentDatabase
from tests.runs.steps import all_services

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider(), BASE_CURRENCY="EUR") as made:
        yield made


def hold(database: DocumentDatabase, user_id: str, *transactions: dict[str, Any], **user: str) -> None:
    database.users.insert_one({"user_id": user_id, **user})
    database.holdings.insert_one({"user_id": user_id, "symbol": "AAPL", "quantity": 1})
    if transactions:
        database.transactions.insert_many([{"user_id": user_id, **own} for own in transactions])


def planned(services: Services, number: int = 0, *user_ids: str) -> tuple[Plan, dict[str, int]]:
    """Return the plan of a run, and its symbols with the number of their holders."""
    run_id = f"run_20260102_030405_{number:04x}"
    services.runs.create(Run(run_id, "queued", Trigger("http", "admin-secret"), AT), user_ids or None)
    made = plan_at_once(services, run_id, AT)
    symbols = [services.batches.symbols(made.plan_id, batch) for batch in range(made.symbol_batches)]
    return made, {symbol: holders for batch in symbols for symbol, holders in batch.items()}


def test_symbols_of_transactions_are_loaded_without_a_holder(database: DocumentDatabase, services: Services) -> None:
    hold(database, "a", {"symbol": "AAPL"}, {"symbol": "MSFT"}, {"symbol": "FB", "to_symbol": "META"}, {"symbol": 7})
    hold(database, "b")
    database.transactions.insert_one({"user_id": "nobody", "symbol": "XOM"})
    made, symbols = planned(services)
    assert symbols == {"AAPL": 2, "FB": 0, "META": 0, "MSFT": 0}
    assert (made.positions, made.symbols) == (2, 4)
    assert planned(services, 1, "b")[1] == {"AAPL": 1}


def test_of_one_user_only_some_unknown_symbols_are_loaded_and_the_log_counts_the_others(
    database: DocumentDatabase, services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reading, "_MOST_UNKNOWN_TRADED", 3)
    hold(database, "a", *({"symbol": f"OLD{number}"} for number in range(10)))
    with caplog.at_level(logging.INFO):
        _, symbols = planned(services)
    assert (len(symbols), symbols["AAPL"]) == (4, 1)
    assert "7 unknown symbols of transactions wait for a later run" in caplog.messages


def test_the_currencies_are_those_of_everything_that_a_run_may_convert(
    database: DocumentDatabase, services: Services
) -> None:
    hold(database, "a", {"symbol": "VOD", "currency": "GBp"}, {"amount": 1, "to_currency": "sek"}, base_currency="chf")
    hold(database, "b", {"currency": "Euro"}, {"currency": "XXX"}, {"currency": 978}, base_currency="Dollar")
    database.accounts.insert_many([{"user_id": "b", "currency": "NOK"}, {"user_id": "nobody", "currency": "DKK"}])
    database.instruments.insert_many(
        [
            {"symbol": "AAPL", "currency": "USD"},
            {"symbol": "VOD", "currency": "GBX"},
            {"symbol": "NOT_HELD", "currency": "JPY"},
        ]
    )
    made, _ = planned(services)
    assert made.currencies == ("CHF", "EUR", "GBP", "NOK", "SEK", "USD")
    assert services.runs.plan("run_20260102_030405_0000") == made


def test_many_currencies_of_one_user_take_no_other_user_theirs(
    database: DocumentDatabase, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    codes = [f"A{first}{second}" for first in "BCDEFGHIJK" for second in "ABCDEFGHIJ"]
    hold(database, "a", *({"currency": code} for code in codes))
    for user_id in ("b", "c"):
        hold(database, user_id, base_currency="USD")
    made, _ = planned(services)
    assert len(made.currencies) == MOST_CURRENCIES
    assert {"EUR", "USD"} < set(made.currencies)
    assert list(made.currencies) == sorted(made.currencies)
    assert "42 currencies are left out: a run has rates of at most 60" in caplog.messages


def test_the_base_currency_of_a_run_is_fixed_in_its_plan(database: DocumentDatabase, services: Services) -> None:
    hold(database, "a")
    planned(services)
    later = replace(services.settings, base_currency="USD")
    run = services.runs.planned_run("run_20260102_030405_0000", later)
    assert run is not None
    assert run.parameters.base_currency == "EUR"
    assert Parameters("SPY", 1, 0.0, 1, 0.0).base_currency == "USD"
