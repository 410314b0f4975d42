/** The code to scan: dark on white in both themes, whole pixels, gone at once when it may be stale. Owns its drawing. */
import { type ReactNode, useEffect, useState } from "react";
import type { Code } from "../types.js";
import { announce } from "./announce.js";
import { Icon, type IconName } from "./icons.js";
import { useServerNow } from "./live.js";
import { Ring } from "./parts/ring.js";
import { fill, left, secondsLeft } from "./say.js";
import { WIZARD } from "./texts/wizard.js";
import { modulePx, PLACEHOLDER, qrPath } from "./view/qr.js";

const FIRST_S = 60;
const NEXT_S = 20;
const ROOM_PX = 325;
const SMALL_ROOM_PX = 292;

type Qr = Extract<Code, { readonly kind: "qr" }>;

export function QrPanel({ code }: { readonly code: Qr }): ReactNode {
  const room = useRoom();
  const drawn = qrPath(code.svg);
  const lives = code.index === 1 ? FIRST_S : NEXT_S;
  // The page's time stands still between two ticks: a code just come would have more left than it ever had.
  const now = Math.max(useServerNow(250), code.expiresAt - lives * 1000);
  const seconds = secondsLeft(code.expiresAt, now);
  if (drawn === null || seconds === 0)
    return <NoCode icon="connecting" text={WIZARD.qr.coming} spins index={code.index} />;
  const px = drawn.size * modulePx(drawn.size, room);
  return (
    <>
      <div className="qr" data-qr={code.index}>
        <svg
          viewBox={`0 0 ${drawn.size} ${drawn.size}`}
          style={{ width: px, height: px }}
          role="img"
          aria-label={fill(WIZARD.qr.label, { index: code.index, of: code.of })}
        >
          <path d={drawn.path} fill="#17171a" />
        </svg>
      </div>
      <Count code={code} seconds={seconds} lives={lives} now={now} />
    </>
  );
}

interface CountProps {
  readonly code: Qr;
  readonly seconds: number;
  /** Seconds the code had in all. */
  readonly lives: number;
  readonly now: number;
}

function Count({ code, seconds, lives, now }: CountProps): ReactNode {
  const words = WIZARD.qr;
  const last = code.index >= code.of;
  const tenLeft = last && seconds <= 10;
  useEffect(() => {
    if (tenLeft) announce(WIZARD.qr.tenLeft);
  }, [tenLeft]);
  return (
    <div className="count">
      <Ring seconds={seconds} of={lives} />
      <div>
        <div className="strong">{fill(words.index, { index: code.index, of: code.of })}</div>
        <div className="meta num">{fill(last ? words.last : words.left, { left: left(code.expiresAt, now) })}</div>
      </div>
      <Pips index={code.index} of={code.of} />
    </div>
  );
}

function Pips({ index, of }: { readonly index: number; readonly of: number }): ReactNode {
  const all = Array.from({ length: of }, (_, at) => at + 1);
  return (
    <div className="pips" aria-hidden="true">
      {all.map((pip) => (
        <i key={pip} className={pip === index ? "on" : pip < index ? "was" : ""} />
      ))}
    </div>
  );
}

interface NoCodeProps {
  readonly icon: IconName;
  readonly text: string;
  readonly spins?: boolean;
  readonly index?: number;
  readonly children?: ReactNode;
}

/** The panel while no code is on offer. */
export function NoCode({ icon, text, spins, index = 0, children }: NoCodeProps): ReactNode {
  return (
    <>
      <div className="qr empty" data-qr="none">
        <div>
          <Icon name={icon} className={spins ? "s20 spin" : "s20"} />
          <span>{text}</span>
          {children}
        </div>
      </div>
      <div className="count">
        <span className="meta">{WIZARD.qr.follow}</span>
        <Pips index={index} of={6} />
      </div>
    </>
  );
}

/** Where a code was that must not be scanned: a pattern that is none. */
export function Veiled({ elsewhere }: { readonly elsewhere: boolean }): ReactNode {
  const words = WIZARD.qr;
  return (
    <>
      <div className="qr blur" data-qr="veiled">
        <svg viewBox={`0 0 ${PLACEHOLDER.size} ${PLACEHOLDER.size}`} aria-hidden="true">
          <path d={PLACEHOLDER.path} fill="#17171a" />
        </svg>
        <div className="veil">
          <div>
            <Icon name={elsewhere ? "replaced" : "reconnecting"} className="s20" />
            <span>{elsewhere ? words.notLive : words.doNotScan}</span>
          </div>
        </div>
      </div>
      <div className="count">
        <span className="meta">{elsewhere ? words.otherBrowser : words.back}</span>
      </div>
    </>
  );
}

const SMALL = "(max-width: 389px)";

function useRoom(): number {
  const [small, setSmall] = useState(() => matchMedia(SMALL).matches);
  useEffect(() => {
    const query = matchMedia(SMALL);
    const change = () => setSmall(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  return small ? SMALL_ROOM_PX : ROOM_PX;
}
