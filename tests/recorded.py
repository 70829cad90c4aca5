"""A recorded session, and a server that says again what was said there.

A recording is one `{direction, frame}` a line. The server says its frames in their order, each as
soon as what it answers has been asked: a client that waits for an answer before it goes on does
not send at the same moments as the one that was recorded. What the client chooses by itself (the
ids of its items, the metadata of its responses) is put where the recording has the other's.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from realtime_client import Client, Dialect, Endpoint, TransportClosed
from realtime_client.dialects import incoming
from tests import wire
from tests.simulated import RECORDINGS

Tree = dict[str, Any]
SAMPLES = Path(__file__).parent / "samples"


class Recording:
    """What each side said, in the order in which it was said."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            pytest.skip(f"{path.name} is not here; the samples of both dialects are")
        self.entries: list[Tree] = [wire.read(line) for line in path.read_bytes().splitlines()]

    @classmethod
    def named(cls, name: str) -> Recording:
        """A sample of our own, or a recording of a real server where there is one."""
        sample = SAMPLES / f"{name}.jsonl"
        return cls(sample if sample.exists() else RECORDINGS / f"{name}.jsonl")

    def frames(self, direction: str, *types: str) -> list[Tree]:
        return [
            entry["frame"]
            for entry in self.entries
            if entry["direction"] == direction and (not types or entry["frame"]["type"] in types)
        ]

    def session(self, dialect: Dialect) -> Tree:
        """What the recorded client asked for, as GA has it, without its tools."""
        (update,) = self.frames("sent", "session.update")
        frame = wire.frame("session.updated", session=update["session"])
        session: Tree = wire.read(incoming(dialect, frame))["session"]
        session.pop("tools", None)
        return session

    def audio(self) -> dict[str, list[str]]:
        """The payloads of all audio, by item."""
        found: dict[str, list[str]] = {}
        for frame in self.frames("received", "response.audio.delta", "response.output_audio.delta"):
            found.setdefault(frame["item_id"], []).append(frame["delta"])
        return found


class Replay:
    """The server's side of a recording, as a transport of the client."""

    def __init__(self, recording: Recording, *, echoes: bool) -> None:
        self.sent: list[Tree] = []
        """What the client has sent, as it was on the wire."""
        self._echoes = echoes
        self._left = list(_with_causes(recording.entries))
        self._put: dict[bytes, bytes] = {}
        self._to_client, self._receive = anyio.create_memory_object_stream[bytes](1000)
        self._go_on()

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        self.sent.append(wire.read(data))
        self._go_on()

    async def receive(self) -> bytes:
        try:
            return await self._receive.receive()
        except anyio.ClosedResourceError:
            raise TransportClosed(1000) from None

    async def aclose(self) -> None:
        self._to_client.close()
        self._receive.close()

    @property
    def is_over(self) -> bool:
        """Whether all that was recorded has been said."""
        return not self._left

    def asked(self, type_: str) -> list[Tree]:
        return [frame for frame in self.sent if frame["type"] == type_]

    def _go_on(self) -> None:
        """Say what may be said by now."""
        while self._left:
            frame, cause, count = self._left[0]
            if len(self.asked(cause)) < count:
                return
            del self._left[0]
            self._to_client.send_nowait(self._for_this_client(frame, cause, count))

    def _for_this_client(self, frame: Tree, cause: str, count: int) -> bytes:
        if cause == "conversation.item.create":
            theirs, ours = frame["item"]["id"], self.asked(cause)[count - 1]["item"]["id"]
            self._put[b'"%b"' % theirs.encode()] = b'"%b"' % ours.encode()
        if cause == "response.create" and self._echoes:
            metadata = self.asked(cause)[count - 1]["response"]["metadata"]
            frame = {**frame, "response": {**frame["response"], "metadata": metadata}}
        data = msgspec.json.encode(frame)
        for theirs_, ours_ in self._put.items():
            data = data.replace(theirs_, ours_)
        return data


def _with_causes(entries: list[Tree]) -> Iterator[tuple[Tree, str, int]]:
    """Each frame of the server, and how many of which command have to have come before it."""
    made = {
        entry["frame"]["item"]["id"]
        for entry in entries
        if entry["frame"]["type"] == "response.output_item.added"
    }
    said: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for entry in entries:
        frame, type_ = entry["frame"], entry["frame"]["type"]
        if entry["direction"] == "sent":
            said[type_] += 1
            continue
        cause = _cause(frame, made)
        if cause == "response.create" and asked[cause] == said[cause]:
            cause = ""  # nobody asked for this one
        if cause == "input_audio_buffer.append":
            asked[cause] = said[cause]
        elif cause:
            asked[cause] += 1
        yield frame, cause, asked[cause]


def _cause(frame: Tree, made: set[str]) -> str:
    match frame["type"]:
        case "session.updated":
            return "session.update"
        case "response.created":
            return "response.create"
        case "input_audio_buffer.speech_started":
            return "input_audio_buffer.append"
        case "conversation.item.added" | "conversation.item.created":
            item = frame["item"]
            heard = any(part["type"] == "input_audio" for part in item.get("content", ()))
            return "" if heard or item["id"] in made else "conversation.item.create"
    return ""


@contextlib.asynccontextmanager
async def replayed(
    recording: Recording, dialect: Dialect, **options: Any
) -> AsyncIterator[tuple[Client, Replay]]:
    """A client that is connected to what was recorded."""
    server = Replay(recording, echoes=dialect.echoes_metadata)

    @contextlib.asynccontextmanager
    async def connect(url: str, headers: Mapping[str, str]) -> AsyncIterator[Any]:
        try:
            yield server
        finally:
            await server.aclose()

    endpoint = Endpoint("ws://localhost/v1/realtime", dialect=dialect)
    async with Client(endpoint=endpoint, connect=connect, **options) as client:
        yield client, server
