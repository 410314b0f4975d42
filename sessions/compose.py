"""What is sent, as the waE2E message WhatsApp's clients understand. Pure: whoever holds the compiled classes passes them.

Owns the way out; `translate_messages.py` is the way in. Facts: whatsmeow send.go (BuildEdit, BuildRevoke, BuildReaction,
BuildPollCreation), which also makes the stanza's type and edit mark from the message. Read `outgoing.py` next for the
records.
"""

from __future__ import annotations

from typing import Any, assert_never

from sessions import model
from sessions.model import GROUP_SERVER, Jid, Outgoing


def message(e2e: Any, outgoing: Outgoing, to: Jid, now_ms: int, secret: bytes) -> Any:
    """Return the `waE2E.Message` of a send; files have `compose_media.py`.

    Args:
        e2e: the compiled module.
        to: the parsed `outgoing.to`.
        now_ms: when it is sent; edits and reactions are ordered by it.
        secret: 32 random bytes, the key under which votes of a poll are encrypted.
    """
    match outgoing:
        case model.OutgoingText():
            return _text(e2e, outgoing, to)
        case model.OutgoingReaction():
            key = {"remoteJID": str(to), "fromMe": outgoing.from_me, "ID": outgoing.message_id}
            if to.server == GROUP_SERVER and outgoing.sender is not None and not outgoing.from_me:
                key["participant"] = outgoing.sender
            reaction = e2e.ReactionMessage(key=key, text=outgoing.emoji, senderTimestampMS=now_ms)
            return e2e.Message(reactionMessage=reaction)
        case model.OutgoingEdit():
            edit = e2e.ProtocolMessage(
                key=_own(to, outgoing.message_id),
                type=e2e.ProtocolMessage.MESSAGE_EDIT,
                editedMessage=e2e.Message(conversation=outgoing.text),
                timestampMS=now_ms,
            )
            wrapped = e2e.FutureProofMessage(message=e2e.Message(protocolMessage=edit))
            return e2e.Message(editedMessage=wrapped)
        case model.OutgoingRevoke():
            revoke = e2e.ProtocolMessage(key=_own(to, outgoing.message_id), type=e2e.ProtocolMessage.REVOKE)
            return e2e.Message(protocolMessage=revoke)
        case model.OutgoingLocation():
            place = e2e.LocationMessage(
                degreesLatitude=outgoing.latitude,
                degreesLongitude=outgoing.longitude,
                name=outgoing.name,
                address=outgoing.address,
            )
            return e2e.Message(locationMessage=place)
        case model.OutgoingContact():
            card = e2e.ContactMessage(displayName=outgoing.name, vcard=outgoing.vcard)
            return e2e.Message(contactMessage=card)
        case model.OutgoingPoll():
            poll = e2e.PollCreationMessage(
                name=outgoing.question,
                options=[e2e.PollCreationMessage.Option(optionName=option) for option in outgoing.options],
                selectableOptionsCount=outgoing.selectable,
            )
            context = e2e.MessageContextInfo(messageSecret=secret)
            return e2e.Message(pollCreationMessage=poll, messageContextInfo=context)
        case model.OutgoingMedia():
            raise ValueError("a file is uploaded first")
        case _:
            assert_never(outgoing)


def _own(to: Jid, message_id: str) -> dict[str, object]:
    """The key of a message the account sent."""
    return {"remoteJID": str(to), "fromMe": True, "ID": message_id}


def _text(e2e: Any, outgoing: model.OutgoingText, to: Jid) -> Any:
    quoted = outgoing.quoted
    if quoted is None and not outgoing.mentions:
        return e2e.Message(conversation=outgoing.text)
    context = e2e.ContextInfo(mentionedJID=outgoing.mentions)
    if quoted is not None:
        context.stanzaID = quoted.message_id
        context.participant = quoted.sender or str(to)
        # Clients show their own copy of the message; without this member they take it for no answer.
        context.quotedMessage.conversation = ""
    return e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text=outgoing.text, contextInfo=context))
