"""The symbols that a night asks for: what one person holds or watches costs the others no report and few requests."""

import logging
from collections.abc import Iterator, Sequence
from copy import replace
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest

from functions.orchestration import _sum, _too_few_prices
from records import Batch, Failure, Plan, Run, Trigger
from runs.collecting import plan_at_once
from runs.ending import finish
from runs.prices import load_batch
from runs.reports import analyze
from runs.research import research_batch
from runs.services import Services
from stores.mongo import Document, DocumentDatabase
from tests.clock import Clock
from tests.market_data.provider_server import ProviderServer
from tests.market_data.remote import a_remote_provider
from tests.runs.steps import all_services

FIRST_NIGHT = datetime(2022, 11, 1, 1, 30, tzinfo=UTC)
LIMIT = 20


@dataclass
class Nights:
    """A database with users, and a provider over HTTP, where night follows night."""

    services: Services
    database: DocumentDatabase
    server: ProviderServer
    clock: list[datetime]
    number: int = 0

    def hold(self, user_id: str, *symbols: str) -> None:
        self._add(user_id, "holdings", symbols, quantity=1, avg_price=1)

    def watch(self, user_id: str, *symbols: str) -> None:
        self._add(user_id, "watchlist", symbols)

    def _add(self, user_id: str, collection: str, symbols: Sequence[str], **fields: float) -> None:
        self.database.users.update_one({"user_id": user_id}, {"$set": {"is_active": True}}, upsert=True)
        self.database[collection].insert_many({"user_id": user_id, "symbol": symbol, **fields} for symbol in symbols)

    def run(self, *user_ids: str, retry_of: str | None = None) -> Run:
        """Return the record of a run of all users, or of these, after all its steps."""
        self.server.asked.clear()
        self.number += 1
        run_id = f"run_20260101_000000_{self.number:04x}"
        run = Run(run_id, "queued", Trigger("http", "admin-secret"), self.clock[0], retry_of=retry_of)
        self.services.runs.create(run, user_ids or None)
        made = plan_at_once(self.services, run_id, self.clock[0])
        finish(self.services, run_id, self._work(made, run_id), {})
        ended = self.services.runs.get(run_id)
        assert ended is not None
        return ended

    def _work(self, made: Plan, run_id: str) -> Failure | None:
        loaded = [load_batch(self.services, Batch(run_id, made.plan_id, n)) for n in range(made.symbol_batches)]
        if failure := _too_few_prices(made, reduce(_sum, loaded)):
            return failure
        for number in range(made.symbol_batches):
            research_batch(self.services, Batch(run_id, made.plan_id, number))
        for number in range(made.pages):
            analyze(self.services, Batch(run_id, made.plan_id, number))
        return None

    def pass_days(self, days: int) -> None:
        self.clock[0] += timedelta(days=days)

    def asked(self) -> list[str]:
        """Return the symbols that the last run asked for, without the benchmark."""
        return sorted({*self.server.params("symbol")} - {"", "SP500"})

    def report(self, run: Run, user_id: str) -> Document:
        report = self.services.reports.get(run.run_id, user_id)
        assert report is not None
        return report

    def limited_to(self, limit: int) -> None:
        self.services = replace(self.services, settings=replace(self.services.settings, watchlist_unknown_limit=limit))


@pytest.fixture
def nights(database: DocumentDatabase, mongodb_url: str) -> Iterator[Nights]:
    clock = [FIRST_NIGHT]
    with (
        a_remote_provider("alphavantage", Clock(), now=lambda: clock[0]) as (provider, server),
        all_services(database, mongodb_url, provider, BENCHMARK_SYMBOL="SP500") as services,
    ):
        for store in (services.prices, services.batches, services.portfolios):
            store.ensure_indexes()
        yield Nights(services, database, server, clock)


def invented(count: int, prefix: str = "NO") -> list[str]:
    return [f"{prefix}{number:04}" for number in range(count)]


