/** Name and Options: what a bot is called, how it shows on the phone, how it reaches WhatsApp. Creates the bot. */
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import type { Bot } from "../generated.js";
import { expectBot } from "./coming.js";
import {
  type Draft,
  deviceNameOf,
  dropDraft,
  keepDraft,
  MOST_NAME,
  nameFault,
  readDraft,
  requestKey,
} from "./draft.js";
import { type Fault, faultOf, OtherFault } from "./fault.js";
import { Icon } from "./icons.js";
import { useBots } from "./live.js";
import { Button, Field } from "./parts/ui.js";
import { digits, fault, type PhoneFault } from "./phone.js";
import { ProxyField } from "./proxy_field.js";
import { ask } from "./rest.js";
import { go } from "./router.js";
import { useTitle } from "./shell.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";
import { isMissing, type ProxyTest, testOf } from "./view/proxy.js";
import { Wizard } from "./wizard.js";

const leaveWizard = () => {
  dropDraft();
  go("/");
};

export function NamePage(): ReactNode {
  useTitle(PAGE.titles.new);
  const bots = useBots();
  const [name, setName] = useState(() => readDraft().name);
  const [error, setError] = useState<string | null>(null);
  const field = useFocus();
  const words = WIZARD.name;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong = nameFault(name, bots);
    setError(wrong);
    if (wrong !== null) return field.current?.focus();
    keepDraft({ name: name.trim() });
    go("/new/options");
  };
  return (
    <Wizard step="name" bot={null} leave="close" onLeave={leaveWizard}>
      <div className="wcard wtwo">
        <form className="form" onSubmit={submit} noValidate>
          <div>
            <h1>{words.title}</h1>
            <p className="dim below">{words.text}</p>
          </div>
          <Field
            label={words.label}
            value={name}
            large
            maxLength={MOST_NAME + 1}
            innerRef={field}
            error={error}
            onChange={(typed) => {
              setName(typed);
              setError(null);
            }}
          />
          <div className="acts flat">
            <Button kind="pri" large type="submit" kbd="↵">
              {words.go}
            </Button>
          </div>
        </form>
        <aside className="aside">
          <h2>{words.needTitle}</h2>
          <ol className="how small">
            {words.need.map((line) => (
              <li key={line}>
                <span>{line}</span>
              </li>
            ))}
          </ol>
          <p className="meta">{words.needNote}</p>
        </aside>
      </div>
    </Wizard>
  );
}

/** The field to type into first, so that Enter alone goes on. */
function useFocus() {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return field;
}

const FIELDS = ["deviceName", "proxy", "expectedPhone"];

export function OptionsPage(): ReactNode {
  useTitle(PAGE.titles.new);
  const [draft, setDraft] = useState(readDraft);
  const [proxyOn, setProxyOn] = useState(() => readDraft().proxy !== "");
  const [test, setTest] = useState<ProxyTest | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const [busy, setBusy] = useState(false);
  const field = useFocus();
  const change = (changes: Parameters<typeof keepDraft>[0]) => {
    setDraft(keepDraft(changes));
    setFault(null);
  };
  useEffect(() => {
    if (readDraft().name === "") go("/new", { replace: true });
  }, []);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const wrong = optionsFault(draft, proxyOn);
    setFault(wrong);
    if (wrong !== null || busy) return;
    setBusy(true);
    setFault(await create(proxyOn));
    setBusy(false);
  };
  const words = WIZARD.options;
  const near = (name: string) => (fault?.field === name ? fault.text : null);
  return (
    <Wizard step="options" bot={draft.name} leave="close" onLeave={leaveWizard}>
      <div className="wcard wtwo">
        <form className="form" onSubmit={(event) => void submit(event)} noValidate>
          <div>
            <h1>{words.title}</h1>
            <p className="dim below">{words.text}</p>
          </div>
          <Field
            label={words.device}
            value={draft.deviceName ?? deviceNameOf(draft)}
            maxLength={50}
            innerRef={field}
            help={words.deviceHelp}
            error={near("deviceName")}
            onChange={(deviceName) => change({ deviceName })}
          />
          <ProxyField
            on={proxyOn}
            value={draft.proxy}
            test={test}
            error={near("proxy")}
            onSwitch={setProxyOn}
            onTest={setTest}
            onChange={(value) => change({ proxy: value })}
          />
          <Field
            label={words.expected}
            value={draft.expectedPhone}
            inputMode="tel"
            help={words.expectedHelp}
            error={near("expectedPhone")}
            onChange={(expectedPhone) => change({ expectedPhone })}
          />
          <OtherFault fault={fault} />
          <div className="acts flat">
            <Button kind="pri" large type="submit" busy={busy} kbd="↵">
              {proxyOn && testOf(test, draft.proxy)?.outcome === "bad" ? words.anyway : words.go}
            </Button>
            <Button kind="ghost" large onClick={() => go("/new")}>
              {words.back}
            </Button>
          </div>
        </form>
        <Preview device={deviceNameOf(draft)} />
      </div>
    </Wizard>
  );
}

const PHONE_FAULTS: { readonly [fault in PhoneFault]: string } = {
  country: WIZARD.phone.noCountry,
  short: WIZARD.phone.short,
  long: WIZARD.phone.long,
};

function optionsFault({ proxy, expectedPhone: expected }: Draft, proxyOn: boolean): Fault | null {
  if (isMissing(proxyOn, proxy, false)) return { field: "proxy", text: WIZARD.options.proxyBad };
  if (expected.trim() === "") return null;
  const wrong = fault(expected);
  return wrong === null ? null : { field: "expectedPhone", text: PHONE_FAULTS[wrong] };
}

/** Create the bot, which begins to link, and go to its Link step; what was refused otherwise. */
async function create(proxyOn: boolean): Promise<Fault | null> {
  const draft = readDraft();
  const body = {
    name: draft.name,
    deviceName: deviceNameOf(draft),
    proxy: proxyOn ? draft.proxy.trim() : null,
    expectedPhone: digits(draft.expectedPhone) || null,
  };
  try {
    const bot = await ask<Bot>("POST", "/bots", body, { key: requestKey(body) });
    expectBot(bot.id);
    dropDraft();
    go(`/bots/${bot.id}/link`, { replace: true });
    return null;
  } catch (error) {
    return faultOf(error, FIELDS);
  }
}

function Preview({ device }: { readonly device: string }): ReactNode {
  const title = useId();
  return (
    <aside className="aside" aria-labelledby={title}>
      <h2 id={title}>{WIZARD.options.previewTitle}</h2>
      <div className="card preview">
        <span className="tile tone-off">
          <Icon name="term" className="s20" />
        </span>
        <div className="ell">
          <div className="ell strong">{device}</div>
          <div className="meta">{WIZARD.options.previewNow}</div>
        </div>
      </div>
      <p className="meta">{WIZARD.options.previewNote}</p>
    </aside>
  );
}
