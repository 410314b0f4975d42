"""Who is who in the library's events: addresses of people, chats and one's own account. Pure.

Owns the choice of the canonical form (the LID when it is known, else the phone). It must never import the library. Read
`translate.py` next for who asks.
"""

from __future__ import annotations

from typing import Any

from sessions.model import GROUP_SERVER, LID_SERVER, USER_SERVER, Account, Jid


def jid(proto: Any) -> Jid | None:
    """A library JID; None for the empty one."""
    user, server = str(proto.User), str(proto.Server)
    return Jid(user, server, int(proto.Device)) if server else None


def account(own: Any, lid: Any, push_name: Any) -> Account | None:
    """The account of a device; None before it is linked."""
    phone = jid(own)
    if phone is None or not phone.user:
        return None
    hidden = jid(lid) if lid is not None else None
    known_lid = str(hidden) if hidden is not None and hidden.user else None
    return Account(str(phone), known_lid, phone.user, str(push_name) if push_name else None)


def forms(one: Jid | None, other: Jid | None, known: Account | None) -> tuple[str, str | None]:
    """(canonical form, phone form if known) of one person or group, without devices."""
    if one is None:
        raise ValueError("no address")
    pair = [form.bare for form in (one, other) if form is not None and form.user]
    if known is not None and known.lid is not None:
        own_phone, own_lid = Jid.parse(known.jid).bare, Jid.parse(known.lid).bare
        if own_phone in pair or own_lid in pair:
            pair += [own_lid, own_phone]
    canonical = next((form for form in pair if form.server == LID_SERVER), one.bare)
    phone = next((form for form in pair if form.server == USER_SERVER), None)
    return str(canonical), str(phone) if phone is not None else None


def own(known: Account | None) -> frozenset[str]:
    """Both forms of one's own address, as far as they are known."""
    if known is None:
        return frozenset()
    return frozenset(str(Jid.parse(form).bare) for form in (known.jid, known.lid) if form is not None)


def place(source: Any, known: Account | None) -> tuple[str, str | None, str, str | None]:
    """(chat, chat's phone form, sender, sender's phone form) of a MessageSource (whatsmeow types/message.go)."""
    chat, sender = jid(source.Chat), jid(source.Sender)
    if source.IsGroup or (chat is not None and chat.server == GROUP_SERVER):
        where: tuple[str, str | None] = (str(chat), None) if chat is not None else forms(None, None, None)
    else:
        # A direct chat is named after its other side: the recipient's other form is told for our own messages only.
        other = jid(source.RecipientAlt if source.IsFromMe else source.SenderAlt)
        where = forms(chat, other, known)
    return *where, *forms(sender or chat, jid(source.SenderAlt), known)


def plain(address: str) -> str:
    """A JID out of a message body, which anybody can fill with anything: without its device when it is one."""
    try:
        return str(Jid.parse(address).bare)
    except ValueError:
        return address
