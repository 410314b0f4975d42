/** The page's two live regions: one that waits, one that interrupts. Owns what a screen reader is told, and how often. */
import { type ReactNode, useSyncExternalStore } from "react";

let said = { polite: "", assertive: "" };
const listeners = new Set<() => void>();

/** Tell people who do not see the page. The same words again are told again. */
export function announce(text: string, assertive = false): void {
  if (text === "") return;
  const key = assertive ? "assertive" : "polite";
  // A region speaks when its text changes: a no-break space more makes the same words a change.
  said = { ...said, [key]: said[key] === text ? `${text}\u00a0` : text };
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function LiveRegions(): ReactNode {
  const { polite, assertive } = useSyncExternalStore(subscribe, () => said);
  return (
    <>
      <div className="unseen" role="status" aria-live="polite" aria-atomic="true" data-announced="polite">
        {polite}
      </div>
      <div className="unseen" role="alert" aria-live="assertive" aria-atomic="true" data-announced="assertive">
        {assertive}
      </div>
    </>
  );
}
