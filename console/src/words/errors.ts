/** A title and advice for each type of run error. */

import type { RunError } from "../api/runs-types";

export interface Kind {
  title: string;
  advice: string;
}

const KINDS: Record<string, Kind> = {
  unknown_user: {
    title: "User not found or inactive",
    advice: "No active user has this ID. Check its spelling and whether the user is still active.",
  },
  nothing_to_analyze: {
    title: "Nothing to analyze",
    advice: "The user has no holdings and no watchlist items.",
  },
  invalid_user_id: {
    title: "Invalid user IDs",
    advice:
      "Documents in the users collection have no user_id, or one with characters that are not allowed. Fix the documents.",
  },
  nobody_to_analyze: {
    title: "Nobody to analyze",
    advice:
      "Users or holdings exist, but they do not fit together. The message has the counts: fix the data or FIELDS.",
  },
  invalid_holding: {
    title: "Holdings that cannot be read",
    advice:
      "The symbol or quantity of these holdings cannot be read. Their owners are analyzed without them. Fix the documents in the holdings collection.",
  },
  // Of an earlier version, like invalid_thresholds.
  invalid_holdings: {
    title: "Invalid holdings",
    advice:
      "None of the user's holdings has a valid symbol, quantity and price. Fix the documents in the holdings collection, then retry.",
  },
  too_many_holdings: {
    title: "Too many holdings",
    advice: "A user can have at most 5,000 holdings. Check the holdings collection for test data.",
  },
  too_many_watched: {
    title: "Too many watchlist symbols",
    advice: "A user can watch at most 5,000 symbols. Check the watchlist collection for test data.",
  },
  invalid_account: {
    title: "Invalid accounts",
    advice:
      "Cash or buying power is not a number, or the user has too many accounts. Fix the documents in the accounts collection, then retry.",
  },
  invalid_thresholds: {
    title: "Invalid thresholds",
    advice:
      "The user's analysis_thresholds do not have the form {rule: {warning, breach}}. Fix the document in the users collection, then retry.",
  },
  unreadable_documents: {
    title: "Unreadable documents",
    advice: "The user's documents have unexpected content. See the log for the type of error.",
  },
  analysis_error: {
    title: "Analysis failed",
    advice:
      "This is a bug, or a value is too large to calculate with. See the log for details. Retry once, then report it.",
  },
  unwritable_report: {
    title: "Report not stored",
    advice: "The report does not fit in a database document. The message explains why.",
  },
  missing_prices: {
    title: "Symbols without prices",
    advice:
      "The market data provider has no prices for these symbols. Portfolios that hold them are valued without them, and marked as incomplete.",
  },
  bad_prices: {
    title: "Symbols with invalid prices",
    advice: "The message names the place of the error. Fix the prices at their source, then start a new run.",
  },
  too_few_prices: {
    title: "Too few prices",
    advice: "Too few positions had prices for an analysis. Check the market data provider, then start a new run.",
  },
  benchmark_prices: {
    title: "No benchmark prices",
    advice: "The prices of BENCHMARK_SYMBOL define the trading days. Check the setting and the market data provider.",
  },
  other_version: {
    title: "App deployed during the run",
    advice: "Start the run again. Reports stored by then are kept.",
  },
  provider_key_refused: {
    title: "Market data key refused",
    advice:
      "The provider's API key was revoked, has expired or is not set. Renew it in the key vault, then start a new run.",
  },
  provider_changed: {
    title: "Market data provider changed",
    advice: "The setting was changed during the run, whose prices must be of one source. Start a new run.",
  },
  run_lost: {
    title: "Run lost",
    advice:
      "The workflow engine has no record of the run, for example because its host crashed at the start. Start a new run.",
  },
  newer_version: {
    title: "App rolled back",
    advice: "A newer version of the app started this run, and this version cannot continue it. Start a new run.",
  },
  worker_died: {
    title: "Worker crashed",
    advice:
      "The worker process ended on every attempt, often because it ran out of memory. Check the memory of the workers or lower ANALYSIS_PAGE_SIZE, then start a new run.",
  },
  step_timed_out: {
    title: "Step timed out",
    advice:
      "A step took longer than functionTimeout. Check for a slow market data provider or large portfolios, or lower ANALYSIS_PAGE_SIZE, then start a new run.",
  },
  step_missing: {
    title: "Step not found",
    advice:
      "This can happen if a new version is deployed during a run. See the function log for details, then start a new run.",
  },
  step_failed: {
    title: "Step failed",
    advice:
      "The engine reported no error type, only the message. Start a new run, and report the error if it happens again.",
  },
  run_stalled: {
    title: "Run stalled",
    advice:
      "A step hung, and the watchdog stopped the run. Check the memory and the log of the workers, then start a new run.",
  },
  message_too_large: { title: "Message too large", advice: "This is a bug. Report it, then start a new run." },
  invalid_message: {
    title: "Invalid message between steps",
    advice: "This can happen if a new version is deployed during a run. Start a new run.",
  },
  ProviderUnavailable: {
    title: "Market data provider unavailable",
    advice: "The provider did not respond before the retries ran out. Start a new run when it is available again.",
  },
};

const DATABASE_ERRORS = new Set(["ServerSelectionTimeoutError", "AutoReconnect", "NetworkTimeout", "WriteRefused"]);

export function kindOf(errorType: string): Kind {
  if (DATABASE_ERRORS.has(errorType)) {
    return {
      title: "Database unavailable",
      advice: "The database did not respond before the retries ran out. Check its health, then start a new run.",
    };
  }
  return KINDS[errorType] ?? { title: errorType, advice: "See the log for details about this type of error." };
}

export interface Group extends Kind {
  type: string;
  errors: RunError[];
}

const PRICE_ERRORS = new Set(["missing_prices", "bad_prices"]);

export const isPriceError = (error: RunError): boolean => PRICE_ERRORS.has(error.error_type);

/** Return the errors grouped by type, the most frequent type first. */
export function grouped(errors: RunError[]): Group[] {
  const groups = new Map<string, RunError[]>();
  for (const error of errors) {
    groups.set(error.error_type, [...(groups.get(error.error_type) ?? []), error]);
  }
  return [...groups]
    .map(([type, members]) => ({ type, ...kindOf(type), errors: members }))
    .sort((a, b) => b.errors.length - a.errors.length);
}
