/** Data of the API for a page, loaded once or polled while it changes. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Problem, Unreachable } from "../api/problem";
import { session } from "../api/session";
import { Store } from "./store";

export interface Resource<Value> {
  /** The last response. It is kept while a newer one loads, and when that fails. */
  value: Value | null;
  error: unknown;
  reload: () => void;
}

/** Whether the app answered the last request. */
export const connection = new Store<"up" | "down">("up");

const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;

/** Responses that cannot change any more, so that going back is immediate. */
let kept = new Map<string, unknown>();
const MOST_KEPT = 60;

/** Return a response from the cache, or load and keep it. Only for data that never changes, such as the report of an ended run. */
export async function once<Value>(key: string, load: () => Promise<Value>): Promise<Value> {
  const own = kept; // a response to the user before does not get into the cache of the next one
  if (!own.has(key)) {
    own.set(key, await load());
    const [oldest] = own.keys();
    if (own.size > MOST_KEPT && oldest !== undefined) {
      own.delete(oldest);
    }
  }
  return own.get(key) as Value;
}

/** Begin with an empty cache, as when another user signs in. */
export function forgetAll(): void {
  kept = new Map();
}

/**
 * Load the data named `key`, and load it again after the milliseconds that `again` returns; null means never.
 *
 * There are no requests while the page is hidden or its user signed out. While the app is unreachable or unavailable, the interval doubles with
 * each attempt; when the browser is online again, the next request follows at once.
 */
export function useResource<Value>(
  key: string,
  load: () => Promise<Value>,
  again: (value: Value) => number | null = () => null,
): Resource<Value> {
  const [state, setState] = useState<{ key: string; value: Value | null; error: unknown }>({
    key,
    value: null,
    error: null,
  });
  const latest = useRef({ load, again });
  latest.current = { load, again };
  const poller = useRef<Poller | null>(null);

  useEffect(() => {
    const own = new Poller(async () => {
      try {
        const value = await latest.current.load();
        if (own.isStopped) {
          return null;
        }
        connection.set("up");
        setState({ key, value, error: null });
        return latest.current.again(value);
      } catch (error) {
        if (!own.isStopped && session.get().signedIn) {
          connection.set(error instanceof Unreachable ? "down" : "up");
          setState((before) => ({ key, value: before.key === key ? before.value : null, error }));
        }
        throw error;
      }
    });
    poller.current = own;
    own.start();
    return () => own.stop();
  }, [key]);

  const reload = useCallback(() => poller.current?.askNow(), []);
  return state.key === key ? { ...state, reload } : { value: null, error: null, reload };
}

/** Return the milliseconds until the next attempt; null where another attempt would not help. */
function waitAfter(error: unknown, retryMs: number): number | null {
  if (!(error instanceof Problem)) {
    return retryMs;
  }
  return error.status >= 500 || error.status === 429 ? Math.max(retryMs, (error.retryAfter ?? 0) * 1000) : null;
}

/** Sends a request, waits for the interval that the response requires, and repeats. */
class Poller {
  isStopped = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private retryMs = FIRST_RETRY_MS;
  private asking = false;
  /** Whether a request is due as soon as the page is visible. */
  private wanted = false;
  /** Whether a request is due as soon as the user has signed in again. */
  private held = false;
  private stopListening: (() => unknown) | undefined;

  /** `ask` returns the milliseconds to the next request, null for none. */
  constructor(private readonly ask: () => Promise<number | null>) {}

  start(): void {
    document.addEventListener("visibilitychange", this.resume);
    addEventListener("online", this.resume);
    this.stopListening = session.listen(({ signedIn }) => {
      if (signedIn && this.held) {
        this.askNow();
      }
    });
    this.askNow();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.stopListening?.();
    document.removeEventListener("visibilitychange", this.resume);
    removeEventListener("online", this.resume);
  }

  readonly askNow = (): void => {
    clearTimeout(this.timer);
    void this.askOnce();
  };

  private readonly resume = (): void => {
    if (this.wanted && !document.hidden) {
      this.askNow();
    }
  };

  private async askOnce(): Promise<void> {
    this.held = !session.get().signedIn;
    if (this.asking || this.isStopped || this.held) {
      return;
    }
    this.asking = true;
    this.wanted = false;
    let wait: number | null;
    try {
      wait = await this.ask();
      this.retryMs = FIRST_RETRY_MS;
    } catch (error) {
      wait = waitAfter(error, this.retryMs);
      this.retryMs = Math.min(2 * this.retryMs, LONGEST_RETRY_MS);
      this.held = !session.get().signedIn;
    }
    this.asking = false;
    if (wait !== null && !this.isStopped) {
      this.wanted = true;
      this.timer = setTimeout(() => document.hidden || this.askNow(), wait);
    }
  }
}
