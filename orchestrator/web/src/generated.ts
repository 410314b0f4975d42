// Written by scripts/web_types.py from the server's records and codes; never edited by hand.

export const STATUSES = ["stopped", "starting", "awaiting_scan", "pairing", "connecting", "connected", "degraded", "reconnecting", "stopping", "login_expired", "passkey_required", "replaced", "logged_out", "banned", "blocked", "outdated", "failed"] as const;

export const EVENT_NAMES = ["bot_status_update", "whatsapp_connection_event", "message_sync", "connection_update"] as const;

export const ACTIONS = ["start", "stop", "restart", "logout", "link", "pairing_code", "send"] as const;

export const TERMINAL_CLOSINGS = ["taken_over", "superseded", "token_expired", "revoked", "protocol_error", "flood"] as const;

export const RETRYABLE_CLOSINGS = ["slow_consumer", "server_draining", "max_age", "internal"] as const;

export const LIFECYCLE_TYPES = ["qr", "login_expired", "pair_success", "pair_error", "scanned_without_multidevice", "passkey_required", "whatsapp_connected", "offline_sync", "whatsapp_disconnected", "keepalive_timeout", "keepalive_restored", "logged_out", "temporary_ban", "client_outdated", "connect_failure", "stream_replaced", "stream_error"] as const;

export type Status = (typeof STATUSES)[number];

export type EventName = (typeof EVENT_NAMES)[number];

export type Action = (typeof ACTIONS)[number];

export const PROBLEMS = {
  invalid_field: { text: "A field of the request is wrong; the message names it and what it should be.", retryable: false },
  unauthorized: { text: "The request carries no valid token. Sign in again.", retryable: false },
  token_expired: { text: "The token has expired. Sign in again.", retryable: false },
  forbidden: { text: "This needs an operator.", retryable: false },
  not_found: { text: "There is no such thing here.", retryable: false },
  method_not_allowed: { text: "This address does not take that method.", retryable: false },
  not_acceptable: { text: "None of the formats asked for is on offer.", retryable: false },
  no_code_on_offer: { text: "No code is on offer at the moment. Start linking, or wait for the next code.", retryable: false },
  not_linked: { text: "The bot is not linked to an account. Link it first.", retryable: false },
  idempotency_conflict: { text: "This Idempotency-Key was used with another body. Use a new key.", retryable: false },
  position_expired: { text: "Events up to that position are no longer kept. Take a new snapshot.", retryable: false },
  payload_too_large: { text: "The request is too large.", retryable: false },
  media_full: { text: "The bot has as many files waiting as it may have. Remove some, or wait until they expire.", retryable: false },
  unsupported_media_type: { text: "Send the body as application/json.", retryable: false },
  too_many_bots: { text: "You have as many bots as you may have. Delete one first.", retryable: false },
  too_many_link_attempts: { text: "Too many link attempts in the last hour. Wait before the next one.", retryable: true },
  too_many_attempts: { text: "Too many attempts in a short time. Wait a moment.", retryable: true },
  rate_limited: { text: "Too many requests in a short time. Wait a moment.", retryable: true },
  internal: { text: "Something went wrong on our side. It has been recorded.", retryable: true },
  storage_unavailable: { text: "The server cannot write to its disk at the moment. Try again shortly.", retryable: true },
  auth_unavailable: { text: "Sign-in cannot be checked at the moment. Try again shortly.", retryable: true },
  server_draining: { text: "The server is restarting. Try again in a moment.", retryable: true },
  whatsapp_unavailable: { text: "WhatsApp did not answer in time. Try again shortly.", retryable: true },
} as const;

export const SOCKET_CODES = {
  user_mismatch: { text: "The userId sent is not the token's user.", retryable: false },
  already_connected: { text: "You are connected in another tab or device.", retryable: false },
  taken_over: { text: "The connection was taken over elsewhere.", retryable: false },
  superseded: { text: "The connection moved on to its successor.", retryable: false },
  revoked: { text: "Your access was revoked.", retryable: false },
  protocol_error: { text: "The client sent something this server does not understand.", retryable: false },
  flood: { text: "The client sent too much in a short time.", retryable: false },
  slow_consumer: { text: "The client did not keep up; it may come back and resume.", retryable: true },
  max_age: { text: "The connection reached its greatest age; come back.", retryable: true },
} as const;

