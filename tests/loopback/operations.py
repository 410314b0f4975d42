"""What a person or another process can tell the server: one method per operation, for HTTP and for the console alike.

Owns the operations' names, parameters (all JSON values) and results (JSON values); it must never know how they arrive.
A method's signature and docstring are its help. Whoever is named may be named by number, LID or name; left out, it is
the first one, who is made when there is none. Neighbours to read next: ``control.py``, ``__main__.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, cast

from tests.loopback.devices import LinkedDevice
from tests.loopback.faults import LoginFailure, Stall
from tests.loopback.ledger import Entry, Kind
from tests.loopback.phone import Addressing, Contact, Phone

if TYPE_CHECKING:
    from tests.loopback.server import LoopbackServer

Json = Any
Operation = Callable[..., Awaitable[Json]]


class BadRequest(ValueError):
    """The operation or its arguments make no sense; the text says what is wrong."""


def _entry(entry: Entry) -> Json:
    return {
        "number": entry.number,
        "at": entry.at_s,
        "kind": entry.kind,
        "phone": entry.phone,
        "device": entry.device,
        **entry.data,
    }


def _person(person: Contact) -> Json:
    described = {"phone": person.number, "lid": person.lid, "name": person.name, "account": isinstance(person, Phone)}
    if isinstance(person, Phone):
        described["devices"] = [
            {"number": device.number, "online": device.online, "waiting": device.waiting} for device in person.devices
        ]
    return described


class Operations:
    """Bound to one server; every public method is an operation."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server

    def _table(self) -> dict[str, Operation]:
        names = [name for name in vars(type(self)) if not name.startswith("_")]
        return {name: cast(Operation, getattr(self, name)) for name in names}

    def _help(self) -> dict[str, str]:
        """Each operation's parameters and meaning."""
        return {
            name: f"{' '.join(_parameter(p) for p in inspect.signature(method).parameters.values())}\n"
            f"{inspect.getdoc(method)}"
            for name, method in self._table().items()
        }

    async def _call(self, name: str, arguments: dict[str, Json]) -> Json:
        """Carry an operation out; BadRequest for a wrong name or wrong arguments, else whatever it raises."""
        method = self._table().get(name)
        if method is None:
            raise BadRequest(f"no operation {name!r}; there are: {', '.join(self._table())}")
        try:
            bound = inspect.signature(method).bind(**arguments)
        except TypeError as error:
            raise BadRequest(f"{name}: {error}") from error
        return await method(*bound.args, **bound.kwargs)

    def _find(self, name: str) -> Contact:
        for person in self._server.people:
            if name in (person.number, person.lid, person.name):
                return person
        raise BadRequest(f"nobody is called {name!r}")

    def _account(self, name: str) -> Phone:
        if not name:
            phones = list(self._server.phones.values())
            return phones[0] if phones else self._server.add_account()
        person = self._find(name)
        if not isinstance(person, Phone):
            raise BadRequest(f"{name!r} has no account that a bot could be linked to")
        return person

    def _contact(self, name: str) -> Contact:
        if name:
            return self._find(name)
        for person in self._server.people:
            if not isinstance(person, Phone):
                return person
        return self._server.add_contact(name="Ada")

    def _devices(self, account: str, device: int) -> list[LinkedDevice]:
        phone = self._account(account)
        found = [one for one in phone.devices if not device or one.number == device]
        if not found:
            raise BadRequest("the account has no such linked device")
        return found

    async def state(self) -> Json:
        """Everybody, their devices, open connections, faults."""
        server = self._server
        faults = server.faults
        return {
            "people": [_person(person) for person in server.people],
            "connections": server.connections,
            "faults": {"stall": faults.stall, "mutedIqs": sorted(faults.muted_iqs)},
            "entries": len(server.ledger),
        }

    async def env(self) -> Json:
        """Proxy, control address and the environment of a process that loads neonize."""
        server = self._server
        return {"proxyUrl": server.proxy_url, "controlUrl": server.control_url, "env": server.env()}

    async def account(self, phone: str = "", name: str = "") -> Json:
        """Make an account that bots can be linked to."""
        return _person(self._server.add_account(phone, name))

    async def contact(self, name: str = "", phone: str = "") -> Json:
        """Make somebody to chat with."""
        return _person(self._server.add_contact(phone, name))

    async def scan(self, qr: str, account: str = "") -> Json:
        """Scan a QR code's text with an account's phone."""
        device = await self._account(account).scan(qr)
        return {"phone": device.phone.number, "device": device.number}

    async def code(self, code: str, account: str = "") -> Json:
        """Type a pairing code on an account's phone."""
        device = await self._account(account).enter_code(code)
        return {"phone": device.phone.number, "device": device.number}

    async def wait_online(self, account: str = "", device: int = 0, timeout_s: float = 15.0) -> Json:
        """Wait until an account's linked devices (or the one named) are logged in."""
        found = self._devices(account, device)
        for one in found:
            await one.wait_online(timeout_s)
        return {"online": len(found)}

    async def text(
        self, text: str, to: str = "", contact: str = "", addressing: Addressing = "lid", timeout_s: float = 10.0
    ) -> Json:
        """A contact sends a text to an account; the message id, and how many linked devices it is for."""
        phone = self._account(to)
        message_id = await self._contact(contact).send_text(phone, text, addressing, timeout_s=timeout_s)
        return {"id": message_id, "devices": len(phone.devices)}

    async def flood(
        self, count: int, per_second: float = 0, to: str = "", contact: str = "", text: str = "flood"
    ) -> Json:
        """A contact encrypts many texts ahead, then sends them at a rate (0: all at once)."""
        sender, phone = self._contact(contact), self._account(to)
        prepared = [one for index in range(count) for one in sender.prepare_text(phone, f"{text} {index}")]
        return {"seconds": await sender.flood(prepared, per_second), "ids": [one.message_id for one in prepared]}

    async def received(self, contact: str = "") -> Json:
        """The texts a person could read so far."""
        return [
            {"id": one.message_id, "text": one.text, "sender": one.sender, "device": one.device, "chat": one.chat}
            for one in self._contact(contact).received
        ]

    async def wait_text(self, text: str = "", contact: str = "", timeout_s: float = 10.0) -> Json:
        """Wait until a person has received a text (any when empty), past or to come; its id."""
        return {"id": (await self._contact(contact).wait_text(text or None, timeout_s)).message_id}

    async def read(self, message_id: str = "", contact: str = "") -> Json:
        """A contact reads one received message, or all."""
        person = self._contact(contact)
        ids = [message_id] if message_id else [one.message_id for one in person.received]
        person.mark_read(*ids)
        return {"ids": ids}

    async def person(
        self,
        contact: str = "",
        auto_receipts: bool | None = None,
        auto_read: bool | None = None,
        refuse_with: str | None = None,
    ) -> Json:
        """Change how a person reacts: receipts by themselves, or an error code instead of delivery."""
        person = self._contact(contact)
        person.auto_receipts = person.auto_receipts if auto_receipts is None else auto_receipts
        person.auto_read = person.auto_read if auto_read is None else auto_read
        person.refuse_with = person.refuse_with if refuse_with is None else refuse_with
        return _person(person)

    async def abort(self, account: str = "", device: int = 0) -> Json:
        """Reset the TCP connections of an account's devices (0: all)."""
        for one in self._devices(account, device):
            one.abort()
        return {}

    async def close(self, account: str = "", device: int = 0) -> Json:
        """Close the WebSockets of an account's devices (0: all)."""
        for one in self._devices(account, device):
            one.close()
        return {}

    async def stream_error(
        self, code: str = "", conflict: str = "", account: str = "", device: int = 0, close: bool = True
    ) -> Json:
        """End streams with <stream:error>: a code, a conflict (replaced, device_removed), both or neither."""
        for one in self._devices(account, device):
            one.stream_error(code, conflict=conflict, close=close)
        return {}

    async def unlink(self, account: str = "", device: int = 0) -> Json:
        """Remove an account's devices (0: all) on its phone."""
        for one in self._devices(account, device):
            one.phone.unlink(one)
        return {}

    async def listen(self, on: bool, drop: bool = True) -> Json:
        """Refuse connections (drop: and reset those there are) or accept them again on the same port."""
        if on:
            await self._server.start_listening()
        else:
            await self._server.stop_listening(drop)
        return {}

    async def stall(self, where: Stall = "") -> Json:
        """Let new connections hang or fail at a point: garbage connect proxy_502 tls upgrade noise login drop_login."""
        self._server.faults.stall = where
        return {}

    async def mute(self, iqs: str = "") -> Json:
        """Never answer these iqs (names with spaces between, * for all, nothing to answer again)."""
        self._server.faults.muted_iqs.clear()
        self._server.faults.muted_iqs.update(iqs.split())
        return {}

    async def refuse_logins(self, reason: int = 0, code: str = "", expire: str = "", times: int = -1) -> Json:
        """Answer logins with <failure reason code expire> (0: no longer; times: so many of them)."""
        attrs = {name: value for name, value in (("code", code), ("expire", expire)) if value}
        self._server.faults.login_failure = LoginFailure(reason, attrs) if reason else None
        self._server.faults.login_failures_left = times
        return {}

    async def refuse_pairing(self, reason: int = 0) -> Json:
        """Answer clients that aren't linked with <failure reason> (0: no longer)."""
        self._server.faults.pairing_failure = LoginFailure(reason) if reason else None
        return {}

    async def fault(
        self, name: Literal["withhold_acks", "withhold_refs", "tamper_pairing", "refs_per_pairing"], value: int
    ) -> Json:
        """Set one of the other switches (0 or 1; refs_per_pairing: how many)."""
        faults = self._server.faults
        if name == "refs_per_pairing":
            faults.refs_per_pairing = value
        elif name in ("withhold_acks", "withhold_refs", "tamper_pairing"):
            setattr(faults, name, bool(value))
        else:
            raise BadRequest(f"no switch {name!r}")
        return {}

    async def ledger(self, kind: str = "", after: int = 0, match: dict[str, str | int] | None = None) -> Json:
        """What happened from entry number ``after`` on, of one kind or all, with these values."""
        kinds = (cast(Kind, kind),) if kind else ()
        return [_entry(entry) for entry in self._server.ledger.entries(*kinds, after=after, **(match or {}))]

    async def wait(
        self,
        kind: str,
        count: int = 1,
        timeout_s: float = 10.0,
        after: int = 0,
        match: dict[str, str | int] | None = None,
    ) -> Json:
        """Wait for the first ``count`` entries of a kind, past or to come."""
        found = await self._server.ledger.wait_count(count, cast(Kind, kind), timeout_s, after, **(match or {}))
        return [_entry(entry) for entry in found]


def _parameter(parameter: inspect.Parameter) -> str:
    return parameter.name if parameter.default is inspect.Parameter.empty else f"[{parameter.name}]"
