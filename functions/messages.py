"""What orchestration and activities tell each other: ids and counters, never documents.

Everything here crosses the wire as JSON and stays in the engine's history, so it must stay small: lists of errors are
cut at 100 entries, each a line.
"""

from datetime import datetime

from msgspec import Struct, field

from stores.records import Outcome, RunError

_NAMED_SYMBOLS = 50


class PlanInput(Struct, frozen=True):
    """Which run to plan, and since when the engine carries it."""

    run_id: str
    started_at: datetime


class BatchInput(Struct, frozen=True):
    """Which numbered batch of a run's plan an activity is to work on."""

    run_id: str
    plan_id: str
    number: int


class SymbolError(Struct, frozen=True):
    """A symbol without usable prices."""

    symbol: str
    error_type: str
    error: str


class Failure(Struct, frozen=True):
    """Why a run cannot go on, in a word and in a sentence."""

    error_type: str
    error: str


class Plan(Struct, frozen=True):
    """How much there is to do. Settings that decide the course of a run are part of it: they must not change midway."""

    plan_id: str = ""
    symbols: int = 0
    symbol_batches: int = 0
    pages: int = 0
    min_success_rate: float = 0.0
    dry_run: bool = False
    failure: Failure | None = None

    def too_few_prices(self, failed: int, errors: list[SymbolError]) -> Failure | None:
        """Give the reason to stop where the share of symbols with prices is below the limit."""
        if self.symbols == 0 or (self.symbols - failed) / self.symbols >= self.min_success_rate:
            return None
        missing = ", ".join(error.symbol for error in errors[:_NAMED_SYMBOLS])
        more = f" and {failed - _NAMED_SYMBOLS} more" if failed > _NAMED_SYMBOLS else ""
        return Failure(
            "too_few_prices",
            f"Only {self.symbols - failed} of {self.symbols} symbols have prices, {self.min_success_rate:.0%} are "
            f"needed; without prices: {missing}{more}.",
        )


class PricesResult(Struct, frozen=True):
    """How loading a batch of symbols went."""

    failed: int
    errors: list[SymbolError]


class PageResult(Struct, frozen=True):
    """How a page of users went. ``errors`` is filled in dry runs only: else the reports tell."""

    outcome: Outcome
    errors: list[RunError] = field(default_factory=list)


class FinishInput(Struct):
    """What the last step needs to know; filled as the run goes, so that a run that breaks off tells what it has."""

    run_id: str
    dry_run: bool = False
    failure: Failure | None = None
    symbols_failed: int = 0
    symbol_errors: list[SymbolError] = field(default_factory=list)
    outcome: Outcome = Outcome()
    user_errors: list[RunError] = field(default_factory=list)
    durations: dict[str, float] = field(default_factory=dict)
