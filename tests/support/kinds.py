"""Content of a message as a phone would encode it: the tests' own way from records to waE2E, for every kind."""

from __future__ import annotations

from typing import Any

from sessions.model import ContactCard, Content, Location, Media, MessageKind, Poll
from tests.loopback import kinds
from tests.support.files import picture

VCARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Bob\nTEL;waid=491707654321:+49 170 7654321\nEND:VCARD"

THUMBNAIL = picture(width=64, height=40)

EXAMPLES: list[tuple[MessageKind, Content]] = [
    ("image", Content("look", media=Media("image/jpeg", 1234, width=640, height=480, thumbnail=THUMBNAIL))),
    ("video", Content("watch", media=Media("video/mp4", 99, seconds=3, thumbnail=THUMBNAIL))),
    ("audio", Content(media=Media("audio/mpeg", 5000, seconds=60))),
    ("voice", Content(media=Media("audio/ogg; codecs=opus", 700, seconds=2))),
    ("document", Content("the bill", media=Media("application/pdf", 7, "bill.pdf"))),
    ("sticker", Content(media=Media("image/webp", 300, width=512, height=512))),
    ("location", Content(location=Location(52.5, -13.25, "Here", "Road 1"))),
    ("contact", Content(contacts=(ContactCard("Bob", VCARD),))),
    ("poll", Content(poll=Poll("When?", ("Mon", "Tue"), 1))),
]
"""One of each kind that holds more than words."""


def encode(kind: MessageKind, content: Content) -> Any:
    """A waE2E.Message of that kind."""
    match kind:
        case "location":
            assert content.location is not None
            place = content.location
            return kinds.message(
                locationMessage={
                    "degreesLatitude": place.latitude, "degreesLongitude": place.longitude,
                    "name": place.name, "address": place.address,
                }
            )  # fmt: skip
        case "contact":
            (card,) = content.contacts
            return kinds.message(contactMessage={"displayName": card.name, "vcard": card.vcard})
        case "poll":
            assert content.poll is not None
            options = [{"optionName": option} for option in content.poll.options]
            poll = {
                "name": content.poll.question,
                "options": options,
                "selectableOptionsCount": content.poll.selectable,
            }
            return kinds.message(pollCreationMessageV3=poll, messageContextInfo={"messageSecret": b"s" * 32})
        case _:
            return _media(kind, content)


def _media(kind: MessageKind, content: Content) -> Any:
    media = content.media
    assert media is not None
    part: dict[str, Any] = {"mimetype": media.mimetype, "fileLength": media.size}
    part |= {
        name: value
        for name, value in (
            ("caption", content.text), ("fileName", media.name), ("seconds", media.seconds), ("width", media.width),
            ("height", media.height), ("JPEGThumbnail", media.thumbnail),
        )
        if value is not None
    }  # fmt: skip
    # What a real file has; nobody fetches it.
    part |= {"URL": "https://mmg.whatsapp.net/o1/v/x", "mediaKey": b"k" * 32, "directPath": "/o1/v/x"}
    if kind in {"audio", "voice"}:
        return kinds.message(audioMessage={**part, "PTT": kind == "voice"})
    return kinds.message(**{f"{kind}Message": part})