export const REASONS = {
  codes_expired: { text: "The codes ended without being scanned. Ask for a new one.", retryable: false },
  pair_failed: { text: "Linking failed on WhatsApp's side. Ask for a new code.", retryable: false },
  phone_without_multidevice: { text: "That phone's WhatsApp cannot link devices. Update WhatsApp on the phone.", retryable: false },
  passkey_required: { text: "The account asks for a passkey, which this version cannot give. Use another account.", retryable: false },
  pairing_timeout: { text: "WhatsApp did not finish linking in time.", retryable: false },
  connection_lost: { text: "The connection to WhatsApp was lost.", retryable: false },
  keepalive_lost: { text: "WhatsApp stopped answering.", retryable: false },
  server_restarting: { text: "WhatsApp's server is restarting.", retryable: false },
  unlinked_on_phone: { text: "The device was removed on the phone. Link it again.", retryable: false },
  main_device_gone: { text: "The phone's account was logged out or locked. Open WhatsApp on the phone.", retryable: false },
  account_banned: { text: "WhatsApp has banned the account. Open WhatsApp on the phone.", retryable: false },
  temporary_ban: { text: "WhatsApp has banned the account for a while.", retryable: false },
  client_outdated: { text: "WhatsApp refuses this version. The operator has to upgrade.", retryable: false },
  client_refused: { text: "WhatsApp refuses this client. The operator has to look into it.", retryable: false },
  refused: { text: "WhatsApp refused the connection.", retryable: false },
  unknown_refusal: { text: "WhatsApp refused the connection for a reason this version does not know.", retryable: false },
  stream_replaced: { text: "The same device is connected elsewhere.", retryable: false },
  stream_error: { text: "WhatsApp reported an error on the connection.", retryable: false },
  phone_not_seen: { text: "The phone has been offline for 12 days; WhatsApp unlinks devices after 14.", retryable: false },
  worker_crashed: { text: "The session's process ended unexpectedly.", retryable: false },
  restart_budget_spent: { text: "The bot crashed 5 times within 10 minutes.", retryable: false },
  event_pump_dead: { text: "The library stopped delivering events; the session is being restarted.", retryable: false },
  keys_missing: { text: "The keys of the linked device are gone. Link it again.", retryable: false },
  logged_out_by_user: { text: "You logged the bot out.", retryable: false },
  already_linked: { text: "That WhatsApp account is already linked to another bot.", retryable: false },
  wrong_number: { text: "Another number than the expected one was linked.", retryable: false },
  whatsapp_unreachable: { text: "WhatsApp cannot be reached at the moment.", retryable: false },
  dns_failed: { text: "WhatsApp's name could not be resolved.", retryable: false },
  tls_failed: { text: "The secure connection to WhatsApp could not be set up.", retryable: false },
  proxy_failed: { text: "The proxy did not let the connection through.", retryable: false },
  storage_unavailable: { text: "The disk is full or not writable; the bot waits so that WhatsApp keeps its messages.", retryable: false },
  held_by_incident: { text: "Starts are held back until an incident is over.", retryable: false },
  script_failed: { text: "The bot's script failed.", retryable: false },
} as const;

export const SEND_ERRORS = {
  not_on_whatsapp: { text: "That number is not on WhatsApp.", retryable: false },
  not_in_group: { text: "The bot's account is not in that group, or there is no such group.", retryable: false },
  account_changed: { text: "The bot was linked to another account before this was sent.", retryable: false },
  bot_deleted: { text: "The bot was deleted before this was sent.", retryable: false },
  expired: { text: "This could not be sent within 24 hours.", retryable: false },
  rejected: { text: "WhatsApp refused the message.", retryable: false },
  restricted: { text: "WhatsApp does not let this account write to new people at the moment.", retryable: false },
  media_failed: { text: "The file could not be fetched or uploaded; the text says why where it is known.", retryable: false },
} as const;

