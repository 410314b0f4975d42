"""The contract of `Session`: one suite for the real and the simulated one.

A test module subclasses `SessionContract` and gives it a fixture `harness` (see `session_harness.py`). Owns the rules;
it must never know an implementation.
"""

from __future__ import annotations

import time

import pytest

from sessions import model
from sessions.model import Account, OutgoingText
from sessions.session import NotReady
from tests.contracts.session_groups import SessionGroups
from tests.contracts.session_harness import Harness
from tests.contracts.session_history import SessionHistory
from tests.contracts.session_kinds import SessionKinds
from tests.contracts.session_media import SessionMedia
from tests.contracts.session_messages import SessionMessages
from tests.contracts.session_people import SessionPeople
from tests.contracts.session_steps import account_of, check_spooling, lifecycle, linked, resumed


class SessionLinking:
    """From nothing to a linked account."""

    async def test_link_by_qr(self, harness: Harness) -> None:
        """A scanned code links the device: pair_success, then connected, with the phone's account."""
        session, outlet, _ = await linked(harness)
        paired, connected = outlet.of(model.PairSucceeded)[0], outlet.of(model.Connected)[0]
        assert paired.account.jid == connected.account.jid == account_of(session).jid
        assert connected.account.phone == connected.account.jid.partition(":")[0]
        check_spooling(outlet)

    async def test_first_code_is_the_first_of_six_for_a_minute(self, harness: Harness) -> None:
        """The first code says that it is the first of six and lives 60 s."""
        session, outlet = await harness.make_session(harness.spec())
        await session.start()
        offer = await outlet.wait(model.QrOffered)
        assert (offer.index, offer.of, offer.lives_s) == (1, 6, 60)

    async def test_515_tells_nothing(self, harness: Harness) -> None:
        """WhatsApp restarts the stream after pairing, and not one event tells of it."""
        _, outlet, _ = await linked(harness)
        assert await harness.stream_restarts() == 1
        assert [name for name in lifecycle(outlet) if name != "QrOffered"] == ["PairSucceeded", "Connected"]

    async def test_link_by_code(self, harness: Harness) -> None:
        """A pairing code typed into the phone links the device as a QR code does."""
        session, outlet = await harness.make_session(harness.spec())
        await session.start()
        await outlet.wait(model.QrOffered)
        code = await session.pair_phone("491555000111")
        assert len(code) == 9 and code[4] == "-"
        await harness.enter_code(code)
        await outlet.wait(model.PairSucceeded)
        await outlet.wait(model.Connected)
        check_spooling(outlet)

    async def test_pair_phone_too_early(self, harness: Harness) -> None:
        """Before a QR code was offered there is no pairing code, and the library is not asked."""
        session, _ = await harness.make_session(harness.spec())
        with pytest.raises(NotReady):
            await session.pair_phone("491555000111")

    async def test_pair_phone_when_linked(self, harness: Harness) -> None:
        """A linked session gives no pairing code."""
        session, _, _ = await linked(harness)
        with pytest.raises(NotReady):
            await session.pair_phone("491555000111")

    async def test_codes_run_out(self, harness: Harness) -> None:
        """An attempt without a scan ends with one CodesExpired, and the session still stops."""
        session, outlet = await harness.make_session(harness.spec())
        await session.start()
        await outlet.wait(model.QrOffered)
        await harness.end_codes()
        await outlet.wait(model.CodesExpired)
        assert len(outlet.of(model.CodesExpired)) == 1
        with pytest.raises(NotReady):
            await session.pair_phone("491555000111")
        check_spooling(outlet)

    async def test_pairing_fails(self, harness: Harness) -> None:
        """A pairing whose keys don't match is PairFailed, and nobody is linked."""
        session, outlet = await harness.make_session(harness.spec())
        await session.start()
        await harness.fail_pairing(await outlet.wait(model.QrOffered))
        await outlet.wait(model.PairFailed)
        assert session.account() is None
        assert not outlet.of(model.PairSucceeded)
        check_spooling(outlet)

    async def test_qr_is_never_spooled(self, harness: Harness) -> None:
        """No byte of a QR code reaches the disk through the spool."""
        _, outlet, _ = await linked(harness)
        secrets = [part.encode() for offer in outlet.of(model.QrOffered) for part in _secret_parts(offer.code)]
        assert secrets
        assert not [entry for entry in outlet.spooled if any(secret in entry.raw for secret in secrets)]
        assert not [d for d in outlet.delivered if isinstance(d.event, model.QrOffered) and d.ordinal is not None]


def _secret_parts(code: str) -> list[str]:
    return [part for part in code.partition("#")[2].split(",") if len(part) > 16] or [code]


