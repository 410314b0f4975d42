"""Makes up values: from nothing, from what is common, and by spoiling what is right.

Owns chance. Everything comes from one seed, so that a finding is found again by its target, seed and number. It must
never know what is done with a value.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")

SECRET = "canarySecretZebra7"
"""Stands in texts where people put secrets: no error may repeat it."""

WORDS = (
    "id", "botId", "action", "start", "send", "link", "method", "qr", "code", "phone", "to", "text", "token", "epoch",
    "seq", "acks", "resume", "connectionId", "takeover", "userId", "name", "deviceName", "proxy", "bot_a", "", " ", "\x00",
    "é", "😀", "\ud800", "\u2028", "a" * 70, "x" * 5000, "+49 151 1234567", "4915112345678", "1@lid", "2@g.us", "__proto__",
    "constructor", "-1", "null", "true", "1e999", "NaN", "../../etc/passwd", "%00", "\r\nX: y", "\x1e", SECRET,
    f"http://user:{SECRET}@127.0.0.1:9", "log_abcdefghijkl:7", "0" * 40, "٣", "½",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2, 7, 255, 256, 65_535, 2**31, 2**53, 2**63, 2**64, -(2**63), -(2**70), 10**40)
FLOATS = (0.5, -0.0, 1e308, float("nan"), float("inf"), -float("inf"), 3.0, 1e-320)
BYTES = (
    b"",
    b"\0",
    b"\xff" * 5,
    b"\x80",
    b"\xed\xa0\x80",
    b"\r\n",
    b"\xc2\xa0",
    b'"',
    b"}",
    b"[" * 50,
    b"\x1e",
    b"\x7f" * 9,
)


class Maker:
    """A stream of made-up values."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def one(self, choices: Sequence[T]) -> T:
        """One of these."""
        return choices[self.chance.randrange(len(choices))]

    def text(self) -> str:
        """A word, some words, or any characters."""
        kind = self.chance.randrange(6)
        if kind < 3:
            return self.one(WORDS)
        if kind == 3:
            return "".join(self.one(WORDS) for _ in range(self.chance.randrange(4)))
        top = self.one((128, 256, 0xD800, 0x110000))
        return "".join(chr(self.chance.randrange(top)) for _ in range(self.chance.randrange(24)))

    def value(self, words: Sequence[str] = WORDS, depth: int = 0) -> Any:
        """What JSON can hold, and what Python's reader takes besides."""
        kind = self.chance.randrange(11 if depth < 4 else 7)
        match kind:
            case 0:
                return self.one((None, True, False))
            case 1:
                return self.one(NUMBERS)
            case 2:
                return self.one(FLOATS)
            case 3 | 4 | 5 | 6:
                return self.one(words) if self.chance.random() < 0.7 else self.text()
            case 7:
                return [self.value(words, depth + 1) for _ in range(self.chance.randrange(4))]
            case _:
                return self.members(words, depth + 1)

    def members(self, words: Sequence[str] = WORDS, depth: int = 0) -> dict[str, Any]:
        """An object, most of its names from `words`."""
        # A name that looks like one may be repeated to the caller, so that it can be found: no secret stands there.
        names = [self.one(words) for _ in range(self.chance.randrange(6))]
        return {name: self.value(words, depth + 1) for name in names if SECRET not in name}

    def json(self, words: Sequence[str] = WORDS) -> bytes:
        """JSON, sometimes spoilt, sometimes too deep."""
        if self.chance.random() < 0.01:
            deep = self.chance.randrange(2000)
            return self.one((b"[", b'{"a":', b"[1,")) * deep
        text = json.dumps(
            self.members(words) if self.chance.random() < 0.7 else self.value(words),
            ensure_ascii=self.chance.random() < 0.5,
        ).encode("utf-8", "surrogatepass")
        return self.spoilt(text) if self.chance.random() < 0.3 else text

    def spoilt(self, data: bytes, most: int = 4) -> bytes:
        """The same with some bytes changed, cut, doubled, moved or put in."""
        found = bytearray(data)
        for _ in range(self.chance.randrange(1, most + 1)):
            at = self.chance.randrange(len(found) + 1)
            match self.chance.randrange(7):
                case 0 if found:
                    found[at % len(found)] = self.chance.randrange(256)
                case 1 if found:
                    found[at % len(found)] ^= 1 << self.chance.randrange(8)
                case 2:
                    del found[at : at + self.chance.randrange(1, 9)]
                case 3:
                    found[at:at] = self.one(BYTES)
                case 4:
                    found[at:at] = found[self.chance.randrange(len(found) + 1) :][: self.chance.randrange(1, 33)]
                case 5:
                    del found[at:]
                case _:
                    found[at:at] = bytes(self.chance.randrange(256) for _ in range(self.chance.randrange(1, 5)))
        return bytes(found)

    def spoilt_text(self, text: str) -> str:
        """The same with some characters changed."""
        at = self.chance.randrange(len(text) + 1)
        return text[:at] + self.one((*WORDS[:40], "=", ".", "-", ":", "@")) + text[at + self.chance.randrange(3) :]

    def bytes(self, most: int = 200) -> bytes:
        """Any bytes."""
        return self.chance.randbytes(self.chance.randrange(most))
