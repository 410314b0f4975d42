/** The frame of the wizard: its own top bar with the way out, the four steps, one card. Owns no step. */
import { type ReactNode, useEffect } from "react";
import { Icon } from "./icons.js";
import { Button } from "./parts/ui.js";
import { fill } from "./say.js";
import { Banner, Overlays, TopBar } from "./shell.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";

const STEPS = ["name", "options", "link", "ready"] as const;
export type Step = (typeof STEPS)[number];

interface WizardProps {
  readonly step: Step;
  readonly bot: string | null;
  readonly leave: "cancel" | "close";
  /** Whether what is wrong with the connection stands above the card: not where the card itself says it. */
  readonly banner?: boolean;
  readonly onLeave: () => void;
  readonly children: ReactNode;
}

export function Wizard({ step, bot, leave, banner = true, onLeave, children }: WizardProps): ReactNode {
  useEscape(onLeave);
  return (
    <>
      <TopBar
        left={
          <span className="meta only-w ell">{bot === null ? WIZARD.newBot : fill(WIZARD.newBotNamed, { bot })}</span>
        }
        right={
          <Button kind="ghost" kbd="Esc" onClick={onLeave}>
            {leave === "cancel" ? PAGE.cancel : PAGE.close}
          </Button>
        }
      />
      {banner && <Banner />}
      <main className="wiz" id="content" tabIndex={-1}>
        <StepBar step={step} />
        {children}
      </main>
      <Overlays />
    </>
  );
}

function useEscape(run: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && document.querySelector("dialog[open]") === null) run();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [run]);
}

function StepBar({ step }: { readonly step: Step }): ReactNode {
  const at = STEPS.indexOf(step);
  return (
    <>
      <ol className="steps only-w" aria-label={WIZARD.stepsLabel}>
        {STEPS.map((name, index) => (
          <li key={name} className={index < at ? "done" : ""} aria-current={index === at ? "step" : undefined}>
            <span className="n" aria-hidden="true">
              {index < at ? <Icon name="check" className="s14" /> : index + 1}
            </span>
            {WIZARD.steps[name]}
            {index < STEPS.length - 1 && <span className="bar" aria-hidden="true" />}
          </li>
        ))}
      </ol>
      <div className="steps only-n" aria-hidden="true">
        <span className="here">{WIZARD.steps[step]}</span>
        <span className="grow" />
        <span>{fill(WIZARD.stepOf, { n: at + 1 })}</span>
      </div>
    </>
  );
}
