"""The receivers of events: those of the settings and of the collection, and what is learnt of them."""

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from endpoints import EVENT_TYPES, Endpoint
from stores.mongo import DocumentDatabase
from stores.webhooks import Receiver, WebhookStore

OPS = Endpoint(endpoint_id="ops", url="https://ops.example.org/", secret_name="signing")
DOCUMENT: dict[str, Any] = {"endpoint_id": "crm", "url": "https://crm.example.org/", "secret_name": "crm"}
LATER = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def webhooks(database: DocumentDatabase) -> WebhookStore:
    made = WebhookStore(database, [OPS])
    made.ensure_indexes()
    return made


def test_receivers_are_those_of_the_settings_and_of_the_collection(
    webhooks: WebhookStore, database: DocumentDatabase
) -> None:
    database.webhooks.insert_one(DOCUMENT | {"types": [EVENT_TYPES[0]], "active": True, "note": "by Ada"})
    assert [own.endpoint.endpoint_id for own in webhooks.all()] == ["crm", "ops"]
    assert webhooks.takers(EVENT_TYPES[0]) == ["crm", "ops"]
    assert webhooks.takers(EVENT_TYPES[1]) == ["ops"]
    assert webhooks.get("nobody") is None


def test_of_two_with_one_id_that_of_the_settings_counts(webhooks: WebhookStore, database: DocumentDatabase) -> None:
    database.webhooks.insert_one(DOCUMENT | {"endpoint_id": "ops"})
    assert [own.endpoint for own in webhooks.all()] == [OPS]


def test_what_is_learnt_is_kept_of_both_kinds(webhooks: WebhookStore, database: DocumentDatabase) -> None:
    database.webhooks.insert_one(dict(DOCUMENT))
    for name in ("crm", "ops"):
        webhooks.rest(name, 3, LATER)
        webhooks.deactivate(webhooks.get(name).endpoint)  # type: ignore[union-attr] # it is there
    assert [(own.active, own.failures, own.resumes_at) for own in webhooks.all()] == [(False, 3, LATER)] * 2
    assert webhooks.takers(*EVENT_TYPES) == []
    webhooks.rest("ops", 0, None)
    assert webhooks.get("ops") == Receiver(OPS, active=False)


def test_what_was_learnt_of_a_receiver_that_is_no_longer_there_is_no_receiver(database: DocumentDatabase) -> None:
    WebhookStore(database, [OPS]).deactivate(OPS)
    assert WebhookStore(database).all() == []


@pytest.mark.parametrize(
    "broken",
    [
        {"url": "http://crm.example.org/"},
        {"url": 5},
        {"secret_name": None},
        {"types": ["luck"]},
        {"endpoint_id": 7},
        {"endpoint_id": ["a"]},
        {"endpoint_id": None},
        {"endpoint_id": "event-grid"},
    ],
)
def test_a_document_that_cannot_be_used_is_logged_without_its_url_and_costs_no_other(
    webhooks: WebhookStore, database: DocumentDatabase, caplog: pytest.LogCaptureFixture, broken: dict[str, Any]
) -> None:
    database.webhooks.insert_one(DOCUMENT | broken)
    assert [own.endpoint.endpoint_id for own in webhooks.all()] == ["ops"]
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert "crm.example.org" not in line.getMessage()


@pytest.mark.parametrize("broken", [{"failures": "many"}, {"resumes_at": "soon"}, {"active": "false"}, {"gone": 1}])
def test_a_receiver_of_which_something_ill_formed_is_learnt_gets_no_events_until_it_is_mended(
    webhooks: WebhookStore, database: DocumentDatabase, caplog: pytest.LogCaptureFixture, broken: dict[str, Any]
) -> None:
    database.webhooks.insert_one({"endpoint_id": "ops"} | broken)
    assert webhooks.all() == [Receiver(OPS, active=False)]
    assert "ops" in caplog.records[0].getMessage()
    database.webhooks.delete_many({})
    assert webhooks.all() == [Receiver(OPS)]


def test_a_receiver_that_was_gone_gets_events_again_at_another_url_unless_it_is_switched_off(
    database: DocumentDatabase,
) -> None:
    WebhookStore(database, [OPS]).deactivate(OPS)
    moved = msgspec.structs.replace(OPS, url="https://ops.example.org/new")
    assert WebhookStore(database, [OPS]).takers(*EVENT_TYPES) == []
    assert WebhookStore(database, [moved]).takers(*EVENT_TYPES) == ["ops"]
    database.webhooks.update_one({"endpoint_id": "ops"}, {"$set": {"active": False}})
    assert WebhookStore(database, [moved]).takers(*EVENT_TYPES) == []
    WebhookStore(database, [OPS]).deactivate(OPS)  # the answer to an event that was on its way
    assert WebhookStore(database, [moved]).takers(*EVENT_TYPES) == []


def test_a_receiver_that_was_gone_gets_events_again_where_an_operator_says_that_it_is_active(
    webhooks: WebhookStore, database: DocumentDatabase
) -> None:
    database.webhooks.insert_one({"endpoint_id": "ops", "active": True})
    webhooks.deactivate(OPS)
    assert webhooks.takers(*EVENT_TYPES) == []
    database.webhooks.update_one({"endpoint_id": "ops"}, {"$set": {"active": True}})
    assert webhooks.takers(*EVENT_TYPES) == ["ops"]
    webhooks.deactivate(OPS)
    assert webhooks.takers(*EVENT_TYPES) == []
