/** A bot's live events, newest first: filter, pause, details. Long lists keep only what is near the view in the document. */
import { memo, type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Bot } from "../generated.js";
import type { Away, Frame, State } from "../types.js";
import { Icon } from "./icons.js";
import { useConnection, useLive, useShared } from "./live.js";
import { usePageKey } from "./page_key.js";
import { Button } from "./parts/ui.js";
import { usePastEvents } from "./past_events.js";
import { clock, clockMillis, fill, plural, utc } from "./say.js";
import { BOT } from "./texts/bot.js";
import { PAGE } from "./texts/page.js";
import { details, type EventLine } from "./view/events.js";
import { awayBefore, begun, further, type Look, type Row, rowsOf, type Story } from "./view/told.js";
import { useRows } from "./window_rows.js";

type Filter = Look["topic"];

const TOPICS: ReadonlyArray<Filter> = ["all", "link", "messages", "sends", "problems"];
const words = BOT.events;

/** An event of one line is so tall. */
const ROW_PX = 30;
/** Nearer to the newest event than this the reader follows. */
const AWAY_PX = 40;

const logOf = (state: State): State["log"] => state.log;

export function EventLog({ bot }: { readonly bot: Bot }): ReactNode {
  const { told, dropped, whole } = useStory(bot.id);
  // Counted over all that ever was: what is no longer kept moves nobody's place.
  const count = dropped + told.length;
  const [pausedAt, setPausedAt] = useState<number | null>(null);
  const [topic, setTopic] = useState<Filter>("all");
  const [find, setFind] = useState<string | null>(null);
  const [open, setOpen] = useState<ReadonlySet<string>>(NONE);
  const toggle = useCallback(() => setPausedAt((at) => (at === null ? count : null)), [count]);
  usePageKey((key) => {
    if (key === "p") toggle();
  });
  const onOpen = useCallback((key: string) => setOpen((before) => toggled(before, key)), []);
  const until = pausedAt ?? count;
  const shown = useMemo(
    () => rowsOf(told.slice(0, Math.max(0, until - dropped)), { topic, find: find ?? "", open }),
    [told, dropped, until, topic, find, open],
  );
  const problems = useMemo(() => told.filter(({ line }) => line.problem).length, [told]);
  const missed = count - until;
  return (
    <section className="card pane" aria-labelledby="events-title">
      <div className="ph">
        <h2 id="events-title">{words.title}</h2>
        <span className={`pill small tone-${pausedAt === null ? "ok" : "you"}`}>
          <span className="dot" />
          {pausedAt === null ? words.following : words.paused}
        </span>
        <span className="grow" />
        <Button
          kind="ghost"
          square
          icon="search"
          label={words.find}
          pressed={find !== null}
          onClick={() => setFind(find === null ? "" : null)}
        />
        <Button kind="ghost" icon={pausedAt === null ? "pause" : "play"} kbd="P" onClick={toggle}>
          {pausedAt === null ? words.pause : words.resume}
        </Button>
      </div>
      <Topics topic={topic} problems={problems} onTopic={setTopic} />
      {find !== null && <Find value={find} onChange={setFind} />}
      {missed > 0 && (
        <div className="paused">
          <span className="grow">{plural(missed, words.newOnes)}</span>
          <Button onClick={() => setPausedAt(null)}>{words.show}</Button>
        </div>
      )}
      <Rows
        rows={shown}
        count={whole ? told.length : null}
        following={pausedAt === null}
        onAway={() => setPausedAt((at) => at ?? count)}
        open={open}
        onOpen={onOpen}
      />
    </section>
  );
}

const NONE: ReadonlySet<string> = new Set();

function toggled(open: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const after = new Set(open);
  if (!after.delete(key)) after.add(key);
  return after;
}

/** Everything told of a bot, from before the page was opened on. Lines told before the past was known are told anew. */
function useStory(bot: string): Story & { readonly whole: boolean } {
  const { client } = useShared();
  const log = useLive(logOf);
  const past = usePastEvents();
  const kept = useMemo(() => ({ story: begun(bot, past ?? [], client.getState().log) }), [bot, past, client]);
  kept.story = further(kept.story, log);
  return { ...kept.story, whole: past !== null };
}

interface TopicsProps {
  readonly topic: Filter;
  readonly problems: number;
  readonly onTopic: (topic: Filter) => void;
}

function Topics({ topic, problems, onTopic }: TopicsProps): ReactNode {
  return (
    <fieldset className="topics" aria-label={words.filter}>
      {TOPICS.map((one) => (
        <button key={one} type="button" className="chip sm" aria-pressed={one === topic} onClick={() => onTopic(one)}>
          {words.topics[one]}
          {one === "problems" && problems > 0 && <b>{problems}</b>}
        </button>
      ))}
    </fieldset>
  );
}

function Find({ value, onChange }: { readonly value: string; readonly onChange: (value: string) => void }): ReactNode {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <div className="find">
      <div className="input">
        <Icon name="search" className="s14" />
        <input
          ref={field}
          type="search"
          aria-label={words.find}
          placeholder={words.find}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      </div>
    </div>
  );
}

