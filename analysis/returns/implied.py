"""The income of a page's portfolios without a ledger: what the prices imply that today's holdings were paid."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from analysis.measures import optional
from analysis.models import Booleans, Dates, Floats, Income, Integers, MonthlyIncome, SymbolIncome
from analysis.returns.payments import Payments
from analysis.valuation import Positions, of_symbol, sum_by

_MONTHS = 12


def implied_incomes(
    payments: Payments, as_of: date, positions: Positions, quoted_close: Floats, wanted: Booleans
) -> list[tuple[Income | None, str | None]]:
    """Return the income of the portfolios that are ``wanted``, or ``None`` and the reason; of the others neither.

    It is as that of :func:`analysis.returns.income.income_of` for a person without transactions.
    """
    size = len(wanted)
    with_prices = positions.column >= 0
    rows = np.flatnonzero(with_prices & wanted[positions.owner])
    owner, column = positions.owner[rows], positions.column[rows]
    shares = positions.quoted_value[rows] / quoted_close[column]
    months = _months_before(payments.day, as_of)
    symbols = len(payments.without)
    trailing = np.bincount(payments.column, payments.amount, symbols)
    amount = shares * trailing[column]
    paid = np.bincount(payments.column, minlength=symbols)[column] > 0
    owner_paid, shares_paid, column_paid = owner[paid], shares[paid], column[paid]
    by_month = [
        sum_by(owner_paid, shares_paid * np.bincount(payments.column, of_month, symbols)[column_paid], size)
        for of_month in (payments.amount * (months == month) for month in range(_MONTHS - 1, -1, -1))
    ]
    quantity = positions.quantity[rows]
    yields = [_yields(owner, amount, quantity, sizes[rows], size) for sizes in (positions.market_value, positions.cost)]
    of_symbols = _by_symbol(positions, rows, amount, [own for own, _ in yields])
    totals = zip(sum_by(owner, amount, size).tolist(), *(optional(of_all) for _, of_all in yields), strict=True)
    names = _month_names(as_of)
    found: list[tuple[Income | None, str | None]] = []
    nothing_known = _without(payments, positions, size)
    for number, ((total, on_value, on_cost), *monthly) in enumerate(
        zip(totals, *(of_month.tolist() for of_month in by_month), strict=True)
    ):
        if not wanted[number]:
            found.append((None, None))
        elif nothing_known[number]:
            found.append((None, "prices_without_dividends"))
        else:
            months_of = tuple(map(MonthlyIncome, names, monthly))
            own = tuple(of_symbols.get(number, ()))
            found.append((Income("implied", total, months_of, own, on_value, on_cost, total), None))
    return found


def _months_before(days: Dates, as_of: date) -> Integers:
    """Return how many months before that of ``as_of`` each day is."""
    months: Integers = np.datetime64(as_of, "M").astype(np.int64) - days.astype("datetime64[M]").astype(np.int64)
    return months


def _month_names(as_of: date) -> Sequence[str]:
    last = np.datetime64(as_of, "M")
    return [str(last - np.timedelta64(back, "M")) for back in range(_MONTHS - 1, -1, -1)]


def _yields(owner: Integers, amount: Floats, quantity: Floats, sizes: Floats, size: int) -> tuple[Floats, Floats]:
    """Return the yield of each row, and of each portfolio over those that have one, NaN without one.

    A yield is on what is positive for a holding, negative for a short position.
    """
    usable = sizes * quantity > 0
    whole = sum_by(owner[usable], sizes[usable], size)
    of_all = np.where(whole > 0, sum_by(owner[usable], amount[usable], size) / whole, np.nan)
    return np.where(usable, amount / sizes, np.nan), of_all


def _by_symbol(
    positions: Positions, rows: Integers, amount: Floats, yields: Sequence[Floats]
) -> dict[int, list[SymbolIncome]]:
    """Return the incomes of the symbols that paid, the largest first, by number of the portfolio."""
    paying = np.flatnonzero(amount != 0)
    owners, amounts = positions.owner[rows[paying]], amount[paying]
    order = np.lexsort((rows[paying], -amounts, owners))
    chosen = rows[paying][order].tolist()
    columns = zip(
        owners[order].tolist(),
        [positions.holdings[row].symbol for row in chosen],
        amounts[order].tolist(),
        *(optional(own[paying][order]) for own in yields),
        strict=True,
    )
    found: dict[int, list[SymbolIncome]] = {}
    for number, *values in columns:
        found.setdefault(number, []).append(SymbolIncome(*values))
    return found


def _without(payments: Payments, positions: Positions, size: int) -> Booleans:
    """Return whether a portfolio has holdings, and the prices of none of them tell of dividends."""
    lacking = of_symbol(payments.without.astype(np.float64), positions.column) == 1
    held = np.bincount(positions.owner, minlength=size)
    unknown = np.bincount(positions.owner[lacking], minlength=size)
    nothing_known: Booleans = (held > 0) & (held == unknown)
    return nothing_known
