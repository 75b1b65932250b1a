"""How the backend's documents of transactions are read: by columns, all rules about them are here.

A field counts only where the type of the transaction uses it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from analysis.models import Booleans, Integers, Objects, ReturnsIssueKind
from analysis.returns.ledger import TYPES, Transactions, TransactionType
from fields import FIELDS_OF
from stores.document_columns import dates, ids, numbers, texts, values_of
from stores.document_values import NOT_A_NUMBER, Absent, Spelling, currency_of, symbol_reader
from stores.mongo import Document
from stores.places import Obstacle

MOST_TRANSACTIONS = 20_000
"""The most transactions of one user; of a user with more none are read."""

_SYMBOLS = ("symbol", "to_symbol")
_CURRENCIES = ("currency", "to_currency")
_NO_SYMBOL = "not a text that can be one"
_NO_TYPE = -1
_NUMBER_OF_TYPE: Mapping[str, int] = {name: number for number, name in enumerate(TYPES)}


@dataclass(frozen=True, slots=True)
class _Read:
    """Reads a column, and says what a value that cannot be read is."""

    column: Callable[[list[Any]], tuple[Any, list[int]]]
    rule: str


_NUMBERS: Mapping[str, _Read] = dict.fromkeys(
    ("quantity", "price", "amount", "fee", "tax", "fx_rate", "ratio", "to_amount"), _Read(numbers, NOT_A_NUMBER)
)
_TEXTS: Mapping[str, _Read] = {
    **dict.fromkeys(("transaction_id", "account_id", "lot_id", "to_account_id"), _Read(ids, "no id")),
    **dict.fromkeys(_CURRENCIES, _Read(lambda values: texts(values, currency_of), "no code of three letters")),
}

type _Rule = str | None
"""The rule that a field breaks, ``None`` if there is no such field."""


def _types(*names: TransactionType) -> Booleans:
    """Return for each type, and for no type, whether it is one of these."""
    return np.array([name in names for name in TYPES] + [False])


_ANY = ~_types()
_CASH_ONLY = _types("deposit", "withdrawal", "exchange")
_WITH_CASH = ~_types("split", "stock_dividend")
_IN_KIND = _types("transfer_in", "transfer_out")
_SHARES = _types("buy", "sell", "split", "stock_dividend")
_NEEDS_SYMBOL = _types(
    "split", "stock_dividend", "symbol_change", "merger", "spin_off", "return_of_capital", "buy", "sell", "dividend"
)
_NEEDS_TO_SYMBOL = _types("symbol_change", "merger", "spin_off")
_TRADES, _DIVIDEND, _EXCHANGE, _SPIN_OFF = (
    _types("buy", "sell"),
    _types("dividend"),
    _types("exchange"),
    _types("spin_off"),
)
_FEE, _TAX = _types("fee"), _types("tax")
_NEEDS_AMOUNT = _types("interest", "deposit", "withdrawal", "return_of_capital", "exchange")

_USED: Mapping[str, Booleans] = {
    "account_id": _ANY,
    "symbol": ~_CASH_ONLY,
    "quantity": _SHARES | _IN_KIND | _DIVIDEND,
    "price": _TRADES | _DIVIDEND | _IN_KIND,
    "amount": _WITH_CASH & ~_SPIN_OFF,
    "currency": _WITH_CASH,
    "fee": _WITH_CASH,
    "tax": _WITH_CASH,
    "fx_rate": _WITH_CASH,
    "lot_id": _types("sell"),
    "to_symbol": _NEEDS_TO_SYMBOL,
    "ratio": _NEEDS_TO_SYMBOL,
    "to_amount": _EXCHANGE,
    "to_currency": _EXCHANGE,
    "to_account_id": _EXCHANGE,
}
"""The types that use each field. An id of a transaction that is none counts as absent."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The reason why a document is not read: a field and the rule it breaks, ``None`` if it is not there."""

    kind: ReturnsIssueKind
    field: str
    rule: str | None

    def sentence(self, absent: Absent) -> str:
        """Return the rule, or that the field is missing."""
        return absent("transactions", self.field) if self.rule is None else self.rule


@dataclass(frozen=True, slots=True, eq=False)
class Lot:
    """Some transactions as they were read, in the order of their documents.

    In rows with a fault, by their number in ``faults``, some values are absent and the date may be NaT.
    """

    rows: Transactions
    faults: Mapping[int, Fault]


def read_lot(owners: Sequence[int], documents: Sequence[Document], spelling: Spelling) -> Lot:
    """Return the documents as columns, with the faults."""
    faults: dict[int, Fault] = {}
    columns: dict[str, Any] = {"owner": np.array(owners, np.int64)}
    values = values_of(documents, FIELDS_OF["transactions"][1:])
    columns["date"], columns["time"], unreadable = dates(values["date"])
    _tell(faults, "date", values["date"], unreadable, "date is neither a date nor text like 2026-01-31")
    columns["type"] = _kinds(values["type"], faults)
    columns |= _columns_of_fields(values, spelling, columns["type"], faults)
    for row, field, rule in _lacking(columns):
        faults.setdefault(row, Fault("unreadable", field, rule))
    columns["quantity"] = np.abs(columns["quantity"])
    for name in ("fee", "tax"):
        columns[name] = np.where(np.isnan(columns[name]), 0.0, columns[name])
    return Lot(Transactions(**columns), faults)


