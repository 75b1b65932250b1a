"""What persons really earned, by their ledgers: the returns of all portfolios of a page."""

from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from datetime import date

import numpy as np

from analysis.models import Account, Booleans, Floats, Integers, Portfolio, ReturnsIssue
from analysis.price_issues import named
from analysis.returns.bookings import book, is_dividend, moves_cash_from_outside
from analysis.returns.contributions import OF_PERIODS, gains_of_rows
from analysis.returns.frame import Frame, frame_of
from analysis.returns.ledger import Ledgers, Market, Transactions
from analysis.returns.outcomes import BlockFigures, LedgerReturns, outcomes_of
from analysis.returns.page import Block, Page, block_of
from analysis.returns.performance import growth_to_end
from analysis.returns.periods import PERIODS, SINCE, period_figures, starts_of
from analysis.returns.positions import amounts_after, flows_by_day, value_block
from analysis.returns.reorganizations import arrivals
from analysis.returns.soundness import FirstDays, Soundness, judge_block, soundness_of
from analysis.returns.stock_splits import stock_splits

_CELLS = 100_000
"""Portfolios times days of a block: few enough to stay in cache."""

NO_TRANSACTIONS = LedgerReturns(None, "no_transactions")
INCOMPLETE = LedgerReturns(None, "incomplete_valuation")


def measure_returns(
    portfolios: Sequence[Portfolio],
    base: Sequence[str],
    accounts: Sequence[tuple[Account, ...]],
    ledgers: Ledgers,
    market: Market,
    today: date,
    pending: Mapping[tuple[int, str], float] | None = None,
) -> list[LedgerReturns]:
    """Return what each portfolio really earned in its base currency; those without transactions cost nothing.

    ``pending`` are the splits by which holdings were multiplied (:func:`pending_splits`).
    """
    outcomes = [NO_TRANSACTIONS] * len(portfolios)
    ledgers = _without_future(ledgers, today)
    known = ~np.isnat(ledgers.unsound) | np.array([bool(issues) for issues in ledgers.issues], dtype=np.bool_)
    known[ledgers.transactions.owner] = True
    owners = np.flatnonzero(known)
    if not len(owners):
        return outcomes
    numbers = owners.tolist()
    chosen = [portfolios[number] for number in numbers]
    own = Ledgers(
        replace(ledgers.transactions, owner=owners.searchsorted(ledgers.transactions.owner)),
        [ledgers.issues[number] + _pending_issues(number, pending or {}, market) for number in numbers],
        ledgers.unsound[owners],
    )
    with np.errstate(all="ignore"):
        found = _measured(chosen, [base[n] for n in numbers], [accounts[n] for n in numbers], own, market, today)
    for number, outcome in zip(numbers, found, strict=True):
        outcomes[number] = INCOMPLETE if portfolios[number].invalid_holdings else outcome
    return outcomes


def _without_future(ledgers: Ledgers, today: date) -> Ledgers:
    """Return the ledgers up to today; an issue tells of each later transaction."""
    transactions = ledgers.transactions
    future = np.flatnonzero(transactions.date > np.datetime64(today, "D"))
    if not len(future):
        return ledgers
    issues = list(ledgers.issues)
    for owner, day, name in zip(
        transactions.owner[future].tolist(),
        transactions.date[future].tolist(),
        transactions.transaction_id[future].tolist(),
        strict=True,
    ):
        text = f"The transaction {name} is of {day}, which is yet to come, and is ignored."
        issues[owner] = (*issues[owner], ReturnsIssue(day, "future_transaction", text))
    return replace(ledgers, transactions=transactions.at(transactions.date <= np.datetime64(today, "D")), issues=issues)


def _pending_issues(number: int, pending: Mapping[tuple[int, str], float], market: Market) -> tuple[ReturnsIssue, ...]:
    as_of = market.prices.as_of.item()
    return tuple(
        ReturnsIssue(
            as_of,
            "corporate_action_pending",
            f"The holding of {symbol} does not know its last split yet, and is multiplied by {ratio:g}.",
        )
        for (owner, symbol), ratio in pending.items()
        if owner == number
    )


def _measured(
    portfolios: Sequence[Portfolio],
    base: Sequence[str],
    accounts: Sequence[tuple[Account, ...]],
    ledgers: Ledgers,
    market: Market,
    today: date,
) -> list[LedgerReturns]:
    transactions = ledgers.transactions
    frame = frame_of(portfolios, base, accounts, transactions, market)
    page = _page(frame, transactions, market, today)
    found = soundness_of(page, ledgers, transactions)
    _tell_adjusted(page, transactions, found, market)
    first = _first_days(page)
    lacking = _lacking_closes(frame, market)
    benchmarks = _benchmarks(frame, base, market)
    starts = starts_of(market.prices.dates) - frame.calendar.first
    figures: list[BlockFigures] = []
    for block in _blocks(page, first.of_portfolios):
        values = value_block(page, block, lacking)
        judge_block(page, block, values, found, first)
        since = _since(page, block, found)
        start = np.maximum(since - 1 - block.first, 0)
        is_since = np.arange(len(PERIODS))[:, None] == SINCE
        own = np.where(is_since, start, starts[:, None] - block.first)
        known = (own >= start) & (since >= 0) & (is_since | (starts + frame.calendar.first >= 0)[:, None])
        own = np.where(known, own, start)
        flow = flows_by_day(page, block, values.in_kind)
        moved = amounts_after(page, block, values.in_kind, own)
        dates = frame.calendar.dates[block.first : frame.calendar.count]
        later = benchmarks[frame.rates.base[block.owners], block.first :]
        measured = period_figures(values, flow, moved, later, dates, start, own)
        gains, held = gains_of_rows(page, block, values, own[OF_PERIODS])
        value = values.positions + values.money
        figures.append(BlockFigures(block, since, known, measured, gains, held, value, flow, later))
    late = np.bincount(transactions.owner, transactions.date > market.prices.as_of, minlength=len(portfolios)) > 0
    return outcomes_of(page, found, starts, late, figures)


