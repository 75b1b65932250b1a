/** What a page shows of the API: asked for once, or again and again while it changes. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Problem, Unreachable } from "../api/problem";
import { Store } from "./store";

export interface Resource<Value> {
  /** The last answer there was; it stays while a newer one is waited for, and when that fails. */
  value: Value | null;
  error: unknown;
  reload: () => void;
}

/** Whether the app has answered last time it was asked. */
export const connection = new Store<"up" | "down">("up");

const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;

/** Answers that cannot change any more, so that going back is immediate. */
const kept = new Map<string, unknown>();
const MOST_KEPT = 60;

/** Keep an answer that will never be another one, such as the report of a run that is over. */
export async function once<Value>(key: string, load: () => Promise<Value>): Promise<Value> {
  if (!kept.has(key)) {
    kept.set(key, await load());
    const [oldest] = kept.keys();
    if (kept.size > MOST_KEPT && oldest !== undefined) {
      kept.delete(oldest);
    }
  }
  return kept.get(key) as Value;
}

/** Forget everything, as when somebody else signs in. */
export function forgetAll(): void {
  kept.clear();
}

/**
 * Load what `key` stands for, and again after as long as `again` says of the answer; null is never.
 *
 * Nothing is asked for while the page is hidden. While nobody answers, or the app says that it cannot now, the wait
 * doubles; it ends at once when the browser is back on the network.
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
        if (!own.isStopped) {
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

/** Give the milliseconds until it is worth asking again; null where the same question is answered no better. */
function waitAfter(error: unknown, retryMs: number): number | null {
  if (!(error instanceof Problem)) {
    return retryMs;
  }
  return error.status >= 500 || error.status === 429 ? Math.max(retryMs, (error.retryAfter ?? 0) * 1000) : null;
}

/** Asks, waits as long as the answer says, and asks again. */
class Poller {
  isStopped = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private retryMs = FIRST_RETRY_MS;
  private asking = false;
  /** Whether another answer is wanted as soon as the page can be seen. */
  private wanted = false;

  /** `ask` gives the milliseconds to the next time, null for never. */
  constructor(private readonly ask: () => Promise<number | null>) {}

  start(): void {
    document.addEventListener("visibilitychange", this.resume);
    addEventListener("online", this.resume);
    this.askNow();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
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
    if (this.asking || this.isStopped) {
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
    }
    this.asking = false;
    if (wait !== null && !this.isStopped) {
      this.wanted = true;
      this.timer = setTimeout(() => document.hidden || this.askNow(), wait);
    }
  }
}
