"""How the backend's documents of accounts are read. A user with one that cannot be read is not analyzed."""

from collections.abc import Sequence

from analysis.models import Account
from stores.backend import text_of
from stores.document_values import NOT_A_NUMBER, Unreadable, currency_of, is_blank, number_of
from stores.mongo import Document
from stores.places import Obstacle

MOST_ACCOUNTS = 499
"""The most documents of one user in accounts, and in users; it makes a lot of 1,000."""


def read_accounts(documents: Sequence[Document], base_currency: str) -> tuple[Account, ...]:
    """Return the accounts in the order of their documents; those without a currency are in ``base_currency``.

    No cash is zero, no buying power the cash.

    Raises:
        Unreadable: there are too many, or an amount or a currency cannot be read: money of an unknown unit added to
            other money would falsify every figure.
    """
    if len(documents) > MOST_ACCOUNTS:
        raise Unreadable("invalid_account", f"There are more than {MOST_ACCOUNTS} accounts.")
    accounts = []
    for document in documents:
        cash = _amount(document, "cash", 0.0)
        buying_power = _amount(document, "buying_power", cash)
        account_id, currency = document.get("account_id"), document.get("currency")
        own = base_currency if currency is None else _currency(currency, base_currency)
        accounts.append(
            Account(account_id if type(account_id) is str else text_of(account_id), cash, buying_power, own)
        )
    return tuple(accounts)


def has_no_amount(account: Document) -> bool:
    """Return whether a document names no amount at all, as one with other names does."""
    return "cash" not in account and "buying_power" not in account


def _amount(account: Document, name: str, default: float) -> float:
    value = account.get(name)
    if value is None:
        return default
    amount = number_of(value)
    if amount is None:
        raise _refused(value, f"{name} is {NOT_A_NUMBER}")
    return amount


def _currency(value: object, default: str) -> str:
    if is_blank(value):
        return default
    currency = currency_of(value)
    if currency is None:
        raise _refused(value, "currency is no code of three letters")
    return currency


def _refused(value: object, rule: str) -> Unreadable:
    return Unreadable(
        "invalid_account", f"The account cannot be read: {value.text if isinstance(value, Obstacle) else rule}"
    )
