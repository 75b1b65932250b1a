/** Why a request was not answered as hoped. */

/** The API answered with a problem document (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
    /** Seconds after which it is worth asking again, where the API says so. */
    readonly retryAfter: number | null,
    /** The run that a conflict is about. */
    readonly runId: string | null,
  ) {
    super(detail);
  }
}

/** Nobody answered: the network, or the app, is away. */
export class Unreachable extends Error {
  constructor() {
    super("The app does not answer. Is the network there?");
  }
}

export async function problemOf(answer: Response): Promise<Problem> {
  const told: unknown = await answer.json().catch(() => null);
  const document = (typeof told === "object" && told !== null ? told : {}) as Record<string, unknown>;
  const text = (name: string): string | null => (typeof document[name] === "string" ? document[name] : null);
  const retryAfter = Number(answer.headers.get("Retry-After"));
  return new Problem(
    answer.status,
    text("title") ?? "Something went wrong",
    text("detail") ?? `The app answered with status ${answer.status} and no explanation.`,
    retryAfter > 0 ? retryAfter : null,
    text("run_id"),
  );
}
