"""Ids of users of any type: each user is visited once, with everything of the same id in text."""

from collections import Counter
from copy import replace
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Int64, ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stores.portfolios
from analysis.models import Portfolio
from fields import Fields
from market_data.sample_prices import SampleProvider
from records import Run, Trigger
from runs.collecting import plan_at_once
from stores.administrators import AdministratorStore
from stores.backend import text_of
from stores.mongo import DocumentDatabase
from stores.portfolios import PortfolioStore
from tests.runs.steps import NOW, RUN_ID, all_services
from tests.stores.wired import Commands, wired

NUMBERS = [*range(25), 2**31, 2**40, -3]
HEXES = [f"65a0000000000000000000{number:02x}" for number in range(25)]
UUIDS = [f"0b5c9d5e-0000-4000-8000-0000000000{number:02x}" for number in range(25)]
WORDS = ["A", "a", "é", "e\u0301", "Zoë", "~", "u 1", "007", "9.5"]


def forms(text: str) -> list[Any]:
    """Return all values whose text form this is."""
    found: list[Any] = [text]
    if text in map(str, NUMBERS):
        found += [int(text), float(text), Int64(text)]
    if text in HEXES:
        found.append(ObjectId(text))
    if text in UUIDS:
        found.append(Binary.from_uuid(UUID(text)))
    return found


@st.composite
def stored_ids(draw: st.DrawFn) -> list[Any]:
    """Return some ids, most of them once, others in several forms."""
    texts = draw(st.lists(st.sampled_from([*map(str, NUMBERS), *HEXES, *UUIDS, *WORDS]), max_size=40))
    return [draw(st.sampled_from(forms(text))) for text in texts]


@pytest.mark.parametrize("text", [*map(str, NUMBERS), *HEXES, *UUIDS, *WORDS])
def test_all_forms_of_an_id_have_one_text(text: str) -> None:
    assert {text_of(form) for form in forms(text)} == {text}


@pytest.mark.parametrize("value", [True, None, 7.5, float("nan"), 1e300, Binary(b"x" * 16, 3), Binary(b"x", 4), [], {}])
def test_other_values_are_no_ids(value: object) -> None:
    assert text_of(value) == ""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(of_users=stored_ids(), data=st.data())
def test_paging_visits_every_id_once_whatever_types_the_ids_have(
    database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch, of_users: list[Any], data: st.DataObject
) -> None:
    # So that a lot has few documents, and several end within a user.
    monkeypatch.setattr(stores.portfolios, "MOST_ACCOUNTS", 2)
    texts = sorted({text_of(value) for value in of_users})
    owned = {text: data.draw(st.sampled_from(forms(text)), label=text) for text in texts}
    for collection in (database.users, database.holdings):
        collection.drop()
    database.users.insert_many([{"user_id": value} for value in [*of_users, None, ["9"], True]])
    database.users.insert_many([{"user_id": value, "is_active": False} for value in [*of_users[:9], "gone"]])
    database.holdings.insert_many(
        [{"user_id": value, "symbol": f"S{texts.index(text)}", "quantity": 1} for text, value in owned.items()]
        + [{"user_id": ["9", "a", 7], "symbol": "ODD", "quantity": 1}]
    )
    store = PortfolioStore(database)
    store.ensure_indexes()
    found = [user_id for chunk in store.active_user_ids(None) for user_id in chunk]
    assert Counter(found) == Counter(texts)
    assert [user_id for chunk in store.active_user_ids([*texts, "nobody"]) for user_id in chunk] == texts
    for position in range(0, len(found), 3):
        page = found[position : position + 3]
        loaded = store.load(page, contiguous=True)
        held = [{h.symbol for h in own.holdings} for own in loaded if isinstance(own, Portfolio)]
        assert held == [{f"S{texts.index(user_id)}"} for user_id in page]
        assert store.symbols(page, contiguous=True).keys() == set(page)


@pytest.mark.parametrize(
    ("of_users", "of_others", "finds"),
    [
        ([f"u{number:02}" for number in range(60)], [f"u{number:02}" for number in range(60)], 4),
        (list(range(60)), list(range(60)), 4),
        ([ObjectId(f"{number:024x}") for number in range(60)], [f"{number:024x}" for number in range(60)], 4),
        ([f"{number:024x}" for number in range(60)], [ObjectId(f"{number:024x}") for number in range(60)], 4),
        # The order of numbers is not that of their texts: two lookups of up to fifty in each of the three others.
        (list(range(60)), [str(number) for number in range(60)], 7),
    ],
)
def test_a_page_is_one_query_a_collection_where_the_order_of_ids_allows_it(
    database: DocumentDatabase, of_users: list[Any], of_others: list[Any], finds: int
) -> None:
    database.users.insert_many([{"user_id": value} for value in of_users])
    for name in ("holdings", "watchlist", "accounts"):
        database[name].insert_many(
            [{"user_id": value, "symbol": "AAPL", "quantity": 1, "cash": 1} for value in of_others]
        )
    commands = Commands()
    with wired(database, commands=commands) as seen:
        store = PortfolioStore(seen)
        page = [user_id for chunk in store.active_user_ids(None) for user_id in chunk]
        store.load(page, contiguous=True)
        commands.sent.clear()
        store.load(page, contiguous=True)
    assert commands.names().count("find") == finds


