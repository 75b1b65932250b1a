"""Sessions in the database."""

from datetime import UTC, datetime, timedelta

from records import Session
from stores.mongo import DocumentDatabase
from stores.sessions import SessionStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OF_SECRET = Session("admin-secret", "admin-secret", "version", "proof", NOW, NOW + timedelta(hours=8))
OF_TOKEN = Session("ann", "bearer", "subject", None, NOW, NOW + timedelta(hours=1))


def test_a_session_is_found_under_its_digest_until_it_is_removed(database: DocumentDatabase) -> None:
    store = SessionStore(database)
    store.add("a", OF_SECRET)
    store.add("b", OF_TOKEN)
    assert (store.get("a"), store.get("b"), store.get("c")) == (OF_SECRET, OF_TOKEN, None)
    store.remove("a")
    store.remove("a")
    assert (store.get("a"), store.get("b")) == (None, OF_TOKEN)


def test_the_database_deletes_a_session_when_it_expires(database: DocumentDatabase) -> None:
    SessionStore(database).ensure_indexes()
    index = database.sessions.index_information()["expires_at"]
    assert (index["key"], index["expireAfterSeconds"]) == ([("expires_at", 1)], 0)
