"""What each transaction moves: cash, shares, flows, income and costs; for all ledgers of a page at once."""

from copy import replace
from dataclasses import dataclass, fields

import numpy as np

from analysis.models import Booleans, Floats, Integers
from analysis.returns.frame import Frame
from analysis.returns.ledger import TYPES, Transactions
from analysis.returns.stock_splits import StockSplits, split_ratios

_CENT, _THOUSANDTH = 0.01, 0.001
"""Amounts that differ by no more than one of these are the same: in units of the currency, and of the computed one."""


def _types(*names: str) -> Booleans:
    return np.isin(TYPES, names)


_BUY, _SELL, _EXCHANGE = (_types(name) for name in ("buy", "sell", "exchange"))
_TRADES, _TRANSFERS = _types("buy", "sell"), _types("transfer_in", "transfer_out")
_EXTERNAL, _INCOME = _types("deposit", "withdrawal"), _types("dividend", "interest")
_FEE, _TAX, _DIVIDEND = _types("fee"), _types("tax"), _types("dividend")
_SPLITS, _CHANGES, _SPIN_OFF = _types("split", "stock_dividend"), _types("symbol_change", "merger"), _types("spin_off")
_REORGANIZED = _SPLITS | _CHANGES | _SPIN_OFF
_SALES_OF_NOTHING = _REORGANIZED | _types("return_of_capital")
_CASH_SIGN = np.where(_types("buy", "fee", "tax", "withdrawal", "transfer_out", "exchange"), -1.0, 1.0)
_SHARES_SIGN = np.where(_types("buy", "transfer_in"), 1.0, np.where(_types("sell", "transfer_out"), -1.0, 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Amounts:
    """The parts of what transactions moved, in their currency, ``(transactions,)``; 0 where they have none.

    Attributes:
        cash: change of the account.
        trade: value of the shares that came, negative of those that left; without transfers in kind.
        flow: from outside, negative to outside; without transfers in kind.
        income: gross.
        residual: what the stated amount differs from the computed one.
    """

    cash: Floats
    trade: Floats
    flow: Floats
    income: Floats
    fees: Floats
    taxes: Floats
    residual: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Bookings:
    """The transactions of a page as they count, ``(transactions,)``, in the order of the ledger.

    Attributes:
        owner, day, row, account: the numbers in the frame; the row is -1 without a symbol.
        shares: change of the position, in today's shares, without changes of symbols.
        in_kind: whether shares come or leave as a flow.
        cash: change of the account in its currency.
        parts: in the base currency: trade, flow, income, fees, taxes, fx, residual, ``(7, transactions)``.
        price: of a trade, for one of today's shares, in the currency of the symbol; NaN without one.
        receiving: ``(account, day, cash)`` of what exchanges bring, and ``receiving_owner`` their portfolios.
        unreadable, mismatched, unrated: what is wrong with a transaction.
    """

    owner: Integers
    day: Integers
    row: Integers
    account: Integers
    shares: Floats
    in_kind: Booleans
    cash: Floats
    parts: Floats
    price: Floats
    receiving: tuple[Integers, Integers, Floats]
    receiving_owner: Integers
    unreadable: Booleans
    mismatched: Booleans
    unrated: Booleans


PARTS = ("trade", "flow", "income", "fees", "taxes", "fx", "residual")
TRADE, FLOW, INCOME, FEES, TAXES, FX, RESIDUAL = range(len(PARTS))


def book(
    frame: Frame, transactions: Transactions, splits: StockSplits, in_account: Booleans, adjusted: Booleans
) -> Bookings:
    """Return what the transactions move.

    ``in_account`` says of each portfolio whether its cash is part of it; ``adjusted`` of each row whether its closes
    hold the dividends already, which are then no income, but come from outside.
    """
    kind, row = transactions.type, frame.row
    in_kind = _TRANSFERS[kind] & (row >= 0)
    amounts, unreadable, mismatched = _amounts(frame, transactions, in_kind)
    converted = _converted(frame, transactions, amounts, unreadable, in_account)
    in_prices = _DIVIDEND[kind] & (row >= 0) & np.append(adjusted, False)[row]
    of_securities = ~in_account[transactions.owner]
    outside = of_securities & ((_EXTERNAL | _EXCHANGE)[kind] | (_TRANSFERS[kind] & ~in_kind))
    parts = _parts(converted, in_prices, outside, of_securities)
    later = splits.later_than(row, frame.day)
    shares = np.where(unreadable, 0.0, _SHARES_SIGN[kind] * np.nan_to_num(transactions.quantity) * later)
    return Bookings(
        owner=transactions.owner,
        day=frame.day,
        row=row,
        account=frame.account,
        shares=np.where(row >= 0, shares, 0.0),
        in_kind=in_kind & ~unreadable,
        cash=converted.cash,
        parts=parts,
        price=_own_price(frame, transactions, amounts, later),
        receiving=converted.receiving,
        receiving_owner=frame.accounts.owner[converted.receiving[0]],
        unreadable=unreadable,
        mismatched=mismatched,
        unrated=converted.unrated & ~outside,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Converted:
    """Amounts in the base currency, ``(transactions,)``, but ``cash`` in that of the account.

    ``taken`` is the change of cash; ``local`` are the amounts as they were, ``to_base`` the rates of their currency.
    """

    local: Amounts
    to_base: Floats
    cash: Floats
    fx: Floats
    taken: Floats
    receiving: tuple[Integers, Integers, Floats]
    unrated: Booleans


def _converted(
    frame: Frame, transactions: Transactions, amounts: Amounts, unreadable: Booleans, in_account: Booleans
) -> _Converted:
    rates = frame.rates
    to_base = rates.rates[rates.pair(frame.currency, transactions.owner), frame.day]
    account_currency = frame.accounts.currency[frame.account]
    account_to_base = rates.rates[rates.pair(account_currency, transactions.owner), frame.day]
    to_account = rates.between(frame.currency, account_currency, frame.day)
    told = np.isfinite(transactions.fx_rate) & (frame.currency != account_currency)
    cash = amounts.cash * np.where(told, transactions.fx_rate, to_account)
    late = frame.day >= frame.calendar.count
    lost = late & in_account[transactions.owner] & np.isnan(cash)
    cash = np.nan_to_num(cash)
    moves = (amounts.cash != 0) | (amounts.trade != 0)
    unrated = moves & np.isnan(to_base + account_to_base)
    to_base = np.where(moves | ~np.isnan(to_base), to_base, 0.0)
    fx = np.where(told & moves, cash * account_to_base - amounts.cash * to_base, 0.0)
    receiving, gained, unknown = _received(frame, transactions, amounts, unreadable, to_base)
    # Transactions after the last day only lead back to it: their cash alone counts.
    unrated = np.where(late, lost | (unknown & in_account[transactions.owner]), unrated | np.isnan(gained))
    taken = np.where(moves, amounts.cash * to_base + fx, 0.0)
    return _Converted(amounts, to_base, cash, fx + gained, taken, receiving, unrated)


def _parts(converted: _Converted, in_prices: Booleans, outside: Booleans, of_securities: Booleans) -> Floats:
    """Return the parts of :class:`Bookings`.

    ``in_prices`` are dividends that the closes hold already, ``outside`` movements of cash that is no part of a
    portfolio, ``of_securities`` the transactions of such portfolios: what they take from the cash is a flow.
    """
    amounts, to_base = converted.local, converted.to_base
    local = (amounts.trade, amounts.flow, amounts.income, amounts.fees, amounts.taxes, amounts.residual)
    trade, flow, income, fees, taxes, residual = (part * to_base for part in local)
    flow = np.where(of_securities, -converted.taken, flow) + np.where(in_prices, income, 0.0)
    income = np.where(in_prices, 0.0, income)
    parts = np.stack([trade, flow, income, fees, taxes, converted.fx, residual])
    parts[:, outside] = 0
    return parts


def _amounts(frame: Frame, transactions: Transactions, in_kind: Booleans) -> tuple[Amounts, Booleans, Booleans]:
    """Return the amounts, which transactions cannot be read, and which differ from what is computed."""
    kind = transactions.type
    costs = transactions.fee + transactions.tax
    value = transactions.quantity * transactions.price * frame.multiplier
    computed = _computed(transactions, value, in_kind)
    cash = np.where(~np.isnan(transactions.amount) & ~in_kind, _stated(transactions, computed), computed)
    unreadable = _cannot_be_read(frame, transactions, cash, in_kind)
    difference = np.abs(cash - computed)
    compared = (_TRADES | _DIVIDEND | _FEE | _TAX)[kind] & ~unreadable
    mismatched = compared & (difference > _CENT) & (difference > _THOUSANDTH * np.abs(computed))
    cash = np.where(unreadable, 0.0, cash)
    gross = cash + costs
    trade = np.where((_TRADES | _SALES_OF_NOTHING)[kind], -gross, 0.0)
    trade = np.where(_TRADES[kind] & ~np.isnan(value), -_CASH_SIGN[kind] * value, trade)
    amounts = Amounts(
        cash=cash,
        trade=trade,
        flow=np.where(_EXTERNAL[kind] | (_TRANSFERS[kind] & ~in_kind), gross, 0.0),
        income=np.where(_INCOME[kind], gross, 0.0),
        fees=np.where(_FEE[kind] & (transactions.fee == 0), -cash - transactions.tax, transactions.fee),
        taxes=np.where(_TAX[kind] & (transactions.tax == 0), -cash - transactions.fee, transactions.tax),
        residual=cash,
    )
    rest = cash + amounts.trade - amounts.flow - amounts.income + amounts.fees + amounts.taxes
    amounts = replace(amounts, residual=np.where(_EXCHANGE[kind], 0.0, rest))
    if unreadable.any():
        amounts = Amounts(*(np.where(unreadable, 0.0, getattr(amounts, each.name)) for each in fields(Amounts)))
    return amounts, unreadable, mismatched


def _computed(transactions: Transactions, value: Floats, in_kind: Booleans) -> Floats:
    """Return the change of cash by ``value``, price x quantity x multiplier, and costs; NaN if they do not say it."""
    kind = transactions.type
    costs = transactions.fee + transactions.tax
    computed = _CASH_SIGN[kind] * value - costs
    plain = (_FEE | _TAX)[kind]
    computed[plain] = np.where(costs[plain] > 0, -costs[plain], np.nan)
    still = in_kind | _REORGANIZED[kind]
    computed[still] = -costs[still]
    computed[_EXCHANGE[kind]] = np.nan
    # A short position pays dividends, and an overdrawn account interest.
    paid = -value - costs
    nearer = np.abs(transactions.amount - paid) < np.abs(transactions.amount - computed)
    return np.where(_INCOME[kind] & (transactions.amount < 0) & nearer, paid, computed)


def _stated(transactions: Transactions, computed: Floats) -> Floats:
    """Return the change of cash by the amount that a transaction states, NaN without one; its sign is of the type."""
    kind, size = transactions.type, np.abs(transactions.amount)
    stated = np.where(_INCOME[kind], transactions.amount, _CASH_SIGN[kind] * size)
    # Of a sale whose costs are larger than it, the amount is paid.
    return np.where(_SELL[kind] & (computed < 0), -size, stated)


def _cannot_be_read(frame: Frame, transactions: Transactions, cash: Floats, in_kind: Booleans) -> Booleans:
    """Return which transactions do not say what they move."""
    kind, row = transactions.type, frame.row
    with_shares = _TRADES[kind] | in_kind
    wrong = np.isnan(cash) | (with_shares & (np.isnan(transactions.quantity) | (row < 0)))
    of_a_split = _SPLITS[kind]
    wrong |= of_a_split & (np.isnan(split_ratios(transactions)) | (row < 0))
    changing = _CHANGES[kind] | _SPIN_OFF[kind]
    wrong |= changing & ((row < 0) | (frame.to_row < 0) | (transactions.ratio <= 0))
    wrong |= _SPIN_OFF[kind] & np.isnan(transactions.ratio)
    same_currency = frame.currency == frame.to_currency
    wrong |= _EXCHANGE[kind] & np.isnan(transactions.to_amount) & ~same_currency
    return wrong


def _received(
    frame: Frame, transactions: Transactions, amounts: Amounts, unreadable: Booleans, to_base: Floats
) -> tuple[tuple[Integers, Integers, Floats], Floats, Booleans]:
    """Return what exchanges bring, what each gains in the base currency at the day's rates, and if it is not known."""
    gained, unknown = np.zeros(len(to_base)), np.zeros(len(to_base), np.bool_)
    rows = np.flatnonzero(_EXCHANGE[transactions.type] & ~unreadable)
    if not len(rows):
        return (rows, rows, gained[rows]), gained, unknown
    rates, owner, day = frame.rates, transactions.owner[rows], frame.day[rows]
    account, currency = frame.to_account[rows], frame.to_currency[rows]
    account_currency = frame.accounts.currency[account]
    worth = rates.rates[rates.pair(currency, owner), day]
    of_account = rates.rates[rates.pair(account_currency, owner), day]
    paid = amounts.cash[rows]
    costs = transactions.fee[rows] + transactions.tax[rows]
    amount = np.abs(transactions.to_amount[rows])
    amount = np.where(np.isnan(amount), -paid - costs, amount)
    gained[rows] = amount * worth + (paid + costs) * to_base[rows]
    arriving = amount * rates.between(currency, account_currency, day)
    gained[rows[np.isnan(of_account)]] = np.nan
    unknown[rows] = np.isnan(arriving)
    return (account, day, np.nan_to_num(arriving)), gained, unknown


def _own_price(frame: Frame, transactions: Transactions, amounts: Amounts, later: Floats) -> Floats:
    """Return the price of each trade for one of today's shares, in the currency of its symbol."""
    rows = np.append(frame.rows.currency, 0)[frame.row]
    paid = np.abs(amounts.trade) / (transactions.quantity * frame.multiplier)
    price = np.where(np.isnan(transactions.price), paid, transactions.price)
    price = np.where(_TRADES[transactions.type] & (transactions.quantity > 0), price, np.nan) / later
    other = (rows != frame.currency) & ~np.isnan(price)
    price[other] *= frame.rates.between(frame.currency[other], rows[other], frame.day[other])
    return price


def moves_cash_from_outside(transactions: Transactions, row: Integers) -> Booleans:
    """Return which transactions are deposits, withdrawals or transfers of cash."""
    external: Booleans = _EXTERNAL[transactions.type] | (_TRANSFERS[transactions.type] & (row < 0))
    return external


def is_dividend(transactions: Transactions) -> Booleans:
    """Return which transactions are dividends."""
    dividends: Booleans = _DIVIDEND[transactions.type]
    return dividends
