/** Where the page begins: the code leaves the address, somebody signs in, the client starts, a route is shown. */
import { type ReactNode, StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import type { Bot } from "../generated.js";
import { acquireUnifiedClient } from "../registry.js";
import type { Lease } from "../types.js";
import { arrived, isComing } from "./coming.js";
import { Contained } from "./contained.js";
import "./css/index.css";
import { Keys, useCommandBar } from "./keys.js";
import { SharedContext, useBot, useLoaded } from "./live.js";
import type { ShellProps } from "./navigation.js";
import { Notifier } from "./notifier.js";
import { Part, Shown } from "./part.js";
import { type Route, routeOf, usePlace } from "./router.js";
import { cookieTokens, type Session, type SignIn, signingIn, takeCode } from "./session.js";
import { Coming, Nowhere, Plain } from "./shell.js";
import { Away, SignedOut } from "./signed_out.js";
import { watchStyles } from "./styles.js";
import { PAGE } from "./texts/page.js";
import { followSystem } from "./theme.js";

const code = takeCode(location, history);
watchStyles();

const NOTHING = {};
const navigation = new Part(() => import("./navigation.js").then((file) => file.Shell));
const bots = new Part(() => import("./bots.js").then((file) => file.BotsPage));
const bot = new Part(() => import("./bot.js").then((file) => file.BotPage));
const fleet = new Part(() => import("./fleet.js").then((file) => file.default));
const name = new Part(() => import("./wizard_new.js").then((file) => file.NamePage));
const options = new Part(() => import("./wizard_new.js").then((file) => file.OptionsPage));
const link = new Part(() => import("./wizard_link.js").then((file) => file.LinkPage));
const ready = new Part(() => import("./wizard_ready.js").then((file) => file.ReadyPage));

/** Parts by where they are shown, and those that are likely to be wanted from there: nobody waits for them then. */
const PARTS = {
  bots: [navigation, bots, name, bot],
  new: [name, options],
  link: [link],
  ready: [ready, navigation, bot],
  bot: [navigation, bot, bots],
  fleet: [navigation, fleet, bots],
  nowhere: [navigation, bots],
};

/** Parts are on their way while somebody signs in. */
function askFor(route: Route): void {
  for (const part of PARTS[route.page]) part.expect();
}
askFor(routeOf(location.pathname));

type Start =
  | { readonly kind: "starting" }
  | Exclude<SignIn, { readonly kind: "in" }>
  | { readonly kind: "in"; readonly session: Session; readonly lease: Lease };

function Page(): ReactNode {
  const [start, setStart] = useState<Start>({ kind: "starting" });
  useEffect(() => begin(setStart), []);
  useEffect(() => followSystem(), []);
  useNewCode();
  if (start.kind === "starting") return null;
  if (start.kind === "away") return <Away {...start} />;
  if (start.kind === "out") return <SignedOut why={start.why} />;
  return (
    <SharedContext value={{ client: start.lease.client, session: start.session }}>
      <Notifier />
      <Routed />
    </SharedContext>
  );
}

/** Sign in, and start the client then. Returns how to end it all. */
function begin(setStart: (start: Start) => void): () => void {
  let lease: Lease | null = null;
  const stop = signingIn(code, (signed) => {
    if (signed.kind !== "in") return setStart(signed);
    const { session } = signed;
    lease = acquireUnifiedClient({ url: location.origin, userId: session.me.userId, getToken: cookieTokens });
    setStart({ kind: "in", session, lease });
  });
  return () => {
    stop();
    lease?.release();
  };
}

/** A one-time address opened in this very tab changes only the part behind #, which loads nothing. */
function useNewCode(): void {
  useEffect(() => {
    const onHash = () => {
      if (location.hash.startsWith("#code=")) location.reload();
    };
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);
}

function Routed(): ReactNode {
  const { path } = usePlace();
  const route = routeOf(path);
  useEffect(() => askFor(routeOf(path)), [path]);
  const bar = useCommandBar();
  return (
    <Contained place={path}>
      <Keys route={route} onSearch={bar.open} />
      {show(route, bar.open)}
      {bar.dialog}
    </Contained>
  );
}

/** A page with navigation, and without where its file is gone. */
function Shell(of: ShellProps): ReactNode {
  return <Shown part={navigation} of={of} gone={<Plain>{of.children}</Plain>} />;
}

function show(route: Route, onSearch: () => void): ReactNode {
  switch (route.page) {
    case "bots":
      return (
        <Shell tab="bots" onSearch={onSearch}>
          <Shown part={bots} of={NOTHING} />
        </Shell>
      );
    case "new":
      return route.step === "name" ? <Shown part={name} of={NOTHING} /> : <Shown part={options} of={NOTHING} />;
    case "link":
      return <WithBot key={route.bot} id={route.bot} part={link} onSearch={onSearch} whole />;
    case "ready":
      return <WithBot key={route.bot} id={route.bot} part={ready} onSearch={onSearch} whole />;
    case "bot":
      return <WithBot key={route.bot} id={route.bot} part={bot} onSearch={onSearch} />;
    case "fleet":
      return (
        <Shell tab="fleet" onSearch={onSearch}>
          <Shown part={fleet} of={NOTHING} />
        </Shell>
      );
    case "nowhere":
      return (
        <Shell tab={null} onSearch={onSearch}>
          <Nowhere text={PAGE.nowhere.text} />
        </Shell>
      );
  }
}

interface WithBotProps {
  readonly id: string;
  readonly onSearch: () => void;
  readonly part: Part<{ readonly bot: Bot }>;
  /** The part brings its own frame. */
  readonly whole?: boolean;
}

function WithBot({ id, onSearch, part, whole = false }: WithBotProps): ReactNode {
  const found = useBot(id);
  const loaded = useLoaded();
  const here = found !== undefined;
  useEffect(() => {
    if (here) arrived(id);
  }, [id, here]);
  const shown = here && <Shown part={part} of={{ bot: found }} />;
  if (shown && whole) return shown;
  const inner = shown || (isComing(id) ? <Coming /> : loaded && <Nowhere text={PAGE.nowhere.bot} />);
  if (whole) return <Plain>{inner}</Plain>;
  return (
    <Shell tab="bots" onSearch={onSearch}>
      {inner}
    </Shell>
  );
}

const root = document.getElementById("app");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Page />
    </StrictMode>,
  );
}
