/** Name, device name and proxy of a bot that is there already. The present proxy is never shown: it is write-only. */
import { type FormEvent, type ReactNode, useId, useState } from "react";
import type { Bot } from "../generated.js";
import { nameFault } from "./draft.js";
import { useBots } from "./live.js";
import { Dialog } from "./parts/dialog.js";
import { Button, Field } from "./parts/ui.js";
import { ProxyField, type ProxyState } from "./proxy_field.js";
import { ask, Problem } from "./rest.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";

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
  const [state, setState] = useState<ProxyState>("untested");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const wrong = nameFault(name, bots, bot.id);
    setError(wrong);
    if (wrong !== null || busy) return;
    setBusy(true);
    const changes = proxyOn ? (proxy.trim() === "" ? {} : { proxy: proxy.trim() }) : { proxy: null };
    const failed = await patch(bot.id, { name: name.trim(), deviceName: device.trim() || bot.deviceName, ...changes });
    setBusy(false);
    setError(failed);
    if (failed === null) {
      onClose();
      onSaved?.();
    }
  };
  const words = PAGE.settings;
  return (
    <Dialog narrow labelledBy={title} onClose={onClose}>
      <form className="confirm spaced" onSubmit={(event) => void save(event)} noValidate>
        <h2 id={title}>{words.title}</h2>
        <Field label={WIZARD.name.label} value={name} onChange={setName} error={error} />
        <Field
          label={WIZARD.options.device}
          value={device}
          onChange={setDevice}
          maxLength={50}
          help={words.deviceHelp}
        />
        <ProxyField
          on={proxyOn}
          value={proxy}
          state={state}
          error={null}
          onSwitch={setProxyOn}
          onChange={setProxy}
          onState={setState}
        />
        {bot.proxy && <p className="meta">{words.proxyHelp}</p>}
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

async function patch(bot: string, changes: { readonly [field: string]: string | null }): Promise<string | null> {
  try {
    await ask("PATCH", `/bots/${bot}`, changes);
    return null;
  } catch (error) {
    return error instanceof Problem ? error.message : String(error);
  }
}
