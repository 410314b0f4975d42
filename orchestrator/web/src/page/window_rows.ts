/**
 * Which rows of a long list are near what is seen of it. Rows are measured when they are drawn, and taken as usual until
 * then. The row that has the focus stays in the document, wherever the view goes.
 */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { offsets, rangesOf, rowAt } from "./view/heights.js";

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

type Keyed = ReadonlyArray<{ readonly key: string }>;

/** What scrolls, and how much of it is seen. */
interface View {
  /** Up to so many rows everything is in the document. */
  readonly whole: number;
  /** Rows drawn before those that are seen, and twice as many after them. */
  readonly overscan: number;
  top(box: HTMLDivElement): number;
  height(box: HTMLDivElement): number;
}

const BOX: View = { whole: 150, overscan: 16, top: (box) => box.scrollTop, height: (box) => box.clientHeight };
const PAGE: View = {
  whole: 60,
  overscan: 10,
  top: (box) => -box.getBoundingClientRect().top,
  height: () => innerHeight,
};

/**
 * Rows of a box that scrolls.
 *
 * @param usualPx how tall a row is unless it was measured to be otherwise.
 * @param held The row that has the focus.
 */
export function useRows(rows: Keyed, usualPx: number, held: string | null): Rows {
  return useSpans(rows, usualPx, held, BOX);
}

/** The same for rows that scroll with the page. */
export function usePageRows(rows: Keyed, usualPx: number, held: string | null): Rows {
  const made = useSpans(rows, usualPx, held, PAGE);
  const { look } = made;
  useEffect(() => {
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [look]);
  return made;
}

function useSpans(rows: Keyed, usualPx: number, held: string | null, view: View): Rows {
  const box = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<string, number>());
  const [changes, setChanges] = useState(0);
  const tops = useMemo(() => {
    void changes;
    return offsets(rows, heights.current, usualPx);
  }, [rows, usualPx, changes]);
  const [from, setFrom] = useState(0);
  const look = useCallback(() => {
    const row = rowAt(tops, box.current === null ? 0 : view.top(box.current));
    setFrom((before) => (Math.abs(before - row) >= view.overscan / 2 || row === 0 ? row : before));
  }, [tops, view]);
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
  const fit = Math.ceil((box.current === null ? 600 : view.height(box.current)) / usualPx);
  const whole = count <= view.whole;
  const first = whole ? 0 : Math.max(0, Math.min(from, count - fit) - view.overscan);
  const last = whole ? count : Math.min(count, from + fit + view.overscan * 2);
  const focused = held === null ? -1 : rows.findIndex(({ key }) => key === held);
  const ranges = rangesOf(count, first, last, focused);
  const spans = ranges.map(([start, end], index) => ({
    gap: at(start) - at(ranges[index - 1]?.[1] ?? 0),
    from: start,
    to: end,
  }));
  return { box, spans, below: at(count) - at(ranges.at(-1)?.[1] ?? 0), look, measured };
}

/** Measures rows as they are drawn and whenever they change: a `ref` of each, which says in `data-row` what its key is. */
export function useMeasure(measured: (key: string, px: number) => void): (row: HTMLElement) => () => void {
  const observer = useRef<ResizeObserver | null>(null);
  return useCallback(
    (row: HTMLElement) => {
      observer.current ??= new ResizeObserver((entries) => {
        for (const { target, borderBoxSize } of entries) {
          const px = borderBoxSize[0]?.blockSize;
          // What is being taken out of the document has no height.
          if (px && target instanceof HTMLElement) measured(target.dataset.row ?? "", px);
        }
      });
      const { current } = observer;
      current.observe(row);
      return () => current.unobserve(row);
    },
    [measured],
  );
}
