"""The contract of `Session`, past chats: what the phone hands over after linking is one event with its messages.

Owns that rule. Read `session_suite.py` for how to run all, `tests/test_sessions_translate_history.py` for the details.
"""

from __future__ import annotations

import msgspec
import pytest

from sessions import model
from sessions.translate import frame_data, header
from tests.contracts.session_harness import Harness
from tests.contracts.session_steps import account_of, check_spooling, linked


class SessionHistory:
    """Past chats."""

    @pytest.mark.parametrize("inline", [True, False], ids=["inline", "blob"])
    async def test_history_in(self, harness: Harness, inline: bool) -> None:
        """A history arrives once, spooled, its messages oldest first as live ones are; its header holds none of them,
        and the next text arrives after it."""
        session, outlet, _ = await linked(harness)
        past = [
            ("H2", "and mine", 1_700_000_100_000, True),
            ("H1", "long ago", 1_700_000_000_000, False),
        ]
        await harness.history(past, inline=inline)
        event = await outlet.wait(model.HistoryReceived)
        assert (event.sync_type, event.progress, event.chunk) == ("recent", 100, 1)
        assert (event.messages, event.chats, event.left_out) == (2, 1, 0)
        theirs, mine = msgspec.json.decode(frame_data(event))
        lid, pn = harness.contact_lid, harness.contact_pn
        place = {"chat": lid, "chatPn": pn, "sender": lid, "senderPn": pn, "fromMe": False, "messageId": "H1"}
        assert {name: theirs[name] for name in place} == place
        assert (theirs["kind"], theirs["text"], theirs["sentAt"]) == ("text", "long ago", 1_700_000_000_000)
        assert (mine["chat"], mine["fromMe"], mine["messageId"], mine["text"]) == (lid, True, "H2", "and mine")
        assert mine["senderPn"] == f"{account_of(session).phone}@s.whatsapp.net"
        assert header(event) == msgspec.structs.replace(event, rows=())
        await harness.text("and now")
        await outlet.wait(model.MessageReceived)
        assert len(outlet.of(model.HistoryReceived)) == 1
        check_spooling(outlet)
