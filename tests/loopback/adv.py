"""Linking a companion device, the phone's half: ADV device identities (QR) and the link-code key exchange.

Owns what the account's phone computes and checks while it links a device; it must never know stanzas or sockets.
The account's identity key pair is called A, the companion's identity public key I. Neighbour to read next:
``contact.py``, whose simulated person may use A as its Signal identity.

API::

    parse_qr(text) -> QrCode(ref, noise_public, identity_public, adv_secret, client_type)   ValueError when malformed
    make_identity_box(account, companion_identity, adv_secret, *, raw_id, key_index, timestamp_s) -> bytes
                                              the content of pair-success's device-identity (ADVSignedDeviceIdentityHMAC)
    check_device_identity(signed_identity, account_public, companion_identity) -> bool
                                              the content of pair-device-sign's (or a message's) device-identity
    normalize_code("abcd-efgh") -> "ABCDEFGH" what a person types; ValueError when it can't be a code
    LinkCodePhone(account, code)              one pairing by code
      .answer(wrapped_companion_ephemeral) -> bytes        80 bytes for primary_hello (about 60 ms: two PBKDF2)
      .finish(wrapped_key_bundle) -> LinkedKeys(companion_identity, adv_secret)     WrongCode, BadKeyBundle
    derive_link_key, wrap_ephemeral, unwrap_ephemeral, derive_bundle_key, derive_adv_secret
                                              the steps of it, which the companion's side shares
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from google.protobuf.message import DecodeError

from tests.loopback import protobufs
from tests.loopback.crypto import KEY_BYTES, KeyPair, dh, hkdf, hmac_sha256, xeddsa_sign, xeddsa_verify

QR_PREFIX = "https://wa.me/settings/linked_devices#"
_ACCOUNT_SIGNATURE_PREFIX = b"\x06\x00"
_DEVICE_SIGNATURE_PREFIX = b"\x06\x01"
_SALT_BYTES, _IV_BYTES, _NONCE_BYTES, _TAG_BYTES = 32, 16, 12, 16
WRAPPED_EPHEMERAL_BYTES = _SALT_BYTES + _IV_BYTES + KEY_BYTES
_KEY_BUNDLE_BYTES = 3 * KEY_BYTES
WRAPPED_KEY_BUNDLE_BYTES = _SALT_BYTES + _NONCE_BYTES + _KEY_BUNDLE_BYTES + _TAG_BYTES
_PBKDF2_ROUNDS = 131072
CODE_LENGTH = 8
# whatsmeow pair-code.go: base 32 without the characters people mix up.
CODE_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"


class WrongCode(ValueError):
    """The key bundle can't be opened with this code; the caller answers the companion's iq with an error."""


class BadKeyBundle(ValueError):
    """The bundle opened, but isn't for this account; the caller answers the companion's iq with an error."""


@dataclass(frozen=True, slots=True)
class QrCode:
    """What a phone reads from the screen; keys are 32 raw bytes."""

    ref: str
    noise_public: bytes
    identity_public: bytes
    adv_secret: bytes
    client_type: str


@dataclass(frozen=True, slots=True)
class LinkedKeys:
    """What pairing by code leaves the phone with, where a QR code would have said it."""

    companion_identity: bytes
    adv_secret: bytes


def parse_qr(text: str) -> QrCode:
    """The fields of a linking QR code (whatsmeow pair.go makeQRData); ValueError when it isn't one."""
    fields = text.removeprefix(QR_PREFIX).split(",")
    if not text.startswith(QR_PREFIX) or len(fields) != 5:
        raise ValueError("not a linking QR code")
    ref, client_type = fields[0], fields[4]
    try:
        keys = [base64.b64decode(field, validate=True) for field in fields[1:4]]
    except binascii.Error as error:
        raise ValueError("a key in the QR code is not base64") from error
    if not ref or any(len(key) != KEY_BYTES for key in keys):
        raise ValueError("a field of the QR code has a wrong length")
    return QrCode(ref, keys[0], keys[1], keys[2], client_type)


def make_identity_box(
    account: KeyPair,
    companion_identity: bytes,
    adv_secret: bytes,
    *,
    raw_id: int,
    key_index: int,
    timestamp_s: int,
) -> bytes:
    """The signed device identity under the pairing's secret, a serialized ADVSignedDeviceIdentityHMAC.

    The companion accepts it when the HMAC matches its adv secret and A signed its identity (whatsmeow pair.go).
    """
    adv = protobufs.adv()
    details: bytes = adv.ADVDeviceIdentity(rawID=raw_id, timestamp=timestamp_s, keyIndex=key_index).SerializeToString()
    signed: bytes = adv.ADVSignedDeviceIdentity(
        details=details,
        accountSignatureKey=account.public,
        accountSignature=xeddsa_sign(account.private, _ACCOUNT_SIGNATURE_PREFIX + details + companion_identity),
    ).SerializeToString()
    box: bytes = adv.ADVSignedDeviceIdentityHMAC(
        details=signed, HMAC=hmac_sha256(adv_secret, signed)
    ).SerializeToString()
    return box


