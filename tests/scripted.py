"""A server that says what a test wants, frame by frame, over the in-memory transport."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import anyio

from realtime_client import Client, TransportClosed
from tests import wire

Reply = Callable[[dict[str, Any]], Sequence[bytes | Exception]]


def opens(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
    """Acknowledge every update with the default session."""
    if frame["type"] == "session.update":
        return [wire.frame("session.updated", session=wire.session())]
    return []


class ScriptedTransport:
    """Every frame that comes is recorded and answered by `reply`; an exception is raised."""

    def __init__(self, reply: Reply, first: Sequence[bytes | Exception]) -> None:
        self.received: list[dict[str, Any]] = []
        self._reply = reply
        self._send, self._receive = anyio.create_memory_object_stream[bytes | Exception](1000)
        for frame in first:
            self._send.send_nowait(frame)

    def say(self, *frames: bytes | Exception) -> None:
        for frame in frames:
            self._send.send_nowait(frame)

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        frame = wire.read(data)
        self.received.append(frame)
        self.say(*self._reply(frame))

    async def receive(self) -> bytes:
        frame = await self._receive.receive()
        if isinstance(frame, Exception):
            raise frame
        return frame

    async def aclose(self) -> None:
        self._send.close()
        self._receive.close()


@contextlib.asynccontextmanager
async def scripted(
    reply: Reply = opens,
    *,
    first: Sequence[bytes | Exception] | None = None,
    transport: Callable[[Reply, Sequence[bytes | Exception]], Any] = ScriptedTransport,
    **options: Any,
) -> AsyncIterator[tuple[Client, Any]]:
    """A client that is connected to such a server, and the server's side."""
    created = [wire.frame("session.created", session=wire.session())]
    made: list[Any] = []

    @contextlib.asynccontextmanager
    async def connect(url: str, headers: Mapping[str, str]) -> AsyncIterator[Any]:
        one = transport(reply, created if first is None else first)
        made.append(one)
        try:
            yield one
        finally:
            await one.aclose()

    async with Client(endpoint="ws://localhost/r", connect=connect, **options) as client:
        yield client, made[0]


DROPPED = TransportClosed(None)
