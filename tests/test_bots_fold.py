"""The fold, row by row: what each signal makes of a bot that is up, or that is being linked."""

from __future__ import annotations

from typing import get_args

import pytest

from orchestrator.bots import fold_session, moves
from orchestrator.bots.fold import fold, wake_at
from orchestrator.bots.frames import stream_error_label
from orchestrator.bots.live import filled
from orchestrator.bots.moves import BotState, Outcome, StopHost, Told
from orchestrator.bots.outbox_fold import resolve
from orchestrator.bots.record import HOUR_MS, tries
from orchestrator.bots.room import Accounts
from orchestrator.errors import REASONS, Refused
from orchestrator.model import Status
from orchestrator.ports import SessionGone
from orchestrator.proxies import permitted
from sessions import lifecycle, model
from tests.support.bot_states import ACCOUNT, at, connected, fresh_bot, scanning


def tell(state: BotState, event: model.SessionEvent, incarnation: str = "inc_0") -> Outcome:
    """Fold one event of a session, at the moment it was told."""
    now = at()
    return fold(state, Told(incarnation, now.wall_ms, event), now)


UP = [
    # (row, event), (status, reason, user action), frame, session ends, comes back by itself
    (11, model.OfflineSync(3, False), ("connected", None, None), "offline_sync", False, False),
    (13, model.Disconnected(), ("reconnecting", "connection_lost", None), "whatsapp_disconnected", False, False),
    (14, model.KeepaliveTimeout(1), ("connected", None, None), "keepalive_timeout", False, False),
    (14, model.KeepaliveTimeout(2), ("degraded", "keepalive_lost", None), "keepalive_timeout", False, False),
    (15, model.KeepaliveRestored(), ("connected", None, None), "keepalive_restored", False, False),
    (16, model.ConnectFailed(503), ("reconnecting", "server_restarting", None), None, False, False),
    (17, model.LoggedOut(False, "unlinked_on_phone"), ("logged_out", "unlinked_on_phone", "link_again"), "logged_out",
     True, False),
    (18, model.LoggedOut(True, "other"), ("logged_out", "unlinked_on_phone", "link_again"), "logged_out", True, False),
    (19, model.LoggedOut(True, "main_device_gone"), ("blocked", "main_device_gone", "open_whatsapp"), "logged_out",
     True, False),
    (20, model.LoggedOut(True, "account_banned"), ("blocked", "account_banned", "open_whatsapp"), "logged_out",
     True, False),
    (21, model.TemporarilyBanned(101, 3600), ("banned", "temporary_ban", "wait"), "temporary_ban", True, True),
    (22, model.ClientOutdated(), ("outdated", "client_outdated", "operator_upgrade"), "client_outdated", True, False),
    (23, model.ConnectFailed(409), ("outdated", "client_refused", "operator_upgrade"), "connect_failure", True, False),
    (24, model.ConnectFailed(400), ("reconnecting", "refused", None), "connect_failure", True, True),
    (25, model.ConnectFailed(418), ("reconnecting", "unknown_refusal", None), "connect_failure", True, True),
    (27, model.StreamReplaced(), ("replaced", "stream_replaced", "reconnect_here"), "stream_replaced", True, True),
    (28, model.StreamError("x"), ("degraded", "stream_error", None), "stream_error", False, False),
    (29, model.StartFailed("tls_failed"), ("connecting", "tls_failed", None), None, True, True),
    (30, model.StartFailed("timed_out"), ("connecting", "whatsapp_unreachable", None), None, True, True),
    (38, model.PumpDied("x"), ("reconnecting", "event_pump_dead", None), None, True, True),
    (39, model.KeysMissing(), ("logged_out", "keys_missing", "link_again"), "logged_out", True, False),
]  # fmt: skip


