/** What each kind of error means, and what an administrator does about it. */

import type { RunError } from "../api/types";

export interface Kind {
  title: string;
  advice: string;
}

const KINDS: Record<string, Kind> = {
  unknown_user: {
    title: "No such active user",
    advice: "The id was asked for, but no active user has it. Check its spelling, or whether the user has left.",
  },
  nothing_to_analyze: {
    title: "Nothing to analyse",
    advice: "The user has neither holdings nor a watchlist, so there is nothing to do.",
  },
  invalid_user_id: {
    title: "Unusable user ids",
    advice:
      "Documents in the collection users have no user_id, or one with characters that are not allowed. Mend them there.",
  },
  invalid_holdings: {
    title: "Holdings that break a rule",
    advice:
      "No holding of the user has a usable symbol, quantity and price. Mend the documents in the collection holdings, then retry.",
  },
  too_many_holdings: {
    title: "Too many holdings",
    advice: "More than 5,000 holdings of one user cannot be analysed. Are test data among them?",
  },
  too_many_watched: {
    title: "Too many watched symbols",
    advice: "More than 5,000 watched symbols of one user cannot be analysed. Are test data among them?",
  },
  invalid_account: {
    title: "Accounts that break a rule",
    advice:
      "Cash or buying power is no number, or the user has several accounts. Mend the collection accounts, then retry.",
  },
  invalid_thresholds: {
    title: "Thresholds that break a rule",
    advice:
      "The user's analysis_thresholds are not of the form {rule: {warning, breach}}. Mend the collection users, then retry.",
  },
  unreadable_documents: {
    title: "Unreadable documents",
    advice: "The user's documents hold what no rule foresees. The log names the kind of error.",
  },
  analysis_error: {
    title: "The analysis broke off",
    advice: "A defect, or figures beyond all bounds. The log has the details; retry once, then report it.",
  },
  unwritable_report: {
    title: "Reports that cannot be stored",
    advice: "The report does not fit a document of the database; the text says why.",
  },
  missing_prices: {
    title: "Symbols without prices",
    advice: "The source of prices does not know the symbol. Holders are analysed without it.",
  },
  bad_prices: {
    title: "Symbols with unusable prices",
    advice: "The prices break a rule, at the place named. Mend the source, then start a run.",
  },
  too_few_prices: {
    title: "Too few prices",
    advice: "Too few symbols had prices to say anything. Is the source of prices answering? Start a run when it is.",
  },
  benchmark_prices: {
    title: "No benchmark",
    advice: "Without prices of BENCHMARK_SYMBOL there is no calendar. Check the setting and the source of prices.",
  },
  provider_key_refused: {
    title: "The source of prices refuses the key",
    advice: "It was withdrawn, has expired or is not set. Renew the provider's key in the vault, then start a run.",
  },
  run_lost: {
    title: "The run was lost",
    advice: "The engine does not carry it any more, as when its host died at the start. Start it again.",
  },
  engine_unavailable: {
    title: "The engine was away",
    advice: "It did not take the run. Look at the storage account, or the Scheduler, then start it again.",
  },
  newer_version: {
    title: "The app was rolled back",
    advice: "A newer version of the app had started this run, and this one cannot carry it on. Start it again.",
  },
  worker_died: {
    title: "Workers died",
    advice:
      "The process of a step ended each time it was tried, often for lack of memory. Look at the workers' memory, or lower ANALYSIS_PAGE_SIZE; then start the run again.",
  },
  step_timed_out: {
    title: "A step took too long",
    advice:
      "It ran into functionTimeout. Is the source of prices slow, are portfolios large? Lower ANALYSIS_PAGE_SIZE, then start the run again.",
  },
  step_missing: {
    title: "A step is missing",
    advice: "Was something deployed meanwhile? The log of the functions has more. Start the run again.",
  },
  step_failed: {
    title: "A step failed",
    advice:
      "The engine names no kind of error; the text is all there is. Start the run again, and report it if it comes back.",
  },
  run_stalled: {
    title: "The run stood still",
    advice: "A step hung, and the watchdog stopped it. Look at the workers' memory and log, then start it again.",
  },
  message_too_large: { title: "A message was too large", advice: "A defect: report it. Start the run again." },
  invalid_message: {
    title: "Steps did not understand each other",
    advice: "Was something deployed meanwhile? Start the run again.",
  },
  ProviderUnavailable: {
    title: "The source of prices was away",
    advice: "It did not answer for as long as a step is tried again. Start the run again when it does.",
  },
};

const OF_DATABASE = new Set(["ServerSelectionTimeoutError", "AutoReconnect", "NetworkTimeout", "WriteRefused"]);

export function kindOf(errorType: string): Kind {
  if (OF_DATABASE.has(errorType)) {
    return {
      title: "The database was away",
      advice: "It did not answer for longer than a step is tried again. Look at the health, then start the run again.",
    };
  }
  return KINDS[errorType] ?? { title: errorType, advice: "The log has the details under this name." };
}

export interface Group extends Kind {
  type: string;
  errors: RunError[];
}

const OF_PRICES = new Set(["missing_prices", "bad_prices"]);

export const isOfPrices = (error: RunError): boolean => OF_PRICES.has(error.error_type);

/** Put errors of one kind together, the most frequent kind first. */
export function grouped(errors: RunError[]): Group[] {
  const groups = new Map<string, RunError[]>();
  for (const error of errors) {
    groups.set(error.error_type, [...(groups.get(error.error_type) ?? []), error]);
  }
  return [...groups]
    .map(([type, members]) => ({ type, ...kindOf(type), errors: members }))
    .sort((a, b) => b.errors.length - a.errors.length);
}
