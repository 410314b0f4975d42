/** The connection as it is shown: how an absence is told. */
import { expect, test } from "vitest";
import { OFF } from "../src/link.js";
import { putAway, shown } from "../src/shown.js";
import { connection } from "./page/support.js";

const NONE = { replayed: 0, snapshot: false, missed: null };
const MISSED = { replayed: 0, snapshot: true, missed: 7 };

test("a page that was put away was away: from when it stopped, however often that is told, to when it caught up", () => {
  const stopped = putAway(putAway(connection(), 1_000), 9_000);
  expect(stopped).toMatchObject({ state: "catching_up", asOf: 1_000, since: 9_000, holder: null });
  const waking = shown(stopped, { ...OFF, shown: "connecting" }, 0, NONE, 60_000);
  const back = shown(waking, { ...OFF, shown: "live" }, 0, MISSED, 61_000);
  expect(back).toMatchObject({ asOf: null, away: { from: 1_000, to: 61_000, ...MISSED } });
});
