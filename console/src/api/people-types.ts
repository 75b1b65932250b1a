/** People and the book of a night, as the API returns them. */

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

/** A user as the backend has it, analyzed or not. */
export interface BackendUser {
  user_id: string;
  name: string | null;
  email: string | null;
  active: boolean;
}

export interface PeoplePage {
  portfolios: Person[];
  next: string | null;
  /** Those of the IDs asked for that the backend has; null where none are asked for. */
  users: BackendUser[] | null;
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
