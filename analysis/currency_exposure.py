"""The currencies that everything a person owns is in."""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.currencies import BaseCurrency, major
from analysis.models import CurrencyExposure, Portfolio
from analysis.valuation import Positions, sum_by


def expose_currencies(
    portfolios: Sequence[Portfolio], positions: Positions, base: BaseCurrency
) -> list[tuple[CurrencyExposure, ...]]:
    """Return the share of each currency in everything that each portfolio owns, the largest first.

    A share is the sum of the absolute values in the currency, in base, over that of all; unpriced holdings count with
    their estimates, and the cash of a currency with the sum of its accounts. Empty without any value.
    """
    size = len(portfolios)
    sized = ~np.isnan(positions.size)
    owner, amount = positions.owner[sized], np.abs(positions.size[sized])
    cash = [_cash(portfolio, base) for portfolio in portfolios]
    if base.of_everything and all(own.keys() <= {base.code} for own in cash):
        owned = sum_by(owner, amount, size) + [abs(own.get(base.code, 0.0)) for own in cash]
        everything = (CurrencyExposure(base.code, 1.0),)
        return [everything if value > 0 else () for value in owned.tolist()]
    majors = np.array([major(currency) for currency in positions.currency], dtype=np.object_)[sized]
    of_currency = {
        currency: sum_by(owner[majors == currency], amount[majors == currency], size).tolist()
        for currency in dict.fromkeys(majors.tolist())
    }
    return [
        _shares({code: values[number] for code, values in of_currency.items()}, cash[number]) for number in range(size)
    ]


def foreign_shares(
    portfolios: Sequence[Portfolio], exposures: Sequence[tuple[CurrencyExposure, ...]], base: BaseCurrency
) -> list[Mapping[str, float | None]]:
    """Return the largest share outside the base currency under the name of its rule, ``None`` without any value.

    There is none for a person who names no base currency: what the app assumes is no limit of theirs.
    """
    largest = ({own.share for own in shares if own.currency != base.code} for shares in exposures)
    return [
        {"currency_exposure": max(foreign, default=0.0) if shares else None} if portfolio.base_currency else {}
        for portfolio, shares, foreign in zip(portfolios, exposures, largest, strict=True)
    ]


def _cash(portfolio: Portfolio, base: BaseCurrency) -> dict[str, float]:
    """Return the cash by major currency, in base, without what has no rate."""
    if not portfolio.accounts:
        return {base.code: portfolio.cash}
    cash: dict[str, float] = {}
    for account in portfolio.accounts:
        rate = base.rate(account.currency)
        if not np.isnan(rate):
            cash[major(account.currency)] = cash.get(major(account.currency), 0.0) + account.cash * rate
    return cash


def _shares(values: dict[str, float], cash: dict[str, float]) -> tuple[CurrencyExposure, ...]:
    amounts = {code: values.get(code, 0.0) + abs(cash.get(code, 0.0)) for code in values.keys() | cash.keys()}
    total = sum(amounts.values())
    ranked = sorted(
        ((code, amount) for code, amount in amounts.items() if amount > 0), key=lambda own: (-own[1], own[0])
    )
    return tuple(CurrencyExposure(code, amount / total) for code, amount in ranked)
