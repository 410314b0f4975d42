/** Incidents, workers and sockets of the operators' page. Owns their cards. */
import { Fragment, type ReactNode } from "react";
import type { BotBrief, FleetNow, Incident, IncidentList, WorkerNow } from "../generated.js";
import { Icon, type IconName } from "./icons.js";
import { clock, fill, number, plural, span } from "./say.js";
import { FLEET } from "./texts/fleet.js";
import { STATUSES } from "./texts/statuses.js";
import type { Group, Tone } from "./view/status.js";

const MOST_WORKERS = 100;
const CELLS = 20;

export function Incidents({ list }: { readonly list: IncidentList | null }): ReactNode {
  const words = FLEET.incidents;
  return (
    <section className="card" aria-labelledby="incidents-title">
      <div className="ph">
        <h2 id="incidents-title">{words.title}</h2>
        {list !== null && list.open > 0 && (
          <span className="pill small tone-stop">{plural(list.open, words.open)}</span>
        )}
      </div>
      {list !== null && list.incidents.length === 0 && <p className="nothing">{words.none}</p>}
      {list?.incidents.map((one) => (
        <IncidentRow key={one.id} incident={one} />
      ))}
    </section>
  );
}

const LOOKS: { readonly [kind: string]: { readonly icon: IconName; readonly tone: Tone } } = {
  client_outdated: { icon: "outdated", tone: "stop" },
  whatsapp_unreachable: { icon: "reconnecting", tone: "heal" },
  worker_lost: { icon: "reconnecting", tone: "heal" },
};

function IncidentRow({ incident }: { readonly incident: Incident }): ReactNode {
  const words = FLEET.incidents;
  const open = incident.until === null;
  const look = open
    ? (LOOKS[incident.kind] ?? { icon: "alert", tone: "stop" })
    : { icon: "check" as const, tone: "off" };
  const now = Date.now();
  const [from, to] = [clock(incident.since, now), incident.until === null ? null : clock(incident.until, now)];
  const when = to === null ? words.now : from === to ? from : `${from} – ${to}`;
  const parts = [incident.text, open ? fill(words.since, { time: from }) : words.closed, open ? incident.action : null];
  return (
    <article className="inc">
      <span className={`tile tone-${look.tone}`}>
        <Icon name={look.icon} className="s14" />
      </span>
      <h3>{incident.title || incident.kind.replaceAll("_", " ")}</h3>
      <span className="meta num">{when}</span>
      <p>
        <Words text={parts.filter(Boolean).join(" ")} />
      </p>
    </article>
  );
}

/** What stands between backquotes is to be typed. */
function Words({ text }: { readonly text: string }): ReactNode {
  return text.split("`").map((part, index) =>
    index % 2 === 1 ? (
      <code className="mono" key={part}>
        {part}
      </code>
    ) : (
      part
    ),
  );
}

export function Workers({ now }: { readonly now: FleetNow | null }): ReactNode {
  const words = FLEET.workers;
  const sorted = (now?.workers ?? []).toSorted(
    (one, other) => trouble(other) - trouble(one) || aside(one) - aside(other) || one.number - other.number,
  );
  const shown = sorted.slice(0, MOST_WORKERS);
  return (
    <section className="card" aria-labelledby="workers-title">
      <div className="ph">
        <h2 id="workers-title">{words.title}</h2>
        <span className="meta only-w">{words.hint}</span>
      </div>
      {now !== null && sorted.length === 0 && <p className="nothing">{words.none}</p>}
      <ul className="wk">
        {shown.map((worker) => (
          <WorkerTile key={worker.id} worker={worker} now={now?.at ?? 0} />
        ))}
      </ul>
      {sorted.length > shown.length && <p className="nothing">{plural(sorted.length - shown.length, words.more)}</p>}
    </section>
  );
}

/** Those that hold no running bots stand behind the others. */
function aside({ kind }: WorkerNow): number {
  return kind === "linking" || kind === "spare" ? 1 : 0;
}

