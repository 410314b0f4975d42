/** A proxy: off or on, its address, and whether it lets us through to WhatsApp. The address is a secret: never kept. */
import type { ReactNode } from "react";
import { Button, Field, Switch } from "./parts/ui.js";
import { ask, Problem } from "./rest.js";
import { WIZARD } from "./texts/wizard.js";

export type ProxyState = "untested" | "testing" | "good" | "bad";

interface ProxyFieldProps {
  readonly on: boolean;
  readonly value: string;
  readonly state: ProxyState;
  readonly error: string | null;
  readonly onSwitch: (on: boolean) => void;
  readonly onChange: (value: string) => void;
  readonly onState: (state: ProxyState) => void;
}

export function ProxyField(props: ProxyFieldProps): ReactNode {
  const words = WIZARD.options;
  const { state } = props;
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
          value={props.value}
          inputMode="url"
          placeholder="socks5://host:1080"
          error={props.error ?? (state === "bad" ? words.fails : null)}
          good={state === "good" ? words.works : null}
          help={state === "testing" ? words.testing : words.proxyHelp}
          onChange={(value) => {
            props.onState("untested");
            props.onChange(value);
          }}
          beside={
            <Button className="tall" busy={state === "testing"} onClick={() => void test(props)}>
              {words.test}
            </Button>
          }
        />
      )}
    </div>
  );
}

async function test({ value, onState }: ProxyFieldProps): Promise<void> {
  if (value.trim() === "") return;
  onState("testing");
  try {
    const answer = await ask<{ readonly ok: boolean }>("POST", "/proxy-checks", { proxy: value.trim() });
    onState(answer.ok ? "good" : "bad");
  } catch (error) {
    onState(error instanceof Problem ? "bad" : "untested");
  }
}
