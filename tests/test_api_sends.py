"""`POST /bots/{id}/messages`: a closed set of forms; exactly one is given, and what is wrong is named."""

from __future__ import annotations

from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from orchestrator.api import bodies, openapi, routes, schema_send
from orchestrator.errors import Refused
from sessions import model

VCARD = "BEGIN:VCARD\nEND:VCARD"
FORMS: list[tuple[dict[str, Any], model.Outgoing]] = [
    ({"text": "hi"}, model.OutgoingText("1", "hi")),
    ({"text": "hi", "quoted": {"messageId": "A"}, "mentions": []}, model.OutgoingText("1", "hi", model.Quoted("A", None))),
    ({"text": "hi", "quoted": {"messageId": "A", "sender": "2"}, "mentions": ["3"]},
     model.OutgoingText("1", "hi", model.Quoted("A", "2"), ("3",))),
    ({"reaction": {"messageId": "A", "emoji": ""}}, model.OutgoingReaction("1", "A", "")),
    ({"reaction": {"messageId": "A", "emoji": "👍", "sender": "2"}}, model.OutgoingReaction("1", "A", "👍", "2")),
    ({"edit": {"messageId": "A", "text": "new"}}, model.OutgoingEdit("1", "A", "new")),
    ({"revoke": {"messageId": "A"}}, model.OutgoingRevoke("1", "A")),
    ({"location": {"latitude": 1, "longitude": -2.5}}, model.OutgoingLocation("1", 1.0, -2.5)),
    ({"location": {"latitude": 1.5, "longitude": 2, "name": "n", "address": "a"}},
     model.OutgoingLocation("1", 1.5, 2.0, "n", "a")),
    ({"contact": {"name": "Bob", "vcard": VCARD}}, model.OutgoingContact("1", "Bob", VCARD)),
    ({"poll": {"question": "?", "options": ["a", "b"]}}, model.OutgoingPoll("1", "?", ("a", "b"), 1)),
    ({"poll": {"question": "?", "options": ["a", "b"], "selectable": 0}}, model.OutgoingPoll("1", "?", ("a", "b"), 0)),
    ({"image": {"mediaId": "med_1", "caption": "c"}, "mentions": ["3"]},
     model.OutgoingMedia("1", "image", "med_1", caption="c", mentions=("3",))),
    ({"video": {"url": "https://a.example/b", "seconds": 3, "width": 4, "height": 5, "thumbnail": "/9j/"}},
     model.OutgoingMedia("1", "video", None, "https://a.example/b", seconds=3, width=4, height=5, thumbnail=b"\xff\xd8\xff")),
    ({"audio": {"mediaId": "med_1", "seconds": 0}}, model.OutgoingMedia("1", "audio", "med_1", seconds=0)),
    ({"voice": {"mediaId": "med_1"}, "quoted": {"messageId": "A"}},
     model.OutgoingMedia("1", "voice", "med_1", quoted=model.Quoted("A", None))),
    ({"document": {"mediaId": "med_1", "name": "n"}}, model.OutgoingMedia("1", "document", "med_1", name="n")),
    ({"sticker": {"mediaId": "med_1"}}, model.OutgoingMedia("1", "sticker", "med_1")),
]  # fmt: skip
assert {type(outgoing) for _, outgoing in FORMS} == set(get_args(model.Outgoing))

WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "text"),
    ({"text": None}, "text"),
    ({"text": "x", "reaction": {"messageId": "A", "emoji": "👍"}}, "reaction"),
    ({"edit": {"messageId": "A", "text": "x"}, "revoke": {"messageId": "A"}}, "revoke"),
    ({"revoke": {"messageId": "A"}, "quoted": {"messageId": "A"}}, "quoted"),
    ({"poll": {"question": "?", "options": ["a", "b"]}, "mentions": ["2"]}, "mentions"),
    ({"quoted": {"messageId": "A"}}, "text"),
    ({"image": {"caption": "c"}}, "image.mediaId"),
    ({"image": {"mediaId": "med_1", "url": "https://a.example/b"}}, "image.mediaId"),
    ({"image": {"mediaId": "med_1"}, "text": "x"}, "image"),
    ({"sticker": {"mediaId": "med_1", "caption": "c"}}, "sticker.caption"),
    ({"voice": {"mediaId": "med_1"}, "mentions": ["2"]}, "mentions"),
    ({"video": {"mediaId": "med_1", "thumbnail": ""}}, "video.thumbnail"),
    ({"video": {"mediaId": "med_1", "seconds": -1}}, "video.seconds"),
    ({"media": {}}, "media"),
    ({"reaction": {"messageId": "A"}}, "reaction.emoji"),
    ({"reaction": {"messageId": "A", "emoji": "👍", "remove": True}}, "reaction.remove"),
    ({"location": {"latitude": "1", "longitude": 1}}, "location.latitude"),
]  # fmt: skip

_SCHEMAS = openapi.document(routes.all_routes(), "0")["components"]["schemas"]
_VALIDATOR = jsonschema.Draft202012Validator(
    {"$ref": "#/components/schemas/SendMessage", "components": {"schemas": _SCHEMAS}}
)


@pytest.mark.parametrize(("form", "outgoing"), FORMS, ids=[f"{n}-{'-'.join(f)}" for n, (f, _) in enumerate(FORMS)])
def test_forms(form: dict[str, Any], outgoing: model.Outgoing) -> None:
    """Each form is read into its send, from REST's bytes and the socket's data alike, and OpenAPI allows it."""
    body = {"to": "1", **form}
    assert bodies.outgoing(msgspec.json.decode(msgspec.json.encode(body), type=schema_send.SendMessage)) == outgoing
    assert bodies.Bodies().message(body) == outgoing
    _VALIDATOR.validate(body)


@pytest.mark.parametrize(("form", "field"), WRONG, ids=[f"{n}-{field}" for n, (_, field) in enumerate(WRONG)])
def test_wrong_forms(form: dict[str, Any], field: str) -> None:
    """None or several forms, or a member that goes with another, is refused by name; OpenAPI says the same."""
    body = {"to": "1", **form}
    with pytest.raises(Refused) as refused:
        bodies.Bodies().message(body)
    assert (refused.value.code, refused.value.field) == ("invalid_field", field)
    assert refused.value.message.startswith(f"{field}: ")
    assert not _VALIDATOR.is_valid(body)