/** Workers that somebody should look at come first when there are very many. */
function trouble(worker: WorkerNow): number {
  return worker.number > MOST_WORKERS
    ? worker.bots.filter((bot) => cellTone(bot) !== "ok").length + worker.restarts
    : 0;
}

function cellTone(bot: BotBrief): Tone {
  const known: { readonly [status: string]: { readonly tone: Tone } } = STATUSES.status;
  return known[bot.status]?.tone ?? "stop";
}

function WorkerTile({ worker, now }: { readonly worker: WorkerNow; readonly now: number }): ReactNode {
  const words = FLEET.workers;
  const linking = worker.kind === "linking";
  const name = linking
    ? words.linking
    : worker.kind === "spare"
      ? words.spare
      : fill(words.worker, { n: worker.number });
  const bots = plural(worker.bots.length, linking ? words.attempts : words.bots);
  return (
    <li className="w">
      <div className="l">
        <b>{name}</b>
        <span>{bots}</span>
      </div>
      <Cells bots={worker.bots} label={fill(words.label, { name, bots, statuses: statusesOf(worker.bots) })} />
      <div className="l">
        <span>
          {worker.memoryBytes === null
            ? FLEET.figures.none
            : fill(words.memory, { n: Math.round(worker.memoryBytes / 1e6) })}
        </span>
        <span>
          {worker.restarts > 0
            ? plural(worker.restarts, words.restarts)
            : fill(words.up, { span: span(now - worker.since) })}
        </span>
      </div>
      <div className="l">
        <span>{words.lag}</span>
        <span>{worker.loopLagMs === null ? FLEET.figures.none : `${worker.loopLagMs} ${FLEET.figures.ms}`}</span>
      </div>
    </li>
  );
}

function statusesOf(bots: ReadonlyArray<BotBrief>): string {
  const groups = new Map<Group, number>();
  const known: { readonly [status: string]: { readonly group: Group } } = STATUSES.status;
  for (const bot of bots) {
    const group = known[bot.status]?.group ?? "you";
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  return [...groups].map(([group, count]) => `${count} ${STATUSES.group[group].label}`).join(", ");
}

function Cells({ bots, label }: { readonly bots: ReadonlyArray<BotBrief>; readonly label: string }): ReactNode {
  const free = Math.max(0, CELLS - bots.length);
  return (
    <div className="cells" role="img" aria-label={label}>
      {bots.map((bot) => (
        <i key={bot.id} className={`tone-${cellTone(bot)}`} title={bot.name} />
      ))}
      {Array.from({ length: free }, (_, index) => index).map((index) => (
        <i key={index} className="none" />
      ))}
    </div>
  );
}

export function Sockets({ now }: { readonly now: FleetNow | null }): ReactNode {
  const words = FLEET.sockets;
  const sockets = now?.sockets;
  const zero = (count: number) => (count === 0 ? words.zero : number(count));
  const rows: ReadonlyArray<readonly [string, string]> =
    sockets === undefined
      ? []
      : [
          [words.open, number(sockets.open)],
          ...Object.entries(sockets.refused).map(
            ([code, count]) => [fill(words.refused, { code }), number(count)] as const,
          ),
          [words.takenOver, number(sockets.takenOver)],
          [words.slow, number(sockets.closed.slow_consumer ?? 0)],
          [words.replaced, zero(sockets.replaced)],
          [words.replayed, number(sockets.replayed)],
          [words.failures, zero(now?.taskFailures ?? 0)],
        ];
  return (
    <section className="card" aria-labelledby="sockets-title">
      <div className="ph">
        <h2 id="sockets-title">{words.title}</h2>
      </div>
      <dl className="tb pairs">
        {rows.map(([what, count]) => (
          <Fragment key={what}>
            <dt className="dim">{what}</dt>
            <dd className="num">{count}</dd>
          </Fragment>
        ))}
      </dl>
    </section>
  );
}
