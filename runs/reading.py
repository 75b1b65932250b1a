"""The first pass of a run, per page of users: their documents are read once, and the portfolios are kept.

Which symbols the users only watch or trade, and which of these a run asks for, is decided here for a page, and in
:mod:`runs.collecting` for the whole run.
"""

import zlib
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date

from analysis.currencies import major
from records import MAX_ERRORS, Batch, BatchResult, PlannedRun
from runs.prices import was_asked_in_vain
from runs.services import Services
from stores.owners import Owners, read_owners
from stores.pages import Crowds, Found, Kept, Origin
from stores.portfolio_documents import UNKNOWN_CURRENCY
from stores.ranges import IdRange
from stores.transactions import Traded

_MOST_UNKNOWN_TRADED = 200
"""The symbols without stored prices that a run asks for because of one user's transactions."""

_MOST_WAITING = 1_000
"""The unknown symbols of one user among which a run chooses, unless it asks for more of them."""


def read(services: Services, batch: Batch) -> BatchResult:
    """Read a page of users, and record what is to be loaded for them."""
    run = services.runs.planned_run(batch.run_id, services.settings)
    if run is None:
        return BatchResult()
    services.runs.reach(batch.run_id, "plan")
    page = services.pages.get(batch.plan_id, batch.number)
    if page is None or page.is_read:
        return BatchResult()
    base_currency = run.parameters.base_currency
    found = read_owners(services.portfolios, page.users, contiguous=run.of_all_users, base_currency=base_currency)
    of_user = {owner.portfolio.user_id: owner for owner in found.owners}
    traded = services.transactions.traded(
        list(of_user),
        contiguous=run.of_all_users,
        stated={user_id: owner.currencies for user_id, owner in of_user.items()},
    )
    known = {user_id: owner.symbols.held | owner.symbols.watched for user_id, owner in of_user.items()}
    of_others: dict[Origin, list[frozenset[str]]] = {
        "watchlists": [owner.symbols.watched for owner in found.owners],
        "transactions": [own.symbols - known[user_id] for user_id, own in traded.items()],
    }
    priced = _priced_in(batch.plan_id)
    others = {origin: _choose(services, run, origin, symbols, priced) for origin, symbols in of_others.items()}
    services.pages.record_read(
        batch.plan_id,
        batch.number,
        _found(page.users, found, traded, {origin: chosen for origin, (chosen, _) in others.items()}),
        {origin: crowds for origin, (_, crowds) in others.items()},
        Kept.of([owner.portfolio for owner in found.owners]),
    )
    return BatchResult()


def limit_of(services: Services, origin: Origin) -> int:
    """Return the number of symbols without stored prices that a run asks for because of one user."""
    return services.settings.watchlist_unknown_limit if origin == "watchlists" else _MOST_UNKNOWN_TRADED


def in_turn(symbols: Collection[str], asked_on: dict[str, date], as_of: date) -> list[str]:
    """Return the symbols so that those that waited longest come first, in an order that differs every day.

    Otherwise symbols whose prices are bad, which leaves them unknown, would keep the others waiting for ever.
    """
    return sorted(
        symbols, key=lambda symbol: (asked_on.get(symbol, date.min), zlib.crc32(f"{as_of} {symbol}".encode()))
    )


def _found(
    users: IdRange | Sequence[str], found: Owners, traded: dict[str, Traded], others: dict[Origin, set[str]]
) -> Found:
    holders = Counter(symbol for owner in found.owners for symbol in owner.symbols.held)
    currencies = Counter(
        currency
        for own in traded.values()
        for currency in {major(currency) for currency in own.currencies} - {UNKNOWN_CURRENCY}
    )
    requested = [] if isinstance(users, IdRange) else users
    active, owners = set(found.active), {owner.portfolio.user_id for owner in found.owners}
    unknown = [user_id for user_id in requested if user_id not in active]
    idle = [user_id for user_id in requested if user_id in active and user_id not in owners]
    return Found(
        users=len(found.owners),
        strange=found.strange,
        unreadable=found.unreadable,
        unknown=unknown[:MAX_ERRORS],
        unknown_count=len(unknown),
        idle=idle[:MAX_ERRORS],
        idle_count=len(idle),
        holders=dict(holders),
        watched=sorted(others["watchlists"]),
        traded=sorted(others["transactions"]),
        currencies=dict(currencies),
        id_types=found.id_types,
    )


_priced: dict[str, set[str]] = {}


def _priced_in(plan_id: str) -> set[str]:
    """Return the symbols with stored prices that pages of this plan found in this process; it may be added to.

    Most symbols are on many watchlists, and prices are only loaded after all pages were read.
    """
    if plan_id not in _priced:
        _priced.clear()
    return _priced.setdefault(plan_id, set())


def _choose(
    services: Services, run: PlannedRun, origin: Origin, symbols: Sequence[frozenset[str]], priced: set[str]
) -> tuple[set[str], Crowds]:
    """Return the symbols of each of some users that are loaded in any case, and those among which the run chooses.

    Users may name anything, and each unknown symbol costs a request: of each user only some are asked for.
    """
    limit, today = limit_of(services, origin), services.provider.last_day()
    asked_on: dict[str, date] = {}  # the symbols to ask for although none has a stored price
    vain: set[str] = set()  # the source said nothing about them this week
    looked_up = set[str]().union(*symbols) - priced
    without = services.prices.without_prices(sorted(looked_up))
    priced |= looked_up - without.keys()
    for symbol, own in without.items():
        if own is None:
            asked_on[symbol] = date.min
        elif not run.of_all_users or not was_asked_in_vain(own, services.provider.version(symbol), today):
            asked_on[symbol] = own.end
        elif not own.issues:  # others are loaded, without a request, to show that they are renamed or delisted
            vain.add(symbol)
    chosen: set[str] = set()
    crowds: list[list[str]] = []
    left_out = 0
    for of_user in symbols:
        unknown = of_user & asked_on.keys()
        chosen |= of_user - unknown - vain
        if len(unknown) <= limit:
            chosen |= unknown
        else:
            crowd = in_turn(unknown, asked_on, run.as_of)
            crowds.append(crowd[: max(_MOST_WAITING, limit)])
            left_out += len(crowd) - len(crowds[-1])
    waiting = set[str]().union(*crowds)
    return chosen, Crowds(
        crowds, {symbol: day for symbol in waiting if (day := asked_on[symbol]) != date.min}, left_out
    )
