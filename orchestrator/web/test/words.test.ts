/** The connection in plain words, for every state. */
import { expect, test } from "vitest";
import { IDLE } from "../src/state.js";
import type { Connection, ConnectionState } from "../src/types.js";
import { connectionWords } from "../src/words.js";

const NOW = 1_000_000;
const clock = (ms: number) => `T+${(ms - NOW) / 1000}`;

const ROWS: ReadonlyArray<readonly [ConnectionState, Partial<Connection>, string, string | null, string | null]> = [
  ["idle", {}, "Not connected", null, null],
  ["connecting", {}, "Connecting…", null, null],
  ["live", {}, "Live", null, null],
  ["catching_up", {}, "Catching up", null, null],
  [
    "reconnecting",
    { retryAt: NOW + 4_200, asOf: NOW - 1_000 },
    "Reconnecting in 5 s",
    "Not live. What you see is from T+-1; changes are kept and will appear.",
    "Reconnect now",
  ],
  ["reconnecting", {}, "Reconnecting…", "Not live.", "Reconnect now"],
  ["offline", { asOf: NOW - 9_000 }, "Offline", "This device is offline. What you see is from T+-9.", "Reconnect now"],
  ["other_tab", {}, "Open in another tab", "The connection is open in another tab of this browser.", "Use here"],
  [
    "already_connected",
    { elsewhereSince: NOW + 50_000, offset: 60_000 },
    "Connected elsewhere",
    "You are connected in another browser since T+-10.",
    "Use here",
  ],
  ["already_connected", {}, "Connected elsewhere", "You are connected in another browser.", "Use here"],
  [
    "taken_over",
    { since: NOW - 3_000 },
    "Moved elsewhere",
    "Another browser took over at T+-3. This page no longer updates.",
    "Use here",
  ],
  ["token_expired", {}, "Signed out", "Your sign-in ran out.", "Sign in again"],
  ["unauthorized", {}, "Signed out", "This sign-in is not accepted.", "Sign in again"],
  ["revoked", {}, "Signed out", "Your access was withdrawn.", "Sign in again"],
  [
    "user_mismatch",
    {},
    "Wrong account",
    "This page belongs to another account than the one signed in.",
    "Sign in again",
  ],
  ["too_many_attempts", { retryAt: NOW + 40_000 }, "Paused", "Too many connection attempts. Next one at T+40.", null],
  [
    "auth_unavailable",
    { retryAt: NOW + 600_000 },
    "Reconnecting in 10 min",
    "The sign-in service is not answering. Your bots keep running.",
    "Reconnect now",
  ],
  [
    "server_draining",
    { retryAt: NOW + 1_000 },
    "Reconnecting in 1 s",
    "The server is restarting. Nothing is lost.",
    null,
  ],
  ["slow_consumer", {}, "Catching up", "This page fell behind and starts again from the current state.", null],
  [
    "stopped",
    { code: "flood", asOf: NOW },
    "Not connected",
    "The server ended the connection (flood). What you see is from T+0.",
    "Reconnect now",
  ],
  ["stopped", {}, "Not connected", "The server ended the connection.", "Reconnect now"],
];

test.each(ROWS)("%s %j", (state, parts, pill, banner, buttonText) => {
  const connection = { ...IDLE, state, since: NOW, ...parts };
  expect(connectionWords(connection, NOW, clock)).toMatchObject({ pill, banner, buttonText });
});

test("a clause without its value is left out, whatever is missing", () => {
  for (const [state] of ROWS) {
    const { pill, banner } = connectionWords({ ...IDLE, state }, NOW);
    expect(`${pill} ${banner}`).not.toMatch(/[{}]|undefined|NaN|Invalid/);
  }
});
