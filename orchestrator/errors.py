"""Every code a user can meet: its HTTP status, whether trying again can help, and its text for people.

The one source: OpenAPI, the page's types and the docs are generated from these tables, and a test compares.
`Refused` is the only exception for expected refusals; anything else that is raised is a bug.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of a closed list."""

    name: str
    text: str
    """One sentence for people, with the remedy where there is one."""
    http: int | None = None
    retryable: bool = False


def _table(*codes: Code) -> dict[str, Code]:
    return {code.name: code for code in codes}


PROBLEMS = _table(
    Code("invalid_field", "A field of the request is wrong; the message names it and what it should be.", 422),
    Code("unauthorized", "The request carries no valid token. Sign in again.", 401),
    Code("token_expired", "The token has expired. Sign in again.", 401),
    Code("forbidden", "This needs an operator.", 403),
    Code("not_found", "There is no such thing here.", 404),
    Code("method_not_allowed", "This address does not take that method.", 405),
    Code("not_acceptable", "None of the formats asked for is on offer.", 406),
    Code("no_code_on_offer", "No code is on offer at the moment. Start linking, or wait for the next code.", 409),
    Code("not_linked", "The bot is not linked to an account. Link it first.", 409),
    Code("idempotency_conflict", "This Idempotency-Key was used with another body. Use a new key.", 409),
    Code("position_expired", "Events up to that position are no longer kept. Take a new snapshot.", 410),
    Code("payload_too_large", "The request is too large.", 413),
    Code(
        "media_full", "The bot has as many files waiting as it may have. Remove some, or wait until they expire.", 429
    ),
    Code("unsupported_media_type", "Send the body as application/json.", 415),
    Code("too_many_bots", "You have as many bots as you may have. Delete one first.", 429),
    Code("too_many_link_attempts", "Too many link attempts in the last hour. Wait before the next one.", 429, True),
    Code("too_many_attempts", "Too many attempts in a short time. Wait a moment.", 429, True),
    Code("rate_limited", "Too many requests in a short time. Wait a moment.", 429, True),
    Code("internal", "Something went wrong on our side. It has been recorded.", 500, True),
    Code("storage_unavailable", "The server cannot write to its disk at the moment. Try again shortly.", 503, True),
    Code("auth_unavailable", "Sign-in cannot be checked at the moment. Try again shortly.", 503, True),
    Code("server_draining", "The server is restarting. Try again in a moment.", 503, True),
    Code("whatsapp_unavailable", "WhatsApp did not answer in time. Try again shortly.", 503, True),
)
"""Answers of REST as problem+json; the socket uses the same names."""

SOCKET = _table(
    Code("user_mismatch", "The userId sent is not the token's user."),
    Code("already_connected", "You are connected in another tab or device."),
    Code("taken_over", "The connection was taken over elsewhere."),
    Code("superseded", "The connection moved on to its successor."),
    Code("revoked", "Your access was revoked."),
    Code("protocol_error", "The client sent something this server does not understand."),
    Code("flood", "The client sent too much in a short time."),
    Code("slow_consumer", "The client did not keep up; it may come back and resume.", retryable=True),
    Code("max_age", "The connection reached its greatest age; come back.", retryable=True),
)
"""Refusals (`connect_error`) and closings of the socket beside those it shares with `PROBLEMS`."""

