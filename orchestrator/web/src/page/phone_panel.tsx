/** Linking with a number: the number goes in, the code to type comes out. Owns the field and copying. */
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import type { Code } from "../types.js";
import { announce } from "./announce.js";
import { askedPhones } from "./draft.js";
import { useServerNow } from "./live.js";
import { Ring } from "./parts/ring.js";
import { Button, Field } from "./parts/ui.js";
import { country, fault, whole } from "./phone.js";
import { clockSeconds, fill, secondsLeft, spelled } from "./say.js";
import { WIZARD } from "./texts/wizard.js";

const CODE_S = 160;
const COPIED_MS = 2_000;

interface PhoneEntryProps {
  readonly bot: string;
  readonly busy: boolean;
  /** What the server made of the number. */
  readonly refused: string | null;
  readonly onFault: (bad: boolean) => void;
  readonly onAsk: (typed: string) => void;
}

export function PhoneEntry({ bot, busy, refused, onFault, onAsk }: PhoneEntryProps): ReactNode {
  const words = WIZARD.phone;
  const [typed, setTyped] = useState(() => askedPhones.of(bot) ?? "");
  const [shown, setShown] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong = fault(typed);
    setShown(wrong === null ? null : { country: words.noCountry, short: words.short, long: words.long }[wrong]);
    onFault(wrong !== null);
    if (wrong === null && !busy) onAsk(typed);
  };
  const where = country(typed);
  return (
    <form className="phone-entry" onSubmit={submit} noValidate>
      <Field
        label={words.label}
        value={typed}
        large
        type="tel"
        inputMode="tel"
        autoComplete="tel"
        error={shown ?? refused}
        good={where !== null && fault(typed) === null ? fill(words.country, { country: where }) : null}
        help={words.help}
        onChange={(value) => {
          setTyped(value);
          setShown(null);
          onFault(false);
        }}
      />
      <Button kind="pri" large type="submit" className="wide" busy={busy}>
        {words.go}
      </Button>
    </form>
  );
}

/** Whether it could be copied: an address without https has no clipboard, and a browser may refuse it. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

interface PairingCodeProps {
  readonly bot: string;
  readonly code: Extract<Code, { readonly kind: "pairing_code" }>;
  readonly offset: number;
  readonly onChange: () => void;
}

export function PairingCode({ bot, code, offset, onChange }: PairingCodeProps): ReactNode {
  const words = WIZARD.phone;
  const now = useServerNow(250);
  const copy = useRef<HTMLButtonElement>(null);
  const [copied, setCopied] = useState<"done" | "refused" | null>(null);
  useEffect(() => copy.current?.focus(), []);
  useEffect(() => {
    if (copied === null) return;
    const timer = setTimeout(() => setCopied(null), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const put = async () => {
    const done = await copyText(code.code);
    setCopied(done ? "done" : "refused");
    announce(done ? words.copied : words.copyByHand);
  };
  const asked = askedPhones.of(bot);
  return (
    <>
      <div className="paircode">
        <span className="meta">{words.type}</span>
        <div className="code8" role="img" aria-label={fill(words.codeLabel, { spelled: spelled(code.code) })}>
          {code.code}
        </div>
        <Button icon={copied === "done" ? "check" : "copy"} innerRef={copy} onClick={() => void put()} className="copy">
          {copied === null ? words.copy : copied === "done" ? words.copied : words.copyByHand}
        </Button>
      </div>
      <div className="count auto">
        <Ring seconds={secondsLeft(code.expiresAt, now)} of={CODE_S} large />
        <div>
          <div className="strong num">{fill(words.until, { time: clockSeconds(code.expiresAt - offset) })}</div>
          <div className="meta">
            {asked !== undefined && <span className="num">{fill(words.for, { phone: whole(asked) })} · </span>}
            <button type="button" className="as-link" onClick={onChange}>
              {words.change}
            </button>
          </div>
        </div>
      </div>
    </>
  );
}
