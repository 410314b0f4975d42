"""The pages as files: the bundled page as its build made it, and the description of REST.

Owns which address delivers which file, and the headers that keep everything else out. Files are read once, when the
server starts. `orchestrator/web` builds the page into `built/`, which is in the wheel and not in the repository. It must
never know who asks: the page holds nothing but the way to sign in.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import aiohttp.typedefs
import structlog
from aiohttp import web

_log = structlog.get_logger("api")

PAGE_ADDRESSES = ("/", "/new", "/new/options", "/bots/{bot}", "/bots/{bot}/link", "/bots/{bot}/ready", "/fleet")
"""All deliver the same document; the page reads the address itself."""

STATIC = {
    "/docs": "docs.html",
    "/static/docs.css": "docs.css",
    "/static/docs.js": "docs.js",
    "/favicon.svg": "favicon.svg",
}
"""What is there without a build."""

NOT_BUILT = (
    "The page is not built. Run scripts/start, "
    "or: npm ci --prefix orchestrator/web && npm run page --prefix orchestrator/web"
)

_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_WORTH_COMPRESSING = 1024

POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
ASK_ANEW = {"Cache-Control": "no-cache"}
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}
"""A file whose name changes with what is in it."""


@dataclass(frozen=True, slots=True)
class File:
    """One file, ready to be sent."""

    body: bytes
    packed: dict[str, bytes]
    """Compressed, by the encoding's name, the best first; empty when it is not worth it."""
    content_type: str
    headers: dict[str, str]

    def answer(self, request: web.Request) -> web.Response:
        """Return it as a response to this request."""
        headers = {**POLICY, **self.headers}
        body = self.body
        if self.packed:
            headers["Vary"] = "Accept-Encoding"
            taken = _taken(request.headers.get("Accept-Encoding", ""))
            encoding = next((name for name in self.packed if name in taken), None)
            if encoding is not None:
                headers["Content-Encoding"] = encoding
                body = self.packed[encoding]
        return web.Response(body=body, content_type=self.content_type, charset="utf-8", headers=headers)


def _taken(accepted: str) -> set[str]:
    """Return the encodings a client names without refusing them."""
    wishes = (each.replace(" ", "").lower().partition(";q=") for each in accepted.split(","))
    return {name for name, _, weight in wishes if weight.strip("0.") or not weight}


def built() -> Traversable:
    """Return where the build of the page lies, also when there is none."""
    return resources.files("orchestrator.api").joinpath("built")


def files(page: Traversable) -> dict[str, File]:
    """Return every file by its address (as aiohttp writes patterns); `/` alone is missing without a built page."""
    static = resources.files("orchestrator.api").joinpath("static")
    found = {address: _read(static, name, ASK_ANEW) for address, name in STATIC.items()}
    if not page.joinpath("index.html").is_file():
        return found
    found |= dict.fromkeys(PAGE_ADDRESSES, _read(page, "index.html", ASK_ANEW))
    found["/theme.js"] = _read(page, "theme.js", ASK_ANEW)
    folder = page.joinpath("assets")
    assets = [each.name for each in folder.iterdir() if each.name.rpartition(".")[2] in _TYPES]
    return found | {f"/assets/{name}": _read(folder, name, FOR_GOOD) for name in assets}


def add_files(app: web.Application, page: Traversable) -> None:
    """Mount all files; without a built page its addresses say what to do."""
    mounted = files(page)
    for address, file in mounted.items():
        app.router.add_get(address, _handler(file))
    if "/" not in mounted:
        _log.warning("page is not built", remedy=NOT_BUILT)
        for address in PAGE_ADDRESSES:
            app.router.add_get(address, _not_built)


def _handler(file: File) -> aiohttp.typedefs.Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return file.answer(request)

    return serve


async def _not_built(_: web.Request) -> web.StreamResponse:
    return web.Response(text=f"{NOT_BUILT}\n", status=503, headers={**POLICY, **ASK_ANEW})


def _read(folder: Traversable, name: str, headers: dict[str, str]) -> File:
    body = folder.joinpath(name).read_bytes()
    packed = {}
    # The build compresses better than the standard library can.
    if (better := folder.joinpath(f"{name}.br")).is_file():
        packed["br"] = better.read_bytes()
    if len(body) > _WORTH_COMPRESSING:
        packed["gzip"] = gzip.compress(body, 9, mtime=0)
    return File(body, packed, _TYPES[name.rpartition(".")[2]], headers)
