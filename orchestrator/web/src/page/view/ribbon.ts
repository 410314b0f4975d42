/** Half hours of a bot → paths by tone and a sentence. Pure. Owns no markup. */
import { fill } from "../say.js";
import { PAGE } from "../texts/page.js";
import { STATUSES } from "../texts/statuses.js";
import type { Tone } from "./status.js";

const HEIGHTS: { readonly [tone in Tone]: number } = { ok: 1, busy: 0.62, heal: 0.62, you: 0.4, stop: 0.4, off: 0.1 };
const STEP = 4;
const SLOT_HOURS = 0.5;

function toneOf(status: string | null): Tone {
  if (status === null || status === "down") return "off";
  const known: { readonly [status: string]: { readonly tone: Tone } } = STATUSES.status;
  return known[status]?.tone ?? "stop";
}

/** One path for each tone there is. */
export function ribbonParts(
  statuses: ReadonlyArray<string | null>,
  height: number,
): ReadonlyArray<{ readonly tone: Tone; readonly path: string }> {
  const paths = new Map<Tone, string>();
  statuses.forEach((status, index) => {
    const tone = toneOf(status);
    const tall = Math.round(height * HEIGHTS[tone] * 10) / 10;
    const bar = `M${index * STEP} ${height - tall}h${STEP - 1}v${tall}h-${STEP - 1}z`;
    paths.set(tone, (paths.get(tone) ?? "") + bar);
  });
  return [...paths].map(([tone, path]) => ({ tone, path }));
}

/** "Last 24 hours: Connected 96 %, Reconnecting 4 %". */
export function ribbonWords(statuses: ReadonlyArray<string | null>): string {
  const hours = Math.round(statuses.length * SLOT_HOURS);
  const counts = new Map<string, number>();
  for (const status of statuses) if (status !== null) counts.set(status, (counts.get(status) ?? 0) + 1);
  const known: { readonly [status: string]: { readonly label: string } } = STATUSES.status;
  const parts = [...counts]
    .toSorted((one, other) => other[1] - one[1])
    .map(([status, slots]) => {
      const label =
        status === "down" ? PAGE.ribbon.down : (known[status]?.label.replace(" until {time}", "") ?? status);
      return fill(PAGE.ribbon.part, { label, share: Math.round((slots / statuses.length) * 100) });
    });
  return fill(PAGE.ribbon.label, { hours, summary: parts.join(", ") || PAGE.ribbon.empty });
}
