"""Durable sends as others see them: implements `ports.Outbox` over the mailboxes.

Owns addresses and waiting; jobs are their mailbox's. It must never know a session. Read `sending.py` next.
"""

from __future__ import annotations

import asyncio

from orchestrator.bots import outbox_kinds
from orchestrator.bots.fleet import BotFleet
from orchestrator.errors import Refused
from orchestrator.model import SendJob
from sessions.model import Outgoing, OutgoingMedia


class BotOutbox:
    """The outbox of all bots."""

    def __init__(self, fleet: BotFleet) -> None:
        self._fleet = fleet

    async def submit(self, user: str, bot_id: str, outgoing: Outgoing, job_id: str | None = None) -> SendJob:
        mailbox = self._fleet.mailbox(user, bot_id)
        checked = outbox_kinds.checked(outgoing, mailbox.state.bot.account)
        if isinstance(checked, OutgoingMedia) and (job_id is None or mailbox.sending.job(job_id) is None):
            checked = self._fleet.files.bind(bot_id, checked)
        return await mailbox.submit(checked, job_id)

    async def job(self, user: str, bot_id: str, job_id: str) -> SendJob:
        job = self._fleet.mailbox(user, bot_id).sending.job(job_id)
        if job is None:
            raise Refused("not_found")
        return job

    async def wait(self, user: str, bot_id: str, job_id: str, timeout_s: float) -> SendJob:
        sending = self._fleet.mailbox(user, bot_id).sending
        job = await self.job(user, bot_id, job_id)
        if job.state != "queued":
            return job
        changed = sending.waiter(job_id)
        try:
            async with asyncio.timeout(timeout_s):
                return await changed
        except TimeoutError:
            return sending.job(job_id) or job
        finally:
            changed.cancel()
