/** Labels for the events of the outbox and their deliveries. */

import type { Delivery, DeliveryStatus } from "../api/events-types";
import { counted } from "../format";
import type { Tone } from "../ui/parts";

const PREFIX = "portfolio-analysis.";

/** The types of events, without the prefix that all have. */
const TYPES: Record<string, string> = {
  "run.started": "Run started",
  "run.completed": "Run completed",
  "run.failed": "Run failed",
  "run.canceled": "Run canceled",
  "portfolio.breached": "Portfolio in breach",
  "portfolio.recovered": "Portfolio recovered",
  "portfolio.failed": "Portfolio failed",
  "portfolio.incomplete": "Portfolio incomplete",
  digest: "Digest of a night",
  test: "Test",
};

export const EVENT_TYPES: [string, string][] = Object.entries(TYPES).map(([type, label]) => [PREFIX + type, label]);

export const typeOf = (type: string): string => TYPES[type.replace(PREFIX, "")] ?? type;

export const isOfPortfolio = (type: string): boolean => type.startsWith(`${PREFIX}portfolio.`);
export const isTest = (type: string): boolean => type === `${PREFIX}test`;

export const DELIVERY_STATUS: Record<DeliveryStatus, { tone: Tone; label: string }> = {
  pending: { tone: "warning", label: "Pending" },
  delivered: { tone: "ok", label: "Delivered" },
  dead: { tone: "bad", label: "Given up" },
};

const PROBLEMS: Record<string, string> = {
  address_refused: "the address is private or otherwise not allowed",
  answer_ill_formed: "the answer was not HTTP",
  answer_too_long: "the answer was too long",
  connection_failed: "no connection",
  invalid_secret: "the signing secret has no valid form",
  name_not_resolved: "the host was not found",
  no_token: "no token of the app's identity",
  redirected: "it redirects, which is not followed",
  secret_missing: "the signing secret is missing",
  secret_unavailable: "the key vault did not give the signing secret",
  timed_out: "no answer in time",
  tls_failed: "no secure connection: check the certificate",
};

/** Return how a delivery went: "2 attempts, no connection". A problem before a success is no longer one. */
export function attemptsOf({ status, attempts, problem }: Delivery): string {
  return [
    attempts > 0 ? counted(attempts, "attempt") : "",
    problem === null || status === "delivered" ? "" : problemOf(problem),
  ]
    .filter(Boolean)
    .join(", ");
}

function problemOf(problem: string): string {
  const status = /^status_(\d+)$/.exec(problem)?.[1];
  return status ? `it answered ${status}` : (PROBLEMS[problem] ?? problem.replaceAll("_", " "));
}
