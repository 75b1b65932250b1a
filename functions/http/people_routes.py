"""The routes of the newest night: its people, and the book of all their portfolios together."""

from collections.abc import Sequence

import azure.functions as func
from msgspec import structs

from functions.access.audit import Attempt
from functions.http.accepting import JSON, ContentKind
from functions.http.answers import BookOfNight, NamedAttention, PeoplePage
from functions.http.cursors import CursorOfAnotherList, decode_place, encode_cursor
from functions.http.exports import LISTS, people_file
from functions.http.person_routes import api
from functions.http.problems import NotFound
from functions.http.requests import PeopleQuery
from records import BackendUser
from runs.services import Services

__all__ = ["BASE", "api"]

BASE = "api/admin/portfolio"


@api.route(
    "GET",
    f"{BASE}/portfolios",
    answer=PeoplePage,
    errors=(CursorOfAnotherList,),
    action="list_people",
    formats=LISTS,
)
def list_people(
    query: PeopleQuery, kind: ContentKind, services: Services, attempt: Attempt
) -> PeoplePage | func.HttpResponse:
    """List the people of the newest night: a page, or as CSV or XLSX all that the filter lists, without `values`."""
    from runs.people import Asked, all_people, day_of_people, people_of

    query.check_members()
    asked = Asked(query.wanted, query.q.strip(), query.sort, query.order == "desc", query.ids)
    if kind != JSON:
        return people_file(kind, day_of_people(services), all_people(services, asked), attempt)
    after = decode_place(query.digest, query.after) if query.after else None
    found = people_of(services, asked, limit=query.limit + 1, after=after)
    page = found[: query.limit]
    users = _users(services, query.ids) if query.ids else None
    attempt.tell(user_ids=list(dict.fromkeys(shown.user_id for shown in (*page, *(users or ())))))
    if len(found) == len(page):
        return PeoplePage(page, None, users)
    last = page[-1]
    place = (None if query.sort == "user_id" else getattr(last, query.sort), last.user_id)
    return PeoplePage(page, encode_cursor((query.digest, place)), users)


def _users(services: Services, user_ids: Sequence[str]) -> list[BackendUser]:
    found = services.people.names(user_ids).items()
    return [BackendUser(user_id, own.name, own.email, own.active) for user_id, own in sorted(found)]


@api.route("GET", f"{BASE}/book", errors=(NotFound,), action="read_book")
def get_book(services: Services, attempt: Attempt) -> BookOfNight:
    """Return the book of the newest night, and the ten persons that need attention first."""
    from runs.people import newest_book, runs_of
    from stores.people import Names

    book = newest_book(services)
    if book is None:
        raise NotFound("There is no night yet: no run of all users as of the newest date has completed.")
    user_ids = [one.user_id for one in book.attention]
    attempt.tell(run_id=book.run_id, user_ids=user_ids)
    names, runs = services.people.names(user_ids), runs_of(services, user_ids)
    attention = tuple(
        NamedAttention(**structs.asdict(one), name=names.get(one.user_id, Names()).name, run_id=runs.get(one.user_id))
        for one in book.attention
    )
    return BookOfNight(**structs.asdict(book) | {"attention": attention})
