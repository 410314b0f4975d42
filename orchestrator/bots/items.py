"""What a mailbox works on: frames of sessions, inputs of the fold, commands and sends with those who wait for them.

Owns these small records. Read `bot.py` next for what is done with each.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from orchestrator.bots.fetches import FileFetched
from orchestrator.bots.moves import Command, Input
from orchestrator.model import Bot, SendJob
from orchestrator.ports import FromSession
from sessions.model import Found, Outgoing, SendOutcome


@dataclass(slots=True)
class Asked:
    """A command and who waits for the record after it."""

    command: Command
    answer: asyncio.Future[Bot]


@dataclass(slots=True)
class Submitted:
    """A send to queue and who waits for its job."""

    outgoing: Outgoing
    job_id: str | None
    answer: asyncio.Future[SendJob]
    found: Found | None
    """What WhatsApp said of the number it goes to, if it was asked."""


@dataclass(slots=True)
class SendReturned:
    """The call of a send came back."""

    job: str
    incarnation: str
    outcome: SendOutcome


Item = FromSession | Input | Asked | Submitted | SendReturned | FileFetched