class SessionLink:
    """The life of a linked session."""

    async def test_restart_needs_no_qr(self, harness: Harness) -> None:
        """Stored keys log in without a code, as the same account."""
        session, _, _ = await linked(harness)
        account = account_of(session)
        assert await session.stop()
        again, outlet = await resumed(harness, account)
        connected = await outlet.wait(model.Connected)
        assert connected.account.jid == account.jid
        assert lifecycle(outlet) == ["Connected"]
        assert account_of(again).jid == account.jid
        check_spooling(outlet)

    async def test_keys_missing(self, harness: Harness) -> None:
        """Without keys for the account asked for there is KeysMissing, no crash, no QR code and no other account."""
        session, _, _ = await linked(harness)
        account = account_of(session)
        await session.stop()
        await harness.lose_keys()
        again, outlet = await resumed(harness, account)
        await outlet.wait(model.KeysMissing)
        assert lifecycle(outlet) == ["KeysMissing"]
        assert isinstance(await again.send("job_1", OutgoingText(harness.contact_pn, "hello")), model.NotSent)
        assert await again.stop()

    async def test_another_account_than_stored(self, harness: Harness) -> None:
        """A device file with another account's keys is KeysMissing: nobody logs in as somebody else."""
        session, _, _ = await linked(harness)
        await session.stop()
        _, outlet = await resumed(harness, Account("15550001111:3@s.whatsapp.net", None, "15550001111"))
        await outlet.wait(model.KeysMissing)
        assert lifecycle(outlet) == ["KeysMissing"]

    async def test_reconnect(self, harness: Harness) -> None:
        """A cut line is Disconnected, then Connected, by the library alone."""
        _, outlet, _ = await linked(harness)
        await harness.drop()
        await outlet.wait(model.Disconnected)
        await outlet.wait(model.Connected, count=2)
        assert [name for name in lifecycle(outlet) if name != "QrOffered"] == [
            "PairSucceeded", "Connected", "Disconnected", "Connected",
        ]  # fmt: skip
        check_spooling(outlet)

    async def test_unlinked_on_the_phone(self, harness: Harness) -> None:
        """Removing the device on the phone is LoggedOut at once, and its keys are gone."""
        session, outlet, _ = await linked(harness)
        account = account_of(session)
        await harness.unlink()
        event = await outlet.wait(model.LoggedOut)
        assert event == model.LoggedOut(False, "unlinked_on_phone")
        assert isinstance(await session.send("job_1", OutgoingText(harness.contact_pn, "hello")), model.NotSent)
        await session.stop()
        _, outlet = await resumed(harness, account)
        await outlet.wait(model.KeysMissing)

    async def test_replaced(self, harness: Harness) -> None:
        """The same device connected elsewhere is StreamReplaced; this session doesn't fight back."""
        _, outlet, _ = await linked(harness)
        await harness.replace()
        await outlet.wait(model.StreamReplaced)
        assert lifecycle(outlet)[-1] == "StreamReplaced"

    @pytest.mark.parametrize(
        ("number", "expected"),
        [
            (401, model.LoggedOut(True, "unlinked_on_phone")),
            (403, model.LoggedOut(True, "main_device_gone")),
            (405, model.ClientOutdated()),
            (406, model.LoggedOut(True, "account_banned")),
            (409, model.ConnectFailed(409)),
            (400, model.ConnectFailed(400)),
            (418, model.ConnectFailed(0)),
        ],
    )
    async def test_refused_login(self, harness: Harness, number: int, expected: model.SessionEvent) -> None:
        """Each failure number of a login is its own event, also one the library has no name for."""
        session, _, _ = await linked(harness)
        account = account_of(session)
        await session.stop()
        await harness.refuse_login(number)
        _, outlet = await resumed(harness, account)
        event = await outlet.wait(type(expected))
        assert event == expected
        assert not outlet.of(model.Connected)
        check_spooling(outlet)

    async def test_temporary_ban(self, harness: Harness) -> None:
        """A temporary ban tells its code and how long it lasts."""
        session, _, _ = await linked(harness)
        account = account_of(session)
        await session.stop()
        await harness.ban(3600)
        _, outlet = await resumed(harness, account)
        event = await outlet.wait(model.TemporarilyBanned)
        assert event.code == 101
        assert event.expires_in_s is not None and 3590 <= event.expires_in_s <= 3600

    async def test_unknown_stream_error(self, harness: Harness) -> None:
        """A stream error nobody knows is an event, never an exception."""
        _, outlet, _ = await linked(harness)
        await harness.stream_error()
        await outlet.wait(model.StreamError)
        check_spooling(outlet)

    async def test_logout(self, harness: Harness) -> None:
        """Logging out is confirmed by WhatsApp, and the keys are gone."""
        session, _, _ = await linked(harness)
        account = account_of(session)
        assert await session.logout() is True
        assert isinstance(await session.send("job_1", OutgoingText(harness.contact_pn, "hello")), model.NotSent)
        assert await session.logout() is False
        await session.stop()
        _, outlet = await resumed(harness, account)
        await outlet.wait(model.KeysMissing)

    async def test_stop_is_idempotent_and_bounded(self, harness: Harness) -> None:
        """Stopping twice, and a session never started, is quick and says the same."""
        session, outlet, _ = await linked(harness)
        before = time.monotonic()
        assert await session.stop() is True
        assert await session.stop() is True
        never, _ = await harness.make_session(harness.spec())
        assert await never.stop() is True
        assert time.monotonic() - before < 10
        assert not outlet.of(model.Disconnected), "an own stop is no loss of the connection"
        check_spooling(outlet)


class SessionContract(
    SessionLinking,
    SessionLink,
    SessionMessages,
    SessionKinds,
    SessionMedia,
    SessionGroups,
    SessionHistory,
    SessionPeople,
):
    """The whole contract: subclass it as `TestSomething` beside a fixture named `harness`."""
