/** The fleet's picture: its end is the present, what is not known stays empty, times stand at whole hours. */
import { describe, expect, it } from "vitest";
import type { BotsNow, FleetPoint, Incident } from "../../src/generated.js";
import { type Hours, ticks } from "../../src/page/view/axis.js";
import { plot } from "../../src/page/view/fleet.js";
import { shades } from "../../src/page/view/shades.js";

const STEP = 600_000;
const BEGUN = new Date(2026, 10, 3, 10, 20).getTime();

function point(step: number, statuses: FleetPoint["statuses"]): FleetPoint {
  return { at: BEGUN + step * STEP, statuses, workers: 1, sockets: 1, events: 0, workerRestarts: 0 };
}

function history(...statuses: ReadonlyArray<FleetPoint["statuses"]>) {
  return { stepMs: STEP, points: statuses.map((one, step) => point(step, one)), incidents: [] };
}

function now(statuses: { readonly [status: string]: number }): BotsNow {
  const total = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  return { total, connected: statuses.connected ?? 0, needOwner: 0, statuses };
}

function incident(id: string, since: number, until: number | null): Incident {
  const told = { title: "Worker lost", text: "", cause: "", action: null, route: null, library: null };
  return { id, kind: "worker_lost", since, until, bots: 1, botIds: [], holdsStarts: false, ...told };
}

describe("the picture of a fleet", () => {
  it("ends with the fleet as it is, whatever the worst moment of the newest step was", () => {
    const drawn = plot(history({ connected: 5 }, { failed: 5 }), now({ connected: 4, banned: 1 }), "24", 900, false);
    expect(drawn).toMatchObject({ connected: 4, total: 5, lowest: { count: 4, at: BEGUN + STEP } });
    expect(drawn?.areas.map((area) => [area.group, area.last])).toEqual([
      ["off", 0],
      ["wait", 1],
      ["you", 0],
      ["move", 0],
    ]);
  });

  it("leaves out the times it knows nothing of", () => {
    const drawn = plot(history(null, { connected: 2 }, null, { connected: 2 }), null, "24", 904, false);
    const begins = [...(drawn?.line ?? "").matchAll(/M([\d.]+) /g)].map((found) => Number(found[1]));
    const step = (904 - 44 - 124) / 4;
    expect(begins).toEqual([44 + step, 44 + 3 * step]);
    expect(drawn?.fill.match(/Z/g)).toHaveLength(2);
    expect(drawn?.lowest).toEqual({ count: 2, at: BEGUN + STEP });
    expect(drawn?.before).toEqual({ x: 44 + step / 2, at: BEGUN + STEP });
    expect(JSON.stringify(drawn)).not.toMatch(/NaN|Infinity/);
  });

  it("shows the first step already, and nothing before there is one", () => {
    expect(plot(history(null, null), null, "24", 900, false)).toBeNull();
    expect(plot({ stepMs: STEP, points: [], incidents: [] }, now({ connected: 1 }), "24", 900, false)).toBeNull();
    expect(plot(history(null, null), now({ connected: 1 }), "24", 900, false)?.line).toMatch(/^M\S+ \S+L/);
  });

  it.each<[Hours, number, boolean, ReadonlyArray<string>]>([
    ["1", 1, false, ["10:20", "10:30", "10:40", "10:50", "11:00", "11:10", "Now"]],
    ["24", 24, false, ["12:00", "16:00", "20:00", "00:00", "04:00", "08:00", "Now"]],
    ["24", 24, true, ["16:00", "00:00", "Now"]],
    ["168", 168, true, ["5 Nov", "7 Nov", "9 Nov", "Now"]],
  ])("stands over whole times: %s h", (hours, long, narrow, texts) => {
    const shown = ticks(hours, BEGUN, BEGUN + long * 3_600_000, narrow);
    expect(shown.map((tick) => tick.text)).toEqual(texts);
    expect(shown.at(-1)?.at).toBe(BEGUN + long * 3_600_000);
  });

  it("names incidents where there is room for the name", () => {
    const one = incident("i", 0, 10);
    const placed = shades([one, incident("j", 12, 20), incident("k", 500, null)], (at) => 44 + at, 44, 800);
    expect(placed.map((shade) => [shade.id, shade.nameX === null])).toEqual([
      ["i", false],
      ["j", true],
      ["k", false],
    ]);
    expect(placed.map((shade) => shade.width)).toEqual([10, 8, 256]);
  });
});
