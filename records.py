"""The records of runs, and of the issues of prices, frozen. The JSON of the API is these records, member for member.

They are imported while the app is indexed, and import nothing of the app themselves.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from threading import Lock
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, convert
from msgspec.json import Decoder


class Record(Struct, frozen=True, gc=False):
    """An immutable record without cycles: made, encoded and decoded several times as fast as a dataclass."""


def make_ready() -> None:
    """Let msgspec learn the members of all structs that are defined by now, before several threads read some.

    It learns those of a struct at the first reading, and a second thread that reads one meanwhile crashes the process
    (seen with 0.22). Call it where nothing else reads them yet.
    """
    with _LEARNING:
        for kind in (own for own in _below(Struct) if not own.__module__.startswith("msgspec.")):
            with suppress(TypeError, NameError):  # one that cannot be read is never read
                Decoder(kind)


_LEARNING = Lock()


def _below(kind: type[Struct]) -> Iterator[type[Struct]]:
    for own in kind.__subclasses__():
        yield own
        yield from _below(own)


type Date = date  # for records with a member of that name
type Time = Annotated[datetime, Meta(tz=True)]
type Status = Literal["analyzed", "skipped", "failed"]
type CheckStatus = Literal["ok", "warning", "breach", "unknown"]
type PriceIssueKind = Literal[
    "split", "distribution", "suspected_split", "jump", "bad_bars", "bad_prices", "unconfirmed_price", "long_gap",
    "history_cut", "thin_prices", "asynchronous_prices", "close_is_adjusted", "benchmark_without_dividends",
    "old_prices", "duplicate_days", "unordered_days", "behind_market", "renamed", "delisted", "assumed_currency",
    "suspected_minor_unit",
]  # fmt: skip
type EarlierIssueKind = Literal["missing_days", "no_volume"]
"""Kinds of price issues that only stored runs and reports of earlier versions have."""
type Scope = Literal["all", "some", "failed"]
"""The users of a run: all, selected ones, or those that failed in an earlier run."""
type RunStatus = Literal["queued", "running", "completed", "completed_with_errors", "failed", "canceled"]
type Phase = Literal["queued", "plan", "market_data", "research", "analyze", "finish", "done"]
type Closing = Literal["recorded", "logging", "logged"]
type SortField = Literal[
    "user_id", "market_value", "annual_volatility", "max_drawdown", "value_at_risk_95", "warnings", "breaches"
]

FIGURES: tuple[SortField, ...] = get_args(SortField.__value__)[1:]
ACTIVE_STATUSES: tuple[RunStatus, ...] = ("queued", "running")
PHASES: tuple[Phase, ...] = ("queued", "plan", "market_data", "research", "analyze", "finish", "done")
MAX_ERRORS = 100
# No characters that cannot be seen, change the direction of text, separate parts of a path or begin a tag. Blanks only
# inside, no dot or dollar first. `$(?!\n)`: in Python `$` alone also matches before a final line break.
_NEVER = (
    r"\x00-\x1f\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000"
    r"\ufeff\ufff0-\uffff/\\%<>"
)
USER_ID_PATTERN = rf"^[^ .${_NEVER}]([^{_NEVER}]{{0,126}}[^ {_NEVER}])?$(?!\n)"


@dataclass(frozen=True, slots=True)
class Trigger:
    """The origin of a run: ``actor`` is the name of the credential or timer, never the credential."""

    source: Literal["http", "timer", "retry"]
    actor: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of the run; pages are pages of users."""

    phase: Phase = "queued"
    pages_done: int = 0
    pages_total: int = 0


@dataclass(frozen=True, slots=True)
class RunError:
    """One error of a run. ``user_id`` is ``None`` if it concerns no single user."""

    user_id: str | None
    error_type: str
    error: str


@dataclass(frozen=True, slots=True)
class Metrics:
    """Durations in seconds, ``None`` while unknown."""

    total_duration_seconds: float | None = None
    avg_duration_per_user_seconds: float | None = None
    plan_duration_seconds: float | None = None
    portfolios_duration_seconds: float | None = None
    market_data_duration_seconds: float | None = None
    research_duration_seconds: float | None = None
    analyze_duration_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PriceIssue:
    """One issue of the prices of a symbol, shown beside the figures.

    ``date`` is the day of the issue: of several the first, of a gap or cut the first day after it. ``ratio`` is that of
    a split, as ``3:2`` for new:old; ``count`` the number of affected days or rows; ``days`` the length of a gap in days
    of the calendar; ``new_symbol`` the new name of a renamed symbol. A member that does not apply is ``None``.
    """

    kind: PriceIssueKind
    date: Date | None = None
    ratio: str | None = None
    count: int | None = None
    days: int | None = None
    new_symbol: str | None = None


