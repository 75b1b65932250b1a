/** Labels and summaries for a run. */

import type { Phase, Run, RunStatus, Timetable } from "../api/runs-types";
import { count, counted, fromNow, time } from "../format";
import type { Tone } from "../ui/parts";

export const STATUS: Record<RunStatus, { tone: Tone; label: string }> = {
  queued: { tone: "info", label: "Queued" },
  running: { tone: "info", label: "Running" },
  completed: { tone: "ok", label: "Completed" },
  completed_with_errors: { tone: "warning", label: "Completed with errors" },
  failed: { tone: "bad", label: "Failed" },
  canceled: { tone: "neutral", label: "Canceled" },
};

export const PHASES: { phase: Phase; label: string; does: string }[] = [
  { phase: "plan", label: "Plan", does: "Listing users and symbols" },
  { phase: "market_data", label: "Market data", does: "Fetching prices" },
  { phase: "research", label: "Research", does: "Researching symbols" },
  { phase: "analyze", label: "Analysis", does: "Analyzing portfolios" },
  { phase: "finish", label: "Finish", does: "Counting results" },
];

export const isActive = (run: Run): boolean => run.status === "queued" || run.status === "running";

export const isCompleted = ({ status }: Run): boolean => status === "completed" || status === "completed_with_errors";

/** Whether a run is that of a night, if it completes: of everybody, as of the last trading day, and not dry. */
export const isNight = (run: Run): boolean => run.users === "all" && run.as_of_requested === null && !run.dry_run;

/** Return the latest of the nights, newest first, if it should have replaced the figures of an earlier one but did not. */
export function lostOf(nights: Run[]): Run | undefined {
  const done = nights.findIndex(isCompleted);
  const later = done < 0 ? nights : nights.slice(0, done);
  return later.find((run) => run.status === "failed" || run.status === "canceled");
}

/** Return the status to show. The record of a run that is being canceled still has the status `running`. */
export function stateOf(run: Run): { tone: Tone; label: string } {
  return isActive(run) && run.cancel_requested_at ? { tone: "neutral", label: "Canceling" } : STATUS[run.status];
}

export function sourceOf(run: Run): string {
  return { timer: "Nightly timer", http: run.trigger.actor, retry: `Retry by ${run.trigger.actor}` }[
    run.trigger.source
  ];
}

export const titleOf = (run: Run): string => `Run of ${time(run.requested_at)}`;

export const durationOf = (run: Run): number | null =>
  run.metrics.total_duration_seconds ??
  (run.completed_at === null
    ? null
    : (Date.parse(run.completed_at) - Date.parse(run.started_at ?? run.requested_at)) / 1000);

export interface Verdict {
  tone: Tone;
  title: string;
  text: string;
}

// A run that starts late or is retried is not missed yet.
const LATE_MS = 25 * 60_000;

/** The latest runs of any kind, and those that are nights if they complete, newest first. */
export interface LatestRuns {
  runs: Run[];
  nights: Run[];
}

/** Return a title and a sentence about the run that is active, or about the last night, which may be missing. */
export function verdictOn({ runs, nights }: LatestRuns, timetable: Timetable | null, now = Date.now()): Verdict {
  const active = runs.find(isActive);
  const [night] = nights;
  if (!runs.length) {
    return { tone: "neutral", title: "No runs yet", text: "Start a run, or wait for the nightly run." };
  }
  if (active) {
    return { tone: "info", title: "Run in progress", text: `${sourceOf(active)}, started ${when(active, now)}.` };
  }
  const due = timetable?.previous ? Date.parse(timetable.previous) : null;
  if (due !== null && now - due > LATE_MS && (!night || Date.parse(night.requested_at) < due - 60_000)) {
    return {
      tone: "bad",
      title: "Nightly run missed",
      text: `A run was due ${fromNow(timetable?.previous ?? "", now)}, but none has started since.`,
    };
  }
  return night
    ? verdictOnEnd(night, now)
    : { tone: "neutral", title: "No run of everybody yet", text: "Start one, or wait for the nightly run." };
}

function verdictOnEnd(run: Run, now: number): Verdict {
  const { tone } = STATUS[run.status];
  const dry = run.dry_run ? " in a dry run" : "";
  const analyzed = `${counted(run.users_analyzed, "portfolio")} analyzed${dry} ${when(run, now)}`;
  switch (run.status) {
    case "completed":
      return { tone, title: "Last run completed", text: `${analyzed}, no failures.` };
    case "completed_with_errors":
      return {
        tone,
        title: run.users_failed > 0 ? `${counted(run.users_failed, "user")} failed` : "Completed with warnings",
        text: `${analyzed}. ${symbolsWithoutPrices(run)}`.trim(),
      };
    case "failed":
      return { tone, title: "Last run failed", text: run.errors[0]?.error ?? "No reason was recorded." };
    default:
      return {
        tone,
        title: "Last run canceled",
        text: run.dry_run ? `${analyzed}.` : `${analyzed}. Stored reports are kept.`,
      };
  }
}

const when = (run: Run, now: number): string => fromNow(run.completed_at ?? run.requested_at, now);

function symbolsWithoutPrices(run: Run): string {
  return run.symbols_failed > 0 ? `${counted(run.symbols_failed, "held symbol")} had no usable prices.` : "";
}

/**
 * Return the estimated time left of a run in seconds, and the basis of the estimate; null without a basis.
 *
 * The basis is the pace of this run once enough pages are done, before that the duration of an earlier run per user.
 */
export function estimateOf(run: Run, earlier: Run | null, seen: PageTimes): { seconds: number; basis: string } | null {
  const { phase, pages_done, pages_total } = run.progress;
  if (phase === "analyze" && pages_done > 0 && seen.first && pages_done > seen.first.pages) {
    const pace = (seen.last - seen.first.at) / 1000 / (pages_done - seen.first.pages);
    return { seconds: pace * (pages_total - pages_done), basis: "based on the pace of this run" };
  }
  const whole = earlier?.metrics.total_duration_seconds;
  if (!whole || !earlier.users_to_analyze || !run.users_to_analyze || !run.started_at) {
    return null;
  }
  const expected = whole * (run.users_to_analyze / earlier.users_to_analyze);
  const elapsed = (seen.last - Date.parse(run.started_at)) / 1000;
  return elapsed < expected ? { seconds: expected - elapsed, basis: "based on the last run" } : null;
}

/** The number of users to analyze, said to be an estimate while it is one. */
export function usersToAnalyze(run: Run): string {
  return `${run.users_to_analyze_estimated ? "about " : ""}${count(run.users_to_analyze)}`;
}

/** The times at which the console saw the number of completed pages. */
export interface PageTimes {
  first: { pages: number; at: number } | null;
  last: number;
}
