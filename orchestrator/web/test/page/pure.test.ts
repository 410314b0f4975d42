import { describe, expect, it } from "vitest";
import { STATUSES as ALL, type Status } from "../../src/generated.js";
import { fault, ofAddress, shortened, whole } from "../../src/page/phone.js";
import { routeOf } from "../../src/page/router.js";
import { bytes, fill, left, span, spelled } from "../../src/page/say.js";
import { details, eventLine, learn } from "../../src/page/view/events.js";
import { count, found, kept, lines, sections } from "../../src/page/view/groups.js";
import { rangesOf } from "../../src/page/view/heights.js";
import { meaning } from "../../src/page/view/keys.js";
import { modulePx, qrPath } from "../../src/page/view/qr.js";
import { ribbonParts, ribbonWords } from "../../src/page/view/ribbon.js";
import { socketView } from "../../src/page/view/socket.js";
import { provedAgo, statusView } from "../../src/page/view/status.js";
import type { Frame } from "../../src/types.js";
import { ACCOUNT, bot, connection, NOW } from "./support.js";

describe("statuses", () => {
  it("each has words, a group and no open braces", () => {
    for (const status of ALL) {
      const view = statusView(bot({ status, retryAt: NOW + 12_000, until: NOW + 60_000 }), NOW, true);
      expect(`${view.label}${view.line}`).not.toMatch(/[{}]|undefined|NaN/);
      expect(view.label).not.toBe(status);
    }
  });

  it("an unknown one is a failure with its raw name", () => {
    const view = statusView(bot({ status: "levitating" as Status }), NOW, false);
    expect(view).toMatchObject({ label: "levitating", tone: "stop", icon: "failed" });
    expect(view.line).toContain("levitating");
  });

  it("count down what happens by itself", () => {
    const lost = bot({ status: "reconnecting", retryAt: NOW + 11_400 });
    expect(statusView(lost, NOW, false).line).toContain("Next try in 12 s.");
    expect(statusView(lost, NOW + 12_000, false).line).toContain("Trying again now.");
    expect(statusView(bot(), NOW, false).line).toBe("Code 2 of 6 is on offer for 14 s more.");
    expect(statusView(bot(), NOW + 15_000, false).line).toBe("A code is coming.");
  });

  it("tell which repair is under way", () => {
    const ill = bot({ status: "degraded", repair: { n: 2, of: 3, step: "new_client" } });
    expect(statusView(ill, NOW, false).line).toMatch(
      /^No answer from WhatsApp since .*\. Repair 2 of 3: starting it anew\.$/,
    );
    expect(statusView(bot({ status: "degraded" }), NOW, false).line).toContain("Being repaired.");
  });

  it("send operators to the incident that holds a bot, where trying now would only wait", () => {
    const held = bot({
      status: "starting",
      retryAt: NOW + 5_000,
      reason: { code: "held_by_incident", text: "Held by an incident.", number: null },
    });
    expect(statusView(held, NOW, true).action?.label).toBe("See incident");
    expect(statusView(held, NOW, false).action).toBeNull();
  });

  it("offer what the server says is to be done", () => {
    expect(statusView(bot({ userAction: "scan" }), NOW, false).action?.label).toBe("Show code");
    expect(statusView(bot({ status: "outdated", userAction: "operator_upgrade" }), NOW, false).action).toBeNull();
    expect(statusView(bot({ status: "outdated", userAction: "operator_upgrade" }), NOW, true).action?.label).toBe(
      "See incident",
    );
    expect(statusView(bot({ status: "banned", userAction: "wait" }), NOW, false).action).toBeNull();
  });

  it("says who logged a bot out, and promises no try that an incident holds", () => {
    const out = (code: string) =>
      statusView(bot({ status: "logged_out", reason: { code, text: "You did.", number: null } }), NOW, true);
    expect(out("logged_out_by_user").line).toBe("You did.");
    expect(out("unlinked_on_phone").line).toContain("Unlinked on the phone");
    const reason = { code: "held_by_incident", text: "Held.", number: null };
    expect(statusView(bot({ status: "starting", reason, retryAt: NOW - 1 }), NOW, true).line).toBe("Held.");
  });
});

