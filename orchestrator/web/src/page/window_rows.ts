/** Which rows of a scrolling box are near its view. Rows are measured once, when drawn; those never drawn are taken as usual. */
import { type RefObject, useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";
import { offsets, rowAt } from "./view/heights.js";

const OVERSCAN = 16;
/** Up to here everything is in the document. */
const WHOLE = 150;

/** Rows that are drawn, and how much room is left for those before them that are not. */
export interface Span {
  readonly gap: number;
  readonly from: number;
  readonly to: number;
}

export interface Rows {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly spans: ReadonlyArray<Span>;
  /** The room for the rows behind the last span. */
  readonly below: number;
  look(): void;
  /** A row was drawn, or is another height than it was. */
  measured(key: string, px: number): void;
}

/**
 * @param usualPx how tall a row is unless it was measured to be otherwise.
 * @param held The row that has the focus: it stays, wherever the view goes.
 */
export function useRows(rows: ReadonlyArray<{ readonly key: string }>, usualPx: number, held: string | null): Rows {
  const box = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<string, number>());
  const [changes, setChanges] = useState(0);
  const tops = useMemo(() => {
    void changes;
    return offsets(rows, heights.current, usualPx);
  }, [rows, usualPx, changes]);
  const [from, setFrom] = useState(0);
  const look = useCallback(() => {
    const row = rowAt(tops, box.current?.scrollTop ?? 0);
    setFrom((before) => (Math.abs(before - row) >= OVERSCAN / 2 || row === 0 ? row : before));
  }, [tops]);
  useLayoutEffect(() => look(), [look]);
  const measured = useCallback(
    (key: string, px: number) => {
      if ((heights.current.get(key) ?? usualPx) === px) return;
      heights.current.set(key, px);
      setChanges((before) => before + 1);
    },
    [usualPx],
  );
  const count = rows.length;
  const at = (row: number) => tops[row] ?? 0;
  const view = Math.ceil((box.current?.clientHeight ?? 600) / usualPx);
  const whole = count <= WHOLE;
  const first = whole ? 0 : Math.max(0, Math.min(from, count - view) - OVERSCAN);
  const last = whole ? count : Math.min(count, from + view + OVERSCAN * 2);
  const focused = held === null ? -1 : rows.findIndex(({ key }) => key === held);
  const near: readonly [number, number] = [first, last];
  const ranges = (
    focused < 0 || (focused >= first && focused < last) ? [near] : [near, [focused, focused + 1] as const]
  ).toSorted((one, other) => one[0] - other[0]);
  const spans = ranges.map(([start, end], index) => ({
    gap: at(start) - at(ranges[index - 1]?.[1] ?? 0),
    from: start,
    to: end,
  }));
  return { box, spans, below: at(count) - at(ranges.at(-1)?.[1] ?? 0), look, measured };
}