export const PAIR_ERRORS = {
  already_linked: { text: "That WhatsApp account is already linked to another bot.", retryable: false },
  wrong_number: { text: "Another number than the expected one was scanned; it has been unlinked.", retryable: false },
  device_limit: { text: "The account has as many linked devices as it may have.", retryable: false },
  keys: { text: "WhatsApp refused the attempt, or the keys exchanged did not match. Ask for a new code.", retryable: false },
} as const;

/** A bot as every answer and event shows it. One writer (its mailbox); `status_version` rises with every change of status and every new link attempt. */
export interface Bot {
  readonly id: string;
  readonly name: string;
  readonly userId: string;
  readonly status: Status;
  readonly since: number;
  readonly statusVersion: number;
  readonly reason: Reason | null;
  readonly userAction: string | null;
  readonly retryAt: number | null;
  readonly until: number | null;
  readonly provedAt: number | null;
  readonly desired: "running" | "stopped";
  readonly account: Account | null;
  readonly link: Link | null;
  readonly proxy: boolean;
  readonly deviceName: string;
  readonly script: string | null;
  readonly restarts: number;
  readonly createdAt: number;
  readonly presence: boolean;
  readonly triesLeft: number | null;
  readonly triesRenewAt: number | null;
  readonly repair: Repair | null;
}

/** Why the status is what it is: a code of `errors.REASONS` and its text. */
export interface Reason {
  readonly code: string;
  readonly text: string;
  readonly number: number | null;
}

/** The WhatsApp account a device belongs to. */
export interface Account {
  readonly jid: string;
  readonly lid: string | null;
  readonly phone: string;
  readonly pushName: string | null;
}

/** The link attempt that runs. */
export interface Link {
  readonly method: "code" | "qr";
  readonly attempt: number;
  readonly index: number | null;
  readonly of: number | null;
  readonly expiresAt: number | null;
  readonly triesLeft: number | null;
  readonly triesRenewAt: number | null;
}

/** How far the ladder of a `degraded` bot has come; its rungs are in `step`, one after the other. */
export interface Repair {
  readonly n: number;
  readonly of: number;
  readonly step: "new_client" | "new_worker" | "reconnect";
}

/** A place in one user's log. Positions of different epochs cannot be compared: take a snapshot. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** A durable send as users see it (REST answers and `send_result`). */
export interface SendJob {
  readonly id: string;
  readonly botId: string;
  readonly to: string;
  readonly state: "delivered" | "failed" | "queued" | "read" | "sent" | "unknown";
  readonly messageId: string | null;
  readonly error: SendError | null;
  readonly at: number;
  readonly expiresAt: number;
}

/** Why a send failed. */
export interface SendError {
  readonly code: string;
  readonly text: string;
  readonly number?: number | null;
}

/** A pairing code. A secret. */
export interface PairingCode {
  readonly code: string;
  readonly expiresAt: number;
  readonly attempt: number;
}

/** `connection_update` `ready`. `from` is the `prev` of the first durable frame that follows. */
export interface Ready {
  readonly epoch: string;
  readonly head: number;
  readonly floor: number;
  readonly from: number;
  readonly mode: "live" | "resumed" | "snapshot";
  readonly connectionId: string;
  readonly serverTime: number;
  readonly serverVersion: string;
  readonly reason?: "ahead" | "epoch" | "expired" | "first";
  readonly missed?: number;
  readonly window?: number;
  readonly contract: number;
}

export interface MessageData {
  readonly chat: string;
  readonly chatPn: string | null;
  readonly sender: string;
  readonly senderPn: string | null;
  readonly fromMe: boolean;
  readonly messageId: string;
  readonly kind: string;
  readonly pushName: string | null;
  readonly sentAt: number;
  readonly text?: string;
  readonly mentions?: ReadonlyArray<string>;
  readonly quoted?: Quoted;
  readonly media?: Media;
  readonly location?: Location;
  readonly contacts?: ReadonlyArray<ContactCard>;
  readonly poll?: Poll;
  readonly chatName?: string;
}

/** The message this one answers. */
export interface Quoted {
  readonly messageId: string;
  readonly sender: string | null;
}

