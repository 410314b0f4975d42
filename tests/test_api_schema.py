"""Fields of bodies: what is taken, what is refused, and in which words."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api import schema
from orchestrator.api.schema_send import SendMessage
from orchestrator.errors import Refused


@pytest.mark.parametrize(
    ("given_", "plain"),
    [
        ("+4915112345678", "4915112345678"),
        ("49 151 123-456.78", "4915112345678"),
        ("(555) 010-0001", "5550100001"),
        ("1234567", "1234567"),
        ("123456789012345", "123456789012345"),
    ],
)
def test_phones(given_: str, plain: str) -> None:
    """Numbers may be written as people write them."""
    assert schema.digits("phone", given_) == plain


@pytest.mark.parametrize(
    "wrong", ["", "123456", "1234567890123456", "++491511234567", "0049x", "１２３４５６７８", "12345678@c.us"]
)
def test_wrong_phones(wrong: str) -> None:
    """Anything else is refused, with an example of what to give."""
    with pytest.raises(Refused, match=r"phone: .*\+49") as refused:
        schema.digits("phone", wrong)
    assert (refused.value.code, refused.value.field) == ("invalid_field", "phone")


@given(st.text(max_size=80))
def test_phones_are_total(text: str) -> None:
    """Whatever is typed gives digits or a refusal, never anything else."""
    try:
        plain = schema.digits("phone", text)
    except Refused as refused:
        assert refused.code == "invalid_field"
    else:
        assert plain.isascii() and plain.isdecimal() and 7 <= len(plain) <= 15


def test_names() -> None:
    """Names lose outer blanks; blank and unprintable ones are refused."""
    assert schema.checked_name("name", "  Zoë 🤖 ") == "Zoë 🤖"
    for wrong in ("   ", "a\nb", "a\x00", "\u202eabc"):
        with pytest.raises(Refused, match=r"^name: "):
            schema.checked_name("name", wrong)


@pytest.mark.parametrize("proxy", ["http://10.0.0.1:3128", "socks5://user:pass@proxy.example:1080", "http://[::1]:80"])
def test_proxies(proxy: str) -> None:
    """HTTP and SOCKS5 proxies with a port are taken."""
    assert schema.checked_proxy(proxy) == proxy


@pytest.mark.parametrize(
    "wrong", ["", "proxy:3128", "ftp://x:1", "http://x", "http://:80", "http://x:99999", "http://[::1"]
)
def test_wrong_proxies(wrong: str) -> None:
    """Anything else is refused without repeating it: it may hold a password."""
    with pytest.raises(Refused) as refused:
        schema.checked_proxy(wrong)
    assert refused.value.field == "proxy" and (not wrong or wrong not in refused.value.message)


@pytest.mark.parametrize(
    ("kind", "body", "field", "words"),
    [
        (schema.CreateBot, {}, "name", "required"),
        (schema.CreateBot, {"name": ""}, "name", ">= 1"),
        (schema.CreateBot, {"name": "x" * 65}, "name", "<= 64"),
        (schema.CreateBot, {"name": "x", "start": "yes"}, "start", "bool"),
        (schema.CreateBot, {"name": "x", "deviceName": ""}, "deviceName", ">= 1"),
        (schema.CreateBot, {"name": "x", "device_name": "y"}, "device_name", "no such field"),
        (schema.PatchBot, {"name": None}, "name", "null"),
        (schema.Link, {"method": "sms"}, "method", "one of qr, code"),
        (SendMessage, {"text": "x"}, "to", "required"),
        (SendMessage, {"to": "1", "reaction": {"messageId": ""}}, "reaction.messageId", ">= 1"),
        (SendMessage, {"to": "1", "location": {"latitude": 91, "longitude": 0}}, "location.latitude", "<= 90"),
        (SendMessage, {"to": "1", "poll": {"question": "?", "options": ["a"]}}, "poll.options", ">= 2"),
        (SendMessage, {"to": "1", "text": ""}, "text", ">= 1"),
        (SendMessage, {"to": "1", "text": "x" * 65_537}, "text", "<= 65536"),
        (SendMessage, {"to": 49, "text": "x"}, "to", "str"),
        (schema.Nothing, {"force": True}, "force", "no such field"),
    ],
)
def test_messages_name_the_field(kind: type, body: object, field: str, words: str) -> None:
    """A refusal names the field first and what it should be."""
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.json.decode(msgspec.json.encode(body), type=kind)
    refused = schema.validation_problem(wrong.value, kind)
    assert refused.field == field and refused.message.startswith(f"{field}: ") and words in refused.message


def test_patch_tells_absent_from_null() -> None:
    """Null removes a proxy; a field that isn't there stays as it is."""
    assert msgspec.json.decode(b"{}", type=schema.PatchBot).proxy is msgspec.UNSET
    assert msgspec.json.decode(b'{"proxy":null}', type=schema.PatchBot).proxy is None
