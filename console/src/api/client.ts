/** Requests to the API, with the credentials of the session. */

import { isOfPerson } from "./audience";
import type { AuditPage, EventsPage, Queued, Receiver } from "./events-types";
import type { BackendUser, Book, PeoplePage, PortfoliosPage } from "./people-types";
import { platformUser } from "./platform";
import { Problem, problemOf, Unreachable } from "./problem";
import type { Accepted, Health, PriceDays, Run, RunsPage, Timetable } from "./runs-types";
import {
  type Credential,
  canBeSent,
  followTabs,
  headersOf,
  isByPlatform,
  type SignedIn,
  session,
  signIn,
  signOut,
} from "./session";
import type { Earlier, Gains, Report, ReturnsSeries, Series } from "./types";

const BASE = "/api/admin/portfolio";
const OWN = "/api/me";
const PATIENCE_MS = 30_000;
/** Of a file, which may have everybody. */
const PATIENCE_FOR_FILES_MS = 230_000;

type Query = Record<string, string | number | null | undefined>;

interface Asked {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
  patienceMs?: number;
}

export const SESSION_OVER = new Problem(401, "Session ended", "Your session has ended.", null, null, "session-over");
followTabs(SESSION_OVER);

/** Send a request and return the response, whatever its status. */
async function send(path: string, asked: Asked, signedIn: SignedIn | null): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", ...asked.headers };
  if (signedIn) {
    Object.assign(headers, headersOf(signedIn));
  }
  const init: RequestInit = {
    method: asked.method ?? "GET",
    headers,
    signal: AbortSignal.timeout(asked.patienceMs ?? PATIENCE_MS),
  };
  if (asked.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(asked.body);
  }
  try {
    return await fetch(path, { ...init, credentials: isOfPerson ? "omit" : "same-origin", cache: "no-store" });
  } catch {
    throw new Unreachable();
  }
}

/** Return an answer of this type as a file, under the name that the app gives it, else under `name`. */
async function fileOf(path: string, type: string, name: string): Promise<File> {
  const answer = await receive(path, { headers: { Accept: type }, patienceMs: PATIENCE_FOR_FILES_MS });
  const content = await answer.blob().catch(() => {
    throw new Unreachable();
  });
  return new File([content], nameIn(answer.headers.get("Content-Disposition")) ?? name, { type: content.type });
}

/** Return the name in a header Content-Disposition: as it is, or else in harmless characters. */
function nameIn(disposition: string | null): string | undefined {
  const exact = /filename\*=UTF-8''([^;]+)/.exec(disposition ?? "")?.[1];
  return exact === undefined ? /filename="([^"]+)"/.exec(disposition ?? "")?.[1] : decodeURIComponent(exact);
}

/** Return the JSON of a response. */
async function ask<Answer>(path: string, asked: Asked = {}): Promise<Answer> {
  return (await (await receive(path, asked)).json()) as Answer;
}

/** Send a request of the signed-in user. If its session or credential is refused, the sign-in shows why. */
async function receive(path: string, asked: Asked): Promise<Response> {
  let { signedIn } = session.get();
  let answer = await send(path, asked, signedIn);
  if (answer.status === 401 && signedIn && isByPlatform(signedIn)) {
    const renewed = await renew(signedIn);
    if (renewed) {
      signedIn = renewed;
      answer = await send(path, asked, signedIn);
    }
  }
  if (answer.ok) {
    return answer;
  }
  const problem = await problemOf(answer);
  const isRefused = problem.status === 401 || (problem.status === 403 && problem.kind !== "foreign-page");
  // Unless another user has signed in since.
  if (isRefused && session.get().signedIn === signedIn) {
    signOut(problem.status === 401 && signedIn?.by === "session" ? SESSION_OVER : problem);
  }
  throw problem;
}

let renewing: Promise<SignedIn | null> | null = null;

/** Sign in again with a fresh token of the platform, once for all requests that need it. */
async function renew(expired: SignedIn): Promise<SignedIn | null> {
  const { signedIn } = session.get();
  if (signedIn !== expired) {
    return signedIn;
  }
  renewing ??= signInByPlatform(expired).finally(() => {
    renewing = null;
  });
  return renewing;
}

