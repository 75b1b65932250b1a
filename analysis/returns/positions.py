"""The value of the positions and the cash of each day, and what moved in kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from analysis.models import Booleans, Floats, Integers
from analysis.returns.bookings import FLOW, TRADE
from analysis.returns.closes import Closes, closes, last_day
from analysis.returns.page import Block, Page, summed
from analysis.returns.rebuilding import Amounts, cash, quantities


@dataclass(frozen=True, slots=True, eq=False)
class InKind:
    """Shares that came or left at their close, in the base currency, ``(movements,)``.

    Attributes:
        row, owner, day: counted in the block.
        trade: value of what came, negative of what left; NaN without a price or rate.
        flow: the part of it that is a flow.
        rate: of the day, NaN without one.
        counterparts: how many of the movements, the last ones, are only what left for others.
    """

    row: Integers
    owner: Integers
    day: Integers
    trade: Floats
    flow: Floats
    rate: Floats
    counterparts: int


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values of a block, in the base currency unless said otherwise.

    Attributes:
        shares: of rows.
        cash: of accounts.
        closes: of rows.
        positions, money: of all positions and of all cash, ``(portfolios, days)``.
        fx_of_positions, fx_of_money: what changes of rates gave on each day, ``(portfolios, days)``.
        unpriced: last day on which a row has a position without a price, -1 without one, ``(rows,)``.
        unrated: last day at whose end, and last day at whose beginning, something is held without a rate of the day, -1
            without one, ``(2, portfolios)``.
        in_kind: what moved at its close.
    """

    shares: Amounts
    cash: Amounts
    closes: Closes
    positions: Floats
    money: Floats
    fx_of_positions: Floats
    fx_of_money: Floats
    unpriced: Integers
    unrated: Integers
    in_kind: InKind

    def worth(self, row: Integers, day: Integers) -> Floats:
        """Return the values of some rows on some days in their own currency."""
        return np.nan_to_num(self.closes.at(row, day)) * self.shares.at(row, day)


def value_block(page: Page, block: Block, incomplete: Booleans) -> Values:
    """Return everything a block held on its days; ``incomplete`` tells of each symbol's place if it lacks closes."""
    frame, shares, accounts = page.frame, quantities(page, block), cash(page, block)
    prices = closes(page, block, incomplete)
    unpriced, unrated = np.full(len(prices.column), -1), np.full((2, block.size), -1)
    groups = _groups(block.row_owner(page), block.row_pair(page))
    positions = _in_base(page, block, groups, shares, unrated, partial(_worth, shares, prices, unpriced))
    owner = frame.accounts.owner[block.accounts]
    pair = frame.rates.pair(frame.accounts.currency[block.accounts], owner)
    counted = [
        group
        for group in _groups(owner - block.owners.start, pair)
        if page.in_account[block.owners.start + group.owner]
    ]
    money = _in_base(page, block, counted, accounts, unrated, accounts.daily)
    return Values(
        shares=shares,
        cash=accounts,
        closes=prices,
        positions=positions[0],
        money=money[0],
        fx_of_positions=positions[1],
        fx_of_money=money[1],
        unpriced=unpriced,
        unrated=unrated,
        in_kind=_in_kind(page, block, prices),
    )


def _worth(shares: Amounts, prices: Closes, unpriced: Integers, rows: slice) -> Floats:
    """Return the values of some rows on each day in their own currency; ``unpriced`` learns days without a price."""
    held, price = shares.daily(rows), prices.daily(rows)
    if not prices.plain[rows].all():
        lacking = np.isnan(price)
        unpriced[rows] = last_day(lacking & (np.abs(held) > shares.none[rows, None]))
        price[lacking] = 0.0
    return np.multiply(price, held, out=price)


class _Group(NamedTuple):
    """Rows of one portfolio and one currency, which lie beside each other."""

    owner: int
    pair: int
    rows: slice


def _groups(owner: Integers, pair: Integers) -> list[_Group]:
    starts = np.flatnonzero((np.diff(owner, prepend=-1) != 0) | (np.diff(pair, prepend=-1) != 0))
    bounds = pairwise([*starts.tolist(), len(owner)])
    return [
        _Group(own, its_pair, slice(*rows))
        for own, its_pair, rows in zip(owner[starts].tolist(), pair[starts].tolist(), bounds, strict=True)
    ]


