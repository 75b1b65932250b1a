"""The host's own use of MongoDB. Imported late: the driver takes as long to import as everything else."""

from typing import Any

from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import PyMongoError

from devhost.errors import StartError
from devhost.logs import last_line
from devhost.sample_data import SAMPLE_USERS
from devhost.seed import COLLECTIONS, seed_sample_users

_PATIENCE_MILLISECONDS = 10_000


async def ping(url: str, milliseconds: int) -> None:
    """Wait for an answer.

    Raises:
        ConnectionError: there is none in this time.
    """
    try:
        async with AsyncMongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=milliseconds) as client:
            await client.admin.command("ping")
    except PyMongoError as error:
        raise ConnectionError(last_line(error)) from error


async def seed(url: str, database: str, *, only_if_empty: bool) -> None:
    """Write the sample users.

    Raises:
        StartError: the server refuses, or cannot be reached.
    """
    try:
        await ping(url, _PATIENCE_MILLISECONDS)
        # From here without a thread: it takes a moment, and a thread could not be stopped by Ctrl-C.
        with MongoClient[dict[str, Any]](url) as client:
            if only_if_empty and client[database]["users"].find_one():
                return
        seed_sample_users(url, database)
    except (PyMongoError, ConnectionError) as error:
        raise StartError(f"the sample data cannot be written to MongoDB: {last_line(error)}") from None


def holds_only_samples(url: str, database: str) -> bool:
    """Return whether everything that the app reads belongs to a sample user.

    Raises:
        StartError: the server refuses, or cannot be reached.
    """
    others = {"user_id": {"$nin": [user.user_id for user in SAMPLE_USERS]}}
    try:
        with MongoClient[dict[str, Any]](url) as client:
            return not any(client[database][name].find_one(others) for name in COLLECTIONS)
    except PyMongoError as error:
        raise StartError(f"the users in MongoDB cannot be read: {last_line(error)}") from None
