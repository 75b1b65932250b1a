"""The money of the sample ledgers: deposits before an account would be overdrawn, and what leaves it in the end."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devhost.sample_data import SampleAccount, SampleUser
from devhost.sample_market import SampleMarket
from devhost.sample_transactions import SampleTransaction

_ROUND, _SMALL, _ROUND_IF_SMALL = 500, 5_000, 50
_RESERVE = 0.15
"""The part of everything that is ever paid that a deposit brings beyond what is needed."""
_DAYS_BEFORE = 2
_BANK_MARGIN = 0.003

type _Flow = Callable[[int, float], SampleTransaction]


@dataclass(frozen=True, slots=True)
class _Flows:
    """How money comes to an account, and how it leaves."""

    come: _Flow
    leave: _Flow


def with_cash(
    user: SampleUser, transactions: Sequence[SampleTransaction], settled: int, market: SampleMarket
) -> list[SampleTransaction]:
    """Return the transactions with all deposits, exchanges and withdrawals, which end in the cash of the accounts.

    On the trading day ``settled`` leaves what is too much. An account beside the first one is paid from that one.
    """
    main, *others = user.accounts
    complete = list(transactions)
    for account in others:
        complete += _balanced(account, complete, _exchanges(main, account, market), settled, market)
    return complete + _balanced(main, complete, _deposits(main), settled, market)


def cash_of(account: SampleAccount) -> float:
    """Return the cash of an account, also where it is stored as a German text."""
    if isinstance(account.cash, str):
        return float(account.cash.replace(".", "").replace(",", "."))
    return account.cash


def _balanced(
    account: SampleAccount,
    transactions: Sequence[SampleTransaction],
    flows: _Flows,
    settled: int,
    market: SampleMarket,
) -> list[SampleTransaction]:
    """Return the flows without which the account would be overdrawn, and its cash another one."""
    moved: dict[int, float] = defaultdict(float)
    for own in transactions:
        moved[own.day] += _moved(own, account, market)
    paid = -sum(amount for amount in moved.values() if amount < 0)
    unit = _ROUND if paid > _SMALL else _ROUND_IF_SMALL
    incoming: dict[int, float] = {}
    cash = 0.0
    for day in sorted(moved):
        cash += moved[day]
        if cash < 0:
            amount = unit * math.ceil((_RESERVE * paid - cash) / unit)
            incoming[day - _DAYS_BEFORE] = amount
            cash += amount
    rest = round(cash_of(account) - cash, 2)
    if rest > 0:
        first = min(incoming, default=min(moved, default=settled) - _DAYS_BEFORE)
        incoming[first] = round(incoming.get(first, 0) + rest, 2)
    return [
        *(flows.come(day, amount) for day, amount in incoming.items()),
        *([flows.leave(settled, -rest)] if rest < 0 else []),
    ]


def _moved(own: SampleTransaction, account: SampleAccount, market: SampleMarket) -> float:
    """Return what a transaction changes in the cash of an account."""
    moved = 0.0
    if own.account_id == account.account_id and own.amount is not None and own.currency is not None:
        moved += own.amount * (own.fx_rate or market.rate(own.currency, account.currency, own.day))
    if own.to_account_id == account.account_id:
        moved += own.to_amount or 0.0
    return moved


def _deposits(account: SampleAccount) -> _Flows:
    def come(day: int, amount: float) -> SampleTransaction:
        return SampleTransaction(
            day=day, type="deposit", account_id=account.account_id, amount=amount, currency=account.currency
        )

    def leave(day: int, amount: float) -> SampleTransaction:
        return SampleTransaction(
            day=day, type="withdrawal", account_id=account.account_id, amount=-amount, currency=account.currency
        )

    return _Flows(come, leave)


def _exchanges(main: SampleAccount, account: SampleAccount, market: SampleMarket) -> _Flows:
    """Return the exchanges between two accounts, at rates somewhat worse than those of reference."""

    def come(day: int, amount: float) -> SampleTransaction:
        cost = amount * market.rate(account.currency, main.currency, day) * (1 + _BANK_MARGIN)
        return _exchange(day, main, round(cost, 2), account, amount)

    def leave(day: int, amount: float) -> SampleTransaction:
        proceeds = amount * market.rate(account.currency, main.currency, day) * (1 - _BANK_MARGIN)
        return _exchange(day, account, amount, main, round(proceeds, 2))

    return _Flows(come, leave)


def _exchange(day: int, giver: SampleAccount, given: float, taker: SampleAccount, taken: float) -> SampleTransaction:
    return SampleTransaction(
        day=day,
        type="exchange",
        account_id=giver.account_id,
        amount=-given,
        currency=giver.currency,
        to_amount=taken,
        to_currency=taker.currency,
        to_account_id=taker.account_id,
    )
