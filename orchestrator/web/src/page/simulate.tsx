/** The dashed box of a server without WhatsApp: a button that plays the phone. */
import { type ReactNode, useState } from "react";
import { refused } from "./commands.js";
import { Button } from "./parts/ui.js";
import { ask, Problem } from "./rest.js";
import { WIZARD } from "./texts/wizard.js";

export function PlayPhone({ bot, kind }: { readonly bot: string; readonly kind: "scan" | "enter_code" }): ReactNode {
  const [busy, setBusy] = useState(false);
  const play = async () => {
    setBusy(true);
    try {
      await ask("POST", `/bots/${bot}/simulate`, { play: kind });
    } catch (error) {
      if (error instanceof Problem) refused(bot, error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="simbox">
      <span>{WIZARD.sim.title}</span>
      <Button icon="phone" busy={busy} onClick={() => void play()}>
        {kind === "scan" ? WIZARD.sim.scan : WIZARD.sim.type}
      </Button>
    </div>
  );
}
