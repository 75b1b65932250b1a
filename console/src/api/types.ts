/** Reports as the API returns them: the types of /api/openapi.json, limited to the fields that the console reads. */

import type { ReportStatus } from "./people-types";
import type { SymbolIssue } from "./runs-types";

export interface Valuation {
  market_value: number;
  cash: number;
  cost_basis: number | null;
  unrealized_pl: number | null;
  unrealized_pl_pct: number | null;
  day_change: number | null;
  day_change_pct: number | null;
  unpriced_cost: number;
  complete: boolean;
}

export interface Holding {
  symbol: string;
  quantity: number | null;
  avg_price: number | null;
  /** Of `price`, `avg_price` and `market_value_local`; may be a minor unit. Absent in a report of an earlier version. */
  currency?: string;
  /** What one unit of `currency` is worth in the report's. */
  fx_rate?: number | null;
  price: number | null;
  price_date: string | null;
  market_value: number | null;
  market_value_local?: number | null;
  cost_basis: number | null;
  weight: number | null;
  unrealized_pl: number | null;
  unrealized_pl_pct: number | null;
  return_1d: number | null;
  return_252d: number | null;
  annual_volatility: number | null;
  beta: number | null;
  risk_contribution: number | null;
  /** `name`, `sector` and `country` are absent in a report of an earlier version. */
  research: {
    score: number | null;
    name?: string | null;
    sector?: string | null;
    country?: string | null;
  } | null;
  reason: string | null;
}

export interface Performance {
  start: string;
  end: string;
  observations: number;
  cumulative_return: number | null;
  cagr: number | null;
  return_21d: number | null;
  return_ytd: number | null;
  return_252d: number | null;
}

export interface Risk {
  annual_volatility: number | null;
  sharpe_ratio: number | null;
  sortino_ratio: number | null;
  max_drawdown: number | null;
  max_drawdown_peak: string | null;
  max_drawdown_trough: string | null;
  max_drawdown_recovery: string | null;
  current_drawdown: number | null;
  value_at_risk_95: number | null;
  conditional_value_at_risk_95: number | null;
  beta: number | null;
  alpha: number | null;
  correlation_to_benchmark: number | null;
  tracking_error: number | null;
  /** Null in a report of an earlier version. */
  risk_free_rate: number | null;
}

export interface Diversification {
  effective_holdings: number | null;
  largest_weight: number | null;
  diversification_ratio: number | null;
  average_correlation: number | null;
}

export interface Stress {
  scenario: string;
  return: number | null;
  loss: number | null;
  coverage: number | null;
}

export type CheckStatus = "ok" | "warning" | "breach" | "unknown";

export interface Check {
  rule: string;
  status: CheckStatus;
  value: number | null;
  threshold: number;
  message: string;
}

export interface Decision {
  symbol: string;
  decision: "BUY" | "SELL" | "HOLD";
  position_size_percent: number;
  strength: number;
  signal_since: string | null;
  reasoning_summary: string;
}

export interface Order {
  symbol: string;
  side: "BUY" | "SELL";
  shares: number;
  estimated_price: number | null;
  estimated_cost: number;
  priority: number;
  skip_reason: string | null;
}

export interface OrderPlan {
  orders: Order[];
  total_sell_proceeds: number;
  total_buy_cost: number;
  available_buying_power: number;
  scaling_applied: boolean;
  scaling_factor: number;
  orders_skipped: number;
  reason: string | null;
  notes: string[];
}

export interface DataQuality {
  coverage: number | null;
  missing_symbols: string[];
  stale_symbols: string[];
  short_history_symbols: string[];
  young_symbols: string[];
  unknown_cost_symbols: string[];
  invalid_holdings: { symbol: string; reason: string }[];
  price_issues: SymbolIssue[];
  notes: string[];
}

export interface CurrencyExposure {
  currency: string;
  share: number;
}

