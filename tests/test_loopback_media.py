"""Encrypted media: sealed, opened, and every difference found."""

from __future__ import annotations

import dataclasses

import pytest

from tests.loopback import files
from tests.loopback.ledger import Ledger
from tests.loopback.media import MediaError, MediaKind, seal, unseal
from tests.loopback.media_host import MediaStore


@pytest.mark.parametrize("size", [1, 15, 16, 17, 70_000])
def test_what_is_sealed_can_be_opened(size: int) -> None:
    """Any length comes back whole; keys are fresh each time."""
    data = bytes(range(256)) * (size // 256 + 1)
    first, second = seal(data[:size], "image"), seal(data[:size], "image")
    assert unseal(first.blob, "image", first.media_key, first.file_sha256, first.file_length) == data[:size]
    assert first.media_key != second.media_key and first.blob != second.blob


def test_differences_are_found() -> None:
    """A byte changed, another kind's keys, another length and another hash are each refused."""
    sealed = seal(b"some bytes", "image")
    changed = bytes([sealed.blob[0] ^ 1]) + sealed.blob[1:]
    cases: list[tuple[bytes, MediaKind, bytes, int]] = [
        (changed, "image", sealed.file_sha256, 10),
        (sealed.blob, "video", sealed.file_sha256, 10),
        (sealed.blob, "image", sealed.file_sha256, 11),
        (sealed.blob, "image", sealed.file_enc_sha256, 10),
    ]
    for blob, kind, digest, length in cases:
        with pytest.raises(MediaError):
            unseal(blob, kind, sealed.media_key, digest, length)


def test_a_message_with_a_file() -> None:
    """What a phone says of a file is what its receiver finds; a message without one has none to open."""
    store = MediaStore(Ledger())
    sent = files.message(store, "voice", b"sound", "audio/ogg", seconds=2)
    assert dataclasses.asdict(files.opened(store, sent)) == {
        "kind": "voice", "data": b"sound", "mimetype": "audio/ogg", "beside": {"seconds": 2},
    }  # fmt: skip
    sent.audioMessage.PTT = False
    assert files.opened(store, sent).kind == "audio"
    sent.audioMessage.ClearField("PTT")
    sent.audioMessage.URL = "https://elsewhere.example/"
    with pytest.raises(MediaError):
        files.opened(store, sent)