@pytest.mark.parametrize(("row", "event", "expected", "frame", "ends", "back"), UP, ids=lambda one: str(one)[:30])
def test_rows_of_a_bot_that_is_up(
    row: int,
    event: model.SessionEvent,
    expected: tuple[str, str | None, str | None],
    frame: str | None,
    ends: bool,
    back: bool,
) -> None:
    """Status, reason, what a person can do, the frame, whether the session ends and whether it comes back by itself."""
    outcome = tell(connected(), event)
    bot = outcome.state.bot
    assert lifecycle.judge(event, linking=False).row.number == row
    assert (bot.status, bot.reason.code if bot.reason else None, bot.user_action) == expected
    told = [draft.type for draft in outcome.drafts if draft.name == "whatsapp_connection_event"]
    assert told == ([frame] if frame else [])
    assert (StopHost() in outcome.effects) is ends
    assert (outcome.state.want is not None) is back
    assert bot.restarts == 0 and outcome.state.history.crashes == (), "an expected event never counts"


LINKING = [
    (model.QrOffered("2@x", 1, 6, 60), ("awaiting_scan", None, "scan"), None, False),
    (model.CodesExpired(), ("login_expired", "codes_expired", "request_new_code"), "login_expired", True),
    (model.Disconnected(), ("login_expired", "codes_expired", "request_new_code"), "login_expired", True),
    (model.PairSucceeded(ACCOUNT), ("pairing", None, None), "pair_success", False),
    (model.PairFailed("x"), ("login_expired", "pair_failed", "request_new_code"), "pair_error", True),
    (model.PumpDied("x"), ("login_expired", "pair_failed", "request_new_code"), "pair_error", True),
    (model.ScannedWithoutMultidevice(), ("awaiting_scan", "phone_without_multidevice", "scan"),
     "scanned_without_multidevice", False),
    (model.PasskeyRequired(), ("passkey_required", "passkey_required", "use_other_account"), "passkey_required", True),
    (model.StartFailed("proxy_failed"), ("starting", "whatsapp_unreachable", None), None, True),
    (model.StartFailed("dns_failed"), ("starting", "whatsapp_unreachable", None), None, True),
    (model.StartFailed("tls_failed"), ("starting", "tls_failed", None), None, True),
]  # fmt: skip


@pytest.mark.parametrize(("event", "expected", "frame", "ends"), LINKING, ids=lambda one: str(one)[:30])
def test_rows_of_a_link_attempt(
    event: model.SessionEvent, expected: tuple[str, str | None, str | None], frame: str | None, ends: bool
) -> None:
    """An attempt's endings wait for a person, except a network that is not there."""
    ends_codes = isinstance(event, model.CodesExpired | model.Disconnected)
    before = offering() if ends_codes else scanning()
    outcome = tell(before, event)
    bot = outcome.state.bot
    assert (bot.status, bot.reason.code if bot.reason else None, bot.user_action) == expected
    told = [draft.type for draft in outcome.drafts if draft.name == "whatsapp_connection_event"]
    assert told == ([frame] if frame else [])
    assert (StopHost() in outcome.effects) is ends
    assert (outcome.state.want is not None) is isinstance(event, model.StartFailed)
    assert bot.status_version == before.bot.status_version + 1


def offering() -> BotState:
    """A link attempt whose first code is on offer."""
    return tell(scanning(), model.QrOffered("2@x", 1, 6, 60)).state


@pytest.mark.parametrize("event", [model.CodesExpired(), model.Disconnected()], ids=str)
def test_nothing_expires_before_the_first_code(event: model.SessionEvent) -> None:
    """WhatsApp that closes before it offered a code is tried again, as the same attempt; nobody could have scanned."""
    outcome = tell(scanning(), event)
    bot = outcome.state.bot
    assert (bot.status, bot.reason.code if bot.reason else None) == ("starting", "whatsapp_unreachable")
    assert bot.retry_at is not None and bot.link is not None and bot.link.attempt == 1
    assert outcome.state.want is not None and outcome.state.want.purpose == "link"
    assert [draft.name for draft in outcome.drafts] == ["bot_status_update"]


