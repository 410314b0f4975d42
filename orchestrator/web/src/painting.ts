/** When the next picture of a page is made: what changed until then is shown with it, once. Owns the browser's frames. */

/** A hidden page paints nothing, and what changed must not wait for ever; ms. */
const LATEST_MS = 250;
/** Where there are no pictures: a frame of a screen, ms. */
const FRAME_MS = 16;

/** Calls back once, right before the next picture is made. Returns how to call it off. */
export function beforePaint(work: () => void): () => void {
  if (typeof requestAnimationFrame !== "function") {
    const timer = setTimeout(work, FRAME_MS);
    return () => clearTimeout(timer);
  }
  const frame = requestAnimationFrame(() => due());
  const timer = setTimeout(() => due(), LATEST_MS);
  const off = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
  const due = () => {
    off();
    work();
  };
  return off;
}
