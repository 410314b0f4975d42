/** A long list that grows by its end without being copied: the log of frames. Pure. It must never know what a frame means. */
import type { Position } from "./generated.js";
import type { Frame, Log } from "./types.js";

const CHUNK = 256;

export const EMPTY_LOG: Log = { chunks: [], length: 0 };

/**
 * The log with one more frame at its end. Whole chunks are dropped from its beginning once `limit` frames are in the
 * others: between `limit` and `limit` + 255 stay.
 */
export function append(log: Log, frame: Frame, limit: number): Log {
  const chunks = [...log.chunks];
  const last = chunks.at(-1);
  if (last === undefined || last.length >= CHUNK) chunks.push([frame]);
  else chunks[chunks.length - 1] = [...last, frame];
  let length = log.length + 1;
  while (chunks.length > 1 && length - (chunks[0]?.length ?? 0) >= limit) {
    length -= chunks.shift()?.length ?? 0;
  }
  return { chunks, length };
}

/** The frames, oldest first. */
export function logFrames(log: Log): ReadonlyArray<Frame> {
  return log.chunks.flat();
}

/** The frames from one position to another, or null when the log does not hold all of them. */
export function framesAfter(log: Log, after: Position, upTo: Position | null): ReadonlyArray<Frame> | null {
  if (upTo === null || upTo.epoch !== after.epoch) return null;
  if (upTo.seq === after.seq) return [];
  const frames = logFrames(log);
  if (frames.at(-1)?.seq !== upTo.seq || frames.at(-1)?.epoch !== upTo.epoch) return null;
  let from = frames.length - 1;
  while (frames[from]?.prev !== after.seq) {
    const [earlier, frame] = [frames[from - 1], frames[from]];
    if (earlier === undefined || earlier.epoch !== after.epoch || earlier.seq !== frame?.prev) return null;
    from -= 1;
  }
  return frames.slice(from);
}
