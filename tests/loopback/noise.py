"""The server side of Noise_XX_25519_AESGCM_SHA256 as WhatsApp speaks it, without I/O, and its certificate chain.

Owns the three-message handshake, the two transport ciphers and the chain that vouches for the server's static key
under a root of our own. It must never know sockets, frames' lengths or nodes. Facts: whatsmeow socket/noisehandshake.go
and handshake.go; a client insists on a chain intermediate ← root, leaf ← intermediate with leaf key = static key.
Neighbours to read next: ``framing.py`` (what brings the payloads), ``stanzas.py`` (what uses the ciphers).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.loopback import protobufs
from tests.loopback.crypto import KeyPair, dh, hkdf, xeddsa_sign

PATTERN = b"Noise_XX_25519_AESGCM_SHA256" + bytes(4)
PROLOGUE = b"WA\x06\x03"
_DAY_S = 86_400


class HandshakeFailed(ValueError):
    """The client's bytes are no valid handshake; the caller drops the connection."""


class TransportCipher:
    """One direction after the handshake: AES-256-GCM, empty AAD, nonce = 8 zero bytes and a 4-byte counter."""

    __slots__ = ("_aead", "_count")

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._count = 0

    def _nonce(self) -> bytes:
        nonce = self._count.to_bytes(12, "big")
        self._count += 1
        return nonce

    def encrypt(self, plaintext: bytes) -> bytes:
        """The next frame's payload."""
        return self._aead.encrypt(self._nonce(), plaintext, None)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The next frame's plaintext; HandshakeFailed when it isn't the client's next one."""
        try:
            return self._aead.decrypt(self._nonce(), ciphertext, None)
        except InvalidTag as error:
            raise HandshakeFailed("a frame that doesn't decrypt") from error


@dataclass(frozen=True, slots=True)
class Authority:
    """The server's keys: its Noise static key and the serialized chain for it. ``root_public`` goes into the library."""

    static: KeyPair
    chain: bytes
    root_public: bytes


def make_authority(root: KeyPair, now_s: int) -> Authority:
    """A fresh static key with a chain under ``root``, valid from a day before ``now_s`` for a year."""
    intermediate, static = KeyPair.generate(), KeyPair.generate()
    not_before, not_after = now_s - _DAY_S, now_s + 365 * _DAY_S
    pb = protobufs.cert()

    def certificate(serial: int, issuer_serial: int, key: bytes, signer: KeyPair) -> Any:
        details = pb.CertChain.NoiseCertificate.Details(
            serial=serial, issuerSerial=issuer_serial, key=key, notBefore=not_before, notAfter=not_after
        ).SerializeToString()
        return pb.CertChain.NoiseCertificate(details=details, signature=xeddsa_sign(signer.private, details))

    chain = pb.CertChain(
        intermediate=certificate(1, 0, intermediate.public, root),
        leaf=certificate(2, 1, static.public, intermediate),
    )
    return Authority(static, chain.SerializeToString(), root.public)


class _SymmetricState:
    """Noise's running hash, chaining key and current AEAD key."""

    def __init__(self) -> None:
        self.hash = self.chaining_key = PATTERN
        self._aead = AESGCM(PATTERN)
        self._count = 0
        self.mix_hash(PROLOGUE)

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        output = hkdf(secret, self.chaining_key, b"", 64)
        self.chaining_key, key = output[:32], output[32:]
        self._aead, self._count = AESGCM(key), 0

    def _nonce(self) -> bytes:
        nonce = self._count.to_bytes(12, "big")
        self._count += 1
        return nonce

    def seal(self, plaintext: bytes) -> bytes:
        ciphertext = self._aead.encrypt(self._nonce(), plaintext, self.hash)
        self.mix_hash(ciphertext)
        return ciphertext

    def open(self, ciphertext: bytes) -> bytes:
        try:
            plaintext = self._aead.decrypt(self._nonce(), ciphertext, self.hash)
        except InvalidTag as error:
            raise HandshakeFailed("a handshake message that doesn't decrypt") from error
        self.mix_hash(ciphertext)
        return plaintext


@dataclass(frozen=True, slots=True)
class Established:
    """A finished handshake: who the client is (static key, serialized ClientPayload) and the two ciphers."""

    client_static: bytes
    client_payload: bytes
    receive: TransportCipher
    send: TransportCipher


class Responder:
    """One handshake. Feed frame 1 to ``hello`` (send what it returns), then frame 2 to ``finish``."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._state = _SymmetricState()
        self._ephemeral = KeyPair.generate()

    def hello(self, payload: bytes) -> bytes:
        """The serverHello for a clientHello; HandshakeFailed when it is none."""
        message = _parse_handshake(payload)
        client_ephemeral = bytes(message.clientHello.ephemeral)
        if len(client_ephemeral) != 32:
            raise HandshakeFailed("no client hello")
        state, static = self._state, self._authority.static
        state.mix_hash(client_ephemeral)
        state.mix_hash(self._ephemeral.public)
        state.mix_key(_shared(self._ephemeral, client_ephemeral))
        sealed_static = state.seal(static.public)
        state.mix_key(_shared(static, client_ephemeral))
        sealed_chain = state.seal(self._authority.chain)
        answer = protobufs.wa6().HandshakeMessage()
        answer.serverHello.ephemeral = self._ephemeral.public
        answer.serverHello.static = sealed_static
        answer.serverHello.payload = sealed_chain
        serialized: bytes = answer.SerializeToString()
        return serialized

    def finish(self, payload: bytes) -> Established:
        """The established connection for a clientFinish; HandshakeFailed when it doesn't fit the hello."""
        message = _parse_handshake(payload)
        state = self._state
        client_static = state.open(bytes(message.clientFinish.static))
        state.mix_key(_shared(self._ephemeral, client_static))
        client_payload = state.open(bytes(message.clientFinish.payload))
        keys = hkdf(b"", state.chaining_key, b"", 64)
        return Established(client_static, client_payload, TransportCipher(keys[:32]), TransportCipher(keys[32:]))


def _shared(own: KeyPair, public: bytes) -> bytes:
    try:
        return dh(own.private, public)
    except ValueError as error:
        raise HandshakeFailed("an unusable public key") from error


def _parse_handshake(payload: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return protobufs.wa6().HandshakeMessage.FromString(payload)
    except DecodeError as error:
        raise HandshakeFailed("not a handshake message") from error