describe("what a status says beyond its label", () => {
  it("says why linking ended, not that codes ran out when none did", () => {
    const ended = (code: string) =>
      statusView(bot({ status: "login_expired", reason: { code, text: "", number: null } }), NOW, true).label;
    expect(["codes_expired", "pair_failed", "wrong_number"].map(ended)).toEqual([
      "Codes expired",
      "Linking failed",
      "Wrong number",
    ]);
  });

  it("proves nothing of a bot that no account is linked to", () => {
    expect(provedAgo(bot({ provedAt: NOW - 4_000 }), NOW)).toBeNull();
    expect(provedAgo(bot({ account: ACCOUNT, provedAt: NOW - 4_000 }), NOW)).toBe("4 s");
    expect(provedAgo(bot({ account: ACCOUNT }), NOW)).toBeNull();
  });
});

describe("the list", () => {
  const fleet = [
    bot({ id: "a", name: "Zeta" }),
    bot({ id: "b", name: "Beta", status: "connected", account: ACCOUNT }),
    bot({ id: "c", name: "alpha", status: "connected" }),
    bot({ id: "d", name: "Off", status: "stopped" }),
  ];

  it("groups by who acts, in one order", () => {
    expect(count(fleet)).toEqual({ you: 1, wait: 0, move: 0, ok: 2, off: 1 });
    expect(sections(fleet, null).map((one) => [one.group, one.bots.map((each) => each.name)])).toEqual([
      ["you", ["Zeta"]],
      ["ok", ["alpha", "Beta"]],
      ["off", ["Off"]],
    ]);
    expect(lines(sections(fleet, null), new Set(["ok"])).map((line) => line.kind)).toEqual([
      "header",
      "bot",
      "header",
      "header",
      "bot",
    ]);
  });

  it("finds by name and number", () => {
    expect(found(fleet, "BET").map((one) => one.id)).toEqual(["b"]);
    expect(found(fleet, "+49 151 123").map((one) => one.id)).toEqual(["b"]);
    expect(found(fleet, "nobody")).toEqual([]);
  });

  it("stands still while it is held: records are of now, places are not, and who is gone goes", () => {
    const stood = sections(fleet, null);
    const after = [
      bot({ id: "a", name: "Zeta", status: "connected" }),
      ...fleet.slice(2),
      bot({ id: "e", name: "New" }),
    ];
    const bots = Object.fromEntries(after.map((one) => [one.id, one]));
    expect(kept(stood, bots).map((one) => [one.group, one.bots.map(({ id, status }) => `${id} ${status}`)])).toEqual([
      ["you", ["a connected"]],
      ["ok", ["c connected"]],
      ["off", ["d stopped"]],
    ]);
    expect(kept(stood, { b: bot({ id: "b" }) }).map((one) => one.group)).toEqual(["ok"]);
  });

  it("draws what is near the view, and the row with the focus and its neighbours wherever they are", () => {
    expect(rangesOf(200, 20, 60, -1)).toEqual([[20, 60]]);
    expect(rangesOf(200, 20, 60, 30)).toEqual([[20, 60]]);
    expect(rangesOf(200, 20, 60, 19)).toEqual([[18, 60]]);
    expect(rangesOf(200, 20, 60, 60)).toEqual([[20, 62]]);
    expect(rangesOf(200, 20, 60, 0)).toEqual([
      [0, 2],
      [20, 60],
    ]);
    expect(rangesOf(200, 20, 60, 199)).toEqual([
      [20, 60],
      [198, 200],
    ]);
    expect(rangesOf(1, 0, 1, 0)).toEqual([[0, 1]]);
  });
});

