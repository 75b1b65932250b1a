"""The records that flow through the analysis. Plain, frozen, without behavior beyond their meaning.

Conventions: money is in the person's base currency; weights, returns and risk figures are fractions (0.05 is 5 %)
unless the name ends in ``_pct``; losses are negative; an undefined figure is ``None``, never NaN or infinity.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Literal

from records import CheckStatus, Date, Record, Status, SymbolIssue

if TYPE_CHECKING:  # numpy is slow to import, and an alias is evaluated only on access
    import numpy as np
    from numpy.typing import NDArray

SCHEMA_VERSION = 2
"""The version of the form of reports."""

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Booleans = NDArray[np.bool_]
type Dates = NDArray[np.datetime64]
type Objects = NDArray[np.object_]
type Action = Literal["BUY", "SELL", "HOLD"]
type UnpricedReason = Literal["missing_price", "missing_fx_rate", "invalid"]
type Side = Literal["BUY", "SELL"]
type LotMethod = Literal["fifo", "lifo", "hifo", "average", "specific"]
type PeriodName = Literal["1m", "3m", "ytd", "1y", "3y", "5y", "since"]
type ReturnsIssueKind = Literal[
    "amount_mismatch", "duplicate_id", "future_transaction", "negative_position", "unexplained_cash",
    "opening_position", "missing_price", "missing_fx_rate", "unknown_type", "unreadable", "lot_not_found",
    "prices_already_adjusted", "corporate_action_pending",
]  # fmt: skip


class Holding(Record, frozen=True):
    """A position: ``quantity`` shares (negative when short, may be fractional) bought at ``avg_price``.

    An ``avg_price`` of zero or below is a known cost, as of a gift or a spin-off; ``None`` is an unknown one.
    """

    symbol: str
    quantity: float
    avg_price: float | None


class InvalidHolding(Record, frozen=True):
    """A holding whose symbol or quantity cannot be read; ``reason`` names the rule its document breaks.

    ``quantity`` and ``avg_price`` are ``None`` if they cannot be read, or are absent. Cash in a ``currency`` without a
    rate is one, too: ``quantity`` is then the amount.
    """

    symbol: str
    reason: str
    quantity: float | None = None
    avg_price: float | None = None
    currency: str | None = None


class Account(Record, frozen=True):
    """An account of a person, its amounts in its ``currency``."""

    account_id: str
    cash: float
    buying_power: float
    currency: str


class Instrument(Record, frozen=True):
    """The facts about a symbol that the backend knows; ``None`` if it does not.

    A value is price x quantity x ``multiplier``. Orders are for whole multiples of ``lot_size``. ``currency`` is the
    price's; it may be a minor unit. ``name``, ``sector`` and ``country`` are only shown.
    """

    kind: str | None = None
    diversified: bool | None = None
    multiplier: float = 1.0
    lot_size: float | None = None
    fractional: bool | None = None
    currency: str | None = None
    name: str | None = None
    sector: str | None = None
    country: str | None = None


class Portfolio(Record, frozen=True):
    """One user's holdings and watchlist. Holdings are unique by symbol, and none is of zero shares.

    ``thresholds`` are the user's own, ``{rule: {"warning", "breach"}}``: NaN for one that is no finite number.
    ``notes`` are sentences about the documents, for the user. ``cash`` and ``buying_power`` are the plain sums over the
    ``accounts``, if there are some, whatever their currencies. ``base_currency`` is ``None`` where the user names none.
    """

    user_id: str
    holdings: tuple[Holding, ...] = ()
    watchlist: tuple[str, ...] = ()
    cash: float = 0.0
    buying_power: float = 0.0
    invalid_holdings: tuple[InvalidHolding, ...] = ()
    thresholds: Mapping[str, Mapping[str, float]] = {}
    notes: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()
    base_currency: str | None = None
    lot_method: LotMethod = "fifo"


class Research(Record, frozen=True, omit_defaults=True):
    """The research of one symbol's price history, the same for all users; prices except ``close`` are adjusted.

    ``trend`` is 1 (close > SMA 50 > SMA 200), -1 (close < SMA 50 < SMA 200) or 0; ``momentum_12_1`` the return from
    252 to 21 days ago; ``fibonacci_levels`` the prices at 0, 23.6, 38.2, 50, 61.8, 78.6 and 100 % back from the end of
    the last 252 days' swing, ``support`` and ``resistance`` those next below and above; ``score`` is in [-1, 1], and
    ``signal_since`` the first day of the unbroken run of days with a score on today's side (>= 0.5, <= -0.5, between).
    ``name``, ``sector`` and ``country`` are the instrument's; what the backend does not know is left out.
    """

    symbol: str
    as_of: date
    close: float
    adj_close: float
    sma_50: float | None
    sma_200: float | None
    ema_12: float | None
    ema_26: float | None
    macd: float | None
    macd_signal: float | None
    macd_histogram: float | None
    rsi_14: float | None
    bollinger_percent_b: float | None
    atr_14: float | None
    distance_to_52_week_high: float | None
    distance_to_52_week_low: float | None
    annual_volatility_63d: float | None
    momentum_12_1: float | None
    trend: int | None
    support: float | None
    resistance: float | None
    score: float | None
    signal_since: date | None
    fibonacci_levels: tuple[float, ...] | None
    name: str | None = None
    sector: str | None = None
    country: str | None = None


class Valuation(Record, frozen=True):
    """The value of the priced holdings at the last close; ``market_value`` is without cash, shorts count negative.

    ``cost_basis`` and ``unrealized_pl`` are over the holdings whose cost is known. ``unpriced_cost`` is the sum of the
    absolute estimates of the unpriced holdings; ``complete`` is false as soon as there is one.
    """

    market_value: float
    cash: float
    cost_basis: float | None
    unrealized_pl: float | None
    unrealized_pl_pct: float | None
    day_change: float | None
    day_change_pct: float | None
    unpriced_cost: float
    complete: bool


class HoldingReport(Record, frozen=True):
    """One holding, valued. ``weight`` is its share of the market values that are known plus cash.

    ``price``, ``avg_price`` and ``market_value_local`` are in its ``currency``, one unit of which is worth ``fx_rate``;
    all other amounts are in the report's. ``reason`` says why it has no price. The ``research`` of its symbol, the same
    for all users, is stored once, and joined when the report is read.
    """

    symbol: str
    quantity: float | None
    avg_price: float | None
    currency: str
    fx_rate: float | None
    price: float | None
    price_date: date | None
    market_value: float | None
    market_value_local: float | None
    cost_basis: float | None
    weight: float | None
    unrealized_pl: float | None
    unrealized_pl_pct: float | None
    return_1d: float | None
    return_21d: float | None
    return_252d: float | None
    annual_volatility: float | None
    beta: float | None
    risk_contribution: float | None
    reason: UnpricedReason | None
    research: Research | None = None


class CurrencyExposure(Record, frozen=True):
    """The ``share`` of a currency in the sum of the absolute values of holdings and cash; pence are pounds."""

    currency: str
    share: float


class Performance(Record, frozen=True):
    """The performance of today's mix, held from the close of ``start`` to that of ``end``: a backtest."""

    basis: Literal["current_holdings"]
    start: date
    end: date
    observations: int
    cumulative_return: float | None
    cagr: float | None
    return_1d: float | None
    return_5d: float | None
    return_21d: float | None
    return_63d: float | None
    return_ytd: float | None
    return_252d: float | None