def _page(frame: Frame, transactions: Transactions, market: Market, today: date) -> Page:
    size = len(frame.with_accounts)
    external = moves_cash_from_outside(transactions, frame.row)
    moved = np.bincount(transactions.owner[external], minlength=size) > 0
    in_account = moved & (frame.with_accounts > 0)
    splits = stock_splits(frame, transactions, market.prices, today)
    bookings = book(frame, transactions, splits, in_account, _adjusted(frame, market))
    changes = arrivals(frame, transactions, splits, bookings)
    return Page(frame, splits, bookings, changes, market.prices, in_account)


def _adjusted(frame: Frame, market: Market) -> Booleans:
    """Return whether the closes of each row are adjusted for dividends."""
    of_symbol = np.array([name in market.prices.adjusted for name in frame.rows.names], dtype=np.bool_)
    return of_symbol[frame.rows.symbol]


def _tell_adjusted(page: Page, transactions: Transactions, found: Soundness, market: Market) -> None:
    row = page.frame.row
    paid = np.unique(row[is_dividend(transactions) & (row >= 0)])
    paid, rows = paid[_adjusted(page.frame, market)[paid]], page.frame.rows
    for owner in np.unique(rows.owner[paid]).tolist():
        names = sorted({rows.names[symbol] for symbol in rows.symbol[paid[rows.owner[paid] == owner]]})
        text = f"The closes of {named(names)} hold the dividends already: these count once, as part of the prices."
        found.issues[owner].append(ReturnsIssue(None, "prices_already_adjusted", text))


def _first_days(page: Page) -> FirstDays:
    """Return the first days of portfolios and accounts, and the account of the first transaction of each row."""
    bookings, frame = page.bookings, page.frame
    later = len(frame.calendar.dates)
    of_portfolios = np.full(len(frame.with_accounts), later)
    of_accounts = np.full(len(frame.accounts.owner), later)
    # In the order of the ledger, backwards: the first one stays.
    of_portfolios[bookings.owner[::-1]] = bookings.day[::-1]
    of_accounts[bookings.account[::-1]] = bookings.day[::-1]
    receiver, day, _ = bookings.receiving
    np.minimum.at(of_accounts, receiver, day)
    count = len(bookings.account)
    entry = np.full(len(frame.rows.owner) + 1, count)
    for row in (frame.row, frame.to_row):
        np.minimum.at(entry, row, np.arange(count))
    account = np.append(bookings.account, -1)[entry[:-1]]
    return FirstDays(of_portfolios, np.where(of_accounts < later, of_accounts, -1), account)


def _lacking_closes(frame: Frame, market: Market) -> Booleans:
    """Return whether each symbol's place among the prices lacks a close on a day of the page; the last one, of none."""
    lacking = np.ones(len(market.prices.close) + 1, dtype=np.bool_)
    used = np.flatnonzero(np.bincount(frame.rows.column + 1, minlength=1)[1:])
    lacking[used] = np.isnan(market.prices.close[used, max(frame.calendar.first, 0) :]).any(axis=1)
    return lacking


def _benchmarks(frame: Frame, base: Sequence[str], market: Market) -> Floats:
    """Return what 1 in the benchmark is at the end, by number of a base currency, ``(currencies, days)``."""
    dates = frame.calendar.dates[: frame.calendar.count]
    own = market.prices.benchmark_returns[max(frame.calendar.first, 0) :]
    own = np.append(np.zeros(len(dates) - len(own)), own)
    found = np.zeros((len(frame.rates.pairs), len(dates)))
    for name, number in dict(zip(base, frame.rates.base.tolist(), strict=True)).items():
        rates = market.rates.between(market.benchmark_currency, name, dates)
        found[number, 1:] = (1 + own[1:]) * rates[1:] / rates[:-1] - 1
    if frame.calendar.first < 0:
        found[:, 1] = 0.0  # the benchmark begins on that day
    return growth_to_end(found)


def _blocks(page: Page, first: Integers) -> Iterator[Block]:
    """Yield all portfolios in blocks, each from the day before the first transaction of any of them."""
    count = page.frame.calendar.count
    begin = np.minimum(first, count - 1) - 1
    start, day = 0, count
    for owner, own in enumerate(begin.tolist()):
        day = min(day, own)
        if owner > start and (owner + 1 - start) * (count - day) > _CELLS:
            yield block_of(page, start, owner, int(begin[start:owner].min()))
            start, day = owner, own
    yield block_of(page, start, len(first), int(begin[start:].min()))


def _since(page: Page, block: Block, found: Soundness) -> Integers:
    """Return the day of the first transaction of the sound period of each portfolio, -1 without one."""
    bookings, calendar = page.bookings, page.frame.calendar
    days = len(calendar.dates) + 2
    owners = np.arange(block.owners.start, block.owners.stop)
    key = bookings.owner[block.entries] * days + bookings.day[block.entries]
    limit = np.minimum(found.limit[block.owners], days - 1)
    place = key.searchsorted(owners * days + limit)
    ahead = np.append(key, -1)[place]
    return np.where((ahead // days == owners) & (ahead % days < calendar.count), ahead % days, -1)
