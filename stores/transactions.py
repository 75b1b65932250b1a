"""Users' transactions: read from the existing backend's collection, which this app never writes.

:mod:`stores.transaction_documents` has the rules.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from analysis.models import Portfolio
from analysis.returns.ledger import Ledgers
from fields import FIELDS_OF
from stores.document_values import currencies_of
from stores.ledger_reader import LedgerReader
from stores.portfolio_documents import InvalidPortfolio
from stores.portfolios import PortfolioStore
from stores.transaction_documents import MOST_TRANSACTIONS, symbols_of

_ATTEMPTS = 3
_CURRENCIES = ("currency", "to_currency")


@dataclass(frozen=True, slots=True)
class Page:
    """The portfolios of a page with their ledgers, whose owners are the positions of the ``portfolios``."""

    portfolios: list[Portfolio]
    invalid: list[InvalidPortfolio]
    ledgers: Ledgers


@dataclass(frozen=True, slots=True)
class Traded:
    """The symbols in the transactions of one user, and the currencies in the user's documents, as they are written."""

    symbols: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()


class TransactionStore:
    """Users with their transactions; ``portfolios`` knows the places of the backend's documents."""

    def __init__(self, portfolios: PortfolioStore) -> None:
        self._portfolios = portfolios

    def load(self, user_ids: Sequence[str], today: date, *, contiguous: bool, base_currency: str) -> Page:
        """Return the portfolios of ``user_ids``, with the ledgers that fit them.

        ``today`` is the day in UTC after which transactions are left out. The others as in :meth:`PortfolioStore.load`.
        """
        portfolios = self._portfolios.load(user_ids, contiguous=contiguous, base_currency=base_currency)
        return self.complete(portfolios, today, contiguous=contiguous, base_currency=base_currency)

    def complete(
        self,
        portfolios: Sequence[Portfolio | InvalidPortfolio],
        today: date,
        *,
        contiguous: bool,
        base_currency: str,
    ) -> Page:
        """Return portfolios that were read before, with the ledgers that fit them, as :meth:`load` does.

        Those of users with transactions are read again, and replaced where they changed.
        """
        portfolios = list(portfolios)
        user_ids = [own.user_id for own in portfolios]
        reader = self._reader(user_ids, today)
        self._add(reader, user_ids, range(len(user_ids)), contiguous=contiguous)
        # Not in a session with one snapshot: compatible servers accept it, and still answer with newer documents.
        moving = sorted(reader.owners())
        for _ in range(_ATTEMPTS):
            ids = [user_ids[number] for number in moving]
            whole = contiguous and 2 * len(ids) > len(user_ids)
            again = self._portfolios.load(ids, contiguous=whole, base_currency=base_currency) if ids else []
            moved = {
                number: portfolio
                for number, portfolio in zip(moving, again, strict=True)
                if _owned(portfolio) != _owned(portfolios[number])
            }
            for number, portfolio in moved.items():
                portfolios[number] = portfolio
            moving = list(moved)
            if not moving:
                break
            reader.forget(moving)
            self._add(reader, user_ids, moving, contiguous=False)
        valid = [number for number, own in enumerate(portfolios) if isinstance(own, Portfolio)]
        return Page(
            [own for own in portfolios if isinstance(own, Portfolio)],
            [own for own in portfolios if isinstance(own, InvalidPortfolio)],
            reader.ledgers(valid, moving),
        )

    def ledgers(self, user_ids: Sequence[str], today: date, *, contiguous: bool) -> Ledgers:
        """Return the ledgers of ``user_ids``, whose owners are their positions."""
        reader = self._reader(user_ids, today)
        self._add(reader, user_ids, range(len(user_ids)), contiguous=contiguous)
        return reader.ledgers(range(len(user_ids)))

    def traded(
        self, user_ids: Sequence[str], *, contiguous: bool, stated: Mapping[str, frozenset[str]]
    ) -> dict[str, Traded]:
        """Return the symbols and currencies that the documents of each user name; users without any are left out.

        ``stated`` has the currencies in users' other documents. Of a user with more transactions than are read there
        are none.
        """
        symbols: dict[str, frozenset[str]] = {}
        currencies = dict(stated)
        counts: Counter[str] = Counter()
        wanted = {"transactions": ("symbol", "to_symbol", *_CURRENCIES)}
        for name, lot in self._portfolios.lots(wanted, user_ids, contiguous=contiguous):
            for user_id, documents in self._portfolios.by_user(name, lot).items():
                own = currencies_of(documents, _CURRENCIES)
                currencies[user_id] = currencies.get(user_id, frozenset()) | own
                counts[user_id] += len(documents)
                found = symbols_of(documents, self._portfolios.spelling)
                symbols[user_id] = symbols.get(user_id, frozenset()) | found
        return {
            user_id: Traded(symbols.get(user_id, frozenset()), currencies[user_id])
            for user_id in currencies.keys() & set(user_ids)
            if counts[user_id] <= MOST_TRANSACTIONS
        }

    def _reader(self, user_ids: Sequence[str], today: date) -> LedgerReader:
        return LedgerReader(len(user_ids), today, self._portfolios.spelling, self._portfolios.absent({}))

    def _add(
        self, reader: LedgerReader, user_ids: Sequence[str], numbers: Collection[int], *, contiguous: bool
    ) -> None:
        """Read the transactions of some of the users; lots become columns as they come, to need little memory."""
        number_of = {user_ids[number]: number for number in numbers}
        wanted = {"transactions": FIELDS_OF["transactions"][1:]}
        for name, lot in self._portfolios.lots(wanted, list(number_of), contiguous=contiguous):
            by_user = self._portfolios.by_user(name, lot)
            own = {number_of[user_id]: rows for user_id, rows in by_user.items() if user_id in number_of}
            owners = [number for number, rows in own.items() for _ in rows]
            reader.add(owners, [row for rows in own.values() for row in rows])


def _owned(portfolio: Portfolio | InvalidPortfolio) -> object:
    """Return the part of a portfolio that transactions change."""
    if isinstance(portfolio, InvalidPortfolio):
        return portfolio
    return portfolio.holdings, Counter(portfolio.accounts), portfolio.invalid_holdings
