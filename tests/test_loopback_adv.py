"""Linking as the phone does it, against a companion written here from the same published steps.

Owns the tests of ``tests/loopback/adv.py``; the companion below checks what whatsmeow's pair.go and pair-code.go
check. Neighbour to read next: ``test_loopback_contact.py``.
"""

from __future__ import annotations

import base64
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback import adv, protobufs
from tests.loopback.crypto import KeyPair, dh, hmac_sha256, xeddsa_sign, xeddsa_verify

_CODE = "ABCD2345"


def _box(account: KeyPair, companion: KeyPair, secret: bytes) -> bytes:
    return adv.make_identity_box(account, companion.public, secret, raw_id=7, key_index=3, timestamp_s=1_700_000_000)


def _open_box(box: bytes, companion_public: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """The companion's checks on pair-success: details and account key, or an assertion."""
    messages = protobufs.adv()
    outer = messages.ADVSignedDeviceIdentityHMAC.FromString(box)
    assert hmac_sha256(secret, outer.details) == outer.HMAC
    signed = messages.ADVSignedDeviceIdentity.FromString(outer.details)
    signed_bytes = b"\x06\x00" + signed.details + companion_public
    assert xeddsa_verify(signed.accountSignatureKey, signed_bytes, signed.accountSignature)
    return signed.details, signed.accountSignatureKey


def _counter_sign(box: bytes, companion: KeyPair, *, with_account_key: bool) -> bytes:
    """What the companion sends back in pair-device-sign."""
    messages = protobufs.adv()
    signed = messages.ADVSignedDeviceIdentity.FromString(messages.ADVSignedDeviceIdentityHMAC.FromString(box).details)
    signed.deviceSignature = companion.sign(
        b"\x06\x01" + signed.details + companion.public + signed.accountSignatureKey
    )
    if not with_account_key:
        signed.ClearField("accountSignatureKey")
    serialized: bytes = signed.SerializeToString()
    return serialized


class _LinkCodeCompanion:
    """The companion in a pairing by code (whatsmeow pair-code.go)."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.identity = KeyPair.generate()
        self.ephemeral = KeyPair.generate()
        self.adv_secret = b""

    def hello(self) -> bytes:
        return adv.wrap_ephemeral(self.code, self.ephemeral.public)

    def finish(self, wrapped_primary: bytes, account_public: bytes) -> bytes:
        shared = dh(self.ephemeral.private, adv.unwrap_ephemeral(self.code, wrapped_primary))
        salt, nonce, random = os.urandom(32), os.urandom(12), os.urandom(32)
        bundle = self.identity.public + account_public + random
        self.adv_secret = adv.derive_adv_secret(shared, dh(self.identity.private, account_public), random)
        return salt + nonce + AESGCM(adv.derive_bundle_key(shared, salt)).encrypt(nonce, bundle, None)


def test_companion_accepts_the_box() -> None:
    """The box opens with the pairing's secret, carries the account key and what the phone said about the device."""
    account, companion, secret = KeyPair.generate(), KeyPair.generate(), os.urandom(32)
    details, account_key = _open_box(_box(account, companion, secret), companion.public, secret)
    identity = protobufs.adv().ADVDeviceIdentity.FromString(details)
    assert account_key == account.public
    assert (identity.rawID, identity.keyIndex, identity.timestamp) == (7, 3, 1_700_000_000)


def test_companion_refuses_a_foreign_box() -> None:
    """With another secret, or for another companion, the box doesn't pass the companion's checks."""
    account, companion, secret = KeyPair.generate(), KeyPair.generate(), os.urandom(32)
    box = _box(account, companion, secret)
    for public, wrong_secret in ((companion.public, os.urandom(32)), (KeyPair.generate().public, secret)):
        with pytest.raises(AssertionError):
            _open_box(box, public, wrong_secret)


@pytest.mark.parametrize("with_account_key", [True, False])
def test_device_identity_is_checked(with_account_key: bool) -> None:
    """A counter-signed identity is good with or without the account key in it, for exactly its account and device."""
    account, companion = KeyPair.generate(), KeyPair.generate()
    signed = _counter_sign(_box(account, companion, os.urandom(32)), companion, with_account_key=with_account_key)
    stranger = KeyPair.generate().public
    assert adv.check_device_identity(signed, account.public, companion.public)
    assert not adv.check_device_identity(signed, stranger, companion.public)
    assert not adv.check_device_identity(signed, account.public, stranger)


def test_unsigned_device_identity_is_refused() -> None:
    """An identity without the device's own signature, naming another account, or of garbage bytes is refused."""
    messages = protobufs.adv()
    account, companion = KeyPair.generate(), KeyPair.generate()
    signed = messages.ADVSignedDeviceIdentity.FromString(
        _counter_sign(_box(account, companion, os.urandom(32)), companion, with_account_key=True)
    )
    by_device = b"\x06\x01" + signed.details + companion.public + account.public
    for signature in (b"", KeyPair.generate().sign(by_device), xeddsa_sign(companion.private, b"else")):
        signed.deviceSignature = signature
        assert not adv.check_device_identity(signed.SerializeToString(), account.public, companion.public)
    signed.deviceSignature = companion.sign(by_device)
    assert adv.check_device_identity(signed.SerializeToString(), account.public, companion.public)
    signed.accountSignatureKey = KeyPair.generate().public
    assert not adv.check_device_identity(signed.SerializeToString(), account.public, companion.public)
    assert not adv.check_device_identity(b"\xff\xff", account.public, companion.public)


def test_qr_code_is_read() -> None:
    """The five fields of a linking QR code come back as raw keys and texts."""
    keys = [os.urandom(32) for _ in range(3)]
    encoded = ",".join(base64.b64encode(key).decode() for key in keys)
    code = adv.parse_qr(f"https://wa.me/settings/linked_devices#2@ref==,{encoded},1")
    assert code == adv.QrCode("2@ref==", keys[0], keys[1], keys[2], "1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.org/#a,b,c,d,e",
        adv.QR_PREFIX + "ref,AAAA,AAAA,AAAA,1",
        adv.QR_PREFIX + "ref,!,!,!,1",
        adv.QR_PREFIX + "ref,one,two",
    ],
)
def test_other_codes_are_no_linking_codes(text: str) -> None:
    """Anything that isn't a linking QR code is a ValueError."""
    with pytest.raises(ValueError):
        adv.parse_qr(text)


