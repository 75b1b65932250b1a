"""The one contract that every source of daily prices fulfills, with its answers and errors."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, Protocol

from analysis.prices import Bars
from analysis.spellings import respelled
from records import PriceIssue


class PricesError(Exception):
    """A symbol has no usable prices. ``error_type`` is the type shown in the run record."""

    error_type = "prices_error"


class MissingPrices(PricesError):
    """The symbol is unknown to the source, or has no price in the range; ``reason`` says why, where that is known."""

    error_type = "missing_prices"

    def __init__(self, symbol: str, reason: str = "") -> None:
        super().__init__(f"{symbol}: no prices" + (f": {reason}" if reason else ""))


class BadPrices(PricesError):
    """The source's data for the symbol breaks a rule; ``where`` names the file and line, or the field of an answer."""

    error_type = "bad_prices"

    def __init__(self, symbol: str, where: str, rule: str) -> None:
        super().__init__(f"{symbol}: {where}: {rule}")


class ProviderUnavailable(Exception):
    """The source as a whole cannot be reached or refuses to answer; a later retry may help.

    ``fetched`` is its answer up to then, for some of the symbols.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.fetched = FetchedBars({}, {})


class KeyRefused(Exception):
    """The source refuses its key, or there is no key to send: a retry does not help.

    The message names the settings to check, never their values.
    """


@dataclass(frozen=True, slots=True)
class FetchedBars:
    """The answer for a batch of symbols: each requested symbol is in exactly one of ``bars`` and ``errors``.

    ``issues`` are the price issues of the symbols in ``bars``.
    """

    bars: dict[str, Bars]
    errors: dict[str, PricesError]
    issues: dict[str, tuple[PriceIssue, ...]] = field(default_factory=dict)

    def with_those_of(self, other: "FetchedBars") -> "FetchedBars":
        """Return the answer for the symbols of both."""
        return FetchedBars(self.bars | other.bars, self.errors | other.errors, self.issues | other.issues)


@dataclass(frozen=True, slots=True)
class Listing:
    """The new state of a symbol: since when it is delisted or renamed, and its new name, if the source has one."""

    status: Literal["delisted", "renamed"]
    since: date | None
    new_symbol: str | None = None


class Provider(Protocol):
    """A source of daily bars; the defaults are those of sources without a server."""

    symbols_per_batch: int = 100
    """The number of symbols per request: as many as the source allows, and can answer within the time of a step."""

    batches_at_once: int = 0
    """The most batches to load at once, by all workers together, so that each ends in time; 0 for any number."""

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """Return the daily bars of ``symbols`` from ``start`` to ``end``, both included.

        Raises:
            ProviderUnavailable: nothing is available from the source now.
            KeyRefused: nothing is available from it until its key is corrected.
        """
        ...

    def version(self, symbol: str) -> str:
        """Return a name of the source and its data for ``symbol``: stored bars are valid while it stays the same."""
        ...

    def spelling(self, symbol: str) -> str:
        """Return the source's spelling of ``symbol``: two spellings with the same one are one share."""
        return respelled(symbol, ".")

    def last_day(self) -> date:
        """Return the last day with final prices; it need not be a trading day. Later prices are never returned."""
        return datetime.now(UTC).date()

    def listings(self, symbols: Sequence[str], since: date) -> dict[str, Listing]:  # noqa: ARG002 - files contain none
        """Return the new state of those ``symbols`` that were delisted or renamed since a day; the others are left out.

        Meant for symbols whose prices stopped or are missing, as it may cost a request. Raises as
        :meth:`daily_bars`.
        """
        return {}


def fetched_bars(
    symbols: Iterable[str], bars_of: Callable[[str], tuple[Bars, tuple[PriceIssue, ...]]], start: date, end: date
) -> FetchedBars:
    """Return the bars of each symbol from ``start`` to ``end``; an error of ``bars_of`` affects only its symbol."""
    fetched = FetchedBars({}, {})
    for symbol in symbols:
        try:
            bars, issues = bars_of(symbol)
            fetched.bars[symbol] = bars_between(bars, symbol, start, end)
        except PricesError as error:
            fetched.errors[symbol] = error
            continue
        if issues:
            fetched.issues[symbol] = issues
    return fetched


def bars_between(bars: Bars, symbol: str, start: date, end: date) -> Bars:
    """Return the bars of ``symbol`` from ``start`` to ``end``, both included.

    Raises:
        MissingPrices: there is none.
    """
    found = bars.between(start, end)
    if not len(found.dates):
        raise MissingPrices(symbol)
    return found
