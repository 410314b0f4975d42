"""Linking a companion: QR refs, pairing by code, pair-success, the companion's countersignature, and 515.

Owns what a client that isn't linked yet is told and the desk where phones find it by ref or number. It must never
compute signatures (``adv.py``). Facts: whatsmeow pair.go, pair-code.go. Neighbours to read next: ``adv.py``,
``phone.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.loopback import adv, login
from tests.loopback.devices import LinkedDevice
from tests.loopback.nodes import SERVER, Jid, Node, Value, leaf_nodes

if TYPE_CHECKING:
    from tests.loopback.phone import Phone
    from tests.loopback.stanzas import Connection

PAIR_TIMEOUT_S = 20.0
_IDENTITY_BYTES = 32


class PairingRefused(Exception):
    """The phone could not link the companion; the text says why (unknown ref, wrong code, companion refused, gone)."""


@dataclass(slots=True)
class _Offer:
    """A pair-success on its way."""

    phone: Phone
    number: int
    stanza_id: str
    result: asyncio.Future[LinkedDevice]


@dataclass(slots=True)
class _CodeRequest:
    """A companion_hello: the companion waits for the code to be typed on the phone of ``number``."""

    number: str
    ref: bytes
    wrapped_ephemeral: bytes
    phone: Phone | None = None
    keys: adv.LinkCodePhone | None = None
    finished: asyncio.Future[LinkedDevice] | None = None


@dataclass(slots=True)
class Pairing:
    """What a connection that isn't linked yet has told us and what is under way on it."""

    connection: Connection
    identity: bytes
    refs_stanza_id: str = ""
    offer: _Offer | None = None
    code: _CodeRequest | None = None


@dataclass(slots=True)
class Desk:
    """Where phones find companions."""

    by_ref: dict[str, Pairing] = field(default_factory=dict)
    by_number: dict[str, Pairing] = field(default_factory=dict)


def begin(connection: Connection, client: Any) -> None:
    """Offer refs to a client without an account (or refuse it, when faults say so)."""
    server = connection.server
    if server.faults.pairing_failure is not None:
        login.refuse(connection, server.faults.pairing_failure)
        return
    identity = bytes(client.devicePairingData.eIdent)
    if len(identity) != _IDENTITY_BYTES:
        raise ValueError("an identity key has 32 bytes")
    pairing = connection.pairing = Pairing(connection, identity)
    if not server.faults.withhold_refs:
        server.holds.passing("refs", lambda: _offer_refs(connection, pairing))


def _offer_refs(connection: Connection, pairing: Pairing) -> None:
    server = connection.server
    refs = [f"2@{secrets.token_urlsafe(48)}" for _ in range(server.faults.refs_per_pairing)]
    server.desk.by_ref.update(dict.fromkeys(refs, pairing))
    pairing.refs_stanza_id = connection.ask(
        "md", Node("pair-device", {}, leaf_nodes("ref", [ref.encode() for ref in refs]))
    )
    connection.record("refs_sent", count=len(refs))


def connection_closed(connection: Connection) -> None:
    """Forget a companion that left; a phone waiting for it hears PairingRefused."""
    pairing, desk = connection.pairing, connection.server.desk
    assert pairing is not None
    for ref in [ref for ref, other in desk.by_ref.items() if other is pairing]:
        del desk.by_ref[ref]
    if pairing.code is not None and desk.by_number.get(pairing.code.number) is pairing:
        del desk.by_number[pairing.code.number]
    _fail(pairing, "the companion went away")


def _fail(pairing: Pairing, why: str) -> None:
    waiting = [pairing.offer.result if pairing.offer else None, pairing.code.finished if pairing.code else None]
    for future in waiting:
        if future is not None and not future.done():
            future.set_exception(PairingRefused(why))


async def scan(phone: Phone, text: str) -> LinkedDevice:
    """The phone's camera sees a QR code. The linked device, once it has countersigned and was sent 515 (unless the phone
    holds that back); PairingRefused."""
    code, pairing = _read(text), _scanned(phone, text)
    if code.identity_public != pairing.identity or code.noise_public != pairing.connection.client_static:
        raise PairingRefused("the code's keys aren't those of the companion that was given this ref")
    return await asyncio.wait_for(_offer(phone, pairing, code.adv_secret), PAIR_TIMEOUT_S)


