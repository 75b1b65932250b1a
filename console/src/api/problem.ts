/** The errors of requests. */

/** A problem document (RFC 9457) from the API. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
    /** Seconds until the next attempt, where the API names them. */
    readonly retryAfter: number | null,
    /** The run that a conflict is about. */
    readonly runId: string | null,
    /** The last part of the document's `type`. */
    readonly kind = "",
  ) {
    super(detail);
  }
}

/** No response: the network or the app is unavailable. */
export class Unreachable extends Error {
  constructor() {
    super("The app is not responding. Check your network connection.");
  }
}

export async function problemOf(answer: Response): Promise<Problem> {
  const content: unknown = await answer.json().catch(() => null);
  const document = (typeof content === "object" && content !== null ? content : {}) as Record<string, unknown>;
  const text = (name: string): string | null => (typeof document[name] === "string" ? document[name] : null);
  const retryAfter = Number(answer.headers.get("Retry-After"));
  return new Problem(
    answer.status,
    text("title") ?? "Something went wrong",
    text("detail") ?? `The app responded with status ${answer.status} and no explanation.`,
    retryAfter > 0 ? retryAfter : null,
    text("run_id"),
    text("type")?.split(":").pop() ?? "",
  );
}