@dataclass(frozen=True, slots=True)
class SymbolIssue:
    """A :class:`PriceIssue` with its symbol and, as ``text``, its sentence: in the form of runs and reports.

    ``symbol`` is ``None`` if the issue is of the whole run.
    """

    symbol: str | None
    kind: PriceIssueKind | EarlierIssueKind
    date: Date | None
    text: str
    ratio: str | None = None
    count: int | None = None
    days: int | None = None
    new_symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The record of one run. ``errors`` holds the first 100 of ``errors_count``, ``price_issues`` likewise.

    After ``cancel_requested_at`` an active run is being canceled: no further step does anything.
    """

    run_id: str
    status: RunStatus
    trigger: Trigger
    requested_at: Time
    started_at: Time | None = None
    completed_at: Time | None = None
    cancel_requested_at: Time | None = None
    as_of: date | None = None
    as_of_requested: date | None = None
    """``None`` for the newest date."""
    dry_run: bool = False
    retry_of: str | None = None
    users: Scope = "all"
    """The users the run was requested for."""
    users_to_analyze: int = 0
    users_to_analyze_estimated: bool = False
    """Whether the number is an estimate, until the documents of all users are read."""
    users_analyzed: int = 0
    users_skipped: int = 0
    users_failed: int = 0
    portfolios_analyzed: int = 0
    symbols: int = 0
    symbols_failed: int = 0
    progress: Progress = Progress()
    errors: tuple[RunError, ...] = ()
    errors_count: int = 0
    price_issues: tuple[SymbolIssue, ...] = ()
    price_issues_count: int = 0
    metrics: Metrics = Metrics()

    @property
    def described(self) -> str:
        """Return the run's id and what it was requested for, for log lines."""
        return f"run_id={self.run_id}, {self.requested_for}"

    @property
    def requested_for(self) -> str:
        """Return what the run was requested for, in the words of log lines."""
        as_of, dry_run = self.as_of_requested or "newest", str(self.dry_run).lower()
        return f"users={self.users}, dry_run={dry_run}, as_of={as_of}"

    @property
    def place(self) -> tuple[datetime, str]:
        """Return what orders runs by time."""
        return self.requested_at, self.run_id

    @property
    def is_active(self) -> bool:
        """Return whether the run has not reached a final state."""
        return self.status in ACTIVE_STATUSES

    @property
    def is_completed(self) -> bool:
        """Return whether the run has come to its end, with or without errors."""
        return self.status in ("completed", "completed_with_errors")

    @property
    def has_work(self) -> bool:
        """Return whether the run's steps have something to do: it is active and not being canceled."""
        return self.is_active and self.cancel_requested_at is None


class RunExists(Exception):
    """A run with that id is already recorded."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Identifies repeated requests for a run: by ``key``; ``body`` is the content of the request."""

    key: str
    body: str


class KeyTaken(Exception):
    """The run ``run_id`` was recorded under the same key, for the same or another ``body``."""

    def __init__(self, run_id: str, body: str, requested_at: datetime) -> None:
        super().__init__(run_id)
        self.run_id = run_id
        self.body = body
        self.requested_at = requested_at


@dataclass(frozen=True, slots=True)
class Outcome:
    """The numbers of users of a page, or of a run, by outcome."""

    analyzed: int = 0
    skipped: int = 0
    failed: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(self.analyzed + other.analyzed, self.skipped + other.skipped, self.failed + other.failed)


def user_counts(outcome: Outcome) -> dict[str, int]:
    """Return the members of a run document with the numbers of users."""
    return {
        "users_analyzed": outcome.analyzed,
        "portfolios_analyzed": outcome.analyzed,
        "users_skipped": outcome.skipped,
        "users_failed": outcome.failed,
    }


class Summary(Record, frozen=True):
    """One line about a portfolio, for lists."""

    user_id: str
    status: Status
    reason: str | None
    market_value: float | None
    annual_volatility: float | None
    max_drawdown: float | None
    value_at_risk_95: float | None
    warnings: int
    breaches: int
    unknowns: int
    complete: bool | None
    """Whether every holding is valued; ``None`` without a valuation."""