class Risk(Record, frozen=True):
    """Risk figures of today's mix over the window of :class:`Performance`.

    ``risk_free_rate`` is the annual, effective rate that the figures of excess returns assume.
    """

    annual_volatility: float | None
    downside_deviation: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    calmar_ratio: float | None
    omega_ratio: float | None
    max_drawdown: float | None
    max_drawdown_peak: date | None
    max_drawdown_trough: date | None
    max_drawdown_recovery: date | None
    current_drawdown: float | None
    value_at_risk_95: float | None
    value_at_risk_99: float | None
    gaussian_value_at_risk_95: float | None
    gaussian_value_at_risk_99: float | None
    conditional_value_at_risk_95: float | None
    conditional_value_at_risk_99: float | None
    skewness: float | None
    excess_kurtosis: float | None
    beta: float | None
    alpha: float | None
    correlation_to_benchmark: float | None
    tracking_error: float | None
    information_ratio: float | None
    risk_free_rate: float


class Diversification(Record, frozen=True):
    """The distribution of money and risk."""

    herfindahl_index: float | None
    effective_holdings: float | None
    largest_weight: float | None
    diversification_ratio: float | None
    average_correlation: float | None


class Stress(Record, frozen=True, rename={"return_": "return"}):
    """The return in a scenario, and that times the total value; ``None`` if unknown.

    Documents call it ``return``, a keyword of Python. ``coverage`` is the share of the gross value behind the return;
    ``None`` as the report's, or without a return.
    """

    scenario: str
    return_: float | None
    loss: float | None
    coverage: float | None


