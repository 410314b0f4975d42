"""REST about bots: records, lifecycle commands, linking, sends.

Each handler asks the fleet or the outbox, never a session. Owns the translation between HTTP and those ports. Read
`http.py` for the boundary around it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from orchestrator import qr
from orchestrator.api import bodies, schema, schema_send
from orchestrator.api.accept import wanted
from orchestrator.api.http import Call, Route, reply
from orchestrator.model import Bot, SendJob
from orchestrator.ports import BotPatch, Fleet, NewBot, PairingCode, QrOnOffer

MAX_WAIT_S = 60


async def list_bots(call: Call) -> web.StreamResponse:
    position, bots = await call.parts.fleet.bots(call.user())
    return reply(schema.Bots(position, bots))


async def create_bot(call: Call) -> web.StreamResponse:
    body: schema.CreateBot = call.body
    new = NewBot(
        name=schema.checked_name("name", body.name),
        device_name=None if body.device_name is None else schema.checked_name("deviceName", body.device_name),
        proxy=None if body.proxy is None else schema.checked_proxy(body.proxy),
        presence=body.presence,
        start=body.start,
        expected_phone=bodies.expected_phone(body.expected_phone),
        id=_named_by(call, "bot_"),
    )
    bot = await call.parts.fleet.create(call.user(), new)
    return reply(bot, 201, Location=f"/api/v1/bots/{bot.id}")


async def get_bot(call: Call) -> web.StreamResponse:
    return reply(await call.parts.fleet.bot(call.user(), _bot(call)))


async def patch_bot(call: Call) -> web.StreamResponse:
    body: schema.PatchBot = call.body
    patch = BotPatch(
        name=body.name if body.name is msgspec.UNSET else schema.checked_name("name", body.name),
        device_name=(
            body.device_name
            if body.device_name is msgspec.UNSET
            else schema.checked_name("deviceName", body.device_name)
        ),
        proxy=schema.checked_proxy(body.proxy) if isinstance(body.proxy, str) else body.proxy,
        presence=body.presence,
    )
    return reply(await call.parts.fleet.patch(call.user(), _bot(call), patch))


async def delete_bot(call: Call) -> web.StreamResponse:
    await call.parts.fleet.delete(call.user(), _bot(call))
    return web.Response(status=202)


async def link_bot(call: Call) -> web.StreamResponse:
    return reply(await call.parts.fleet.link(call.user(), _bot(call), bodies.link_request(call.body)), 202)


async def logout_bot(call: Call) -> web.StreamResponse:
    return reply(schema.LoggedOut(await call.parts.fleet.logout(call.user(), _bot(call))))


async def get_qr(call: Call) -> web.StreamResponse:
    form = wanted(call.request.headers.get("Accept"), _QR_ASKED)
    offer = await call.parts.fleet.qr(call.user(), _bot(call))
    headers = {"Cache-Control": "no-store, private", "Referrer-Policy": "no-referrer", "Vary": "Accept"}
    if form == "image/svg+xml":
        return web.Response(text=qr.svg(offer.qr), content_type=form, headers=headers)
    if form == "image/png":
        return web.Response(body=qr.png(offer.qr), content_type=form, headers=headers)
    return reply(offer, 200, **headers)


_QR_FORMS = ("application/json", "image/svg+xml", "image/png")
_QR_ASKED = {
    "*/*": "application/json",
    "application/*": "application/json",
    "image/*": "image/svg+xml",
    **{form: form for form in _QR_FORMS},
}


async def pairing_code(call: Call) -> web.StreamResponse:
    body: schema.AskPairingCode = call.body
    code = await call.parts.fleet.pairing_code(call.user(), _bot(call), schema.digits("phone", body.phone))
    return reply(code, 200, **{"Cache-Control": "no-store, private"})


async def send_message(call: Call) -> web.StreamResponse:
    wait_s = call.number("wait", 0, 0, MAX_WAIT_S)
    user, bot = call.user(), _bot(call)
    job = await call.parts.outbox.submit(user, bot, bodies.outgoing(call.body), _named_by(call, "job_"))
    if wait_s:
        job = await call.parts.outbox.wait(user, bot, job.id, wait_s)
    return reply(job, 200 if wait_s and job.state != "queued" else 202)


def _named_by(call: Call, prefix: str) -> str | None:
    """What is made is named by the request: a crash between making it and keeping the answer then makes no second one."""
    return None if call.operation is None else prefix + call.operation.removeprefix("op_")


async def get_send(call: Call) -> web.StreamResponse:
    return reply(await call.parts.outbox.job(call.user(), _bot(call), call.request.match_info["job"]))


def _bot(call: Call) -> str:
    return call.request.match_info["bot"]


_USER = ("userId", "another user's, for operators")
_COMMAND = ("not_found", "forbidden", "storage_unavailable", "server_draining")


def _command(verb: str, pick: Callable[[Fleet], Callable[[str, str], Awaitable[Bot]]], does: str) -> Route:
    async def handler(call: Call) -> web.StreamResponse:
        return reply(await pick(call.parts.fleet)(call.user(), _bot(call)), 202)

    path = f"/bots/{{bot}}/{verb}"
    return Route("POST", path, handler, does, Bot, 202, schema.Nothing, codes=_COMMAND, query=(_USER,), once=True)


ROUTES = (
    Route(
        "GET",
        "/bots",
        list_bots,
        "All bots and the position this is true at",
        schema.Bots,
        query=(_USER,),
        codes=("forbidden",),
    ),
    Route(
        "POST",
        "/bots",
        create_bot,
        "Create a bot; it begins to link unless start is false",
        Bot,
        201,
        schema.CreateBot,
        codes=("invalid_field", "too_many_bots", "too_many_link_attempts", "forbidden", "storage_unavailable"),
        query=(_USER,),
        once=True,
    ),
    Route("GET", "/bots/{bot}", get_bot, "One bot", Bot, codes=("not_found", "forbidden"), query=(_USER,)),
    Route(
        "PATCH",
        "/bots/{bot}",
        patch_bot,
        "Rename a bot, change its device name or proxy",
        Bot,
        200,
        schema.PatchBot,
        codes=("invalid_field", *_COMMAND),
        query=(_USER,),
    ),
    Route(
        "DELETE",
        "/bots/{bot}",
        delete_bot,
        "Log out, then erase; `deleted` tells when",
        None,
        202,
        codes=_COMMAND,
        query=(_USER,),
    ),
    _command("start", lambda fleet: fleet.start, "Run it"),
    _command("stop", lambda fleet: fleet.stop, "Stop it; cancels linking within a second"),
    _command("restart", lambda fleet: fleet.restart, "Stop and start it"),
    Route(
        "POST",
        "/bots/{bot}/link",
        link_bot,
        "Start linking; joins an attempt that runs",
        Bot,
        202,
        schema.Link,
        codes=("invalid_field", "too_many_link_attempts", *_COMMAND),
        query=(_USER,),
        once=True,
    ),
    Route(
        "POST",
        "/bots/{bot}/logout",
        logout_bot,
        "Unlink at WhatsApp",
        schema.LoggedOut,
        200,
        schema.Nothing,
        codes=("not_linked", *_COMMAND),
        query=(_USER,),
        once=True,
    ),
    Route(
        "GET",
        "/bots/{bot}/qr",
        get_qr,
        "The QR code on offer",
        QrOnOffer,
        codes=("not_found", "forbidden", "no_code_on_offer", "not_acceptable"),
        query=(_USER,),
        media=_QR_FORMS,
    ),
    Route(
        "POST",
        "/bots/{bot}/pairing-code",
        pairing_code,
        "A code to type on the phone",
        PairingCode,
        200,
        schema.AskPairingCode,
        codes=("invalid_field", "no_code_on_offer", "too_many_link_attempts", "whatsapp_unavailable", *_COMMAND),
        query=(_USER,),
        secret=True,
    ),
    Route(
        "POST",
        "/bots/{bot}/messages",
        send_message,
        "Queue one send; ?wait=10 waits for its outcome",
        SendJob,
        202,
        schema_send.SendMessage,
        codes=("invalid_field", "not_linked", "idempotency_conflict", *_COMMAND),
        query=(("wait", "seconds to wait for an outcome, 0 to 60"), _USER),
        once=True,
    ),
    Route(
        "GET",
        "/bots/{bot}/sends/{job}",
        get_send,
        "One send",
        SendJob,
        codes=("not_found", "forbidden"),
        query=(_USER,),
    ),
)