const SKELETONS = [180, 140, 210, 160, 120, 190];

/** Nothing for a moment, then rows of the real height. */
function Loading(): ReactNode {
  return (
    <div className="log late" aria-busy="true">
      {SKELETONS.map((width) => (
        <div className="ev" key={width}>
          <span className="skel line" />
          <span />
          <span className="skel line" style={{ width }} />
        </div>
      ))}
    </div>
  );
}

interface RowsProps {
  readonly rows: ReadonlyArray<Row>;
  /** How many events there are, whatever is looked for; null while the past is asked for. */
  readonly count: number | null;
  readonly following: boolean;
  /** The reader scrolled away from the newest event. */
  readonly onAway: () => void;
  /** Keys of the rows that are open. */
  readonly open: ReadonlySet<string>;
  readonly onOpen: (key: string) => void;
}

function Rows({ rows, count, following, onAway, open, onOpen }: RowsProps): ReactNode {
  const { away, offset } = useConnection();
  const [focused, setFocused] = useState<string | null>(null);
  const { box, spans, below, look, measured } = useRows(rows, ROW_PX, focused);
  useLayoutEffect(() => {
    // Whoever follows again wants to see what is newest.
    if (following && box.current !== null) box.current.scrollTop = 0;
  }, [following, box]);
  if (rows.length === 0 && count === null) return <Loading />;
  if (rows.length === 0) return <p className="log nothing">{count === 0 ? words.none : words.noHit}</p>;
  return (
    <div
      className={following ? "log following" : "log"}
      role="log"
      aria-live="off"
      aria-label={words.title}
      data-count={count ?? undefined}
      data-rows={rows.length}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with keys
      tabIndex={0}
      ref={box}
      onScroll={(event) => {
        look();
        if (event.currentTarget.scrollTop > AWAY_PX) onAway();
      }}
    >
      {spans.flatMap(({ gap, from, to }, number) => [
        <div key={number === 0 ? "above" : "between"} style={{ height: gap }} />,
        ...rows.slice(from, to).map((row, index) => {
          const own = { id: row.key, open: open.has(row.key), onOpen, onFocus: setFocused };
          if (row.kind === "fold") return <Fold key={row.key} {...own} row={row} />;
          const { frame, line } = row.told;
          const gone = awayBefore(away, offset, row, rows[from + index + 1]);
          return <Line key={row.key} {...own} frame={frame} line={line} away={gone} measured={measured} />;
        }),
      ])}
      <div style={{ height: below }} />
    </div>
  );
}

type FoldRow = Extract<Row, { readonly kind: "fold" }>;

interface RowProps {
  readonly id: string;
  readonly open: boolean;
  readonly onOpen: (id: string) => void;
  readonly onFocus: (id: string | null) => void;
}

/** The words of a row, which open it. */
function Words({ id, open, onOpen, onFocus, children }: RowProps & { readonly children: string }): ReactNode {
  return (
    <button
      type="button"
      className="ev-text"
      aria-expanded={open}
      onClick={() => onOpen(id)}
      onFocus={() => onFocus(id)}
      onBlur={() => onFocus(null)}
    >
      {children}
    </button>
  );
}

/** What came too fast to be read. */
function Fold({ row, ...own }: RowProps & { readonly row: FoldRow }): ReactNode {
  return (
    <div className="ev tone-off" data-fold={row.count}>
      <Time at={row.at} />
      <Icon name={own.open ? "down" : "right"} />
      <div>
        <Words {...own}>{plural(row.count, row.messages ? words.foldedMessages : words.folded)}</Words>
      </div>
    </div>
  );
}

function Time({ at }: { readonly at: number }): ReactNode {
  return (
    <time dateTime={new Date(at).toISOString()} title={utc(at)}>
      {clockMillis(at)}
    </time>
  );
}

interface LineProps extends RowProps {
  readonly frame: Frame;
  readonly line: EventLine;
  readonly away: Away | null;
  readonly measured: (key: string, px: number) => void;
}

/** One event. Drawn again only when it changes: while the list scrolls only the rows that come into it cost anything. */
const Line = memo(function Line({ frame, line, away, measured, ...own }: LineProps): ReactNode {
  const { id, open } = own;
  const row = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    // They make it higher.
    void open;
    void away;
    if (row.current !== null) measured(id, row.current.offsetHeight);
  }, [id, open, away, measured]);
  return (
    <div ref={row}>
      <div className={`ev tone-${line.tone}`} data-event={frame.type}>
        <Time at={frame.at} />
        <Icon name={line.icon} />
        <div>
          <Words {...own}>{line.text}</Words>
          {open && <div className="ty">{frame.type}</div>}
        </div>
        {open && <pre>{details(frame)}</pre>}
      </div>
      {away && <div className="gapline">{awayText(away)}</div>}
    </div>
  );
});

function awayText(away: Away): string {
  const what = away.snapshot ? PAGE.toast.snapshot : plural(away.replayed, PAGE.toast.away);
  return fill(words.away, { from: clock(away.from, away.to), to: clock(away.to, away.to), what });
}
