/** Texts of the command bar and the keyboard help. Owns no code. */

export const KEYS = {
  title: "Keyboard shortcuts",
  off: "Single keys",
  groups: [
    {
      title: "Anywhere",
      keys: [
        { text: "Search or run a command", keys: ["Ctrl", "K"] },
        { text: "This help", keys: ["?"] },
        { text: "New bot", keys: ["N"] },
        { text: "Go to bots", keys: ["G", "B"] },
        { text: "Go to bots that need you", keys: ["G", "Y"] },
        { text: "Go to fleet", keys: ["G", "F"] },
      ],
    },
    {
      title: "In a list",
      keys: [
        { text: "Next, previous", keys: ["J", "K"] },
        { text: "Open", keys: ["↵"] },
        { text: "Next action of the row", keys: ["A"] },
        { text: "Restart", keys: ["R"] },
        { text: "Start or stop", keys: ["S"] },
        { text: "Filter", keys: ["/"] },
      ],
    },
    {
      title: "On a bot",
      keys: [
        { text: "Pause or resume events", keys: ["P"] },
        { text: "Write a message", keys: ["C"] },
        { text: "Conversations, events", keys: ["1", "2"] },
      ],
    },
    {
      title: "While linking",
      keys: [
        { text: "Scan code / phone number", keys: ["←", "→"] },
        { text: "Copy pairing code", keys: ["C"] },
        { text: "Cancel linking", keys: ["Esc"] },
      ],
    },
  ],
  bar: {
    title: "Search or run a command",
    placeholder: "A bot, a place, a command",
    bots: "Bots",
    places: "Go to",
    commands: "{bot}",
    none: "Nothing matches “{q}”.",
    move: "move",
    run: "run",
    results: { one: "{n} result", many: "{n} results" },
    needYou: "Bots that need you",
    incidents: "Fleet: recent incidents",
    help: "Keyboard shortcuts",
  },
} as const;
