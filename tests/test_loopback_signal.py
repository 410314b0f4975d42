"""Signal sessions of the loopback's parties: published vectors, every order of delivery, damage, and speed.

Owns the tests of ``tests/loopback/signal.py`` and ``ratchet.py``; whether the real client agrees
is shown by the tests that link it. Neighbour to read next: ``test_loopback_signal_wire.py``.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loopback import ratchet
from tests.loopback.crypto import KeyPair
from tests.loopback.signal import (
    DuplicateMessage,
    InvalidBundle,
    InvalidMessage,
    NoSession,
    Party,
    SignalError,
    pad,
)
from tests.loopback.signal_wire import decode_prekey_message, decode_signal_message
from tests.support.examples import examples

_BOB_IDENTITY = KeyPair.from_private(bytes.fromhex("4875cc69ddf8ea0719ec947d61081135868d5fd801f02c0225e516df2156605e"))
_BOB_SIGNED_PREKEY = KeyPair.from_private(
    bytes.fromhex("583900131fb727998b7803fe6ac22cc591f342e4e42a8c8d5d78194209b8d253")
)


def _parties() -> tuple[Party, Party]:
    return Party(KeyPair.generate()), Party(KeyPair.generate())


def _linked() -> tuple[Party, Party]:
    """Two parties past their first exchange: both write "msg" now."""
    alice, bob = _parties()
    alice.start("bob", bob.bundle())
    bob.decrypt("alice", *alice.encrypt("bob", b"first"))
    alice.decrypt("bob", *bob.encrypt("alice", b"answer"))
    return alice, bob


def test_receiver_agreement_vector() -> None:
    """The receiver's first chain key is the one in libsignal's RatchetingSessionTest (as Bob)."""
    session = ratchet.respond(
        _BOB_IDENTITY,
        _BOB_SIGNED_PREKEY,
        None,
        bytes.fromhex("b4a8455660ada65b401007f615e654041746432e3339c6875149bceefcb42b4a"),
        bytes.fromhex("472d1fb1a9862c3af6beaca8920277e2b26f4a79213ec7c906aeb35e03cf8950"),
    )
    assert session.sending.key.hex() == "9797caca53c989bbe229a40ca7727010eb2604fc14945d77958a0aeda088b44d"


def test_initiator_agreement_vector() -> None:
    """The initiator's receiving chain key is the one in libsignal's RatchetingSessionTest (as Alice)."""
    session = ratchet.initiate(
        KeyPair.from_private(bytes.fromhex("9040f0d4e09cf38f6dc7c13779c908c015a1da4fa78737a080eb0a6f4f5f8f58")),
        KeyPair.from_private(bytes.fromhex("11ae7c64d1e61cd596b76a0db5012673391cae66edbfcf073b4da80516a47449")),
        _BOB_IDENTITY.public,
        _BOB_SIGNED_PREKEY.public,
        None,
    )
    chain = session.receiving[0].chain
    assert chain.key.hex() == "ab9be50e5cb22a925446ab90ee5670545f4fd32902459ec274b6ad0ae5d6031a"


def test_chain_key_vector() -> None:
    """Message keys and the next chain key are those of libsignal's ChainKeyTest, version 3."""
    seed = bytes.fromhex("8ab72d6f4cc5ac0d387eaf463378ddb28edd07385b1cb01250c715982e7ad48f")
    keys = ratchet.derive_message_keys(ratchet.message_seed(seed))
    assert keys.cipher.hex() == "bf51e9d75e0e31031051f82a2491ffc084fa298b7793bd9db620056febf45217"
    assert keys.mac.hex() == "c6c77d6a73a354337a56435e34607dfe48e3ace14e77314dc6abc172e7a7030b"
    assert ratchet.next_chain_key(seed).hex() == "28e8f8fee54b801eef7c5cfb2f17f32c7b334485bbb70fac6ec10342a246d15d"


