"""The people of the newest night, and the book of all their portfolios together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest

import runs.people
import stores.rankings
from market_data.sample_prices import SampleProvider
from records import PersonSummary, SortField, Wanted
from runs.people import Asked, all_people, newest_book, people_of
from runs.services import Services
from stores.mongo import DocumentDatabase
from tests.runs.nightly import run_once
from tests.runs.steps import all_services

CONCENTRATED = {"AAPL": 100.0}
SPREAD = dict.fromkeys(("AAPL", "MSFT", "KO", "JNJ", "XOM", "PG", "WMT", "JPM", "HD", "MRK", "PFE", "GE"), 10.0)


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setattr(stores.rankings, "_LINES_PER_BLOCK", 3)  # several blocks of few lines
    with all_services(database, mongodb_url, SampleProvider()) as made:
        made.runs.ensure_indexes()
        yield made


def add(database: DocumentDatabase, user_id: str, holdings: Mapping[str, float] = SPREAD, **user: str) -> None:
    database.users.insert_one({"user_id": user_id, **user})
    hold(database, user_id, holdings)


def hold(database: DocumentDatabase, user_id: str, holdings: Mapping[str, float]) -> None:
    database.holdings.delete_many({"user_id": user_id})
    documents = [{"user_id": user_id, "symbol": symbol, "quantity": own} for symbol, own in holdings.items()]
    database.holdings.insert_many(document | {"avg_price": 50.0} for document in documents)


def found(
    services: Services, part: str = "", wanted: Wanted | None = None, sort: SortField = "user_id"
) -> list[PersonSummary]:
    asked = Asked(wanted or Wanted(), part, sort, descending=False)
    return people_of(services, asked, limit=100, after=None)


def ids(people: Sequence[PersonSummary]) -> list[str]:
    return [person.user_id for person in people]


def test_before_the_first_night_there_are_no_people_and_there_is_no_book(services: Services) -> None:
    assert (found(services), newest_book(services)) == ([], None)


def test_people_have_the_latest_summary_and_names(services: Services, database: DocumentDatabase) -> None:
    add(database, "a", name="Ada Lovelace", username="ada", email="ada@example.org")
    add(database, "b", username="bob")
    add(database, "c")
    run_once(services)
    night = run_once(services)
    run_once(services, user_ids=["a"])
    run_once(services, as_of=date(2025, 1, 2))
    people = found(services)
    assert [(own.user_id, own.name, own.email) for own in people] == [
        ("a", "Ada Lovelace", "ada@example.org"),
        ("b", "bob", None),
        ("c", None, None),
    ]
    assert {own.run_id for own in people} == {night}
    assert all(own.total_value and own.market_value == own.total_value for own in people)  # they have no cash


def test_values_are_those_of_the_last_nights_by_date(services: Services, database: DocumentDatabase) -> None:
    add(database, "a")
    run_once(services)
    hold(database, "a", CONCENTRATED)
    run_once(services)  # of the same date: the later one counts
    (person,) = found(services)
    assert person.values == ((person.as_of, person.total_value),)


def test_values_of_nights_in_another_currency_are_left_out(services: Services, database: DocumentDatabase) -> None:
    add(database, "a")
    add(database, "b")
    before = run_once(services)
    database.portfolio_analyses.update_many({"run_id": before}, {"$set": {"as_of": "2022-12-27"}})
    database.users.update_one({"user_id": "a"}, {"$set": {"base_currency": "EUR"}})
    run_once(services)
    changed, same = found(services)
    assert (changed.currency, same.currency) == ("EUR", "USD")
    assert changed.values == ((changed.as_of, changed.total_value),)
    assert [day for day, _ in same.values] == [date(2022, 12, 27), same.as_of]


def test_people_are_found_by_exact_ids_however_many_have_these_digits(
    services: Services, database: DocumentDatabase
) -> None:
    for number in range(12):
        add(database, f"{number}7" if number else "7", {"AAPL": 1.0})
    run_once(services)
    asked = Asked(Wanted(), "", "user_id", descending=False, user_ids=("7", "new", "57"))
    people = people_of(services, asked, limit=100, after=None)
    assert ids(people) == ["57", "7"]
    assert all(own.values for own in people)
    assert ids(people_of(services, replace(asked, part="5"), limit=100, after=None)) == ["57"]


@pytest.mark.parametrize("most", [1_000, 0])
def test_the_name_of_a_user_counts_only_where_there_is_no_other(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(runs.people, "_MOST_FOUND", most)
    add(database, "1", name="Ada Lovelace", username="countess")
    add(database, "2", username="countess")
    add(database, "3", name=" ", username="countess")
    run_once(services)
    assert ids(found(services, "COUNT")) == ["2", "3"]
    assert ids(found(services, "lovelace")) == ["1"]


@pytest.mark.parametrize("most", [1_000, 2])  # found by name first, or looked for in the order of the list
@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("LOVE", ["a"]),
        ("example.org", ["a", "d"]),
        ("exampleXorg", []),  # a dot is a dot
        ("(x", ["d"]),
        ("user-", ["user-1", "user-2", "user-3"]),
        ("żółw", ["e"]),
        ("2", ["user-2"]),
    ],
)
def test_people_are_found_by_any_part_of_id_name_or_email_in_any_case(
    services: Services,
    database: DocumentDatabase,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    part: str,
    expected: list[str],
) -> None:
    monkeypatch.setattr(runs.people, "_MOST_FOUND", most)
    add(database, "a", name="Ada Lovelace", email="ada@example.org")
    add(database, "d", name="D (X)", email="d@Example.org")
    add(database, "e", name="Żółw")
    for number in (1, 2, 3):
        add(database, f"user-{number}")
    run_once(services)
    assert ids(found(services, part)) == expected


def test_ids_that_are_numbers_are_found_by_their_digits(services: Services, database: DocumentDatabase) -> None:
    database.users.insert_many([{"user_id": 12345}, {"user_id": 999}])
    database.holdings.insert_many(
        {"user_id": of, "symbol": "AAPL", "quantity": 1, "avg_price": 1} for of in (12345, 999)
    )
    run_once(services)
    assert ids(found(services, "234")) == ["12345"]


@pytest.mark.parametrize("most", [1_000, 0])
def test_filter_order_and_pages_hold_for_what_is_found_too(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(runs.people, "_MOST_FOUND", most)
    for number in range(8):
        add(database, f"in-{number}", {"AAPL": 100.0 - number})
        add(database, f"out-{number}", {"AAPL": 50.0})
    add(database, "in-spread")
    run_once(services)
    asked = Asked(Wanted(check="largest_position", check_status="breach"), "IN-", "market_value", descending=False)
    pages, after = [], None
    while page := people_of(services, asked, limit=3, after=after):
        pages.append(ids(page))
        after = page[-1].market_value, page[-1].user_id
    expected = [f"in-{number}" for number in range(7, -1, -1)]
    assert pages == [expected[:3], expected[3:6], expected[6:]]
    assert ids(list(all_people(services, asked))) == expected


def test_after_a_retry_its_people_are_shown_in_place_of_the_failed(
    services: Services, database: DocumentDatabase
) -> None:
    for name in ("a", "b", "c", "d"):
        add(database, name)
    database.accounts.insert_many([{"user_id": "b", "cash": "plenty"}, {"user_id": "c", "cash": "some"}])
    night = run_once(services)
    failed = [own.status for own in found(services)]
    database.accounts.delete_many({"user_id": "b"})
    first = run_once(services, retry_of=night)
    database.accounts.delete_many({})
    second = run_once(services, retry_of=first)
    people = found(services)
    assert failed == ["analyzed", "failed", "failed", "analyzed"]
    assert [(own.user_id, own.run_id, own.status) for own in people] == [
        ("a", night, "analyzed"),
        ("b", first, "analyzed"),
        ("c", second, "analyzed"),
        ("d", night, "analyzed"),
    ]
    book = newest_book(services)
    assert book is not None
    assert (book.run_id, book.people, book.failed) == (second, 4, 0)
    assert book.total_value == pytest.approx(sum(own.total_value or 0.0 for own in people))


def test_a_cursor_from_before_a_retry_goes_on_in_the_list_after_it(
    services: Services, database: DocumentDatabase
) -> None:
    names = [f"u{number}" for number in range(8)]
    for number, name in enumerate(names):
        add(database, name, {"AAPL": 10.0 + number})
    database.accounts.insert_one({"user_id": "u5", "cash": "plenty"})
    night = run_once(services)
    asked = Asked(Wanted(), "", "market_value", descending=False)
    assert ids(people_of(services, asked, limit=100, after=None)) == [*names[:5], *names[6:], "u5"]
    first = people_of(services, asked, limit=4, after=None)
    database.accounts.delete_many({})
    run_once(services, retry_of=night)
    rest = people_of(services, asked, limit=100, after=(first[-1].market_value, first[-1].user_id))
    assert ids([*first, *rest]) == names


def test_a_retry_of_a_night_counts_more_than_an_earlier_one_of_its_retry(
    services: Services, database: DocumentDatabase
) -> None:
    for name in ("a", "b", "c"):
        add(database, name)
    database.accounts.insert_many([{"user_id": "b", "cash": "plenty"}, {"user_id": "c", "cash": "some"}])
    night = run_once(services)
    first = run_once(services, retry_of=night)
    run_once(services, retry_of=first)
    database.accounts.delete_many({})
    last = run_once(services, retry_of=night)
    expected = [("a", night, "analyzed"), ("b", last, "analyzed"), ("c", last, "analyzed")]
    people = found(services)
    assert [(own.user_id, own.run_id, own.status) for own in people] == expected
    book = newest_book(services)
    assert book is not None
    assert (book.run_id, book.people, book.failed) == (last, 3, 0)
    assert [own.values for own in people] == [((own.as_of, own.total_value),) for own in people]


def half_mended(services: Services, database: DocumentDatabase) -> tuple[str, str]:
    """Return a night that failed for a and b, and the retry of it that mended a."""
    for name in ("a", "b"):
        add(database, name)
    database.accounts.insert_many([{"user_id": "a", "cash": "plenty"}, {"user_id": "b", "cash": "some"}])
    night = run_once(services)
    database.accounts.delete_many({"user_id": "a"})
    return night, run_once(services, retry_of=night)


def test_a_retry_of_a_retry_keeps_what_a_later_one_of_the_night_has_mended(
    services: Services, database: DocumentDatabase
) -> None:
    night, first = half_mended(services, database)
    hold(database, "a", CONCENTRATED)
    second = run_once(services, retry_of=night)
    database.accounts.delete_many({})
    last = run_once(services, retry_of=first)
    people = found(services)
    assert [(own.user_id, own.run_id) for own in people] == [("a", second), ("b", last)]
    book = newest_book(services)
    assert book is not None
    assert book.total_value == pytest.approx(sum(own.total_value or 0.0 for own in people))
    reports = [services.reports.get(own.run_id, own.user_id) for own in people]
    assert [own.market_value for own in people] == [own["valuation"]["market_value"] for own in reports if own]


def test_a_retry_that_fails_for_a_person_leaves_what_an_earlier_one_has_mended(
    services: Services, database: DocumentDatabase
) -> None:
    night, mended = half_mended(services, database)
    database.accounts.insert_one({"user_id": "a", "cash": "plenty"})
    again = run_once(services, retry_of=night)
    people = found(services)
    expected = [("a", mended, "analyzed"), ("b", again, "failed")]
    assert [(own.user_id, own.run_id, own.status) for own in people] == expected
    book = newest_book(services)
    assert book is not None
    assert (book.run_id, book.people, book.failed) == (again, 1, 1)
    assert book.total_value == people[0].total_value
    assert [one.user_id for one in book.attention] == ["b"]


def test_the_book_counts_states_and_changes_and_names_who_needs_attention_first(
    services: Services, database: DocumentDatabase
) -> None:
    for name in ("better", "fails", "partly", "worse-large", "worse-small"):
        add(database, name)
    hold(database, "better", CONCENTRATED)
    add(database, "old", CONCENTRATED)
    run_once(services)
    hold(database, "better", SPREAD)
    hold(database, "worse-small", {"AAPL": 1.0})
    hold(database, "worse-large", {"AAPL": 1_000.0})
    hold(database, "partly", SPREAD | {"NOSUCHSYMBOL": 1.0})
    database.accounts.insert_one({"user_id": "fails", "cash": "plenty"})
    run_once(services)
    book = newest_book(services)
    assert book is not None
    (largest,) = [check for check in book.checks if check.rule == "largest_position"]
    assert (largest.breach, largest.new_breaches, largest.recovered) == (3, 2, 1)
    assert (book.people, book.failed, book.incomplete, book.currency) == (5, 1, 1, "USD")
    assert book.newest_price == book.as_of
    first = [(one.user_id, one.why) for one in book.attention]
    assert first == [
        ("fails", "failed"),
        ("partly", "incomplete"),
        ("worse-large", "new_breach"),
        ("worse-small", "new_breach"),
        ("old", "breach"),
    ]


def test_a_book_in_several_currencies_is_in_that_of_the_book(database: DocumentDatabase, mongodb_url: str) -> None:
    with all_services(database, mongodb_url, SampleProvider(), BASE_CURRENCY="EUR") as services:
        add(database, "a", base_currency="USD")
        add(database, "b")
        run_once(services)
        book, people = newest_book(services), found(services)
    assert book is not None
    assert [own.currency for own in people] == ["USD", "EUR"]
    assert book.total_value == pytest.approx(2 * (people[1].total_value or 0.0))
    assert people[0].total_value != pytest.approx(people[1].total_value)
