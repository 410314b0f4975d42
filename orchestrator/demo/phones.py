"""Playing simulated phones: what the page's button and the scenario ask, told to the worker the bot's session is in.

Owns the way from a `Play` to the phone's own method. It exists under the simulated driver only. It must never know who
asks. Read `sessions/simulated_control.py` for the other end.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import Refused, invalid
from orchestrator.ports import Play
from sessions.simulated_control import PhoneClient, PhoneGone
from sessions.simulated_phone import PhoneError

DIE_SIGNAL = 9

_CODES = frozenset({
    "scan", "enter_code", "refuse", "exceed_devices", "expire_codes", "scan_without_multidevice", "ask_for_passkey",
})  # fmt: skip
"""Need a code on offer."""


class PlayedPhones:
    """Implements `ports.Phones`."""

    def __init__(self, directory: Path) -> None:
        """`directory` is where the sessions' sockets are."""
        self._directory = directory

    async def play(self, bot: str, play: Play) -> None:
        client = PhoneClient(self._directory, bot)
        try:
            await self._do(client, play)
        except PhoneGone:
            if play.play in _CODES:
                raise Refused("no_code_on_offer") from None
            raise invalid("play", f"play: {play.play} needs a bot that runs; start it first") from None
        except PhoneError as error:
            if play.play in _CODES:
                raise Refused("no_code_on_offer") from None
            raise invalid("play", f"play: {play.play} cannot happen now: {error}") from None

    async def _do(self, client: PhoneClient, play: Play) -> None:
        match play.play:
            case "enter_code":
                code = (await client.state())["pairing_code"]
                if code is None:
                    raise Refused("no_code_on_offer")
                await client.do("enter_code", code=code)
            case "text":
                await client.text(_phone(play), _text(play), push_name=play.name or "Contact")
            case "write":
                await client.do("write", to=_phone(play), text=_text(play))
            case "drop":
                await client.do("drop", back_after_s=play.seconds)
            case "ban":
                await client.do("ban", seconds=play.seconds or 60)
            case "die":
                await client.die(DIE_SIGNAL)
            case command:
                await client.do(command)


def _phone(play: Play) -> str:
    digits = (play.phone or "").removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and 7 <= len(digits) <= 15):
        raise invalid("phone", f"phone: {play.play} needs the contact's number, 7 to 15 digits")
    return digits


def _text(play: Play) -> str:
    if play.text is None:
        raise invalid("text", f"text: {play.play} needs the words")
    return play.text