export type PeriodName = "1m" | "3m" | "ytd" | "1y" | "3y" | "5y" | "since";

export interface ReturnPeriod {
  period: PeriodName;
  start: string | null;
  end: string;
  twr: number | null;
  twr_annualized: number | null;
  mwr: number | null;
  dietz: number | null;
  start_value: number | null;
  end_value: number | null;
  net_flows: number | null;
  price_gain: number | null;
  income: number | null;
  fees: number | null;
  taxes: number | null;
  fx_gain: number | null;
  residual: number | null;
  benchmark_same_flows: number | null;
  max_drawdown: number | null;
  annual_volatility: number | null;
  reason: string | null;
}

export interface Contribution {
  period: PeriodName;
  symbol: string | null; // null for cash
  gain: number;
  share: number | null;
  contribution: number | null;
}

export interface LedgerIssue {
  date: string | null;
  kind: string;
  text: string;
}

export interface Returns {
  basis: "account" | "securities";
  since: string | null;
  current_drawdown: number | null;
  periods: ReturnPeriod[];
  contributions: Contribution[];
  issues: LedgerIssue[];
  notes: string[];
}

/** The weekly values of the whole ledger; `series` may be empty. */
export interface ReturnsSeries {
  returns: Returns | null;
  reason: string | null;
  series: {
    date: string;
    value: number | null;
    invested: number | null;
    twr_index: number | null;
    benchmark_index: number | null;
  }[];
}

export interface Income {
  basis: "transactions" | "implied";
  trailing_12m: number;
  by_month: { month: string; amount: number }[];
  by_symbol: {
    symbol: string | null;
    amount: number;
    yield_on_value: number | null;
    yield_on_cost: number | null;
  }[];
  yield_on_value: number | null;
  yield_on_cost: number | null;
  next_12m: number;
}

export type LotMethod = "fifo" | "lifo" | "hifo" | "average" | "specific";

export type Term = "short" | "long" | "unknown";

export interface RealizedLot {
  symbol: string;
  account_id: string | null;
  opened: string | null;
  closed: string;
  quantity: number;
  proceeds: number;
  cost: number | null;
  gain: number | null;
  days: number | null;
  term: Term;
  wash_sale: boolean;
}

export interface UnrealizedLot {
  symbol: string;
  account_id: string | null;
  opened: string | null;
  quantity: number;
  cost: number | null;
  value: number | null;
  gain: number | null;
  days: number | null;
  term: Term;
}

export interface GainTotal {
  proceeds: number;
  cost: number | null;
  gain: number | null;
}

/** The lots of a user, from the transactions as they are now. */
export interface Gains {
  year: number;
  method: LotMethod;
  currency: string;
  realized: RealizedLot[];
  totals: Record<Term, GainTotal>;
  unrealized: UnrealizedLot[];
  issues: LedgerIssue[];
}

export interface Report {
  run_id: string;
  user_id: string;
  as_of: string;
  currency: string;
  status: ReportStatus;
  reason: string | null;
  /** Why a section is null, by its name. */
  reasons?: Record<string, string>;
  valuation: Valuation | null;
  holdings: Holding[];
  // The members that may be absent are so in a report of an earlier version.
  currency_exposure?: CurrencyExposure[] | null;
  performance: Performance | null;
  risk: Risk | null;
  diversification: Diversification | null;
  stress: Stress[] | null;
  returns?: Returns | null;
  income?: Income | null;
  checks: Check[];
  decisions: Decision[];
  order_plan: OrderPlan | null;
  data_quality: DataQuality | null;
  error: string | null;
}

/** The user's report of an earlier run, if there is one. */
export interface Earlier {
  report: Report | null;
}

export interface Series {
  dates: string[];
  growth: (number | null)[];
  benchmark_growth: (number | null)[];
  drawdown: (number | null)[];
  benchmark_drawdown: (number | null)[];
  correlations: { symbols: string[]; values: (number | null)[][] };
}
