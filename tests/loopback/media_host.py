"""The media hosts: encrypted blobs taken by POST and given by GET, over HTTP/1.1 inside TLS.

Owns the blobs and the few answers of those hosts; it must never know a key or what is in a blob. What goes wrong on
purpose is told by ``Faults``. Facts: whatsmeow upload.go, download.go. Neighbours to read next: ``media.py`` (what is in
a blob), ``transport.py`` (how a connection gets here).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, urlsplit

from tests.loopback import framing
from tests.loopback.faults import Faults
from tests.loopback.ledger import Ledger

HOSTS = ("mmg.whatsapp.net", "media-backup.whatsapp.net")
"""What ``media_conn`` names, best first."""
AUTH = "loopback-media-auth"


class MediaStore:
    """Blobs by their path on a media host."""

    def __init__(self, ledger: Ledger) -> None:
        self.blobs: dict[str, bytes] = {}
        self.ledger = ledger

    def put(self, mms: str, blob: bytes) -> str:
        """Keep a blob; its direct path."""
        path = f"/v/{mms}/{secrets.token_hex(8)}.enc"
        self.blobs[path] = blob
        return f"{path}?ccb=1"

    def get(self, direct_path: str) -> bytes:
        """The blob a direct path names; KeyError."""
        return self.blobs[urlsplit(direct_path).path]


class MediaWire(asyncio.Protocol):
    """One client's connection to a media host; requests one after the other."""

    def __init__(self, store: MediaStore, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._head: framing.HttpHead | None = None

    def attach(self, transport: asyncio.Transport) -> None:
        """Take over the TLS transport; see ``transport.Wire.attach``."""
        self._transport = transport
        if self._buffer:
            self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._transport is None:
            return
        try:
            while self._next():
                pass
        except ValueError:
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> bool:
        """Answer one whole request; False when there is none."""
        if self._head is None:
            split = framing.split_head(bytes(self._buffer[: framing.MAX_HEAD_BYTES]))
            if split is None:
                return False
            self._head, rest = split
            del self._buffer[: min(len(self._buffer), framing.MAX_HEAD_BYTES) - len(rest)]
            if self._head.method == "POST":
                self._store.ledger.record("media_upload_begun")
                if self._faults.upload == "refuse":
                    self._answer(self._faults.upload_status, b"", close=True)
                    return False
        head = self._head
        size = int(head.headers.get("content-length", "0"))
        if len(self._buffer) < size:
            return False
        body = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._head = None
        url = urlsplit(head.target)
        if head.method == "POST":
            self._upload(url.path, parse_qs(url.query), body)
        elif head.method == "GET":
            self._download(url.path)
        else:
            self._answer(405, b"")
        return True

    def _upload(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        if self._faults.upload == "hang":
            self._store.ledger.record("media_upload_hung", bytes=len(body))
            return
        if self._faults.upload == "drop":
            self.abort()
            return
        if self._faults.upload == "nonsense":
            self._answer(200, b"<html>welcome to the hotel's network</html>")
            return
        _, prefix, mms, token = path.split("/", 3)
        said = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
        if prefix != "mms" or query.get("auth") != [AUTH] or query.get("token") != [said] or token != said:
            self._store.ledger.record("media_refused", bytes=len(body))
            self._answer(400, b"")
            return
        direct_path = self._store.put(mms, body)
        self._store.ledger.record("media_uploaded", bytes=len(body), mms=mms)
        self._answer(200, json.dumps({"url": f"https://{HOSTS[0]}{direct_path}", "direct_path": direct_path}).encode())

    def _download(self, path: str) -> None:
        if self._faults.download == "hang":
            self._store.ledger.record("media_download_hung")
            return
        blob = self._store.blobs.get(path)
        if blob is None or self._faults.download == "refuse":
            self._store.ledger.record("media_download_refused")
            self._answer(404, b"")
            return
        self._store.ledger.record("media_downloaded", bytes=len(blob))
        self._answer(200, blob[: len(blob) // 2] if self._faults.download == "short" else blob)

    def _answer(self, status: int, body: bytes, *, close: bool = False) -> None:
        assert self._transport is not None
        head = f"HTTP/1.1 {status} Loopback\r\nContent-Length: {len(body)}\r\n"
        self._transport.write(f"{head}{'Connection: close' + chr(13) + chr(10) if close else ''}\r\n".encode() + body)
        if close:
            self._transport.close()
