"""Who is who for one bot: which LID and which phone number are the same person, learned from everything that is told.

Owns the canonical form (the LID when it is known, else the phone), what is stored at `person/<bot>/<phone form>`, and when
a mapping is worth an `identity` event: when something was told under the phone form before. Pure, no clock. It must never
know the bus or a session. Read `bot.py` for who asks, `outbox_book.py` for sends under either form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from orchestrator.bots.outbox_told import Forms
from orchestrator.bus.bus import StatePut
from orchestrator.model import to_json
from sessions.model import LID_SERVER, USER_SERVER, Account, Jid

PREFIX = "person/"

E = TypeVar("E", bound=msgspec.Struct)


class Person(msgspec.Struct, frozen=True):
    """One phone number as it is stored."""

    pn: str
    lid: str | None = None
    """None while the number's LID is not known."""
    alone: bool = False
    """Something was told under the phone form while the LID was not known: rows and conversations may have that name."""
    newest: int = 0
    """Rises with every mapping of the bot: of two numbers of one LID the later is the person's present one."""


_person: msgspec.json.Decoder[Person] = msgspec.json.Decoder(Person)


def decode(value: bytes) -> Person:
    """Read a stored person."""
    return _person.decode(value)


@dataclass(frozen=True, slots=True)
class Learned:
    """A mapping that was new."""

    lid: str
    pn: str
    put: StatePut
    merges: bool
    """Two conversations turn out to be one: users are told, once."""

    def identity(self) -> dict[str, object]:
        """Return `data` of the `identity` event."""
        return {"chat": self.lid, "chatPn": self.pn, "lid": self.lid, "pn": self.pn}


class People:
    """The people of one bot."""

    def __init__(self, bot: str, stored: Iterable[Person] = ()) -> None:
        self._bot = bot
        self._by_pn: dict[str, Person] = {}
        self._by_lid: dict[str, list[str]] = {}
        """The present number last."""
        self._newest = 0
        for person in sorted(stored, key=lambda person: person.newest):
            self._note(person)

    # --- asked ---

    def forms(self, address: str) -> Forms:
        """Return the canonical form of an address without a device, and the phone form if known."""
        if address.endswith(_AT_PHONE):
            person = self._by_pn.get(address)
            return Forms(person.lid if person is not None and person.lid is not None else address, address)
        if address.endswith(_AT_LID):
            return Forms(address, self._pn(address))
        return Forms(address, None)

    def canonical(self, address: str) -> str:
        """Return the form an address's conversation has."""
        return self.forms(address).canonical

    def was_alone(self, address: str) -> str | None:
        """Return the phone form that the person of a LID was told under before, if there was such a time."""
        pn = self._pn(address)
        return pn if pn is not None and self._by_pn[pn].alone else None

    # --- told; the caller stores what is returned with the event it came from ---

    def learn(self, one: str | None, other: str | None) -> Learned | None:
        """Note that two addresses are one person's; None when that was known, or they are no such pair."""
        if one is None or other is None:
            return None
        lid, pn = (one, other) if one.endswith(_AT_LID) else (other, one)
        if not (lid.endswith(_AT_LID) and pn.endswith(_AT_PHONE)):
            return None
        known = self._by_pn.get(pn)
        if known is not None and known.lid == lid and self._pn(lid) == pn:
            return None
        alone = known is not None and known.alone
        person = Person(pn, lid, alone, self._newest + 1)
        self._note(person)
        return Learned(lid, pn, self._put(person), alone and (known is None or known.lid != lid))

    def meet(self, address: str) -> StatePut | None:
        """Note that something is told under this address; returns what to store when it is a phone form met first."""
        if not address.endswith(_AT_PHONE) or address in self._by_pn:
            return None
        person = Person(address, None, True, self._newest + 1)
        self._note(person)
        return self._put(person)

    def _pn(self, lid: str) -> str | None:
        numbers = self._by_lid.get(lid)
        return numbers[-1] if numbers else None

    def _note(self, person: Person) -> None:
        before = self._by_pn.get(person.pn)
        if before is not None and before.lid is not None:
            self._by_lid[before.lid].remove(person.pn)  # The number may be somebody else's now.
        self._by_pn[person.pn] = person
        self._newest = max(self._newest, person.newest)
        if person.lid is not None:
            self._by_lid.setdefault(person.lid, []).append(person.pn)

    def _put(self, person: Person) -> StatePut:
        return StatePut(f"{PREFIX}{self._bot}/{person.pn}", to_json(person))


def pairs(event: msgspec.Struct) -> tuple[tuple[str | None, str | None], ...]:
    """Return the pairs of addresses an event says are one person's."""
    account = getattr(event, "account", None)
    if isinstance(account, Account):
        return ((str(Jid.parse(account.lid).bare), str(Jid.parse(account.jid).bare)),) if account.lid else ()
    return tuple(
        (getattr(event, name), getattr(event, f"{name}_pn"))
        for name in ("chat", "sender")
        if hasattr(event, name) and hasattr(event, f"{name}_pn")
    )


def named(people: People, event: E, data: bytes) -> tuple[E, bytes]:
    """Return an event and its finished JSON with the canonical forms of its chat and sender, the phone forms beside them."""
    changes: dict[str, str] = {}
    for name in ("chat", "sender"):
        address = getattr(event, name, None)
        if address is None:
            continue
        forms = people.forms(address)
        if forms.canonical != address:
            changes[name] = forms.canonical
        beside = f"{name}_pn"
        if forms.pn is not None and hasattr(event, beside) and getattr(event, beside) is None:
            changes[beside] = forms.pn
    if not changes:
        return event, data
    if data:
        doc = _doc(data)
        told = {_CAMEL[name]: msgspec.Raw(to_json(value)) for name, value in changes.items()}
        data = to_json(doc | {name: value for name, value in told.items() if name in doc})
    return msgspec.structs.replace(event, **changes), data


def before(people: People, event: E) -> E | None:
    """Return the event as it would have been told before its people's LIDs were known; None when that is no other."""
    changes = {
        name: pn
        for name in ("chat", "sender")
        if (address := getattr(event, name, None)) is not None and (pn := people.was_alone(address)) is not None
    }
    return msgspec.structs.replace(event, **changes) if changes else None


_AT_LID, _AT_PHONE = f"@{LID_SERVER}", f"@{USER_SERVER}"
_CAMEL = {"chat": "chat", "chat_pn": "chatPn", "sender": "sender", "sender_pn": "senderPn"}
_doc = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
