/** Where rows of different heights stand in a long list, most of which was never drawn. Pure. */

/**
 * How far from the top each row begins; one entry more than there are rows: the last is the height of all.
 *
 * @param heights Of those rows that were measured and are not `usual`, by key.
 */
export function offsets(
  keys: ReadonlyArray<{ readonly key: string }>,
  heights: ReadonlyMap<string, number>,
  usual: number,
): Float64Array {
  const tops = new Float64Array(keys.length + 1);
  let top = 0;
  for (const [index, { key }] of keys.entries()) {
    tops[index] = top;
    top += heights.size === 0 ? usual : (heights.get(key) ?? usual);
  }
  tops[keys.length] = top;
  return tops;
}

/** The row that stands at this height; the last one below all of them. */
export function rowAt(tops: Float64Array, height: number): number {
  let low = 0;
  let high = Math.max(0, tops.length - 2);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((tops[middle] ?? 0) <= height) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Which rows are drawn: those near the view, and the one that has the focus with its neighbours, which keys lead to.
 *
 * @param focused Its number; -1 when none has it.
 */
export function rangesOf(
  count: number,
  first: number,
  last: number,
  focused: number,
): ReadonlyArray<readonly [number, number]> {
  if (focused < 0) return [[first, last]];
  const [from, to] = [Math.max(0, focused - 1), Math.min(count, focused + 2)];
  if (to < first)
    return [
      [from, to],
      [first, last],
    ];
  if (from > last)
    return [
      [first, last],
      [from, to],
    ];
  return [[Math.min(first, from), Math.max(last, to)]];
}