REASONS = _table(
    Code("codes_expired", "The codes ended without being scanned. Ask for a new one."),
    Code("pair_failed", "Linking failed on WhatsApp's side. Ask for a new code."),
    Code("phone_without_multidevice", "That phone's WhatsApp cannot link devices. Update WhatsApp on the phone."),
    Code("passkey_required", "The account asks for a passkey, which this version cannot give. Use another account."),
    Code("pairing_timeout", "WhatsApp did not finish linking in time."),
    Code("connection_lost", "The connection to WhatsApp was lost."),
    Code("keepalive_lost", "WhatsApp stopped answering."),
    Code("server_restarting", "WhatsApp's server is restarting."),
    Code("unlinked_on_phone", "The device was removed on the phone. Link it again."),
    Code("main_device_gone", "The phone's account was logged out or locked. Open WhatsApp on the phone."),
    Code("account_banned", "WhatsApp has banned the account. Open WhatsApp on the phone."),
    Code("temporary_ban", "WhatsApp has banned the account for a while."),
    Code("client_outdated", "WhatsApp refuses this version. The operator has to upgrade."),
    Code("client_refused", "WhatsApp refuses this client. The operator has to look into it."),
    Code("refused", "WhatsApp refused the connection."),
    Code("unknown_refusal", "WhatsApp refused the connection for a reason this version does not know."),
    Code("stream_replaced", "The same device is connected elsewhere."),
    Code("stream_error", "WhatsApp reported an error on the connection."),
    Code("phone_not_seen", "The phone has been offline for 12 days; WhatsApp unlinks devices after 14."),
    Code("worker_crashed", "The session's process ended unexpectedly."),
    Code("restart_budget_spent", "The bot crashed 5 times within 10 minutes."),
    Code("event_pump_dead", "The library stopped delivering events; the session is being restarted."),
    Code("keys_missing", "The keys of the linked device are gone. Link it again."),
    Code("logged_out_by_user", "You logged the bot out."),
    Code("already_linked", "That WhatsApp account is already linked to another bot."),
    Code("wrong_number", "Another number than the expected one was linked."),
    Code("whatsapp_unreachable", "WhatsApp cannot be reached at the moment."),
    Code("dns_failed", "WhatsApp's name could not be resolved."),
    Code("tls_failed", "The secure connection to WhatsApp could not be set up."),
    Code("proxy_failed", "The proxy did not let the connection through."),
    Code("storage_unavailable", "The disk is full or not writable; the bot waits so that WhatsApp keeps its messages."),
    Code("held_by_incident", "Starts are held back until an incident is over."),
    Code("script_failed", "The bot's script failed."),
)
"""`Bot.reason.code`."""

SEND_ERRORS = _table(
    Code("not_on_whatsapp", "That number is not on WhatsApp."),
    Code("not_in_group", "The bot's account is not in that group, or there is no such group."),
    Code("account_changed", "The bot was linked to another account before this was sent."),
    Code("bot_deleted", "The bot was deleted before this was sent."),
    Code("expired", "This could not be sent within 24 hours."),
    Code("rejected", "WhatsApp refused the message."),
    Code("restricted", "WhatsApp does not let this account write to new people at the moment."),
    Code("media_failed", "The file could not be fetched or uploaded; the text says why where it is known."),
)
"""`SendJob.error.code`."""

BAN_CAUSES: Mapping[int, str] = {
    101: "too many messages to people who do not know this number",
    102: "too many people blocked this number",
    103: "too many groups created with people who do not know this number",
    104: "too many identical messages",
    106: "too many broadcast messages",
}
"""Why WhatsApp banned an account for a while, by its number (whatsmeow types/events/events.go: TempBanReason)."""


def ban_text(number: int) -> str:
    """Return what a temporary ban says to people."""
    cause = BAN_CAUSES.get(number, "WhatsApp gave no cause")
    return f"WhatsApp has banned the account for a while: {cause}."


PAIR_ERRORS = _table(
    Code("already_linked", "That WhatsApp account is already linked to another bot."),
    Code("wrong_number", "Another number than the expected one was scanned; it has been unlinked."),
    Code("device_limit", "The account has as many linked devices as it may have."),
    Code("keys", "WhatsApp refused the attempt, or the keys exchanged did not match. Ask for a new code."),
)
"""`pair_error.data.code`."""


class Refused(Exception):
    """An expected refusal: the caller asked for something it cannot have now, or ever.

    `code` is a name of `PROBLEMS`, `SOCKET` or `SEND_ERRORS`. The message is for people and holds no secret.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        field: str | None = None,
        retry_after_s: float | None = None,
        extra: dict[str, object] | None = None,
    ) -> None:
        entry = PROBLEMS.get(code) or SOCKET.get(code) or SEND_ERRORS.get(code)
        assert entry is not None, f"code {code} is not in the closed list"
        self.code = code
        self.message = message or entry.text
        self.field = field
        """The wrong field, for `invalid_field`."""
        self.retryable = entry.retryable
        self.retry_after_s = retry_after_s
        self.http = entry.http or 400
        self.extra = extra or {}
        """Further members of the answer, such as `floor` of `position_expired`."""
        super().__init__(self.message)


def invalid(field: str, message: str) -> Refused:
    """Return the refusal for a wrong field; the message names the field and the remedy."""
    return Refused("invalid_field", message, field=field)
