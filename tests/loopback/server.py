"""The loopback WhatsApp: accounts, contacts, faults, ledger and the port, put together.

Owns what survives a client's connection, and starting and stopping. It must never know a stanza. Neighbours to read
next: ``transport.py`` → ``stanzas.py`` (a connection's way up), ``phone.py`` (what a test drives).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.loopback import control, library, noise, tls
from tests.loopback.crypto import KeyPair
from tests.loopback.faults import Faults
from tests.loopback.groups import Group
from tests.loopback.holds import Holds
from tests.loopback.ledger import Ledger
from tests.loopback.media_host import MediaStore
from tests.loopback.nodes import LID_SERVER, Jid
from tests.loopback.pairing import Desk
from tests.loopback.phone import Contact, Phone
from tests.loopback.stanzas import Connection
from tests.loopback.transport import LOOPBACK, Listener

# 555-01xx numbers belong to nobody (North American Numbering Plan).
_FIRST_NUMBER = 15550100000
_FIRST_LID = 100000000000000
_FIRST_GROUP = 120363000000000000


class LoopbackServer:
    """One simulated WhatsApp. All its methods belong to the event loop it was started on."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ledger = Ledger()
        self.faults = Faults()
        self.holds = Holds()
        self.desk = Desk()
        self.phones: dict[str, Phone] = {}
        self.groups: dict[str, Group] = {}
        """By address."""
        self.authority = noise.make_authority(KeyPair.generate(), self.now_s())
        self._people_by_number: dict[str, Contact] = {}
        self._people_by_lid: dict[str, Contact] = {}
        self._tls = tls.make_identity(directory)
        self.media = MediaStore(self.ledger)
        self._listener = Listener(self._tls.context, self.faults, lambda: Connection(self), self.media)
        self._library: Path | None = None
        self.control_url = ""

    @classmethod
    @asynccontextmanager
    async def start(cls, port: int = 0, control_port: int = 0) -> AsyncIterator[LoopbackServer]:
        """A running server on loopback ports (0: free ones); everything of it is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="loopback-whatsapp-") as directory:
            server = cls(Path(directory))
            server._listener.port = port
            await server.start_listening()
            try:
                async with control.serving(server, control_port) as server.control_url:
                    yield server
            finally:
                await server.stop_listening()

    async def start_listening(self) -> None:
        """Accept connections (again), always on the same port: the network appears."""
        await self._listener.open()

    async def stop_listening(self, drop: bool = True) -> None:
        """Refuse connections; ``drop`` also resets those that are there: the network is gone."""
        self._listener.refuse()
        if drop:
            self._listener.drop_all()
            await self._listener.wait_idle()

    def drop_all(self) -> None:
        """Reset every connection; new ones are accepted."""
        self._listener.drop_all()

    @property
    def proxy_url(self) -> str:
        """What goes into ``ProxySettings(proxy_address=…)``."""
        return f"http://{LOOPBACK}:{self._listener.port}"

    @property
    def ca_file(self) -> Path:
        """PEM of the throwaway authority."""
        return self._tls.ca_file

    @property
    def library_path(self) -> Path:
        """The directory with the patched neonize, made at the first use; library.LibraryNotPatchable."""
        if self._library is None:
            self._library = library.patched_copy(self.directory / "library", self.authority.root_public)
        return self._library

    def env(self) -> dict[str, str]:
        """What a process that loads neonize needs in its environment; library.LibraryNotPatchable."""
        former = os.environ.get("PYTHONPATH")
        paths = [str(self.library_path), *([former] if former else [])]
        return {"SSL_CERT_FILE": str(self.ca_file), "PYTHONPATH": os.pathsep.join(paths)}

    def now_s(self) -> int:
        """Wall time in whole seconds, as stanzas carry it."""
        return int(time.time())

    @property
    def connections(self) -> int:
        """How many WebSockets are open."""
        return len(self._listener.wires)

    # people

    def add_account(self, phone: str = "", name: str = "") -> Phone:
        """An account that bots can be linked to; ``phone`` digits, a free number unless given."""
        number, lid = self._new_numbers(phone)
        account = Phone(self, number, lid, name or f"Account {number[-4:]}")
        self._add(account)
        self.phones[number] = account
        return account

    def add_contact(self, phone: str = "", name: str = "") -> Contact:
        """Somebody to chat with; ``phone`` digits, a free number unless given."""
        number, lid = self._new_numbers(phone)
        contact = Contact(self, number, lid, name or f"Contact {number[-4:]}")
        self._add(contact)
        return contact

    def add_group(self, subject: str, *members: Contact) -> Group:
        """A group of these people; the first has made it. Nobody is told: devices learn of it when they ask."""
        group = Group(self, str(_FIRST_GROUP + len(self.groups)), subject, members)
        self.groups[str(group.jid)] = group
        return group

    def _new_numbers(self, phone: str) -> tuple[str, str]:
        index = len(self._people_by_number) + 1
        number = phone or str(_FIRST_NUMBER + index)
        if not number.isdigit() or number in self._people_by_number:
            raise ValueError("a phone number is digits, and nobody else's")
        return number, str(_FIRST_LID + index)

    def _add(self, person: Contact) -> None:
        self._people_by_number[person.number] = person
        self._people_by_lid[person.lid] = person

    def person(self, jid: Jid) -> Contact | None:
        """Whose address this is, by LID or number, whatever the device."""
        people = self._people_by_lid if jid.server == LID_SERVER else self._people_by_number
        return people.get(jid.user)

    def person_by_number(self, number: str) -> Contact | None:
        """Who has this number (digits)."""
        return self._people_by_number.get(number)

    @property
    def people(self) -> list[Contact]:
        """Everybody, in order of arrival; accounts' phones are ``Phone``."""
        return list(self._people_by_number.values())
