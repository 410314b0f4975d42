import { describe, expect, it } from "vitest";
import { STATUSES as ALL, type Bot, type Reason, type Status } from "../../src/generated.js";
import { clock } from "../../src/page/say.js";
import { LINKING } from "../../src/page/texts/linking.js";
import { type LinkInput, type LinkState, linkView, otherBot } from "../../src/page/view/link.js";
import { ACCOUNT, attempt, bot, connection, NOW, qr } from "./support.js";

const UI = { tab: "scan", cancelled: false, refusedUntil: null, phoneFault: false } as const;

function input(changes: Partial<LinkInput> = {}): LinkInput {
  return {
    bot: bot(),
    link: attempt(),
    connection: connection(),
    ui: UI,
    now: NOW,
    maxTries: 10,
    sync: null,
    other: null,
    ban: 101,
    ...changes,
  };
}

const reason = (code: string): Reason => ({ code, text: `About ${code}.`, number: null });
const notice = (type: string, data: unknown = {}) => ({ type, at: NOW - 500, data });
const pairing = {
  kind: "pairing_code",
  code: "7KQ4-MX2P",
  expiresAt: NOW + 112_000,
  attempt: 1,
  statusVersion: 3,
} as const;

const CASES: ReadonlyArray<readonly [LinkState, Partial<LinkInput>]> = [
  ["waiting", { bot: bot({ status: "starting" }) }],
  ["waiting", { link: attempt({ code: null }) }],
  ["scan", {}],
  ["phone", { ui: { ...UI, tab: "phone" } }],
  ["phone_error", { ui: { ...UI, tab: "phone", phoneFault: true } }],
  ["phone_code", { ui: { ...UI, tab: "phone" }, link: attempt({ code: pairing }) }],
  ["linking", { link: attempt({ code: null, notice: notice("pair_success") }) }],
  [
    "linking",
    {
      bot: bot({ status: "pairing", account: ACCOUNT }),
      link: attempt({ code: null, notice: notice("pair_success") }),
    },
  ],
  [
    "restarting",
    {
      bot: bot({ status: "pairing", account: ACCOUNT }),
      link: attempt({ code: null, notice: notice("pair_success") }),
      now: NOW + 2_000,
    },
  ],
  ["restarting", { bot: bot({ status: "pairing", account: ACCOUNT }), link: undefined }],
  ["restarting", { bot: bot({ status: "connecting", account: ACCOUNT, link: null }) }],
  [
    "syncing",
    { bot: bot({ status: "connected", account: ACCOUNT }), sync: { count: 340, done: false, at: NOW - 500 } },
  ],
  ["connected", { bot: bot({ status: "connected", account: ACCOUNT }), sync: { count: 340, done: true, at: NOW } }],
  [
    "connected",
    { bot: bot({ status: "connected", account: ACCOUNT }), sync: { count: 9, done: false, at: NOW - 60_000 } },
  ],
  ["expired", { bot: bot({ status: "login_expired", reason: reason("codes_expired") }) }],
  ["too_many", { bot: bot({ status: "login_expired" }), ui: { ...UI, refusedUntil: NOW + 60_000 } }],
  ["multidevice", { link: attempt({ notice: notice("scanned_without_multidevice") }) }],
  ["passkey", { bot: bot({ status: "passkey_required" }) }],
  ["wrong", { bot: bot({ status: "login_expired", reason: reason("already_linked") }) }],
  ["wrong", { bot: bot({ status: "login_expired", reason: reason("wrong_number") }) }],
  ["pair_error", { bot: bot({ status: "login_expired", reason: reason("pair_failed") }) }],
  [
    "devices",
    {
      bot: bot({ status: "login_expired", reason: reason("pair_failed") }),
      link: attempt({ code: null, notice: notice("pair_error", { code: "device_limit" }) }),
    },
  ],
  ["banned", { bot: bot({ status: "banned", until: NOW + 3_600_000 }) }],
  ["blocked", { bot: bot({ status: "blocked" }) }],
  ["outdated", { bot: bot({ status: "outdated" }) }],
  ["outdated", { bot: bot({ status: "starting", reason: reason("held_by_incident"), retryAt: NOW + 5_000 }) }],
  ["unreachable", { bot: bot({ status: "starting", reason: reason("dns_failed"), retryAt: NOW + 8_000 }) }],
  ["proxy", { bot: bot({ status: "starting", reason: reason("proxy_failed"), retryAt: NOW + 8_000 }) }],
  ["logged_out", { bot: bot({ status: "logged_out", reason: reason("unlinked_on_phone") }) }],
  ["replaced", { bot: bot({ status: "replaced" }) }],
  ["failed", { bot: bot({ status: "failed", reason: reason("restart_budget_spent") }) }],
  ["failed", { bot: bot({ status: "of a later version" as Status }) }],
  ["socket_lost", { connection: connection({ state: "reconnecting", retryAt: NOW + 3_000 }) }],
  ["elsewhere", { connection: connection({ state: "already_connected", elsewhereSince: NOW - 180_000 }) }],
  ["cancelled", { ui: { ...UI, cancelled: true } }],
  ["cancelled", { bot: bot({ status: "stopped" }) }],
];

