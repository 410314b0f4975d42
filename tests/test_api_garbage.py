"""Whatever callers send: bodies, addresses, phones, positions, Accept headers, keys. An answer or a refusal, never a bug."""

from __future__ import annotations

import json
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api import schema
from orchestrator.api.accept import wanted
from orchestrator.api.bodies import Bodies
from orchestrator.bots.outbox_fold import resolve
from orchestrator.errors import Refused
from orchestrator.model import Position
from orchestrator.proxies import permitted
from tests.support.api import serving

MANY = settings(max_examples=1000, deadline=None)

FIELDS = (
    "to", "text", "reaction", "edit", "revoke", "location", "contact", "poll", "quoted", "mentions", "messageId", "emoji",
    "sender", "latitude", "longitude", "name", "vcard", "question", "options", "selectable", "method", "phone",
    "expectedPhone", "image", "url",
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["4915112345678", "qr", "code", "+49 151 12345678", "\ud800", "x" * 70_000])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), VALUES, max_size=5) | VALUES
SENDS = st.fixed_dictionaries({"to": st.just("4915112345678")}, optional=dict.fromkeys(FIELDS[1:], VALUES))
JIDS = st.builds(
    "{}{}{}".format,
    st.text(max_size=6) | st.from_regex(r"\+?[0-9]{0,20}([:._][0-9]{0,5}){0,2}(-[0-9]{0,12})?", fullmatch=True),
    st.sampled_from(["", "@", "@@", "@"]),
    st.sampled_from(
        ["", "s.whatsapp.net", "c.us", "lid", "g.us", "broadcast", "newsletter", "hosted", "x", "S.WHATSAPP.NET"]
    ),
)


def _refused_or_fine(refused: Refused) -> None:
    assert refused.code == "invalid_field" and refused.field and "\n" not in refused.message


@MANY
@given(BODIES | SENDS)
def test_bodies_of_messages(raw: object) -> None:
    """A message's body gives something to send or names the wrong field."""
    try:
        sent = Bodies().message(raw)
    except Refused as refused:
        _refused_or_fine(refused)
    else:
        assert isinstance(sent.to, str) and sent.to


@MANY
@given(BODIES)
def test_bodies_of_links(raw: object) -> None:
    """A link's body gives a request whose phones are digits, or names the wrong field."""
    for read in (Bodies().link, Bodies().phone):
        try:
            found = read(raw)
        except Refused as refused:
            _refused_or_fine(refused)
        else:
            phone = found if isinstance(found, str) else found.phone
            assert phone is None or (phone.isascii() and phone.isdecimal())


@MANY
@given(JIDS | st.text(max_size=40))
def test_addresses(text: str) -> None:
    """An address has one canonical form, which is its own; the refusal of another does not repeat it."""
    try:
        chat = resolve(text)
    except Refused as refused:
        _refused_or_fine(refused)
        number = text.partition("@")[0].strip()
        assert not any(character.isdigit() for character in number) or len(number) < 5 or number not in refused.message
    else:
        assert resolve(chat) == chat and chat.isascii()


@MANY
@given(st.text(max_size=30) | st.from_regex(r"[a-z]{0,5}:{0,2}-?[0-9]{0,25}", fullmatch=True))
def test_positions(text: str) -> None:
    """A position reads back as it is written, but for leading zeros; anything else is a ValueError."""
    try:
        position = Position.parse(text)
    except ValueError:
        return
    assert Position.parse(str(position)) == position and 0 <= position.seq < 10**18


@MANY
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["a/b", "*/*", ";q=0.5", ";q=nan", ";q=1e400", ";", ","])).map("".join)
)
def test_accept(header: str) -> None:
    """An Accept header asks for something on offer or for nothing here."""
    try:
        assert wanted(header, {"a/b": "a/b", "*/*": "x/y"}) in {"a/b", "x/y"}
    except Refused as refused:
        assert refused.code == "not_acceptable"


@MANY
@given(
    st.text(max_size=40)
    | st.builds("{}://{}:{}".format, st.sampled_from(["http", "socks5"]), st.text(max_size=20), st.integers())
)
def test_proxies(text: str) -> None:
    """A proxy's address has a form sessions can use, or is refused without being repeated."""
    try:
        schema.checked_proxy(text)
    except Refused as refused:
        _refused_or_fine(refused)
        assert len(text) < 12 or text not in refused.message


@given(st.ip_addresses().map(str))
def test_addresses_of_proxies(address: str) -> None:
    """The rule has an answer for every address, and the network it is in can always be allowed."""
    assert isinstance(permitted("x", 80, [address], []), bool)
    assert permitted("x", 80, [address], [address])


async def test_bytes_and_keys(tmp_path: Path) -> None:
    """Bodies that are no JSON and keys of any bytes a header can hold are answered, and nothing is reported as a bug."""
    chance = random.Random(7)
    seen: set[int] = set()
    async with serving(tmp_path) as api:
        for number in range(600):
            if number % 100 == 0:
                ada = api.by("ada")
            body = bytearray(json.dumps({"proxy": "ftp://x", "n": [1, None, "é"]}).encode())
            for _ in range(chance.randrange(6)):
                body[chance.randrange(len(body))] = chance.randrange(256)
            length = chance.choice((0, 1, 5, 128, 129, 400))
            key = "".join(chr(chance.choice((9, *range(32, 127), *range(160, 256), 0x20AC))) for _ in range(length))
            headers = {
                "Idempotency-Key": key.strip(),
                "Content-Type": chance.choice(("application/json",) * 9 + ("x/y",)),
            }
            answer = await ada("POST", "/proxy-checks", raw=bytes(body), headers=headers)
            seen.add(answer.status)
            api.clock.advance(1)
        assert api.failures == [] and {422, 415} <= seen <= {409, 415, 422, 429}
