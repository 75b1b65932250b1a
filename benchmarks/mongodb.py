"""A real MongoDB server in a process of its own, and users in it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from analysis.models import Portfolio
from devhost.services import embedded_mongodb
from stores.mongo import DocumentDatabase, connect


@contextmanager
def database() -> Iterator[DocumentDatabase]:
    """Run the embedded server and yield a database, connected as in the app; stop it at the end."""
    with asyncio.Runner() as runner:
        server = embedded_mongodb(None)
        service = runner.run(server.__aenter__())
        try:
            with connect(service.url) as client:
                yield client["portfolio"]
        finally:
            runner.run(server.__aexit__(None, None, None))


def fill(mongodb: DocumentDatabase, owners: Sequence[Portfolio]) -> None:
    """Write ``owners`` as the backend would, replacing all users."""
    for name in ("users", "holdings", "watchlist", "accounts"):
        mongodb[name].delete_many({})
        mongodb[name].create_index("user_id", name="user_id")
    if not owners:
        return
    mongodb["users"].insert_many({"user_id": owner.user_id} for owner in owners)
    mongodb["accounts"].insert_many({"user_id": owner.user_id, "cash": owner.cash} for owner in owners)
    mongodb["holdings"].insert_many(
        {
            "user_id": owner.user_id,
            "symbol": holding.symbol,
            "quantity": holding.quantity,
            "avg_price": holding.avg_price,
        }
        for owner in owners
        for holding in owner.holdings
    )
