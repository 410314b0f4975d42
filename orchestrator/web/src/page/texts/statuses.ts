/** Texts of statuses, groups, bans and the page's own connection. Owns no code. */

export const STATUSES = {
  status: {
    stopped: {
      label: "Stopped",
      group: "off",
      tone: "off",
      body: "Not running. Nothing is received or sent.",
    },
    starting: {
      label: "Starting",
      group: "move",
      tone: "busy",
      body: "A worker is picking this bot up. Usually under 2 seconds.",
    },
    awaiting_scan: {
      label: "Waiting for scan",
      group: "you",
      tone: "you",
      body: "Code {index} of {of} is on offer for {left} more.",
    },
    pairing: {
      label: "Linking",
      group: "move",
      tone: "busy",
      body: "Scanned. WhatsApp restarts the connection once; that is expected.",
    },
    connecting: {
      label: "Connecting",
      group: "move",
      tone: "busy",
      body: "Linked. Opening the connection to WhatsApp.",
    },
    connected: { label: "Connected", group: "ok", tone: "ok", body: "Proved alive {ago} ago.", action: null },
    degraded: {
      label: "Not answering",
      group: "move",
      tone: "heal",
      body: "No answer from WhatsApp since {time}.",
    },
    reconnecting: {
      label: "Reconnecting",
      group: "move",
      tone: "heal",
      body: "Connection lost at {time}. Next try in {left}.",
    },
    stopping: {
      label: "Stopping",
      group: "off",
      tone: "off",
      body: "Being stopped. At most 10 seconds.",
    },
    login_expired: {
      label: "Codes expired",
      group: "you",
      tone: "you",
      body: "All codes ran out before one was scanned.",
    },
    passkey_required: {
      label: "Passkey needed",
      group: "you",
      tone: "you",
      body: "This account links only with a passkey; bots cannot give one.",
    },
    replaced: {
      label: "Used elsewhere",
      group: "you",
      tone: "you",
      body: "Connected somewhere else at {time}; this copy stepped back.",
    },
    logged_out: {
      label: "Logged out",
      group: "you",
      tone: "you",
      body: "Unlinked on the phone at {time}. Its keys are gone; stored messages stay.",
    },
    banned: {
      label: "Banned until {time}",
      group: "wait",
      tone: "stop",
      body: "{cause}. Starts again by itself at {retry}.",
    },
    blocked: {
      label: "Blocked",
      group: "you",
      tone: "stop",
      body: "Locked by WhatsApp. Open WhatsApp on the phone and follow it.",
    },
    outdated: {
      label: "Update needed",
      group: "wait",
      tone: "stop",
      body: "WhatsApp refuses this version. Continues after the update.",
    },
    failed: {
      label: "Failed",
      group: "you",
      tone: "stop",
      body: "{reason}",
    },
  },
  /* Labels that say more than that of the status does, by the code of its reason. */
  cause: {
    pair_failed: "Linking failed",
    pairing_timeout: "Linking failed",
    already_linked: "Number in use",
    wrong_number: "Wrong number",
  },
  group: {
    you: { label: "Needs you", hint: "Only you can move these on" },
    wait: { label: "Waiting", hint: "Nothing to do; they return by themselves" },
    move: { label: "In motion", hint: "Being started or repaired" },
    ok: { label: "Connected", hint: "" },
    off: { label: "Stopped", hint: "" },
  },
  ban: {
    101: "Too many messages to strangers",
    102: "Too many people blocked this number",
    103: "Too many groups created with strangers",
    104: "Too many identical messages",
    106: "Too many broadcast messages",
    other: "WhatsApp gave no cause",
  },
  /* Buttons, by the bot's userAction. */
  action: {
    start: "Start",
    scan: "Show code",
    request_new_code: "Get new codes",
    use_other_account: "Use another number",
    reconnect_here: "Reconnect here",
    link_again: "Link again",
    open_whatsapp: "Try again",
    retry: "Try again",
    try_now: "Try now",
    operator_upgrade: "See incident",
  },
  line: {
    next: "Next try in {left}.",
    nextNow: "Trying again now.",
    repair: "Repair {n} of {of}: {step}.",
    repairing: "Being repaired.",
    noCode: "A code is coming.",
    unknown: "This page does not know the status “{status}”. Reload it; it may be older than the server.",
    bannedFor: "Banned",
  },
  /* What is tried while a bot is degraded, by `repair.step`. */
  repair: {
    reconnect: "reconnecting",
    new_client: "starting it anew",
    new_worker: "a worker of its own",
  },
  /* Buttons of the page's own connection. */
  socketAction: {
    reconnect_now: "Reconnect now",
    use_here: "Use here",
    sign_in_again: "Sign in again",
  },
  /* The page's own connection (top right pill; banner where one is given). */
  socket: {
    connecting: { pill: "Connecting…", banner: null },
    idle: { pill: "Not connected", banner: null },
    live: { pill: "Live", banner: null },
    other_tab: {
      pill: "In another tab",
      banner: "Another tab of this browser has the connection and cannot share it.",
      action: "use_here",
    },
    revoked: { pill: "Signed out", banner: "Your access was revoked.", action: "sign_in_again" },
    stopped: {
      pill: "Not connected",
      banner: "The server ended this connection ({code}).",
      action: "reconnect_now",
    },
    catching_up: { pill: "Catching up", banner: null },
    reconnecting: {
      pill: "Reconnecting in {left}",
      banner: "Not live. What you see is from {time}; changes are kept and will appear.",
      action: "reconnect_now",
    },
    offline: {
      pill: "Offline",
      banner: "This device is offline. What you see is from {time}.",
      action: "reconnect_now",
    },
    already_connected: {
      pill: "Connected elsewhere",
      banner: "You are connected in another browser since {time}.",
      action: "use_here",
    },
    taken_over: {
      pill: "Moved elsewhere",
      banner: "Another browser took over at {time}. This page no longer updates.",
      action: "use_here",
    },
    token_expired: { pill: "Signed out", banner: "Your sign-in ran out.", action: "sign_in_again" },
    unauthorized: { pill: "Signed out", banner: "This sign-in is not accepted.", action: "sign_in_again" },
    user_mismatch: {
      pill: "Wrong account",
      banner: "This page belongs to another account than the one signed in.",
      action: "sign_in_again",
    },
    too_many_attempts: { pill: "Paused", banner: "Too many connection attempts. Next one at {time}.", action: null },
    auth_unavailable: {
      pill: "Reconnecting in {left}",
      banner: "The sign-in service is not answering. Your bots keep running.",
      action: "reconnect_now",
    },
    server_draining: {
      pill: "Reconnecting in {left}",
      banner: "The server is restarting. Nothing is lost.",
      action: null,
    },
    slow_consumer: {
      pill: "Catching up",
      banner: "This page fell behind and starts again from the current state.",
      action: null,
    },
  },
} as const;
