/** Incidents as shaded times of a plot, with their names where there is room. Pure. Owns no markup. */
import type { Incident } from "../../generated.js";

/** An incident's time; its name stands where it fits between others and the edges, else only in its title. */
export interface Shade {
  readonly x: number;
  readonly width: number;
  readonly id: string;
  readonly title: string;
  readonly nameX: number | null;
}

type Bare = Omit<Shade, "nameX">;

/** About how wide a letter of a name is. */
const LETTER_PX = 5.8;
const GAP_PX = 12;

/** @param place x of a time, kept between `from` and `to`. */
export function shades(
  incidents: ReadonlyArray<Incident>,
  place: (at: number) => number,
  from: number,
  to: number,
): ReadonlyArray<Shade> {
  const bare = incidents.flatMap((one): ReadonlyArray<Bare> => {
    const start = place(one.since);
    const end = one.until === null ? to : place(one.until);
    return end <= from ? [] : [{ x: start, width: Math.max(2, end - start), id: one.id, title: one.title || one.kind }];
  });
  return named(bare, from, to);
}

function named(all: ReadonlyArray<Bare>, from: number, to: number): ReadonlyArray<Shade> {
  let free = from;
  return all
    .toSorted((one, other) => one.x - other.x)
    .map((shade) => {
      const half = (shade.title.length * LETTER_PX) / 2;
      const nameX = Math.min(to - half, Math.max(from + half, shade.x + shade.width / 2));
      if (nameX - half < free || nameX + half > to) return { ...shade, nameX: null };
      free = nameX + half + GAP_PX;
      return { ...shade, nameX };
    });
}
