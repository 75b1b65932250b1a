"""The host's own use of MongoDB. Imported late: the driver takes as long to import as everything else."""

import asyncio
import re
from typing import Any

import pymongo
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import PyMongoError

from devhost.environment import masked
from devhost.errors import StartError
from devhost.formats import counted
from devhost.logs import last_line
from devhost.sample_data import SAMPLE_USERS
from devhost.seed import COLLECTIONS, seed_sample_users
from fields import Fields
from stores.mongo import OWN_COLLECTIONS, connect

_PATIENCE_SECONDS = 3.0


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


async def reach(url: str) -> None:
    """Wait for an answer of a server in the environment, connected as the app connects.

    Raises:
        StartError: there is none within some seconds, or the server refuses the sign-in.
    """
    try:
        await asyncio.to_thread(_ping_as_the_app, url)
    except PyMongoError as error:
        raise StartError(
            f"MongoDB at {masked(url)} cannot be used: {reason_of(error)}; start that server or correct MONGODB_URL "
            "(without MONGODB_URL, an embedded one is used)"
        ) from None


def _ping_as_the_app(url: str) -> None:
    with connect(url) as client, pymongo.timeout(_PATIENCE_SECONDS):
        client.admin.command("ping")


def reason_of(error: PyMongoError) -> str:
    """Return the driver's reason, without the timeouts, servers and whole answers that it repeats after it."""
    return " ".join(re.split(r" \(configured timeouts|, Timeout: |, full error: ", str(error))[0].split())


def users_in(url: str, database: str, fields: Fields) -> str:
    """Return the numbers of users and holdings, as the server keeps count of them, or why they are not known."""
    places = fields["users"], fields["holdings"]
    try:
        with connect(url) as client:
            users, holdings = (client[database][place.collection].estimated_document_count() for place in places)
    except PyMongoError as error:
        return f"its users cannot be counted: {reason_of(error)}"
    # What is inside other documents is not counted.
    inside = f"holdings in {places[1].described}" if places[1].inside else counted(holdings, "holding")
    return f"{counted(users, 'user')}, {inside}"


def seed(url: str, database: str, *, only_if_empty: bool) -> None:
    """Write the sample users.

    Raises:
        StartError: the server refuses, or cannot be reached.
    """
    try:
        # Without a thread: it takes a moment, and a thread could not be stopped by Ctrl-C.
        with MongoClient[dict[str, Any]](url) as client:
            if only_if_empty and client[database]["users"].find_one():
                return
        seed_sample_users(url, database)
    except PyMongoError as error:
        raise StartError(f"the sample data cannot be written to MongoDB: {last_line(error)}") from None


def create_collections(url: str, database: str) -> None:
    """Create the collections that the app writes.

    SecantusDB 0.7.0b3 hangs for ever when two clients create the same collection at once, as workers may.

    Raises:
        StartError: the server refuses.
    """
    try:
        with MongoClient[dict[str, Any]](url) as client:
            for name in {*OWN_COLLECTIONS, "health"}.difference(client[database].list_collection_names()):
                client[database].create_collection(name)
    except PyMongoError as error:
        raise StartError(f"collections cannot be created in MongoDB: {last_line(error)}") from None


def holds_only_samples(url: str, database: str) -> bool:
    """Return whether everything that the app reads belongs to a sample user.

    Raises:
        StartError: the server refuses, or cannot be reached.
    """
    others = {"user_id": {"$nin": [user.user_id for user in SAMPLE_USERS]}}
    try:
        with connect(url) as client:
            return not any(client[database][name].find_one(others) for name in COLLECTIONS)
    except PyMongoError as error:
        raise StartError(f"the users in MongoDB cannot be read: {last_line(error)}") from None
