"""From which day on a ledger can be believed, and what is wrong before it."""

from dataclasses import dataclass

import numpy as np

from analysis.models import Booleans, Dates, Integers, ReturnsIssue, ReturnsIssueKind
from analysis.returns.closes import last_day
from analysis.returns.ledger import TYPES, Ledgers, Transactions
from analysis.returns.page import Block, Page
from analysis.returns.positions import Values


@dataclass(frozen=True, slots=True, eq=False)
class FirstDays:
    """The days of the first transactions of a page.

    Attributes:
        of_portfolios: behind the last day without a transaction.
        of_accounts: -1 without a transaction.
        account: of the first transaction of each row, -1 without one.
    """

    of_portfolios: Integers
    of_accounts: Integers
    account: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Soundness:
    """The findings about a page; they are added while it is looked at.

    Attributes:
        dates: the days of the page.
        limit: the first day, among those of the page, from which a portfolio's transactions can be believed.
        issues: of each portfolio.
        incomplete: whether a portfolio has something at ``as_of`` that has no price or no rate.
    """

    dates: Dates
    limit: Integers
    issues: list[list[ReturnsIssue]]
    incomplete: Booleans

    def tell(self, owner: int, kind: ReturnsIssueKind, day: int, text: str) -> None:
        """Add an issue; ``{}`` in its text is the day."""
        when = self.dates[day].item()
        self.issues[owner].append(ReturnsIssue(when, kind, text.format(when)))

    def begin(self, owner: int, kind: ReturnsIssueKind, limit: int, text: str) -> None:
        """Add an issue with its last bad day, ``limit`` - 1: nothing can be believed before the limit."""
        self.limit[owner] = max(self.limit[owner], limit)
        self.tell(owner, kind, limit - 1, text)


def soundness_of(page: Page, ledgers: Ledgers, transactions: Transactions) -> Soundness:
    """Return what the transactions themselves say, each for itself."""
    frame, bookings = page.frame, page.bookings
    size = len(frame.with_accounts)
    dates = frame.calendar.dates
    found = Soundness(dates, np.zeros(size, np.int64), [list(own) for own in ledgers.issues], np.zeros(size, np.bool_))
    unsound = ~np.isnat(ledgers.unsound)
    found.limit[unsound] = dates.searchsorted(ledgers.unsound[unsound]) + 1
    kinds: tuple[tuple[Booleans, ReturnsIssueKind, str], ...] = (
        (bookings.unreadable, "unreadable", "The {kind} of {{}} ({id}) does not say what it moved."),
        (bookings.mismatched, "amount_mismatch", "The amount of the {kind} of {{}} ({id}) is not what its price says."),
        (bookings.unrated, "missing_fx_rate", "There is no exchange rate for the {kind} of {{}} ({id})."),
        (
            transactions.date < page.prices.dates[0],
            "missing_price",
            "The prices do not reach back to the {kind} ({id}), which counts on {{}}.",
        ),
    )
    for marked, kind, text in kinds:
        for number in np.flatnonzero(marked).tolist():
            owner, day = int(bookings.owner[number]), int(bookings.day[number])
            name = TYPES[transactions.type[number]].replace("_", " ")
            sentence = text.format(kind=name, id=transactions.transaction_id[number])
            if kind == "amount_mismatch":
                found.tell(owner, kind, day, sentence)
            else:
                found.begin(owner, kind, day + 1, sentence)
    return found


def judge_block(page: Page, block: Block, values: Values, found: Soundness, first: FirstDays) -> None:
    """Add what the days of a block say."""
    _judge_shares(page, block, values, found, first)
    _judge_cash(page, block, values, found, first)
    _judge_prices(page, block, values, found)
    rows = page.frame.rows
    held = np.abs(values.shares.daily[:, -1]) > values.shares.none
    rate, column = block.rates(page)[block.row_pair(page), -1], rows.column[block.rows]
    unpriced = np.append(np.isnan(page.prices.close[:, -1]), True)[column] | np.isnan(rate)
    found.incomplete[rows.owner[block.rows][held & unpriced]] = True
    found.incomplete[block.owners] |= values.unrated == block.days - 1


def _judge_shares(page: Page, block: Block, values: Values, found: Soundness, first: FirstDays) -> None:
    rows, shares = page.frame.rows, values.shares
    for row in np.flatnonzero(np.abs(shares.opening) > shares.none).tolist():
        number = block.rows.start + row
        owner, symbol = int(rows.owner[number]), rows.names[rows.symbol[number]]
        if shares.opening[row] < 0 and rows.held[number] >= -shares.none[row]:
            last = int(last_day(shares.daily[row : row + 1] < -shares.none[row])[0])
            text = f"More of {symbol} is sold than was bought up to {{}}."
            found.begin(owner, "negative_position", block.first + last + 1, text)
            continue
        account = int(first.account[number])
        limit = int(first.of_accounts[account] if account >= 0 else first.of_portfolios[owner])
        if limit >= len(found.dates):  # there is no transaction
            continue
        found.limit[owner] = max(found.limit[owner], limit)
        text = f"{symbol} was held before the first transaction."
        found.tell(owner, "opening_position", limit, text)


def _judge_cash(page: Page, block: Block, values: Values, found: Soundness, first: FirstDays) -> None:
    accounts, cash = page.frame.accounts, values.cash
    opened = (np.abs(cash.opening) > cash.none) & page.in_account[accounts.owner[block.accounts]]
    for account in np.flatnonzero(opened).tolist():
        number = block.accounts.start + account
        owner, name = int(accounts.owner[number]), accounts.names[number]
        none = float(cash.none[account])
        if cash.opening[account] < 0 and accounts.cash[number] >= -none:
            last = int(last_day(cash.daily[account : account + 1] < -none)[0])
            text = f"More cash left the account {name} up to {{}} than came."
            found.begin(owner, "unexplained_cash", block.first + last + 1, text)
            continue
        limit = int(first.of_accounts[number])
        limit = limit if limit >= 0 else int(first.of_portfolios[owner])
        if limit >= len(found.dates):
            continue
        found.limit[owner] = max(found.limit[owner], limit)
        found.tell(owner, "opening_position", limit, f"The account {name} had cash before its first transaction.")
        if block.first + page.frame.calendar.first < 0 and found.limit[owner] <= 1:
            found.begin(owner, "missing_price", 2, "There are no prices for what was there before {}.")


def _judge_prices(page: Page, block: Block, values: Values, found: Soundness) -> None:
    """Add positions without a price or rate: the start value, of the day before the first one, needs them, too."""
    rows = page.frame.rows
    for row in np.flatnonzero(values.closes.unpriced >= 0).tolist():
        number = block.rows.start + row
        day = block.first + int(values.closes.unpriced[row])
        owner = int(rows.owner[number])
        found.limit[owner] = max(found.limit[owner], day + 2)
        found.tell(owner, "missing_price", day, f"There is no price of {rows.names[rows.symbol[number]]} on {{}}.")
    for place in np.flatnonzero(values.unrated >= 0).tolist():
        owner, day = block.owners.start + place, block.first + int(values.unrated[place])
        found.limit[owner] = max(found.limit[owner], day + 2)
        found.tell(owner, "missing_fx_rate", day, "There is no exchange rate on {} for what was held.")
    moved = values.in_kind
    for number in np.flatnonzero(np.isnan(moved.trade)).tolist():
        owner, row = block.owners.start + int(moved.owner[number]), block.rows.start + int(moved.row[number])
        text = f"There is no price of {rows.names[rows.symbol[row]]} for its transfer on {{}}."
        found.begin(owner, "missing_price", block.first + int(moved.day[number]) + 1, text)
