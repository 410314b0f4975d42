"""Local tokens: HS256, signed with a key that stays in the data directory; the operator's token file.

Owns the key file, signing and checking. It must never know HTTP or a socket. These tokens are good under every AUTH, and
only they can make an operator. Read `principal.py` next.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import jwt

from orchestrator.auth import names
from orchestrator.auth.issuer import header
from orchestrator.clock import Clock, SystemClock
from orchestrator.errors import Refused
from orchestrator.model import Principal

OPERATOR = names.OPERATOR
"""The user made at first start; an operator."""
KEY_FILE = "token.key"
TOKEN_FILE = "token"  # noqa: S105  # a file's name
TOKEN_FILE_TTL_S = 365 * 86400
"""Written anew at each start. Whoever can read the file can read the key beside it: a short life would protect nothing
and break long-running servers' command line."""

_ISSUER = "orchestrator"
_ALGORITHM = "HS256"
"""Nobody else's tokens may have it: a head that says so belongs to us, and is checked with our key alone."""
_KEY_BYTES = 32
_TOKEN_MAX_CHARS = 8192
_TTL = re.compile(r"([0-9]{1,9})([smhd]?)")
_TTL_MAX_S = 10 * 365 * 86400
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def sign(key: bytes, user: str, ttl_s: int, *, operator: bool, now_ms: int) -> tuple[str, int]:
    """Return a token (a secret) and when it ends, in ms."""
    issued_s = now_ms // 1000
    ends_s = issued_s + ttl_s
    claims = {"iss": _ISSUER, "sub": user, "op": operator, "iat": issued_s, "exp": ends_s}
    return jwt.encode(claims, key, algorithm=_ALGORITHM), ends_s * 1000


def check(key: bytes, token: str, now_ms: int) -> Principal:
    """Return whose token this is.

    Raises:
        Refused: `unauthorized`, `token_expired`; never with anything of the token in it.
    """
    if len(token) > _TOKEN_MAX_CHARS:
        raise Refused("unauthorized")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            # Times are compared below with the clock handed in.
            options={"require": ["exp", "sub", "iss"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Refused("unauthorized") from None
    user, ends_s, operator = claims["sub"], claims["exp"], claims.get("op", False)
    if not (
        isinstance(user, str) and names.is_user_id(user) and isinstance(ends_s, int) and isinstance(operator, bool)
    ):
        raise Refused("unauthorized")
    if now_ms >= ends_s * 1000:
        raise Refused("token_expired")
    return Principal(user, operator, ends_s * 1000)


def is_ours(token: str) -> bool:
    """Tell whether a token is for `check`; nothing of it is proved."""
    head = header(token)
    return head is not None and head.alg == _ALGORITHM


class LocalTokens:
    """Signs and checks the tokens of one data directory."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def issue(self, user: str, ttl_s: int, *, operator: bool) -> tuple[str, int]:
        """Return a token (a secret) and when it ends, in ms."""
        return sign(self._key, user, ttl_s, operator=operator, now_ms=self._clock.wall_ms())

    def verify(self, token: str) -> Principal:
        """See `check`."""
        return check(self._key, token, self._clock.wall_ms())


def open_key(data_dir: Path) -> bytes:
    """Return the data directory's key; made at first use, readable by its owner only.

    Raises:
        ValueError: there is a file that is no key; its text says what to do.
    """
    path = data_dir / KEY_FILE
    if not path.exists():
        fresh = _write_beside(path, secrets.token_bytes(_KEY_BYTES).hex())
        try:
            os.link(fresh, path)  # never over a key that another process made in between
        except FileExistsError:
            pass  # that one is read below
        finally:
            fresh.unlink()
    return read_key(data_dir)


def read_key(data_dir: Path) -> bytes:
    """Return the key of a data directory in which a server has been started before.

    Raises:
        ValueError: there is none, or the file is damaged; its text says what to do.
    """
    path = data_dir / KEY_FILE
    try:
        key = bytes.fromhex(path.read_text())
    except FileNotFoundError:
        raise ValueError(
            f"{data_dir} holds no server's key yet: run `orchestrator serve` once, or name its data directory."
        ) from None
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{path} is damaged: move it away and start the server again; every token becomes invalid.")
    return key


def write_token_file(data_dir: Path, tokens: LocalTokens) -> None:
    """Put a fresh operator's token into the token file, at once or not at all."""
    token, _ = tokens.issue(OPERATOR, TOKEN_FILE_TTL_S, operator=True)
    path = data_dir / TOKEN_FILE
    _write_beside(path, token + "\n").replace(path)


def issue(data_dir: Path, user: str, ttl_s: int, *, operator: bool) -> str:
    """Return a token for a user, signed with the data directory's key; needs no running server.

    Raises:
        ValueError: no key, or a wrong user id; its text says what to do.
    """
    if not names.is_user_id(user):
        raise ValueError(
            "--user: 1 to 64 letters, digits, _ or - (where ORCHESTRATOR_AUTH names another issuer, its own form too)"
        )
    return LocalTokens(read_key(data_dir), SystemClock()).issue(user, ttl_s, operator=operator)[0]


def parse_ttl(text: str) -> int:
    """Read `3600`, `90s`, `30m`, `12h` or `7d` as seconds, at most ten years. Raises ValueError with the remedy."""
    match = _TTL.fullmatch(text)
    ttl_s = int(match[1]) * _UNIT_S[match[2]] if match is not None else 0
    if not 0 < ttl_s <= _TTL_MAX_S:
        raise ValueError("--ttl: a number with s, m, h or d, such as 12h, at most ten years")
    return ttl_s


def _write_beside(path: Path, text: str) -> Path:
    """Write a private file next to `path`, on disk on return, and return where it is."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return beside