def test_pairing_by_code() -> None:
    """Phone and companion that share the code end with the same secret, and the phone knows the companion."""
    account, companion = KeyPair.generate(), _LinkCodeCompanion(_CODE)
    phone = adv.LinkCodePhone(account, "abcd-2345")
    wrapped = phone.answer(companion.hello())
    keys = phone.finish(companion.finish(wrapped, account.public))
    assert keys == adv.LinkedKeys(companion.identity.public, companion.adv_secret)
    _open_box(_box(account, companion.identity, keys.adv_secret), companion.identity.public, companion.adv_secret)


def test_wrong_code() -> None:
    """A phone that was given another code finds out when the key bundle doesn't open."""
    account, companion = KeyPair.generate(), _LinkCodeCompanion(_CODE)
    phone = adv.LinkCodePhone(account, "ABCD2346")
    bundle = companion.finish(phone.answer(companion.hello()), account.public)
    with pytest.raises(adv.WrongCode):
        phone.finish(bundle)


def test_bundle_of_another_account() -> None:
    """A key bundle that names another account, or has a wrong length, is refused."""
    account, companion = KeyPair.generate(), _LinkCodeCompanion(_CODE)
    phone = adv.LinkCodePhone(account, _CODE)
    bundle = companion.finish(phone.answer(companion.hello()), KeyPair.generate().public)
    for wrong in (bundle, bundle[:-1]):
        with pytest.raises(adv.BadKeyBundle):
            phone.finish(wrong)


@pytest.mark.parametrize("wrapped", [b"", bytes(79), bytes(81)])
def test_malformed_ephemeral(wrapped: bytes) -> None:
    """A wrapped ephemeral of another length than 80 bytes is refused."""
    with pytest.raises(ValueError):
        adv.LinkCodePhone(KeyPair.generate(), _CODE).answer(wrapped)


@given(code=st.text(adv.CODE_ALPHABET, min_size=8, max_size=8))
def test_codes_as_people_type_them(code: str) -> None:
    """Dash, spaces and lower case don't matter."""
    assert adv.normalize_code(f"{code[:4]}-{code[4:]}") == code
    assert adv.normalize_code(f" {code[:4]} {code[4:].lower()}") == code


@pytest.mark.parametrize("typed", ["", "ABCD-234", "ABCD-23456", "ABCD-234O", "ABCD-2340"])
def test_no_code(typed: str) -> None:
    """A code of another length or with a character outside the alphabet is refused before any key is derived."""
    with pytest.raises(ValueError):
        adv.LinkCodePhone(KeyPair.generate(), typed)
