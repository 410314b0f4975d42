/** Dialogs, on the browser's own: it holds focus, gives it back and closes on Escape. Owns looks and closing. */
import { type ReactNode, useId, useLayoutEffect, useRef, useState } from "react";
import { fill } from "../say.js";
import { PAGE } from "../texts/page.js";
import { Button, Field, Rich } from "./ui.js";

interface DialogProps {
  readonly label?: string;
  readonly labelledBy?: string;
  readonly alert?: boolean;
  readonly narrow?: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Dialog({ label, labelledBy, alert, narrow, onClose, children }: DialogProps): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  // It has to be closed while it is in the document: the browser gives the focus back only then.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog === null || dialog.open) return;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className={narrow ? "dlg narrow" : "dlg"}
      role={alert ? "alertdialog" : undefined}
      aria-label={label}
      aria-labelledby={labelledBy}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly body: string;
  readonly yes: string;
  readonly no: string;
  /** To be typed before it can be done. */
  readonly typed?: string;
  readonly onYes: () => void;
  readonly onClose: () => void;
}

/** Asks before something that cannot be taken back. */
export function Confirm(props: ConfirmProps): ReactNode {
  const title = useId();
  const [typed, setTyped] = useState("");
  const missing = props.typed !== undefined && typed.trim() !== props.typed;
  return (
    <Dialog alert narrow labelledBy={title} onClose={props.onClose}>
      <form
        className="confirm"
        onSubmit={(event) => {
          event.preventDefault();
          if (!missing) props.onYes();
        }}
      >
        <h2 id={title}>{props.title}</h2>
        <p className="dim">
          <Rich text={props.body} />
        </p>
        {props.typed !== undefined && (
          <Field
            label={<Rich text={fill(PAGE.confirm.type, { name: props.typed })} />}
            value={typed}
            onChange={setTyped}
          />
        )}
        <div className="acts end">
          <Button onClick={props.onClose}>{props.no}</Button>
          <Button kind="danger" type="submit" wait={missing ? PAGE.confirm.typeFirst : null}>
            {props.yes}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
