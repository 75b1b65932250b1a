"""The records that flow through the analysis. Plain, frozen, without behavior beyond their meaning.

Conventions: money is in the account currency; weights, returns and risk figures are fractions (0.05 is 5 %) unless the
name ends in ``_pct``; losses are negative; an undefined figure is ``None``, never NaN or infinity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal, dataclass_transform

from records import CheckStatus, Status, SymbolIssue

if TYPE_CHECKING:  # numpy is slow to import, and an alias is evaluated only on access
    import numpy as np
    from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Booleans = NDArray[np.bool_]
type Dates = NDArray[np.datetime64]
type Objects = NDArray[np.object_]
type Action = Literal["BUY", "SELL", "HOLD"]
type Side = Literal["BUY", "SELL"]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record[Record](cls: type[Record]) -> type[Record]:
    """Return a frozen dataclass; only the type checker enforces that it is frozen.

    Enforced at run time, it would make a record six times as expensive, and a page of 200 users has some 8,000.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


@record
class Holding:
    """A position: ``quantity`` shares (negative when short, may be fractional) bought at ``avg_price``."""

    symbol: str
    quantity: float
    avg_price: float


@record
class InvalidHolding:
    """A holding that was left out because its document breaks a rule, named by ``reason``."""

    symbol: str
    reason: str


@record
class Portfolio:
    """One user's holdings and watchlist. Holdings are unique by symbol."""

    user_id: str
    holdings: tuple[Holding, ...] = ()
    watchlist: tuple[str, ...] = ()
    cash: float = 0.0
    buying_power: float = 0.0
    invalid_holdings: tuple[InvalidHolding, ...] = ()
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@record
class Research:
    """The research of one symbol's price history, the same for all users; prices except ``close`` are adjusted.

    ``trend`` is 1 (close > SMA 50 > SMA 200), -1 (close < SMA 50 < SMA 200) or 0; ``momentum_12_1`` the return from
    252 to 21 days ago; ``fibonacci_levels`` the prices at 0, 23.6, 38.2, 50, 61.8, 78.6 and 100 % back from the end of
    the last 252 days' swing, ``support`` and ``resistance`` those next below and above; ``score`` is in [-1, 1].
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
    fibonacci_levels: tuple[float, ...] | None


@record
class Valuation:
    """The value of the holdings at the last close; ``market_value`` is without cash, shorts count negative."""

    market_value: float
    cash: float
    cost_basis: float
    unrealized_pl: float
    unrealized_pl_pct: float | None
    day_change: float | None
    day_change_pct: float | None


@record
class HoldingReport:
    """One holding, valued. ``weight`` is its share of market values plus cash.

    Documents add the ``research`` of its symbol, which is the same for all users.
    """

    symbol: str
    quantity: float
    avg_price: float
    price: float | None
    price_date: date | None
    market_value: float | None
    weight: float | None
    unrealized_pl: float | None
    unrealized_pl_pct: float | None
    return_1d: float | None
    return_21d: float | None
    return_252d: float | None
    annual_volatility: float | None
    beta: float | None
    risk_contribution: float | None


@record
class Performance:
    """The performance of today's mix from the close of ``start`` to that of ``end``."""

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


@record
class Risk:
    """Risk figures of today's mix over the window of :class:`Performance`."""

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


@record
class Diversification:
    """The distribution of money and risk."""

    herfindahl_index: float | None
    effective_holdings: float | None
    largest_weight: float | None
    diversification_ratio: float | None
    average_correlation: float | None


@record
class Stress:
    """The return in a scenario (``return`` in documents), and that times the total value; ``None`` if unknown."""

    scenario: str
    return_: float | None
    loss: float | None


@record
class Check:
    """The result of one rule: ``threshold`` is the crossed one, or that of a warning."""

    rule: str
    status: CheckStatus
    value: float | None
    threshold: float
    message: str


@record
class Decision:
    """The decision about a symbol, and its reason; ``confidence`` is from 1 to 10.

    ``position_size_percent`` is of the buying power to spend, or of the position to sell or, if short, to buy back.
    """

    symbol: str
    decision: Action
    position_size_percent: int
    confidence: int
    reasoning_summary: str


@record
class Order:
    """A planned order of whole ``shares``; none are ordered if there is a ``skip_reason``.

    ``original_size_percent`` is the decision's, ``adjusted_size_percent`` that after scaling; ``priority`` counts
    from 1, the order to place first.
    """

    symbol: str
    side: Side
    shares: int
    estimated_price: float | None
    estimated_cost: float
    original_size_percent: float
    adjusted_size_percent: float
    priority: int
    skip_reason: str | None


@record
class OrderPlan:
    """All orders of a portfolio in the order to place them; ``notes`` are sentences."""

    orders: tuple[Order, ...]
    total_sell_proceeds: float
    total_buy_cost: float
    available_buying_power: float
    scaling_applied: bool
    scaling_factor: float
    orders_skipped: int
    notes: tuple[str, ...]


@record
class DataQuality:
    """The quality of the data behind the figures. ``coverage`` is the share of gross market value with enough history.

    ``price_issues`` are the issues of the prices of held or watched symbols; ``notes`` are sentences with the
    reasons why figures are ``None``.
    """

    coverage: float | None
    missing_symbols: tuple[str, ...] = ()
    stale_symbols: tuple[str, ...] = ()
    short_history_symbols: tuple[str, ...] = ()
    invalid_holdings: tuple[InvalidHolding, ...] = ()
    price_issues: tuple[SymbolIssue, ...] = ()
    notes: tuple[str, ...] = ()


@record
class Report:
    """The analysis of one user's portfolio in one run.

    ``reason`` is one word for why a report is not (fully) analyzed, ``error`` a sentence for why one failed.
    """

    run_id: str
    user_id: str
    as_of: date
    currency: str
    status: Status
    reason: str | None = None
    valuation: Valuation | None = None
    holdings: tuple[HoldingReport, ...] = ()
    performance: Performance | None = None
    risk: Risk | None = None
    diversification: Diversification | None = None
    stress: tuple[Stress, ...] | None = None
    checks: tuple[Check, ...] = ()
    decisions: tuple[Decision, ...] = ()
    order_plan: OrderPlan | None = None
    data_quality: DataQuality | None = None
    error: str | None = None


@record
class Correlations:
    """Pairwise correlations of the largest holdings: row and column ``i`` are of ``symbols[i]``, the largest first."""

    symbols: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


@record
class Series:
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
