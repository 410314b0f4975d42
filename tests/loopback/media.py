"""Encrypted media as WhatsApp's clients make and read them. Pure.

Owns keys, ciphertext and checks; it must never know where a blob lies. Facts: whatsmeow upload.go, download.go. A file is
AES-256-CBC under keys expanded from the message's media key for its kind; ten bytes of HMAC over IV and ciphertext
follow. Neighbours to read next: ``media_host.py`` (where blobs are kept), ``kinds.py`` (the messages that name them).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.loopback.crypto import hkdf

MediaKind = Literal["image", "video", "audio", "voice", "document", "sticker", "history"]

_INFO: dict[MediaKind, bytes] = {
    "image": b"WhatsApp Image Keys",
    "sticker": b"WhatsApp Image Keys",
    "video": b"WhatsApp Video Keys",
    "audio": b"WhatsApp Audio Keys",
    "voice": b"WhatsApp Audio Keys",
    "document": b"WhatsApp Document Keys",
    "history": b"WhatsApp History Keys",
}
MMS: dict[MediaKind, str] = {
    "image": "image", "sticker": "image", "video": "video", "audio": "audio", "voice": "audio",
    "document": "document", "history": "md-msg-hist",
}  # fmt: skip
"""The word for a kind in the addresses of the media hosts."""
_MAC_BYTES = 10


class MediaError(ValueError):
    """A blob that is not what its message says; the text says what differs."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file as it is uploaded, and what a message says about it."""

    blob: bytes
    media_key: bytes
    file_sha256: bytes
    file_enc_sha256: bytes
    file_length: int


def _keys(media_key: bytes, kind: MediaKind) -> tuple[bytes, bytes, bytes]:
    expanded = hkdf(media_key, b"", _INFO[kind], 112)
    return expanded[:16], expanded[16:48], expanded[48:80]


def seal(data: bytes, kind: MediaKind) -> Sealed:
    """Encrypt a file under a fresh key."""
    media_key = secrets.token_bytes(32)
    iv, key, mac_key = _keys(media_key, kind)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()
    blob = ciphertext + hmac.digest(mac_key, iv + ciphertext, "sha256")[:_MAC_BYTES]
    return Sealed(blob, media_key, hashlib.sha256(data).digest(), hashlib.sha256(blob).digest(), len(data))


def unseal(blob: bytes, kind: MediaKind, media_key: bytes, file_sha256: bytes, file_length: int) -> bytes:
    """Decrypt a file and check it against what its message says; MediaError."""
    iv, key, mac_key = _keys(media_key, kind)
    ciphertext, mac = blob[:-_MAC_BYTES], blob[-_MAC_BYTES:]
    if not hmac.compare_digest(hmac.digest(mac_key, iv + ciphertext, "sha256")[:_MAC_BYTES], mac):
        raise MediaError("the HMAC differs")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    data = unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()
    if len(data) != file_length:
        raise MediaError(f"{len(data)} bytes, {file_length} were said")
    if hashlib.sha256(data).digest() != file_sha256:
        raise MediaError("the hash of the file differs")
    return data
