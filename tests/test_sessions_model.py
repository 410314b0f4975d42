"""Addresses and records of a session: parsing is exact, and every record survives its encoding."""

from __future__ import annotations

import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import model
from sessions.model import SERVERS, Account, Jid, SessionEvent


@pytest.mark.parametrize(
    ("text", "jid"),
    [
        ("4915550001111@s.whatsapp.net", Jid("4915550001111", "s.whatsapp.net")),
        ("4915550001111:7@s.whatsapp.net", Jid("4915550001111", "s.whatsapp.net", 7)),
        ("4915550001111.1:7@s.whatsapp.net", Jid("4915550001111", "s.whatsapp.net", 7)),
        ("4915550001111@c.us", Jid("4915550001111", "s.whatsapp.net")),
        ("100000000000001:2@lid", Jid("100000000000001", "lid", 2)),
        ("120363000000000000@g.us", Jid("120363000000000000", "g.us")),
        ("4915550001111-1600000000@g.us", Jid("4915550001111-1600000000", "g.us")),
        ("status@broadcast", Jid("status", "broadcast")),
    ],
)
def test_parse(text: str, jid: Jid) -> None:
    """Every form WhatsApp writes is read."""
    assert Jid.parse(text) == jid
    assert Jid.parse(str(jid)) == jid


@pytest.mark.parametrize("text", ["", "4915550001111", "4915550001111@example.org", "1:x@lid", "1:-1@lid", "1:1_0@lid"])
def test_parse_refuses(text: str) -> None:
    """Anything else is a ValueError whose message holds nothing of the text."""
    with pytest.raises(ValueError, match=r"^a JID|^the device") as refusal:
        Jid.parse(text)
    assert "4915550001111" not in str(refusal.value)


@given(st.text(max_size=60))
def test_parse_is_total(text: str) -> None:
    """Any text is an address or a ValueError, and an address is stable under str and parse."""
    try:
        jid = Jid.parse(text)
    except ValueError:
        return
    assert jid.server in SERVERS
    assert Jid.parse(str(jid)) == jid


def test_bare_drops_the_device() -> None:
    """A person without the device is the same for all of their devices."""
    assert Jid("1", "lid", 7).bare == Jid("1", "lid", 3).bare == Jid("1", "lid")


EXAMPLES: list[SessionEvent] = [
    model.GroupChanged("1@g.us", "3@lid", 7, (model.GroupChange("added", ("4@lid",), me=True),), "2"),
    model.GroupKnown("1@g.us", "found", model.GroupChange("info", members=(model.GroupMember("3@lid", None, True),))),
    model.PresenceChanged("3@lid", None, "3@lid", None, "unavailable", 7),
    model.CallChanged("C", "3@lid", None, False, "1@g.us", True, "offer", None, 7),
    model.QrOffered("code", 1, 6, 60),
    model.ScannedWithoutMultidevice(),
    model.PasskeyRequired(),
    model.CodesExpired(),
    model.PairSucceeded(Account("1:2@s.whatsapp.net", "3:2@lid", "1", "Me")),
    model.PairFailed("hmac"),
    model.Connected(Account("1:2@s.whatsapp.net", None, "1")),
    model.Disconnected(),
    model.KeepaliveTimeout(2),
    model.KeepaliveRestored(),
    model.StreamError("516"),
    model.StreamReplaced(),
    model.LoggedOut(True, "main_device_gone"),
    model.TemporarilyBanned(101, None),
    model.ConnectFailed(409),
    model.ClientOutdated(),
    model.OfflineSync(3, done=True),
    model.SecretRotated(),
    model.StartFailed("dns_failed"),
    model.KeysMissing(),
    model.PumpDied("x"),
    model.MessageReceived(
        "1@lid", "2@s.whatsapp.net", "1@lid", "2@s.whatsapp.net", False, "M", "text", 5,
        model.Content("text ✓", ("3@lid",), model.Quoted("Q", None), "Name"),
    ),
    model.MessageReceived(
        "1@lid", None, "1@lid", None, True, "M", "poll", 5,
        model.Content(
            media=model.Media("image/png", 7, "a.png", 1, 2, 3), location=model.Location(1.5, -2.5, "n", "a", live=True),
            contacts=(model.ContactCard("Ada", "BEGIN:VCARD"),), poll=model.Poll("?", ("a", "b"), 1),
        ),
    ),
    model.ReactionReceived("1@lid", None, "1@lid", None, False, "R", "M", 7, "👍"),
    model.MessageEdited("1@lid", None, "1@lid", None, False, "E", "M", 7, model.Content("new")),
    model.MessageRevoked("1@lid", None, "1@lid", None, False, "D", "M", 7),
    model.ReceiptReceived("1@lid", None, "1@lid", ("A", "B"), "read", False, 7),
    model.HistoryReceived("recent", 40, None, 1, 1, 0, (b"{}",)),
    model.Undecryptable("1@lid", "1@lid", "M"),
    model.ProtocolNote("sender_key"),
    model.Unrecognised(24),
    model.SendFinished("job", model.Sent("3EB0", 9)),
    model.SendFinished("job", model.NotSent("no_lid")),
    model.SendFinished("job", model.SendRejected("rejected", 479)),
    model.SendFinished("job", model.SendUnknown()),
]  # fmt: skip
"""One of each record of the union, and of each outcome."""


def test_examples_are_complete() -> None:
    """The list above has every record of the closed unions."""
    assert {type(event) for event in EXAMPLES} == set(typing.get_args(SessionEvent))
    outcomes = {type(event.outcome) for event in EXAMPLES if isinstance(event, model.SendFinished)}
    assert outcomes == set(typing.get_args(model.SendOutcome))


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_round_trip(event: SessionEvent) -> None:
    """Every record is itself again after msgpack, told apart by its tag alone."""
    decoder: msgspec.msgpack.Decoder[SessionEvent] = msgspec.msgpack.Decoder(SessionEvent)
    assert decoder.decode(msgspec.msgpack.encode(event)) == event


def test_records_are_frozen() -> None:
    """Nobody changes a record that others hold."""
    with pytest.raises(AttributeError):
        setattr(model.Disconnected(), "x", 1)  # noqa: B010
    with pytest.raises(AttributeError):
        setattr(model.StreamError("1"), "code", "2")  # noqa: B010
