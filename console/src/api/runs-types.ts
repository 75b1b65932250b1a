/** Runs, the schedule and the health of the app, as the API returns them. */

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
  /** Everybody, selected people, or those who failed in the run that it retries. */
  users: "all" | "some" | "failed";
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

/** The days of the first and the last price; null where they are not known. */
export interface PriceDays {
  first: string | null;
  last: string | null;
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
