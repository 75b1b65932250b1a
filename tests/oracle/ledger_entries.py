"""What each transaction moves, in its own currency.

``cash = flow - trade + income - fees - taxes + mismatch`` holds for every one.

Readings:
- A transfer in kind, a split and a spin-off move cash by their fee and tax only, whatever their ``amount``.
- ``amount`` keeps its sign in ``merger``, ``symbol_change`` and ``return_of_capital``: a short position pays.
- ``fee`` with an ``amount``: the fee is what the tax leaves of it; ``tax`` likewise.
- Fee and tax of an exchange are inside its ``amount``; its ``fx_rate`` says nothing; it is unreadable without both
  amounts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from analysis.returns.ledger import Transaction
from tests.oracle.ledger_inputs import CENT, ONE, ZERO, exact

TURNS = {
    "split": 0, "stock_dividend": 0, "symbol_change": 0, "merger": 0, "spin_off": 0, "return_of_capital": 0,
    "transfer_in": 1, "deposit": 1,
    "buy": 2,
    "dividend": 3, "interest": 3, "fee": 3, "tax": 3, "exchange": 3,
    "sell": 4,
    "transfer_out": 5, "withdrawal": 5,
}  # fmt: skip
CASH_TYPES = {"deposit", "withdrawal", "interest", "fee", "tax", "exchange"}
SPLITS = {"split", "stock_dividend"}
SUCCESSIONS = {"symbol_change", "merger"}


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transaction moves, in its currency; ``shares`` are bought (sold: negative) or transferred.

    ``trade`` is what was paid for shares of ``symbol`` without fees (received: negative), ``arriving`` what an exchange
    brings in its other currency.
    """

    cash: Decimal = ZERO
    shares: Decimal = ZERO
    trade: Decimal = ZERO
    income: Decimal = ZERO
    fees: Decimal = ZERO
    taxes: Decimal = ZERO
    flow: Decimal = ZERO
    arriving: Decimal = ZERO
    differs: bool = False


def is_cash_transfer(transaction: Transaction) -> bool:
    """Return whether a transfer is one of cash."""
    return transaction.type in ("transfer_in", "transfer_out") and not transaction.symbol


def is_in_kind(transaction: Transaction) -> bool:
    """Return whether it is a transfer of shares."""
    return transaction.type in ("transfer_in", "transfer_out") and bool(transaction.symbol)


def split_ratio(transaction: Transaction) -> Decimal | None:
    """Return the new shares for an old one, ``None`` if they cannot be read."""
    if transaction.quantity is None:
        return None
    ratio = abs(exact(transaction.quantity)) + (ONE if transaction.type == "stock_dividend" else ZERO)
    return ratio or None


def ratio_of(transaction: Transaction) -> Decimal:
    """Return the new shares of the other symbol for an old one."""
    return ONE if transaction.ratio is None else exact(transaction.ratio)


def moved(transaction: Transaction, multiplier: Decimal) -> Moved | None:
    """Return what a transaction moves, ``None`` if it does not say so."""
    kind = "deposit" if transaction.type == "transfer_in" and not transaction.symbol else transaction.type
    kind = "withdrawal" if kind == "transfer_out" and not transaction.symbol else kind
    return _READERS[kind](transaction, multiplier)


def _amount(transaction: Transaction) -> Decimal | None:
    return None if transaction.amount is None else exact(transaction.amount)


def _notional(transaction: Transaction, multiplier: Decimal) -> Decimal | None:
    if transaction.quantity is None or transaction.price is None:
        return None
    return abs(exact(transaction.quantity)) * exact(transaction.price) * multiplier


def _differs(amount: Decimal | None, computed: Decimal | None) -> bool:
    if amount is None or computed is None:
        return False
    difference = abs(amount - computed)
    return difference > CENT and difference > abs(computed) / 1000


def _trade(transaction: Transaction, multiplier: Decimal) -> Moved | None:
    if transaction.quantity is None or not transaction.symbol:
        return None
    side = ONE if transaction.type == "buy" else -ONE
    fee, tax = exact(transaction.fee), exact(transaction.tax)
    notional, amount = _notional(transaction, multiplier), _amount(transaction)
    computed = None if notional is None else -side * notional - fee - tax
    if amount is not None:
        cash = -side * abs(amount)
    elif computed is not None:
        cash = computed
    else:
        return None
    trade = -(cash + fee + tax) if notional is None else side * notional
    shares = side * abs(exact(transaction.quantity))
    return Moved(cash, shares, trade, fees=fee, taxes=tax, differs=_differs(cash, computed))


