/**
 * A list that somebody points at, or has the focus in, stands still: nothing moves under the finger. Owns when it does;
 * what stays where is `view/groups.ts`'s.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { State } from "../types.js";
import { kept, type Section } from "./view/groups.js";

export interface Hold {
  /** The pointer is in the list, or the focus of whoever uses keys, or a menu is open. */
  readonly held: boolean;
  /** The row that has the focus, by its key. */
  readonly focused: string | null;
}

const FREE: Hold = { held: false, focused: null };
const MENU = "[role=menu] *";
/** Where a press of the pointer left the focus, nobody is any more when the pointer has gone. */
const ATTENDED = `:focus-visible, ${MENU}`;

/** Who moves neither pointer nor focus for so long only looks: what needs somebody must not stay folded away. */
const REST_MS = 10_000;

const MOVES = ["pointerenter", "pointermove", "pointerdown", "wheel", "focusin", "keydown"];

/** A finger that taps has left before what it tapped is told: the list must not have moved by then. */
const LEAVE_MS = 400;

/** Whether a list is held; `watch` is told the list, and returns how to stop. */
export function useHold(): Hold & { readonly watch: (list: HTMLElement) => () => void } {
  const [hold, setHold] = useState(FREE);
  const watch = useCallback((list: HTMLElement) => {
    let pointed = false;
    let rests = false;
    const look = (focus: Element | null) => {
      const inside = focus !== null && list.contains(focus) ? focus : null;
      const there = pointed || inside?.matches(ATTENDED) === true;
      const held = there && (!rests || inside?.matches(MENU) === true);
      const focused = inside?.closest<HTMLElement>("[data-row]")?.dataset.row ?? null;
      setHold((before) => (before.held === held && before.focused === focused ? before : { held, focused }));
    };
    let resting: ReturnType<typeof setTimeout> | undefined;
    const move = () => {
      clearTimeout(resting);
      resting = setTimeout(() => {
        rests = true;
        look(document.activeElement);
      }, REST_MS);
      if (!rests) return;
      rests = false;
      look(document.activeElement);
    };
    let leaving: ReturnType<typeof setTimeout> | undefined;
    const point = ({ type }: Event) => {
      clearTimeout(leaving);
      const now = () => {
        pointed = type === "pointerenter";
        look(document.activeElement);
      };
      if (type === "pointerenter") now();
      else leaving = setTimeout(now, LEAVE_MS);
    };
    // Not as props: what React itself focuses while it draws is told to nobody there.
    const focus = ({ type, target, relatedTarget }: FocusEvent) =>
      look((type === "focusin" ? target : relatedTarget) as Element | null);
    const stop = new AbortController();
    const { signal } = stop;
    list.addEventListener("pointerenter", point, { signal });
    list.addEventListener("pointerleave", point, { signal });
    list.addEventListener("focusin", focus, { signal });
    list.addEventListener("focusout", focus, { signal });
    for (const moved of MOVES) list.addEventListener(moved, move, { signal, passive: true });
    return () => {
      stop.abort();
      clearTimeout(leaving);
      clearTimeout(resting);
      setHold(FREE);
    };
  }, []);
  return { ...hold, watch };
}

/**
 * The sections to show: as they are, or while the list is held as they stood.
 *
 * @param look What is looked for: when that changes, the list does.
 */
export function useStanding(
  now: ReadonlyArray<Section>,
  look: string,
  bots: State["bots"],
  held: boolean,
): ReadonlyArray<Section> {
  const stood = useRef({ look, sections: now });
  const stays = held && stood.current.look === look;
  const sections = useMemo(() => (stays ? kept(stood.current.sections, bots) : now), [stays, bots, now]);
  useEffect(() => {
    stood.current = { look, sections };
  }, [look, sections]);
  return sections;
}
