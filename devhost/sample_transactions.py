"""A transaction of a sample user, and the document that a backend has of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from analysis.returns.ledger import TURNS, TYPES, TransactionType
from devhost.sample_market import sample_market

_TIME = time(15, 30, tzinfo=UTC)
_TURN_OF = dict(zip(TYPES, TURNS, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTransaction:
    """A transaction on a trading day, by its number; what is ``None`` is not in the document."""

    day: int
    type: TransactionType
    account_id: str
    symbol: str | None = None
    quantity: float | None = None
    price: float | None = None
    amount: float | None = None
    currency: str | None = None
    fee: float | None = None
    tax: float | None = None
    fx_rate: float | None = None
    to_symbol: str | None = None
    ratio: float | None = None
    to_amount: float | None = None
    to_currency: str | None = None
    to_account_id: str | None = None


def in_order(transactions: Iterable[SampleTransaction]) -> list[SampleTransaction]:
    """Return the transactions in the order in which they are booked."""
    return sorted(transactions, key=lambda own: (own.day, _TURN_OF[own.type]))


def documents_of(user_id: str, transactions: Iterable[SampleTransaction]) -> list[dict[str, Any]]:
    """Return the documents of a user's transactions, with ids in the order in which they are booked."""
    market = sample_market()
    return [
        {
            "user_id": user_id,
            "transaction_id": f"{user_id}-{number:03}",
            "date": datetime.combine(market.day(own.day), _TIME),
            **_told(own),
            "source": "import",  # unknown to this app
        }
        for number, own in enumerate(in_order(transactions), 1)
    ]


def _told(own: SampleTransaction) -> dict[str, Any]:
    members = ((name, getattr(own, name)) for name in SampleTransaction.__dataclass_fields__ if name != "day")
    return {name: value for name, value in members if value is not None}
