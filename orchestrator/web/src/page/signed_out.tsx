/** The page without anybody signed in, without a server, and after it broke. */
import type { ReactNode } from "react";
import { Brand, Icon } from "./icons.js";
import { Button, Rich } from "./parts/ui.js";
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

export function Away(): ReactNode {
  useTitle(PAGE.list.failedTitle);
  return (
    <Bare>
      <span className="tile lg tone-heal">
        <Icon name="reconnecting" className="s28" />
      </span>
      <h1>{PAGE.list.failedTitle}</h1>
      <p role="status">{PAGE.list.failed}</p>
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
