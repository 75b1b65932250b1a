"""The names of people, as the backend has them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fields import Fields
from stores.account_documents import MOST_ACCOUNTS
from stores.backend import TEXT, BackendCollection, text_of, typed
from stores.mongo import Document, DocumentDatabase
from stores.places import documents_in, needed_names, value_at

_FIELDS = ("name", "username", "email")
_LONGEST_NAME = 1_000


@dataclass(frozen=True, slots=True)
class Names:
    """What a person is called: ``name`` is the field of that name, else the name of the user."""

    name: str | None = None
    email: str | None = None


class PeopleStore:
    """The users of the backend, by id and by parts of their names."""

    def __init__(self, database: DocumentDatabase, fields: Fields | None = None) -> None:
        self._place = (fields or Fields())["users"]
        self._users = BackendCollection(database, self._place.collection, self._place.key)
        self._names = needed_names(self._place, _FIELDS)

    def names(self, user_ids: Iterable[str]) -> Mapping[str, Names]:
        """Return the names of users by id; there are none of an id without documents."""
        lots = self._users.of_users(typed(user_ids), self._names, MOST_ACCOUNTS, spans=False)
        return {stored["user_id"]: self._names_in(stored) for lot in lots for stored in lot}

    def matching(self, part: str, limit: int) -> list[str]:
        """Return the ids of up to ``limit`` users with ``part`` in their id, a name or the e-mail, whatever its case.

        No index helps here: all users are looked through by the database.
        """
        found = self._users.documents.find(self._with(part), {self._users.key: True}, collation=self._users.collation())
        ids = (text_of(value_at(document, self._place.key)) for document in found.limit(limit))
        return list(dict.fromkeys(filter(None, ids)))

    def are_matching(self, part: str, user_ids: Iterable[str]) -> frozenset[str]:
        """Return those of the users that :meth:`matching` finds."""
        text = part.casefold()
        return frozenset(
            user_id
            for user_id, own in self.names(user_ids).items()
            if any(text in known.casefold() for known in (user_id, own.name, own.email) if known is not None)
        )

    def _with(self, part: str) -> Document:
        like = {"$regex": re.escape(part), "$options": "i"}
        names = [".".join(self._place.path_of(name)) for name in _FIELDS]
        conditions: list[Document] = [{name: like} for name in (self._users.key, *names)]
        if [kind for kind in self._users.types() if kind is not TEXT]:
            text = {"$toString": f"${self._users.key}"}
            conditions.append({"$expr": {"$regexMatch": {"input": text, "regex": like["$regex"], "options": "i"}}})
        return {"$or": conditions}

    def _names_in(self, stored: Document) -> Names:
        for document in documents_in(self._place, stored):
            name = _text(document.get("name")) or _text(document.get("username"))
            return Names(name, _text(document.get("email")))
        return Names()


def _text(value: object) -> str | None:
    return value[:_LONGEST_NAME] if isinstance(value, str) and value.strip() else None
