"""Fields of a bot's record that live in memory: `provedAt` and the clock of a link attempt. Pure.

Owns how they are computed; they cause no event and no version. It must never know who asks. Read `fleet.py` next.
"""

from __future__ import annotations

import msgspec

from orchestrator.bots import record
from orchestrator.bots.moves import BotState
from orchestrator.bots.step import HELD_RETRY_S
from orchestrator.model import Bot

PING_S = 45
"""While the link is up and no ping is unanswered, silence proves this much: the library pings every 20 to 30 s and
waits 10 s for the answer (whatsmeow keepalive.go)."""


def filled(
    bot: Bot,
    state: BotState,
    proved_ms: int | None,
    tries_per_hour: int,
    now_ms: int,
    *,
    stale: bool = False,
    moving_ms: int = 0,
) -> Bot:
    """Return the record as it is to be shown now.

    Args:
        bot: the record, of the same version as the one in `state`.
        proved_ms: when WhatsApp was last heard.
        stale: what the session tells can't be stored at present, so its silence proves nothing.
        moving_ms: how long the bot has been without a link on its way to the pool, which is no change of status.
    """
    up = bot.status == "connected" and state.session is not None and not state.keepalive_open and not stale
    by_silence = max(now_ms - moving_ms - PING_S * 1000, bot.since) if up else None
    proved = max((at for at in (proved_ms, by_silence) if at is not None), default=None)
    link = bot.link
    left, renews_ms = record.tries(state.private.attempts_ms, tries_per_hour, now_ms)
    linked = state.private.device_file is not None
    if link is not None:
        offer = state.offer
        link = msgspec.structs.replace(
            link,
            index=offer.index if offer else None,
            of=offer.of if offer else None,
            expires_at=offer.expires_ms if offer else None,
            tries_left=left,
            tries_renew_at=renews_ms,
        )
    retry_at = state.bot.retry_at
    if state.held_since_s is not None and retry_at is not None and state.want is not None:
        retry_at = max(retry_at, now_ms + round(HELD_RETRY_S * 1000))
    return msgspec.structs.replace(
        bot, proved_at=proved, link=link, retry_at=retry_at, tries_left=None if linked else left,
        tries_renew_at=None if linked else renews_ms,
    )  # fmt: skip