def check_device_identity(signed_identity: bytes, account_public: bytes, companion_identity: bytes) -> bool:
    """Whether account and companion both signed this ADVSignedDeviceIdentity; malformed bytes are False.

    The account's key is the caller's, never the message's own: the companion leaves it out when it signs for the
    server and puts it in when it writes to people.
    """
    identity = protobufs.adv().ADVSignedDeviceIdentity()
    try:
        identity.ParseFromString(signed_identity)
    except DecodeError:
        return False
    if identity.accountSignatureKey not in (b"", account_public):
        return False
    by_account = _ACCOUNT_SIGNATURE_PREFIX + identity.details + companion_identity
    by_device = _DEVICE_SIGNATURE_PREFIX + identity.details + companion_identity + account_public
    return xeddsa_verify(account_public, by_account, identity.accountSignature) and xeddsa_verify(
        companion_identity, by_device, identity.deviceSignature
    )


def normalize_code(typed: str) -> str:
    """The 8 characters of a pairing code as a person types it; ValueError when it can't be a code."""
    code = typed.replace("-", "").replace(" ", "").upper()
    if len(code) != CODE_LENGTH or not set(code) <= set(CODE_ALPHABET):
        raise ValueError("a pairing code has 8 characters of its alphabet")
    return code


def derive_link_key(code: str, salt: bytes) -> bytes:
    """The AES key of a pairing code; about 30 ms by design."""
    return hashlib.pbkdf2_hmac("sha256", code.encode(), salt, _PBKDF2_ROUNDS, KEY_BYTES)


def wrap_ephemeral(code: str, public: bytes) -> bytes:
    """An ephemeral public key under a pairing code: salt 32, iv 16, AES-256-CTR 32."""
    salt, iv = os.urandom(_SALT_BYTES), os.urandom(_IV_BYTES)
    return salt + iv + _ctr(derive_link_key(code, salt), iv, public)


def unwrap_ephemeral(code: str, wrapped: bytes) -> bytes:
    """The public key in 80 wrapped bytes (ValueError for another length); a wrong code gives another key, no error."""
    if len(wrapped) != WRAPPED_EPHEMERAL_BYTES:
        raise ValueError(f"a wrapped ephemeral has {WRAPPED_EPHEMERAL_BYTES} bytes, not {len(wrapped)}")
    salt, iv = wrapped[:_SALT_BYTES], wrapped[_SALT_BYTES : _SALT_BYTES + _IV_BYTES]
    return _ctr(derive_link_key(code, salt), iv, wrapped[-KEY_BYTES:])


def derive_bundle_key(ephemeral_secret: bytes, salt: bytes) -> bytes:
    """The AES-GCM key of companion_finish's key bundle, from the ephemerals' DH."""
    return hkdf(ephemeral_secret, salt, b"link_code_pairing_key_bundle_encryption_key", KEY_BYTES)


def derive_adv_secret(ephemeral_secret: bytes, identity_secret: bytes, random: bytes) -> bytes:
    """The secret that a QR code would have shown, from both DHs and the companion's random 32 bytes."""
    return hkdf(ephemeral_secret + identity_secret + random, None, b"adv_secret", KEY_BYTES)


class LinkCodePhone:
    """The phone in one pairing by code: ``answer`` once, then ``finish``."""

    def __init__(self, account: KeyPair, code: str) -> None:
        """``code`` as a person types it; ValueError when it can't be a code."""
        self._account = account
        self._code = normalize_code(code)
        self._ephemeral = KeyPair.generate()
        self._companion_ephemeral = b""

    def answer(self, wrapped_companion_ephemeral: bytes) -> bytes:
        """The 80 bytes of primary_hello's wrapped primary ephemeral; ValueError when the companion's are malformed."""
        self._companion_ephemeral = unwrap_ephemeral(self._code, wrapped_companion_ephemeral)
        return wrap_ephemeral(self._code, self._ephemeral.public)

    def finish(self, wrapped_key_bundle: bytes) -> LinkedKeys:
        """The companion's identity and the adv secret out of companion_finish.

        WrongCode when the bundle doesn't open (the companion showed another code, or the bytes were changed),
        BadKeyBundle when it is for another account.
        """
        if len(wrapped_key_bundle) != WRAPPED_KEY_BUNDLE_BYTES:
            raise BadKeyBundle(f"a wrapped key bundle has {WRAPPED_KEY_BUNDLE_BYTES} bytes")
        salt = wrapped_key_bundle[:_SALT_BYTES]
        nonce = wrapped_key_bundle[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
        try:
            ephemeral_secret = dh(self._ephemeral.private, self._companion_ephemeral)
            bundle = AESGCM(derive_bundle_key(ephemeral_secret, salt)).decrypt(
                nonce, wrapped_key_bundle[_SALT_BYTES + _NONCE_BYTES :], None
            )
        except (InvalidTag, ValueError) as error:
            raise WrongCode("the key bundle doesn't open with this code") from error
        companion_identity, account_public, random = bundle[:32], bundle[32:64], bundle[64:]
        if account_public != self._account.public:
            raise BadKeyBundle("the key bundle is for another account")
        identity_secret = dh(self._account.private, companion_identity)
        return LinkedKeys(companion_identity, derive_adv_secret(ephemeral_secret, identity_secret, random))


def _ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    cipher = Cipher(AES(key), CTR(iv)).encryptor()
    return cipher.update(data) + cipher.finalize()
