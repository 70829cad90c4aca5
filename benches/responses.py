"""Does a connection that lives long grow? A hundred thousand responses through one.

The server is a few lines in the same process that answer and remember nothing, so what grows
is the client. The responses are of every kind that leaves traces: in the conversation and out
of band, read to the end, not read at all, cancelled, given up before they begin, failed, never
ended, with calls that are run here, and events that belong to nobody.

Memory is what Python has allocated (`tracemalloc`), after a tenth and at the end::

    python benches/responses.py --responses 100000
"""

from __future__ import annotations

import argparse
import gc
import itertools
import time
import tracemalloc
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec

from realtime_client import Client, tool
from realtime_client.errors import RealtimeError

KINDS = ("read", "unread", "aside", "cancelled", "given up", "failed", "call", "stray")
PCM = {"type": "audio/pcm", "rate": 24_000}


class Server:
    """Answers what it is asked, and forgets it."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._wake = anyio.Event()
        self._ids = itertools.count(1)
        self._names = itertools.count(1)
        self._said: str | None = None
        self.say("session.created", session=self._session())

    def say(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": f"event_{next(self._ids)}", **fields}
        self._frames.append(msgspec.json.encode(event))
        self._wake.set()

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        frame = msgspec.json.decode(data)
        match frame["type"]:
            case "session.update":
                self.say("session.updated", session=self._session())
            case "response.create":
                self._respond(frame["response"])
            case "response.cancel":
                self._done(frame["response_id"], "cancelled")
            case "conversation.item.create":
                self.say("conversation.item.added", previous_item_id=None, item=frame["item"])

    async def receive(self) -> bytes:
        while not self._frames:
            self._wake = anyio.Event()
            await self._wake.wait()
        return self._frames.popleft()

    async def aclose(self) -> None:
        self._frames.clear()

    def _session(self) -> dict[str, Any]:
        sides = {"input": {"format": PCM}, "output": {"format": PCM, "voice": "alloy"}}
        return {"type": "realtime", "id": "sess_1", "audio": sides}

    def _respond(self, asked: dict[str, Any]) -> None:
        number = next(self._names)
        name, kind = f"resp_{number}", (asked.get("metadata") or {}).get("kind", "follow-up")
        outside = asked.get("conversation") == "none"
        self._said = None if outside else "conv_1"
        shown = {"conversation_id": self._said, "metadata": asked.get("metadata")}
        self.say("response.created", response={"id": name, "status": "in_progress", **shown})
        if kind == "stray":
            self.say("response.output_audio.delta", response_id="resp_?", item_id="?", delta="AAAA")
        item = {"id": f"item_{number}", "type": "message", "role": "assistant", "content": []}
        if kind == "call":
            item = {
                "id": f"item_{number}",
                "type": "function_call",
                "call_id": f"call_{number}",
                "name": "look",
                "arguments": '{"where": "here"}',
                "status": "completed",
            }
        at = {"response_id": name, "item_id": item["id"], "output_index": 0, "content_index": 0}
        self.say("response.output_item.added", response_id=name, output_index=0, item=item)
        if not outside:
            self.say("conversation.item.added", previous_item_id=None, item=item)
        if kind != "call":
            self.say("response.output_audio_transcript.delta", **at, delta="Hello.")
            self.say("response.output_audio.delta", **at, delta="AAAA" * 100)
            self.say("response.output_audio_transcript.done", **at, transcript="Hello.")
        self.say("response.output_item.done", response_id=name, output_index=0, item=item)
        if kind not in ("cancelled", "given up"):
            self._done(name, "failed" if kind == "failed" else "completed")

    def _done(self, name: str, status: str) -> None:
        usage = {"total_tokens": 2, "input_tokens": 1, "output_tokens": 1}
        response = {"id": name, "status": status, "output": [], "usage": usage}
        self.say("response.done", response=response)


@asynccontextmanager
async def connect(url: str, headers: Mapping[str, str]) -> AsyncIterator[Server]:
    server = Server()
    yield server
    await server.aclose()


@tool
def look(where: str) -> str:
    """Look at a place."""
    return f"nothing {where}"


async def one(client: Client, kind: str) -> None:
    """One response from beginning to end."""
    options: dict[str, Any] = {"metadata": {"kind": kind}}
    if kind == "given up":
        with anyio.move_on_after(0):
            await client.response.create(**options)
        return
    if kind == "aside":
        options |= {"conversation": "none", "input": []}
    response = await client.response.create(**options)
    if kind == "cancelled":
        await response.cancel()
    elif kind == "read":
        said = b"".join([chunk async for chunk in response.audio])
        assert len(said) == 300, len(said)
    elif kind == "call":
        follow_up = await response.follow_up()
        assert follow_up is not None
        await follow_up.done()
    elif kind != "unread":
        await response.done()


def allocated() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def run(responses: int) -> float:
    """Returns how many bytes a response leaves behind after the first tenth."""
    async with Client(endpoint="ws://localhost/r", connect=connect, tools=[look]) as client:
        began = time.monotonic()
        tenth, after_tenth = max(responses // 10, 1), 0
        for number, kind in zip(range(responses), itertools.cycle(KINDS), strict=False):
            if number == tenth:
                after_tenth = allocated()
            try:
                await one(client, kind)
            except RealtimeError as error:
                raise SystemExit(f"response {number} ({kind}): {error!r}") from error
        left = allocated() - after_tenth
        seconds = time.monotonic() - began
        each = left / (responses - tenth)
        print(f"{responses:,} responses in {seconds:.0f} s, {len(KINDS)} kinds in turn")
        print(f"after {tenth:,}: {after_tenth:,} bytes; at the end: {left:+,} bytes")
        print(f"{each:.3f} bytes a response after the first tenth")
        print(", ".join(f"{name} {count.total():,}" for name, count in client.stats.items()))
        return each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--responses", type=int, default=100_000)
    asked = parser.parse_args()
    tracemalloc.start()
    each = anyio.run(run, asked.responses)
    if each >= 1.0:
        raise SystemExit("it grows")


if __name__ == "__main__":
    main()
