/** The frame of every page: top bar, connection, banner, tab bar, overlays. Owns no content. */
import { type ReactNode, useEffect, useState } from "react";
import { announce, LiveRegions } from "./announce.js";
import { useNow } from "./clock.js";
import { Brand, Icon } from "./icons.js";
import { useConnection, useShared } from "./live.js";
import { Menu } from "./parts/menu.js";
import { Toasts, toast } from "./parts/toasts.js";
import { Avatar, Button, Kbd, Segmented } from "./parts/ui.js";
import type { Problem } from "./rest.js";
import { A, go } from "./router.js";
import { fill } from "./say.js";
import { isSimulated, signOut } from "./session.js";
import { PAGE } from "./texts/page.js";
import { chooseTheme, chosenTheme, type Theme } from "./theme.js";
import { socketView } from "./view/socket.js";

interface ShellProps {
  readonly tab: "bots" | "fleet" | null;
  readonly children: ReactNode;
  readonly onSearch: () => void;
}

/** A page with navigation. */
export function Shell({ tab, children, onSearch }: ShellProps): ReactNode {
  const { session } = useShared();
  return (
    <>
      <SkipLink />
      <header className="top">
        <A className="brand" to="/" label={PAGE.product}>
          <Brand />
          <span>{PAGE.product}</span>
        </A>
        <nav className="nav row" aria-label={PAGE.nav}>
          <A to="/" current={tab === "bots"}>
            {PAGE.bots}
          </A>
          {session.me.operator && (
            <A to="/fleet" current={tab === "fleet"}>
              {PAGE.fleet}
            </A>
          )}
        </nav>
        <span className="grow" />
        <Pill />
        <Simulated />
        <button type="button" className="btn ghost only-w" onClick={onSearch}>
          <Icon name="search" className="s14" />
          <span className="lbl">{PAGE.search}</span>
          <Kbd>Ctrl K</Kbd>
        </button>
        <Account />
      </header>
      <Banner />
      <main className="page" id="content" tabIndex={-1}>
        {children}
      </main>
      <TabBar tab={tab} />
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

export function SkipLink(): ReactNode {
  return (
    <a className="skip" href="#content">
      {PAGE.skip}
    </a>
  );
}

export function Simulated(): ReactNode {
  const { session } = useShared();
  if (!isSimulated(session.version)) return null;
  return (
    <span className="sim" title={PAGE.simulatedTitle}>
      {PAGE.simulated}
    </span>
  );
}

/** The user's own connection, always there. It grows into free space: what stands beside it stays where it is. */
export function Pill(): ReactNode {
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

function Account(): ReactNode {
  const { session } = useShared();
  const { userId, operator } = session.me;
  return (
    <Menu
      label={PAGE.account}
      className="account"
      head={
        <div className="menu-head">
          <b>{fill(PAGE.signedInAs, { user: userId })}</b>
          {operator && <span className="meta">{PAGE.operator}</span>}
          <ThemeChoice />
        </div>
      }
      items={[
        { id: "keys", label: PAGE.help, icon: "info", run: () => document.dispatchEvent(new CustomEvent("page:help")) },
        { id: "api", label: PAGE.api, icon: "term", run: () => location.assign("/docs") },
        { id: "out", label: PAGE.signOut, icon: "logged_out", run: () => void leave() },
      ]}
    >
      <Avatar name={userId} className="round small" />
    </Menu>
  );
}

async function leave(): Promise<void> {
  try {
    await signOut();
    location.assign("/");
  } catch (error) {
    const title = fill(PAGE.stillIn, { message: (error as Problem).message });
    toast({ about: "sign out", tone: "stop", icon: "alert", title, code: (error as Problem).code });
    announce(title, true);
  }
}

function ThemeChoice(): ReactNode {
  const [theme, setTheme] = useState<Theme>(chosenTheme);
  return (
    <Segmented
      label={PAGE.account}
      value={theme}
      onChange={(chosen) => {
        chooseTheme(chosen);
        setTheme(chosen);
      }}
      choices={(["system", "light", "dark"] as const).map((id) => ({ id, label: PAGE.theme[id] }))}
    />
  );
}

function TabBar({ tab }: { readonly tab: ShellProps["tab"] }): ReactNode {
  const { session } = useShared();
  return (
    <nav className={session.me.operator ? "tabbar" : "tabbar two-tabs"} aria-label={`${PAGE.nav}, bottom`}>
      <A to="/" current={tab === "bots"}>
        <Icon name="bots" />
        {PAGE.bots}
      </A>
      <A to="/new">
        <Icon name="plus" />
        {PAGE.newBot}
      </A>
      {session.me.operator && (
        <A to="/fleet" current={tab === "fleet"}>
          <Icon name="fleet" />
          {PAGE.fleet}
        </A>
      )}
    </nav>
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
