"""The value of the positions and the cash of each day, and what moved in kind."""

from dataclasses import dataclass

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
        of_rows: value of each row in its own currency, ``(rows, days)``.
        positions, money: of all positions and of all cash, ``(portfolios, days)``.
        fx_of_positions, fx_of_money: what changes of rates gave on each day, ``(portfolios, days)``.
        unrated: last day at whose end, and last day at whose beginning, something is held without a rate of the day, -1
            without one, ``(2, portfolios)``.
        in_kind: what moved at its close.
    """

    shares: Amounts
    cash: Amounts
    closes: Closes
    of_rows: Floats
    positions: Floats
    money: Floats
    fx_of_positions: Floats
    fx_of_money: Floats
    unrated: Integers
    in_kind: InKind


def value_block(page: Page, block: Block, incomplete: Booleans) -> Values:
    """Return everything a block held on its days; ``incomplete`` tells of each symbol's place if it lacks closes."""
    shares, accounts = quantities(page, block), cash(page, block)
    prices = closes(page, block, shares, incomplete)
    in_kind = _in_kind(page, block, prices)
    of_rows = np.multiply(prices.price, shares.daily, out=prices.price)
    row_owner, row_pair = block.row_owner(page), block.row_pair(page)
    unrated = np.full((2, block.size), -1)
    positions, fx_of_positions = _in_base(page, block, of_rows, row_owner, row_pair, unrated, shares)
    owner = page.frame.accounts.owner[block.accounts]
    counted = page.in_account[owner]
    pair = page.frame.rates.pair(page.frame.accounts.currency[block.accounts], owner)[counted]
    money = Amounts(accounts.daily[counted], accounts.opening[counted], accounts.none[counted])
    of_money, fx_of_money = _in_base(
        page, block, money.daily, owner[counted] - block.owners.start, pair, unrated, money
    )
    return Values(
        shares=shares,
        cash=accounts,
        closes=prices,
        of_rows=of_rows,
        positions=positions,
        money=of_money,
        fx_of_positions=fx_of_positions,
        fx_of_money=fx_of_money,
        unrated=unrated,
        in_kind=in_kind,
    )


def _in_base(
    page: Page, block: Block, local: Floats, owner: Integers, pair: Integers, unrated: Integers, amounts: Amounts
) -> tuple[Floats, Floats]:
    """Return the sums of ``local`` by portfolio in its base currency, and what changes of rates gave on each day.

    ``amounts`` are those behind the values; ``unrated`` becomes the last days on which one has no rate.
    """
    value, fx = np.zeros((block.size, block.days)), np.zeros((block.size, block.days))
    if not len(local):
        return value, fx
    table, rates = page.frame.rates, block.rates(page)
    # Rows of one currency lie beside each other, and are summed before they are converted.
    starts = np.flatnonzero((np.diff(owner, prepend=-1) != 0) | (np.diff(pair, prepend=-1) != 0))
    ends = np.append(starts[1:], len(local))
    sums = np.empty((len(starts), block.days))
    for place, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        np.add.reduce(local[start:end], axis=0, out=sums[place])
    group_owner, group_pair = owner[starts], pair[starts]
    nth = np.arange(len(starts)) - group_owner.searchsorted(group_owner)
    for turn in range(int(nth.max()) + 1):
        group = np.flatnonzero(nth == turn)
        rate = rates[group_pair[group]]
        lacking = np.flatnonzero(table.incomplete[group_pair[group]])
        for place in lacking.tolist():
            lines = slice(starts[group[place]], ends[group[place]])
            held = (np.abs(amounts.daily[lines]) > amounts.none[lines, None]).any(axis=0)
            last = last_day(np.stack([held, np.append(False, held[:-1])]) & np.isnan(rate[place]))
            which = group_owner[group[place]]
            unrated[:, which] = np.maximum(unrated[:, which], last)
        rate = np.nan_to_num(rate) if len(lacking) else rate
        value[group_owner[group]] += sums[group] * rate
        foreign = np.flatnonzero(~table.same[group_pair[group]])
        if len(foreign):
            changes = sums[group[foreign], :-1] * np.diff(rate[foreign], axis=1)
            fx[group_owner[group[foreign]], 1:] += changes
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


def amounts_by_day(page: Page, block: Block, in_kind: InKind) -> Floats:
    """Return the parts of what transactions moved, by portfolio and day, ``(parts, portfolios, days)``."""
    bookings, entries = page.bookings, block.entries
    up_to_end = np.flatnonzero(bookings.day[entries] < page.frame.calendar.count) + entries.start
    place = (bookings.owner[up_to_end] - block.owners.start) * block.days + bookings.day[up_to_end] - block.first
    size = block.size * block.days
    parts = bookings.parts[:, up_to_end]
    daily = np.stack([summed(place, part, size) for part in parts])
    if len(in_kind.row):
        moved = in_kind.owner * block.days + in_kind.day
        daily[TRADE] += summed(moved, in_kind.trade, size)
        daily[FLOW] += summed(moved, in_kind.flow, size)
    return daily.reshape(-1, block.size, block.days)
