"""Documents of transactions, and the ledgers that are read from them."""

from collections.abc import Mapping, Sequence
from copy import replace
from datetime import date
from typing import Any

import numpy as np

from analysis.models import ReturnsIssue
from analysis.returns.ledger import Ledgers, Transaction
from stores.document_values import Spelling
from stores.ledger_reader import LedgerReader

TODAY = date(2026, 3, 2)
BUY: dict[str, Any] = {"type": "buy", "date": "2026-01-05", "symbol": "AAPL", "quantity": 10, "price": 5}
SAMPLES: dict[str, dict[str, Any]] = {
    "buy": BUY,
    "sell": BUY | {"type": "sell"},
    "split": {"type": "split", "date": "2026-01-05", "symbol": "AAPL", "quantity": 2},
    "stock_dividend": {"type": "stock_dividend", "date": "2026-01-05", "symbol": "AAPL", "quantity": 0.05},
    "symbol_change": {"type": "symbol_change", "date": "2026-01-05", "symbol": "FB", "to_symbol": "META"},
    "merger": {"type": "merger", "date": "2026-01-05", "symbol": "A", "to_symbol": "B", "ratio": 0.5, "amount": 7},
    "spin_off": {"type": "spin_off", "date": "2026-01-05", "symbol": "A", "to_symbol": "B", "ratio": 0.5},
    "return_of_capital": {"type": "return_of_capital", "date": "2026-01-05", "symbol": "A", "amount": 5},
    "transfer_in": {"type": "transfer_in", "date": "2026-01-05", "symbol": "A", "quantity": 1},
    "transfer_out": {"type": "transfer_out", "date": "2026-01-05", "amount": 100},
    "deposit": {"type": "deposit", "date": "2026-01-05", "amount": 100},
    "withdrawal": {"type": "withdrawal", "date": "2026-01-05", "amount": -100},
    "dividend": {"type": "dividend", "date": "2026-01-05", "symbol": "A", "amount": 5},
    "interest": {"type": "interest", "date": "2026-01-05", "amount": -5},
    "fee": {"type": "fee", "date": "2026-01-05", "fee": 5},
    "tax": {"type": "tax", "date": "2026-01-05", "amount": -5},
    "exchange": {"type": "exchange", "date": "2026-01-05", "amount": 5, "to_amount": 4, "to_currency": "EUR"},
}
READ = Transaction(
    type="buy", date=date(2026, 1, 5), time=0.0, transaction_id="", account_id="", symbol="AAPL", quantity=10.0,
    price=5.0, amount=None, currency="", fee=0.0, tax=0.0, fx_rate=None, lot_id="", to_symbol="", ratio=None,
    to_amount=None, to_currency="", to_account_id="",
)  # fmt: skip
"""What is read of :data:`BUY`."""


def bought(**members: Any) -> Transaction:  # noqa: ANN401 - of any member
    return replace(READ, **members)


def read(documents: Sequence[Mapping[str, Any]], today: date = TODAY, spelling: Spelling = str) -> Ledgers:
    """Return the ledgers of one user with these documents."""
    reader = LedgerReader(1, today, spelling)
    own = [dict(document) for document in documents]
    reader.add([0] * len(own), own)
    return reader.ledgers([0])


def only(ledgers: Ledgers) -> ReturnsIssue:
    """Return the one issue of one user, with nothing left of its transaction."""
    ((issue,),) = ledgers.issues
    return issue


def last_unsound(ledgers: Ledgers, owner: int = 0) -> date | None:
    day = ledgers.unsound[owner]
    return None if np.isnat(day) else day.item()
