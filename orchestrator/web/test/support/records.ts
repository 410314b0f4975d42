/** Records as the server makes them. */
import type { Bot, Status } from "../../src/generated.js";

export interface BotParts {
  readonly status?: Status;
  readonly statusVersion?: number;
  readonly attempt?: number | null;
  readonly name?: string;
}

export function makeBot(
  id: string,
  { status = "stopped", statusVersion = 1, attempt = null, name = "Ada" }: BotParts = {},
): Bot {
  return {
    id,
    name,
    userId: "ada",
    status,
    since: 1,
    statusVersion,
    reason: null,
    userAction: null,
    retryAt: null,
    until: null,
    provedAt: null,
    desired: "stopped",
    account: null,
    link:
      attempt === null
        ? null
        : { method: "qr", attempt, index: null, of: null, expiresAt: null, triesLeft: null, triesRenewAt: null },
    proxy: false,
    deviceName: "Bot",
    script: null,
    restarts: 0,
    createdAt: 1,
    presence: false,
    triesLeft: null,
    triesRenewAt: null,
    repair: null,
  };
}
