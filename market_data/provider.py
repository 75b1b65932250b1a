"""The one contract every source of daily prices fulfils, and the errors it may report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol

from analysis.models import Bars
from analysis.price_issues import PriceIssue


class PricesError(Exception):
    """A symbol has no usable prices. ``error_type`` is what the run record shows."""

    error_type = "prices_error"


class MissingPrices(PricesError):
    """The source does not know the symbol, or has no price for it in the range."""

    error_type = "missing_prices"

    def __init__(self, symbol: str) -> None:
        super().__init__(f"{symbol}: no prices")


class BadPrices(PricesError):
    """The source's data for the symbol breaks a rule; ``where`` names the file and line, or the field of an answer."""

    error_type = "bad_prices"

    def __init__(self, symbol: str, where: str, rule: str) -> None:
        super().__init__(f"{symbol}: {where}: {rule}")


class ProviderUnavailable(Exception):
    """The source as a whole cannot be reached or refuses to answer; worth a retry later.

    ``fetched`` is what it had answered by then, for some of the symbols.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.fetched = FetchedBars({}, {})


class KeyRefused(Exception):
    """The source refuses the key it was shown, or there is none to show: asking again helps nobody.

    The message names the settings that a person has to look at, never their values.
    """


@dataclass(frozen=True, slots=True)
class FetchedBars:
    """The answer for a batch of symbols: each requested symbol is in exactly one of ``bars`` and ``errors``.

    ``issues`` are what was doubtful about the answer for those that are in ``bars``.
    """

    bars: dict[str, Bars]
    errors: dict[str, PricesError]
    issues: dict[str, tuple[PriceIssue, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """What became of a symbol: since when, and what it is called now, where the source knows."""

    status: Literal["delisted", "renamed"]
    since: date | None
    new_symbol: str | None = None


class Provider(Protocol):
    """A source of daily bars."""

    @property
    def symbols_per_batch(self) -> int:
        """How many symbols to ask for at once: as many as the source allows, and can answer while a step may take."""
        ...

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """Give the daily bars of ``symbols`` from ``start`` to ``end``, both included.

        Raises:
            ProviderUnavailable: nothing can be had from the source now.
            KeyRefused: nothing will be had from it until somebody sees to its key.
        """
        ...

    def version(self, symbol: str) -> str:
        """Name the source and the state of its data for ``symbol``: what is kept is good while this stays the same."""
        ...

    def last_day(self) -> date:
        """Give the last day whose prices are final; it need not be a trading day. No later ones are ever given."""
        ...

    def listings(self, symbols: Sequence[str], since: date) -> dict[str, Listing]:
        """Tell what became of those ``symbols`` that were delisted or renamed since a day; nothing of the others.

        To be asked for symbols whose prices stopped or are missing, as it may cost a request. Raises as
        :meth:`daily_bars`.
        """
        ...