class PersonSummary(Record, frozen=True):
    """A person of the newest night: the summary of the report, what the person is called, and the last nights' values.

    Amounts are in ``currency``, the person's. ``twr_1y`` is the time-weighted return of a year, ``None`` without
    transactions. ``values`` are the total values of the last nights, by date.
    """

    user_id: str
    name: str | None
    email: str | None
    run_id: str
    as_of: Date | None
    status: Status
    reason: str | None
    currency: str | None
    total_value: float | None
    market_value: float | None
    annual_volatility: float | None
    max_drawdown: float | None
    value_at_risk_95: float | None
    twr_1y: float | None
    warnings: int
    breaches: int
    unknowns: int
    complete: bool | None
    values: tuple[tuple[Date, float], ...] = ()


class BackendUser(Record, frozen=True):
    """A user as the backend has it, analyzed or not. Runs analyze the ``active`` ones."""

    user_id: str
    name: str | None
    email: str | None
    active: bool


class PriceDays(Record, frozen=True):
    """The days of the first and of the last price, which a run can be as of.

    ``first`` is ``None`` where there may be older prices than the known ones, ``last`` where none are known.
    """

    first: Date | None
    last: Date | None


type Reason = Literal["failed", "incomplete", "new_breach", "breach"]


class RuleOfBook(Record, frozen=True):
    """The numbers of persons by the state of one rule, and of those whose state changed since the night before."""

    rule: str
    warning: int
    breach: int
    new_breaches: int
    recovered: int


class Attention(Record, frozen=True):
    """A person that needs attention: because of a ``rule``, or of ``None``, and since when."""

    user_id: str
    why: Reason
    rule: str | None
    since: Date | None