def test_invented_symbols_on_one_watchlist_cost_nobody_a_report_and_are_no_errors_of_the_run(
    nights: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        nights.hold(f"u{number}", "AAPL")
    nights.watch("u0", "KO", *invented(9))
    with caplog.at_level(logging.INFO):
        run = nights.run()
    assert (run.status, run.users_analyzed) == ("completed", 4)
    assert (run.symbols, run.symbols_failed, run.errors, run.errors_count) == (11, 0, (), 0)
    assert f"9 symbols that are only on watchlists have no prices (run_id={run.run_id})" in caplog.messages
    told = {own["symbol"]: own["reasoning_summary"] for own in nights.report(run, "u0")["decisions"]}
    assert all("no price is known" in told[symbol] for symbol in invented(9))
    assert "no price is known" not in told["KO"]


def test_many_invented_symbols_on_watchlists_do_not_hide_the_errors_of_held_ones(nights: Nights) -> None:
    nights.hold("u0", "AAPL", "AMD", "KO", "ZDEAD")
    for number in range(10):
        nights.watch(f"w{number}", *invented(LIMIT, f"X{chr(65 + number)}"))
    run = nights.run()
    assert [error.error for error in run.errors] == ["ZDEAD: no prices"]
    assert (run.symbols, run.symbols_failed, run.errors_count) == (204, 1, 1)


def test_a_held_symbol_that_few_hold_does_not_stop_a_run_and_one_that_most_hold_does(nights: Nights) -> None:
    for number in range(10):
        nights.hold(f"u{number}", "AAPL")
    nights.hold("u0", *invented(4))
    assert nights.run().status == "completed_with_errors"
    for number in range(1, 10):
        nights.hold(f"u{number}", "NO0000")
    run = nights.run()
    assert run.status == "failed"
    assert run.errors[0].error == (
        "Only 10 of 23 positions have prices, 70% are needed; "
        "without prices: NO0000 (held by 10), NO0001 (held by 1), NO0002 (held by 1), NO0003 (held by 1)."
    )


def test_a_closed_or_unreadable_holding_is_neither_asked_for_nor_counted(nights: Nights) -> None:
    nights.hold("u0", "AAPL")
    for symbol, quantity in {"SOLD": 0, "ODD": "ten"}.items():
        nights.database.holdings.insert_one({"user_id": "u0", "symbol": symbol, "quantity": quantity, "avg_price": 1})
    run = nights.run()
    assert (run.status, run.users_analyzed) == ("completed_with_errors", 1)
    assert nights.asked() == ["AAPL"]


def test_a_run_without_any_symbol_to_load_reports_its_users(nights: Nights) -> None:
    nights.limited_to(0)
    nights.hold("u0", "AAPL")
    nights.watch("u1", "KO")
    run = nights.run("u1")
    assert (run.status, run.users_analyzed, run.symbols) == ("completed", 1, 0)
    assert nights.report(run, "u1")["reason"] == "no_holdings"
    assert nights.asked() == []


@pytest.mark.parametrize("is_retry", [False, True])
def test_a_run_of_one_user_with_dead_symbols_analyzes_the_rest(nights: Nights, *, is_retry: bool) -> None:
    nights.hold("u0", "AAPL", "DEAD1", "DEAD2", "DEAD3")
    if is_retry:
        nights.database.accounts.insert_one({"user_id": "u0", "cash": "much"})
        for number in range(1, 10):
            nights.hold(f"u{number}", "AAPL")
        failed = nights.run()
        assert failed.users_failed == 1
        nights.database.accounts.delete_many({})
        run = nights.run(retry_of=failed.run_id)
    else:
        run = nights.run("u0")
    assert (run.status, run.users_analyzed, run.symbols_failed) == ("completed_with_errors", 1, 3)
    assert nights.report(run, "u0")["data_quality"]["missing_symbols"] == ["DEAD1", "DEAD2", "DEAD3"]


def test_symbols_asked_for_in_vain_are_asked_for_again_after_a_week_and_count_as_missing_until_then(
    nights: Nights,
) -> None:
    nights.hold("u0", "AAPL", "AMD", "KO", "DEAD")
    nights.watch("u0", "NEVER")
    for night in range(15):
        run = nights.run()
        assert [error.error for error in run.errors] == ["DEAD: no prices"], night
        vain = [symbol for symbol in nights.asked() if symbol in ("DEAD", "NEVER")]
        assert vain == (["DEAD", "NEVER"] if night % 7 == 0 else []), night
        nights.pass_days(1)


def test_a_symbol_that_appears_at_the_source_is_found_after_a_week_or_at_once_by_a_run_of_its_holder(
    nights: Nights,
) -> None:
    nights.hold("u0", "AAPL", "AMD", "BRK.B", "NEW")
    nights.hold("u1", "AAPL", "AMD", "BRK.B", "OLD")
    nights.server.market["OLD"] = nights.server.market["KO"]
    nights.run()
    nights.server.market["NEW"] = nights.server.market["KO"]
    nights.pass_days(1)
    assert nights.run().symbols_failed == 1
    run = nights.run("u0")
    assert (run.status, nights.asked()) == ("completed", ["NEW"])
    assert nights.run().status == "completed"


def test_after_a_run_with_too_few_prices_the_next_one_asks_again_because_the_answers_may_have_been_incomplete(
    nights: Nights,
) -> None:
    nights.hold("u0", "AAPL", "AMD")
    amd = nights.server.market.pop("AMD")
    assert nights.run().status == "failed"
    nights.server.market["AMD"] = amd
    assert nights.run().status == "completed"
    assert nights.asked() == ["AMD"]


def test_a_user_adds_a_limited_number_of_unknown_symbols_a_night_and_later_nights_reach_the_rest(
    nights: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    nights.hold("u0", "AAPL")
    nights.watch("u0", "KO", *invented(48))
    reached: set[str] = set()
    for expected in (20, 20, 9, 0):
        with caplog.at_level(logging.INFO):
            run = nights.run()
        new = {*nights.asked()} - {"AAPL"} - reached
        assert len(new) == expected
        reached |= new
        assert run.status == "completed"
        nights.pass_days(1)
    assert reached == {"KO", *invented(48)}
    assert "29 unknown symbols of watchlists wait for a later run" in caplog.messages


def test_symbols_that_others_hold_or_that_have_prices_do_not_count_toward_the_limit(nights: Nights) -> None:
    nights.limited_to(2)
    nights.hold("u9", "AAPL", "AMD", "KO")
    nights.watch("u0", "AAPL", "AMD", "KO", *invented(3))
    nights.run()
    assert len({*nights.asked()} & {*invented(3)}) == 2
    nights.database.holdings.delete_many({"symbol": {"$ne": "AAPL"}})
    nights.pass_days(1)
    nights.run()
    assert {"AMD", "KO"} < {*nights.asked()}
    assert len({*nights.asked()} & {*invented(3)}) == 1


def test_two_users_who_watch_the_same_unknown_symbols_ask_for_twice_as_many_of_them(nights: Nights) -> None:
    nights.limited_to(2)
    nights.hold("u0", "AAPL")
    for user_id in ("u0", "u1"):
        nights.watch(user_id, *invented(6))
    nights.run()
    assert len(nights.asked()) == 1 + 4


def test_symbols_with_bad_prices_do_not_keep_the_others_waiting(nights: Nights) -> None:
    nights.limited_to(2)
    nights.hold("u0", "AAPL")
    nights.watch("u0", *invented(8))
    bad = nights.server.market["KO"]
    nights.server.market.update(dict.fromkeys(invented(4), replace(bad, close=-bad.close)))
    reached: set[str] = set()
    for _ in range(30):
        nights.run()
        reached.update(nights.asked())
        nights.pass_days(1)
    assert reached >= {*invented(8)}


def test_an_attack_with_hundreds_of_invented_symbols_costs_a_limited_number_of_requests(nights: Nights) -> None:
    nights.hold("u0", "AAPL", "AMD")
    for number in range(3):
        nights.watch(f"attacker{number}", *invented(200, f"X{chr(65 + number)}"))
    everyday = 3 + 1  # for the two held symbols and the benchmark, and for the listings of symbols without prices
    for _ in range(12):
        run = nights.run()
        assert (run.status, run.users_analyzed, run.users_skipped) == ("completed", 4, 0)
        assert len(nights.server.asked) <= 3 * LIMIT + everyday
        nights.pass_days(1)


def test_a_limit_of_zero_asks_for_no_unknown_symbol_of_a_watchlist(nights: Nights) -> None:
    nights.limited_to(0)
    nights.hold("u0", "AAPL")
    nights.watch("u0", "KO", "AAPL")
    nights.run()
    assert nights.asked() == ["AAPL"]
