"""The stanzas of WhatsApp as Python values, and their binary form (token dictionary version 3). Pure.

Owns ``Jid``, ``Node``, ``encode`` and ``decode``; it must never know sockets, ciphers or what a stanza means. A sent
JID attribute must be a ``Jid`` and any other attribute a ``str``, because the client reads each in one form only
(whatsmeow binary/decoder.go, attrs.go); sent content is bytes or child nodes and never a token. Neighbours to read
next: ``tokens.py`` (the dictionary), ``noise.py`` (what carries the bytes).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.loopback.tokens import DOUBLE_BYTE_TOKENS, SINGLE_BYTE_TOKENS

PN_SERVER = "s.whatsapp.net"
LID_SERVER = "lid"
GROUP_SERVER = "g.us"

_LIST_EMPTY = 0
_DICTIONARY_0, _DICTIONARY_3 = 236, 239
_INTEROP_JID, _FB_JID, _AD_JID, _LIST_8, _LIST_16, _JID_PAIR = 245, 246, 247, 248, 249, 250
_HEX_8, _BINARY_8, _BINARY_20, _BINARY_32, _NIBBLE_8 = 251, 252, 253, 254, 255
_AD_SERVERS = {0: PN_SERVER, 1: LID_SERVER, 128: "hosted", 129: "hosted.lid"}
_AD_DOMAINS = {server: domain for domain, server in _AD_SERVERS.items()}
_NIBBLES = str.maketrans("ab", "-.")
_NOT_NIBBLES = frozenset("cdef")
_ODD_LENGTH = 0x80
_ZLIB_FLAG = 0x02


class MalformedNode(ValueError):
    """Bytes that are no node, or a value that has no binary form; the caller drops the connection."""


@dataclass(frozen=True, slots=True)
class Jid:
    """An address: user (digits; empty for a server), server, device number (0 = the phone itself)."""

    user: str
    server: str
    device: int = 0

    @classmethod
    def parse(cls, text: str) -> Jid:
        """``user[:device]@server`` or a bare server; MalformedNode when the device is no number."""
        user, at, server = text.rpartition("@")
        if not at:
            return cls("", text)
        name, colon, device = user.partition(":")
        if colon and not device.isdigit():
            raise MalformedNode("a JID's device is a number")
        return cls(name, server, int(device) if colon else 0)

    @property
    def person(self) -> Jid:
        """The same address without the device."""
        return Jid(self.user, self.server) if self.device else self

    def __str__(self) -> str:
        if not self.user:
            return self.server
        device = f":{self.device}" if self.device else ""
        return f"{self.user}{device}@{self.server}"


SERVER = Jid("", PN_SERVER)

Value = str | Jid
Content = bytes | tuple["Node", ...] | None


@dataclass(frozen=True, slots=True)
class Node:
    """One stanza or a part of one. ``content``: data as bytes, children as a tuple, or None.

    Decoding gives every string content (also tokens and packed digits) as its bytes.
    """

    tag: str
    attrs: Mapping[str, Value] = field(default_factory=dict)
    content: Content = None

    @property
    def children(self) -> tuple[Node, ...]:
        """The child nodes; none when the content is data."""
        return self.content if isinstance(self.content, tuple) else ()

    @property
    def data(self) -> bytes:
        """The content as bytes; empty when it isn't data."""
        return self.content if isinstance(self.content, bytes) else b""

    def child(self, tag: str) -> Node | None:
        """The first child of that tag."""
        for node in self.children:
            if node.tag == tag:
                return node
        return None

    def child_data(self, tag: str) -> bytes:
        """The data of the first child of that tag; MalformedNode when there is none."""
        found = self.child(tag)
        if found is None or not isinstance(found.content, bytes):
            raise MalformedNode(f"<{self.tag}> lacks data in <{tag}>")
        return found.content

    def text(self, name: str) -> str:
        """An attribute as text, empty when absent."""
        return str(self.attrs.get(name, ""))

    def jid(self, name: str) -> Jid | None:
        """An attribute as an address; None when absent."""
        value = self.attrs.get(name)
        return Jid.parse(value) if isinstance(value, str) else value


@functools.cache
def _token_bytes() -> dict[str, bytes]:
    table = {
        token: bytes((_DICTIONARY_0 + dictionary, index))
        for dictionary, tokens in enumerate(DOUBLE_BYTE_TOKENS)
        for index, token in enumerate(tokens)
    }
    table.update({token: bytes((index,)) for index, token in enumerate(SINGLE_BYTE_TOKENS) if index})
    return table


def _length_prefix(length: int) -> bytes:
    if length < 1 << 8:
        return bytes((_BINARY_8, length))
    if length < 1 << 20:
        return bytes((_BINARY_20,)) + length.to_bytes(3, "big")
    return bytes((_BINARY_32,)) + length.to_bytes(4, "big")


def _list_header(size: int) -> bytes:
    if size == 0:
        return bytes((_LIST_EMPTY,))
    if size < 1 << 8:
        return bytes((_LIST_8, size))
    if size < 1 << 16:
        return bytes((_LIST_16,)) + size.to_bytes(2, "big")
    raise MalformedNode("a list has at most 65535 items")


def _encode_string(text: str) -> bytes:
    token = _token_bytes().get(text)
    if token is not None:
        return token
    raw = text.encode()
    return _length_prefix(len(raw)) + raw


def _encode_jid(jid: Jid) -> bytes:
    if jid.device:
        domain = _AD_DOMAINS.get(jid.server)
        if domain is None or jid.device > 0xFF:
            raise MalformedNode(f"no binary form for device {jid.device} of {jid.server}")
        return bytes((_AD_JID, domain, jid.device)) + _encode_string(jid.user)
    user = _encode_string(jid.user) if jid.user else bytes((_LIST_EMPTY,))
    return bytes((_JID_PAIR,)) + user + _encode_string(jid.server)


