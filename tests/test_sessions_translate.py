"""Translation of the library's events: exact where they are known, total where they are not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessions import kinds, model, texts, translate
from sessions.model import Account, SessionEvent
from tests.support.examples import examples
from tests.support.library_events import CLASSES, OWN, jid, parsers, proto

PARSERS = parsers()

# --- lifecycle -----------------------------------------------------------------------------------------------

LIFECYCLE: list[tuple[int, dict[str, Any], SessionEvent]] = [
    (2, {"ID": jid(OWN.jid), "BusinessName": "", "Platform": "", "Status": 2},
     model.PairSucceeded(OWN)),
    (2, {"ID": jid("4915550002222:1@s.whatsapp.net"), "Status": 2},
     model.PairSucceeded(Account("4915550002222:1@s.whatsapp.net", None, "4915550002222"))),
    (2, {"ID": jid(OWN.jid), "Status": 1, "Error": "invalid device signature for 4915550001111@s.whatsapp.net"},
     model.PairFailed("invalid device signature for …")),
    (2, {"ID": jid(), "Status": 2}, model.Unrecognised(2)),
    (3, {"status": True}, model.Connected(OWN)),
    (4, {"ErrorCount": 3, "LastSuccess": 1}, model.KeepaliveTimeout(3)),
    (5, {}, model.KeepaliveRestored()),
    (6, {"OnConnect": False, "Reason": 2}, model.LoggedOut(False, "unlinked_on_phone")),
    (6, {"OnConnect": True, "Reason": 4}, model.LoggedOut(True, "main_device_gone")),
    (6, {"OnConnect": True, "Reason": 5}, model.LoggedOut(True, "account_banned")),
    (6, {"OnConnect": True, "Reason": 1}, model.LoggedOut(True, "other")),
    (7, {}, model.StreamReplaced()),
    (8, {"Code": 1, "Expire": 3600}, model.TemporarilyBanned(101, 3600)),
    (8, {"Code": 5, "Expire": 0}, model.TemporarilyBanned(106, None)),
    (9, {"Reason": 1}, model.ConnectFailed(400)),
    (9, {"Reason": 7, "Message": "x"}, model.ConnectFailed(409)),
    (9, {"Reason": 9}, model.ConnectFailed(501)),
    (10, {}, model.ClientOutdated()),
    (11, {"Code": "516"}, model.StreamError("516")),
    (12, {"status": True}, model.Disconnected()),
    (26, {"Total": 7, "Message": 3}, model.OfflineSync(7, done=False)),
    (27, {"Count": 7}, model.OfflineSync(7, done=True)),
    (45, {"OldSecret": "old", "NewSecret": "new"}, model.SecretRotated()),
    (0, {"JID": jid(OWN.jid)}, model.ProtocolNote("device")),
    (1, {"Codes": ["secret"]}, model.ProtocolNote("qr")),
    (24, {"JID": jid("1@lid")}, model.Unrecognised(24)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fields", "event"), LIFECYCLE, ids=[f"{kind}-{type(event).__name__}" for kind, _, event in LIFECYCLE]
)
def test_lifecycle(kind: int, fields: dict[str, Any], event: SessionEvent) -> None:
    """Each lifecycle event of the library becomes its record, with WhatsApp's numbers."""
    assert translate.translate(kind, proto(CLASSES[kind], **fields), OWN) == event


def test_account_is_learnt() -> None:
    """Pairing tells the phone form, the device event the rest; anything else teaches nothing."""
    paired = translate.learn(2, proto("PairStatus", ID=jid(OWN.jid), Status=2), None)
    assert paired == Account(OWN.jid, None, OWN.phone)
    device = proto("Device", JID=jid(OWN.jid), LID=jid(str(OWN.lid)), PushName="Me")
    assert translate.learn(0, device, paired) == OWN
    assert translate.learn(2, proto("PairStatus", ID=jid(OWN.jid), Status=1), None) is None
    assert translate.learn(0, proto("Device", JID=jid()), OWN) is OWN
    assert translate.learn(3, proto("Connected"), OWN) is OWN
    assert translate.learn(2, proto("PairStatus", ID=jid(OWN.jid), Status=2), OWN) is OWN, "the LID isn't unlearnt"
    assert translate.learn(0, object(), OWN) is OWN


def test_connected_to_nobody_known() -> None:
    """A connection whose account is unknown, in a spool that begins in the middle, tells nobody anything."""
    assert translate.translate(3, proto("Connected"), None) == model.ProtocolNote("connected")


