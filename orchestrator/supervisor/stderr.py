"""What a worker wrote to stderr: a bounded, nameless file, of which only a harmless line is ever shown.

Go and the library write there, with whatever they hold in hand; so its text never reaches a log. What an operator gets
is the number of bytes and the one line that says what killed the process, when it is of a known form. A file and not a
pipe: a worker whose supervisor died must still be able to write. Read `worker_process.py` next.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from pathlib import Path

MAX_BYTES = 256 * 1024
_MAX_LINE = 120

_GO_FATAL = re.compile(rb"^(?:fatal error: |panic: (?=runtime error: )|SIG[A-Z]+: )[ -~]*", re.MULTILINE)
"""Words of the Go runtime itself, constants of its source; other panics carry values."""
_PYTHON_ERROR = re.compile(rb"^(?:Traceback \(most recent call last\):\n(?:  .*\n)+)([A-Za-z_.]+)(?::|$)", re.MULTILINE)
_UNSAFE = re.compile(r"[^A-Za-z0-9 _.:()\[\]*/-]|[0-9]{5,}")


class Stderr:
    """One worker's stderr. The file has no name, so nothing is left behind when the supervisor is killed."""

    def __init__(self, directory: Path) -> None:
        """Make the file in `directory`. Raises OSError when the disk refuses."""
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by `close`
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        # Appending, so that the worker goes on at the new end after `bound` emptied the file.
        fcntl.fcntl(self._file, fcntl.F_SETFL, flags | os.O_APPEND)
        self._bytes_before = 0
        self._said: str | None = None

    def fileno(self) -> int:
        """The descriptor the worker gets."""
        return self._file.fileno()

    @property
    def bytes_written(self) -> int:
        """All that was ever written."""
        return self._bytes_before + os.fstat(self._file.fileno()).st_size

    def bound(self) -> None:
        """Empty the file when it has grown too large."""
        size = os.fstat(self._file.fileno()).st_size
        if size > MAX_BYTES:
            self._said = self._said or self.cause()
            self._bytes_before += size
            os.ftruncate(self._file.fileno(), 0)

    def cause(self) -> str | None:
        """Return the line that says what killed the process, cleaned; None when there is none of a known form."""
        return self._said or cause_in(os.pread(self._file.fileno(), MAX_BYTES, 0))

    def close(self) -> None:
        """Drop the file."""
        self._file.close()


def cause_in(data: bytes) -> str | None:
    """Find the cause of death in a stderr: the Go runtime's own line, or the class of an uncaught Python error."""
    go = _GO_FATAL.search(data)
    if go is not None:
        return _UNSAFE.sub("#", go.group().decode("ascii"))[:_MAX_LINE]
    python = _PYTHON_ERROR.search(data)
    return python.group(1).decode("ascii")[:_MAX_LINE] if python else None
