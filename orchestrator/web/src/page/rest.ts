/** REST of this very server, with the page's cookie. Owns requests and refusals; it must never keep an answer. */

const API = "/api/v1";

/** A refusal, as problem+json told it; `unreachable` when nobody answered. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | null;
  readonly retryAfterMs: number | null;

  constructor(status: number, body: { readonly [member: string]: unknown } | null) {
    super(typeof body?.detail === "string" ? body.detail : "The server does not answer.");
    this.status = status;
    this.code = typeof body?.code === "string" ? body.code : "unreachable";
    this.field = typeof body?.field === "string" ? body.field : null;
    this.retryAfterMs = typeof body?.retryAfterMs === "number" ? body.retryAfterMs : null;
  }
}

interface Extra {
  readonly signal?: AbortSignal;
  /** Names what is asked: asked again by the same name, also when the answer was lost, it is done once. */
  readonly key?: string;
}

/** Ask something under /api/v1. Throws `Problem`, and nothing else. */
export async function ask<Answer>(method: string, path: string, body?: unknown, extra: Extra = {}): Promise<Answer> {
  let answer: Response;
  try {
    answer = await fetch(API + path, {
      method,
      cache: "no-store",
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(extra.key === undefined ? {} : { "Idempotency-Key": extra.key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(extra.signal === undefined ? {} : { signal: extra.signal }),
    });
  } catch {
    throw new Problem(0, null);
  }
  const text = await answer.text().catch(() => "");
  const read = parsed(text);
  if (!answer.ok) throw new Problem(answer.status, read as { readonly [member: string]: unknown } | null);
  return read as Answer;
}

function parsed(text: string): unknown {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