def _read(text: str) -> adv.QrCode:
    try:
        return adv.parse_qr(text)
    except ValueError as error:
        raise PairingRefused("this is no linking QR code") from error


def _scanned(phone: Phone, text: str) -> Pairing:
    pairing = phone.server.desk.by_ref.get(_read(text).ref)
    if pairing is None:
        raise PairingRefused("unknown or expired code")
    return pairing


def _offer(phone: Phone, pairing: Pairing, adv_secret: bytes) -> asyncio.Future[LinkedDevice]:
    """Send pair-success; the future of the device that countersigns it."""
    connection, server = pairing.connection, phone.server
    number = phone.new_device_number()
    box = adv.make_identity_box(
        phone.identity,
        pairing.identity,
        os.urandom(32) if server.faults.tamper_pairing else adv_secret,
        raw_id=secrets.randbits(31),
        key_index=number,
        timestamp_s=server.now_s(),
    )
    success = Node(
        "pair-success",
        {},
        (
            Node("device-identity", {}, box),
            Node("biz", {"name": ""}),
            Node("device", {"jid": phone.device_pn(number), "lid": phone.device_lid(number)}),
            Node("platform", {"name": "android"}),
            Node("client-props", {}),
        ),
    )
    result: asyncio.Future[LinkedDevice] = asyncio.get_running_loop().create_future()
    pairing.offer = _Offer(phone, number, connection.ask("md", success, t=True), result)
    server.ledger.record("pair_success_sent", phone.number, number)
    return result


def answered(connection: Connection, iq: Node) -> None:
    """An iq result or error from a client being linked: refs taken, or pair-success answered."""
    pairing = connection.pairing
    assert pairing is not None
    stanza_id = iq.text("id")
    if stanza_id == pairing.refs_stanza_id:
        connection.record("refs_accepted")
    elif pairing.offer is not None and stanza_id == pairing.offer.stanza_id:
        if iq.text("type") == "error":
            error = iq.child("error") or Node("error")
            data = {"code": error.text("code"), "text": error.text("text")}
            connection.server.ledger.record("pair_refused", pairing.offer.phone.number, pairing.offer.number, **data)
            _fail(pairing, f"the companion refused: {data['text'] or data['code']}")
        else:
            _signed(connection, pairing, pairing.offer, iq)


def _signed(connection: Connection, pairing: Pairing, offer: _Offer, iq: Node) -> None:
    """The companion has countersigned: from here on the device exists, and the client is told to log in (515)."""
    signed = iq.child("pair-device-sign") or Node("pair-device-sign")
    if not adv.check_device_identity(
        signed.child_data("device-identity"), offer.phone.identity.public, pairing.identity
    ):
        _fail(pairing, "the companion's signature is wrong")
        connection.abort()
        return
    server, phone = connection.server, offer.phone
    device = LinkedDevice(phone, offer.number, pairing.identity, connection.client_static, server.ledger)
    phone.devices.append(device)
    server.ledger.record("pair_signed", phone.number, device.number)
    phone.holds.passing("restart", lambda: _restart(connection, device))
    if not offer.result.done():
        offer.result.set_result(device)


def _restart(connection: Connection, device: LinkedDevice) -> None:
    connection.send(Node("stream:error", {"code": "515"}))
    connection.ended = True
    connection.server.ledger.record("restart_sent", device.phone.number, device.number)


# Phones that cannot link


def scan_without_multidevice(phone: Phone, text: str) -> None:
    """A phone whose WhatsApp is too old sees a QR code; the code stays valid. PairingRefused."""
    connection = _scanned(phone, text).connection
    connection.send(Node("ib", {"from": SERVER}, (Node("downgrade_webclient"),)))