def _columns_of_fields(
    values: Mapping[str, list[Any]], spelling: Spelling, kinds: Integers, faults: dict[int, Fault]
) -> dict[str, Any]:
    """Return the columns of all fields but type and date; tell what cannot be read where a type uses it."""
    reads = {**_NUMBERS, **_TEXTS} | dict.fromkeys(_SYMBOLS, _Read(partial(_symbols, spelling), _NO_SYMBOL))
    columns: dict[str, Any] = {}
    for name, read in reads.items():
        columns[name], unreadable = read.column(values[name])
        if unreadable and name in _USED:
            used = _USED[name][kinds]
            _tell(faults, name, values[name], [row for row in unreadable if used[row]], f"{name} is {read.rule}")
    return columns


def _symbols(spelling: Spelling, values: list[Any]) -> tuple[Objects, list[int]]:
    return texts(values, symbol_reader(spelling))


def _lacking(columns: Mapping[str, Any]) -> Iterator[tuple[int, str, _Rule]]:
    """Yield the rows without what their type needs, with the field and the rule."""
    kinds = columns["type"]
    is_there = {name: ~np.isnan(columns[name]) for name in _NUMBERS}
    symbol, amount, price = columns["symbol"] != "", is_there["amount"], is_there["price"]
    quantity = np.abs(columns["quantity"]) > 0  # false for NaN
    in_kind = _IN_KIND[kinds] & symbol
    needs_shares = _SHARES[kinds] | in_kind
    to_symbol = _NEEDS_TO_SYMBOL[kinds]
    exchange = _EXCHANGE[kinds]
    untold = (_FEE[kinds] & ~is_there["fee"]) | (_TAX[kinds] & ~is_there["tax"])
    no_amount = (_NEEDS_AMOUNT[kinds] | (_IN_KIND[kinds] & ~symbol)) & ~amount
    yield from _rows(_NEEDS_SYMBOL[kinds] & ~symbol, "symbol")
    yield from _rows(needs_shares & ~is_there["quantity"], "quantity")
    yield from _rows(needs_shares & ~quantity, "quantity", "quantity is 0")
    yield from _rows(_TRADES[kinds] & ~price & ~amount, "price", "it has neither price nor amount")
    yield from _rows(
        _DIVIDEND[kinds] & ~amount & ~(price & is_there["quantity"]),
        "amount",
        "it has neither amount nor price and quantity",
    )
    yield from _rows(no_amount | (untold & ~amount), "amount")
    if exchange.any():
        # Between accounts of one currency, which the engine knows, `amount` arrives.
        yield from _rows(exchange & ~is_there["to_amount"] & (columns["to_account_id"] == ""), "to_amount")
        nowhere = (columns["to_currency"] == "") & (columns["to_account_id"] == "")
        yield from _rows(exchange & nowhere, "to_currency", "it has neither to_currency nor to_account_id")
    if to_symbol.any():
        yield from _rows(to_symbol & (columns["to_symbol"] == ""), "to_symbol")
        yield from _rows(to_symbol & (columns["ratio"] <= 0), "ratio", "ratio is not positive")
        yield from _rows(_SPIN_OFF[kinds] & ~is_there["ratio"], "ratio")
    yield from _rows(_WITH_CASH[kinds] & (columns["fx_rate"] <= 0), "fx_rate", "fx_rate is not positive")
    for name in ("fee", "tax"):
        yield from _rows(_WITH_CASH[kinds] & (columns[name] < 0), name, f"{name} is negative")


def _rows(mask: Booleans, field: str, rule: _Rule = None) -> Iterator[tuple[int, str, _Rule]]:
    yield from ((row, field, rule) for row in np.flatnonzero(mask).tolist())


def _tell(faults: dict[int, Fault], field: str, values: Sequence[object], rows: Sequence[int], rule: str) -> None:
    """Add the fault of some rows whose value cannot be read."""
    for row in rows:
        value = values[row]
        own = None if value is None else value.text if isinstance(value, Obstacle) else rule
        faults.setdefault(row, Fault("unreadable", field, own))


def _kinds(values: list[Any], faults: dict[int, Fault]) -> Integers:
    """Return the number of each type, and tell those that are none."""
    known: dict[Any, int] = {}
    if set(map(type, values)) <= {str}:
        known = {value: _NUMBER_OF_TYPE.get(value.strip().lower(), _NO_TYPE) for value in set(values)}
        kinds = [known[value] for value in values]
    else:
        kinds = [
            _NUMBER_OF_TYPE.get(value.strip().lower(), _NO_TYPE) if isinstance(value, str) else _NO_TYPE
            for value in values
        ]
    if _NO_TYPE in kinds:
        unknown = [row for row, kind in enumerate(kinds) if kind == _NO_TYPE]
        _tell(faults, "type", values, [row for row in unknown if not isinstance(values[row], str)], "type is no text")
        for row in unknown:
            faults.setdefault(row, Fault("unknown_type", "type", "type is none that is known"))
    return np.array(kinds, np.int64)


def faults_of(documents: Sequence[Document]) -> Mapping[int, Fault]:
    """Return the faults of documents by their position."""
    return read_lot([0] * len(documents), documents, str).faults if documents else {}


def symbols_of(documents: Sequence[Document], spelling: Spelling) -> frozenset[str]:
    """Return the symbols in documents, as far as they can be read."""
    symbol_of = symbol_reader(spelling)
    found = (symbol_of(document.get(name)) for name in _SYMBOLS for document in documents)
    return frozenset(symbol for symbol in found if symbol is not None)
