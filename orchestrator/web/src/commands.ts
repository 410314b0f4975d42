/**
 * Commands that are on their way: asked by this tab or another, sent again over every new connection, answered once.
 *
 * The server carries an id out once in 24 h, so sending again is safe. Owns deadlines and who asked. It must never know
 * how a command travels. Read `client.ts` next.
 */
import type { Command, CommandAnswer } from "./types.js";
import { unanswered } from "./wire.js";

/** A log-out may take 15 s, and a new connection as long again. */
const DEADLINE_MS = 30_000;

/** A command with its id, as it is sent. */
export type SentCommand = Command & { readonly id: string };

interface Asked {
  readonly command: SentCommand;
  answer(answer: CommandAnswer): void;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class Commands {
  readonly #asked = new Map<string, Asked[]>();

  /** Takes a command and what to do with its answer, which comes exactly once. */
  take(command: SentCommand, answer: (answer: CommandAnswer) => void): void {
    const timer = setTimeout(() => {
      this.settle(command.id, unanswered("The server did not answer in time. The same command may be sent again."));
    }, DEADLINE_MS);
    this.#asked.set(command.id, [...(this.#asked.get(command.id) ?? []), { command, answer, timer }]);
  }

  /** The answer to a command is there. */
  settle(id: string, answer: CommandAnswer): void {
    const waiting = this.#asked.get(id) ?? [];
    this.#asked.delete(id);
    for (const one of waiting) {
      clearTimeout(one.timer);
      one.answer(answer);
    }
  }

  /** Nobody will answer. */
  settleAll(message: string): void {
    for (const id of [...this.#asked.keys()]) this.settle(id, unanswered(message));
  }

  /** What still waits for an answer, oldest first. */
  get waiting(): ReadonlyArray<SentCommand> {
    return [...this.#asked.values()].flatMap(([first]) => (first === undefined ? [] : [first.command]));
  }
}
