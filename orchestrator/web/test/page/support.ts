/** Records for tests of the page's pure parts. */
import type { Bot, Status } from "../../src/generated.js";
import { IDLE } from "../../src/state.js";
import type { Code, Connection, LinkAttempt } from "../../src/types.js";

export const NOW = Date.UTC(2026, 10, 3, 10, 41, 22);

export function bot(changes: Partial<Bot> & { readonly status?: Status } = {}): Bot {
  return {
    id: "bot_1",
    name: "Support Berlin",
    userId: "ada",
    status: "awaiting_scan",
    since: NOW - 60_000,
    statusVersion: 3,
    reason: null,
    userAction: null,
    retryAt: null,
    until: null,
    provedAt: null,
    desired: "running",
    account: null,
    link: { method: "qr", attempt: 1, index: 2, of: 6, expiresAt: NOW + 14_000, triesLeft: 7, triesRenewAt: null },
    proxy: false,
    deviceName: "Orchestrator · Support Berlin",
    script: null,
    restarts: 0,
    presence: false,
    createdAt: NOW - 86_400_000,
    triesLeft: null,
    triesRenewAt: null,
    repair: null,
    ...changes,
  };
}

export const ACCOUNT = { jid: "4915112345678@s.whatsapp.net", lid: null, phone: "4915112345678", pushName: "Support" };

export function connection(changes: Partial<Connection> = {}): Connection {
  return { ...IDLE, state: "live", holder: "me", since: NOW - 1000, ...changes };
}

export function qr(changes: Partial<Extract<Code, { kind: "qr" }>> = {}): Code {
  return {
    kind: "qr",
    qr: "2@secret",
    svg: "<svg/>",
    index: 2,
    of: 6,
    expiresAt: NOW + 14_000,
    attempt: 1,
    statusVersion: 3,
    ...changes,
  };
}

export function attempt(changes: Partial<LinkAttempt> = {}): LinkAttempt {
  return { attempt: 1, code: qr(), notice: null, ...changes };
}
