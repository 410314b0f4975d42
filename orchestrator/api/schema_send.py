"""The body of `POST /bots/{id}/messages`: a closed set of forms, one for each kind of send.

Owns shapes; which form was meant is `bodies.py`'s to say, what its members may hold the outbox's. Pure. Read `bodies.py`
next.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from orchestrator.api.schema import Recipient, Text
from sessions.media import FileKind

MessageId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=128, description="messageId of a message, or of a send once it is sent")
]
Person = Annotated[
    str, msgspec.Meta(min_length=1, max_length=128, description="a phone number, or …@s.whatsapp.net, …@c.us or …@lid")
]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=255, description="1 to 255 characters")]


MediaId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="of a file uploaded to this bot")]
Url = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=2048, description="https:// or http:// address the file is fetched from, once; public"
    ),
]
Caption = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, description="1 to 1,024 characters")]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=86_400, description="how long it plays")]
Pixels = Annotated[int, msgspec.Meta(ge=1, le=16_384)]
Thumbnail = Annotated[bytes, msgspec.Meta(min_length=1, max_length=16_384, description="a small JPEG, in base64")]


class _Body(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A part of a request; a name it does not know is refused."""


class Quote(_Body, frozen=True):
    """The message that is answered; `sender` says who wrote it: left out, the chat's other side (groups need it)."""

    message_id: MessageId
    sender: Person | UnsetType = UNSET


class React(_Body, frozen=True):
    """React to a message; an empty emoji takes the reaction back. `sender` as in `Quote`; it may be the bot itself."""

    message_id: MessageId
    emoji: Annotated[str, msgspec.Meta(max_length=32)]
    sender: Person | UnsetType = UNSET


class Edit(_Body, frozen=True):
    """New words for a text the bot sent."""

    message_id: MessageId
    text: Text


class Revoke(_Body, frozen=True):
    """Delete a message the bot sent, for everyone."""

    message_id: MessageId


class SendLocation(_Body, frozen=True):
    """A place."""

    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    name: Label | UnsetType = UNSET
    address: Label | UnsetType = UNSET


class SendContact(_Body, frozen=True):
    """Somebody's card."""

    name: Label
    vcard: Annotated[str, msgspec.Meta(min_length=1, max_length=32_768, description="begins with BEGIN:VCARD")]


class SendPoll(_Body, frozen=True):
    """A question with answers; `selectable` is how many one person may choose, 0 any number."""

    question: Label
    options: Annotated[list[Label], msgspec.Meta(min_length=2, max_length=12)]
    selectable: Annotated[int, msgspec.Meta(ge=0, le=12)] = 1


class _File(_Body, frozen=True):
    """A file uploaded before, or where to fetch it: exactly one of the two."""

    media_id: MediaId | UnsetType = UNSET
    url: Url | UnsetType = UNSET


class SendImage(_File, frozen=True):
    """A JPEG or PNG of at most 16 MB; its size in pixels and a small picture of it are made here."""

    caption: Caption | UnsetType = UNSET
    thumbnail: Thumbnail | UnsetType = UNSET


class SendVideo(_File, frozen=True):
    """An MP4 or 3GP of at most 64 MB. What is shown before it is downloaded is the caller's to give."""

    caption: Caption | UnsetType = UNSET
    seconds: Seconds | UnsetType = UNSET
    width: Pixels | UnsetType = UNSET
    height: Pixels | UnsetType = UNSET
    thumbnail: Thumbnail | UnsetType = UNSET


class SendAudio(_File, frozen=True):
    """Music or another recording (MP3, AAC, M4A, AMR, Ogg) of at most 16 MB."""

    seconds: Seconds | UnsetType = UNSET


class SendVoice(_File, frozen=True):
    """A voice note: Ogg with Opus, at most 16 MB."""

    seconds: Seconds | UnsetType = UNSET


class SendDocument(_File, frozen=True):
    """Any file of at most 100 MB; without `name` it is called as it was uploaded."""

    name: Label | UnsetType = UNSET
    caption: Caption | UnsetType = UNSET
    thumbnail: Thumbnail | UnsetType = UNSET


class SendSticker(_File, frozen=True):
    """A WebP of at most 1 MB, moving or not; 512 pixels square is what clients expect."""


SendFile = SendImage | SendVideo | SendAudio | SendVoice | SendDocument | SendSticker
"""Each names its file by exactly one of `mediaId` and `url`."""


class SendMessage(_Body, frozen=True):
    """Send one thing: exactly one of text, image, video, audio, voice, document, sticker, reaction, edit, revoke,
    location, contact and poll. `quoted` goes with a text or a file, `mentions` with a text or a caption."""

    to: Recipient
    text: Text | UnsetType = UNSET
    quoted: Quote | UnsetType = UNSET
    mentions: Annotated[list[Person], msgspec.Meta(max_length=1024)] | UnsetType = UNSET
    image: SendImage | UnsetType = UNSET
    video: SendVideo | UnsetType = UNSET
    audio: SendAudio | UnsetType = UNSET
    voice: SendVoice | UnsetType = UNSET
    document: SendDocument | UnsetType = UNSET
    sticker: SendSticker | UnsetType = UNSET
    reaction: React | UnsetType = UNSET
    edit: Edit | UnsetType = UNSET
    revoke: Revoke | UnsetType = UNSET
    location: SendLocation | UnsetType = UNSET
    contact: SendContact | UnsetType = UNSET
    poll: SendPoll | UnsetType = UNSET


FILES: tuple[FileKind, ...] = ("image", "video", "audio", "voice", "document", "sticker")
FORMS = ("text", *FILES, "reaction", "edit", "revoke", "location", "contact", "poll")
"""Members of which a body has exactly one."""
BESIDE = {"quoted": ("text", *FILES), "mentions": ("text", "image", "video", "document")}
"""Members that go with some of them."""


def show_forms(components: dict[str, Any]) -> None:
    """Say in the JSON schemas of `SendMessage` and its files what their members alone don't: which go together."""
    for kind in (SendImage, SendVideo, SendAudio, SendVoice, SendDocument, SendSticker):
        components[kind.__name__]["oneOf"] = [{"required": ["mediaId"]}, {"required": ["url"]}]
    component = components["SendMessage"]
    component["oneOf"] = [{"required": [form]} for form in FORMS]
    component["dependentSchemas"] = {
        name: {"anyOf": [{"required": [form]} for form in forms]} for name, forms in BESIDE.items()
    }
