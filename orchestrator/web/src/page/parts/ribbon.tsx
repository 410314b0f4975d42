/** A bot's last day in half hours: height repeats what colour says, and words say both. Owns drawing only. */
import type { ReactNode } from "react";
import { ribbonParts, ribbonWords } from "../view/ribbon.js";

interface RibbonProps {
  readonly statuses: ReadonlyArray<string | null>;
  readonly height?: number;
}

export function Ribbon({ statuses, height = 20 }: RibbonProps): ReactNode {
  const parts = ribbonParts(statuses, height);
  return (
    <svg
      className={height > 20 ? "ribbon tall" : "ribbon"}
      viewBox={`0 0 ${Math.max(1, statuses.length * 4 - 1)} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={ribbonWords(statuses)}
    >
      {parts.map((part) => (
        <path key={part.tone} d={part.path} className={`rib-${part.tone}`} />
      ))}
    </svg>
  );
}
