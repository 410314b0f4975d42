/** A long list that grows by its end without being copied: the log of frames. Pure. It must never know what a frame means. */
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

/** The frames after a position of the log, or null when the log does not reach back to it without a gap. */
export function framesAfter(log: Log, epoch: string, seq: number): ReadonlyArray<Frame> | null {
  const frames = logFrames(log);
  let from = frames.length;
  while (from > 0) {
    const frame = frames[from - 1];
    if (frame === undefined || frame.epoch !== epoch) return null;
    if (frame.seq !== undefined && frame.seq <= seq) break;
    from -= 1;
  }
  const first = frames[from];
  if (first === undefined) return frames.at(-1)?.seq === seq ? [] : null;
  return first.prev === seq ? frames.slice(from) : null;
}
