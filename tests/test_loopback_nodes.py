"""The node codec: what is sent can be read back, every form a client may choose is read, nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback.nodes import SERVER, Jid, MalformedNode, Node, decode, encode
from tests.loopback.tokens import DOUBLE_BYTE_TOKENS, SINGLE_BYTE_TOKENS

_texts = st.one_of(st.sampled_from(["message", "s.whatsapp.net", "read-self", "0"]), st.text(min_size=1, max_size=20))
_users = st.text("0123456789", min_size=1, max_size=15)
_jids = st.one_of(
    st.builds(Jid, _users, st.sampled_from(["s.whatsapp.net", "lid"]), st.integers(0, 255)),
    st.builds(Jid, _users, st.sampled_from(["g.us", "newsletter"])),
    st.just(SERVER),
)
_leaves = st.builds(
    Node, _texts, st.dictionaries(_texts, st.one_of(_texts, _jids), max_size=4), st.one_of(st.none(), st.binary())
)
_nodes = st.recursive(
    _leaves,
    lambda inner: st.builds(Node, _texts, st.just({}), st.lists(inner, max_size=4).map(tuple)),
    max_leaves=12,
)


@given(_nodes)
def test_what_is_encoded_is_decoded_to_the_same_node(node: Node) -> None:
    """decode is the inverse of encode for every node with bytes or children as content."""
    assert decode(encode(node)) == node


@given(st.binary(max_size=60))
def test_arbitrary_bytes_give_a_node_or_malformed_node(data: bytes) -> None:
    """No byte string makes the decoder raise anything but MalformedNode."""
    try:
        decoded = decode(b"\x00" + data)
    except MalformedNode:
        return
    assert isinstance(decoded, Node)


@pytest.mark.parametrize("size", [0, 255, 256, (1 << 20) - 1, 1 << 20])
def test_content_of_every_length_class_survives(size: int) -> None:
    """8-bit, 20-bit and 32-bit lengths are written and read at their borders."""
    node = Node("enc", {}, bytes(size))
    assert decode(encode(node)) == node


def test_more_than_255_children_survive() -> None:
    """Lists longer than a byte can count use the two-byte form; the 812 prekeys of a login do."""
    node = Node("list", {}, tuple(Node("key", {"id": str(number)}) for number in range(812)))
    assert decode(encode(node)) == node


def test_tokens_are_one_or_two_bytes() -> None:
    """A string of the dictionary travels as its index; "iq" is single-byte, "read-self" is in dictionary 0."""
    assert encode(Node("iq")) == bytes((0, 248, 1, SINGLE_BYTE_TOKENS.index("iq")))
    assert encode(Node("read-self")) == bytes((0, 248, 1, 236, DOUBLE_BYTE_TOKENS[0].index("read-self")))


def test_the_dictionary_is_version_3() -> None:
    """236 single-byte tokens and four tables of 256; these indices are where whatsmeow's token.go has them."""
    assert len(SINGLE_BYTE_TOKENS) == 236
    assert [len(table) for table in DOUBLE_BYTE_TOKENS] == [256] * 4
    assert (SINGLE_BYTE_TOKENS[1], SINGLE_BYTE_TOKENS[3]) == ("xmlstreamstart", "s.whatsapp.net")
    assert len({*SINGLE_BYTE_TOKENS, *(token for table in DOUBLE_BYTE_TOKENS for token in table)}) == 236 + 4 * 256


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (bytes((255, 2, 0x15, 0x50)), "1550"),
        (bytes((255, 0x80 | 2, 0x15, 0x5F)), "155"),
        (bytes((255, 2, 0x1A, 0x2B)), "1-2."),
        (bytes((251, 2, 0x3E, 0xB0)), "3EB0"),
        (bytes((251, 0x80 | 2, 0x3A, 0xFF)), "3AF"),
    ],
)
def test_packed_digits_are_read(packed: bytes, text: str) -> None:
    """Nibble and hexadecimal packing, even and odd: attributes of clients use both."""
    assert decode(bytes((0, 248, 3)) + b"\xfc\x01t\xfc\x01a" + packed).attrs == {"a": text}


@pytest.mark.parametrize(
    ("raw", "jid"),
    [
        (b"\xfa\xfc\x03155\x03", Jid("155", "s.whatsapp.net")),
        (b"\xfa\x00\x03", SERVER),
        (b"\xf7\x00\x05\xfc\x03155", Jid("155", "s.whatsapp.net", 5)),
        (b"\xf7\x01\x05\xfc\x03155", Jid("155", "lid", 5)),
        (b"\xf6\xfc\x03155\x00\x05\xfc\x09messenger", Jid("155", "messenger", 5)),
        (b"\xf5\xfc\x03155\x00\x05\x00\x07\xfc\x07interop", Jid("7-155", "interop", 5)),
    ],
)
def test_every_form_of_address_is_read(raw: bytes, jid: Jid) -> None:
    """Pair, device (both domains), Messenger and interop addresses."""
    assert decode(bytes((0, 248, 3)) + b"\xfc\x01t\xfc\x01a" + raw).attrs == {"a": jid}


def test_a_token_as_content_reads_as_its_bytes() -> None:
    """Clients send short text content as tokens or digits; readers see bytes whatever the form."""
    assert decode(bytes((0, 248, 2)) + b"\xfc\x01t" + bytes((SINGLE_BYTE_TOKENS.index("iq"),))).data == b"iq"


@pytest.mark.parametrize(
    "frame", [b"", b"\x00", b"\x02\xf8\x01\x05", b"\x00\x00", b"\x00\xf8\x01\x05trailing", b"\x00\xf8\x01\xff\x01\xcc"]
)
def test_frames_that_are_no_node_are_refused(frame: bytes) -> None:
    """Empty, compressed, tagless, with bytes left over, or with a digit that doesn't exist: MalformedNode."""
    with pytest.raises(MalformedNode):
        decode(frame)


def test_nodes_nested_without_end_are_refused() -> None:
    """A frame of nothing but opening lists is malformed, not a crash of the server."""
    with pytest.raises(MalformedNode):
        decode(b"\x00" + b"\xf8\x02\x05\xf8\x01" * 100_000)


@pytest.mark.parametrize("text", ["155:5@lid", "155@s.whatsapp.net", "s.whatsapp.net", "120-99@g.us"])
def test_addresses_print_as_they_parse(text: str) -> None:
    """Jid.parse and str are inverse."""
    assert str(Jid.parse(text)) == text


def test_an_address_without_a_binary_form_is_refused() -> None:
    """Devices exist for numbers and LIDs only, and up to 255."""
    for jid in (Jid("1", "g.us", 1), Jid("1", "lid", 256)):
        with pytest.raises(MalformedNode):
            encode(Node("t", {"a": jid}))
