/** The first message to somebody: a number and the words. */
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { Dialog } from "./parts/dialog.js";
import { Button, Field } from "./parts/ui.js";
import { digits, fault } from "./phone.js";
import { BOT } from "./texts/bot.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";

interface NewMessageProps {
  readonly onClose: () => void;
  readonly onSend: (to: string, text: string) => Promise<void>;
}

export function NewMessage({ onClose, onSend }: NewMessageProps): ReactNode {
  const title = useId();
  const [to, setTo] = useState("");
  const [text, setText] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const words = BOT.talks;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const wrong = fault(to);
    setError(wrong === null ? null : WIZARD.phone[wrong === "country" ? "noCountry" : wrong]);
    if (wrong !== null || text.trim() === "" || busy) return;
    setBusy(true);
    await onSend(digits(to), text.trim());
    setBusy(false);
  };
  return (
    <Dialog narrow labelledBy={title} onClose={onClose}>
      <form className="confirm spaced" onSubmit={(event) => void submit(event)} noValidate>
        <h2 id={title}>{words.newMessage}</h2>
        <Field label={words.to} value={to} onChange={setTo} inputMode="tel" error={error} help={words.toHelp} />
        <Field label={words.message} value={text} onChange={setText} />
        <div className="acts end">
          <Button onClick={onClose}>{PAGE.cancel}</Button>
          <Button kind="pri" type="submit" busy={busy} wait={text.trim() === "" ? words.write : null}>
            {words.send}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
