/** Small controls: buttons, keycaps, tiles, segments, switches, fields. Owns looks and states, no meaning. */
import { type KeyboardEvent, type ReactNode, type Ref, useId, useRef } from "react";
import { Icon, type IconName } from "../icons.js";
import { initials } from "../say.js";
import type { Tone } from "../view/status.js";

interface ButtonProps {
  readonly children?: ReactNode;
  readonly kind?: "pri" | "ghost" | "danger" | "";
  readonly large?: boolean;
  readonly square?: boolean;
  readonly icon?: IconName;
  readonly kbd?: string;
  readonly label?: string;
  readonly className?: string;
  readonly type?: "button" | "submit";
  readonly pressed?: boolean;
  readonly busy?: boolean;
  /** Why it can't be pressed now; the words are shown and read. */
  readonly wait?: string | null;
  readonly onClick?: () => void;
  readonly innerRef?: Ref<HTMLButtonElement>;
}

/** A button. While busy it keeps its width and takes no clicks; while waiting it stays in the tab order and says why. */
export function Button(props: ButtonProps): ReactNode {
  const { children, kind = "", large, square, icon, kbd, label, className = "", busy = false, wait = null } = props;
  const blocked = busy || wait !== null;
  const classes = ["btn", kind, large && "lg", square && "sq", busy && "busy", className].filter(Boolean).join(" ");
  return (
    <button
      type={props.type ?? "button"}
      ref={props.innerRef}
      className={classes}
      aria-label={label}
      aria-pressed={props.pressed}
      aria-disabled={blocked || undefined}
      aria-busy={busy || undefined}
      title={wait ?? undefined}
      onClick={(event) => {
        if (blocked) event.preventDefault();
        else props.onClick?.();
      }}
    >
      {icon && <Icon name={icon} className={children ? "s14" : ""} />}
      {children && <span className="btn-text">{children}</span>}
      {kbd && <Kbd>{kbd}</Kbd>}
    </button>
  );
}

/** A key, for people who see the page: the shortcut help says the same. */
export function Kbd({ children }: { readonly children: ReactNode }): ReactNode {
  return (
    <span className="kbd only-w" aria-hidden="true">
      {children}
    </span>
  );
}

export function Avatar({ name, className = "" }: { readonly name: string; readonly className?: string }): ReactNode {
  return (
    <span className={`ava ${className}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

export function Tile(props: {
  readonly icon: IconName;
  readonly tone?: Tone;
  readonly size?: "" | "xl" | "lg";
  readonly iconSize?: string;
}): ReactNode {
  return (
    <span className={`tile ${props.size ?? ""} ${props.tone ? `tone-${props.tone}` : ""}`}>
      <Icon name={props.icon} className={props.iconSize ?? "s20"} />
    </span>
  );
}

export interface Choice<Id extends string> {
  readonly id: Id;
  readonly label: ReactNode;
  readonly icon?: IconName;
}

interface TabsProps<Id extends string> {
  readonly choices: ReadonlyArray<Choice<Id>>;
  readonly value: Id;
  readonly onChange: (id: Id) => void;
  readonly label: string;
  readonly className?: string;
  /** What the tabs lead to. */
  readonly panel?: string;
}

/** Tabs: arrow keys move, as everywhere. */
export function Tabs<Id extends string>({ choices, value, onChange, label, className = "seg", panel }: TabsProps<Id>) {
  const row = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const at = choices.findIndex((choice) => choice.id === value);
    const next = (at + step + choices.length) % choices.length;
    const chosen = choices[next];
    if (chosen === undefined) return;
    onChange(chosen.id);
    row.current?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <div className={className} role="tablist" aria-label={label} ref={row} onKeyDown={move}>
      {choices.map((choice) => (
        <button
          key={choice.id}
          type="button"
          role="tab"
          aria-selected={choice.id === value}
          aria-controls={panel}
          tabIndex={choice.id === value ? 0 : -1}
          onClick={() => onChange(choice.id)}
        >
          {choice.icon && <Icon name={choice.icon} className="s14" />}
          {choice.label}
        </button>
      ))}
    </div>
  );
}

/** One of a few, each a button that is pressed or not. */
export function Segmented<Id extends string>(props: Omit<TabsProps<Id>, "panel">): ReactNode {
  return (
    <fieldset className={props.className ?? "seg"} aria-label={props.label}>
      {props.choices.map((choice) => (
        <button
          key={choice.id}
          type="button"
          aria-pressed={choice.id === props.value}
          onClick={() => props.onChange(choice.id)}
        >
          {choice.label}
        </button>
      ))}
    </fieldset>
  );
}

interface FieldProps {
  readonly label: ReactNode;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly help?: ReactNode;
  readonly error?: string | null;
  readonly good?: string | null;
  readonly large?: boolean;
  readonly mono?: boolean;
  readonly hideLabel?: boolean;
  readonly type?: string;
  readonly inputMode?: "text" | "tel" | "url";
  readonly maxLength?: number;
  readonly placeholder?: string;
  readonly autoComplete?: string;
  readonly innerRef?: Ref<HTMLInputElement>;
  readonly onFocus?: () => void;
  readonly onBlur?: () => void;
  readonly beside?: ReactNode;
}

/** A field with its name above and its help or fault below. */
export function Field(props: FieldProps): ReactNode {
  const id = useId();
  const help = `${id}-help`;
  const bad = props.error != null;
  return (
    <div className="field">
      <label htmlFor={id} className={props.hideLabel ? "unseen" : undefined}>
        {props.label}
      </label>
      <div className="row">
        <div className={`input grow ${props.large ? "lg" : ""} ${bad ? "bad" : ""}`}>
          <input
            id={id}
            ref={props.innerRef}
            className={props.mono ? "mono" : undefined}
            type={props.type ?? "text"}
            inputMode={props.inputMode}
            value={props.value}
            maxLength={props.maxLength}
            placeholder={props.placeholder}
            autoComplete={props.autoComplete ?? "off"}
            spellCheck={false}
            aria-invalid={bad || undefined}
            aria-describedby={props.help || bad || props.good ? help : undefined}
            onFocus={props.onFocus}
            onBlur={props.onBlur}
            onChange={(event) => props.onChange(event.target.value)}
          />
        </div>
        {props.beside}
      </div>
      <Help id={help} help={props.help} error={props.error} good={props.good} />
    </div>
  );
}

function Help(props: {
  readonly id: string;
  readonly help: ReactNode;
  readonly error: string | null | undefined;
  readonly good: string | null | undefined;
}): ReactNode {
  const kind = props.error != null ? "bad" : props.good != null ? "good" : "";
  const text = props.error ?? props.good ?? props.help;
  if (text == null || text === "") return null;
  return (
    <div className={`help ${kind}`} id={props.id}>
      {kind !== "" && <Icon name={kind === "bad" ? "alert" : "check"} className="s14" />}
      <span>{text}</span>
    </div>
  );
}

/** On or off. */
export function Switch(props: {
  readonly label: string;
  readonly on: boolean;
  readonly onChange: (on: boolean) => void;
}): ReactNode {
  return (
    <button
      type="button"
      className="switch"
      role="switch"
      aria-checked={props.on}
      aria-label={props.label}
      onClick={() => props.onChange(!props.on)}
    />
  );
}

/** **Bold** parts of a text, as elements. */
export function Rich({ text }: { readonly text: string }): ReactNode {
  const parts = text.split("**");
  // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text never move
  return parts.map((part, index) => (index % 2 === 1 ? <b key={index}>{part}</b> : part));
}
