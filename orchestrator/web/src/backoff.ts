/** When to try again. Pure: randomness goes in. It must never know what is tried. */

const FIRST_MS = 500;
const GREATEST_MS = 15_000;
const LEAST_MS = 100;

/** How long a connection must have been live for its end to count as the first failure again. */
export const HEALTHY_MS = 10_000;

/**
 * The wait before try number `failures` + 1: full jitter, so that a thousand pages do not come back at once.
 *
 * @param failures Failures in a row, from 1.
 * @param random From 0 to 1.
 */
export function backoffMs(failures: number, random: number): number {
  const most = Math.min(GREATEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10));
  return Math.round(LEAST_MS + random * (most - LEAST_MS));
}

/**
 * The wait a server asked for, spread by a tenth, or the back-off's when it asked for none.
 *
 * @param asked `retryAfterMs`, if the server gave it.
 */
export function retryMs(asked: number | null, failures: number, random: number): number {
  if (asked === null) return backoffMs(failures, random);
  return Math.round(asked * (1 + random / 10));
}
