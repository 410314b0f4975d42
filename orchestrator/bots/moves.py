"""What can happen to a bot (inputs), what follows (effects), and the state between them: the vocabulary of the fold.

Owns records only. Everything durable of `BotState` is in `bot` and `private`; the rest is rebuilt at start-up. It must
never know a task, the bus or a clock. Read `fold.py` next for how inputs become effects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from orchestrator.bots.record import Private
from orchestrator.model import Bot, EventName
from orchestrator.ports import BotPatch, LinkRequest, Placement, SessionGone
from orchestrator.supervisor.policy import History
from sessions.model import SessionEvent

Purpose = Literal["link", "run", "logout", "reject"]
"""Why a session runs: to link a device, to be the bot, only to unlink it, or to unlink the wrong account's new device."""

Timer = Literal[
    "pairing", "reconnect", "stream_error", "keepalive_new_client", "keepalive_new_worker",
    "move", "move_latest", "healthy", "logout",
]  # fmt: skip
"""The first five are watchdogs of `lifecycle`: they end with the status that armed them, and stand still in incidents."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and what a pure function may not draw itself."""

    mono_s: float
    wall_ms: int
    random: float
    """From [0, 1): jitter."""
    fresh: str
    """An unused incarnation id."""
    heard_s: float = 0.0
    """Monotonic time of the last thing the session told: sync is quiet when this is long ago."""
    sending: bool = False
    """A send is in flight."""


@dataclass(frozen=True, slots=True)
class Session:
    """The incarnation that runs, or is on its way up or down."""

    incarnation: str
    purpose: Purpose
    placement: Placement
    stage: Literal["starting", "up", "stopping"]


@dataclass(frozen=True, slots=True)
class Want:
    """The next session, started when there is none and `at_s` has come."""

    purpose: Purpose
    at_s: float
    own: bool = False
    """In a worker of its own, whatever the rules say."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The QR code on offer, without the code itself."""

    index: int
    of: int
    expires_ms: int
    ends_ms: int
    """When the last code of the attempt ends."""


@dataclass(frozen=True, slots=True)
class BotState:
    """One bot, whole."""

    bot: Bot
    private: Private
    history: History = field(default_factory=History)
    session: Session | None = None
    want: Want | None = None
    timers: dict[Timer, float] = field(default_factory=dict)
    offer: Offer | None = None
    code_asked: bool = False
    """A pairing code was asked for in this attempt."""
    unreached: int = 0
    """Starts in a row that found no WhatsApp."""
    keepalive_open: bool = False
    """A ping is unanswered: silence is no longer proof."""
    climbing: bool = False
    """On the ladder of `degraded`: its own watchdog replaces those of the new session until connected."""
    moving_since_s: float | None = None
    """On the way to the pool since then; no status change."""
    held_since_s: float | None = None
    """An incident holds starts and watchdogs since then."""
    held_as: str | None = None
    """The reason code of what waits for its end."""
    logout_asked: bool = False
    """The library was asked to unlink; its answer is on the way."""
    deleting: bool = False


# --- inputs --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Boot:
    """The supervisor came up: nothing runs."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Everything earlier workers left has been handed over."""


@dataclass(frozen=True, slots=True)
class StartAsked:
    pass


@dataclass(frozen=True, slots=True)
class StopAsked:
    pass


@dataclass(frozen=True, slots=True)
class RestartAsked:
    pass


@dataclass(frozen=True, slots=True)
class LinkAsked:
    request: LinkRequest


@dataclass(frozen=True, slots=True)
class LogoutAsked:
    pass


@dataclass(frozen=True, slots=True)
class DeleteAsked:
    pass


@dataclass(frozen=True, slots=True)
class Patched:
    """`patch` is validated."""

    patch: BotPatch


@dataclass(frozen=True, slots=True)
class Told:
    """A lifecycle event of a session, once: duplicates were dropped."""

    incarnation: str
    at_ms: int
    event: SessionEvent
    taken: bool = False
    """For `PairSucceeded`: the account belongs to another bot."""


