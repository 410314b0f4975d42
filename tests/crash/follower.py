"""A socket.io client that comes back after every death and resumes: what an application with a cursor sees.

Owns one user's sequence of sockets and the frames taken from them. It must never know why a socket ended.
"""

from __future__ import annotations

from tests.e2e.journeys import durable, position
from tests.support.node_client import Frame, NodeClient, NodeSocket
from tests.support.server import Json, Server

LIVE_S = 20.0


class Follower:
    """`attach` after each start of the server; `caught_up` at the end."""

    def __init__(self, server: Server, node: NodeClient) -> None:
        self._server = server
        self._node = node
        self._socket: NodeSocket | None = None
        self._taken = 0
        self.start = 0
        self.frames: list[Frame] = []
        """Durable frames in the order they came, over all sockets."""
        self.resumes = 0

    async def attach(self) -> None:
        """Connect, with `resume` when something was seen before; wait for `ready`."""
        self._take()
        resume = {"resume": position(self.frames[-1])} if self.frames else {}
        url = self._server.url.replace("http://", "ws://")
        self._socket = await self._node.connect(url, token=self._server.token, user="local", auth={**resume})
        self._taken = 0
        ready = await self._socket.ready()
        if self.frames:
            assert (ready["mode"], ready["from"]) == ("resumed", self.frames[-1]["seq"]), ready
            self.resumes += 1
        else:
            self.start = ready["from"]

    async def attach_again_if_dropped(self) -> None:
        """Come back when the socket has ended meanwhile."""
        if self._socket is None or self._socket.happened("disconnect"):
            await self.attach()

    async def dropped(self) -> None:
        """Wait until the client has noticed that its socket is gone."""
        assert self._socket is not None
        await self._socket.disconnected()

    def _take(self) -> None:
        if self._socket is None:
            return
        for frame in durable(self._socket)[self._taken :]:
            last = self.frames[-1]["seq"] if self.frames else self.start
            assert frame["seq"] == last + 1 and frame["prev"] == last, (last, frame["seq"], frame["prev"])
            self.frames.append(frame)
            self._taken += 1

    async def compare(self, events: list[Json]) -> None:
        """Assert that exactly the journal was seen, from where the first socket began: each event once, no gap."""
        assert self._socket is not None
        head = events[-1]["seq"]
        socket = self._socket
        await socket.until(lambda: durable(socket)[-1:] and durable(socket)[-1]["seq"] >= head, LIVE_S, "the head")
        self._take()
        seen = [(frame["seq"], frame["id"]) for frame in self.frames if frame["seq"] <= head]
        stored = [(event["seq"], event["id"]) for event in events if event["seq"] > self.start]
        assert seen == stored
