"""The phone hands a freshly linked device its past: the real library takes it, whatever becomes of the blob."""

from __future__ import annotations

import pytest

from tests.loopback import history
from tests.loopback.devices import LinkedDevice
from tests.loopback.faults import DownloadFault
from tests.loopback.phone import Contact
from tests.loopback.real_process import RealProcess
from tests.loopback.server import LoopbackServer

pytest_plugins = ("tests.loopback.fixtures",)


async def test_a_history_is_taken(wa: LoopbackServer, child: RealProcess, ada: Contact, device: LinkedDevice) -> None:
    """Inside the message or as a blob, whole, of another length than was said, short, or missing: the library
    acknowledges each (so the phone never sends it again), fetches blobs through the proxy, and goes on working."""
    await device.wait_keys()
    past = [
        history.Past(ada, "H1", "long ago", 1_700_000_000),
        history.Past(ada, "H2", "and mine", 1_700_000_100, True),
    ]
    cases: list[tuple[bool, int | None, DownloadFault, int]] = [
        (True, None, "", 0), (False, None, "", 1), (False, 7, "", 1), (False, None, "short", 1), (False, None, "refuse", 0),
    ]  # fmt: skip
    for number, (inline, length, fault, fetched) in enumerate(cases):
        wa.faults.download = fault
        mark = len(wa.ledger)
        history.send(device, history.history(past), f"HISTORY{number}", inline=inline, length=length)
        await wa.ledger.wait("message_received", after=mark, id=f"HISTORY{number}", type="hist_sync")
        if fault == "refuse":
            await wa.ledger.wait("media_download_refused", after=mark)
        elif fetched:
            await wa.ledger.wait("media_downloaded", after=mark)
        assert not wa.ledger.count("message_retry", after=mark)
    await child.call("send", "bot", to=str(ada.lid_jid), text="still here")
    await ada.wait_text("still here")


@pytest.mark.parametrize("what", [history.INITIAL, history.RECENT])
def test_what_is_in_it(what: int) -> None:
    """A history has each chat once, its messages newest first, and says how far it is."""
    server = LoopbackServer.__new__(LoopbackServer)
    ada, bob = Contact(server, "15550100001", "1001", "Ada"), Contact(server, "15550100002", "1002", "Bob")
    found = history.history(
        [history.Past(ada, "A1", "a", 1), history.Past(bob, "B1", "b", 2), history.Past(ada, "A2", "c", 3, True)],
        kind=what, progress=40,
    )  # fmt: skip
    assert (found.syncType, found.progress) == (what, 40)
    chats = {
        chat.ID: [(one.message.key.ID, one.message.key.fromMe) for one in chat.messages] for chat in found.conversations
    }
    assert chats == {"1001@lid": [("A2", True), ("A1", False)], "1002@lid": [("B1", False)]}
