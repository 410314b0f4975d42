/**
 * What arrives over the socket, as records: frames, refusals, `ready`, `snapshot`, `closing`. Pure and total.
 *
 * A newer server may send more: unknown members are kept, unknown types are frames like any other, and what has no
 * shape at all is null. It must never know a socket. Read `cursor.ts` next.
 */
import type { Bot, Position, Ready } from "./generated.js";
import type { CommandAnswer, Frame } from "./types.js";

/** Why a connection was refused, or how it was closed by the server. */
export interface Ending {
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  /** `already_connected`: since when the other one is connected, by the server's clock. */
  readonly since: number | null;
}

/** The state of all bots and the position it is true at. */
export interface Snapshot {
  readonly position: Position;
  readonly bots: ReadonlyArray<Bot>;
  readonly missed: number | null;
  /** Bots that did not fit its frame and follow in others. */
  readonly rest: number;
  /** It answers a `resync` that could not be honoured: nobody can go on from where they are. */
  readonly instead: boolean;
}

type Members = { readonly [member: string]: unknown };

function members(raw: unknown): Members | null {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) ? (raw as Members) : null;
}

function number(raw: unknown): number | null {
  return typeof raw === "number" && Number.isFinite(raw) ? raw : null;
}

/** Reads the one argument of an event; null when it is no frame. */
export function readFrame(event: string, raw: unknown): Frame | null {
  const found = members(raw);
  if (found === null || typeof found.id !== "string" || typeof found.type !== "string") return null;
  if (number(found.at) === null) return null;
  const botId = typeof found.botId === "string" ? found.botId : null;
  return { ...found, event, botId } as Frame;
}

/** Whether a frame stands in the user's log. */
export function isDurable(frame: Frame): frame is Frame & { epoch: string; seq: number; prev: number } {
  return typeof frame.epoch === "string" && number(frame.seq) !== null && number(frame.prev) !== null;
}

/** Reads `err.data` of a `connect_error`, or the data of `closing`; null when the server did not say. */
export function readEnding(raw: unknown): Ending | null {
  const found = members(raw);
  if (found === null || typeof found.code !== "string") return null;
  return {
    code: found.code,
    retryable: found.retryable === true,
    retryAfterMs: number(found.retryAfterMs),
    since: number(found.since),
  };
}

/** Reads the data of `ready`; null when it lacks what is needed. */
export function readReady(raw: unknown): Ready | null {
  const found = members(raw);
  if (found === null || typeof found.epoch !== "string" || typeof found.connectionId !== "string") return null;
  if (number(found.head) === null || number(found.from) === null || number(found.serverTime) === null) return null;
  return found as unknown as Ready;
}

/** Reads the data of `snapshot` or `snapshot_rest`; bots without an id are left out. */
export function readSnapshot(raw: unknown): Snapshot | null {
  const found = members(raw);
  const position = readPosition(found?.position);
  if (found === null || position === null || !Array.isArray(found.bots)) return null;
  return {
    position,
    bots: found.bots.filter(isBot),
    missed: number(found.missed),
    rest: number(found.rest) ?? 0,
    instead: typeof found.reason === "string",
  };
}

/** What has come of a snapshot, with what follows; null when that is not its next part. */
export function continued(begun: Snapshot | null, next: Snapshot | null): Snapshot | null {
  if (begun === null || next === null) return null;
  const [at, then] = [begun.position, next.position];
  if (at.epoch !== then.epoch || at.seq !== then.seq) return null;
  return { ...begun, bots: [...begun.bots, ...next.bots], rest: next.rest };
}

/** Whether it can be shown as a bot. */
export function isBot(raw: unknown): raw is Bot {
  const found = members(raw);
  return found !== null && typeof found.id === "string" && typeof found.status === "string";
}

/** Reads {epoch, seq}. */
export function readPosition(raw: unknown): Position | null {
  const found = members(raw);
  const seq = number(found?.seq);
  return found !== null && typeof found.epoch === "string" && seq !== null ? { epoch: found.epoch, seq } : null;
}

/** Reads the data of `replaying` {from, epoch}. */
export function readReplaying(raw: unknown): Position | null {
  const found = members(raw);
  return found === null ? null : readPosition({ epoch: found.epoch, seq: found.from });
}

/** Reads the acknowledgement of a command; what is no answer is a refusal that may be tried again. */
export function readAnswer(raw: unknown): CommandAnswer {
  const found = members(raw);
  if (found?.ok === true) return { ok: true, result: found.result };
  const error = members(found?.error);
  if (found?.ok === false && typeof error?.code === "string") return raw as CommandAnswer;
  return unanswered("The server's answer could not be read.");
}

/** The answer to a command that nobody could be asked, or that nobody answered. */
export function unanswered(message: string): CommandAnswer {
  return { ok: false, error: { code: "not_connected", message, retryable: true } };
}
