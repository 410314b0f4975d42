/**
 * Where somebody reads in a list that grows at both ends: at its end, which is then kept in sight, or at a message, which
 * stays where it is whatever comes above or below. Owns the list's scrolling; browsers' own anchoring does nothing at the
 * very top, and not all of them have it.
 */
import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

const NEAR_PX = 60;

interface Reading {
  readonly atEnd: boolean;
  /** The first message in sight, and where its lower edge is. */
  readonly message: Element | null;
  readonly edge: number;
}

/**
 * @param shown What is shown: when it is another, the place is kept.
 * @param onEnd Told when the reader comes to the end or leaves it.
 */
export function useAnchored(shown: unknown, onEnd: (atEnd: boolean) => void): RefObject<HTMLDivElement | null> {
  const box = useRef<HTMLDivElement>(null);
  const reading = useRef<Reading>({ atEnd: true, message: null, edge: 0 });
  const told = useRef(onEnd);
  useLayoutEffect(() => {
    told.current = onEnd;
  });
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const onScroll = () => {
      const before = reading.current.atEnd;
      reading.current = readingOf(element);
      if (reading.current.atEnd !== before) told.current(reading.current.atEnd);
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, []);
  useLayoutEffect(() => {
    void shown;
    const element = box.current;
    if (element === null) return;
    const { atEnd, message, edge } = reading.current;
    if (atEnd) element.scrollTop = element.scrollHeight;
    else if (message?.isConnected) element.scrollTop += edgeOf(message, element) - edge;
    reading.current = { ...readingOf(element), atEnd };
  }, [shown]);
  return box;
}

function readingOf(element: Element): Reading {
  const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
  for (const message of element.querySelectorAll(".msg")) {
    const edge = edgeOf(message, element);
    if (edge > 0) return { atEnd, message, edge };
  }
  return { atEnd, message: null, edge: 0 };
}

function edgeOf(message: Element, element: Element): number {
  return message.getBoundingClientRect().bottom - element.getBoundingClientRect().top;
}