@pytest.mark.parametrize("with_prekey", [True, False])
def test_pkmsg_until_the_first_answer(with_prekey: bool) -> None:
    """The initiator writes pkmsg until an answer has come, the receiver msg at once; with 4 DHs and with 3."""
    alice, bob = _parties()
    alice.start("bob", bob.bundle(with_prekey=with_prekey))
    firsts = [alice.encrypt("bob", text) for text in (b"one", b"two")]
    assert [kind for kind, _ in firsts] == ["pkmsg", "pkmsg"]
    assert [bob.decrypt("alice", *message) for message in firsts] == [b"one", b"two"]
    answer = bob.encrypt("alice", b"three")
    assert answer[0] == "msg"
    assert alice.decrypt("bob", *answer) == b"three"
    assert alice.encrypt("bob", b"four")[0] == "msg"


def test_pkmsg_says_who_writes() -> None:
    """A PreKeySignalMessage carries the sender's identity and registration id and the receiver's prekey ids."""
    alice, bob = Party(KeyPair.generate(), 77), Party(KeyPair.generate())
    bundle = bob.bundle()
    alice.start("bob", bundle)
    first = decode_prekey_message(alice.encrypt("bob", b"text")[1])
    assert (first.identity, first.registration_id) == (alice.identity.public, 77)
    assert (first.prekey_id, first.signed_prekey_id) == (bundle.prekey_id, bundle.signed_prekey_id)


@dataclass
class _Link:
    """One direction of a network that reorders, drops and repeats; it knows what the receiver must answer."""

    sender: Party
    receiver: Party
    names: tuple[str, str]
    in_flight: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    delivered: list[tuple[str, bytes]] = field(default_factory=list)

    def send(self, text: bytes) -> None:
        kind, ciphertext = self.sender.encrypt(self.names[1], text)
        self.in_flight.append((kind, ciphertext, text))

    def deliver(self, pick: int) -> None:
        if self.in_flight:
            kind, ciphertext, text = self.in_flight.pop(pick % len(self.in_flight))
            assert self.receiver.decrypt(self.names[0], kind, ciphertext) == text
            self.delivered.append((kind, ciphertext))

    def repeat(self, pick: int) -> None:
        if self.delivered:
            with pytest.raises(DuplicateMessage):
                self.receiver.decrypt(self.names[0], *self.delivered[pick % len(self.delivered)])

    def drop(self, pick: int) -> None:
        if self.in_flight:
            del self.in_flight[pick % len(self.in_flight)]


_STEPS = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from(["send", "send", "deliver", "deliver", "repeat", "drop"]), st.integers(0, 9)
    ),
    max_size=40,
)
# Six ratchet keys of one sender need eleven sends; up to ten no receiving chain is ever forgotten.
_MAX_SENDS = 10


def _run(steps: list[tuple[bool, str, int]], links: tuple[_Link, _Link]) -> None:
    sends = 0
    for backwards, action, pick in steps:
        link = links[backwards]
        if action == "send":
            if sends < _MAX_SENDS and link.sender.has_session(link.names[1]):
                link.send(b"text %d" % sends)
                sends += 1
        elif action == "deliver":
            link.deliver(pick)
        elif action == "repeat":
            link.repeat(pick)
        else:
            link.drop(pick)
    for link in links:
        while link.in_flight:
            link.deliver(-1)


@given(steps=_STEPS)
@settings(max_examples=examples(300))
def test_any_order_of_delivery(steps: list[tuple[bool, str, int]]) -> None:
    """Whatever is reordered, lost or repeated: each message that arrives reads as written, once, a repeat is refused."""
    alice, bob = _parties()
    alice.start("bob", bob.bundle())
    _run(steps, (_Link(alice, bob, ("alice", "bob")), _Link(bob, alice, ("bob", "alice"))))


@given(steps=_STEPS)
@settings(max_examples=examples(300))
def test_any_order_when_both_start(steps: list[tuple[bool, str, int]]) -> None:
    """Two parties that start at the same time still read every message of each other, in any order."""
    alice, bob = _parties()
    alice.start("bob", bob.bundle())
    bob.start("alice", alice.bundle())
    _run(steps, (_Link(alice, bob, ("alice", "bob")), _Link(bob, alice, ("bob", "alice"))))