describe("times and numbers", () => {
  it("are told as coarsely as they are long", () => {
    expect([4_000, 180_000, 5_340_000, 7_200_000, 518_400_000].map(span)).toEqual([
      "4 s",
      "3 min",
      "1 h 29 min",
      "2 h",
      "6 d",
    ]);
    const until = [1, 60_000, 112_000, -5].map((ms) => left(NOW + ms, NOW));
    expect(until).toEqual(["1 s", "60 s", "1 min 52 s", "0 s"]);
    expect([bytes(999), bytes(214_300), bytes(3_400_000)]).toEqual(["999 B", "214 kB", "3.4 MB"]);
    expect(spelled("7KQ4-MX2P")).toBe("7 K Q 4, dash, M X 2 P");
    expect(fill("{a} {b}", { a: 0 })).toBe("0 {b}");
  });

  it("phone numbers are shortened, and typed in any way", () => {
    expect(shortened("4915112345678")).toBe("+49 151 ••• 5678");
    expect(whole("4915112345678")).toBe("+49 151 1234 5678");
    expect([fault("030 901 1200"), fault("+49 30"), fault("0049 (30) 901-1200"), fault("+1".padEnd(20, "2"))]).toEqual([
      "country",
      "short",
      null,
      "long",
    ]);
    expect([ofAddress("4915112345678:3@s.whatsapp.net"), ofAddress("12@lid")]).toEqual(["4915112345678", null]);
  });
});

describe("the connection", () => {
  it("leaves out moments nobody told", () => {
    expect(socketView(connection({ state: "reconnecting", retryAt: NOW + 3_000, asOf: NOW }), NOW).pill).toBe(
      "Reconnecting in 3 s",
    );
    expect(socketView(connection({ state: "reconnecting" }), NOW)).toMatchObject({
      pill: "Reconnecting…",
      banner: "Not live.",
      button: "reconnect_now",
    });
    expect(socketView(connection({ state: "already_connected" }), NOW).banner).toBe(
      "You are connected in another browser.",
    );
    expect(socketView(connection({ state: "taken_over" }), NOW)).toMatchObject({ tone: "you", button: "use_here" });
    expect(socketView(connection(), NOW)).toMatchObject({ live: true, banner: null });
  });
});

const frame = (type: string, data: object, event = "message_sync"): Frame => ({
  event,
  type,
  id: type,
  botId: "b",
  at: NOW,
  data,
});

