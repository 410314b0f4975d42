"""The C side of the library's functions: their structures, callbacks and signatures.

Owns what ctypes has to know (neonize cstruct.h, main.go); it must never load anything. Read `whatsapp.py` next for who
calls them.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final


class Proxy(ctypes.Structure):
    """`struct ProxySettings` (neonize cstruct.h)."""

    _fields_ = (
        ("address", ctypes.c_char_p),
        ("no_websocket", ctypes.c_bool),
        ("only_login", ctypes.c_bool),
        ("no_media", ctypes.c_bool),
    )


class Bytes(ctypes.Structure):
    """`struct BytesReturn` (neonize cstruct.h)."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t))


TextCallback = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p)
EventCallback = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)

_TEXT, _NUMBER, _POINTER = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p
SIGNATURES: Final[dict[str, tuple[list[Any], Any]]] = {
    "Neonize": (
        [
            _TEXT, _TEXT, _TEXT, _NUMBER, _NUMBER, _TEXT, TextCallback, TextCallback, EventCallback, LogCallback,
            _TEXT, _NUMBER, _TEXT, _NUMBER, _TEXT, _NUMBER, ctypes.POINTER(Proxy),
        ],
        _POINTER,
    ),
    "Disconnect": ([_TEXT], None),
    "Stop": ([_TEXT], None),
    "SendMessage": ([_TEXT, _TEXT, _NUMBER, _TEXT, _NUMBER], ctypes.POINTER(Bytes)),
    "Upload": ([_TEXT, _POINTER, _NUMBER, _NUMBER], ctypes.POINTER(Bytes)),
    "IsOnWhatsApp": ([_TEXT, _TEXT], ctypes.POINTER(Bytes)),
    "GetGroupInfo": ([_TEXT, _TEXT, _NUMBER], ctypes.POINTER(Bytes)),
    "GetUserInfo": ([_TEXT, _TEXT, _NUMBER], ctypes.POINTER(Bytes)),
    "SendPresence": ([_TEXT, _TEXT], _POINTER),
    "SubscribePresence": ([_TEXT, _TEXT, _NUMBER], _POINTER),
    "PairPhone": ([_TEXT, _TEXT, _NUMBER], ctypes.POINTER(Bytes)),
    "Logout": ([_TEXT], _POINTER),
    "FreeBytesStruct": ([ctypes.POINTER(Bytes)], None),
    "FreeString": ([_POINTER], None),
    "GetVersion": ([], _TEXT),
}  # fmt: skip
"""Exported functions (neonize main.go). `Stop` returns nothing; neonize's own binding reads a string from it."""