describe("the Link step", () => {
  it.each(CASES)("%s", (state, changes) => {
    const view = linkView(input(changes));
    expect(view.state).toBe(state);
    expect(view.title).not.toMatch(/[{}]/);
    expect(`${view.body} ${view.note} ${view.announce}`).not.toMatch(/[{}]|undefined|null|NaN/);
  });

  it("has a case for each of its states", () => {
    expect(new Set(CASES.map(([state]) => state))).toEqual(new Set(Object.keys(LINKING.link)));
  });

  it("shows a code only where it may be scanned or typed", () => {
    for (const [state, changes] of CASES) {
      const shown = linkView(input(changes)).code !== null;
      expect([state, shown]).toEqual([state, ["scan", "multidevice", "phone_code"].includes(state)]);
    }
  });

  it("speaks of the restart after linking only then", () => {
    const of = (changes: Partial<Bot>) => linkView(input({ bot: bot({ account: ACCOUNT, link: null, ...changes }) }));
    expect(of({ status: "pairing" }).title).toBe("Restarting the connection");
    const later = of({ status: "reconnecting", reason: reason("connection_lost"), retryAt: NOW + 8_000 });
    expect(later.title).toBe("Connecting to WhatsApp");
    expect(later.body).toBe("About connection_lost. Next try in 8 s.");
    expect(of({ status: "connecting" }).body).toBe("The bot is linked. Opening its connection.");
  });

  it("ends the attempt when somebody leaves, asks before once the phone has scanned, and else only goes away", () => {
    const leaving = (changes: Partial<LinkInput>) => linkView(input(changes)).leaving;
    const linked = (status: Status) => leaving({ bot: bot({ status, account: ACCOUNT, link: null }) });
    expect([leaving({}), leaving({ connection: connection({ state: "reconnecting" }) })]).toEqual(["cancel", "cancel"]);
    expect([linked("pairing"), linked("connecting"), linked("connected")]).toEqual(["ask", "bot", "bot"]);
    const sync = { count: 3, done: false, at: NOW };
    expect(leaving({ bot: bot({ status: "connected", account: ACCOUNT }), sync })).toBe("bot");
    expect([linked("replaced"), leaving({ connection: connection({ state: "taken_over" }) })]).toEqual([
      "list",
      "list",
    ]);
  });

  it("says how many tries are left when the codes ran out", () => {
    const ended = bot({ status: "login_expired", reason: reason("codes_expired"), link: null, triesLeft: 7 });
    expect(linkView(input({ bot: ended })).note).toBe("7 of 10 tries left this hour");
  });

  it("names the bot that has the number already, where it is this user's", () => {
    const told = { code: "already_linked", account: ACCOUNT };
    const link = attempt({ code: null, notice: notice("pair_error", told) });
    const wrong = bot({ status: "login_expired", reason: reason("already_linked") });
    const theirs = bot({ id: "bot_2", name: "Concierge", account: ACCOUNT });
    const other = otherBot([wrong, theirs], wrong, link);
    expect(other).toBe(theirs);
    const view = linkView(input({ bot: wrong, link, other }));
    expect(view.body).toContain("is linked to “Concierge”");
    expect(view.secondary).toEqual({ id: "open_other", label: "Open Concierge" });
    expect(otherBot([wrong], wrong, link)).toBeNull();
    expect(linkView(input({ bot: wrong, link })).secondary?.label).toBe("Close");
  });

  it("knows every status", () => {
    for (const status of ALL) expect(linkView(input({ bot: bot({ status }) })).title).not.toBe("");
  });

  it("announces each code by its number and spells a pairing code", () => {
    expect(linkView(input()).announce).toBe("Code 2 of 6 is ready to scan");
    const typed = linkView(input({ ui: { ...UI, tab: "phone" }, link: attempt({ code: pairing }) }));
    expect(typed.announce).toBe("Pairing code ready: 7 K Q 4, dash, M X 2 P");
  });

  it("interrupts only for what must not be scanned", () => {
    const loud = CASES.filter(([, changes]) => linkView(input(changes)).assertive).map(([state]) => state);
    expect(loud).toEqual(["socket_lost", "elsewhere"]);
  });

  it("speaks of the moment its words mean, whatever else is known", () => {
    const said = (changes: Partial<LinkInput>) => {
      const { title, body } = linkView(input(changes));
      return `${title} ${body}`;
    };
    const [eight, nine, ten] = [NOW - 7_200_000, NOW - 3_600_000, NOW + 1_800_000];
    const ui = { ...UI, refusedUntil: NOW - 60_000 };
    const away = connection({ state: "taken_over", elsewhereSince: eight });
    const removed = bot({ status: "logged_out", since: nine, reason: reason("unlinked_on_phone") });
    const banned = bot({ status: "banned", since: nine, until: ten });
    for (const connection_ of [connection(), away]) {
      expect(said({ bot: removed, connection: connection_, ui })).toContain(clock(nine, NOW));
      expect(said({ bot: bot({ status: "replaced", since: nine }), connection: connection_, ui })).toContain(
        clock(nine, NOW),
      );
      expect(said({ bot: banned, connection: connection_, ui })).toContain(`Banned until ${clock(ten, NOW)}`);
    }
    expect(said({ connection: away })).toContain(clock(eight, NOW));
    const late = bot({ status: "login_expired", since: nine });
    expect(said({ bot: late, connection: away, ui: { ...UI, refusedUntil: ten } })).toContain(clock(ten, NOW));
  });

  it("forgets a refusal as soon as the bot is linked all the same", () => {
    const ui = { ...UI, refusedUntil: NOW + 60_000 };
    for (const status of ["pairing", "connecting", "connected", "degraded", "reconnecting"] as const) {
      expect(linkView(input({ bot: bot({ status, account: ACCOUNT, link: null }), ui })).state).not.toBe("too_many");
    }
  });

  it("catches up by the server's clock, whatever this machine's says", () => {
    const linked = bot({ status: "connected", account: ACCOUNT });
    for (const offset of [-7_200_000, 0, 7_200_000]) {
      const state = (ago: number) => {
        const sync = { count: 340, done: false, at: NOW + offset - ago };
        return linkView(input({ bot: linked, connection: connection({ offset }), sync })).state;
      };
      expect([state(500), state(60_000)]).toEqual(["syncing", "connected"]);
    }
  });

  it("counts down by the server's clock", () => {
    const offset = 7_200_000;
    const late = attempt({
      code: qr({ expiresAt: NOW + offset + 14_000 }),
      notice: notice("scanned_without_multidevice"),
    });
    const view = linkView(input({ connection: connection({ offset }), link: late }));
    expect(view.note).toContain("valid for 14 s");
  });
});