async function signInByPlatform(expired: SignedIn): Promise<SignedIn | null> {
  const user = await platformUser();
  if (!user || (expired.by === "credential" && user.token === expired.credential.value)) {
    return null;
  }
  return enter({ kind: "token", value: user.token, byPlatform: true }, false).catch(() => null);
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : path;
}

const part = encodeURIComponent;
const ofRun = (runId: string): string => `${BASE}/analysis-runs/${part(runId)}`;

type Document = "report" | "series" | "earlier" | "returns" | "gains";

/** Return the address of a document of a report: among those of administrators, or of the person signed in. */
function documentOf(runId: string, userId: string, document: Document, query: Query = {}): string {
  if (isOfPerson) {
    return withQuery(`${OWN}/${document}`, { run_id: runId, ...query });
  }
  const report = `${ofRun(runId)}/portfolios/${part(userId)}`;
  return withQuery(document === "report" ? report : `${report}/${document}`, query);
}

/**
 * Sign in with a credential, which is checked first.
 *
 * An administrator's is forgotten as soon as the app has made a session of it, unless the browser keeps no cookies.
 */
export async function enter(credential: Credential, keep: boolean): Promise<SignedIn> {
  let signedIn: SignedIn = { by: "credential", credential };
  if (!canBeSent(signedIn)) {
    throw new Problem(401, "Unauthorized", "The secret or token contains invalid characters.", null, null);
  }
  if (isOfPerson) {
    const answer = await send(`${OWN}/income`, {}, signedIn);
    // A person without a report is signed in, too.
    if (!answer.ok && answer.status !== 404) {
      throw await problemOf(answer);
    }
  } else {
    signedIn = await startSession(credential);
  }
  signIn(signedIn, keep);
  return signedIn;
}

async function startSession(credential: Credential): Promise<SignedIn> {
  const byCredential: SignedIn = { by: "credential", credential };
  const bySession: SignedIn = { by: "session", byPlatform: credential.byPlatform };
  const started = await send(`${BASE}/session`, { method: "POST" }, byCredential);
  if (!started.ok) {
    throw await problemOf(started);
  }
  await started.text(); // an unread answer keeps its connection
  const answer = await send(withQuery(`${BASE}/analysis-runs`, { limit: 1 }), {}, bySession);
  if (answer.status === 401) {
    return byCredential; // the cookie did not come back
  }
  if (!answer.ok) {
    throw await problemOf(answer);
  }
  await answer.text();
  return bySession;
}

/** Sign out, and end the session; throw the error if the app did not end it. */
export async function leave(): Promise<void> {
  const { signedIn } = session.get();
  if (signedIn?.by === "session") {
    const answer = await send(`${BASE}/session`, { method: "DELETE" }, signedIn);
    if (!answer.ok && answer.status !== 401) {
      throw await problemOf(answer);
    }
  }
  signOut();
}

const MOST_IDS = 100;
// As part of an address, which servers limit.
const LONGEST_IDS = 4_000;

/** Return IDs in lots that one request may ask for. */
function lotsOf(userIds: string[]): string[][] {
  const lots: string[][] = [];
  let length = 0;
  for (const userId of userIds) {
    const lot = lots.at(-1);
    const more = part(`${userId}/`).length;
    length += more;
    if (lot && lot.length < MOST_IDS && length <= LONGEST_IDS) {
      lot.push(userId);
    } else {
      lots.push([userId]);
      length = more;
    }
  }
  return lots;
}

export interface RunRequest {
  dry_run?: boolean;
  user_ids?: string[];
  as_of?: string;
}

/** Null stands for what the API chooses: this year, and the user's method. */
export interface GainsQuery {
  year: number | null;
  method: string | null;
}

