"""A seeded writer of ledgers, which knows what is held after each transaction it writes."""

from collections.abc import Callable
from typing import Any

from analysis.returns.ledger import TransactionType
from tests.oracle.ledger_desk import Desk
from tests.oracle.ledger_entries import TURNS
from tests.oracle.ledger_markets import CURRENCIES, Share, walk


class Writer(Desk):
    """Writes transactions day by day."""

    def write(self) -> None:
        """Write the whole ledger."""
        first = self.chance.randrange(self.chance.choice([3, len(self.days) // 3]))
        for place in range(len(self.days)):
            self.split(place)
            if place >= first:
                count = 1 if place == first else sum(self.chance.random() < self.busy for _ in range(3))
                kinds = self.chance.choices([*self.kinds], [*self.kinds.values()], k=count)
                if place == first and "deposit" in self.kinds:
                    kinds = ["deposit", "buy"]
                for kind in sorted(kinds, key=lambda kind: TURNS[kind]):
                    _WRITERS[kind](self, place)
            self.values.append(self.value(place))

    def split(self, place: int) -> None:
        for share in self.shares:
            split = share.split
            if split is None:
                continue
            entry = split.entry if self.was_named(share.symbol) else None
            if entry == place:
                is_dividend = split.ratio > 1 and self.chance.random() < 0.2
                kind: TransactionType = "stock_dividend" if is_dividend else "split"
                quantity = split.ratio - 1 if is_dividend else split.ratio
                self.add(kind, place, symbol=share.symbol, quantity=quantity)
            if place == (split.told if entry is None else entry):
                for own in [own for own in self.held if own[1] == share.symbol]:
                    self.held[own] *= split.ratio
                self.split_last.add(share.symbol)

    def _flow(self, place: int, sign: int) -> None:
        account = self.account()
        currency, size = self.accounts[account], self.size(account)
        if sign < 0:
            size = min(size, self.cash[account])
            if self.chance.random() < 0.1:
                size = self.cash[account]
        if size <= 1:
            return
        kind: TransactionType = "deposit" if sign > 0 else "withdrawal"
        if self.chance.random() < 0.15:
            kind = "transfer_in" if sign > 0 else "transfer_out"
        fx_rate, fee = None, self.chance.choice([0.0, 0.0, 0.5])
        if self.chance.random() < 0.15:
            currency = self.chance.choice(CURRENCIES)
            fx_rate = self.fx_rate(currency, account, place)
            rate = self.rate(currency, self.accounts[account], place)
            size = size / rate if rate else size
        amount = size if self.chance.random() < 0.8 else sign * size
        said = currency if currency != self.accounts[account] or self.chance.random() < 0.5 else ""
        self.add(kind, place, account_id=account, amount=amount, currency=said, fee=fee, fx_rate=fx_rate)
        self.settle(account, currency, sign * size, fx_rate, place)

    def deposit(self, place: int) -> None:
        self._flow(place, 1)

    def withdrawal(self, place: int) -> None:
        self._flow(place, -1)

    def _trade(self, place: int, account: str, share: Share, quantity: float) -> None:
        """Buy, or sell where ``quantity`` is negative."""
        chance = self.chance
        currency, said, price, fx_rate = self.price(share, place, account)
        kind: TransactionType = "buy" if quantity > 0 else "sell"
        fee = chance.choice([0.0, 0.0, round(chance.uniform(0.5, 10), 2)])
        tax = chance.choice([0.0, 0.0, 0.0, round(chance.uniform(0.1, 3), 2)])
        computed = -quantity * price * share.multiplier - fee - tax
        amount = None
        told: float | None = price
        if chance.random() < 0.5 and computed * quantity < 0:
            amount = computed if chance.random() < 0.5 else abs(computed)
            if chance.random() < 0.2:
                told = None
            elif not self.is_sound and chance.random() < 0.06:
                amount = amount * 1.02
        cash = computed if amount is None else -abs(amount) if quantity > 0 else abs(amount)
        lots = [t.lot_id for t in self.transactions if t.symbol == share.symbol and t.lot_id]
        lot_id = chance.choice(["", f"l{len(self.transactions)}"]) if quantity > 0 else chance.choice(["", *lots[-3:]])
        size = abs(quantity) if chance.random() < 0.8 else quantity
        self.add(
            kind, place, account_id=account, symbol=share.symbol, quantity=abs(size), price=told, amount=amount,
            currency=said, fee=fee, tax=tax, fx_rate=fx_rate, lot_id=lot_id,
        )  # fmt: skip
        self.settle(account, currency, cash, fx_rate, place)
        self.held[account, share.symbol] += quantity

    def buy(self, place: int) -> None:
        account, shares = self.account(), self.tradable(place)
        if shares:
            share = self.chance.choice(shares)
            quantity = self.affordable(account, share, place)
            short = self.held[account, share.symbol]
            if short < 0 and self.chance.random() < 0.5:
                quantity = -short
            if quantity > 0:
                self._trade(place, account, share, quantity)

    def sell(self, place: int) -> None:
        owned = [own for own in self.owned(place) if self.held[own] > 0]
        if self.shorts and self.chance.random() < 0.3:
            account, shares = self.account(), self.tradable(place)
            if shares:
                share = self.chance.choice(shares)
                quantity = max(0.0, self.held[account, share.symbol]) + self.affordable(account, share, place)
                if quantity > 0:
                    self._trade(place, account, share, -quantity)
        elif owned:
            account, symbol = self.chance.choice(owned)
            part = self.chance.choice([1.0, 0.5, self.chance.random()])
            self._trade(place, account, self.share(symbol), -self.held[account, symbol] * part)

    def transfer_in(self, place: int) -> None:
        account, shares = self.account(), self.tradable(place)
        if shares:
            share, quantity = self.chance.choice(shares), float(self.chance.randint(1, 30))
            price = self.chance.choice([None, share.prices[place] * self.chance.uniform(0.5, 1.2)])
            self.add("transfer_in", place, account_id=account, symbol=share.symbol, quantity=quantity, price=price)
            self.held[account, share.symbol] += quantity

    def transfer_out(self, place: int) -> None:
        owned = [own for own in self.owned(place) if self.held[own] > 0]
        if owned:
            account, symbol = self.chance.choice(owned)
            quantity = self.held[account, symbol] * self.chance.choice([1.0, 0.4])
            self.add("transfer_out", place, account_id=account, symbol=symbol, quantity=quantity)
            self.held[account, symbol] -= quantity

    def dividend(self, place: int) -> None:
        owned = self.owned(place)
        if owned:
            account, symbol = self.chance.choice(owned)
            share, held = self.share(symbol), self.held[account, symbol]
            each = share.prices[place] * self.chance.uniform(0.002, 0.02)
            tax = round(abs(held) * each * share.multiplier * 0.15, 2) if self.chance.random() < 0.5 else 0.0
            net = held * each * share.multiplier - tax
            fx_rate = self.fx_rate(share.currency, account, place)
            members: dict[str, Any] = {"amount": net}
            if held > 0 and self.chance.random() < 0.4:
                members = {"quantity": held, "price": each}
            self.add("dividend", place, account_id=account, symbol=symbol, tax=tax, fx_rate=fx_rate, **members)
            self.settle(account, share.currency, net, fx_rate, place)

    def interest(self, place: int) -> None:
        account = self.account()
        amount = round(self.cash[account] * 0.001, 2)
        tax = round(abs(amount) * 0.2, 2)
        self.add("interest", place, account_id=account, amount=amount, tax=tax)
        self.cash[account] += amount

    def _cost(self, place: int, kind: TransactionType) -> None:
        account = self.account()
        cost = round(self.chance.uniform(1, 30), 2)
        owned = self.owned(place)
        symbol = self.chance.choice(owned)[1] if owned and self.chance.random() < 0.3 else ""
        own = "fee" if kind == "fee" else "tax"
        members = {own: cost} if self.chance.random() < 0.4 else {"amount": self.chance.choice([cost, -cost])}
        self.add(kind, place, account_id=account, symbol=symbol, **members)
        self.cash[account] -= cost

    def fee(self, place: int) -> None:
        self._cost(place, "fee")

    def tax(self, place: int) -> None:
        self._cost(place, "tax")

    def exchange(self, place: int) -> None:
        if len(self.accounts) < 2:
            return
        account, other = self.chance.sample([*self.accounts], 2)
        currency, to_currency = self.accounts[account], self.accounts[other]
        rate = self.rate(currency, to_currency, place)
        amount = round(self.cash[account] * self.chance.uniform(0.1, 0.8), 2)
        if amount <= 1 or not rate:
            return
        arrives = amount if currency == to_currency else round(amount * rate * self.chance.uniform(0.995, 1.001), 2)
        self.add(
            "exchange", place, account_id=account, amount=amount, currency=currency, to_amount=arrives,
            to_currency=self.chance.choice([to_currency, ""]), to_account_id=other,
        )  # fmt: skip
        self.cash[account] -= amount
        self.cash[other] += arrives

    def _succeed(self, place: int, kind: TransactionType) -> None:
        owned = sorted({symbol for _, symbol in self.owned(place)})
        simple = [symbol for symbol in owned if self.share(symbol).split is None]
        if not simple or place < 2 or len(self.shares) >= self.most_shares:
            return
        old = self.share(self.chance.choice(simple))
        ratio = self.chance.choice([1.0 if kind == "spin_off" and self.is_sound else None, 1.0, 0.5, 2.0])
        others = [share for share in self.tradable(place) if share is not old and share.split is None]
        if kind == "merger" and others and self.chance.random() < 0.5:
            new = self.chance.choice(others)
        else:
            prices = [price / (ratio or 1) for price in old.prices]
            if kind == "spin_off":
                prices = walk(self.chance, len(self.days), prices[place] * 0.2)
            new = Share(f"S{len(self.shares)}", old.currency, 1.0, prices, place, len(self.days) - 1, (0, 0))
            self.shares.append(new)
        account = self.account()
        quantity = self.quantity(old.symbol)
        cash = None
        if kind == "merger" and quantity > 0 and self.chance.random() < 0.5:
            cash = round(quantity * old.prices[place] * old.multiplier * 0.1, 2)
            self.settle(account, old.currency, cash, None, place)
        self.add(kind, place, account_id=account, symbol=old.symbol, to_symbol=new.symbol, ratio=ratio, amount=cash)
        for owner, symbol in [*self.held]:
            if symbol == old.symbol:
                self.held[owner, new.symbol] += (ratio or 1) * self.held[owner, symbol]
                if kind != "spin_off":
                    self.held[owner, symbol] = 0.0
        if kind != "spin_off":
            self.gone.add(old.symbol)

    def symbol_change(self, place: int) -> None:
        self._succeed(place, "symbol_change")

    def merger(self, place: int) -> None:
        self._succeed(place, "merger")

    def spin_off(self, place: int) -> None:
        self._succeed(place, "spin_off")

    def return_of_capital(self, place: int) -> None:
        owned = [own for own in self.owned(place) if self.held[own] > 0]
        if owned:
            account, symbol = self.chance.choice(owned)
            share = self.share(symbol)
            amount = round(self.held[account, symbol] * share.prices[place] * share.multiplier * 0.05, 2)
            self.add("return_of_capital", place, account_id=account, symbol=symbol, amount=amount)
            self.settle(account, share.currency, amount, None, place)


_WRITERS: dict[TransactionType, Callable[[Writer, int], None]] = {
    "deposit": Writer.deposit,
    "withdrawal": Writer.withdrawal,
    "buy": Writer.buy,
    "sell": Writer.sell,
    "transfer_in": Writer.transfer_in,
    "transfer_out": Writer.transfer_out,
    "dividend": Writer.dividend,
    "interest": Writer.interest,
    "fee": Writer.fee,
    "tax": Writer.tax,
    "exchange": Writer.exchange,
    "symbol_change": Writer.symbol_change,
    "merger": Writer.merger,
    "spin_off": Writer.spin_off,
    "return_of_capital": Writer.return_of_capital,
}
