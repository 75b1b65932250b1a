"""The returns of a page of ledgers against the slow implementation of the tests, and their rates against pyxirr.

200 portfolios of 20 symbols with 500 transactions each, over five years, out of 500 symbols. The slow one, in decimals
and day by day, takes about a second for each, and is given the first few.
"""

import time
from datetime import date
from functools import partial
from itertools import pairwise

import numpy as np
import pyxirr

from analysis.currencies import Rates
from analysis.models import Account, Floats, Holding, Portfolio
from analysis.returns.ledger import TURNS, TYPES, LedgerPrices, Ledgers, Market, Transactions
from analysis.returns.measuring import measure_returns
from analysis.returns.money_weighted import CashFlows, internal_rates
from analysis.returns.outcomes import LedgerReturns
from benchmarks.tables import Group, Row
from benchmarks.timing import Work, interleaved
from benchmarks.workload import DAYS, HOLDINGS, symbols
from tests.oracle.ledger_differences import differences
from tests.oracle.ledger_inputs import Person
from tests.oracle.ledger_returns import Result, returns_of

PORTFOLIOS, SYMBOLS, TRANSACTIONS, ROUNDS = 200, 500, 500, 9
SLOWLY = 3
_GOAL = 1.0
_SHARE_OF_FOREIGN, _SPLIT_EACH = 0.25, 25
_KINDS = np.array([TYPES.index(name) for name in ("buy", "sell", "dividend", "deposit", "withdrawal")])
_FREQUENCIES = (0.4, 0.2, 0.28, 0.09, 0.03)
_AGREEMENT = 1e-8  # pyxirr stops there

type Page = tuple[list[Portfolio], list[str], list[tuple[Account, ...]], Ledgers, Market, date]


