"""What each person received, searched for what is somebody else's: planted words, and everything ids can be told by.

Owns whose a word is, and the searching. Words are planted by `Witness.word` in every text a person sends; ids, numbers
and codes that the server makes belong to whoever is first told them, so a second person who is told one, or the first
when the leak came earlier, is a finding. It must never know which operation an answer is from.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field

PLANTED = re.compile(rb"canary_([a-z]+)_([a-z]+)_\d+")
"""Whose it is, and what it was planted as."""

TELLING = re.compile(
    rb"\b[a-z]{2,6}_[A-Za-z0-9]{10,}\b"  # ids of ours: bots, jobs, events, logs, connections, users
    rb"|(?<![\d.])\d{11,15}(?!\d)"  # phone numbers and LIDs
    rb"|\b3[A-F][0-9A-F]{16,}\b"  # message ids
    rb"|\b[A-Z0-9]{4}-[A-Z0-9]{4}\b"  # pairing codes
    rb"|2@[A-Za-z0-9+/=,]{20,}"  # QR codes
    rb"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"  # tokens
)
_NOBODYS = re.compile(rb"1\d{12}|4915112345678")
"""Times in milliseconds, and the number that help texts give as an example."""

SECRET_KINDS = (b"proxy",)
"""Planted where it can be written only: nobody is told it again, not even its owner."""


@dataclass(frozen=True, slots=True)
class Person:
    """One of those who use the server at the same time."""

    name: str
    user: str
    """Its id is one that no other word looks like."""
    token: str
    phones: bytes
    """How the numbers of all of this person's contacts begin."""
    operator: bool = False


@dataclass
class Witness:
    """Sees everything that everybody receives."""

    people: list[Person]
    findings: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    """How many words of their own people were told; a proof in which nobody sees anything proves nothing."""
    _owners: dict[bytes, str] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        for person in self.people:
            self._owners[person.user.encode()] = person.name
            self._owners[person.token.encode()] = "nobody"
        self._phones = [(person.phones, person.name) for person in self.people]

    def word(self, person: Person, kind: str) -> str:
        """A new word of this person's."""
        return f"canary_{person.name}_{kind}_{next(self._count)}"

    def number(self, person: Person) -> str:
        """The number of one of this person's contacts."""
        return f"{person.phones.decode()}{next(self._count) % 40:05d}"

    def overview(self, person: Person, what: str, text: bytes) -> None:
        """Search what operators see of the whole fleet: whose bots there are and what they are called, and no more."""
        for found in PLANTED.finditer(text):
            if found[2] != b"name":
                self._find(person, what, text, found)
            self.seen[f"{person.name} of others"] += 1
        for found in TELLING.finditer(text):
            if self._number_of(found[0]) is not None or self._owners.get(found[0]) == "nobody":
                self._find(person, what, text, found)

    def received(self, person: Person, what: str, text: bytes, about: str | None = None) -> None:
        """Search what a person received; `about` is whom an operator asked about, whose things it may hold then."""
        mine = {person.name, about or person.name}
        for found in PLANTED.finditer(text):
            owner, kind = found[1].decode(), found[2]
            if owner not in mine or kind in SECRET_KINDS:
                self._find(person, what, text, found)
            self.seen[f"{person.name} {'planted' if owner == person.name else 'of others'}"] += 1
        for found in TELLING.finditer(text):
            word = found[0]
            if _NOBODYS.fullmatch(word):
                continue
            if self._owners.setdefault(word, self._number_of(word) or about or person.name) not in mine:
                self._find(person, what, text, found)
            self.seen[f"{person.name} told"] += 1

    def public(self, where: str, text: bytes, *, ids: bool) -> None:
        """Search what belongs to nobody: logs (which may hold ids: an operator needs them) and metrics (which may not)."""
        for found in itertools.chain(PLANTED.finditer(text), TELLING.finditer(text)):
            word = found[0]
            if _NOBODYS.fullmatch(word):
                continue
            number = self._number_of(word) is not None
            planted = word.startswith(b"canary_")
            owner = self._owners.get(word)
            secret = planted or number or owner == "nobody" or (owner is not None and b"_" not in word)
            if secret or (owner is not None and not ids):
                self._find(None, where, text, found)

    def _number_of(self, word: bytes) -> str | None:
        """Whose contact a number is."""
        for phones, name in self._phones:
            if phones in word and word.isdigit():
                return name
        return None

    def _find(self, person: Person | None, what: str, text: bytes, found: re.Match[bytes]) -> None:
        around = text[max(0, found.start() - 80) : found.end() + 40].decode(errors="replace")
        owner = self._owners.get(found[0], "somebody")
        self.findings.append(f"{person.name if person else 'everybody'} got of {owner}'s by {what}: …{around}…")
