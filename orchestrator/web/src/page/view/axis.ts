/** Times under a plot: whole hours and days by the reader's clock. Pure. Owns no markup. */
import { clock, day } from "../say.js";
import { FLEET } from "../texts/fleet.js";

/** Hours of a history that can be asked for. */
export type Hours = "1" | "24" | "168";

export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** Minutes from one tick to the next. */
const EVERY: { readonly [hours in Hours]: { readonly wide: number; readonly narrow: number } } = {
  1: { wide: 10, narrow: 20 },
  24: { wide: 240, narrow: 480 },
  168: { wide: 1440, narrow: 2880 },
};
/** Of the whole time: nearer to its end a tick would touch the word that stands there. */
const NEAR_THE_END = 0.08;

/** Ticks from `from` to `to`, the end named as now. */
export function ticks(hours: Hours, from: number, to: number, narrow: boolean): ReadonlyArray<Tick> {
  const every = EVERY[hours][narrow ? "narrow" : "wide"];
  const latest = to - (to - from) * NEAR_THE_END * (narrow ? 2 : 1);
  const found: Tick[] = [];
  const at = new Date(from);
  at.setHours(0, 0, 0, 0);
  // By the clock and not by adding time: the hours stay whole when summer time begins or ends.
  for (; at.getTime() <= latest; at.setMinutes(at.getMinutes() + every)) {
    const time = at.getTime();
    if (time >= from) found.push({ at: time, text: hours === "168" ? day(time) : clock(time, time) });
  }
  return [...found, { at: to, text: FLEET.plot.now }];
}
