/** The responses of the API as in /api/openapi.json, limited to the fields that the console reads. */

export type RunStatus = "queued" | "running" | "completed" | "completed_with_errors" | "failed" | "canceled";
export type Phase = "queued" | "plan" | "market_data" | "research" | "analyze" | "finish" | "done";

export interface RunError {
  user_id: string | null;
  error_type: string;
  error: string;
}

export interface Metrics {
  total_duration_seconds: number | null;
  avg_duration_per_user_seconds: number | null;
  plan_duration_seconds: number | null;
  portfolios_duration_seconds: number | null;
  market_data_duration_seconds: number | null;
  research_duration_seconds: number | null;
  analyze_duration_seconds: number | null;
}

export interface Run {
  run_id: string;
  status: RunStatus;
  trigger: { source: "http" | "timer" | "retry"; actor: string };
  requested_at: string;
  started_at: string | null;
  completed_at: string | null;
  cancel_requested_at: string | null;
  as_of: string | null;
  as_of_requested: string | null;
  dry_run: boolean;
  retry_of: string | null;
  users_to_analyze: number;
  users_to_analyze_estimated: boolean;
  users_analyzed: number;
  users_skipped: number;
  users_failed: number;
  symbols: number;
  symbols_failed: number;
  progress: { phase: Phase; pages_done: number; pages_total: number };
  errors: RunError[];
  errors_count: number;
  price_issues: SymbolIssue[];
  price_issues_count: number;
  metrics: Metrics;
}

export interface SymbolIssue {
  symbol: string | null; // null where it is of the whole run
  kind: string;
  date: string | null;
  text: string;
}

export interface RunsPage {
  runs: Run[];
  next: string | null;
}

export interface Accepted {
  run_id: string;
  message: string;
}

export interface Timetable {
  schedule: string;
  previous: string | null;
  next: string | null;
  disabled: boolean;
}

export type DependencyState = "ok" | "unavailable" | "not_configured";

export interface Health {
  status: "ok" | "degraded" | "unavailable";
  checks: {
    mongodb: DependencyState;
    redis: DependencyState;
    key_vault: DependencyState;
    engine: DependencyState;
    schedule: DependencyState;
  };
}

export type ReportStatus = "analyzed" | "skipped" | "failed";

export interface Summary {
  user_id: string;
  status: ReportStatus;
  reason: string | null;
  market_value: number | null;
  annual_volatility: number | null;
  max_drawdown: number | null;
  value_at_risk_95: number | null;
  warnings: number;
  breaches: number;
  unknowns: number;
  complete: boolean | null;
}

export interface PortfoliosPage {
  portfolios: Summary[];
  next: string | null;
}

/** A person of the newest night; amounts are in `currency`. */
export interface Person extends Summary {
  name: string | null;
  email: string | null;
  run_id: string;
  as_of: string | null;
  currency: string | null;
  total_value: number | null;
  twr_1y: number | null;
  /** The total values of the last nights, by date. */
  values: [string, number][];
}

export interface PeoplePage {
  portfolios: Person[];
  next: string | null;
}

export interface RuleOfBook {
  rule: string;
  warning: number;
  breach: number;
  /** Those whose state changed since the night before, as `recovered`. */
  new_breaches: number;
  recovered: number;
}

export interface Attention {
  user_id: string;
  name: string | null;
  why: "failed" | "incomplete" | "new_breach" | "breach";
  rule: string | null;
  since: string | null;
  /** The run with the report: that of the night, or one that retried it. */
  run_id: string | null;
}

/** All portfolios of the newest night together. */
export interface Book {
  run_id: string;
  as_of: string | null;
  currency: string;
  total_value: number;
  /** The people whose currency has no exchange rate. */
  unconverted: number;
  people: number;
  failed: number;
  incomplete: number;
  newest_price: string | null;
  checks: RuleOfBook[];
  attention: Attention[];
}

export type DeliveryStatus = "pending" | "delivered" | "dead";

export interface Delivery {
  endpoint_id: string;
  status: DeliveryStatus;
  attempts: number;
  last_attempt_at: string | null;
  next_attempt_at: string | null;
  problem: string | null;
  status_code: number | null;
}

export interface OutboxEvent {
  event_id: string;
  type: string;
  subject: string;
  run_id: string | null;
  time: string;
  status: DeliveryStatus;
  deliveries: Delivery[];
}

export interface EventsPage {
  events: OutboxEvent[];
  next: string | null;
}

export interface Receiver {
  endpoint_id: string;
  host: string;
  types: string[];
  active: boolean;
  failures: number;
  /** After failures in a row, the receiver is left alone until then. */
  resumes_at: string | null;
}

export interface Queued {
  event_id: string;
  endpoint_ids: string[];
}

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

export interface AuditEntry {
  entry_id: string;
  at: string;
  action:
    | "trigger"
    | "retry"
    | "cancel"
    | "sign_in"
    | "list_portfolios"
    | "read_report"
    | "read_series"
    | "read_earlier"
    | "read_returns"
    | "read_gains"
    | "read_income"
    | "export_portfolios"
    | "export_report"
    | "export_gains"
    | "start_session"
    | "forget"
    | "end_session"
    | "list_people"
    | "read_book"
    | "list_events"
    | "replay_event"
    | "test_webhook";
  actor: string | null;
  credential: "admin-secret" | "bearer" | "session" | "timer" | "command" | "none";
  credential_id: string | null;
  client: string | null;
  correlation_id: string;
  outcome: "attempted" | "accepted" | "refused";
  problem: string | null;
  run_id: string | null;
  user_id: string | null;
  dry_run: boolean | null;
  as_of: string | null;
  /** The first hundred of `user_ids_count`. */
  user_ids: string[] | null;
  user_ids_count: number | null;
}

export interface AuditPage {
  entries: AuditEntry[];
  next: string | null;
}
