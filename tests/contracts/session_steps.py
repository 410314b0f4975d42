"""Steps and checks the rules of the session contract share: linking, resuming, what lies in the spool.

It must never know an implementation. Read `session_suite.py` next.
"""

from __future__ import annotations

from sessions import model
from sessions.model import Account
from sessions.session import Session, SessionSpec
from tests.contracts.session_harness import Harness, RecordingOutlet, Spooled


async def linked(harness: Harness) -> tuple[Session, RecordingOutlet, SessionSpec]:
    """Link the account and wait until it is connected."""
    spec = harness.spec()
    session, outlet = await harness.make_session(spec)
    await session.start()
    await harness.scan(await outlet.wait(model.QrOffered))
    await outlet.wait(model.Connected)
    return session, outlet, spec


async def resumed(harness: Harness, account: Account) -> tuple[Session, RecordingOutlet]:
    """Start a new session with the stored keys."""
    session, outlet = await harness.make_session(harness.spec(account.jid))
    await session.start()
    return session, outlet


def account_of(session: Session) -> Account:
    """The session's account, which must be known."""
    account = session.account()
    assert account is not None
    return account


def lifecycle(outlet: RecordingOutlet) -> list[str]:
    """Names of what was delivered, without content, notes and the offline queue (whose place is not promised)."""
    beside = (
        model.ProtocolNote, model.Unrecognised, model.OfflineSync, model.MessageReceived, model.ReceiptReceived,
        model.SendFinished, model.SecretRotated,
    )  # fmt: skip
    return [type(event).__name__ for event in outlet.events if not isinstance(event, beside)]


def check_spooling(outlet: RecordingOutlet) -> None:
    """Every delivered event but QR codes and presence was spooled before, once, under ordinals that rise by one from 1."""
    written: set[int] = set()
    seen: list[int] = []
    for entry in list(outlet.log):
        if isinstance(entry, Spooled):
            written.add(entry.ordinal)
        elif entry.ordinal is None:
            transient = model.QrOffered | model.SecretRotated | model.PresenceChanged
            assert isinstance(entry.event, transient), entry.event
        else:
            assert entry.ordinal in written, f"{entry.event} was delivered before it was spooled"
            seen.append(entry.ordinal)
    ordinals = [entry.ordinal for entry in outlet.spooled]
    assert ordinals == list(range(1, len(ordinals) + 1))
    assert seen == sorted(set(seen)), "events are delivered in the order of their ordinals, each once"
