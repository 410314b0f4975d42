/** The page without anybody signed in, without a server, and after it broke. */
import type { ReactNode } from "react";
import { Brand, Icon } from "./icons.js";
import { Button, Rich } from "./parts/ui.js";
import type { Problem } from "./rest.js";
import { go } from "./router.js";
import { useTitle } from "./shell.js";
import { PAGE } from "./texts/page.js";

function Bare({ children }: { readonly children: ReactNode }): ReactNode {
  return (
    <>
      <header className="top">
        <span className="brand">
          <Brand />
          <span>{PAGE.product}</span>
        </span>
      </header>
      <main className="page">
        <div className="card empty">{children}</div>
      </main>
    </>
  );
}

export function SignedOut({ why }: { readonly why: "none" | "used" }): ReactNode {
  const words = PAGE.signIn;
  useTitle(PAGE.titles.out);
  return (
    <Bare>
      <span className="tile lg tone-you" data-signed="out">
        <Icon name="passkey_required" className="s28" />
      </span>
      <h1>{words.title}</h1>
      <p>{why === "used" ? words.used : words.opens}</p>
      <p>
        <Rich text={words.run} />
      </p>
      <p className="meta">{words.embedded}</p>
    </Bare>
  );
}

interface AwayProps {
  readonly problem: Problem;
  /** Whether it is tried again by itself. */
  readonly again: boolean;
}

export function Away({ problem, again }: AwayProps): ReactNode {
  const silent = problem.status === 0;
  const title = silent ? PAGE.list.failedTitle : PAGE.signIn.refused;
  useTitle(title);
  return (
    <Bare>
      <span className={`tile lg tone-${again ? "heal" : "stop"}`} data-signed="away">
        <Icon name={again ? "reconnecting" : "failed"} className="s28" />
      </span>
      <h1>{title}</h1>
      <p role="status">{silent ? PAGE.list.failed : problem.message}</p>
      {!silent && again && <p className="meta">{PAGE.signIn.again}</p>}
    </Bare>
  );
}

export function Broken(): ReactNode {
  useTitle(PAGE.broken.title);
  return (
    <Bare>
      <span className="tile lg tone-stop" data-broken="page">
        <Icon name="failed" className="s28" />
      </span>
      <h1>{PAGE.broken.title}</h1>
      <p role="alert">{PAGE.broken.text}</p>
      <div className="acts">
        <Button kind="pri" large onClick={() => location.reload()}>
          {PAGE.part.again}
        </Button>
        <Button large onClick={() => go("/")}>
          {PAGE.nowhere.toBots}
        </Button>
      </div>
    </Bare>
  );
}
