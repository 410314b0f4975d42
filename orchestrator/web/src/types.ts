/**
 * Every type of the public interface: frames, connection, state, client. Owns no code.
 *
 * Records and codes of the server are in `generated.ts`. Read `client.ts` next for what fills these.
 */
import type {
  Account,
  Bot,
  CallData,
  ChangeData,
  GroupData,
  LinkRequest,
  MessageData,
  PairingCode,
  Position,
  PresenceData,
  ReceiptData,
  SendJob,
  SendRequest,
  Status,
  UndecryptableData,
} from "./generated.js";

// --- frames ----------------------------------------------------------------------------------------------------

/** `data` of `whatsapp_connection_event`, by type. */
export interface LifecycleData {
  readonly qr: QrData;
  readonly pairing_code: PairingCode;
  readonly scanned_without_multidevice: NoData;
  readonly passkey_required: NoData;
  readonly pair_success: { readonly account: Account };
  readonly pair_error: { readonly code: string; readonly account?: Account };
  readonly whatsapp_connected: { readonly account: Account };
  readonly whatsapp_disconnected: NoData;
  readonly stream_error: {
    readonly code: string;
    readonly expected: boolean;
    readonly text: string;
    readonly next: string;
  };
  readonly keepalive_timeout: { readonly errorCount: number };
  readonly keepalive_restored: NoData;
  readonly stream_replaced: NoData;
  readonly logged_out: { readonly reason: string };
  readonly temporary_ban: { readonly code: number; readonly until: number };
  readonly connect_failure: { readonly reason: number | string };
  readonly client_outdated: NoData;
  readonly offline_sync: { readonly count: number; readonly done: boolean };
  readonly login_expired: NoData;
}

/** `data` of `bot_status_update`, by type. */
export interface StatusData {
  readonly status: Bot;
  readonly created: Bot;
  readonly updated: Bot;
  readonly deleted: { readonly id: string };
  readonly task_failed: { readonly [member: string]: unknown };
}

/** `data` of `message_sync`, by type. Types this version does not know arrive with `data: unknown`. */
export interface MessageSyncData {
  readonly message: MessageData;
  readonly receipt: ReceiptData;
  readonly reaction: ChangeData;
  readonly edited: ChangeData;
  readonly revoked: ChangeData;
  readonly undecryptable: UndecryptableData;
  readonly send_result: SendJob;
  readonly group: GroupData;
  readonly call: CallData;
  /** Never stored: who is there and who types, until `expiresAt`. */
  readonly presence: PresenceData;
}

/** A QR code on offer: a secret, gone from the state the moment it may be stale. */
export interface QrData {
  readonly qr: string;
  readonly svg: string;
  readonly index: number;
  readonly of: number;
  /** ms since the epoch, by the server's clock. */
  readonly expiresAt: number;
  readonly attempt: number;
}

export type NoData = { readonly [member: string]: never };

export interface FrameOf<Event extends string, Type extends string, Data> {
  readonly event: Event;
  readonly type: Type;
  /** `evt_…`, the same for every delivery of this event. */
  readonly id: string;
  readonly botId: string | null;
  /** ms since the epoch, by the server's clock. */
  readonly at: number;
  readonly data: Data;
  readonly status?: Status;
  /** Durable frames only: where it stands in the user's log, and the position before it. */
  readonly epoch?: string;
  readonly seq?: number;
  readonly prev?: number;
  readonly replayed?: boolean;
  readonly statusVersion?: number;
  /** The frame was too large: `data` has its small members only, the whole is had by REST. */
  readonly truncated?: boolean;
}

type FramesOf<Event extends string, Table> = {
  readonly [Type in keyof Table & string]: FrameOf<Event, Type, Table[Type]>;
}[keyof Table & string];

/** Frames this version knows, told apart by `event` and `type`. */
export type KnownFrame =
  | FramesOf<"bot_status_update", StatusData>
  | FramesOf<"whatsapp_connection_event", LifecycleData>
  | FramesOf<"message_sync", MessageSyncData>;

/** A frame as it came: `type` may be one that this version does not know, `data` has not been looked at. */
export type Frame = FrameOf<string, string, unknown>;

// --- connection ------------------------------------------------------------------------------------------------

/**
 * What the connection is, for people. The first seven are passing or well; the others name the code that ended it.
 *
 * - `idle`: nobody asks for it (no component is mounted), or it runs on a server.
 * - `connecting`: on the way for the first time.
 * - `live`: what is shown is what is.
 * - `catching_up`: connected, and what was missed is being applied.
 * - `reconnecting`: lost; `retryAt` says when the next try begins.
 * - `offline`: the browser says it has no network.
 * - `other_tab`: another tab of this browser has the connection and cannot share it here. "Use here" moves it.
 * - `already_connected`, `taken_over`: another browser has it; only a person's "Use here" changes that.
 * - `token_expired`, `unauthorized`, `user_mismatch`, `revoked`: sign in again.
 * - `too_many_attempts`, `auth_unavailable`, `server_draining`, `slow_consumer`: retried by itself at `retryAt`.
 * - `stopped`: the server ended it for a reason that trying again would not change (`code`).
 */
