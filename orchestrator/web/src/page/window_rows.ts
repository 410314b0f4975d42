/** Which rows of a scrolling box are near its view: estimated heights, no measuring in the middle of scrolling. */
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from "react";

const OVERSCAN = 30;
/** Up to here everything is in the document. */
const WHOLE = 150;

export interface Rows {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly first: number;
  readonly last: number;
  readonly above: number;
  readonly below: number;
  look(): void;
}

/** @param rowPx about how tall a row is. */
export function useRows(count: number, rowPx: number): Rows {
  const box = useRef<HTMLDivElement>(null);
  const [from, setFrom] = useState(0);
  const look = useCallback(() => {
    const top = box.current?.scrollTop ?? 0;
    const row = Math.max(0, Math.floor(top / rowPx));
    setFrom((before) => (Math.abs(before - row) >= OVERSCAN / 2 || row === 0 ? row : before));
  }, [rowPx]);
  useLayoutEffect(() => look(), [look]);
  if (count <= WHOLE) return { box, first: 0, last: count, above: 0, below: 0, look };
  const view = Math.ceil((box.current?.clientHeight ?? 600) / rowPx);
  const first = Math.max(0, Math.min(from, count - view) - OVERSCAN);
  const last = Math.min(count, from + view + OVERSCAN * 2);
  return { box, first, last, above: first * rowPx, below: (count - last) * rowPx, look };
}
