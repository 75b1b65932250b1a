"""The names of people, and whether they are active, as the backend has it."""

import re
from collections.abc import Iterable, Mapping
from copy import replace
from dataclasses import dataclass

from fields import Fields
from stores.account_documents import MOST_ACCOUNTS
from stores.backend import TEXT, BackendCollection, text_of, typed
from stores.mongo import Document, DocumentDatabase
from stores.places import documents_in, needed_names, value_at
from stores.portfolio_documents import is_active

_NAMES = ("name", "username", "email")
_FIELDS = (*_NAMES, "is_active")
_LONGEST_NAME = 1_000


@dataclass(frozen=True, slots=True)
class Names:
    """What a person is called: ``name`` is the field of that name, else the name of the user.

    An ``active`` one is analyzed by runs.
    """

    name: str | None = None
    email: str | None = None
    active: bool = False


class PeopleStore:
    """The users of the backend, by id and by parts of their names."""

    def __init__(self, database: DocumentDatabase, fields: Fields | None = None) -> None:
        self._place = (fields or Fields())["users"]
        self._users = BackendCollection(database, self._place.collection, self._place.key)
        self._needed = needed_names(self._place, _FIELDS)

    def names(self, user_ids: Iterable[str]) -> Mapping[str, Names]:
        """Return the names of users by id; there are none of an id without documents."""
        found: dict[str, Names] = {}
        for lot in self._users.of_users(typed(user_ids), self._needed, MOST_ACCOUNTS, spans=False):
            for stored in lot:
                user_id, own = stored["user_id"], self._names_in(stored)
                # One of several documents makes a user active, as in a run.
                earlier = found.get(user_id, own)
                found[user_id] = replace(own, active=own.active or earlier.active)
        return found

    def candidates(self, part: str, limit: int) -> list[str]:
        """Return the ids of up to ``limit`` users with ``part`` in their id, the e-mail or either name.

        Those of :meth:`are_matching` are among them. No index helps here: the database looks through all users.
        """
        found = self._users.documents.find(self._with(part), {self._users.key: True}, collation=self._users.collation())
        ids = (text_of(value_at(document, self._place.key)) for document in found.limit(limit))
        return list(dict.fromkeys(filter(None, ids)))

    def are_matching(self, part: str, user_ids: Iterable[str]) -> frozenset[str]:
        """Return those of the users with ``part`` in their id, what they are called or the e-mail, in any case."""
        like = re.compile(re.escape(part), re.IGNORECASE)
        return frozenset(
            user_id
            for user_id, own in self.names(user_ids).items()
            if any(like.search(known) for known in (user_id, own.name, own.email) if known is not None)
        )

    def _with(self, part: str) -> Document:
        like = {"$regex": re.escape(part), "$options": "i"}
        names = [".".join(self._place.path_of(name)) for name in _NAMES]
        conditions: list[Document] = [{name: like} for name in (self._users.key, *names)]
        if [kind for kind in self._users.types() if kind is not TEXT]:
            text = {"$toString": f"${self._users.key}"}
            conditions.append({"$expr": {"$regexMatch": {"input": text, "regex": like["$regex"], "options": "i"}}})
        return {"$or": conditions}

    def _names_in(self, stored: Document) -> Names:
        for document in documents_in(self._place, stored):
            name = _text(document.get("name")) or _text(document.get("username"))
            return Names(name, _text(document.get("email")), active=is_active(document) is True)
        return Names()


def _text(value: object) -> str | None:
    return value[:_LONGEST_NAME] if isinstance(value, str) and value.strip() else None