class Check(Record, frozen=True):
    """The result of one rule: ``threshold`` is the crossed one, or that of a warning."""

    rule: str
    status: CheckStatus
    value: float | None
    threshold: float
    message: str


class Decision(Record, frozen=True):
    """The decision about a symbol, and its reason.

    ``position_size_percent`` is of the buying power to spend, or of the position to sell or, if short, to buy back.
    ``strength``, from 1 to 10, is that of the signal, not a probability; ``confidence`` repeats it for readers of older
    reports. ``signal_since`` is the research's.
    """

    symbol: str
    decision: Action
    position_size_percent: float
    strength: int
    signal_since: date | None
    reasoning_summary: str
    confidence: int


class Order(Record, frozen=True):
    """A planned order of ``shares`` in whole lots; none are ordered if there is a ``skip_reason``.

    ``original_size_percent`` is the decision's, ``adjusted_size_percent`` that after scaling; ``priority`` counts
    from 1, the order to place first.
    """

    symbol: str
    side: Side
    shares: float
    estimated_price: float | None
    estimated_cost: float
    original_size_percent: float
    adjusted_size_percent: float
    priority: int
    skip_reason: str | None


class OrderPlan(Record, frozen=True):
    """All orders of a portfolio in the order to place them; ``notes`` are sentences.

    ``reason`` says in one word why there are no orders, whatever the decisions.
    """

    orders: tuple[Order, ...]
    total_sell_proceeds: float
    total_buy_cost: float
    available_buying_power: float
    scaling_applied: bool
    scaling_factor: float
    orders_skipped: int
    reason: str | None
    notes: tuple[str, ...]


class ReturnsIssue(Record, frozen=True):
    """What is wrong or notable in a person's ledger; ``date`` is ``None`` where it is of no day."""

    date: Date | None
    kind: ReturnsIssueKind
    text: str


class ReturnPeriod(Record, frozen=True):
    """What a person really earned from the close of ``start`` to that of ``end``; ``reason`` says why nothing is known.

    ``end_value`` = ``start_value`` + ``net_flows`` + ``price_gain`` + ``income`` + ``fx_gain`` - ``fees`` - ``taxes`` +
    ``residual``. Of less than a year, ``mwr`` is the return of the period, else a year's. ``benchmark_same_flows`` is
    the end value if everything had been in the benchmark.
    """

    period: PeriodName
    start: date | None
    end: date
    twr: float | None = None
    twr_annualized: float | None = None
    mwr: float | None = None
    dietz: float | None = None
    start_value: float | None = None
    end_value: float | None = None
    net_flows: float | None = None
    price_gain: float | None = None
    income: float | None = None
    fees: float | None = None
    taxes: float | None = None
    fx_gain: float | None = None
    residual: float | None = None
    benchmark_same_flows: float | None = None
    max_drawdown: float | None = None
    annual_volatility: float | None = None
    reason: str | None = None


class Contribution(Record, frozen=True):
    """The part of a period's gain that a symbol ever held brought, or cash, whose ``symbol`` is ``None``.

    ``share`` is of the total gain, ``contribution`` of the capital of the modified Dietz return.
    """

    period: PeriodName
    symbol: str | None
    gain: float
    share: float | None
    contribution: float | None


