"""The protobufs come without the Go library, and get on with the real neonize in one process, in both orders.

Owns the tests of ``tests/loopback/protobufs.py``. What a process has loaded is only known of a fresh one, so each
case runs in a process of its own. Neighbour to read next: ``test_loopback_adv.py``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]

_WITHOUT_GO = """
import sys
from tests.loopback import protobufs
before = list(sys.path)
assert not any(name.startswith(("google.protobuf", "waE2E", "waAdv", "neonize")) for name in sys.modules)
modules = [protobufs.e2e(), protobufs.adv(), protobufs.wa6(), protobufs.cert(), protobufs.companion_reg()]
assert modules[0].Message(conversation="text").SerializeToString() == b"\\n\\x04text"
assert sys.path == before
assert "neonize" not in sys.modules
assert ".so" not in "".join(line for line in open("/proc/self/maps") if "neonize" in line)
"""

_OURS_FIRST = """
import os
from tests.loopback import protobufs
ours = [protobufs.e2e().Message, protobufs.adv().ADVDeviceIdentity]
import neonize
"""

_REAL_FIRST = """
import os
import neonize
from tests.loopback import protobufs
ours = [protobufs.e2e().Message, protobufs.adv().ADVDeviceIdentity]
"""

_SAME_CLASSES = """
from neonize.proto import Neonize_pb2
from neonize.proto.waAdv.WAAdv_pb2 import ADVDeviceIdentity
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import Message
assert ours == [Message, ADVDeviceIdentity]
event = Neonize_pb2.Message(Message=ours[0](conversation="text"))
assert type(event.Message) is ours[0]
print("same", flush=True)
os._exit(0)  # Go's runtime is loaded: no orderly exit
"""


def _run(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False, cwd=_ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_go_library() -> None:
    """Importing loads nothing; the first call loads protobufs only: no neonize, no shared library, same sys.path."""
    _run(_WITHOUT_GO)


@pytest.mark.parametrize("first", [_OURS_FIRST, _REAL_FIRST], ids=["ours first", "real first"])
def test_with_the_real_library(first: str) -> None:
    """Whichever comes first, the real neonize works and both have the same message classes."""
    assert _run(first + _SAME_CLASSES) == "same\n"