def _earned(transaction: Transaction, multiplier: Decimal) -> Moved | None:
    fee, tax = exact(transaction.fee), exact(transaction.tax)
    amount = _amount(transaction)
    notional = _notional(transaction, multiplier) if transaction.type == "dividend" else None
    computed = None if notional is None else notional - fee - tax
    cash = computed if amount is None else amount
    if cash is None:
        return None
    return Moved(cash, income=cash + fee + tax, fees=fee, taxes=tax, differs=_differs(amount, computed))


def _cost(transaction: Transaction, _: Decimal) -> Moved | None:
    amount, fee, tax = _amount(transaction), exact(transaction.fee), exact(transaction.tax)
    own, other = (fee, tax) if transaction.type == "fee" else (tax, fee)
    if amount is None and not own:
        return None
    total, beside = (own, ZERO) if amount is None else (abs(amount), other)
    differs = bool(own) and amount is not None and _differs(-abs(amount), -own - other)
    fees, taxes = (total - beside, beside) if transaction.type == "fee" else (beside, total - beside)
    return Moved(-total, fees=fees, taxes=taxes, differs=differs)


def _cash_flow(transaction: Transaction, _: Decimal) -> Moved | None:
    amount, fee, tax = _amount(transaction), exact(transaction.fee), exact(transaction.tax)
    if amount is None:
        return None
    cash = abs(amount) if transaction.type in ("deposit", "transfer_in") else -abs(amount)
    return Moved(cash, flow=cash + fee + tax, fees=fee, taxes=tax)


def _in_kind(transaction: Transaction, _: Decimal) -> Moved | None:
    if transaction.quantity is None:
        return None
    side = ONE if transaction.type == "transfer_in" else -ONE
    return _costs(transaction, side * abs(exact(transaction.quantity)))


def _costs(transaction: Transaction, shares: Decimal = ZERO) -> Moved:
    fee, tax = exact(transaction.fee), exact(transaction.tax)
    return Moved(-fee - tax, shares, fees=fee, taxes=tax)


def _exchange(transaction: Transaction, _: Decimal) -> Moved | None:
    amount, fee, tax = _amount(transaction), exact(transaction.fee), exact(transaction.tax)
    if amount is None or transaction.to_amount is None:
        return None
    return Moved(-abs(amount), fees=fee, taxes=tax, arriving=abs(exact(transaction.to_amount)))


def _split(transaction: Transaction, _: Decimal) -> Moved | None:
    return None if split_ratio(transaction) is None or not transaction.symbol else _costs(transaction)


def _succession(transaction: Transaction, _: Decimal) -> Moved | None:
    if not transaction.symbol or not transaction.to_symbol:
        return None
    return _proceeds(transaction)


def _spin_off(transaction: Transaction, _: Decimal) -> Moved | None:
    is_readable = transaction.symbol and transaction.to_symbol and transaction.ratio is not None
    return _costs(transaction) if is_readable else None


def _return_of_capital(transaction: Transaction, _: Decimal) -> Moved | None:
    return None if transaction.amount is None else _proceeds(transaction)


def _proceeds(transaction: Transaction) -> Moved:
    amount, fee, tax = _amount(transaction), exact(transaction.fee), exact(transaction.tax)
    cash = -fee - tax if amount is None else amount
    return Moved(cash, trade=-(cash + fee + tax), fees=fee, taxes=tax)


_READERS: dict[str, Callable[[Transaction, Decimal], Moved | None]] = {
    "buy": _trade,
    "sell": _trade,
    "dividend": _earned,
    "interest": _earned,
    "fee": _cost,
    "tax": _cost,
    "deposit": _cash_flow,
    "withdrawal": _cash_flow,
    "transfer_in": _in_kind,
    "transfer_out": _in_kind,
    "exchange": _exchange,
    "split": _split,
    "stock_dividend": _split,
    "symbol_change": _succession,
    "merger": _succession,
    "spin_off": _spin_off,
    "return_of_capital": _return_of_capital,
}
