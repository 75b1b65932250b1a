/**
 * The signed-in user.
 *
 * For administrators the browser keeps the cookie of a session, which scripts cannot read, and all tabs share it. A
 * person's token is kept in memory, and in this tab's sessionStorage only on request.
 */

import { keep as keepIn, kept as keptIn } from "../storage";
import { Store } from "../ui/store";
import { isOfPerson } from "./audience";
import type { Problem } from "./problem";

export type CredentialKind = "secret" | "token";

export interface Credential {
  kind: CredentialKind;
  value: string;
  /** Whether the platform signed the user in, and can be asked for a fresh token. */
  byPlatform: boolean;
}

/** How requests are signed: by the cookie of a session, or by a credential in a header. */
export type SignedIn = { by: "session"; byPlatform: boolean } | { by: "credential"; credential: Credential };

interface Session {
  signedIn: SignedIn | null;
  /** The reason why the last session ended, unless the user signed out. The page then stays as it is meanwhile. */
  refusal: Problem | null;
}

// The two pages are of one origin, and have a session each.
const TOKEN = "own credential";
/** What the tabs tell each other: who started the session, or that it is over; nothing after a sign-out. */
const MARK = "session";
type Mark = "user" | "platform" | "over";

export const session = new Store<Session>({ signedIn: isOfPerson ? ofToken() : ofMark(mark()), refusal: null });

export function signIn(signedIn: SignedIn, keep: boolean): void {
  if (isOfPerson) {
    keepIn("sessionStorage", TOKEN, keep && signedIn.by === "credential" ? JSON.stringify(signedIn.credential) : null);
  } else {
    setMark(signedIn.by === "credential" ? null : signedIn.byPlatform ? "platform" : "user");
  }
  session.set({ signedIn, refusal: null });
}

export function signOut(refusal: Problem | null = null): void {
  keepIn("sessionStorage", TOKEN, null);
  setMark(refusal ? "over" : null);
  session.set({ signedIn: null, refusal });
}

/** Follow the other tabs; `over` is the refusal for a session that is over there. */
export function followTabs(over: Problem): void {
  addEventListener("storage", ({ key }) => {
    if (key !== MARK || isOfPerson) {
      return;
    }
    const { signedIn, refusal } = session.get();
    const told = mark();
    if (ofMark(told)) {
      session.set({ signedIn: ofMark(told), refusal: null });
    } else if (signedIn?.by === "session") {
      session.set({ signedIn: null, refusal: told === "over" ? over : null });
    } else if (refusal && told === null) {
      session.set({ signedIn: null, refusal: null });
    }
  });
}

/** Return whether the last session ended without a sign-out, and nobody has signed in since. */
export function hasEnded(): boolean {
  return !isOfPerson && mark() === "over";
}

export function isByPlatform(signedIn: SignedIn): boolean {
  return signedIn.by === "session" ? signedIn.byPlatform : signedIn.credential.byPlatform;
}

export function headersOf(signedIn: SignedIn): Record<string, string> {
  if (signedIn.by === "session") {
    // The app accepts the cookie only from its own page, which this header tells.
    return { "X-Requested-With": "portfolio-console" };
  }
  const { kind, value } = signedIn.credential;
  return kind === "secret" ? { "X-Admin-Secret": value } : { Authorization: `Bearer ${value}` };
}

/** Return whether the value has the form of a JWT: three parts with dots, the first an object in base64. */
export function looksLikeToken(value: string): boolean {
  return /^ey[\w-]+\.[\w-]+\.[\w-]+$/.test(value);
}

/** Return whether a header can carry the credential: browsers refuse characters outside of Latin-1. */
export function canBeSent(signedIn: SignedIn): boolean {
  try {
    return Boolean(new Headers(headersOf(signedIn)));
  } catch {
    return false;
  }
}

function ofToken(): SignedIn | null {
  try {
    const credential = JSON.parse(keptIn("sessionStorage", TOKEN) ?? "null") as Credential | null;
    return credential && { by: "credential", credential };
  } catch {
    return null;
  }
}

function ofMark(told: Mark | null): SignedIn | null {
  return told === "user" || told === "platform" ? { by: "session", byPlatform: told === "platform" } : null;
}

function mark(): Mark | null {
  return keptIn("localStorage", MARK) as Mark | null;
}

function setMark(told: Mark | null): void {
  if (!isOfPerson) {
    keepIn("localStorage", MARK, told);
  }
}
