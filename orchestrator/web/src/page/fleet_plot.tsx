/** Bots by status over time: a line, stacked areas on their own scale, incidents shaded and named; or the same as a table. */
import { type ReactNode, useEffect, useRef, useState } from "react";
import type { BotsNow, FleetHistory } from "../generated.js";
import { Button } from "./parts/ui.js";
import { clock, fill, utc } from "./say.js";
import { FLEET } from "./texts/fleet.js";
import { STATUSES } from "./texts/statuses.js";
import type { Hours } from "./view/axis.js";
import { byGroup, type Plot, plot } from "./view/fleet.js";
import { GROUP_TONES, GROUPS } from "./view/groups.js";

const words = FLEET.plot;
const NARROW_PX = 560;

interface FleetPlotProps {
  readonly history: FleetHistory | null;
  /** The bots as they are. */
  readonly now: BotsNow | null;
  readonly hours: Hours;
}

export function FleetPlot({ history, now, hours }: FleetPlotProps): ReactNode {
  const [table, setTable] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const narrow = width < NARROW_PX;
  const drawn = history === null || width === 0 ? null : plot(history, now, hours, width, narrow);
  return (
    <section className="card" aria-labelledby="plot-title">
      <div className="ph">
        <h2 id="plot-title">{words.title}</h2>
        <span className="grow" />
        <Button kind="ghost" pressed={table} onClick={() => setTable(!table)}>
          {table ? words.picture : words.table}
        </Button>
      </div>
      <div className="plot" ref={box}>
        {drawn === null && <p className="nothing">{history === null ? "" : words.empty}</p>}
        {history !== null && drawn !== null && table && <Table history={history} />}
        {drawn !== null && !table && <Picture drawn={drawn} hours={hours} narrow={narrow} />}
      </div>
    </section>
  );
}

/** Redrawn for the room there is, never scaled down. */
function useWidth(box: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    watch.observe(element);
    return () => watch.disconnect();
  }, [box]);
  return width;
}

interface PictureProps {
  readonly drawn: Plot;
  readonly hours: Hours;
  readonly narrow: boolean;
}

function Picture({ drawn, hours, narrow }: PictureProps): ReactNode {
  const label = fill(words.label, {
    hours: words.hours[hours],
    connected: drawn.connected,
    total: drawn.total,
    low: drawn.lowest.count,
    time: clock(drawn.lowest.at, Date.now()),
  });
  return (
    <>
      {narrow && <Legend drawn={drawn} />}
      <svg
        viewBox={`0 0 ${drawn.width} ${drawn.height}`}
        width={drawn.width}
        height={drawn.height}
        role="img"
        aria-label={label}
      >
        <Lines drawn={drawn} />
        {drawn.shades.map((shade) => (
          <g key={shade.id}>
            <rect className="shade" x={shade.x} y={12} width={shade.width} height={288}>
              <title>{shade.title}</title>
            </rect>
            {shade.nameX !== null && (
              <text className="shade-name" x={shade.nameX} y={126} textAnchor="middle">
                {shade.title}
              </text>
            )}
          </g>
        ))}
        {drawn.before !== null && (
          <text x={drawn.before.x} y={62} textAnchor="middle">
            {fill(words.before, { time: clock(drawn.before.at, Date.now()) })}
          </text>
        )}
        <path className="conn-fill" d={drawn.fill} />
        <path className="conn-line" d={drawn.line} />
        <text className="own" x={drawn.left} y={148}>
          {words.own}
        </text>
        {drawn.areas.map((area) => (
          <path key={area.group} className={`area tone-${GROUP_TONES[area.group]}`} d={area.path} />
        ))}
        {!narrow && <Names drawn={drawn} />}
        <Times drawn={drawn} />
      </svg>
    </>
  );
}

function Lines({ drawn }: { readonly drawn: Plot }): ReactNode {
  return [...drawn.upper, ...drawn.lower].map((step) => (
    <g key={step.y}>
      <line x1={drawn.left} x2={drawn.width - drawn.right} y1={step.y} y2={step.y} stroke="var(--line)" />
      <text x={drawn.left - 8} y={step.y + 4} textAnchor="end">
        {step.text}
      </text>
    </g>
  ));
}

function Names({ drawn }: { readonly drawn: Plot }): ReactNode {
  const x = drawn.width - drawn.right + 12;
  const named = drawn.areas.toReversed();
  return (
    <>
      <rect className="tone-ok" x={x} y={drawn.endY - 4} width={8} height={8} rx={2} />
      <text x={x + 14} y={drawn.endY + 4}>
        {words.connected} {drawn.connected}
      </text>
      {named.map((area, index) => (
        <g key={area.group}>
          <rect className={`tone-${GROUP_TONES[area.group]}`} x={x} y={234 + index * 18} width={8} height={8} rx={2} />
          <text x={x + 14} y={242 + index * 18}>
            {STATUSES.group[area.group].label} {area.last}
          </text>
        </g>
      ))}
    </>
  );
}

function Times({ drawn }: { readonly drawn: Plot }): ReactNode {
  return drawn.times.map((time, index) => (
    <text key={time.x} x={time.x} y={318} textAnchor={index === drawn.times.length - 1 ? "end" : "middle"}>
      {time.text}
    </text>
  ));
}

function Legend({ drawn }: { readonly drawn: Plot }): ReactNode {
  const all = [{ group: "ok" as const, last: drawn.connected }, ...drawn.areas.toReversed()];
  return (
    <ul className="legend">
      {all.map((one) => (
        <li className="row small dim" key={one.group}>
          <i className={`dot square tone-${GROUP_TONES[one.group]}`} />
          {STATUSES.group[one.group].label} {one.last}
        </li>
      ))}
    </ul>
  );
}

function Table({ history }: { readonly history: FleetHistory }): ReactNode {
  const now = Date.now();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with keys
    <section className="table-box" tabIndex={0} aria-label={words.tableLabel}>
      <table className="tb many">
        <thead>
          <tr>
            <th scope="col">{words.time}</th>
            {GROUPS.map((group) => (
              <th scope="col" key={group}>
                {STATUSES.group[group].label}
              </th>
            ))}
            <th scope="col">{words.workers}</th>
            <th scope="col">{words.sockets}</th>
          </tr>
        </thead>
        <tbody>
          {history.points.toReversed().map((point) => {
            const counts = point.statuses === null ? null : byGroup(point.statuses);
            return (
              <tr key={point.at}>
                <td title={utc(point.at)}>{clock(point.at, now)}</td>
                {GROUPS.map((group) => (
                  <td key={group}>{counts === null ? FLEET.figures.none : counts[group]}</td>
                ))}
                <td>{point.workers}</td>
                <td>{point.sockets}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
