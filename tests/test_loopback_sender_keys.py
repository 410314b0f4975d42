"""Sender keys of the loopback: read by everybody who has the key, in any order, once, and only as signed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback.ratchet import DuplicateMessage
from tests.loopback.sender_keys import ReceivingKey, SendingKey
from tests.loopback.signal_wire import InvalidMessage, SignalError


@given(st.permutations(range(8)), st.lists(st.binary(max_size=70), min_size=8, max_size=8))
def test_any_order_once(order: list[int], plaintexts: list[bytes]) -> None:
    """Messages are read in any order, each once."""
    mine = SendingKey()
    theirs = ReceivingKey.read(mine.distribution())
    sent = [mine.encrypt(plaintext) for plaintext in plaintexts]
    assert [theirs.decrypt(sent[index]) for index in order] == [plaintexts[index] for index in order]
    for index in order:
        with pytest.raises(DuplicateMessage):
            theirs.decrypt(sent[index])


def test_who_comes_later_reads_what_comes_later() -> None:
    """A key given out later reads nothing of what was before."""
    mine = SendingKey()
    before = mine.encrypt(b"before")
    late = ReceivingKey.read(mine.distribution())
    assert late.decrypt(mine.encrypt(b"after")) == b"after"
    with pytest.raises(DuplicateMessage):
        late.decrypt(before)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_nothing_tampered(place: int, flip: int) -> None:
    """Any changed byte is refused, and what is refused changes nothing."""
    mine = SendingKey()
    theirs = ReceivingKey.read(mine.distribution())
    message = bytearray(mine.encrypt(b"hello"))
    message[place % len(message)] ^= flip
    if bytes(message)[:1] != b"\x33" and message[0] >> 4 == 3:
        return  # the low half of the version is signed, not read
    with pytest.raises(SignalError):
        theirs.decrypt(bytes(message))
    assert theirs.iteration == 0


def test_malformed() -> None:
    """Garbage is InvalidMessage, also another person's message."""
    mine, other = SendingKey(), SendingKey()
    theirs = ReceivingKey.read(mine.distribution())
    for data in (b"", b"\x33", b"\x00" * 80, other.encrypt(b"x")):
        with pytest.raises(InvalidMessage):
            theirs.decrypt(data)
    for data in (b"", b"\x33", mine.distribution()[:-1], b"\x33\x08\x01"):
        with pytest.raises(InvalidMessage):
            ReceivingKey.read(data)