def test_both_starting_converge() -> None:
    """After a simultaneous start both sides write plain msg in one session: each turn brings a new ratchet key."""
    alice, bob = _parties()
    alice.start("bob", bob.bundle())
    bob.start("alice", alice.bundle())
    from_alice, from_bob = alice.encrypt("bob", b"a"), bob.encrypt("alice", b"b")
    assert bob.decrypt("alice", *from_alice) == b"a"
    assert alice.decrypt("bob", *from_bob) == b"b"
    ratchets = []
    for turn in range(4):
        to_bob = alice.encrypt("bob", b"%d" % turn)
        assert bob.decrypt("alice", *to_bob) == b"%d" % turn
        to_alice = bob.encrypt("alice", b"%d" % turn)
        assert alice.decrypt("bob", *to_alice) == b"%d" % turn
        assert (to_bob[0], to_alice[0]) == ("msg", "msg")
        ratchets += [decode_signal_message(to_bob[1]).ratchet, decode_signal_message(to_alice[1]).ratchet]
    assert len(set(ratchets)) == 8


def test_messages_of_a_replaced_session_are_still_read() -> None:
    """When one side starts again, what is under way in the old session still arrives."""
    alice, bob = _linked()
    late = alice.encrypt("bob", b"late")
    alice.start("bob", bob.bundle())
    assert bob.decrypt("alice", *alice.encrypt("bob", b"anew")) == b"anew"
    assert bob.decrypt("alice", *late) == b"late"


def test_a_repeat_is_known_in_an_archived_session() -> None:
    """A ciphertext that comes again after its session was replaced is a duplicate, not damage."""
    alice, bob = _linked()
    old = alice.encrypt("bob", b"old")
    bob.decrypt("alice", *old)
    alice.start("bob", bob.bundle())
    bob.decrypt("alice", *alice.encrypt("bob", b"anew"))
    with pytest.raises(DuplicateMessage):
        bob.decrypt("alice", *old)


@pytest.mark.parametrize(("turns", "readable"), [(4, True), (5, False)])
def test_late_messages_over_several_turns(turns: int, readable: bool) -> None:
    """A message is read while the writer has changed its ratchet key at most four times since, then no more."""
    alice, bob = _linked()
    bob.decrypt("alice", *alice.encrypt("bob", b"in time"))
    late = alice.encrypt("bob", b"late")
    for _ in range(turns):
        alice.decrypt("bob", *bob.encrypt("alice", b"question"))
        bob.decrypt("alice", *alice.encrypt("bob", b"answer"))
    if readable:
        assert bob.decrypt("alice", *late) == b"late"
    else:
        with pytest.raises(InvalidMessage):
            bob.decrypt("alice", *late)


def test_counters_on_the_wire() -> None:
    """Counters start at 0 with each ratchet key; the previous counter is the last one under the key before."""
    alice, bob = _linked()
    first = [decode_signal_message(alice.encrypt("bob", b"text")[1]) for _ in range(3)]
    bob.decrypt("alice", *alice.encrypt("bob", b"text"))
    alice.decrypt("bob", *bob.encrypt("alice", b"turn"))
    second = decode_signal_message(alice.encrypt("bob", b"text")[1])
    assert [message.counter for message in first] == [0, 1, 2]
    assert (second.counter, second.previous_counter) == (0, 3)


def test_many_skipped_messages() -> None:
    """A message 1500 ahead is read and so are all it skipped; one more than 2000 ahead is refused."""
    alice, bob = _linked()
    messages = [alice.encrypt("bob", b"%d" % index) for index in range(1500)]
    assert bob.decrypt("alice", *messages[-1]) == b"1499"
    for index in reversed(range(1499)):
        assert bob.decrypt("alice", *messages[index]) == b"%d" % index
    for _ in range(ratchet.MAX_SKIPPED_KEYS + 2):
        far = alice.encrypt("bob", b"far")
    with pytest.raises(InvalidMessage):
        bob.decrypt("alice", *far)