def market_of(days: int = DAYS, count: int = SYMBOLS) -> Market:
    """Return random walks of ``count`` symbols, a quarter of them in euros, and the rates of the dollar."""
    random = np.random.default_rng(1)
    dates = np.busday_offset("2020-01-01", np.arange(days), roll="forward").astype("datetime64[D]")
    walks = random.normal(0.0003, 0.015, (count, days)).cumsum(axis=1)
    names = symbols(count)
    prices = LedgerPrices(
        dates=dates,
        columns={name: number for number, name in enumerate(names)},
        close=50 * np.exp(walks),
        splits={name: [(dates[days // 2].item(), 2.0)] for name in names[::_SPLIT_EACH]},
        adjusted=frozenset(),
        payments={},
        distributions={},
        benchmark_returns=np.append(0.0, random.normal(0.0003, 0.01, days - 1)),
    )
    rates = Rates({"USD": (dates, 1.1 * np.exp(random.normal(0, 0.004, days).cumsum()))})
    foreign = dict.fromkeys(names[: int(count * _SHARE_OF_FOREIGN)], "EUR")
    return Market(prices, rates, foreign, {}, "USD", "USD")


def page_of(market: Market, count: int = PORTFOLIOS, transactions: int = TRANSACTIONS, seed: int = 2) -> Page:
    """Return random ledgers, whole from their first transaction on: today's holdings and cash follow from them."""
    random = np.random.default_rng(seed)
    dates, names = market.prices.dates, symbols(len(market.prices.close))
    size = count * transactions
    owned = np.stack([random.choice(len(names), HOLDINGS, replace=False) for _ in range(count)])
    kind, day, place = (random.integers(0, most, size) for most in (1, len(dates) - 1, HOLDINGS))
    kind = _KINDS[random.choice(len(_KINDS), size, p=_FREQUENCIES)]
    shares = random.integers(1, 10, size).astype(np.float64)
    # Each ledger begins with a deposit and a purchase of each symbol, large enough for all that follows.
    first = np.arange(count)[:, None] * transactions + np.arange(HOLDINGS + 1)
    kind[first], day[first] = np.append(_KINDS[3], np.full(HOLDINGS, _KINDS[0])), 0
    place[first[:, 1:]], shares[first[:, 1:]] = np.arange(HOLDINGS), 500.0
    owner = np.repeat(np.arange(count), transactions)
    order = np.lexsort((np.array(TURNS)[kind], day, owner))
    kind, day, place, shares = kind[order], day[order] + 1, place[order], shares[order]
    symbol = owned[owner, place]
    of_cash, of_shares = np.isin(kind, _KINDS[3:]), np.isin(kind, _KINDS[:2])
    price = np.where(of_shares, market.prices.close[symbol, day], np.nan)
    amount = np.select([kind == _KINDS[3], kind == _KINDS[4], kind == _KINDS[2]], [1e6, 1e4, 5.0], np.nan)
    name, text, none = np.array(names, dtype=np.object_)[symbol], np.full(size, "", np.object_), np.full(size, np.nan)
    name[of_cash] = ""
    columns = Transactions(
        owner, kind, dates[day], np.zeros(size), np.array([f"t{number}" for number in range(size)], dtype=np.object_),
        text, name, np.where(of_shares, shares, np.nan), price, amount, text, np.where(of_shares, 1.0, 0.0),
        np.zeros(size), none, text, text, none, none, text, text,
    )  # fmt: skip
    moved = np.where(of_shares, np.where(kind == _KINDS[0], shares, -shares), 0.0)
    moved *= np.where((symbol % _SPLIT_EACH == 0) & (day < len(dates) // 2), 2.0, 1.0)
    held = np.bincount(owner * HOLDINGS + place, moved, minlength=count * HOLDINGS).reshape(count, HOLDINGS)
    portfolios = [
        Portfolio(f"user-{number:06}", tuple(map(Holding, [names[each] for each in own], shares, [40.0] * HOLDINGS)))
        for number, (own, shares) in enumerate(zip(owned.tolist(), held.tolist(), strict=True))
    ]
    rate = market.rates.between("EUR", "USD", dates)[day] * np.isin(name, list(market.currencies)) + ~np.isin(
        name, list(market.currencies)
    )
    paid = np.where(of_shares, np.where(kind == _KINDS[0], -shares, shares) * np.nan_to_num(price) - 1, 0.0)
    paid = rate * (paid + np.where(kind == _KINDS[4], -1.0, 1.0) * np.nan_to_num(amount))
    accounts: list[tuple[Account, ...]] = [
        (Account("", cash, 0.0, "USD"),) for cash in np.bincount(owner, paid, minlength=count).tolist()
    ]
    issues: list[tuple[()]] = [()] * count
    ledgers = Ledgers(columns, issues, np.full(count, np.datetime64("NaT", "D")))
    return portfolios, ["USD"] * count, accounts, ledgers, market, dates[-1].item()


def problems(count: int, flows: int, seed: int = 3) -> CashFlows:
    """Return random problems of a money-weighted return over five years."""
    random = np.random.default_rng(seed)
    years = np.sort(random.integers(1, 1826, (count, flows)), axis=1) / 365
    years[:, 0], years[:, -1] = 0, 1826 / 365
    amount = -random.uniform(0, 1_000, (count, flows))
    amount[:, -1] = -amount.sum(axis=1) * random.uniform(0.8, 2, count)
    return CashFlows(np.arange(count) * flows, years.ravel(), amount.ravel(), np.repeat(np.arange(count), flows))


def with_pyxirr(flows: CashFlows) -> list[float | None]:
    """Return the same rates by pyxirr, one by one."""
    begin = np.datetime64("2020-01-01", "D")
    days = begin + np.round(flows.years * 365).astype("timedelta64[D]")
    bounds = [*flows.first.tolist(), len(days)]
    return [pyxirr.xirr(days[start:end], flows.amount[start:end]) for start, end in pairwise(bounds)]


def _ours(flows: CashFlows) -> Floats:
    return np.expm1(internal_rates(flows, np.zeros(len(flows.first))))


def measured(page: Page) -> list[LedgerReturns]:
    """Return the returns of a page."""
    return measure_returns(*page)


def measured_slowly(page: Page, count: int = SLOWLY) -> list[Result]:
    """Return the returns of the first portfolios of a page by the slow implementation, one by one."""
    portfolios, base, accounts, ledgers, market, today = page
    persons = (
        Person(tuple(ledgers.transactions.of(number)), portfolios[number].holdings, accounts[number], base[number])
        for number in range(count)
    )
    return [returns_of(person, market, today) for person in persons]


def check_agreement(page: Page, flows: CashFlows) -> None:
    """Compare everything that is timed.

    Raises:
        ValueError: the slow implementation, or pyxirr, finds something else.
    """
    slowly = measured_slowly(page)
    found = [differences(ours.returns, theirs) for ours, theirs in zip(measured(page)[:SLOWLY], slowly, strict=True)]
    if any(found):
        raise ValueError(f"the slow implementation finds other returns: {found}")
    theirs = np.array(with_pyxirr(flows), dtype=np.float64)
    if not np.allclose(_ours(flows), theirs, rtol=0, atol=_AGREEMENT):
        raise ValueError("pyxirr finds other rates")


def group() -> Group:
    """Check that the figures agree, and time all; milliseconds of processor time are per portfolio."""
    page, flows = page_of(market_of()), problems(1_400, 60)
    check_agreement(page, flows)
    contestants: dict[str, Work] = {
        "a page": partial(measured, page),
        "slowly": partial(measured_slowly, page),
        "xirr": partial(_ours, flows),
        "pyxirr": partial(with_pyxirr, flows),
    }
    seconds = interleaved(contestants, ROUNDS, time.process_time)
    ours, slow = 1e3 * seconds["a page"] / PORTFOLIOS, 1e3 * seconds["slowly"] / SLOWLY
    rates, theirs = 1e3 * seconds["xirr"] / PORTFOLIOS, 1e3 * seconds["pyxirr"] / PORTFOLIOS
    return Group(
        title="Ledgers: 20 symbols, 500 transactions, 5 years",
        unit="ms a portfolio",
        ratio_to="the peer in the next row",
        rows=[
            Row("returns, seven periods, contributions", ours, ours / slow, f"<= {_GOAL:g}"),
            Row("the same, slow implementation of the tests", slow, 1.0),
            Row("seven rates of 60 flows", rates, rates / theirs),
            Row("the same, pyxirr", theirs, 1.0),
        ],
    )
