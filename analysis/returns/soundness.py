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
    _judge_prices(page, block, values, found, first)
    if block.first + page.frame.calendar.first < 0:
        _judge_beginning(page, block, values, found, first)
    rows = page.frame.rows
    held = np.abs(values.shares.last()) > values.shares.none
    rate, column = block.rates(page)[block.row_pair(page), -1], rows.column[block.rows]
    unpriced = np.append(np.isnan(page.prices.close[:, -1]), True)[column] | np.isnan(rate)
    found.incomplete[rows.owner[block.rows][held & unpriced]] = True
    found.incomplete[block.owners] |= values.unrated[0] == block.days - 1


def _judge_shares(page: Page, block: Block, values: Values, found: Soundness, first: FirstDays) -> None:
    rows, shares = page.frame.rows, values.shares
    for row in np.flatnonzero(np.abs(shares.opening) > shares.none).tolist():
        number = block.rows.start + row
        owner, symbol = int(rows.owner[number]), rows.names[rows.symbol[number]]
        if shares.opening[row] < 0 and rows.held[number] >= -shares.none[row]:
            last = int(last_day(shares.daily(slice(row, row + 1)) < -shares.none[row])[0])
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
        owner = int(accounts.owner[number])
        name = f"account {accounts.names[number]}" if accounts.names[number] else "account without an id"
        none = float(cash.none[account])
        if cash.opening[account] < 0 and accounts.cash[number] >= -none:
            last = int(last_day(cash.daily(slice(account, account + 1)) < -none)[0])
            text = f"More cash left the {name} up to {{}} than came."
            found.begin(owner, "unexplained_cash", block.first + last + 1, text)
            continue
        limit = int(first.of_accounts[number])
        limit = limit if limit >= 0 else int(first.of_portfolios[owner])
        if limit >= len(found.dates):
            continue
        found.limit[owner] = max(found.limit[owner], limit)
        found.tell(owner, "opening_position", limit, f"The {name} had cash before its first transaction.")


def _judge_beginning(page: Page, block: Block, values: Values, found: Soundness, first: FirstDays) -> None:
    """Add what was there before the first day of the prices, if that is the first transaction's."""
    rows, accounts = page.frame.rows.owner[block.rows], page.frame.accounts.owner[block.accounts]
    had = np.concatenate(
        [rows[values.shares.opening != 0], accounts[(values.cash.opening != 0) & page.in_account[accounts]]]
    )
    for owner in np.unique(had[first.of_portfolios[had] <= 1]).tolist():
        found.begin(owner, "missing_price", 2, "There are no prices for what was there before {}.")


def _judge_prices(page: Page, block: Block, values: Values, found: Soundness, first: FirstDays) -> None:
    """Add positions without a price or rate: the start value, of the day before the first one, needs them, too."""
    rows = page.frame.rows
    begin = first.of_portfolios - 1
    if page.frame.calendar.first < 0:
        begin = np.maximum(begin, 1)
    for row in np.flatnonzero(values.unpriced >= 0).tolist():
        number = block.rows.start + row
        day = block.first + int(values.unpriced[row])
        owner = int(rows.owner[number])
        if day < begin[owner]:
            continue
        found.limit[owner] = max(found.limit[owner], day + 2)
        found.tell(owner, "missing_price", day, f"There is no price of {rows.names[rows.symbol[number]]} on {{}}.")
    for place in np.flatnonzero(values.unrated.max(axis=0) >= 0).tolist():
        owner, (end, beginning) = block.owners.start + place, (block.first + values.unrated[:, place]).tolist()
        if max(end, beginning) < begin[owner]:
            continue
        found.limit[owner] = max(found.limit[owner], end + 2, beginning + 1)
        text = "There is no exchange rate on {} for what was held."
        found.tell(owner, "missing_fx_rate", max(end, beginning), text)
    moved = values.in_kind
    for number in np.flatnonzero(np.isnan(moved.trade[: len(moved.rate)])).tolist():
        owner, row = block.owners.start + int(moved.owner[number]), block.rows.start + int(moved.row[number])
        limit, name = block.first + int(moved.day[number]) + 1, rows.names[rows.symbol[row]]
        at = moved.row[number], moved.day[number]
        if np.isnan(values.closes.at(*(np.array([each]) for each in at)))[0]:
            found.begin(owner, "missing_price", limit, f"There is no price of {name} for its transfer on {{}}.")
        if np.isnan(moved.rate[number]):
            text = f"There is no exchange rate for the transfer of {name} on {{}}."
            found.begin(owner, "missing_fx_rate", limit, text)