export type ConnectionState =
  | "idle"
  | "connecting"
  | "live"
  | "catching_up"
  | "reconnecting"
  | "offline"
  | "other_tab"
  | "already_connected"
  | "taken_over"
  | "token_expired"
  | "unauthorized"
  | "user_mismatch"
  | "revoked"
  | "too_many_attempts"
  | "auth_unavailable"
  | "server_draining"
  | "slow_consumer"
  | "stopped";

/** The user's connection as every tab shows it. Times are ms since the epoch by this machine's clock, but `elsewhereSince`. */
export interface Connection {
  readonly state: ConnectionState;
  /** The server's code behind the state, where there is one. */
  readonly code: string | null;
  /** When this state began. */
  readonly since: number;
  /** Since leaving `live`: what is shown is from this moment. Null while live, and before anything was shown. */
  readonly asOf: number | null;
  /** When the next try begins by itself; null when it does not, or runs now. */
  readonly retryAt: number | null;
  /** Since when another browser is connected (`already_connected`, by the server's clock), when the server said so. */
  readonly elsewhereSince: number | null;
  /** Server's clock minus this machine's, ms: `Date.now() + offset` is the server's now. For countdowns. */
  readonly offset: number;
  /** Who has the socket: this tab, another one of this browser, or nobody yet. */
  readonly holder: "me" | "other" | null;
  /** How the last absence ended; null before the first one. */
  readonly away: Away | null;
}

/** One absence of the connection, told once it is over. */
export interface Away {
  /** This machine's clock. */
  readonly from: number;
  readonly to: number;
  /** Events that were replayed; none is missing when `snapshot` is false. */
  readonly replayed: number;
  /** The server no longer had everything: this is the current state. */
  readonly snapshot: boolean;
  /** Events that will not be seen, when that is known. */
  readonly missed: number | null;
}

/** What a page shows about the connection: a pill, a line where something is lost, a button. */
export interface ConnectionWords {
  readonly pill: string;
  readonly banner: string | null;
  readonly button: "reconnect_now" | "use_here" | "sign_in_again" | null;
  readonly buttonText: string | null;
}

// --- state -----------------------------------------------------------------------------------------------------

/** What a bot's link attempt offers now. Codes are there only while they may be shown: see `Code`. */
export interface LinkAttempt {
  readonly attempt: number;
  readonly code: Code | null;
  /** The newest thing that happened to this attempt and needs words (`pair_error`, `scanned_without_multidevice`, …). */
  readonly notice: LinkNotice | null;
}

/**
 * A code that may be shown. It leaves the state at once when the connection is no longer `live`, when it expires, when
 * the bot's status leaves `awaiting_scan`, and after `pair_success`.
 */
export type Code = (({ readonly kind: "qr" } & QrData) | ({ readonly kind: "pairing_code" } & PairingCode)) & {
  /** Of the bot's record the code was announced under. */
  readonly statusVersion: number;
};

export interface LinkNotice {
  readonly type: string;
  readonly at: number;
  readonly data: unknown;
}

/** A message with what happened to it since. */
export interface Message extends MessageData {
  readonly id: string;
  readonly botId: string;
  /** Delivered or read by somebody, for messages of the bot. */
  readonly receipt: "none" | "delivered" | "read" | "played";
  /** Newest reaction of each person, by their address. */
  readonly reactions: { readonly [sender: string]: string };
  readonly edited: boolean;
  readonly revoked: boolean;
}

/** A chat's messages, oldest first, and its newest one's time. */
export interface Chat {
  readonly chat: string;
  readonly messages: ReadonlyArray<Message>;
  readonly lastAt: number;
}

/** What one bot has been told while this page was there. */
export interface BotMessages {
  readonly chats: { readonly [chat: string]: Chat };
  readonly sends: { readonly [job: string]: SendJob };
  /** Who is there and who types, by chat and person; each holds until its `expiresAt`, and none while not live. */
  readonly presence: { readonly [chat: string]: { readonly [sender: string]: PresenceData } };
}

