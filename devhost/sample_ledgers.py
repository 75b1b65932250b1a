"""The transactions that led to the holdings and the cash of the sample users, computed from the sample prices.

Nothing is random: the days and sizes of trades follow from the names of user and symbol. To keep ledgers short,
dividends and interest are of the last years only.
"""

from collections.abc import Iterator

from devhost.sample_cash import cash_of, with_cash
from devhost.sample_data import SampleAccount, SampleUser
from devhost.sample_events import EVENTS, FORMER, Event
from devhost.sample_market import SampleMarket, sample_market
from devhost.sample_positions import Position
from devhost.sample_transactions import SampleTransaction, in_order

_SETTLED, _SETTLED_DEBT = "2022-12-20", "2022-12-05"
_DIVIDEND_YEARS = (2021, 2022)
_INTEREST_YEARS, _INTEREST_DAY = (2020, 2021, 2022), "12-15"
_INTEREST_RATE, _LEAST_CASH_WITH_INTEREST = 0.004, 1_000
# Of many holdings, two lots and dividends of two years each would be far more than some 60 transactions.
_MOST_IN_TWO_LOTS, _MOST_WITH_TWO_YEARS = 8, 4
_TRIMMED = 2


def ledger_of(user: SampleUser) -> list[SampleTransaction]:
    """Return the transactions of a user in the order in which they are booked."""
    market = sample_market()
    main = user.accounts[0]
    transactions = [*_of_positions(user, market)]
    transactions += [_event(event, main, market) for event in EVENTS.get(user.user_id, ())]
    if not transactions:
        return []
    transactions += _interest(main, min(own.day for own in transactions), market)
    settled = market.number(_SETTLED if cash_of(main) >= 0 else _SETTLED_DEBT)
    return in_order(with_cash(user, transactions, settled, market))


def _of_positions(user: SampleUser, market: SampleMarket) -> Iterator[SampleTransaction]:
    dollars = (account for account in user.accounts if account.currency == "USD")
    account = next(dollars, user.accounts[0])
    count = len(user.holdings)
    years = _DIVIDEND_YEARS if count <= _MOST_WITH_TWO_YEARS else _DIVIDEND_YEARS[-1:]
    for number, holding in enumerate([*user.holdings, *FORMER.get(user.user_id, ())]):
        position = Position(user, holding, account, market)
        is_first = number < _TRIMMED
        position.trade(lots=2 if is_first or count <= _MOST_IN_TWO_LOTS else 1, trimmed=is_first)
        yield from position.transactions()
        yield from position.dividends(years)


def _event(event: Event, account: SampleAccount, market: SampleMarket) -> SampleTransaction:
    members = {name: getattr(event, name) for name in Event.__dataclass_fields__ if name != "day"}
    return SampleTransaction(
        day=market.number(event.day), account_id=account.account_id, currency=account.currency, **members
    )


def _interest(account: SampleAccount, first: int, market: SampleMarket) -> Iterator[SampleTransaction]:
    """Yield the interest of some years after the first transaction, on the cash that is there in the end."""
    cash = cash_of(account)
    if cash < _LEAST_CASH_WITH_INTEREST:
        return
    for year in _INTEREST_YEARS:
        day = market.number(f"{year}-{_INTEREST_DAY}")
        if market.day(first).year < year:
            yield SampleTransaction(
                day=day,
                type="interest",
                account_id=account.account_id,
                amount=round(cash * _INTEREST_RATE, 2),
                currency=account.currency,
            )
