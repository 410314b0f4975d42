/** A ring that empties with the time left, and its number. Decoration: the words beside it say the same. */
import type { ReactNode } from "react";
import { short } from "../say.js";

const ROUND = 2 * Math.PI * 15.5;

export function Ring(props: { readonly seconds: number; readonly of: number; readonly large?: boolean }): ReactNode {
  const part = props.of <= 0 ? 0 : Math.min(1, Math.max(0, props.seconds / props.of));
  return (
    <div className={props.large ? "ring lg" : "ring"} aria-hidden="true">
      <svg viewBox="0 0 36 36" aria-hidden="true">
        <circle className="bg" cx="18" cy="18" r="15.5" />
        <circle
          className={props.seconds <= 5 ? "fg last" : "fg"}
          cx="18"
          cy="18"
          r="15.5"
          strokeDasharray={ROUND}
          strokeDashoffset={ROUND * (1 - part)}
        />
      </svg>
      <b>{short(props.seconds)}</b>
    </div>
  );
}