class Book(Record, frozen=True):
    """All portfolios of a night together; ``total_value`` is in ``currency``, at the night's rates.

    ``people`` were analyzed. Those ``incomplete`` own something without a price, which is not in the total, and the
    ``unconverted`` have a value in a currency without a rate. ``newest_price`` is the day of the newest price.
    """

    run_id: str
    as_of: Date | None
    currency: str
    total_value: float
    unconverted: int
    people: int
    failed: int
    incomplete: int
    newest_price: Date | None
    checks: tuple[RuleOfBook, ...]
    attention: tuple[Attention, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter for the portfolios of a run: all conditions must hold.

    A check is named by its rule; with a status, that exact status, else beyond a threshold: a warning or a breach.
    ``complete`` asks for those of whom every holding is valued, or those of whom one is not.
    """

    status: Status | None = None
    check: str | None = None
    check_status: CheckStatus | None = None
    user_id_prefix: str = ""
    complete: bool | None = None


class Failure(Struct, frozen=True):
    """The reason a run cannot continue, as a type and as a sentence."""

    error_type: str
    error: str


class Parameters(Struct, frozen=True):
    """The settings that must not change during a run: fixed in its plan, and used again for figures of its reports."""

    benchmark_symbol: str
    lookback_days: int
    risk_free_rate: float
    page_size: int
    min_success_rate: float
    market_data_provider: str = ""
    """Empty in plans of earlier versions."""
    base_currency: str = "USD"

    @classmethod
    def of(cls, settings: object) -> "Parameters":
        """Return the parameters of a run that is planned now; ``settings`` has members of the same names."""
        return convert(settings, cls, from_attributes=True)


class Plan(Struct, frozen=True):
    """The size of a run, or the reason why it cannot be planned. It has no symbols before these are collected.

    ``positions`` are the held symbols of all users together, and ``min_success_rate`` is the share of them that needs
    prices, 0 in a run of some users. At most ``load_at_once`` batches of prices are under way, any number if it is 0.
    ``currencies`` are those whose rates figures may need, without minor units.
    """

    plan_id: str = ""
    symbols: int = 0
    symbol_batches: int = 0
    pages: int = 0
    min_success_rate: float = 0.0
    positions: int = 0
    load_at_once: int = 0
    currencies: tuple[str, ...] = ()
    failure: Failure | None = None


class NightOfRun(Struct, frozen=True):
    """The night that a run belongs to, as its own run or as a retry.

    ``first`` is the run that the chain of retries begins with. ``before`` are the runs of the night before, latest
    first: its retries and its own run; none before the first night.
    """

    first: str
    before: tuple[str, ...] = ()


class PlannedRun(Struct, frozen=True):
    """A run as its steps see it; ``asked_on`` is the day of the request, in UTC, ``currencies`` are the plan's.

    ``night`` is ``None`` unless the run is the newest night's or a retry of it.
    """

    as_of: date
    dry_run: bool
    of_all_users: bool
    parameters: Parameters
    asked_on: date
    currencies: tuple[str, ...] = ()
    night: NightOfRun | None = None


class Batch(Struct, frozen=True):
    """The numbered batch of symbols or users of a run's plan that a step works on."""

    run_id: str
    plan_id: str
    number: int


class BatchResult(Struct, frozen=True):
    """The result of a batch, or of several together.

    ``failed`` counts the members of the batch that failed: users, or held symbols. ``failed_symbols`` names the most
    held of these, with their ``failed_holders``, and ``failed_positions`` are the holders of all. ``failure`` is the
    reason why a batch as a whole could not be processed.
    """

    failed: int = 0
    failed_symbols: tuple[str, ...] = ()
    failed_holders: tuple[int, ...] = ()
    failed_positions: int = 0
    failure: Failure | None = None


class DeliveryWork(Struct, frozen=True):
    """What is to be delivered to an endpoint now: ``due`` deliveries, and slots of passes, each with its run.

    If there is none, ``wait_seconds`` is how long until there may be some, ``None`` for never.
    """

    due: bool = False
    slots: tuple[tuple[str, str], ...] = ()
    wait_seconds: float | None = None


class DeliveryStep(Struct, frozen=True):
    """A part of what is to be delivered to an endpoint: the slot of a run's pass, or what is due."""

    endpoint_id: str
    run_id: str | None = None
    slot: str = ""


type DeliveryStatus = Literal["pending", "delivered", "dead"]


class DeliveryShown(Record, frozen=True):
    """The delivery of an event to one endpoint, with the ``problem`` and the status of the last attempt that failed.

    The first attempt at an event on a portfolio is counted only where it failed.
    """

    endpoint_id: str
    status: DeliveryStatus
    attempts: int
    last_attempt_at: Time | None
    next_attempt_at: Time | None
    problem: str | None
    status_code: int | None


class EventShown(Record, frozen=True):
    """An event, and its deliveries: ``dead`` if one of these is given up, ``pending`` if one is still to be made.

    ``None`` if there are no deliveries, because no endpoint takes its type.
    """

    event_id: str
    type: str
    subject: str
    run_id: str | None
    time: Time
    status: DeliveryStatus | None
    data: Mapping[str, Any]
    deliveries: tuple[DeliveryShown, ...]


class ReceiverShown(Record, frozen=True):
    """A receiver of events, without the path of its URL, which may hold a key.

    After ``failures`` in a row it is left alone until ``resumes_at``. One that answered 410 is not ``active``.
    """

    endpoint_id: str
    host: str
    types: tuple[str, ...]
    active: bool
    failures: int
    resumes_at: Time | None


type Credential = Literal["admin-secret", "bearer", "session", "timer", "command", "none"]
type AuditedAction = Literal[
    "trigger", "retry", "cancel", "sign_in", "list_portfolios", "read_report", "read_series", "read_earlier",
    "read_returns", "read_gains", "read_income", "export_report", "export_portfolios", "export_gains", "list_people",
    "read_book", "start_session", "end_session", "list_events", "replay_event",
    "test_webhook", "forget",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    """An administrator's session: the names that the credential has which it was started with, and its times.

    ``proof`` is made of the session's id and the version of the secret that the credential was checked with; it is
    ``None`` for a token of an OpenID issuer.
    """

    actor: str
    credential: Literal["admin-secret", "bearer"]
    credential_id: str | None
    proof: str | None
    created_at: Time
    expires_at: Time


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An administrator's action: never a credential, a header or a portfolio's value.

    An action is ``attempted`` until its outcome is known; ``problem`` is the reason of a refusal. ``run_id`` is the run
    that was, or was to be, started, canceled or read; ``client`` is the address of the request. ``user_id`` is the user
    whose report was asked for. ``dry_run``, ``as_of`` and ``user_ids`` are those of the run asked for, null for its
    defaults; of a list, ``user_ids`` are the users it showed. Of ``user_ids_count`` ids the first hundred are kept.
    """

    entry_id: str
    at: Time
    action: AuditedAction
    credential: Credential
    correlation_id: str
    outcome: Literal["attempted", "accepted", "refused"]
    actor: str | None = None
    credential_id: str | None = None
    client: str | None = None
    problem: str | None = None
    run_id: str | None = None
    user_id: str | None = None
    event_id: str | None = None
    endpoint_id: str | None = None
    dry_run: bool | None = None
    as_of: date | None = None
    user_ids: tuple[str, ...] | None = None
    user_ids_count: int | None = None
