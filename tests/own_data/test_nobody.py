"""A run of all users that finds nobody to analyze is never a success: it says why, in counts."""

from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId

from fields import Fields
from market_data.sample_prices import SampleProvider
from runs.services import Services
from stores.mongo import DocumentDatabase
from stores.nobody import why_nobody
from stores.portfolios import PortfolioStore
from tests.runs.steps import RUN_ID, all_services, finish_run, make_plan, start

NO_MATCH = (
    "50 users and 50 holdings exist, but no `holdings.user_id` matches a `users.user_id` of an active user "
    "(users: 50 ObjectId; holdings: 50 text)."
)
HOLDING = {"symbol": "AAPL", "quantity": 1}


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider()) as made:
        yield made


def store_both(database: DocumentDatabase) -> None:
    database.users.insert_many([{"user_id": ObjectId()} for _ in range(50)])
    database.holdings.insert_many([{"user_id": f"u{number}", **HOLDING} for number in range(50)])


def test_a_run_of_all_users_that_finds_nobody_fails_and_says_why(
    services: Services, database: DocumentDatabase
) -> None:
    store_both(database)
    start(services, database, users=0)
    made = make_plan(services)
    assert made.failure is not None
    assert (made.failure.error_type, made.failure.error) == ("nobody_to_analyze", NO_MATCH)
    assert make_plan(services) == made  # delivered again
    assert finish_run(services, made.failure) == "failed"
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert [error.error_type for error in run.errors] == ["nobody_to_analyze"]
    assert database.run_batches.count_documents({}) == 0


def test_a_run_over_an_empty_database_has_nothing_to_fail_for(services: Services, database: DocumentDatabase) -> None:
    start(services, database, users=0)
    assert make_plan(services).failure is None


@pytest.mark.parametrize(
    ("documents", "why"),
    [
        (
            {"users": [{"user_id": "u"}]},
            "1 user exists, but nobody holds or watches anything: holdings and watchlist are empty.",
        ),
        (
            {"holdings": [{"user_id": "u", **HOLDING}, {"user_id": "v", **HOLDING}]},
            "2 holdings exist, but no user: is users the collection of the users?",
        ),
        (
            {"users": [{"user_id": "u", "is_active": False}], "watchlist": [{"user_id": "u", "symbol": "AAPL"}]},
            "1 user and 1 watchlist item exist, but no user is active: see `is_active`.",
        ),
        (
            {"users": [{"name": "u"}, {"user_id": ""}], "holdings": [{"user_id": "u", **HOLDING}]},
            "2 users and 1 holding exist, but no user has an id in `users.user_id`.",
        ),
    ],
)  # fmt: skip
def test_every_reason_has_its_sentence(
    database: DocumentDatabase, documents: dict[str, list[dict[str, Any]]], why: str
) -> None:
    for name, own in documents.items():
        database[name].insert_many(own)
    assert why_nobody(PortfolioStore(database)) == why


def test_of_holdings_inside_users_the_place_is_named(database: DocumentDatabase) -> None:
    database.users.insert_one({"_id": ObjectId(), "positions": []})
    fields = Fields.read("users.user_id=_id,holdings=users.positions[]")
    why = why_nobody(PortfolioStore(database, fields=fields))
    assert why == "1 user exists, but nobody holds or watches anything: users.positions[] and watchlist are empty."