def test_skipped_keys_are_bounded() -> None:
    """A chain never remembers more than 2000 skipped keys; the oldest are given up."""
    alice, bob = _linked()
    messages = [alice.encrypt("bob", b"%d" % index) for index in range(ratchet.MAX_SKIPPED_KEYS + 101)]
    bob.decrypt("alice", *messages[100])
    bob.decrypt("alice", *messages[-1])
    with pytest.raises(DuplicateMessage):
        bob.decrypt("alice", *messages[0])
    assert bob.decrypt("alice", *messages[101]) == b"101"


@given(bit=st.integers(0, 8 * 100 - 1))
def test_damage_is_refused_and_changes_nothing(bit: int) -> None:
    """A message with any bit flipped is refused, and the undamaged one is read afterwards."""
    alice, bob = _linked()
    _, ciphertext = alice.encrypt("bob", b"text")
    damaged = bytearray(ciphertext)
    damaged[bit // 8 % len(damaged)] ^= 1 << bit % 8
    with pytest.raises(InvalidMessage):
        bob.decrypt("alice", "msg", bytes(damaged))
    assert bob.decrypt("alice", "msg", ciphertext) == b"text"


@given(kind=st.sampled_from(["msg", "pkmsg", "skmsg"]), data=st.binary(max_size=120), version=st.booleans())
def test_garbage_is_refused(kind: str, data: bytes, version: bool) -> None:
    """Any bytes of any type are refused as a SignalError, never as another exception."""
    _, bob = _linked()
    with pytest.raises(SignalError):
        bob.decrypt("alice", kind, b"\x33" * version + data)


def test_a_one_time_prekey_serves_once() -> None:
    """Two strangers with one bundle: the second is refused, since the one-time prekey is gone."""
    alice, bob = _parties()
    carol = Party(KeyPair.generate())
    bundle = bob.bundle()
    alice.start("bob", bundle)
    carol.start("bob", bundle)
    assert bob.decrypt("alice", *alice.encrypt("bob", b"first")) == b"first"
    with pytest.raises(InvalidMessage):
        bob.decrypt("carol", *carol.encrypt("bob", b"second"))
    assert bob.bundle().prekey_id != bundle.prekey_id


def test_a_damaged_pkmsg_spends_no_prekey() -> None:
    """A first message that fails its authentication leaves the one-time prekey for the real one."""
    alice, bob = _parties()
    alice.start("bob", bob.bundle())
    kind, ciphertext = alice.encrypt("bob", b"text")
    inner = decode_prekey_message(ciphertext).message
    damaged = ciphertext.replace(inner, inner[:-1] + bytes([inner[-1] ^ 1]))
    with pytest.raises(InvalidMessage):
        bob.decrypt("alice", kind, damaged)
    assert not bob.has_session("alice")
    assert bob.decrypt("alice", kind, ciphertext) == b"text"


def test_a_bundle_must_be_signed_by_its_identity() -> None:
    """A bundle with another identity's signature or a useless key starts no session."""
    alice, bob = _parties()
    bundle = bob.bundle()
    assert bundle.verify()
    forged = dataclasses.replace(bundle, identity=alice.identity.public)
    for wrong in (forged, dataclasses.replace(bundle, prekey=bytes(32))):
        with pytest.raises(InvalidBundle):
            alice.start("bob", wrong)
    assert not alice.has_session("bob")


def test_no_session() -> None:
    """Without a session nothing can be encrypted, nor a msg decrypted; forgetting makes it so again."""
    alice, bob = _linked()
    message = bob.encrypt("alice", b"text")
    alice.forget("bob")
    with pytest.raises(NoSession):
        alice.encrypt("bob", b"text")
    with pytest.raises(NoSession):
        alice.decrypt("bob", *message)


def test_consecutive_messages_are_cheap() -> None:
    """Consecutive messages keep one ratchet key, so no curve operation is paid: more than 10 000 a CPU second."""
    alice, _ = _linked()
    text = pad(b"a text of the usual length, some sixty characters or so ....")
    count = 5000
    started = time.process_time()
    messages = [alice.encrypt("bob", text)[1] for _ in range(count)]
    spent_s = time.process_time() - started
    decoded = [decode_signal_message(message) for message in messages]
    assert len({message.ratchet for message in decoded}) == 1
    assert [message.counter for message in decoded] == list(range(count))
    assert count / spent_s > 10_000
