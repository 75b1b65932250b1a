/** Labels and details for an entry of the audit log. */

import type { AuditEntry } from "../api/events-types";
import { counted } from "../format";
import type { Tone } from "../ui/parts";

const ACTIONS: Record<AuditEntry["action"], string> = {
  trigger: "Start a run",
  retry: "Retry failed users",
  cancel: "Cancel a run",
  sign_in: "Sign in",
  list_portfolios: "List portfolios",
  read_report: "Read a report",
  read_series: "Read the charts of a report",
  read_earlier: "Read an earlier report",
  read_returns: "Read returns",
  read_gains: "Read lots and gains",
  read_income: "Read income",
  export_portfolios: "Export a list of portfolios",
  export_report: "Export a report",
  export_gains: "Export gains",
  start_session: "Start a session",
  end_session: "End a session",
  list_people: "List people",
  read_book: "Read the figures of a night",
  list_events: "List deliveries",
  replay_event: "Send an event again",
  test_webhook: "Test a receiver",
  forget: "Erase a person",
};

/** Return what was done; what the app knows and this page does not has its name. */
export const actionOf = (action: string): string =>
  (ACTIONS as Record<string, string>)[action] ?? action.charAt(0).toUpperCase() + action.slice(1).replaceAll("_", " ");

export const CREDENTIALS: Record<AuditEntry["credential"], string> = {
  "admin-secret": "Admin secret",
  bearer: "Bearer token",
  session: "Session",
  timer: "Timer",
  command: "Command line",
  none: "None",
};

export const OUTCOMES: Record<AuditEntry["outcome"], [Tone, string]> = {
  accepted: ["ok", "Accepted"],
  refused: ["bad", "Refused"],
  attempted: ["neutral", "Outcome unknown"],
};

/** Return what was asked for, such as `Dry run, as of 2026-01-02, 2 users`; empty for the defaults. */
export function askedFor(entry: AuditEntry): string {
  const parts = [
    entry.dry_run ? "dry run" : "",
    entry.as_of ? `as of ${entry.as_of}` : "",
    entry.user_ids_count === null ? "" : counted(entry.user_ids_count, "user"),
  ].filter(Boolean);
  const text = parts.join(", ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Return the ids of the users that a run was asked for, or that a list showed. */
export function usersOf(entry: AuditEntry): string {
  const kept = entry.user_ids ?? [];
  const others = (entry.user_ids_count ?? 0) - kept.length;
  return [...kept, ...(others > 0 ? [`and ${others} more`] : [])].join(", ");
}