/** What a message says about its file; the file itself is not fetched. */
export interface Media {
  readonly mimetype?: string | null;
  readonly size?: number | null;
  readonly name?: string | null;
  readonly seconds?: number | null;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly thumbnail?: string | null;
}

/** A place, or (`live`) where somebody was when they began to share it. */
export interface Location {
  readonly latitude: number;
  readonly longitude: number;
  readonly name?: string | null;
  readonly address?: string | null;
  readonly live?: boolean;
}

/** Somebody's card. */
export interface ContactCard {
  readonly name: string;
  readonly vcard: string;
}

/** A question with answers to choose from. */
export interface Poll {
  readonly question: string;
  readonly options: ReadonlyArray<string>;
  readonly selectable: number;
}

export interface ChangeData {
  readonly chat: string;
  readonly chatPn: string | null;
  readonly sender: string;
  readonly senderPn: string | null;
  readonly fromMe: boolean;
  readonly messageId: string;
  readonly targetId: string;
  readonly at: number;
  readonly emoji?: string;
  readonly text?: string;
  readonly mentions?: ReadonlyArray<string>;
}

export interface ReceiptData {
  readonly chat: string;
  readonly chatPn: string | null;
  readonly sender: string;
  readonly messageIds: ReadonlyArray<string>;
  readonly kind: string;
  readonly fromMe: boolean;
  readonly at: number;
}

export interface UndecryptableData {
  readonly chat: string;
  readonly sender: string;
  readonly messageId: string;
}

/** `data` of a `group` frame. */
export interface GroupData {
  readonly chat: string;
  readonly chatName: string | null;
  readonly sender: string | null;
  readonly at: number;
  readonly changes: ReadonlyArray<GroupChange>;
}

/** One change of a group; `action` says which members hold something. */
export interface GroupChange {
  readonly action: "added" | "announce" | "created" | "deleted" | "demoted" | "description" | "disappearing" | "info" | "invite_link" | "joined" | "left" | "linked" | "locked" | "promoted" | "removed" | "subject" | "unlinked" | "unrecognised";
  readonly participants?: ReadonlyArray<string>;
  readonly me?: boolean;
  readonly subject?: string | null;
  readonly description?: string | null;
  readonly on?: boolean | null;
  readonly seconds?: number | null;
  readonly link?: string | null;
  readonly group?: string | null;
  readonly reason?: string | null;
  readonly members?: ReadonlyArray<GroupMember> | null;
  readonly locked?: boolean | null;
  readonly announce?: boolean | null;
}

/** One of a group's people. */
export interface GroupMember {
  readonly id: string;
  readonly pn?: string | null;
  readonly admin?: boolean;
}

/** `data` of a `call` frame. */
export interface CallData {
  readonly chat: string;
  readonly sender: string;
  readonly senderPn: string | null;
  readonly fromMe: boolean;
  readonly callId: string;
  readonly state: "accepted_elsewhere" | "ended" | "missed" | "offer";
  readonly video: boolean | null;
  readonly group: boolean;
  readonly at: number;
  readonly reason?: string;
}

/** `data` of a `presence` frame. */
export interface PresenceData {
  readonly chat: string;
  readonly chatPn: string | null;
  readonly sender: string;
  readonly senderPn: string | null;
  readonly state: string;
  readonly at: number;
  readonly expiresAt: number;
  readonly lastSeen?: number;
}

/** `data` of `history`: a part of the phone's past chats is in the store. No message's words are in it. */
export interface HistoryData {
  readonly syncType: "full" | "initial" | "on_demand" | "other" | "push_names" | "recent" | "status";
  readonly progress: number | null;
  readonly chunk: number | null;
  readonly messages: number;
  readonly chats: number;
  readonly leftOut: number;
}

/** Who is calling. */
export interface Me {
  readonly userId: string;
  readonly operator: boolean;
  readonly expiresAt: number | null;
  readonly limits: UserLimits;
}

/** What a user may. */
export interface UserLimits {
  readonly bots: number;
  readonly linkAttemptsPerHour: number;
}

/** What is running. */
export interface Version {
  readonly version: string;
  readonly contract: number;
  readonly driver: string;
  readonly library: string | null;
  readonly simulated: boolean;
  readonly serverTime: number;
}

