/** What every page shares: connection, banner, overlays, the title, and places that are not there. Owns no content. */
import { type ReactNode, useEffect } from "react";
import { LiveRegions } from "./announce.js";
import { useNow } from "./clock.js";
import { Brand, Icon } from "./icons.js";
import { useConnection, useShared } from "./live.js";
import { Toasts } from "./parts/toasts.js";
import { Button } from "./parts/ui.js";
import { A, go } from "./router.js";
import { isSimulated } from "./session.js";
import { PAGE } from "./texts/page.js";
import { socketView } from "./view/socket.js";

interface TopBarProps {
  /** What stands beside the product's name. */
  readonly left?: ReactNode;
  /** What can be done from everywhere. */
  readonly right?: ReactNode;
}

/** The top of every page: the way past it, the way home, and how the page is connected. */
export function TopBar({ left, right }: TopBarProps): ReactNode {
  return (
    <>
      <a className="skip" href="#content">
        {PAGE.skip}
      </a>
      <header className="top">
        <A className="brand" to="/" label={PAGE.product}>
          <Brand />
          <span>{PAGE.product}</span>
        </A>
        {left}
        <span className="grow" />
        <Pill />
        <Simulated />
        {right}
      </header>
    </>
  );
}

/** A page without navigation: what is there while nothing else is known. */
export function Plain({ children }: { readonly children: ReactNode }): ReactNode {
  return (
    <>
      <TopBar />
      <Banner />
      <main className="page" id="content" tabIndex={-1}>
        {children}
      </main>
      <Overlays />
    </>
  );
}

/** What lies over or beside every page. */
export function Overlays(): ReactNode {
  return (
    <>
      <Toasts />
      <LiveRegions />
    </>
  );
}

function Simulated(): ReactNode {
  const { session } = useShared();
  if (!isSimulated(session.version)) return null;
  return (
    <span className="sim" title={PAGE.simulatedTitle}>
      {PAGE.simulated}
    </span>
  );
}

/** The user's own connection, always there. It grows into free space: what stands beside it stays where it is. */
function Pill(): ReactNode {
  const connection = useConnection();
  const view = socketView(connection, useNow());
  return (
    // One pill a state: it takes the place of the last one, and none has moved.
    <span
      key={connection.state}
      className={`pill tone-${view.tone} ${connection.state}`}
      data-connection={connection.state}
    >
      <span className="dot" />
      <span className="num">{view.pill}</span>
    </span>
  );
}

/** What is wrong with the connection, and the one thing to do about it. */
export function Banner(): ReactNode {
  const { client } = useShared();
  const connection = useConnection();
  const view = socketView(connection, useNow());
  if (view.banner === null) return null;
  const moveHere = client.connectHere.bind(client);
  const act = () => {
    if (view.button === "use_here") moveHere();
    else if (view.button === "reconnect_now") client.reconnectNow();
    else location.reload();
  };
  return (
    <section className={`banner tone-${view.tone}`} data-banner={connection.state} aria-label={PAGE.connection}>
      <Icon name={view.tone === "heal" ? "reconnecting" : "replaced"} />
      <span className="grow">{view.banner}</span>
      {view.buttonText && <Button onClick={act}>{view.buttonText}</Button>}
    </section>
  );
}

/** The title of the document while a page is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

/** A place that is on its way. */
export function Coming(): ReactNode {
  return (
    <div className="card empty late" aria-busy="true">
      <p>{PAGE.nowhere.coming}</p>
    </div>
  );
}

/** A place that is not there. */
export function Nowhere({ text }: { readonly text: string }): ReactNode {
  useTitle(PAGE.nowhere.title);
  return (
    <div className="card empty">
      <span className="tile lg tone-off">
        <Icon name="q" className="s28" />
      </span>
      <h1>{PAGE.nowhere.title}</h1>
      <p>{text}</p>
      <div className="acts">
        <Button kind="pri" large onClick={() => go("/")}>
          {PAGE.nowhere.toBots}
        </Button>
      </div>
    </div>
  );
}
