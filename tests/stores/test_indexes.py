"""Indexes are looked for first, and created only where they lack."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from pymongo import ASCENDING, IndexModel

from stores.audit import AuditLog
from stores.batches import BatchStore
from stores.books import BookStore
from stores.indexes import Indexed, ensure_keys, missing, settle
from stores.mongo import OWN_COLLECTIONS, DocumentDatabase
from stores.nights import NightStore
from stores.outbox import OutboxStore
from stores.passes import PassStore
from stores.portfolios import COLLECTIONS, PortfolioStore
from stores.rankings import RankingStore
from stores.refusals import CommandRefused
from stores.reports import ReportStore
from stores.runs import RunLease, RunStore
from stores.sessions import SessionStore
from stores.symbols import PriceStore, ResearchStore
from stores.webhooks import WebhookStore
from tests.faults.meddling import Refusing
from tests.stores.wired import Commands, wired


def own_stores(database: DocumentDatabase) -> list[Indexed]:
    plain = (
        RunStore, BatchStore, PriceStore, ResearchStore, RankingStore, BookStore, OutboxStore, PassStore, WebhookStore,
        AuditLog, SessionStore,
    )  # fmt: skip
    return [*(store(database) for store in plain), ReportStore(database, ResearchStore(database))]


def index_names(database: DocumentDatabase, collection: str) -> set[str]:
    return set(database[collection].index_information()) - {"_id_"}


def test_indexes_that_are_there_cost_one_look_a_collection_and_nothing_is_created(database: DocumentDatabase) -> None:
    settle(own_stores(database), PortfolioStore(database))
    commands = Commands()
    with wired(database, commands=commands) as seen:
        settle(own_stores(seen), PortfolioStore(seen))
    # Of one document each, neither the lease nor the nights need an index.
    assert commands.names().count("listIndexes") == len(OWN_COLLECTIONS) - 2 + len(COLLECTIONS)
    assert "createIndexes" not in commands.names()


def test_keys_are_created_alone_and_only_on_own_collections(database: DocumentDatabase) -> None:
    database.holdings.insert_one({"user_id": "u1"})
    commands = Commands()
    with wired(database, commands=commands) as seen:
        ensure_keys(own_stores(seen))
    touched = {command.get("listIndexes") or command.get("createIndexes") for command in commands.sent} - {None}
    assert touched == set(OWN_COLLECTIONS) - {"nights", "run_leases"}
    assert index_names(database, "portfolio_analysis_runs") == {"run_id", "request_key"}
    assert index_names(database, "portfolio_analyses") == {"run_id_user_id"}
    assert index_names(database, "holdings") == set()


def test_without_the_right_to_create_indexes_those_that_are_there_suffice(
    database: DocumentDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    settle(own_stores(database), PortfolioStore(database))
    PortfolioStore(database).ensure_indexes()
    with wired(database, Refusing(["createIndexes"])) as seen:
        ensure_keys(own_stores(seen))
        caplog.clear()
        settle(own_stores(seen), PortfolioStore(seen))
    assert caplog.messages == []


def test_a_key_that_lacks_and_may_not_be_created_is_named_with_code_command_and_collection(
    database: DocumentDatabase,
) -> None:
    with (
        wired(database, Refusing(["createIndexes"], ["run_batches"])) as seen,
        pytest.raises(CommandRefused, match=r"^13 Unauthorized: createIndexes on run_batches$"),
    ):
        ensure_keys(own_stores(seen))


def test_the_watchdogs_look_logs_what_lacks_and_what_it_may_not_do_and_goes_on(
    database: DocumentDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    database.users.create_index("user_id")
    for name in ("watchlist", "accounts"):  # there are no instruments, which are optional
        database[name].insert_one({"user_id": "u1"})
    refusing = (Refusing(["createIndexes"], ["run_batches"]), Refusing(["listIndexes"], ["holdings"]))
    with wired(database, *refusing) as seen, caplog.at_level(logging.WARNING):
        settle(own_stores(seen), PortfolioStore(seen))
    refused = (
        "Indexes of the app's own collections are missing and cannot be created: 13 Unauthorized: createIndexes on "
    )
    lacking = "An index is missing on a collection of the backend, so runs are slow (%s). Preflight creates it"
    assert caplog.messages == [
        f"{refused}run_batches",
        "The indexes of the backend's collections cannot be read: 13 Unauthorized: listIndexes on holdings",
        lacking % "watchlist: user_id",
        lacking % "accounts: user_id",
    ]
    assert index_names(database, "audit_log") == {"entry_id", "at_entry_id", "expires_at"}
    assert index_names(database, "watchlist") == set()


@pytest.mark.parametrize(
    ("there", "serves"),
    [
        ({"keys": "user_id", "name": "another"}, True),
        ({"keys": [("user_id", 1), ("symbol", 1)], "unique": True}, True),
        ({"keys": [("symbol", 1), ("user_id", 1)]}, False),
        ({"keys": "user_id", "sparse": True}, False),
        ({"keys": "user_id", "partialFilterExpression": {"quantity": {"$gt": 0}}}, False),
        ({"keys": "user_id", "collation": {"locale": "en", "strength": 2}}, False),
        ({"keys": "user_id", "collation": {"locale": "simple"}}, True),
    ],
)
def test_an_index_of_the_owner_is_accepted_if_it_serves_the_same_queries(
    database: DocumentDatabase, there: dict[str, Any], serves: bool
) -> None:
    database.holdings.create_index(**there)
    assert (missing(database.holdings, [IndexModel("user_id")]) == []) == serves


def test_an_index_that_is_not_unique_is_no_key(database: DocumentDatabase) -> None:
    database.symbol_prices.create_index("symbol")
    key = IndexModel([("symbol", ASCENDING)], name="symbol", unique=True)
    assert missing(database.symbol_prices, [key]) == [key]


def test_no_query_for_passes_looks_at_all_of_them(database: DocumentDatabase) -> None:
    PassStore(database).ensure_indexes()
    PassStore(database).begin("run", ["ops"])
    commands = Commands()
    with wired(database, commands=commands) as seen:
        passes = PassStore(seen)
        found = [
            passes.left("ops"), passes.unfinished(dropped=False), passes.of_runs(["run"]), [passes.get("run", "ops")],
        ]  # fmt: skip
        assert found == [PassStore(database).left("ops")] * 4
        assert passes.unfinished(dropped=True) == []
    queries = [{"find": sent["find"], "filter": sent["filter"]} for sent in commands.sent if "find" in sent]
    plans = [database.command("explain", query)["queryPlanner"]["winningPlan"] for query in queries]
    assert len(plans) == 5
    assert [plan for plan in plans if "IXSCAN" not in str(plan)] == []


def test_the_documented_role_has_the_rights_to_exactly_what_is_read_and_written() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "data.md").read_text()
    (role,) = re.findall(r"createRole\((.*?)\n```", page, re.DOTALL)
    read, written = (re.findall(r'"(\w+)"', names) for names in re.findall(r"\.\.\.\[(.*?)\]\.map", role, re.DOTALL))
    assert sorted(read) == sorted(COLLECTIONS)
    # The lists of runs of earlier versions are read and purged, but written no more.
    assert sorted(written) == sorted([*OWN_COLLECTIONS, "health", "portfolio_summaries"])


def test_the_stores_write_exactly_the_collections_whose_rights_the_health_check_tries(
    database: DocumentDatabase,
) -> None:
    with_index = {collection.name for store in own_stores(database) for collection, _ in store.indexes()}
    without = {RunLease(database)._leases.name, NightStore(database)._nights.name}  # noqa: SLF001 - of one document each
    assert with_index | without == set(OWN_COLLECTIONS)
    assert tuple(collection.documents.name for collection in PortfolioStore(database).names()) == COLLECTIONS
