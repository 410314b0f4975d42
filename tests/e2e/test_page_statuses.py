"""A bot in each of the statuses: in the list and on its own page, photographed and audited, light and dark, wide and narrow.

WhatsApp on loopback plays them all, at once; those that pass by themselves are held for as long as one looks. The states
of linking are in `test_page_states.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import get_args

import pytest

from orchestrator.model import Status
from tests.e2e.journeys import crash, create, linked, meanwhile, offered
from tests.loopback.devices import LinkedDevice
from tests.loopback.faults import LoginFailure
from tests.loopback.pairing import PairingRefused
from tests.loopback.server import LoopbackServer
from tests.support.page import AUDITED, WAIT_MS, look, text_of
from tests.support.page_world import Tell, World, opened
from tests.support.server import Server

pytestmark = pytest.mark.browser

STATUSES: Mapping[str, tuple[str, str | None, str]] = {
    "stopping": ("Stopping", None, "WhatsApp does not answer its log-out"),
    "pairing": ("Linking", None, "WhatsApp keeps the restart (515) back"),
    "replaced": ("Used elsewhere", "Reconnect here", "the device connects elsewhere (conflict)"),
    "connecting": ("Connecting", None, "WhatsApp does not answer its login"),
    "reconnecting": ("Reconnecting", None, "its line is cut, WhatsApp does not answer its login"),
    "degraded": ("Not answering", None, "a stream error nobody knows"),
    "awaiting_scan": ("Waiting for scan", "Show code", "WhatsApp offers codes"),
    "starting": ("Starting", "See incident", "held back while WhatsApp refuses the version"),
    "outdated": ("Update needed", "See incident", "WhatsApp refuses the version (405)"),
    "connected": ("Connected", None, "scanned, and WhatsApp answers"),
    "stopped": ("Stopped", "Start", "made so"),
    "login_expired": ("Linking failed", "Get new codes", "keys that do not match"),
    "passkey_required": ("Passkey needed", "Use another number", "WhatsApp asks for a passkey"),
    "logged_out": ("Logged out", "Link again", "removed on the phone (401)"),
    "banned": ("Banned until .+", None, "its login refused with 402"),
    "blocked": ("Blocked", "Try again", "its login refused with 403"),
    "failed": ("Failed", "Try again", "its process killed again and again"),
}
"""What each is called, the one thing to do, and how WhatsApp on loopback provokes it; what passes soonest comes first."""


async def test_every_status(server: Server, whatsapp: LoopbackServer, tell: Tell) -> None:
    """The list shows all of them at once; each bot's page says its status and the one thing to do."""
    assert STATUSES.keys() == set(get_args(Status))
    async with meanwhile(crash(server)) as crashed, opened(server, tell) as here:
        bots = await _refused(server, whatsapp)
        alive, devices = await _linked(server, whatsapp)
        _end(devices)
        bots |= {**alive, "failed": await crashed}
        bots |= await _pass(server, whatsapp, bots, devices)
        await here.page.reload()  # Without the toasts about all of that.
        # WhatsApp leaves the log-out without an answer: it takes its 15 s.
        whatsapp.faults.muted_iqs.add("md/remove-companion-device")
        async with meanwhile(server.call("POST", f"/bots/{bots['stopping']}/logout")):
            await _list(here, bots)
            for status in STATUSES:
                await _page(here, bots[status], status)
        assert here.wrong == [], text_of(here.wrong)


async def _list(here: World, bots: Mapping[str, str]) -> None:
    for status, bot in bots.items():
        row = here.page.locator(f"article[data-bot={bot}][data-status={status}]")
        await row.wait_for(timeout=WAIT_MS)
        _compare(
            here, status, await row.locator(".stat").inner_text(), await row.locator(".act button").all_inner_texts()
        )
    here.wrong += await look(here.page, "statuses")


async def _page(here: World, bot: str, status: str) -> None:
    await here.goto(f"/bots/{bot}")
    band = here.page.locator(f"[data-bot={bot}][data-status={status}]")
    await band.wait_for(timeout=WAIT_MS)
    _compare(
        here, status, await band.locator("h2").first.inner_text(), await band.locator(".act button").all_inner_texts()
    )
    here.wrong += await look(here.page, f"status-{status}", looks=AUDITED)
    assert await band.count() == 1, f"{status} has gone while it was looked at"
    here.tell(status, f"loopback: {STATUSES[status][2]}")


def _compare(here: World, status: str, said: str, offered: list[str]) -> None:
    label, action, _ = STATUSES[status]
    if not re.fullmatch(label, said) or offered != ([action] if action else []):
        here.wrong.append(f"{status} is called {said} and offers {offered}")


async def _refused(server: Server, whatsapp: LoopbackServer) -> dict[str, str]:
    """Bots that could not be linked."""
    refused, passkey = await create(server, "Refused"), await create(server, "Passkey")
    whatsapp.faults.tamper_pairing = True
    with pytest.raises(PairingRefused):
        await whatsapp.add_account().scan(await offered(server, refused))
    whatsapp.faults.tamper_pairing = False
    whatsapp.add_account().ask_for_passkey(await offered(server, passkey))
    resting = await create(server, "Resting", start=False)
    return {"login_expired": refused, "passkey_required": passkey, "stopped": resting}


async def _linked(server: Server, whatsapp: LoopbackServer) -> tuple[dict[str, str], dict[str, LinkedDevice]]:
    """Linked bots, by what is to become of them, and their devices."""
    names = (
        "connected", "stopping", "connecting", "reconnecting", "degraded", "replaced", "logged_out", "banned", "blocked",
    )  # fmt: skip
    found = await asyncio.gather(*(linked(server, whatsapp, name.replace("_", " ").title()) for name in names))
    bots = {name: bot for name, (bot, _, _) in zip(names, found, strict=True)}
    return bots, {name: device for name, (_, _, device) in zip(names, found, strict=True)}


def _end(devices: Mapping[str, LinkedDevice]) -> None:
    """What ends a link until a person acts, or for hours."""
    phone = devices["logged_out"].phone
    phone.unlink(devices["logged_out"])
    for name, failure in (
        ("banned", LoginFailure(402, {"code": "101", "expire": "28800"})),
        ("blocked", LoginFailure(403)),
    ):
        devices[name].phone.login_failure = failure
        devices[name].abort()


async def _pass(
    server: Server, whatsapp: LoopbackServer, bots: Mapping[str, str], devices: Mapping[str, LinkedDevice]
) -> dict[str, str]:
    """What passes by itself, within minutes or half a minute; the bots that are made for it."""
    made = {name: await create(server, name.replace("_", " ").title()) for name in ("awaiting_scan", "pairing")}
    code, _ = await offered(server, made["pairing"]), await offered(server, made["awaiting_scan"])
    for name in ("connecting", "reconnecting"):
        devices[name].phone.holds.keep("active")
    await server.call("POST", f"/bots/{bots['connecting']}/restart")
    devices["reconnecting"].abort()
    devices["degraded"].stream_error("799", close=False)
    whatsapp.faults.pairing_failure = LoginFailure(405)
    made["outdated"] = await create(server, "Old version")
    await server.bot_until(made["outdated"], lambda seen: seen["status"] == "outdated")
    made["starting"] = await create(server, "Held back")
    devices["replaced"].stream_error(conflict="replaced")
    phone = whatsapp.add_account()
    phone.holds.keep("restart")
    await phone.scan(code)
    return made
