/** The page's own connection → pill, banner, button. Pure: (connection, now) in, words out. Owns no markup. */
import type { Connection } from "../../types.js";
import { clock, clockSeconds, fill, left } from "../say.js";
import { STATUSES } from "../texts/statuses.js";
import type { Tone } from "./status.js";

export type SocketAction = keyof typeof STATUSES.socketAction;

export interface SocketView {
  readonly pill: string;
  readonly tone: Tone;
  readonly live: boolean;
  readonly banner: string | null;
  readonly button: SocketAction | null;
  readonly buttonText: string | null;
}

const BUSY = new Set(["connecting", "catching_up", "slow_consumer", "idle"]);
const HEALING = new Set(["reconnecting", "server_draining", "auth_unavailable", "offline", "too_many_attempts"]);

/** What is said about the connection at `now`, by this machine's clock. */
export function socketView(connection: Connection, now: number): SocketView {
  const { state } = connection;
  const words = STATUSES.socket[state];
  const action: SocketAction | null = "action" in words ? words.action : null;
  const values = {
    left: connection.retryAt === null ? "" : left(connection.retryAt, now),
    time: momentOf(connection, now),
    code: connection.code ?? "",
  };
  const soon = connection.retryAt === null || connection.retryAt <= now;
  return {
    pill: soon ? fill(words.pill.replace(" in {left}", "…"), values) : fill(words.pill, values),
    tone: state === "live" ? "ok" : BUSY.has(state) ? "busy" : HEALING.has(state) ? "heal" : "you",
    live: state === "live",
    banner: words.banner === null ? null : bannerOf(connection, words.banner, values),
    button: action,
    buttonText: action === null ? null : STATUSES.socketAction[action],
  };
}

/** Sentences about a moment nobody told are left out. */
function bannerOf(connection: Connection, banner: string, values: { readonly time: string }): string {
  if (values.time !== "") return fill(banner, values);
  if (connection.state === "already_connected") return banner.replace(" since {time}", "");
  return fill(
    banner.replace(
      / ?What you see is from \{time\}(; changes are kept and will appear)?\.| at \{time\}| Next one at \{time\}\./,
      "",
    ),
    values,
  );
}

function momentOf(connection: Connection, now: number): string {
  switch (connection.state) {
    case "already_connected":
      return connection.elsewhereSince === null ? "" : clock(connection.elsewhereSince - connection.offset, now);
    case "taken_over":
      return clock(connection.since, now);
    case "too_many_attempts":
      return connection.retryAt === null ? "" : clockSeconds(connection.retryAt);
    default:
      return connection.asOf === null ? "" : clockSeconds(connection.asOf);
  }
}