def _encode_into(node: Node, parts: list[bytes]) -> None:
    content = node.content
    parts.append(_list_header(1 + 2 * len(node.attrs) + (content is not None)))
    parts.append(_encode_string(node.tag))
    for name, value in node.attrs.items():
        parts.append(_encode_string(name))
        parts.append(_encode_string(value) if isinstance(value, str) else _encode_jid(value))
    if isinstance(content, bytes):
        parts.append(_length_prefix(len(content)))
        parts.append(content)
    elif content is not None:
        parts.append(_list_header(len(content)))
        for child in content:
            _encode_into(child, parts)


def encode(node: Node) -> bytes:
    """The node as a frame's plaintext: flags byte 0 (not compressed) and the binary node; MalformedNode as above."""
    parts = [b"\x00"]
    _encode_into(node, parts)
    return b"".join(parts)


class _Reader:
    """A cursor over the bytes of one node; IndexError never leaves this file."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise MalformedNode("a node ends too early")
        self.at += 1
        return self.data[self.at - 1]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise MalformedNode("a node ends too early")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def list_size(self, tag: int) -> int:
        if tag == _LIST_EMPTY:
            return 0
        if tag == _LIST_8:
            return self.byte()
        if tag == _LIST_16:
            return self.number(2)
        raise MalformedNode(f"byte {tag} is no list")

    def packed(self) -> str:
        """Two digits a byte, as lower-case hexadecimal; the last is padding when the length is odd."""
        head = self.byte()
        digits = self.take(head & 0x7F).hex()
        return digits[:-1] if head & _ODD_LENGTH else digits

    def binary(self, tag: int) -> bytes | None:
        if tag == _BINARY_8:
            return self.take(self.byte())
        if tag == _BINARY_20:
            return self.take(self.number(3) & 0xFFFFF)
        if tag == _BINARY_32:
            return self.take(self.number(4))
        return None

    def token(self, tag: int) -> str | None:
        if _LIST_EMPTY < tag < _DICTIONARY_0:
            return SINGLE_BYTE_TOKENS[tag]
        if _DICTIONARY_0 <= tag <= _DICTIONARY_3:
            return DOUBLE_BYTE_TOKENS[tag - _DICTIONARY_0][self.byte()]
        if tag == _NIBBLE_8:
            digits = self.packed()
            if not _NOT_NIBBLES.isdisjoint(digits):
                raise MalformedNode("a packed digit out of range")
            return digits.translate(_NIBBLES)
        if tag == _HEX_8:
            return self.packed().upper()
        return None

    def string(self) -> str:
        value = self.value(self.byte())
        if not isinstance(value, str):
            raise MalformedNode("an address where a string belongs")
        return value

    def value(self, tag: int) -> Value:
        """A string or an address; the empty list is the empty string."""
        if tag == _LIST_EMPTY:
            return ""
        raw = self.binary(tag)
        if raw is not None:
            try:
                return raw.decode()
            except UnicodeDecodeError as error:
                raise MalformedNode("a string that isn't UTF-8") from error
        text = self.token(tag)
        return text if text is not None else self.jid(tag)

    def jid(self, tag: int) -> Jid:
        if tag == _JID_PAIR:
            user = self.string()
            return Jid(user, self.string())
        if tag == _AD_JID:
            domain, device = self.byte(), self.byte()
            if domain not in _AD_SERVERS:
                raise MalformedNode(f"unknown address domain {domain}")
            return Jid(self.string(), _AD_SERVERS[domain], device)
        if tag == _FB_JID:
            user, device = self.string(), self.number(2)
            return Jid(user, self.string(), device)
        if tag == _INTEROP_JID:
            user, device, integrator = self.string(), self.number(2), self.number(2)
            return Jid(f"{integrator}-{user}", self.string(), device)
        raise MalformedNode(f"unknown byte {tag}")

    def content(self) -> Content:
        tag = self.byte()
        if tag in (_LIST_EMPTY, _LIST_8, _LIST_16):
            return tuple([self.node() for _ in range(self.list_size(tag))])
        raw = self.binary(tag)
        return raw if raw is not None else str(self.value(tag)).encode()

    def node(self) -> Node:
        size = self.list_size(self.byte())
        if size == 0:
            raise MalformedNode("a node has a tag")
        tag = self.string()
        attrs: dict[str, Value] = {}
        for _ in range((size - 1) // 2):
            name = self.string()
            attrs[name] = self.value(self.byte())
        return Node(tag, attrs, self.content() if size % 2 == 0 else None)


def decode(plaintext: bytes) -> Node:
    """The node of one frame's plaintext (flags byte first); MalformedNode for anything else, also compressed frames,
    which clients don't send."""
    if not plaintext or plaintext[0] & _ZLIB_FLAG:
        raise MalformedNode("an empty or compressed frame")
    reader = _Reader(plaintext)
    reader.at = 1
    try:
        node = reader.node()
    except RecursionError as error:
        raise MalformedNode("nodes nested too deeply") from error
    if reader.at != len(plaintext):
        raise MalformedNode("bytes after the node")
    return node


def first_child(node: Node) -> Node | None:
    """The first child whatever its tag: what an iq asks for."""
    children = node.children
    return children[0] if children else None


def leaf_nodes(tag: str, contents: Sequence[bytes]) -> tuple[Node, ...]:
    """One ``<tag>`` per piece of data."""
    return tuple([Node(tag, {}, data) for data in contents])
