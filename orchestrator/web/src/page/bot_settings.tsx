/** Name, device name and proxy of a bot that is there already. The present proxy is never shown: it is write-only. */
import { type FormEvent, type ReactNode, useId, useState } from "react";
import type { Bot } from "../generated.js";
import { nameFault } from "./draft.js";
import { type Fault, faultOf, OtherFault } from "./fault.js";
import { useBots } from "./live.js";
import { Dialog } from "./parts/dialog.js";
import { Button, Field } from "./parts/ui.js";
import { ProxyField } from "./proxy_field.js";
import { ask } from "./rest.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";
import { isMissing, type ProxyTest } from "./view/proxy.js";

interface BotSettingsProps {
  readonly bot: Bot;
  readonly onClose: () => void;
  readonly onSaved?: () => void;
}

export function BotSettings({ bot, onClose, onSaved }: BotSettingsProps): ReactNode {
  const title = useId();
  const bots = useBots();
  const [name, setName] = useState(bot.name);
  const [device, setDevice] = useState(bot.deviceName);
  const [proxyOn, setProxyOn] = useState(bot.proxy);
  const [proxy, setProxy] = useState("");
  const [test, setTest] = useState<ProxyTest | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const [busy, setBusy] = useState(false);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const named = nameFault(name, bots, bot.id);
    const missing = isMissing(proxyOn, proxy, bot.proxy);
    if (named !== null) return setFault({ field: "name", text: named });
    if (missing) return setFault({ field: "proxy", text: WIZARD.options.proxyBad });
    if (busy) return;
    setBusy(true);
    const changes = proxyOn ? (proxy.trim() === "" ? {} : { proxy: proxy.trim() }) : { proxy: null };
    const failed = await patch(bot.id, { name: name.trim(), deviceName: device.trim() || bot.deviceName, ...changes });
    setBusy(false);
    setFault(failed);
    if (failed === null) {
      onClose();
      onSaved?.();
    }
  };
  const words = PAGE.settings;
  const edit = (set: (typed: string) => void) => (typed: string) => {
    set(typed);
    setFault(null);
  };
  const near = (field: string) => (fault?.field === field ? fault.text : null);
  return (
    <Dialog narrow labelledBy={title} onClose={onClose}>
      <form className="confirm spaced" onSubmit={(event) => void save(event)} noValidate>
        <h2 id={title}>{words.title}</h2>
        <Field label={WIZARD.name.label} value={name} onChange={edit(setName)} error={near("name")} />
        <Field
          label={WIZARD.options.device}
          value={device}
          onChange={edit(setDevice)}
          maxLength={50}
          help={words.deviceHelp}
          error={near("deviceName")}
        />
        <ProxyField
          on={proxyOn}
          value={proxy}
          test={test}
          error={near("proxy")}
          onSwitch={setProxyOn}
          onChange={edit(setProxy)}
          onTest={setTest}
        />
        {bot.proxy && <p className="meta">{words.proxyHelp}</p>}
        <OtherFault fault={fault} />
        <div className="acts end">
          <Button onClick={onClose}>{PAGE.cancel}</Button>
          <Button kind="pri" type="submit" busy={busy}>
            {words.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

async function patch(bot: string, changes: { readonly [field: string]: string | null }): Promise<Fault | null> {
  try {
    await ask("PATCH", `/bots/${bot}`, changes);
    return null;
  } catch (error) {
    return faultOf(error, ["name", "deviceName", "proxy"]);
  }
}