@dataclass(frozen=True, slots=True)
class Gone:
    gone: SessionGone


@dataclass(frozen=True, slots=True)
class HostStarted:
    incarnation: str


@dataclass(frozen=True, slots=True)
class HostRefused:
    incarnation: str
    cause: Literal["worker_crashed", "storage_unavailable", "held_by_incident", "draining", "superseded"]
    holding: str | None = None
    """For `held_by_incident`: the reason code of the incident; None when it is over already."""


@dataclass(frozen=True, slots=True)
class HostStopped:
    """No process holds the bot any more."""


@dataclass(frozen=True, slots=True)
class CodeGot:
    """A pairing code came; the code itself stays in the shell."""

    incarnation: str


@dataclass(frozen=True, slots=True)
class CodeFailed:
    incarnation: str


@dataclass(frozen=True, slots=True)
class LogoutDone:
    incarnation: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Held:
    """An incident began to hold this bot's starts and watchdogs."""

    cause: str
    """The reason code to show."""


@dataclass(frozen=True, slots=True)
class Released:
    """It is over."""


@dataclass(frozen=True, slots=True)
class Away:
    """The supervisor itself did not run for so long: deadlines move."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed: look at the deadlines."""


Command = StartAsked | StopAsked | RestartAsked | LinkAsked | LogoutAsked | DeleteAsked | Patched
Input = (
    Boot
    | Recovered
    | Command
    | Told
    | Gone
    | HostStarted
    | HostRefused
    | HostStopped
    | CodeGot
    | CodeFailed
    | LogoutDone
    | Held
    | Released
    | Away
    | Tick
)

# --- effects: carried out in order, after what was told is durable ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to commit; `data` None stands for the bot's record."""

    name: EventName
    type: str
    data: dict[str, object] | None


@dataclass(frozen=True, slots=True)
class StartHost:
    incarnation: str
    placement: Placement
    file: str
    account_jid: str | None


@dataclass(frozen=True, slots=True)
class StopHost:
    pass


@dataclass(frozen=True, slots=True)
class ShowQr:
    """Announce the code of the event being folded."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class HideCodes:
    """Withdraw what is on offer."""

    qr_only: bool = False


@dataclass(frozen=True, slots=True)
class AskCode:
    incarnation: str
    phone: str


@dataclass(frozen=True, slots=True)
class ShowCode:
    """Announce the pairing code that came, and give it to those who wait."""

    expires_ms: int


@dataclass(frozen=True, slots=True)
class RefuseCode:
    """No pairing code will come: tell those who wait."""

    code: Literal["no_code_on_offer", "whatsapp_unavailable"]


@dataclass(frozen=True, slots=True)
class AskLogout:
    incarnation: str


@dataclass(frozen=True, slots=True)
class AnswerLogout:
    """Tell those who wait whether WhatsApp confirmed."""

    unlinked: bool


@dataclass(frozen=True, slots=True)
class KeepFiles:
    """Destroy every device file of the bot but these."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Sends written for another account fail."""


@dataclass(frozen=True, slots=True)
class Erase:
    """The bot is stopped and unlinked: remove everything of it, then tell `deleted`."""


@dataclass(frozen=True, slots=True)
class Crashed:
    pass


@dataclass(frozen=True, slots=True)
class CountStreamError:
    code: str
    expected: bool


@dataclass(frozen=True, slots=True)
class MovedToPool:
    gap_s: float


Effect = (
    StartHost
    | StopHost
    | ShowQr
    | HideCodes
    | AskCode
    | ShowCode
    | RefuseCode
    | AskLogout
    | AnswerLogout
    | KeepFiles
    | AccountChanged
    | Erase
    | Crashed
    | CountStreamError
    | MovedToPool
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one input led to: the next state, what to commit with it, what to do after that."""

    state: BotState
    drafts: tuple[Draft, ...]
    effects: tuple[Effect, ...]
