"""``python -m tests.loopback``: the loopback WhatsApp to play with by hand, or as a process of its own for other tests.

Prints the proxy, the control URL and what to export, then takes commands from standard input until it ends; ``help``
lists them. With ``--json`` it prints one JSON line instead and no prompt: another program's way in, which closes
standard input to end it. Owns reading and showing; what a command does is ``operations.py``, the neighbour to read next.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import json
import shlex
import signal
import sys
import threading
from typing import Any

from tests.loopback.control import EXPECTED_ERRORS
from tests.loopback.ledger import Entry
from tests.loopback.library import LibraryNotPatchable
from tests.loopback.operations import BadRequest, Operations
from tests.loopback.server import LoopbackServer

BANNER = """\
The loopback WhatsApp is up.

  export ORCHESTRATOR_PROXY={proxy}
{exports}
  control: {control}   (POST /OPERATION with JSON; GET / lists them)

Start a bot in a shell with these exports, then here:
  scan 'QR TEXT'     link it          code ABCD-EFGH    link it by pairing code
  text 'hello'       Ada writes       received          what Ada got
  state   ledger   help   quit
Parameters go in order or as name=value; `help` shows them.
"""


def parse_line(operations: Operations, line: str) -> tuple[str, dict[str, Any]]:
    """A typed command as an operation's name and arguments; BadRequest when it can't be one."""
    try:
        name, *words = shlex.split(line)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    method = operations._table().get(name)
    if method is None:
        raise BadRequest(f"no command {name!r}; `help` lists them")
    parameters = inspect.signature(method).parameters
    arguments: dict[str, Any] = {}
    positional = iter(parameters)
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in parameters:
            key, value = next(positional, ""), word
        if not key or key in arguments:
            raise BadRequest(f"{name}: too many values")
        arguments[key] = _convert(str(parameters[key].annotation), value)
    return name, arguments


def _convert(annotation: str, value: str) -> Any:
    """A typed word as the parameter's type."""
    if annotation.startswith("dict"):
        return json.loads(value)
    if annotation.startswith("bool"):
        return value.lower() in ("1", "true", "yes", "on")
    if annotation in ("int", "float"):
        return int(value) if annotation == "int" else float(value)
    return value


def _show(result: Any) -> None:
    lines = result if isinstance(result, list) else [result]
    for line in lines:
        print("  " + json.dumps(line, ensure_ascii=False))


async def _command(operations: Operations, line: str) -> bool:
    """Carry out one typed line; False to end."""
    if line in ("quit", "exit"):
        return False
    if line in ("help", "?"):
        for name, text in operations._help().items():
            parameters, _, meaning = text.partition("\n")
            print(f"  {name} {parameters}\n      {meaning}")
        return True
    try:
        name, arguments = parse_line(operations, line)
        _show(await operations._call(name, arguments))
    except EXPECTED_ERRORS as error:
        print(f"  {type(error).__name__}: {error}")
    return True


def _typed_lines() -> asyncio.Queue[str]:
    """What is typed, line by line, "" at the end. From a daemon thread: a pending read must not delay the exit."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        while True:
            line = sys.stdin.readline()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants it any more
                loop.call_soon_threadsafe(lines.put_nowait, line)
            if not line:
                return

    threading.Thread(target=read, name="loopback-stdin", daemon=True).start()
    return lines


async def _read_commands(operations: Operations, prompt: bool) -> None:
    lines = _typed_lines()
    while True:
        if prompt:
            print("> ", end="", flush=True)
        line = await lines.get()
        if not line:
            return
        if line.strip() and not await _command(operations, line.strip()):
            return


def _announce(server: LoopbackServer, as_json: bool) -> None:
    if as_json:
        ready = {"proxyUrl": server.proxy_url, "controlUrl": server.control_url, "env": server.env()}
        print(json.dumps(ready), flush=True)
        return
    exports = "".join(f"  export {name}={shlex.quote(value)}\n" for name, value in server.env().items())
    print(BANNER.format(proxy=server.proxy_url, exports=exports, control=server.control_url))


def _tell(entry: Entry) -> None:
    """One line per fact as it happens."""
    who = f"{entry.phone}:{entry.device}" if entry.phone else "-"
    print(f"  [{entry.number}] {entry.kind} {who} {dict(entry.data)}", flush=True)


async def _main(options: argparse.Namespace) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with LoopbackServer.start(options.port, options.control_port) as server:
        _announce(server, options.json)
        if options.verbose:
            server.ledger.listen(_tell)
        await _read_commands(Operations(server), prompt=not options.json)


def main() -> int:
    """The command's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.loopback", description="A WhatsApp on loopback.")
    parser.add_argument("--port", type=int, default=0, help="of the proxy (default: a free one)")
    parser.add_argument("--control-port", type=int, default=0, help="of the control URL (default: a free one)")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of the banner, no prompt")
    parser.add_argument("--verbose", action="store_true", help="show what happens as it happens")
    try:
        asyncio.run(_main(parser.parse_args()))
    except LibraryNotPatchable as error:
        print(f"this neonize can't be pointed at a loopback server: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("ended", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
