"""The desk of the writer of ledgers: what is held, and how a transaction is put down."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from analysis.currencies import Rates
from analysis.returns.ledger import LedgerPrices, Market, Transaction, TransactionType
from tests.oracle.ledger_inputs import World
from tests.oracle.ledger_markets import CURRENCIES, Share

KINDS: dict[TransactionType, int] = {
    "deposit": 10, "withdrawal": 6, "buy": 40, "sell": 22, "transfer_in": 4, "transfer_out": 3, "dividend": 12,
    "interest": 3, "fee": 3, "tax": 2, "exchange": 6, "symbol_change": 1, "merger": 1, "spin_off": 1,
    "return_of_capital": 2,
}  # fmt: skip
CORPORATE = {"symbol_change", "merger", "spin_off", "return_of_capital"}
NO_PRICES = LedgerPrices(
    np.array([], dtype="datetime64[D]"), {}, np.empty((0, 0)), {}, frozenset(), {}, {}, np.array([])
)


class Desk:
    """Knows what is held by account and symbol, and the cash."""

    def __init__(
        self, chance: random.Random, days: Sequence[date], shares: Sequence[Share], rates: Rates, *, is_sound: bool
    ) -> None:
        self.chance = chance
        self.days = days
        self.shares = list(shares)
        self.most_shares = len(self.shares) + 3
        self.is_sound = is_sound
        self.base = chance.choice(CURRENCIES)
        self.accounts = {f"A{number}": chance.choice(CURRENCIES) for number in range(1, chance.choice([2, 2, 3, 4]))}
        self.cash = dict.fromkeys(self.accounts, 0.0)
        self.held: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.transactions: list[Transaction] = []
        self.split_last: set[str] = set()
        """Symbols whose split no transaction has followed."""
        self.values: list[tuple[float | None, float]] = []
        """On each day the value of the shares, unless one has no close, and that of the cash."""
        self._world = World(Market(NO_PRICES, rates, {}, {}, "USD", "USD"), self.base)
        self.kinds = dict(KINDS)
        if chance.random() < 0.1:
            for kind in ("deposit", "withdrawal", "transfer_in", "transfer_out"):
                del self.kinds[kind]
        self.shorts = chance.random() < 0.3
        self.busy = chance.choice([0.08, 0.2, 0.4])
        self.gone: set[str] = set()

    def value(self, place: int) -> tuple[float | None, float]:
        """Return what all is worth: the shares, unless one has no close on the day, and the cash."""
        shares = 0.0
        is_known = True
        for (_, symbol), held in self.held.items():
            share = self.share(symbol)
            rate = self.rate(share.currency, self.base, place)
            shares += held * share.prices[place] * share.multiplier * rate
            is_known = is_known and (share.is_known(place) or abs(held) < 1e-9)
        cash = sum(own * self.rate(self.accounts[name], self.base, place) for name, own in self.cash.items())
        return shares if is_known else None, cash

    def share(self, symbol: str) -> Share:
        """Return the share of a symbol."""
        return next(share for share in self.shares if share.symbol == symbol)

    def quantity(self, symbol: str) -> float:
        """Return what is held of a symbol in all accounts."""
        return sum(held for (_, own), held in self.held.items() if own == symbol)

    def rate(self, currency: str, other: str, place: int) -> float:
        """Return a rate, 0 if there is none."""
        return float(self._world.rate(currency, other, self.days[place]) or 0)

    def transaction(self, kind: TransactionType, place: int, **members: Any) -> Transaction:  # noqa: ANN401
        """Return a transaction of a day, or of a day without trading before it."""
        number = len(self.transactions)
        day = self.days[place]
        if kind not in CORPORATE and kind not in ("split", "buy", "sell") and place and self.chance.random() < 0.1:
            between = (day - self.days[place - 1]).days
            day -= timedelta(days=self.chance.randrange(between))
        defaults: dict[str, Any] = {
            "type": kind, "date": day, "time": 10.0 * number, "transaction_id": f"t{number:05}", "account_id": "",
            "symbol": "", "quantity": None, "price": None, "amount": None, "currency": "", "fee": 0.0, "tax": 0.0,
            "fx_rate": None, "lot_id": "", "to_symbol": "", "ratio": None, "to_amount": None, "to_currency": "",
            "to_account_id": "",
        }  # fmt: skip
        return Transaction(**(defaults | members))

    def add(self, kind: TransactionType, place: int, **members: Any) -> None:  # noqa: ANN401
        self.transactions.append(self.transaction(kind, place, **members))
        self.split_last -= {members.get("symbol", ""), members.get("to_symbol", "")}

    def account(self) -> str:
        return self.chance.choice([*self.accounts])

    def settle(self, account: str, currency: str, amount: float, fx_rate: float | None, place: int) -> None:
        rate = self.rate(currency, self.accounts[account], place) if fx_rate is None else fx_rate
        self.cash[account] += amount * rate

    def size(self, account: str) -> float:
        return round(self.chance.uniform(500, 20000) * (100 if self.accounts[account] == "JPY" else 1), 2)

    def fx_rate(self, currency: str, account: str, place: int) -> float | None:
        rate = self.rate(currency, self.accounts[account], place)
        if currency == self.accounts[account] or rate == 0 or self.chance.random() < 0.6:
            return None
        return rate * self.chance.uniform(0.997, 1.003)

    def tradable(self, place: int) -> list[Share]:
        return [s for s in self.shares if s.symbol not in self.gone and (not self.is_sound or s.is_priced(place))]

    def was_named(self, symbol: str) -> bool:
        return any(symbol in (t.symbol, t.to_symbol) for t in self.transactions)

    def owned(self, place: int) -> list[tuple[str, str]]:
        priced = {share.symbol for share in self.tradable(place)}
        return [own for own, held in self.held.items() if abs(held) > 1e-6 and own[1] in priced]

    def price(self, share: Share, place: int, account: str) -> tuple[str, str, float, float | None]:
        """Return the currency, as it is said, too, the price in it and a rate."""
        chance, currency = self.chance, share.currency
        price = share.prices[place] * chance.uniform(0.99, 1.01)
        said = chance.choice(["", currency])
        if chance.random() < 0.1:
            other = "GBP" if currency == "GBX" else chance.choice(CURRENCIES)
            rate = self.rate(currency, other, place)
            if rate:
                currency, said, price = other, other, price * rate
        return currency, said, price, self.fx_rate(currency, account, place)

    def affordable(self, account: str, share: Share, place: int) -> float:
        """Return shares for some of the cash, or on credit."""
        price = share.prices[place] * share.multiplier * self.rate(share.currency, self.accounts[account], place)
        money = self.cash[account] * self.chance.uniform(0.1, 0.7)
        if self.chance.random() < 0.1:
            money = self.size(account)
        shares = money / price if price else 0.0
        return round(shares, 3) if self.chance.random() < 0.3 else float(int(shares))
