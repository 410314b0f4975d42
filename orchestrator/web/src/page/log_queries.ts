/** Questions about the log of frames. Pure. */
import type { Log } from "../types.js";

/** Why an account was banned, by WhatsApp's number, as last told; null when it was not. */
export function banCode(log: Log, bot: string): number | null {
  for (const chunk of log.chunks.toReversed()) {
    const frame = chunk.findLast((one) => one.botId === bot && one.type === "temporary_ban");
    if (frame !== undefined) return (frame.data as { readonly code?: number }).code ?? null;
  }
  return null;
}

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
