/** The signed-in user. Kept in memory, and in this tab's sessionStorage only on request; never longer than the tab. */

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

interface Session {
  credential: Credential | null;
  /** The reason why the last session ended, unless the user signed out. */
  refusal: Problem | null;
}

// The two pages are of one origin, and have a session each.
const KEPT = isOfPerson ? "own credential" : "credential";

export const session = new Store<Session>({ credential: kept(), refusal: null });

export function signIn(credential: Credential, keep: boolean): void {
  keepIn("sessionStorage", KEPT, keep ? JSON.stringify(credential) : null);
  session.set({ credential, refusal: null });
}

export function signOut(refusal: Problem | null = null): void {
  keepIn("sessionStorage", KEPT, null);
  session.set({ credential: null, refusal });
}

export function headersOf(credential: Credential): Record<string, string> {
  return credential.kind === "secret"
    ? { "X-Admin-Secret": credential.value }
    : { Authorization: `Bearer ${credential.value}` };
}

/** Return whether the value has the form of a JWT: three parts with dots, the first an object in base64. */
export function looksLikeToken(value: string): boolean {
  return /^ey[\w-]+\.[\w-]+\.[\w-]+$/.test(value);
}

/** Return whether a header can carry the credential: browsers refuse characters outside of Latin-1. */
export function canBeSent(credential: Credential): boolean {
  try {
    return Boolean(new Headers(headersOf(credential)));
  } catch {
    return false;
  }
}

function kept(): Credential | null {
  try {
    return JSON.parse(keptIn("sessionStorage", KEPT) ?? "null") as Credential | null;
  } catch {
    return null;
  }
}
