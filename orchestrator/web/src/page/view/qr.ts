/** The server's SVG of a code → the one path in it and how large a module is drawn. Pure. Owns no markup. */

export interface QrPath {
  /** Modules on a side, the quiet zone included. */
  readonly size: number;
  readonly path: string;
}

const SVG = /viewBox="0 0 (\d{2,3}) \d{2,3}".*?<path[^>]* d="([MmHhVvz0-9 .,-]+)"/;
const LEAST_PX = 256;

/** The path of a code; null when the SVG is not one of the server's. */
export function qrPath(svg: string): QrPath | null {
  const match = SVG.exec(svg);
  const size = Number(match?.[1]);
  const path = match?.[2];
  return path === undefined || !(size > 20) ? null : { size, path };
}

/** Whole pixels of a module: as large as the room allows, the code never under 256 pixels. */
export function modulePx(size: number, room: number): number {
  return Math.max(Math.ceil(LEAST_PX / size), Math.floor(room / size));
}

/** A pattern that is no code: what is shown blurred where one was. The same for everybody, at all times. */
export const PLACEHOLDER: QrPath = { size: 33, path: pattern(33) };

function pattern(size: number): string {
  const runs: string[] = [];
  let seed = 7;
  for (let y = 2; y < size - 2; y += 1) {
    for (let x = 2; x < size - 2; x += 1) {
      seed = (seed * 16_807) % 2_147_483_647;
      if (seed % 2 === 0) runs.push(`M${x} ${y}h1v1h-1z`);
    }
  }
  return runs.join("");
}
