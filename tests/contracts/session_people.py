"""The contract of `Session` about people: who is behind a phone number.

Owns the rules of `find` and of what a send learns. Read `session_suite.py` for the rest and how to run them.
"""

from __future__ import annotations

from sessions import model
from sessions.model import Found, OutgoingText
from tests.contracts.session_harness import Harness
from tests.contracts.session_steps import linked


class SessionPeople:
    """Who is who."""

    async def test_a_number_is_found(self, harness: Harness) -> None:
        """A number on WhatsApp is found with its LID, the second time as the first; asking sends nothing to anybody."""
        session, _, _ = await linked(harness)
        for _ in range(2):
            assert await session.find(harness.contact) == Found(True, harness.contact_lid)
        assert isinstance(await session.send("job_1", OutgoingText(harness.contact_lid, "the first word")), model.Sent)
        assert (await harness.next_text())[1] == "the first word"

    async def test_nobody_is_found(self, harness: Harness) -> None:
        """A number that is not on WhatsApp, or is no number, is told from one that could not be asked about."""
        session, _, _ = await linked(harness)
        assert await session.find(harness.absent) == Found(False)
        await session.stop()
        assert await session.find(harness.contact) == Found(None)

    async def test_find_outside_its_life(self, harness: Harness) -> None:
        """Before start nothing is known, and nothing is touched."""
        session, outlet = await harness.make_session(harness.spec())
        assert await session.find(harness.contact) == Found(None)
        assert outlet.log == []

    async def test_a_send_learns_the_lid(self, harness: Harness) -> None:
        """Who is written to by number is told with the LID; who is written to by LID was known."""
        session, _, _ = await linked(harness)
        by_phone = await session.send("job_1", OutgoingText(harness.contact_pn, "hello"))
        by_lid = await session.send("job_2", OutgoingText(harness.contact_lid, "hello"))
        assert isinstance(by_phone, model.Sent) and by_phone.lid == harness.contact_lid
        assert isinstance(by_lid, model.Sent) and by_lid.lid is None
