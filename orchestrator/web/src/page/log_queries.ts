/** Questions about the log of frames. Pure. */
import type { Log } from "../types.js";

/** How far the messages that waited on WhatsApp have come in, as last told; null when nothing was. */
export function offlineSync(
  log: Log,
  bot: string,
): { readonly count: number; readonly done: boolean; readonly at: number } | null {
  for (const chunk of log.chunks.toReversed()) {
    for (const frame of chunk.toReversed()) {
      if (frame.botId !== bot) continue;
      if (frame.type === "pair_success") return null;
      if (frame.type !== "offline_sync") continue;
      const data = frame.data as { readonly count?: number; readonly done?: boolean };
      return { count: data.count ?? 0, done: data.done === true, at: frame.at };
    }
  }
  return null;
}
