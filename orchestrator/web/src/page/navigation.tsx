/** The frame of every page but the wizard's: top bar, account, tab bar. In a file of its own, which the wizard does without. */
import { type ReactNode, useState } from "react";
import { announce } from "./announce.js";
import { Icon } from "./icons.js";
import { useShared } from "./live.js";
import { Menu } from "./parts/menu.js";
import { toast } from "./parts/toasts.js";
import { Avatar, Kbd } from "./parts/ui.js";
import type { Problem } from "./rest.js";
import { A } from "./router.js";
import { fill } from "./say.js";
import { signOut } from "./session.js";
import { Banner, Overlays, TopBar } from "./shell.js";
import { PAGE } from "./texts/page.js";
import { chooseTheme, chosenTheme, type Theme } from "./theme.js";

export interface ShellProps {
  readonly tab: "bots" | "fleet" | null;
  readonly children: ReactNode;
  readonly onSearch: () => void;
}

/** A page with navigation. */
export function Shell({ tab, children, onSearch }: ShellProps): ReactNode {
  const { session } = useShared();
  return (
    <>
      <TopBar
        left={
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
        }
        right={
          <>
            <button type="button" className="btn ghost only-w" onClick={onSearch}>
              <Icon name="search" className="s14" />
              <span className="lbl">{PAGE.search}</span>
              <Kbd>Ctrl K</Kbd>
            </button>
            <Account />
          </>
        }
      />
      <Banner />
      <main className="page" id="content" tabIndex={-1}>
        {children}
      </main>
      <TabBar tab={tab} />
      <Overlays />
    </>
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

const THEMES: ReadonlyArray<Theme> = ["system", "light", "dark"];

function ThemeChoice(): ReactNode {
  const [theme, setTheme] = useState<Theme>(chosenTheme);
  const choose = (chosen: Theme) => {
    chooseTheme(chosen);
    setTheme(chosen);
  };
  return (
    <fieldset className="seg" aria-label={PAGE.account}>
      {THEMES.map((id) => (
        <button
          key={id}
          type="button"
          role="menuitemradio"
          aria-checked={id === theme}
          tabIndex={-1}
          onClick={() => choose(id)}
        >
          {PAGE.theme[id]}
        </button>
      ))}
    </fieldset>
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