def ask_for_passkey(phone: Phone, text: str) -> None:
    """The account that scans wants a passkey of the companion before it links it. PairingRefused."""
    connection = _scanned(phone, text).connection
    options = {
        "challenge": secrets.token_urlsafe(32),
        "timeout": 300_000,
        "rpId": "whatsapp.com",
        "allowCredentials": [],
    }
    attrs: dict[str, Value] = {
        "from": SERVER, "type": "passkey_prologue_request", "id": connection.new_id(), "t": str(phone.server.now_s()),
    }  # fmt: skip
    wanted = Node("passkey_request_options", {}, json.dumps(options).encode())
    connection.send(Node("notification", attrs, (wanted,)))


# Pairing by code


def link_code_request(connection: Connection, iq: Node) -> tuple[Node, ...] | None:
    """Both stages of ``<link_code_companion_reg>`` from a companion: the children of the result, None for an error."""
    pairing = connection.pairing
    request = iq.child("link_code_companion_reg") or Node("link_code_companion_reg")
    if pairing is None:
        return None
    if request.text("stage") == "companion_hello":
        return (_companion_hello(connection, pairing, request),)
    return () if _companion_finish(pairing, request) else None


def _companion_hello(connection: Connection, pairing: Pairing, request: Node) -> Node:
    jid = request.jid("jid") or Jid("", "")
    ref = f"3@{secrets.token_urlsafe(24)}".encode()
    wrapped = request.child_data("link_code_pairing_wrapped_companion_ephemeral_pub")
    pairing.code = _CodeRequest(jid.user, ref, wrapped)
    connection.server.desk.by_number[jid.user] = pairing
    connection.server.ledger.record("link_code_requested", jid.user)
    return Node("link_code_companion_reg", {}, (Node("link_code_pairing_ref", {}, ref),))


async def enter_code(phone: Phone, typed: str) -> LinkedDevice:
    """A code is typed on the phone. The linked device, once 515 was sent; PairingRefused (wrong code among others)."""
    pairing = phone.server.desk.by_number.get(phone.number)
    if pairing is None or pairing.code is None:
        raise PairingRefused("no companion asks this number for a code")
    request = pairing.code
    try:
        keys = adv.LinkCodePhone(phone.identity, adv.normalize_code(typed))
    except ValueError as error:
        raise PairingRefused("this can't be a pairing code") from error
    wrapped = await asyncio.to_thread(keys.answer, request.wrapped_ephemeral)
    request.phone, request.keys = phone, keys
    request.finished = asyncio.get_running_loop().create_future()
    connection = pairing.connection
    attrs: dict[str, Value] = {
        "from": SERVER,
        "type": "link_code_companion_reg",
        "id": connection.new_id(),
        "t": str(phone.server.now_s()),
    }
    children = (
        Node("link_code_pairing_ref", {}, request.ref),
        Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, wrapped),
        Node("primary_identity_pub", {}, phone.identity.public),
    )
    hello = Node("link_code_companion_reg", {"stage": "primary_hello"}, children)
    connection.send(Node("notification", attrs, (hello,)))
    return await asyncio.wait_for(request.finished, PAIR_TIMEOUT_S)


def _companion_finish(pairing: Pairing, request: Node) -> bool:
    """The companion's key bundle: False when it can't be opened, because the code typed was another one."""
    code = pairing.code
    if code is None or code.keys is None or code.phone is None or code.finished is None:
        return False
    ledger = code.phone.server.ledger
    try:
        keys = code.keys.finish(request.child_data("link_code_pairing_wrapped_key_bundle"))
    except (adv.WrongCode, adv.BadKeyBundle):
        ledger.record("link_code_refused", code.number)
        if not code.finished.done():
            code.finished.set_exception(PairingRefused("wrong code"))
        return False
    # pair-success must follow the iq's result, which is sent when this returns.
    asyncio.get_running_loop().call_soon(_offer_to, code.phone, pairing, keys.adv_secret, code.finished)
    return True


def _offer_to(phone: Phone, pairing: Pairing, adv_secret: bytes, finished: asyncio.Future[LinkedDevice]) -> None:
    def pass_on(result: asyncio.Future[LinkedDevice]) -> None:
        error = None if result.cancelled() else result.exception()
        if finished.done():
            return
        if error is not None:
            finished.set_exception(error)
        else:
            finished.set_result(result.result())

    _offer(phone, pairing, adv_secret).add_done_callback(pass_on)