# --- the spool's bytes ---------------------------------------------------------------------------------------


def test_from_raw() -> None:
    """Bytes of the library go the same way, and the account is learnt on the way."""
    paired = proto("PairStatus", ID=jid(OWN.jid), BusinessName="", Platform="", Status=2).SerializeToString()
    event, known = translate.from_raw(2, paired, PARSERS, None)
    assert event == model.PairSucceeded(Account(OWN.jid, None, OWN.phone))
    assert known == Account(OWN.jid, None, OWN.phone)
    event, known = translate.from_raw(3, proto("Connected", status=True).SerializeToString(), PARSERS, known)
    assert event == model.Connected(Account(OWN.jid, None, OWN.phone))


@pytest.mark.parametrize(
    ("kind", "raw", "event"),
    [
        (kinds.LOGIN_STATUS, b"timeout", model.CodesExpired()),
        (kinds.SEND_FINISHED, msgspec.msgpack.encode(model.SendFinished("job", model.Sent("A", 1))),
         model.SendFinished("job", model.Sent("A", 1))),
        (kinds.SIMULATED, msgspec.msgpack.encode(model.Disconnected()), model.Disconnected()),
        (kinds.TASK_ENDED, msgspec.msgpack.encode(model.PumpDied("x")), model.PumpDied("x")),
        (kinds.TASK_ENDED, b"not msgpack", model.Unrecognised(kinds.TASK_ENDED)),
        (kinds.LOGIN_STATUS, b"\xff", model.Unrecognised(kinds.LOGIN_STATUS)),
        (-99, b"", model.Unrecognised(-99)),
    ],
)  # fmt: skip
def test_own_kinds(kind: int, raw: bytes, event: SessionEvent) -> None:
    """Our own records come back as they were, and spoilt ones are unrecognised."""
    assert translate.from_raw(kind, raw, {}, OWN) == (event, OWN)


@settings(max_examples=examples(400))
@given(st.integers(-6, 50), st.binary(max_size=300))
@example(17, b"\x12\x04\x0a\x02\xff\xff")
def test_arbitrary_bytes_never_raise(kind: int, raw: bytes) -> None:
    """Whatever lies in the spool, translating it gives a record that can be sent on."""
    event, _ = translate.from_raw(kind, raw, PARSERS, OWN)
    msgspec.msgpack.encode(translate.header(event))
    translate.frame_data(event)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["Info", "Message", "MessageSource", "Chat", "Sender", "SenderAlt", "RecipientAlt", "User", "Server", "Device",
          "IsFromMe", "IsGroup", "Type", "MessageIDs", "Timestamp", "ID", "Status", "Error", "Reason", "OnConnect",
          "Code", "Expire", "ErrorCount", "Total", "Count", "JID", "LID", "PushName", "IsEdit", "Category"]  # fmt: skip
SHAPES = st.recursive(
    ODD,
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner, max_size=8).map(lambda d: SimpleNamespace(**d)),
    max_leaves=20,
)


@settings(max_examples=examples(400))
@given(st.sampled_from(sorted(CLASSES)), SHAPES, st.sampled_from([None, OWN, Account("spoilt", "spoilt", "")]))
def test_arbitrary_shapes_never_raise(kind: int, shape: object, known: Account | None) -> None:
    """An object of any shape is translated or unrecognised."""
    translate.translate(kind, shape, known)
    translate.learn(kind, shape, known)


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_every_number_has_an_answer(kind: int) -> None:
    """Each number 0.5.2 forwards has a record of its own or is unrecognised; an empty event of any kind is harmless."""
    event = translate.translate(kind, proto(CLASSES[kind]), OWN)
    recorded = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 18, 19, 20, 21, 22, 26, 27, 36, 37, 40, 42, 44, 45}
    if kind not in recorded:
        assert event == model.Unrecognised(kind)


def test_secrets_are_never_spooled() -> None:
    """QR codes and the rotated secret are the two payloads that don't go to disk."""
    assert {CLASSES[kind] for kind in translate.NEVER_SPOOLED} == {"QR", "RotateADVSecret"}
    secret = proto("RotateADVSecret", OldSecret="oldsecret", NewSecret="newsecret")
    assert b"secret" not in msgspec.msgpack.encode(translate.translate(45, secret, OWN))


def test_first_code_lives_longer() -> None:
    """A minute for the first code, 20 s for the five others."""
    assert [texts.qr_offered("c", index).lives_s for index in range(1, 7)] == [60, 20, 20, 20, 20, 20]
