/** Events with their deliveries, and the audit log, as the API returns them. */

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
  status: DeliveryStatus | null;
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