/** A bot's last hours in half hours, oldest first; the last one is not over yet. */
export interface BotHistory {
  readonly botId: string;
  readonly slotMs: number;
  readonly slots: ReadonlyArray<HistorySlot>;
  readonly restarts: number;
}

/** One half hour of a bot. */
export interface HistorySlot {
  readonly at: number;
  readonly status: Status | "down" | null;
  readonly ms: Readonly<Record<string, number>>;
  readonly restarts: number;
}

/** Status histories of all bots, in short. */
export interface Ribbons {
  readonly ribbons: ReadonlyArray<Ribbon>;
}

/** The same in short: what to show for each half hour. */
export interface Ribbon {
  readonly botId: string;
  readonly since: number;
  readonly statuses: ReadonlyArray<Status | "down" | null>;
  readonly restarts: number;
}

/** The fleet's figures. */
export interface FleetNow {
  readonly at: number;
  readonly startedAt: number;
  readonly bots: BotsNow;
  readonly workers: ReadonlyArray<WorkerNow>;
  readonly workerRestarts: number;
  readonly sessionCrashes: number;
  readonly taskFailures: number;
  readonly startsWaiting: number;
  readonly sockets: SocketsNow;
  readonly flow: FlowNow;
  readonly outbox: Readonly<Record<string, number>>;
  readonly incidents: number;
}

/** All bots by status. */
export interface BotsNow {
  readonly total: number;
  readonly connected: number;
  readonly needOwner: number;
  readonly statuses: Readonly<Record<string, number>>;
}

/** One worker process; `ports.WorkerState` with the bots in it. */
export interface WorkerNow {
  readonly number: number;
  readonly id: string;
  readonly kind: "linking" | "own" | "pool" | "spare";
  readonly state: "closing" | "coming" | "up";
  readonly since: number;
  readonly memoryBytes: number | null;
  readonly loopLagMs: number | null;
  readonly spoolBytes: number;
  readonly restarts: number;
  readonly bots: ReadonlyArray<BotBrief>;
}

/** A bot in short. */
export interface BotBrief {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly status: Status;
}

/** Users' sockets: now, and what happened to them in the last 24 h (also before a restart of the server). */
export interface SocketsNow {
  readonly open: number;
  readonly duplicateUsers: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
  readonly takenOver: number;
  readonly superseded: number;
  readonly replaced: number;
  readonly replayed: number;
}

/** How events flow: over the last minute, None while there was none. */
export interface FlowNow {
  readonly eventsPerSecond: number;
  readonly deliveryP95Ms: number | null;
  readonly commitP95Ms: number | null;
  readonly loopLagMs: number;
  readonly spoolBytes: number;
}

/** The fleet over time, oldest first, and the incidents of that time. */
export interface FleetHistory {
  readonly stepMs: number;
  readonly points: ReadonlyArray<FleetPoint>;
  readonly incidents: ReadonlyArray<Incident>;
}

/** One step of the fleet's history. */
export interface FleetPoint {
  readonly at: number;
  readonly statuses: Readonly<Record<string, number>> | null;
  readonly workers: number;
  readonly sockets: number;
  readonly events: number;
  readonly workerRestarts: number;
}

/** What hits many bots at once, told once. */
export interface Incident {
  readonly id: string;
  readonly kind: "client_outdated" | "whatsapp_unreachable" | "worker_lost";
  readonly since: number;
  readonly bots: number;
  readonly text: string;
  readonly holdsStarts: boolean;
  readonly cause: string;
  readonly title: string;
  readonly action: string | null;
  readonly until: number | null;
  readonly route: IncidentRoute | null;
  readonly botIds: ReadonlyArray<string>;
  readonly library: string | null;
}

/** The way to WhatsApp it concerns. */
export interface IncidentRoute {
  readonly kind: "bot_proxy" | "direct" | "operator_proxy";
  readonly address: string | null;
}

/** Incidents: open ones first, then the newest. */
export interface IncidentList {
  readonly open: number;
  readonly incidents: ReadonlyArray<Incident>;
}

