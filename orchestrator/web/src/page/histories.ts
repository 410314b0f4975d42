/** Bots' last day in half hours, from REST, asked for again each minute while the page is seen. Owns the asking. */
import { useEffect, useState } from "react";
import { ask } from "./rest.js";

export interface Ribbon {
  readonly botId: string;
  readonly since: number;
  readonly statuses: ReadonlyArray<string | null>;
  readonly restarts: number;
}

const EVERY_MS = 60_000;

/** Every bot's ribbon; null while nothing has come, empty when the server has no histories. */
export function useRibbons(live: boolean): { readonly [bot: string]: Ribbon } | null {
  const [ribbons, setRibbons] = useState<{ readonly [bot: string]: Ribbon } | null>(null);
  useEffect(() => {
    if (!live) return;
    const stop = new AbortController();
    const load = async () => {
      if (document.hidden) return;
      try {
        const answer = await ask<{ readonly ribbons: ReadonlyArray<Ribbon> }>("GET", "/history?hours=24", undefined, {
          signal: stop.signal,
        });
        setRibbons(Object.fromEntries(answer.ribbons.map((one) => [one.botId, one])));
      } catch {
        // The part says nothing, the rest goes on; it is asked for again.
        setRibbons((before) => before ?? {});
      }
    };
    void load();
    const timer = setInterval(load, EVERY_MS);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [live]);
  return ribbons;
}
