"""Which of the library's events a session subscribes to, and the compiled class each one is.

Owns these numbers (neonize events.py). Read `translate.py` next for how each is read, `whatsapp.py` for who asks for them.
"""

from __future__ import annotations

from typing import Final

SUBSCRIPTIONS: Final = (
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 18, 19, 20, 21, 22, 26, 27, 36, 37, 40, 42, 43, 44, 45,
)  # fmt: skip
"""Event numbers (neonize events.py) encoded for us: linking, link, past chats (13), messages, receipts, presence, groups,
offline sync, calls (without their media's 38, 39 and 41). Each further one is a further way for the pump to die, since
odd values of required enums can't be encoded (8, 9, 18, 19 and community links in 22); 19 and 20 are for bots that want
presence."""

CLASSES: Final = {
    0: "Device", 2: "PairStatus", 3: "Connected", 4: "KeepAliveTimeout", 5: "KeepAliveRestored", 6: "LoggedOut",
    7: "StreamReplaced", 8: "TemporaryBan", 9: "ConnectFailure", 10: "ClientOutdated", 11: "StreamError",
    12: "Disconnected", 13: "HistorySync", 17: "Message",
    18: "Receipt", 19: "ChatPresence", 20: "Presence", 21: "JoinedGroup",
    22: "GroupInfoEvent", 26: "OfflineSyncPreview", 27: "OfflineSyncCompleted", 36: "CallOffer", 37: "CallAccept",
    40: "CallOfferNotice", 42: "CallTerminate", 43: "UnknownCallEvent", 44: "UndecryptableMessage",
    45: "RotateADVSecret",
}  # fmt: skip
"""Every subscription, and 0, which comes unasked first."""