/** Everything the page shows, immutable: what did not change keeps its identity. */
export interface State {
  readonly connection: Connection;
  /** Up to where everything has been applied; null before the first snapshot. */
  readonly position: Position | null;
  /** False until the first snapshot (or the state of another tab) has arrived. */
  readonly loaded: boolean;
  /** How often the state was taken whole, from elsewhere than where it stood: events in between were never told. */
  readonly jumps: number;
  /** All bots, by id. */
  readonly bots: { readonly [bot: string]: Bot };
  /** Running or just ended link attempts, by bot. */
  readonly links: { readonly [bot: string]: LinkAttempt };
  /** Messages and sends, by bot. */
  readonly messages: { readonly [bot: string]: BotMessages };
  /** Durable frames, oldest first, the newest `logLimit` of them; secrets are never in it. */
  readonly log: Log;
}

/** A long list that grows by its end: chunks keep their identity. Read it with `logFrames`. */
export interface Log {
  readonly chunks: ReadonlyArray<ReadonlyArray<Frame>>;
  readonly length: number;
}

// --- commands --------------------------------------------------------------------------------------------------

/** What may be asked of a bot. `id` is made by the client unless given: the same id is carried out once in 24 h. */
export type Command = { readonly id?: string; readonly botId: string } & (
  | { readonly action: "start" | "stop" | "restart" | "logout" }
  | ({ readonly action: "link" } & LinkRequest)
  | { readonly action: "pairing_code"; readonly phone: string }
  | ({ readonly action: "send" } & SendRequest)
);

/** Accepted (outcomes are events), or why not. A command is never lost in silence. */
export type CommandAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: CommandError };

export interface CommandError {
  /** A code of the server, or `not_connected`: nobody could be asked in time, the same id may be sent again. */
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly field?: string;
  readonly retryAfterMs?: number;
}

// --- client ----------------------------------------------------------------------------------------------------

/** Why a token is asked for: to connect, because the present one ends soon, or because it was refused as expired. */
export type TokenReason = "connect" | "expiring" | "expired";

/**
 * Gives a token. It is asked in the tab that holds the connection only; the token stays in memory and is passed to no
 * other tab. Return a fresh one when `reason` is not `connect`. Throwing counts as "cannot say now": retried.
 * Null means signed out.
 */
export type TokenSource = (reason: TokenReason) => string | null | Promise<string | null>;

export interface ClientOptions {
  /** The orchestrator, `ws://`, `wss://`, `http://` or `https://`. */
  readonly url: string;
  /** The user as the token names them; only this one is let in. */
  readonly userId: string;
  readonly getToken: TokenSource;
  /** Frames kept in `state.log`; default 10,000. */
  readonly logLimit?: number;
  /** Messages kept per chat; default 500. */
  readonly chatLimit?: number;
}

/** One user's connection in this page. Everything is shared with the user's other tabs of this browser. */
export interface UnifiedClient {
  readonly url: string;
  readonly userId: string;
  /** The state now; the same object until something changes. */
  getState(): State;
  /** Calls back after changes; several within a frame are told once. Returns how to stop. */
  subscribe(listener: () => void): () => void;
  /** Calls back with every frame of an event once, in order, after it has been applied to the state. */
  onFrame(listener: (frame: Frame) => void): () => void;
  /** Asks something of a bot, also from a tab that does not hold the socket. Never rejects. */
  command(command: Command): Promise<CommandAnswer>;
  /** Tries again now, where a try is pending or a person signed in again. */
  reconnectNow(): void;
  /** Moves the connection here from another browser or tab. A person's click, never by itself. */
  connectHere(): void;
  /** Another source of tokens from now on. */
  setTokenSource(getToken: TokenSource): void;
}

/** A share in a page's client: the connection opens with the first and ends after the last is released. */
export interface Lease {
  readonly client: UnifiedClient;
  release(): void;
}

// --- hook ------------------------------------------------------------------------------------------------------

/** Options of the hook: null or an empty `userId` while nobody is signed in keeps it idle. */
export interface HookOptions {
  /** Default: `process.env.NEXT_PUBLIC_BOT_WEBSOCKET_URL`. */
  readonly url?: string;
  readonly userId: string | null | undefined;
  readonly getToken: TokenSource;
}

/** What the hook gives beside what was selected. Functions keep their identity. */
export interface UnifiedWebSocket<Selected> {
  readonly selected: Selected;
  readonly connection: Connection;
  command(command: Command): Promise<CommandAnswer>;
  reconnectNow(): void;
  connectHere(): void;
}

/**
 * `useUnifiedWebSocket(options)` gives the whole state as `selected`; with a selector only what it picks, and the
 * component renders again only when that (or the connection) changes.
 */
export interface UseUnifiedWebSocket {
  (options: HookOptions): UnifiedWebSocket<State>;
  <Selected>(
    options: HookOptions,
    select: (state: State) => Selected,
    isEqual?: (before: Selected, after: Selected) => boolean,
  ): UnifiedWebSocket<Selected>;
}