def test_a_refused_version_ends_the_attempt_in_one_step() -> None:
    """`outdated` while linking: one change of status, and no link attempt is shown any more."""
    state = offering()
    ended = tell(state, model.ClientOutdated())
    assert (ended.state.bot.status, ended.state.bot.link) == ("outdated", None)
    stopped = fold(ended.state, moves.HostStopped(), at())
    assert stopped.state.bot.status_version == ended.state.bot.status_version == state.bot.status_version + 1
    assert stopped.state.private.candidate is None and not stopped.drafts


def test_statuses_and_reasons_of_the_table_are_ours() -> None:
    """Every status and reason the lifecycle table can give is one users know."""
    rows = (*lifecycle.ROWS, *lifecycle.OWN_ROWS)
    assert {row.status for row in rows if row.status} <= set(get_args(Status))
    assert {row.reason for row in rows if row.reason} <= set(REASONS)
    assert set(lifecycle.USER_ACTIONS) == set(get_args(Status))
    for status in get_args(Status):
        assert fold_session.to_status(status) == status


def test_515_while_pairing_is_silent() -> None:
    """The restart of the stream after a scan is neither a frame nor an error."""
    pairing = tell(scanning(), model.PairSucceeded(ACCOUNT)).state
    outcome = tell(pairing, model.Disconnected())
    assert outcome.drafts == () and outcome.state.bot.status == "pairing"
    done = tell(outcome.state, model.Connected(ACCOUNT))
    assert [draft.type for draft in done.drafts] == ["whatsapp_connected", "status"]


@pytest.mark.parametrize(
    "event",
    [
        model.Disconnected(),
        model.StreamReplaced(),
        model.KeepaliveTimeout(5),
        model.PumpDied("x"),
        model.Connected(ACCOUNT),
    ],
)
def test_the_past_says_nothing_about_now(event: model.SessionEvent) -> None:
    """What an earlier incarnation had spooled is told, and changes no status."""
    outcome = tell(connected(), event, "inc_earlier")
    assert outcome.state == connected() and outcome.effects == ()


def test_a_log_out_of_the_past_holds() -> None:
    """Keys that were deleted before a crash are gone after it."""
    outcome = tell(connected(), model.LoggedOut(False, "unlinked_on_phone"), "inc_earlier")
    assert outcome.state.bot.status == "logged_out" and outcome.state.private.device_file is None


def test_a_start_that_hung_comes_back_alone() -> None:
    """After a start that told nothing in time the bot starts in a worker of its own, where it holds up nobody."""
    ended = fold(connected(), moves.Gone(SessionGone("inc_0", "start_timed_out", suspect=False, alone=True)), at())
    again = fold(ended.state, moves.Tick(), at(1_400))
    assert [effect.placement for effect in again.effects if isinstance(effect, moves.StartHost)] == ["own"]
    crashed = fold(connected(), moves.Gone(SessionGone("inc_0", "crashed", suspect=False, alone=False)), at())
    other = fold(crashed.state, moves.Tick(), at(1_400))
    assert [effect.placement for effect in other.effects if isinstance(effect, moves.StartHost)] == ["pool"]


def test_pauses_and_incidents_move_watchdogs() -> None:
    """A watchdog counts only time in which the supervisor ran and the way was there; other deadlines stay."""
    lost = tell(connected(), model.Disconnected()).state
    due = lost.timers["reconnect"]
    away = fold(lost, moves.Away(40.0), at(1_005)).state
    assert away.timers["reconnect"] == due + 40
    held = fold(away, moves.Held("dns_failed"), at(1_010)).state
    assert wake_at(held) is None
    free = fold(held, moves.Released(), at(1_015)).state
    assert free.timers["reconnect"] == due + 45 and wake_at(free) == due + 45


def test_a_long_outage_is_not_waited_out() -> None:
    """When the incident is over and the library's own next try is far off, the session is restarted."""
    lost = tell(connected(), model.Disconnected()).state
    held = fold(lost, moves.Held("dns_failed"), at(1_020)).state
    assert StopHost() in fold(held, moves.Released(), at(1_060)).effects
    assert StopHost() not in fold(held, moves.Released(), at(1_025)).effects