export const api = {
  runs: (limit: number, query: { before?: string | null; users?: Run["users"] } = {}) =>
    ask<RunsPage>(withQuery(`${BASE}/analysis-runs`, { limit, ...query })),
  run: (runId: string) => ask<Run>(`${BASE}/analysis-status/${part(runId)}`),
  start: (request: RunRequest, key: string) =>
    ask<Accepted>(`${BASE}/trigger-analysis`, { method: "POST", body: request, headers: { "Idempotency-Key": key } }),
  cancel: (runId: string) => ask<Accepted>(`${ofRun(runId)}/cancel`, { method: "POST" }),
  retry: (runId: string) => ask<Accepted>(`${ofRun(runId)}/retry`, { method: "POST" }),
  portfolios: (runId: string, query: Query) => ask<PortfoliosPage>(withQuery(`${ofRun(runId)}/portfolios`, query)),
  /** The people of the newest night. */
  people: (query: Query) => ask<PeoplePage>(withQuery(`${BASE}/portfolios`, query)),
  /** A person by ID: of the newest night, and as the backend has it. */
  person: (userId: string) => ask<PeoplePage>(withQuery(`${BASE}/portfolios`, { user_ids: userId, limit: 1 })),
  /** Return those of the users that the backend has, analyzed or not. */
  async users(userIds: string[]): Promise<BackendUser[]> {
    const found: BackendUser[] = [];
    for (const lot of lotsOf(userIds)) {
      const query = { user_ids: lot.join("/"), limit: 1 };
      found.push(...((await ask<PeoplePage>(withQuery(`${BASE}/portfolios`, query))).users ?? []));
    }
    return found;
  },
  /** Return all people that the query lists as a file. */
  peopleFile: (query: Query, type: string) => fileOf(withQuery(`${BASE}/portfolios`, query), type, "portfolios"),
  book: () => ask<Book>(`${BASE}/book`),
  events: (query: Query) => ask<EventsPage>(withQuery(`${BASE}/events`, query)),
  replay: (eventId: string) => ask<Queued>(`${BASE}/events/${part(eventId)}/replay`, { method: "POST" }),
  webhooks: () => ask<{ webhooks: Receiver[] }>(`${BASE}/webhooks`),
  testWebhook: (endpointId: string) => ask<Queued>(`${BASE}/webhooks/${part(endpointId)}/test`, { method: "POST" }),
  /** The newest report of the person signed in. */
  ownReport: () => ask<Report>(`${OWN}/report`),
  report: (runId: string, userId: string) => ask<Report>(documentOf(runId, userId, "report")),
  series: (runId: string, userId: string) => ask<Series>(documentOf(runId, userId, "series")),
  /** The report of a user before that of a run: the last one, or that of a night and its retries. */
  earlier: (runId: string, userId: string, night: string | null) =>
    ask<Earlier>(documentOf(runId, userId, "earlier", { night })),
  returns: (runId: string, userId: string) => ask<ReturnsSeries>(documentOf(runId, userId, "returns")),
  gains: (runId: string, userId: string, query: GainsQuery) =>
    ask<Gains>(documentOf(runId, userId, "gains", { ...query })),
  /** Return the same as a file. */
  gainsFile: (runId: string, userId: string, query: GainsQuery) =>
    fileOf(documentOf(runId, userId, "gains", { ...query }), "text/csv", "gains.csv"),
  reportFile: ({ run_id, user_id, as_of }: Report, type: string) =>
    fileOf(documentOf(run_id, user_id, "report"), type, `portfolio-${as_of}-${user_id}.json`),
  priceDays: () => ask<PriceDays>(`${BASE}/price-days`),
  schedule: () => ask<Timetable>(`${BASE}/schedule`),
  audit: (limit: number, before?: string | null) => ask<AuditPage>(withQuery(`${BASE}/audit`, { limit, before })),
  /** Needs no credential. The response of an unavailable app has status 503 and the same form. */
  async health(): Promise<Health> {
    const answer = await send("/api/health", {}, null);
    if (!answer.ok && answer.status !== 503) {
      throw await problemOf(answer);
    }
    return (await answer.json()) as Health;
  },
};

/** Return whether the error means that the requested object does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof Problem && error.status === 404;
}
