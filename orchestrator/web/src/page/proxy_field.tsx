/** A proxy: off or on, its address, and whether it lets us through to WhatsApp. The address is a secret: never kept. */
import { type ReactNode, useState } from "react";
import { faultOf } from "./fault.js";
import { Button, Field, Switch } from "./parts/ui.js";
import { ask } from "./rest.js";
import { WIZARD } from "./texts/wizard.js";
import { answered, masked, type ProxyTest, testOf } from "./view/proxy.js";

interface ProxyFieldProps {
  readonly on: boolean;
  readonly value: string;
  readonly test: ProxyTest | null;
  readonly error: string | null;
  readonly onSwitch: (on: boolean) => void;
  readonly onChange: (value: string) => void;
  readonly onTest: (next: (before: ProxyTest | null) => ProxyTest | null) => void;
}

export function ProxyField(props: ProxyFieldProps): ReactNode {
  const words = WIZARD.options;
  const test = testOf(props.test, props.value);
  const [writing, setWriting] = useState(false);
  return (
    <div className="proxy">
      <div className="row">
        <span className="grow strong">{words.proxy}</span>
        <Switch label={words.proxy} on={props.on} onChange={props.onSwitch} />
      </div>
      {props.on && (
        <Field
          label={words.proxyAddress}
          hideLabel
          mono
          value={writing ? props.value : masked(props.value)}
          inputMode="url"
          placeholder="socks5://host:1080"
          error={props.error ?? (test?.outcome === "bad" || test?.outcome === "unknown" ? test.text : null)}
          good={test?.outcome === "good" ? test.text : null}
          help={test?.outcome === "testing" ? test.text : words.proxyHelp}
          onChange={props.onChange}
          onFocus={() => setWriting(true)}
          onBlur={() => setWriting(false)}
          beside={
            <Button className="tall" busy={test?.outcome === "testing"} onClick={() => void tried(props)}>
              {words.test}
            </Button>
          }
        />
      )}
    </div>
  );
}

async function tried({ value, onTest }: ProxyFieldProps): Promise<void> {
  const of = value.trim();
  const words = WIZARD.options;
  if (of === "") return onTest(() => ({ of, outcome: "unknown", text: words.proxyBad }));
  onTest(() => ({ of, outcome: "testing", text: words.testing }));
  const answer = await tell(of);
  onTest((before) => answered(before, answer));
}

async function tell(of: string): Promise<ProxyTest> {
  const words = WIZARD.options;
  try {
    const { ok } = await ask<{ readonly ok: boolean }>("POST", "/proxy-checks", { proxy: of });
    return ok ? { of, outcome: "good", text: words.works } : { of, outcome: "bad", text: words.fails };
  } catch (error) {
    return { of, outcome: "unknown", text: faultOf(error, []).text };
  }
}
