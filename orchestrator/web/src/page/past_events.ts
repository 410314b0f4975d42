/** Events from before the page was opened: the newest of the user's log, asked for once by whatever part needs them. */
import { useEffect, useState } from "react";
import type { Position } from "../generated.js";
import type { Frame, State } from "../types.js";
import { useLive, useShared } from "./live.js";
import { ask, Problem } from "./rest.js";

const NEWEST = 1_000;
const NONE: ReadonlyArray<Frame> = [];
const positionOf = (state: State): Position | null => state.position;

/**
 * The newest events the server has kept, oldest first; null before it has answered. Those that came since are in the
 * client's log.
 */
export function usePastEvents(): ReadonlyArray<Frame> | null {
  const { client } = useShared();
  const known = useLive(positionOf) !== null;
  const [past, setPast] = useState<ReadonlyArray<Frame> | null>(null);
  useEffect(() => {
    const position = client.getState().position;
    if (!known || position === null) return;
    let over = false;
    void read(position).then((frames) => {
      if (!over) setPast(frames);
    });
    return () => {
      over = true;
    };
  }, [client, known]);
  return past;
}

async function read(position: Position): Promise<ReadonlyArray<Frame>> {
  const after = `${position.epoch}:${Math.max(0, position.seq - NEWEST)}`;
  try {
    return await page(`after=${encodeURIComponent(after)}&`);
  } catch (error) {
    // Less is kept than was asked for: what there is begins at the oldest.
    const expired = error instanceof Problem && error.code === "position_expired";
    return expired ? page("").catch(() => NONE) : NONE;
  }
}

async function page(after: string): Promise<ReadonlyArray<Frame>> {
  const answer = await ask<{ readonly events: ReadonlyArray<Frame> }>("GET", `/events?${after}limit=${NEWEST}`);
  return answer.events;
}
