"""The people around a simulated bot, as a test or a demo plays them: its owner's phone, contacts, WhatsApp's moods.

Owns the people's side of a `SimulatedServer`. It must never know the worker. Read `simulated_server.py` for the rules,
`simulated_control.py` for playing a phone from another process.
"""

# ruff: noqa: PLC0414 - who plays the phone catches its errors
from __future__ import annotations

import os
import secrets
import signal
import time
from typing import Literal

import msgspec

from sessions import kinds, model
from sessions.simulated_groups import PhoneError as PhoneError
from sessions.simulated_groups import SimulatedCircle
from sessions.simulated_server import Received, SimulatedServer, Uploads
from sessions.simulated_store import Saved, TextIn, load, new_message_id, save


class SimulatedPhone(SimulatedCircle):
    """The people around a bot: its owner's phone, its contacts, and WhatsApp's moods.

    Methods raise PhoneError when that can't happen in the session's present state.
    """

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server

    # --- the owner's phone ---------------------------------------------------------------------------------------

    def scan(self, code: str | None = None) -> None:
        """Scan the code on offer (given one: that it must be)."""
        if self._server.state != "offering" or self._server.code is None:
            raise PhoneError("no QR code is on offer")
        if code is not None and code != self._server.code:
            raise PhoneError("that code is not, or no longer, on offer")
        self._server.paired(secrets.randbelow(98) + 1)

    def enter_code(self, code: str) -> None:
        """Type a pairing code in."""
        if self._server.state != "offering" or self._server.pairing_code is None:
            raise PhoneError("no pairing code was asked for")
        if code.replace("-", "").upper() != self._server.pairing_code.replace("-", ""):
            raise PhoneError("that is not the code")
        self._server.paired(secrets.randbelow(98) + 1)

    def refuse(self) -> None:
        """Let the pairing fail."""
        self._offering()
        self._server.emit(model.PairFailed("error"))
        self._server.over()

    def exceed_devices(self) -> None:
        """Scan with an account that has as many linked devices as it may have. With neonize 0.5.2 nobody hears of it."""
        self._offering()
        self._server.emit(model.PairFailed("error", "device_limit"))
        self._server.over()

    def next_code(self) -> None:
        """Let the code on offer run out: WhatsApp offers the next one."""
        self._offering()
        self._server.next_code()

    def expire_codes(self) -> None:
        """Let the remaining codes run out at once."""
        self._offering()
        self._server.codes_expired()

    def scan_without_multidevice(self) -> None:
        """Scan with a phone that cannot link devices."""
        self._offering()
        self._server.emit(model.ScannedWithoutMultidevice())

    def ask_for_passkey(self) -> None:
        """Scan with an account that asks for a passkey."""
        self._offering()
        self._server.emit(model.PasskeyRequired())
        self._server.over()

    def unlink(self) -> None:
        """Remove the device in the phone's list; noticed at once when connected, else at the next login."""
        if self._server.state == "connected":
            self._server.logged_out("unlinked_on_phone", on_connect=False)
        else:
            self._server.forget_keys()

    def write(self, to: str, text: str) -> str:
        """Send a text from the phone itself; the bot sees it as its own. Returns the message id."""
        return self._arrive(TextIn(new_message_id(), to, text, self._server.wall_ms(), from_me=True))

    def history(self, person: str, past: list[tuple[str, str, int, bool]]) -> None:
        """Hand over past texts with a contact: (message id, text, when in ms, whether the owner wrote it)."""
        self._connected()
        self._server.hand_over([TextIn(one, person, text, at_ms, from_me=mine) for one, text, at_ms, mine in past])

    # --- contacts ------------------------------------------------------------------------------------------------

    def text(
        self,
        sender: str,
        text: str,
        *,
        addressing: Literal["lid", "pn"] = "lid",
        push_name: str | None = "Contact",
        mentions: tuple[str, ...] = (),
        quoted: str | None = None,
        message_id: str | None = None,
    ) -> str:
        """Send a text from the contact with this number. Returns the message id; it waits while the bot is away.

        `message_id`: the id of a text that may have been sent before; otherwise a new one.
        """
        at_ms = self._server.wall_ms()
        return self._arrive(
            TextIn(
                message_id or new_message_id(),
                sender,
                text,
                at_ms,
                addressing,
                push_name=push_name,
                mentions=tuple(mentions),
                quoted=quoted,
            )
        )

    def say(self, sender: str, kind: model.MessageKind, content: model.Content | dict[str, object]) -> str:
        """Send a message of any kind from the contact with this number. Returns the message id."""
        said = msgspec.convert(content, model.Content) if isinstance(content, dict) else content
        at_ms = self._server.wall_ms()
        words = TextIn(new_message_id(), sender, said.text or "", at_ms, kind=kind, content=said, push_name="Contact")
        return self._arrive(words)

    def react(self, sender: str, target: str, emoji: str, group: str | None = None) -> str:
        """React to a message; an empty emoji takes it back. Returns the id of the reaction."""
        return self._alter(sender, "reaction", target, emoji, group)

    def edit(self, sender: str, target: str, text: str, group: str | None = None) -> str:
        """Give an earlier text new words. Returns the id of the edit."""
        return self._alter(sender, "edited", target, text, group)

    def revoke(self, sender: str, target: str, group: str | None = None) -> str:
        """Delete an earlier message for everyone. Returns the id of the revoke."""
        return self._alter(sender, "revoked", target, "", group)

    def _alter(
        self, sender: str, kind: Literal["reaction", "edited", "revoked"], target: str, text: str, group: str | None
    ) -> str:
        at_ms = self._server.wall_ms()
        return self._arrive(TextIn(new_message_id(), sender, text, at_ms, kind=kind, target=target, group=group))

    def odd_message(self, sender: str) -> str:
        """Send something this version has no name for. Returns the message id."""
        return self._arrive(TextIn(new_message_id(), sender, "", self._server.wall_ms(), kind="unrecognised"))

    def redeliver(self, message: model.MessageReceived) -> None:
        """Deliver a message once more, as WhatsApp does when it thinks the first try was lost."""
        self._connected()
        self._server.emit(message)

    async def next_text(self) -> Received:
        """Wait for the next message a contact got from the bot."""
        return await self._server.received.get()

    def receipt(self, message_id: str, kind: model.ReceiptKind = "delivered", participant: str | None = None) -> None:
        """Acknowledge one of the bot's messages; in a group: as this member."""
        self._connected()
        if message_id not in self._server.sent:
            raise PhoneError("no such message was sent")
        self._server.receipt(message_id, kind, participant)

    def leave_whatsapp(self, number: str) -> None:
        """Make a number one that is not on WhatsApp."""
        self._server.absent.add(number)

    # --- WhatsApp and the network --------------------------------------------------------------------------------

    def drop(self, back_after_s: float | None = None) -> None:
        """Cut the line; the session reconnects by itself after that time, or only at `reconnect`."""
        self._connected()
        self._server.lose(back_after_s=back_after_s)

    def reconnect(self) -> None:
        """Let the line come back."""
        if self._server.state != "offline":
            raise PhoneError("the line is not cut")
        self._server.cancel_timers()
        self._server.login()

    def unreachable(self, cause: model.StartCause | None = "whatsapp_unreachable") -> None:
        """Let nothing answer any more; None ends that. A session that has not connected yet fails to start."""
        self._server.unreachable = cause

    def refuse_login(self, number: int) -> None:
        """Answer the next login, of this or a later session, with this failure number."""
        saved = self._saved()
        saved.refuse = number
        save(self._server.spec.device_file, saved)

    def ban(self, seconds: int, code: int = 101) -> None:
        """Ban the account for a while: the line is cut, and logins are refused until then."""
        saved = self._saved()
        saved.banned_until_ms, saved.ban_code = self._server.wall_ms() + seconds * 1000, code
        save(self._server.spec.device_file, saved)
        if self._server.state == "connected":
            self._server.login()

    def replace(self) -> None:
        """Connect the same device elsewhere."""
        self._connected()
        self._server.emit(model.StreamReplaced())
        self._server.over()

    def outdated(self) -> None:
        """Refuse this client's version from now on."""
        if self._server.state in {"over", "stopped"}:
            raise PhoneError("the session is over")
        self._server.emit(model.ClientOutdated())
        self._server.over()

    def stream_error(self, code: str = "") -> None:
        """Report an error the library does not handle; the line stays open."""
        self._connected()
        self._server.emit(model.StreamError(code))

    def keepalive_timeout(self, error_count: int = 1) -> None:
        """Leave a ping unanswered, for the `error_count`th time in a row."""
        self._connected()
        self._server.emit(model.KeepaliveTimeout(error_count))

    def keepalive_restored(self) -> None:
        """Answer pings again."""
        self._connected()
        self._server.emit(model.KeepaliveRestored())

    def refuse_sends(self, number: int | None) -> None:
        """Answer sends with this error number from now on; None acknowledges them again."""
        self._server.refuse_sends = number

    def uploads(self, how: Uploads) -> None:
        """From now on the media hosts take files, refuse them for the moment or for good, or answer nothing."""
        self._server.uploads = how

    async def hanging_upload(self) -> None:
        """Wait until an upload hangs."""
        await self._server.upload_hangs.wait()

    def mute_sends(self, mute: bool = True) -> None:
        """Never acknowledge sends."""
        self._server.mute_sends = mute

    # --- what the library may do ---------------------------------------------------------------------------------

    def kill_pump(self) -> None:
        """End the library's event pump."""
        self._server.emit(model.PumpDied("simulated"), kinds.TASK_ENDED)
        self._server.over()

    def hang_in_stop(self) -> None:
        """Let `stop` never come to its end."""
        self._server.hang_in_stop = True

    def freeze(self, seconds: float) -> None:
        """Stop the whole process's loop for a while."""
        time.sleep(seconds)

    def die(self, number: int = signal.SIGABRT) -> None:
        """End the whole process by a signal, noted as being in the library, as a Go panic would."""
        with self._server.noted("die"):
            os.kill(os.getpid(), number)

    # --- looking on ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """`new`, `offering`, `pairing`, `connecting`, `connected`, `offline`, `over` or `stopped`."""
        return self._server.state

    @property
    def code(self) -> str | None:
        """The QR code on offer. A secret."""
        return self._server.code

    @property
    def pairing_code(self) -> str | None:
        """The pairing code that was asked for. A secret."""
        return self._server.pairing_code

    @property
    def received(self) -> list[Received]:
        """What contacts got from the bot in this incarnation."""
        return list(self._server.sent.values())

    @property
    def stream_restarts(self) -> int:
        """How often WhatsApp restarted the stream after pairing (515)."""
        return self._server.restarts

    @property
    def device_file(self) -> str:
        """Where the keys are."""
        return self._server.spec.device_file

    def _offering(self) -> None:
        if self._server.state != "offering" or self._server.code is None:
            raise PhoneError("no QR code is on offer")

    def _connected(self) -> None:
        if self._server.state != "connected":
            raise PhoneError("the session is not connected")

    def _saved(self) -> Saved:
        saved = load(self._server.spec.device_file)
        if saved is None:
            raise PhoneError("no device is linked")
        return saved

    def _arrive(self, text: TextIn) -> str:
        if not text.person.isdecimal():
            raise PhoneError("a contact is named by the digits of a number")
        self._server.arrive(text)
        return text.message_id
