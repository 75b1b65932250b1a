"""The books: all portfolios of a night together, one document a night and retry."""

from typing import override

import msgspec
from pymongo import ASCENDING, IndexModel

from records import Book
from stores.indexes import Indexed, Indexes
from stores.mongo import DocumentDatabase


class BookStore(Indexed):
    """Books by ``run_id``."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._books = database["portfolio_books"]

    @override
    def indexes(self) -> Indexes:
        """Return the key."""
        return [(self._books, [IndexModel([("run_id", ASCENDING)], name="run_id", unique=True)])]

    def write(self, book: Book) -> None:
        """Store the book of a run, replacing an earlier one."""
        self._books.replace_one({"run_id": book.run_id}, msgspec.to_builtins(book), upsert=True)

    def get(self, run_id: str) -> Book | None:
        """Return the book of a run, ``None`` if it has none."""
        document = self._books.find_one({"run_id": run_id}, {"_id": False})
        return None if document is None else msgspec.convert(document, Book)

    def forget(self, user_id: str, *, erase: bool) -> int:
        """Count the books that name a user, or name that user no more."""
        naming = {"attention.user_id": user_id}
        if erase:
            return self._books.update_many(naming, {"$pull": {"attention": {"user_id": user_id}}}).modified_count
        return self._books.count_documents(naming)

    def purge(self, run_id: str) -> None:
        """Delete the book of a run."""
        self._books.delete_one({"run_id": run_id})
