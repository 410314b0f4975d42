/** Rows of bots, grouped; a long list keeps only what is near the screen in the document. Owns keys and the window. */
import { type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { BotRow } from "./bot_row.js";
import { useRibbons } from "./histories.js";
import { Icon } from "./icons.js";
import { useConnection } from "./live.js";
import { PAGE } from "./texts/page.js";
import { STATUSES } from "./texts/statuses.js";
import { type Line, lines, type Section, windowOf } from "./view/groups.js";
import type { Group } from "./view/status.js";

const ROW_PX = 57;
const HEADER_PX = 34;
/** Up to here everything is in the document, and find-in-page finds it. */
const WHOLE = 60;

interface BotListProps {
  readonly sections: ReadonlyArray<Section>;
  readonly total: number;
  /** Without groups: one bot needs none. */
  readonly plain: boolean;
}

export function BotList({ sections, total, plain }: BotListProps): ReactNode {
  const live = useConnection().state === "live";
  const ribbons = useRibbons(live);
  const [toggled, setToggled] = useState<ReadonlySet<Group>>(new Set());
  const closed = useMemo(() => closedOf(sections, total, toggled), [sections, total, toggled]);
  const all = useMemo(() => lines(sections, closed), [sections, closed]);
  const toggle = useCallback((group: Group) => setToggled((before) => flipped(before, group)), []);
  const { box, first, last, above, below } = useWindow(all, total > WHOLE);
  return (
    <div className="card grid" ref={box}>
      <Columns />
      {above > 0 && <div style={{ height: above }} />}
      {all
        .slice(first, last)
        .map((line) =>
          line.kind === "bot" ? (
            <BotRow
              key={line.bot.id}
              bot={line.bot}
              position={line.position}
              of={line.of}
              ribbon={ribbons?.[line.bot.id]}
              live={live}
            />
          ) : (
            !plain && <GroupHeader key={`group ${line.group}`} line={line} onToggle={toggle} />
          ),
        )}
      {below > 0 && <div style={{ height: below }} />}
    </div>
  );
}

/** Large fleets open with what is all right folded away. */
function closedOf(sections: ReadonlyArray<Section>, total: number, toggled: ReadonlySet<Group>): ReadonlySet<Group> {
  const closed = new Set<Group>(total > WHOLE && sections.length > 1 ? ["ok"] : []);
  for (const group of toggled) {
    if (closed.has(group)) closed.delete(group);
    else closed.add(group);
  }
  return closed;
}

function flipped(before: ReadonlySet<Group>, group: Group): ReadonlySet<Group> {
  const after = new Set(before);
  if (!after.delete(group)) after.add(group);
  return after;
}

function Columns(): ReactNode {
  const { columns } = PAGE.list;
  return (
    <div className="gr gh" aria-hidden="true">
      <span>{columns.bot}</span>
      <span>{columns.status}</span>
      <span className="ends">
        <span>{columns.ribbon}</span>
        <span>{columns.now}</span>
      </span>
      <span>{columns.proved}</span>
      <span>{columns.restarts}</span>
      <span />
      <span />
    </div>
  );
}

interface GroupHeaderProps {
  readonly line: Extract<Line, { kind: "header" }>;
  readonly onToggle: (group: Group) => void;
}

function GroupHeader({ line, onToggle }: GroupHeaderProps): ReactNode {
  const words = STATUSES.group[line.group];
  return (
    <h2 className="gsec" data-group={line.group}>
      <button type="button" aria-expanded={line.open} onClick={() => onToggle(line.group)}>
        <Icon name={line.open ? "down" : "right"} className="s14" />
        <b>{words.label}</b>
        <span className="num">{line.count}</span>
      </button>
      <span className="grow" />
      <span className="only-w hint">{words.hint}</span>
    </h2>
  );
}

/** Which lines are near the screen. All of them unless the list is long. */
function useWindow(all: ReadonlyArray<Line>, long: boolean) {
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ from: 0, to: 2000 });
  const tops = useMemo(() => topsOf(all), [all]);
  const look = useCallback(() => {
    const top = box.current?.getBoundingClientRect().top ?? 0;
    setSeen((before) => {
      const from = Math.max(0, -top - HEADER_PX);
      // Small steps change nothing that is not in the overscan.
      return Math.abs(before.from - from) < ROW_PX * 3 ? before : { from, to: from + innerHeight + ROW_PX * 6 };
    });
  }, []);
  useLayoutEffect(() => look(), [look]);
  useEffect(() => {
    if (!long) return;
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [long, look]);
  if (!long) return { box, first: 0, last: all.length, above: 0, below: 0 };
  const { first, last } = windowOf(tops, seen.from, seen.to);
  return { box, first, last, above: tops[first] ?? 0, below: (tops.at(-1) ?? 0) - (tops[last] ?? 0) };
}

function topsOf(all: ReadonlyArray<Line>): ReadonlyArray<number> {
  const tops = [0];
  for (const line of all) tops.push((tops.at(-1) ?? 0) + (line.kind === "bot" ? ROW_PX : HEADER_PX));
  return tops;
}
