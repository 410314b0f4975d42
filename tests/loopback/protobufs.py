"""The compiled WhatsApp protobufs that neonize ships, imported without loading its Go library.

Owns only the way these modules come into the process; it must never know what their messages are for. Importing
``neonize`` itself loads an 18 MB shared library and starts a Go runtime, which the loopback server must not. The
generated files import each other by top-level names (``waAdv``, ``waE2E``, ...) from a directory which neonize puts
on ``sys.path``; here the same files are imported under the same names, so that a process that imports the real
neonize later, earlier or never sees one set of message classes. ``sys.modules["neonize"]`` is never touched.
Neighbours to read next: ``adv.py`` and ``contact.py``.

API, each loading its module at the first call (no protobuf is imported by importing this file)::

    e2e()           waE2E:          Message, DeviceSentMessage, ...
    adv()           waAdv:          ADVDeviceIdentity, ADVSignedDeviceIdentity, ADVSignedDeviceIdentityHMAC
    wa6()           waWa6:          HandshakeMessage, ClientPayload
    cert()          waCert:         CertChain, NoiseCertificate
    companion_reg() waCompanionReg: DeviceProps
    load(name)      any other generated module, e.g. load("waServerSync.WAWebProtobufsServerSync_pb2")
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from pathlib import Path
from typing import Any

_lock = threading.Lock()


def proto_directory() -> Path:
    """The directory of neonize's generated modules, found without importing the package.

    ModuleNotFoundError when neonize isn't installed.
    """
    spec = importlib.util.find_spec("neonize")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("neonize is not installed")
    return Path(spec.submodule_search_locations[0]) / "proto"


def load(name: str) -> Any:
    """The generated module ``name`` (``waE2E.WAWebProtobufsE2E_pb2``), imported once and then remembered by Python.

    Typed Any because neonize ships no type marker. ``sys.path`` is as before when this returns.
    """
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    with _lock:
        directory = str(proto_directory())
        sys.path.append(directory)
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(directory)


def e2e() -> Any:
    """What people send each other: ``Message`` and its parts."""
    return load("waE2E.WAWebProtobufsE2E_pb2")


def adv() -> Any:
    """Companion device identities signed by the account's phone."""
    return load("waAdv.WAAdv_pb2")


def wa6() -> Any:
    """The Noise handshake's messages and the client payload."""
    return load("waWa6.WAWebProtobufsWa6_pb2")


def cert() -> Any:
    """The server's certificate chain inside the Noise handshake."""
    return load("waCert.WACert_pb2")


def companion_reg() -> Any:
    """The properties a companion device declares when it registers."""
    return load("waCompanionReg.WACompanionReg_pb2")
