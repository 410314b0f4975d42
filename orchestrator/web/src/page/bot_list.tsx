/**
 * Rows of bots, grouped; a long list keeps only what is near the screen in the document. Owns what is folded and what is
 * asked; read `standing.ts` for when the list stands still.
 */
import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { type Asked, Question } from "./bot_menu.js";
import { BotRow } from "./bot_row.js";
import { useRibbons } from "./histories.js";
import { Icon } from "./icons.js";
import { useBots, useConnection } from "./live.js";
import { useHold, useStanding } from "./standing.js";
import { PAGE } from "./texts/page.js";
import { STATUSES } from "./texts/statuses.js";
import { type Line, lines, type Section } from "./view/groups.js";
import type { Group } from "./view/status.js";
import { useMeasure, usePageRows } from "./window_rows.js";

/** How tall most rows are: cells beside each other, or below each other where it is narrow. */
const ROW_PX = 57;
const NARROW_ROW_PX = 106;
const NARROW_BELOW_PX = 768;
/** Up to here nothing is folded before somebody folds it. */
const SEEN_AT_ONCE = 60;

interface BotListProps {
  readonly sections: ReadonlyArray<Section>;
  /** What is looked for. */
  readonly look: string;
  readonly total: number;
  /** Without groups: one bot needs none. */
  readonly plain: boolean;
  /** Shown when there is nothing to list. */
  readonly none: ReactNode;
}

export function BotList({ sections: now, look, total, plain, none }: BotListProps): ReactNode {
  const bots = useBots();
  const [asked, setAsked] = useState<{ readonly bot: string; readonly what: Asked } | null>(null);
  const onAsk = useCallback((bot: string, what: Asked) => setAsked({ bot, what }), []);
  const about = asked === null ? undefined : bots[asked.bot];
  const [toggled, setToggled] = useState<ReadonlySet<Group>>(new Set());
  const onToggle = useCallback((group: Group) => setToggled((before) => flipped(before, group)), []);
  const { held, focused, watch } = useHold();
  const open = about !== undefined;
  // A dialog that closes gives the focus back to a row: only then shows whether the list is still held.
  const [wasOpen, setWasOpen] = useState(open);
  useEffect(() => setWasOpen(open), [open]);
  const sections = useStanding(now, look, bots, held || open || wasOpen);
  const closed = useMemo(() => closedOf(sections, total, toggled), [sections, total, toggled]);
  const all = useMemo(() => lines(sections, closed), [sections, closed]);
  return (
    <>
      {all.length === 0 ? none : <Lines {...{ all, plain, focused, watch, onAsk, onToggle }} />}
      {asked !== null && open && <Question bot={about} asked={asked.what} onClose={() => setAsked(null)} />}
    </>
  );
}

interface LinesProps {
  readonly all: ReadonlyArray<Line>;
  readonly plain: boolean;
  readonly focused: string | null;
  readonly watch: (list: HTMLElement) => () => void;
  readonly onAsk: (bot: string, what: Asked) => void;
  readonly onToggle: (group: Group) => void;
}

function Lines({ all, plain, focused, watch, onAsk, onToggle }: LinesProps): ReactNode {
  const live = useConnection().state === "live";
  const ribbons = useRibbons(live);
  const usual = innerWidth < NARROW_BELOW_PX ? NARROW_ROW_PX : ROW_PX;
  const { box, spans, below, measured } = usePageRows(all, usual, focused);
  useEffect(() => (box.current === null ? undefined : watch(box.current)), [box, watch]);
  const measure = useMeasure(measured);
  const lineOf = (line: Line) => {
    if (line.kind === "header") return !plain && <GroupHeader key={line.key} line={line} onToggle={onToggle} />;
    const { key, bot, position, of } = line;
    return <BotRow key={key} {...{ bot, position, of, live, measure, onAsk }} ribbon={ribbons?.[bot.id]} />;
  };
  return (
    <div className="card grid" ref={box}>
      <Columns />
      {spans.flatMap(({ gap, from, to }, number) => [
        gap > 0 && <div key={number === 0 ? "above" : "between"} style={{ height: gap }} />,
        ...all.slice(from, to).map(lineOf),
      ])}
      {below > 0 && <div style={{ height: below }} />}
    </div>
  );
}

/** Large fleets open with what is all right folded away. */
function closedOf(sections: ReadonlyArray<Section>, total: number, toggled: ReadonlySet<Group>): ReadonlySet<Group> {
  const closed = new Set<Group>(total > SEEN_AT_ONCE && sections.length > 1 ? ["ok"] : []);
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
    <h2 className="gsec" data-group={line.group} data-row={line.key}>
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