def _in_base(
    page: Page,
    block: Block,
    groups: Sequence[_Group],
    amounts: Amounts,
    unrated: Integers,
    worth: Callable[[slice], Floats],
) -> tuple[Floats, Floats]:
    """Return the sums of what rows are ``worth`` by portfolio in its base currency, and what changes of rates gave.

    Both are ``(portfolios, days)``. ``amounts`` are those behind the values; ``unrated`` becomes the last days on which
    one has no rate. Few rows are looked at at once, so that their days stay in cache.
    """
    value, fx = np.zeros((block.size, block.days)), np.zeros((block.size, block.days))
    table, known = page.frame.rates, block.rates(page)
    rates = np.nan_to_num(known)
    changes = np.diff(rates, axis=1)
    for owner, pair, rows in groups:
        total = np.add.reduce(worth(rows))
        value[owner] += total * rates[pair]
        if not table.same[pair]:
            fx[owner, 1:] += total[:-1] * changes[pair]
        if table.incomplete[pair]:
            held = (np.abs(amounts.daily(rows)) > amounts.none[rows, None]).any(axis=0)
            last = last_day(np.stack([held, np.append(False, held[:-1])]) & np.isnan(known[pair]))
            unrated[:, owner] = np.maximum(unrated[:, owner], last)
    return value, fx


def _in_kind(page: Page, block: Block, prices: Closes) -> InKind:
    """Return transfers in kind, and shares that came for others; NaN without a price or rate."""
    bookings, arrivals, events = page.bookings, page.arrivals, block.events
    transfers = np.flatnonzero(bookings.in_kind[block.entries]) + block.entries.start
    transfers = transfers[bookings.day[transfers] < page.frame.calendar.count]
    came = np.flatnonzero(arrivals.day[events] < page.frame.calendar.count) + events.start
    row = np.concatenate([bookings.row[transfers], arrivals.to_row[came]]) - block.rows.start
    day = np.concatenate([bookings.day[transfers], arrivals.day[came]]) - block.first
    shares = np.concatenate([bookings.shares[transfers], arrivals.came[came]])
    rate = block.rates(page)[block.row_pair(page)[row], day]
    worth = np.where(shares == 0, 0.0, shares * prices.at(row, day) * rate)
    arrived = worth[len(transfers) :]
    gone = arrivals.from_row[came] - block.rows.start
    return InKind(
        row=np.concatenate([row, gone]),
        owner=block.row_owner(page)[np.concatenate([row, gone])],
        day=np.concatenate([day, day[len(transfers) :]]),
        trade=np.concatenate([worth, -arrived]),
        flow=np.concatenate([worth[: len(transfers)], np.zeros(2 * len(came))]),
        rate=rate,
        counterparts=len(came),
    )


def flows_by_day(page: Page, block: Block, in_kind: InKind) -> Floats:
    """Return what came from outside, less what left, ``(portfolios, days)``."""
    bookings, entries = page.bookings, block.entries
    up_to_end = np.flatnonzero(bookings.day[entries] < page.frame.calendar.count) + entries.start
    owner = np.concatenate([bookings.owner[up_to_end] - block.owners.start, in_kind.owner])
    day = np.concatenate([bookings.day[up_to_end] - block.first, in_kind.day])
    flow = np.concatenate([bookings.parts[FLOW, up_to_end], in_kind.flow])
    return summed(owner * block.days + day, flow, block.size * block.days).reshape(-1, block.days)


def amounts_after(page: Page, block: Block, in_kind: InKind, starts: Integers) -> Floats:
    """Return the sums of the parts of what moved after the ``starts`` of periods, ``(parts, periods, portfolios)``."""
    bookings, every = page.bookings, np.arange(block.size)
    longest = len(page.frame.calendar.dates) + 1
    key = (bookings.owner[block.entries] - block.owners.start) * longest + bookings.day[block.entries] - block.first
    begin = key.searchsorted((every * longest + starts).ravel(), "right")
    end = np.tile(key.searchsorted(every * longest + block.days), len(starts))
    # From each begin to its end, then on to the next begin, which is of no interest.
    parts = np.pad(bookings.parts[:, block.entries], ((0, 0), (0, 1)))
    sums = np.add.reduceat(parts, np.column_stack([begin, end]).ravel(), axis=1)[:, ::2]
    sums = np.where(begin < end, sums, 0.0).reshape(-1, *starts.shape)
    if len(in_kind.row):
        for period, start in enumerate(starts):
            later = in_kind.day > start[in_kind.owner]
            for part, moved in ((TRADE, in_kind.trade), (FLOW, in_kind.flow)):
                sums[part, period] += summed(in_kind.owner, np.where(later, moved, 0.0), block.size)
    return sums