class Returns(Record, frozen=True):
    """What a person really earned, by the transactions; amounts are in the base currency.

    ``basis`` says whether cash is part of it. ``since`` is the day of the first transaction of the sound period,
    ``None`` if there is none. ``current_drawdown`` is that of the time-weighted index since then.
    """

    basis: Literal["account", "securities"]
    since: date | None
    current_drawdown: float | None
    periods: tuple[ReturnPeriod, ...]
    contributions: tuple[Contribution, ...]
    issues: tuple[ReturnsIssue, ...]
    notes: tuple[str, ...] = ()


class MonthlyIncome(Record, frozen=True):
    """The income of a month, ``2026-11``, gross."""

    month: str
    amount: float


class SymbolIncome(Record, frozen=True):
    """The income from a symbol in the last twelve months, gross; its yields are on today's value and cost."""

    symbol: str | None
    amount: float
    yield_on_value: float | None
    yield_on_cost: float | None


class Income(Record, frozen=True):
    """The income of the last twelve months, gross, in the base currency.

    ``next_12m`` is that of a share times today's quantity, without what was a distribution.
    """

    basis: Literal["transactions", "implied"]
    trailing_12m: float
    by_month: tuple[MonthlyIncome, ...]
    by_symbol: tuple[SymbolIncome, ...]
    yield_on_value: float | None
    yield_on_cost: float | None
    next_12m: float


class DataQuality(Record, frozen=True):
    """The quality of the data behind the figures.

    ``coverage`` is the share of everything owned that return-based figures stand for, ``None`` if the size of a holding
    is unknown; ``young_symbols`` have enough history of their own, but less than the portfolio's window.
    ``price_issues`` are the issues of the prices of held or watched symbols; ``notes`` are sentences with the
    reasons why figures are ``None``.
    """

    coverage: float | None
    missing_symbols: tuple[str, ...] = ()
    stale_symbols: tuple[str, ...] = ()
    short_history_symbols: tuple[str, ...] = ()
    young_symbols: tuple[str, ...] = ()
    unknown_cost_symbols: tuple[str, ...] = ()
    invalid_holdings: tuple[InvalidHolding, ...] = ()
    price_issues: tuple[SymbolIssue, ...] = ()
    notes: tuple[str, ...] = ()


SECTIONS = (
    *("valuation", "performance", "risk", "diversification", "stress", "returns", "income"),
    *("order_plan", "data_quality"),
)
"""The sections of a report that may be ``None``."""


class Report(Record, frozen=True):
    """The analysis of one user's portfolio in one run.

    ``reason`` is one word for why a report is not (fully) analyzed, ``reasons`` gives one for each section that is
    ``None``, by its name; ``error`` is a sentence for why a report failed.
    """

    run_id: str
    user_id: str
    as_of: date
    currency: str
    status: Status
    reason: str | None = None
    reasons: Mapping[str, str] = {}
    valuation: Valuation | None = None
    holdings: tuple[HoldingReport, ...] = ()
    currency_exposure: tuple[CurrencyExposure, ...] = ()
    performance: Performance | None = None
    risk: Risk | None = None
    diversification: Diversification | None = None
    stress: tuple[Stress, ...] | None = None
    returns: Returns | None = None
    income: Income | None = None
    checks: tuple[Check, ...] = ()
    decisions: tuple[Decision, ...] = ()
    order_plan: OrderPlan | None = None
    data_quality: DataQuality | None = None
    error: str | None = None
    schema_version: int = SCHEMA_VERSION


class Correlations(Record, frozen=True):
    """Pairwise correlations of the largest holdings: row and column ``i`` are of ``symbols[i]``, the largest first."""

    symbols: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


class Series(Record, frozen=True):
    """Today's mix and the benchmark over the window of the report's ``performance``, one value per week.

    ``dates`` are the first day of the window, then the last trading day of each week. Growth begins with 1 on the first
    day; a drawdown is the lowest of its week, so that the deepest of all is among them.
    """

    dates: tuple[date, ...]
    growth: tuple[float | None, ...]
    benchmark_growth: tuple[float | None, ...]
    drawdown: tuple[float | None, ...]
    benchmark_drawdown: tuple[float | None, ...]
    correlations: Correlations