/** Start linking; `code` needs `phone`. */
export interface LinkRequest {
  readonly method?: "code" | "qr";
  readonly phone?: string | null;
  readonly expectedPhone?: string | null;
}

/** Ask for a code to type on this phone. */
export interface PairingCodeRequest {
  readonly phone: string;
}

/** Send one thing: exactly one of text, image, video, audio, voice, document, sticker, reaction, edit, revoke, location, contact and poll. `quoted` goes with a text or a file, `mentions` with a text or a caption. */
export interface SendRequest {
  readonly to: string;
  readonly text?: string;
  readonly quoted?: Quote;
  readonly mentions?: ReadonlyArray<string>;
  readonly image?: SendImage;
  readonly video?: SendVideo;
  readonly audio?: SendAudio;
  readonly voice?: SendVoice;
  readonly document?: SendDocument;
  readonly sticker?: SendSticker;
  readonly reaction?: React;
  readonly edit?: Edit;
  readonly revoke?: Revoke;
  readonly location?: SendLocation;
  readonly contact?: SendContact;
  readonly poll?: SendPoll;
}

/** The message that is answered; `sender` says who wrote it: left out, the chat's other side (groups need it). */
export interface Quote {
  readonly messageId: string;
  readonly sender?: string;
}

/** A JPEG or PNG of at most 16 MB; its size in pixels and a small picture of it are made here. */
export interface SendImage {
  readonly mediaId?: string;
  readonly url?: string;
  readonly caption?: string;
  readonly thumbnail?: string;
}

/** An MP4 or 3GP of at most 64 MB. What is shown before it is downloaded is the caller's to give. */
export interface SendVideo {
  readonly mediaId?: string;
  readonly url?: string;
  readonly caption?: string;
  readonly seconds?: number;
  readonly width?: number;
  readonly height?: number;
  readonly thumbnail?: string;
}

/** Music or another recording (MP3, AAC, M4A, AMR, Ogg) of at most 16 MB. */
export interface SendAudio {
  readonly mediaId?: string;
  readonly url?: string;
  readonly seconds?: number;
}

/** A voice note: Ogg with Opus, at most 16 MB. */
export interface SendVoice {
  readonly mediaId?: string;
  readonly url?: string;
  readonly seconds?: number;
}

/** Any file of at most 100 MB; without `name` it is called as it was uploaded. */
export interface SendDocument {
  readonly mediaId?: string;
  readonly url?: string;
  readonly name?: string;
  readonly caption?: string;
  readonly thumbnail?: string;
}

/** A WebP of at most 1 MB, moving or not; 512 pixels square is what clients expect. */
export interface SendSticker {
  readonly mediaId?: string;
  readonly url?: string;
}

/** React to a message; an empty emoji takes the reaction back. `sender` as in `Quote`; it may be the bot itself. */
export interface React {
  readonly messageId: string;
  readonly emoji: string;
  readonly sender?: string;
}

/** New words for a text the bot sent. */
export interface Edit {
  readonly messageId: string;
  readonly text: string;
}

/** Delete a message the bot sent, for everyone. */
export interface Revoke {
  readonly messageId: string;
}

/** A place. */
export interface SendLocation {
  readonly latitude: number;
  readonly longitude: number;
  readonly name?: string;
  readonly address?: string;
}

/** Somebody's card. */
export interface SendContact {
  readonly name: string;
  readonly vcard: string;
}

/** A question with answers; `selectable` is how many one person may choose, 0 any number. */
export interface SendPoll {
  readonly question: string;
  readonly options: ReadonlyArray<string>;
  readonly selectable?: number;
}

/** One thing a bot's owner, a contact or WhatsApp does. `scan` and `enter_code` take the code on offer themselves. */
export interface Play {
  readonly play: "ask_for_passkey" | "ban" | "die" | "drop" | "enter_code" | "exceed_devices" | "expire_codes" | "keepalive_restored" | "keepalive_timeout" | "outdated" | "reconnect" | "refuse" | "replace" | "scan" | "scan_without_multidevice" | "text" | "unlink" | "write";
  readonly phone?: string | null;
  readonly name?: string | null;
  readonly text?: string | null;
  readonly seconds?: number | null;
}