def test_everything_in_the_users_documents_is_one_query_a_page(database: DocumentDatabase) -> None:
    fields = Fields.read("holdings=users.p[],accounts=users.w,watchlist=users.l[]")
    database.users.insert_many([{"user_id": f"u{number}", "p": [], "w": {"cash": 1}, "l": []} for number in range(9)])
    commands = Commands()
    with wired(database, commands=commands) as seen:
        store = PortfolioStore(seen, fields=fields)
        store.load(["u1", "u5"], contiguous=False)
        assert [(sent["find"], sent["projection"].keys()) for sent in commands.sent if "find" in sent] == [
            ("users", {"_id", "user_id", "analysis_thresholds", "base_currency", "lot_method", "p", "w", "l"})
        ]
        assert [(documents.name, [i.document["name"] for i in own]) for documents, own in store.indexes()] == [
            ("users", ["user_id"]),
            ("instruments", ["symbol"]),
            ("transactions", ["user_id"]),
        ]


def test_indexes_are_asked_for_where_the_keys_are(database: DocumentDatabase) -> None:
    fields = Fields.read("users.user_id=_id,holdings.user_id=owner.id,holdings=positions,instruments.symbol=code")
    wanted = PortfolioStore(database, fields=fields).indexes()
    assert {(documents.name, *index.document["key"]) for documents, own in wanted for index in own} == {
        ("positions", "owner.id"),
        ("watchlist", "user_id"),
        ("accounts", "user_id"),
        ("instruments", "code"),
        ("transactions", "user_id"),
    }


def test_an_instrument_is_found_by_its_mapped_names(database: DocumentDatabase) -> None:
    database.assets.insert_one({"code": "BOND", "terms": {"size": 0.01}, "type": "Bond"})
    names = "instruments=assets,instruments.symbol=code,instruments.multiplier=terms.size,instruments.kind=type"
    (found,) = PortfolioStore(database, fields=Fields.read(names)).instruments(["BOND"]).values()
    assert (found.multiplier, found.kind) == (0.01, "bond")


def test_ids_inside_arrays_belong_to_nobody(database: DocumentDatabase) -> None:
    fields = Fields.read("users.user_id=who.id,holdings.user_id=who.id")
    database.users.insert_many([{"who": {"id": "a"}}, {"who": [{"id": "a"}, {"id": "b"}]}, {"who": {"id": ["c"]}}])
    database.holdings.insert_many([{"who": [{"id": "a"}], "symbol": "ODD", "quantity": 1}])
    store = PortfolioStore(database, fields=fields)
    assert list(store.active_user_ids(None)) == [["a"]]
    assert store.load(["a"], contiguous=True) == [Portfolio("a")]


def test_an_administrator_is_found_by_an_id_of_any_type_and_by_mapped_names(database: DocumentDatabase) -> None:
    known = ObjectId()
    database.people.insert_many([{"_id": known, "role": {"admin": True}}, {"_id": 7, "role": {"admin": "true"}}])
    fields = Fields.read("users=people,users.user_id=_id,users.is_admin=role.admin")
    store = AdministratorStore(database, fields=fields)
    assert (store.is_administrator(str(known)), store.is_administrator("7")) == (True, False)


@pytest.mark.parametrize(
    ("flag", "active"),
    [
        (1, True),
        (0, False),
        ("true", True),
        (" False ", False),
        (False, False),
        ("yes", False),
        (2, False),
        ({}, False),
    ],
)
def test_a_flag_may_be_a_number_or_text_and_one_that_is_neither_is_told(
    database: DocumentDatabase, caplog: pytest.LogCaptureFixture, flag: object, active: bool
) -> None:
    database.users.insert_one({"user_id": "u", "is_active": flag})
    assert list(PortfolioStore(database).active_user_ids(None)) == [["u"] if active else []]
    text = "1 users count as inactive: is_active is neither true nor false"
    assert (text in caplog.messages) == (flag in ("yes", 2, {}))


def test_a_run_of_everybody_logs_the_types_of_ids_and_the_entries_that_lead_nowhere(
    database: DocumentDatabase, mongodb_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database.users.insert_many([{"user_id": HEXES[0]}, {"user_id": 7}])
    database.holdings.insert_one({"user_id": ObjectId(HEXES[0]), "symbol": "AAPL", "quantity": 1})
    fields = Fields.read("users.is_active=activ,holdings.avg_price=cost")
    with all_services(database, mongodb_url, SampleProvider()) as made:
        services = replace(made, portfolios=PortfolioStore(database, fields=fields))
        services.runs.create(Run(RUN_ID, "queued", Trigger("http", "admin-secret"), NOW), None)
        planned = plan_at_once(services, RUN_ID, NOW)
    assert (planned.pages, planned.symbols) == (2, 1)  # a page has ids of one type
    assert [message for message in caplog.messages if "Ids" in message or "FIELDS" in message] == [
        "FIELDS may be wrong: none of the first documents has what users.is_active=activ says",
        "FIELDS may be wrong: none of the first documents has what holdings.avg_price=cost says",
        "Ids are of several types, and compared by their text forms (users: number, text; holdings: ObjectId)",
    ]
