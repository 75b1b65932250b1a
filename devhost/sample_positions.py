"""The trades of each position of a sample user, and what follows from them: dividends and corporate actions."""

from collections.abc import Iterator, Sequence

from devhost.sample_data import SampleAccount, SampleHolding, SampleUser
from devhost.sample_events import NO_FEES, SPECIAL, YIELDS, Special, action_of
from devhost.sample_market import SampleMarket
from devhost.sample_trades import Purchase, Trade, trades_of, window
from devhost.sample_transactions import SampleTransaction

_FEE_RATE, _LEAST_FEE = 0.0005, 1.0
_WITHHOLDING_TAX = 0.15
_BANK_MARGIN = 0.0025
_DIVIDEND_DAY = 15
_DAYS_HELD = 200
_DECIMALS = 6
_USUAL = Special()


class Position:
    """A position and its ledger; shares and prices are today's, and those of the day only in transactions."""

    def __init__(self, user: SampleUser, holding: SampleHolding, account: SampleAccount, market: SampleMarket) -> None:
        """Begin without trades: the position is booked in ``account``."""
        self._user_id, self._symbol = user.user_id, holding.symbol
        self._account, self._market = account, market
        self._special = SPECIAL.get((user.user_id, holding.symbol), _USUAL)
        self._action = action_of(user.user_id, holding.symbol)
        own = self._special
        scale = self._action.ratio if self._action and own.pending else 1.0
        self._shares = scale * float(holding.quantity if own.shares is None else own.shares)
        self._price = own.transferred_at or holding.avg_price
        self._price = self._price and self._price / scale
        self._trades: list[Trade] = []

    def trade(self, *, lots: int, trimmed: bool) -> None:
        """Buy what is held today, in one or two lots, and, if ``trimmed``, some more that is sold again."""
        own, symbol = self._special, self._symbol
        if symbol not in self._market.closes or own.unrecorded:
            return
        first, end = window(self._market, symbol)
        at_once = own.sold or own.transferred_at is not None
        unit = self._action.unit if self._action else 1
        if self._action and self._shares % unit:  # so that no fraction of an old share is bought
            first, unit = self._market.number(self._action.day), 1
        elif self._action and own.before_action:
            end = self._market.number(self._action.day)
        purchase = Purchase(
            name=f"{self._user_id} {symbol}",
            symbol=symbol,
            shares=self._shares,
            # Of what costs nothing, any day.
            price=self._price or self._market.close(symbol, (first + end) // 2),
            unit=unit,
            first=first,
            end=end,
            lots=1 if at_once else lots,
            trimmed=(trimmed or own.given_away) and not at_once,
        )
        self._trades = trades_of(purchase, self._market)
        if own.sold:
            day = self._trades[0].day + _DAYS_HELD
            self._trades.append(Trade(day, symbol, -self._shares, self._market.close(symbol, day)))

    def transactions(self) -> Iterator[SampleTransaction]:
        """Yield the trades, and a corporate action if some are before it."""
        for trade in self._trades:
            yield self._transferred(trade) or self._traded(trade)
        action = self._action
        if action and self._trades and self._trades[0].day < (day := self._market.number(action.day)):
            yield SampleTransaction(
                day=day,
                type=action.type,
                account_id=self._account.account_id,
                symbol=self._symbol,
                quantity=action.quantity,
            )

    def dividends(self, years: Sequence[int]) -> Iterator[SampleTransaction]:
        """Yield the quarterly dividends of some years."""
        # After a pending split there is none: it would be of the new shares, which the holding does not reflect.
        if self._symbol not in YIELDS or self._special.pending:
            return
        month = 1 + sorted(YIELDS).index(self._symbol) % 3
        for day in (f"{year}-{each:02}-{_DIVIDEND_DAY}" for year in years for each in range(month, 13, 3)):
            number = self._market.number(day)
            before = self._shares if self._special.unrecorded else 0.0
            shares = before + sum(own.shares for own in self._trades if own.day < number)
            if shares > 0:
                yield self._dividend(number, shares)

    def _transferred(self, trade: Trade) -> SampleTransaction | None:
        """Return the transaction of a trade that moves no cash, ``None`` of others."""
        arrived = self._special.transferred_at is not None
        if not arrived and not (self._special.given_away and trade.shares < 0):
            return None
        quantity, _ = self._on(trade.day, abs(trade.shares), trade.price)
        return SampleTransaction(
            day=trade.day,
            type="transfer_in" if arrived else "transfer_out",
            account_id=self._account.account_id,
            symbol=self._symbol,
            quantity=quantity,
            price=self._special.transferred_at,
            currency="USD",
        )

    def _traded(self, trade: Trade) -> SampleTransaction:
        quantity, price = self._on(trade.day, abs(trade.shares), trade.price)
        value = round(quantity * price, 2)
        fee = 0.0 if self._user_id in NO_FEES else round(max(_LEAST_FEE, _FEE_RATE * value), 2)
        is_purchase = trade.shares > 0
        return SampleTransaction(
            day=trade.day,
            type="buy" if is_purchase else "sell",
            account_id=self._account.account_id,
            symbol=self._symbol,
            quantity=quantity,
            price=price,
            amount=round((-value if is_purchase else value) - fee, 2),
            currency="USD",
            fee=fee,
            fx_rate=self._rate_of_a_bank(trade.day, is_purchase=is_purchase),
        )

    def _rate_of_a_bank(self, day: int, *, is_purchase: bool) -> float | None:
        """Return the rate of a trade, somewhat worse than that of reference, where the account is in no dollars."""
        if self._account.currency == "USD":
            return None
        margin = _BANK_MARGIN if is_purchase else -_BANK_MARGIN
        return round(self._market.rate("USD", self._account.currency, day) * (1 + margin), _DECIMALS)

    def _dividend(self, day: int, shares: float) -> SampleTransaction:
        quarter = self._market.close(self._symbol, day) * YIELDS[self._symbol] / 4
        quantity, price = self._on(day, shares, round(quarter, 4))
        gross = round(quantity * price, 2)
        tax = round(gross * _WITHHOLDING_TAX, 2)
        return SampleTransaction(
            day=day,
            type="dividend",
            account_id=self._account.account_id,
            symbol=self._symbol,
            quantity=quantity,
            price=price,
            amount=round(gross - tax, 2),
            currency="USD",
            tax=tax,
        )

    def _on(self, day: int, shares: float, price: float) -> tuple[float, float]:
        """Return shares and their price as they were on a day, which may be before a corporate action."""
        action = self._action
        ratio = action.ratio if action and day < self._market.number(action.day) else 1.0
        return round(shares / ratio, _DECIMALS), round(price * ratio, _DECIMALS)
