"""The Noise responder against an initiator written from the Noise specification, and the certificate chain."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.loopback import protobufs
from tests.loopback.crypto import KeyPair, dh, xeddsa_verify
from tests.loopback.noise import Established, HandshakeFailed, Responder, TransportCipher, make_authority

NOW_S = 1_800_000_000


def _expand(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """Noise section 4.3, HKDF with two outputs."""
    temporary = hmac.digest(chaining_key, secret, "sha256")
    first = hmac.digest(temporary, b"\x01", "sha256")
    return first, hmac.digest(temporary, first + b"\x02", "sha256")


@dataclass
class Initiator:
    """The client's side of XX, step by step."""

    static: KeyPair = field(default_factory=KeyPair.generate)
    ephemeral: KeyPair = field(default_factory=KeyPair.generate)
    hash: bytes = b""
    chaining_key: bytes = b"Noise_XX_25519_AESGCM_SHA256" + bytes(4)
    key: bytes = b""
    server_static: bytes = b""
    server_payload: bytes = b""
    count: int = 0

    def __post_init__(self) -> None:
        self.hash = self.chaining_key
        self._mix_hash(b"WA\x06\x03")

    def _mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def _mix_key(self, secret: bytes) -> None:
        self.chaining_key, self.key = _expand(self.chaining_key, secret)
        self.count = 0

    def _nonce(self) -> bytes:
        self.count += 1
        return bytes(8) + (self.count - 1).to_bytes(4, "big")

    def _open(self, ciphertext: bytes) -> bytes:
        plaintext = AESGCM(self.key).decrypt(self._nonce(), ciphertext, self.hash)
        self._mix_hash(ciphertext)
        return plaintext

    def _seal(self, plaintext: bytes) -> bytes:
        ciphertext = AESGCM(self.key).encrypt(self._nonce(), plaintext, self.hash)
        self._mix_hash(ciphertext)
        return ciphertext

    def hello(self) -> bytes:
        self._mix_hash(self.ephemeral.public)
        message: Any = protobufs.wa6().HandshakeMessage()
        message.clientHello.ephemeral = self.ephemeral.public
        return bytes(message.SerializeToString())

    def finish(self, server_hello: bytes, payload: bytes) -> bytes:
        answer: Any = protobufs.wa6().HandshakeMessage.FromString(server_hello).serverHello
        self._mix_hash(answer.ephemeral)
        self._mix_key(dh(self.ephemeral.private, answer.ephemeral))
        self.server_static = self._open(answer.static)
        self._mix_key(dh(self.ephemeral.private, self.server_static))
        self.server_payload = self._open(answer.payload)
        message: Any = protobufs.wa6().HandshakeMessage()
        message.clientFinish.static = self._seal(self.static.public)
        self._mix_key(dh(self.static.private, answer.ephemeral))
        message.clientFinish.payload = self._seal(payload)
        return bytes(message.SerializeToString())

    def ciphers(self) -> tuple[TransportCipher, TransportCipher]:
        """(client to server, server to client)."""
        first, second = _expand(self.chaining_key, b"")
        return TransportCipher(first), TransportCipher(second)


def shake_hands(payload: bytes = b"who I am") -> tuple[Initiator, Established, KeyPair]:
    root = KeyPair.generate()
    client, server = Initiator(), Responder(make_authority(root, NOW_S))
    established = server.finish(client.finish(server.hello(client.hello()), payload))
    return client, established, root


def test_both_sides_agree_on_identity_payload_and_keys() -> None:
    """After three messages the server knows the client's static key and payload, and frames pass both ways."""
    client, established, _ = shake_hands()
    assert (established.client_static, established.client_payload) == (client.static.public, b"who I am")
    to_server, to_client = client.ciphers()
    for text in (b"one", b"two"):
        assert established.receive.decrypt(to_server.encrypt(text)) == text
        assert to_client.decrypt(established.send.encrypt(text)) == text


def test_the_chain_leads_from_the_root_to_the_static_key() -> None:
    """Root signs the intermediate, the intermediate signs the leaf, the leaf names the static key the client saw."""
    client, _, root = shake_hands()
    pb = protobufs.cert()
    chain = pb.CertChain.FromString(client.server_payload)
    intermediate = pb.CertChain.NoiseCertificate.Details.FromString(chain.intermediate.details)
    leaf = pb.CertChain.NoiseCertificate.Details.FromString(chain.leaf.details)
    assert xeddsa_verify(root.public, chain.intermediate.details, chain.intermediate.signature)
    assert xeddsa_verify(intermediate.key, chain.leaf.details, chain.leaf.signature)
    assert leaf.key == client.server_static
    assert (intermediate.issuerSerial, leaf.issuerSerial) == (0, intermediate.serial)
    assert all(one.notBefore <= NOW_S <= one.notAfter for one in (intermediate, leaf))


def test_a_changed_finish_is_refused() -> None:
    """A client finish that was altered on the way doesn't authenticate."""
    client, server = Initiator(), Responder(make_authority(KeyPair.generate(), NOW_S))
    finish = bytearray(client.finish(server.hello(client.hello()), b"payload"))
    finish[-1] ^= 1
    with pytest.raises(HandshakeFailed):
        server.finish(bytes(finish))


@pytest.mark.parametrize("frame", [b"", b"\xff\xff\xff", b"\x12\x02\x0a\x00"])
def test_a_first_frame_that_is_no_hello_is_refused(frame: bytes) -> None:
    """Empty, not a protobuf, or without an ephemeral of 32 bytes."""
    with pytest.raises(HandshakeFailed):
        Responder(make_authority(KeyPair.generate(), NOW_S)).hello(frame)


def test_a_repeated_frame_does_not_decrypt() -> None:
    """Counters run: the same ciphertext twice is not the next frame."""
    client, established, _ = shake_hands()
    frame = client.ciphers()[0].encrypt(b"once")
    established.receive.decrypt(frame)
    with pytest.raises(HandshakeFailed):
        established.receive.decrypt(frame)