describe("the live log", () => {
  const text = frame("message", {
    chat: "77@lid",
    chatPn: "4917212345611@s.whatsapp.net",
    sender: "77@lid",
    senderPn: "4917212345611@s.whatsapp.net",
    fromMe: false,
    messageId: "M",
    kind: "text",
    text: "my secret plan",
    pushName: "Jonas Weber",
    sentAt: NOW,
  });

  it("names people, and never says what they wrote", () => {
    expect(eventLine(text).text).toBe("From Jonas Weber: text");
    expect(details(text)).not.toMatch(/secret plan|4917212345611/);
    const people = new Map<string, string>();
    learn(people, text);
    const sent = frame("send_result", {
      id: "job_1",
      to: "77@lid",
      state: "failed",
      error: { code: "not_on_whatsapp", text: "That number is not on WhatsApp." },
    });
    expect(eventLine(sent, null, people)).toMatchObject({
      text: "Not sent to Jonas Weber: That number is not on WhatsApp.",
      problem: true,
      topic: "sends",
    });
  });

  it("counts as people do, and says why a bot was unlinked in words", () => {
    const waited = (count: number, done: boolean) =>
      eventLine(frame("offline_sync", { count, done }, "whatsapp_connection_event")).text;
    expect([0, 1, 12].map((count) => waited(count, true))).toEqual([
      "No messages had waited",
      "A waiting message was fetched",
      "12 waiting messages fetched",
    ]);
    expect(waited(0, false)).toBe("Looking for messages that waited");
    const out = frame("logged_out", { reason: "main_device_gone" }, "whatsapp_connection_event");
    expect(eventLine(out).text).toMatch(/^Unlinked: The phone's account was logged out/);
  });

  it("tells a change of status from both sides, and types it does not know by name", () => {
    const status = frame("status", { status: "reconnecting" }, "bot_status_update");
    expect(eventLine(status, "connected").text).toBe("Status: Connected → Reconnecting");
    expect(eventLine(status, "reconnecting").text).toBe("Status: Reconnecting");
    const reason = { code: "tls_failed", text: "The secure connection failed.", number: null };
    const changed = frame("status", { status: "reconnecting", reason }, "bot_status_update");
    expect(eventLine(changed, "reconnecting").text).toBe("Reconnecting: The secure connection failed");
    expect(eventLine(frame("moon_phase", {})).text).toBe("moon phase");
    const group = frame("group", {
      chat: "1@g.us",
      chatName: "Team",
      changes: [{ action: "invite_link" }, { action: "left" }],
    });
    expect(eventLine(group).text).toBe("Team: invite link, left");
    expect(eventLine(frame("stream_error", { code: "503", expected: true }, "whatsapp_connection_event")).problem).toBe(
      false,
    );
  });
});

describe("pictures", () => {
  it("a code is drawn in whole pixels, never under 256", () => {
    const svg =
      '<svg xmlns="x" viewBox="0 0 61 61" shape-rendering="crispEdges"><rect width="61" height="61" fill="#fff"/><path fill="#000" d="M4 4h7v1H4zM14 4h3v1H14z"/></svg>';
    expect(qrPath(svg)).toEqual({ size: 61, path: "M4 4h7v1H4zM14 4h3v1H14z" });
    expect(qrPath('<svg viewBox="0 0 61 61"><path d="M4 4" onload="x()"/><script/></svg>')?.path).toBe("M4 4");
    expect(qrPath("<svg/>")).toBeNull();
    for (const size of [29, 57, 61, 65, 69, 77]) expect(modulePx(size, 325) * size).toBeGreaterThanOrEqual(256);
    expect(modulePx(65, 325)).toBe(5);
  });

  it("a ribbon says in words what it shows in colour", () => {
    const slots = [null, ...Array(45).fill("connected"), "reconnecting", "reconnecting"];
    expect(ribbonWords(slots)).toBe("Last 24 hours: Connected 94 %, Reconnecting 4 %");
    expect(ribbonParts(slots, 20).map((part) => part.tone)).toEqual(["off", "ok", "heal"]);
  });
});

describe("addresses and keys", () => {
  it("every address of the page has its part", () => {
    expect(
      ["/", "/new", "/new/options", "/fleet", "/bots/bot_1", "/bots/bot_1/link", "/bots/bot_1/ready", "/x"].map(
        (path) => routeOf(path).page,
      ),
    ).toEqual(["bots", "new", "new", "fleet", "bot", "link", "ready", "nowhere"]);
  });

  const press = {
    key: "n",
    ctrl: false,
    alt: false,
    shift: false,
    repeat: false,
    typing: false,
    afterG: false,
    off: false,
  };

  it("a key that is held down goes on moving, and asks nothing of a bot again", () => {
    const held = { ...press, repeat: true };
    expect(meaning({ ...held, key: "j" }, "bots")).toEqual({ kind: "move", by: 1 });
    expect(meaning({ ...press, key: "r" }, "bots")).toEqual({ kind: "row", action: "restart" });
    for (const key of ["a", "r", "s", "/", "n", "?", "g"]) expect(meaning({ ...held, key }, "bots")).toBeNull();
    expect(meaning({ ...held, key: "p" }, "bot")).toBeNull();
    expect(meaning({ ...held, key: "k", ctrl: true }, "bots")).toBeNull();
  });

  it("leaves the browser its own keys", () => {
    expect(meaning({ ...press, key: "K", ctrl: true, shift: true }, "bots")).toBeNull();
    expect(meaning({ ...press, key: "k", ctrl: true, alt: true }, "bots")).toBeNull();
    expect(meaning({ ...press, key: "r", ctrl: true }, "bots")).toBeNull();
  });

  it("single keys do nothing in fields, or when they are off", () => {
    expect(meaning(press, "bots")).toEqual({ kind: "new" });
    expect(meaning({ ...press, typing: true }, "bots")).toBeNull();
    expect(meaning({ ...press, off: true }, "bots")).toBeNull();
    expect(meaning({ ...press, key: "y", afterG: true }, "bot")).toEqual({ kind: "go", to: "/?show=you" });
    expect(meaning({ ...press, key: "k", ctrl: true, typing: true }, "link")).toEqual({ kind: "search" });
    expect(meaning({ ...press, key: "j" }, "fleet")).toBeNull();
    expect(meaning({ ...press, key: "ArrowRight" }, "link")).toEqual({ kind: "page", key: "ArrowRight" });
    expect(meaning({ ...press, key: "p" }, "bots")).toEqual({ kind: "page", key: "p" });
    expect(meaning({ ...press, key: "p" }, "link")).toBeNull();
  });
});