def test_proved_at() -> None:
    """The newest proof; silence proves up to 45 s ago while the link is up and no ping is unanswered."""
    state, now_ms = connected(), 1_790_001_000_000
    assert filled(state.bot, state, 5, 10, now_ms).proved_at == now_ms - 45_000
    assert filled(state.bot, state, now_ms - 1, 10, now_ms).proved_at == now_ms - 1
    open_ = tell(state, model.KeepaliveTimeout(1)).state
    assert filled(open_.bot, open_, 5, 10, now_ms).proved_at == 5
    stopped = BotState(fresh_bot(), state.private)
    assert filled(stopped.bot, stopped, None, 10, now_ms).proved_at is None


def test_tries_are_given_back_after_an_hour() -> None:
    """The limit counts the last hour; a clock that was set back gives no free tries for ever."""
    assert tries((0, 1000), 3, 2000) == (1, HOUR_MS)
    assert tries((0, 1000), 3, HOUR_MS) == (2, 1000 + HOUR_MS)
    assert tries((), 3, 5) == (3, None)


def test_an_account_has_one_bot() -> None:
    """Look-up and change of accounts."""
    accounts = Accounts()
    accounts.hold("a", "1")
    assert accounts.taken("b", "1") and not accounts.taken("a", "1")
    accounts.hold("a", "2")
    assert not accounts.taken("b", "1") and accounts.taken("b", "2")
    accounts.hold("a", None)
    assert not accounts.taken("b", "2")


@pytest.mark.parametrize(
    ("to", "chat"),
    [
        ("+4915112345678", "4915112345678@s.whatsapp.net"),
        (" +49 (151) 1234-5678 ", "4915112345678@s.whatsapp.net"),
        ("4915112345678@c.us", "4915112345678@s.whatsapp.net"),
        ("4915112345678:7@s.whatsapp.net", "4915112345678@s.whatsapp.net"),
        ("99887766554433@lid", "99887766554433@lid"),
        ("120363042345678901@g.us", "120363042345678901@g.us"),
        ("4915112345678-1600000000@g.us", "4915112345678-1600000000@g.us"),
    ],
)
def test_addresses(to: str, chat: str) -> None:
    """Every form the contract names becomes one canonical chat."""
    assert resolve(to) == chat
    assert resolve(resolve(to)) == chat


@pytest.mark.parametrize("to", ["", "+", "0151123456", "12", "ada", "1@", "@lid", "1@example.org", "x@g.us",
                                "status@broadcast", "1" * 40, "٤٩١٥١١٢٣٤٥٦٧"])  # fmt: skip
def test_wrong_addresses_name_the_field(to: str) -> None:
    """Anything else is refused, naming `to` and the remedy, and not repeating the text."""
    with pytest.raises(Refused) as refused:
        resolve(to)
    assert (refused.value.code, refused.value.field) == ("invalid_field", "to")
    assert len(to) < 5 or to not in refused.value.message


@pytest.mark.parametrize(
    ("host", "addresses", "fine"),
    [
        ("proxy.example", ["93.184.215.14"], True),
        ("proxy.example", ["93.184.215.14", "10.0.0.5"], False),
        ("localhost", ["127.0.0.1", "::1"], False),
        ("metadata", ["169.254.169.254"], False),
        ("inside", ["192.168.7.9"], True),
        ("named", ["10.9.9.9"], True),
        ("with-port", ["10.9.9.9"], True),
        ("nothing", [], False),
    ],
)
def test_proxies_of_bots_are_public_or_allowed(host: str, addresses: list[str], fine: bool) -> None:
    """Every address of the name counts; the operator allows by host, host:port or network."""
    assert permitted(host, 1080, addresses, ["192.168.7.0/24", "named", "with-port:1080"]) is fine


def test_labels_of_stream_errors_are_bounded() -> None:
    """What WhatsApp sends as a code never becomes a metric label of its own making."""
    assert [stream_error_label(code) for code in ("500", "", "<x>", "1234", "٥٠٠")] == [
        "500", "other", "other", "other", "other",
    ]  # fmt: skip
