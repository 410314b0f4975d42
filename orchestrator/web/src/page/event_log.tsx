/** A bot's live events, newest first: filter, pause, details. Long lists keep only what is near the view in the document. */
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Bot } from "../generated.js";
import type { Away, Frame, State } from "../types.js";
import { Icon } from "./icons.js";
import { useConnection, useLive } from "./live.js";
import { Button } from "./parts/ui.js";
import { usePastEvents } from "./past_events.js";
import { clock, clockMillis, fill, plural, utc } from "./say.js";
import { BOT } from "./texts/bot.js";
import { PAGE } from "./texts/page.js";
import { details, type EventLine, eventLine, isRepetition, learn, matches, type Topic } from "./view/events.js";
import { useRows } from "./window_rows.js";

type Filter = Topic | "all" | "problems";

const TOPICS: ReadonlyArray<Filter> = ["all", "link", "messages", "sends", "problems"];
const words = BOT.events;

interface Told {
  readonly frame: Frame;
  readonly line: EventLine;
}

const logOf = (state: State): State["log"] => state.log;

export function EventLog({ bot }: { readonly bot: Bot }): ReactNode {
  const told = useTold(bot.id);
  const [pausedAt, setPausedAt] = useState<number | null>(null);
  const [topic, setTopic] = useState<Filter>("all");
  const [find, setFind] = useState<string | null>(null);
  const toggle = useCallback(() => setPausedAt((at) => (at === null ? told.length : null)), [told.length]);
  usePauseKey(toggle);
  const until = pausedAt ?? told.length;
  const shown = useMemo(
    () =>
      told
        .slice(0, until)
        .filter(({ line }) => matches(line, topic, find ?? ""))
        .toReversed(),
    [told, until, topic, find],
  );
  const problems = useMemo(() => told.filter(({ line }) => line.problem).length, [told]);
  const missed = told.length - until;
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
      <Rows told={shown} empty={told.length === 0} onAway={() => setPausedAt((at) => at ?? told.length)} />
    </section>
  );
}

/** Frames of a bot as lines, those from before the page was opened first; each is told once, however the log grows. */
function useTold(bot: string): ReadonlyArray<Told> {
  const log = useLive(logOf);
  const past = usePastEvents();
  // Whole chunks of the log keep their identity, and so does what is told of them: only the last one is told again.
  // Lines told before the past was known may name nobody: they are told anew with it.
  const cache = useMemo(
    () => ({ past, people: new Map<string, string>(), chunks: new WeakMap<object, Chunk>() }),
    [past],
  );
  return useMemo(() => {
    const first = log.chunks[0]?.[0]?.seq ?? Number.POSITIVE_INFINITY;
    const chunks = [past, ...log.chunks];
    let before: string | null = null;
    const all = chunks.map((frames) => {
      // How much of the past the log repeats may still change: it is told anew each time.
      const known = frames === past ? undefined : cache.chunks.get(frames);
      const made =
        known ?? toldOf(frames, bot, before, cache.people, frames === past ? first : Number.POSITIVE_INFINITY);
      if (known === undefined) cache.chunks.set(frames, made);
      before = made.status ?? before;
      return made.told;
    });
    return all.flat();
  }, [log, past, bot, cache]);
}

interface Chunk {
  readonly told: ReadonlyArray<Told>;
  /** The bot's status after it; null when it tells none. */
  readonly status: string | null;
}

function toldOf(
  frames: ReadonlyArray<Frame>,
  bot: string,
  before: string | null,
  people: Map<string, string>,
  until: number,
): Chunk {
  const own = frames.filter((frame) => frame.botId === bot && (frame.seq ?? 0) < until && !isRepetition(frame));
  for (const frame of own) learn(people, frame);
  let status: string | null = null;
  const told = own.map((frame) => {
    const line = eventLine(frame, status ?? before, people);
    if (frame.status != null) status = frame.status;
    return { frame, line };
  });
  return { told, status };
}

function usePauseKey(toggle: () => void): void {
  useEffect(() => {
    const onKey = (event: Event) => {
      if ((event as CustomEvent<string>).detail === "p") toggle();
    };
    document.addEventListener("page:key", onKey);
    return () => document.removeEventListener("page:key", onKey);
  }, [toggle]);
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

interface RowsProps {
  readonly told: ReadonlyArray<Told>;
  readonly empty: boolean;
  /** The reader scrolled away from the newest event. */
  readonly onAway: () => void;
}

function Rows({ told, empty, onAway }: RowsProps): ReactNode {
  const away = useConnection().away;
  const rows = useRows(told.length, 30);
  if (told.length === 0) return <p className="log nothing">{empty ? words.none : words.noHit}</p>;
  return (
    <div
      className="log"
      role="log"
      aria-live="off"
      aria-label={words.title}
      data-count={told.length}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with keys
      tabIndex={0}
      ref={rows.box}
      onScroll={(event) => {
        rows.look();
        if (event.currentTarget.scrollTop > 40) onAway();
      }}
    >
      <div style={{ height: rows.above }} />
      {told.slice(rows.first, rows.last).map(({ frame, line }, index) => (
        <Row
          key={frame.id}
          frame={frame}
          line={line}
          away={gapBefore(away, frame, told[rows.first + index + 1]?.frame)}
        />
      ))}
      <div style={{ height: rows.below }} />
    </div>
  );
}

/** The absence that lies between a frame and the one before it. */
function gapBefore(away: Away | null, frame: Frame, earlier: Frame | undefined): Away | null {
  if (away === null || away.to - away.from < 60_000) return null;
  return frame.at >= away.from && (earlier === undefined || earlier.at < away.from) ? away : null;
}

interface RowProps {
  readonly frame: Frame;
  readonly line: EventLine;
  readonly away: Away | null;
}

function Row({ frame, line, away }: RowProps): ReactNode {
  const [open, setOpen] = useState(false);
  return (
    <>
      <div className={`ev tone-${line.tone}`} data-event={frame.type}>
        <time dateTime={new Date(frame.at).toISOString()} title={utc(frame.at)}>
          {clockMillis(frame.at)}
        </time>
        <Icon name={line.icon} />
        <div>
          <button type="button" className="ev-text" aria-expanded={open} onClick={() => setOpen(!open)}>
            {line.text}
          </button>
          {open && <div className="ty">{frame.type}</div>}
        </div>
        {open && <pre>{details(frame)}</pre>}
      </div>
      {away && <div className="gapline">{awayText(away)}</div>}
    </>
  );
}

function awayText(away: Away): string {
  const what = away.snapshot ? PAGE.toast.snapshot : plural(away.replayed, PAGE.toast.away);
  return fill(words.away, { from: clock(away.from, away.to), to: clock(away.to, away.to), what });
}
