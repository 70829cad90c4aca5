"""A server that says several responses at once, and a network that mixes up what it says.

Every response is written down first: messages with several content parts, calls, and calls of
an MCP server, interleaved with each other. Each piece of sound and text is its own address,
`resp/item/part/number;`, so that whoever gets it can be seen to be whom it was for.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from realtime_client.creates import METADATA_KEY
from tests import wire

PIECES = 4
GARBAGE: tuple[bytes, ...] = (
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b'"text"',
    b'{"type": 7}',
    b'{"type": "response.created"}',
    b'{"type": "response.created", "response": {"metadata": {"realtime_client": 7}}}',
    b'{"type": "response.done", "response": {}}',
    b'{"type": "response.done", "response": {"id": null, "metadata": {"a": null}}}',
    b'{"type": "response.something.new", "response_id": "resp_1"}',
    b'{"type": "response.output_audio.delta", "delta": "AAAA"}',
    b'{"type": "response.output_audio.delta", "response_id": null, "item_id": 3, "delta": "AAAA"}',
    b'{"type": "response.output_audio.delta", "response_id": "resp_x", "delta": "not base64"}',
    b'{"type": "response.output_item.added", "response_id": "resp_x", "item": {"type": "new"}}',
    b'{"type": "response.output_item.done", "response_id": "resp_x", "item": {"id": 1}}',
    b'{"type": "response.mcp_call.completed", "item_id": "item_x"}',
    b'{"type": "response.mcp_call.failed", "item_id": null}',
    b'{"type": "error", "error": "plain"}',
    b'{"type": "error", "error": {"event_id": "event_nobody", "message": null}}',
    b'{"type": "conversation.item.added", "item": {"type": "message", "id": "item_x"}}',
)


@dataclass
class Part:
    """One content part of a message, or the arguments of a call."""

    item: Item
    index: int
    kind: str
    pieces: list[str]

    @property
    def whole(self) -> str:
        return "".join(self.pieces)


@dataclass
class Item:
    """One output of a response."""

    owner: Script
    id: str
    index: int
    kind: str
    parts: list[Part] = field(default_factory=list)

    def wire(self, status: str | None = None) -> dict[str, Any]:
        """The item as the server shows it; without its contents while it grows."""
        if self.kind == "message":
            contents = [_content(part) for part in self.parts] if status else []
            return wire.message(self.id, content=contents, status=status or "in_progress")
        arguments = self.parts[0].whole if status else ""
        call = {"type": self.kind, "id": self.id, "name": "look", "arguments": arguments}
        named = {"call_id": f"call_{self.id}"} if self.kind == "function_call" else {}
        return {**call, **named, "status": status or "in_progress"}


@dataclass
class Script:
    """One response, and the frames that tell of it, in the server's order."""

    id: str
    metadata: dict[str, Any] | None
    items: list[Item] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    out_of_band: bool = False

    def resource(self, status: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The response as the server shows it."""
        conversation = None if self.out_of_band else "conv_1"
        return {
            "id": self.id,
            "status": status,
            "output": items,
            "metadata": self.metadata,
            "conversation_id": conversation,
        }


def _content(part: Part) -> dict[str, Any]:
    if part.kind == "audio":
        return {"type": "output_audio", "transcript": part.whole}
    return {"type": "output_text", "text": part.whole}


class Author:
    """Writes responses. `names` says what its `event_id`s are: `unique`, or worth nothing."""

    def __init__(self, rng: random.Random, names: str) -> None:
        self._rng = rng
        self._names = names
        self._events = 0
        self._responses = 0

    def frame(self, kind: str, **fields: Any) -> bytes:
        self._events += 1
        event_id: dict[str, dict[str, Any]] = {
            "unique": {"event_id": f"ev_{self._events}"},
            "constant": {"event_id": "event_TODO"},
            "by kind": {"event_id": f"event of {kind}"},
            "null": {"event_id": None},
            "none": {},
        }
        return wire.frame(kind, **event_id[self._names], **fields)

    def stray(self, script: Script) -> bytes:
        """A piece of an item that the response does not have, or of a part that it has not."""
        items = [item.id for item in script.items if item.kind == "message"]
        item_id = self._rng.choice([*items, f"item_{script.id}_9"])
        self._events += 1
        piece = f"{script.id}/{item_id}/7/{self._events};"
        kind = self._rng.choice(["audio", "text", "audio_transcript"])
        delta = base64.b64encode(piece.encode()).decode() if kind == "audio" else piece
        where = {"response_id": script.id, "item_id": item_id, "content_index": 7}
        return self.frame(f"response.output_{kind}.delta", **where, delta=delta)

    def write(
        self, metadata: dict[str, Any] | None, *, out_of_band: bool, beginning: bool = True
    ) -> Script:
        """A new response, whole."""
        self._responses += 1
        script = Script(f"resp_{self._responses}", metadata, out_of_band=out_of_band)
        script.items = [self._item(script, n) for n in range(self._rng.randint(0, 3))]
        threads = [self._say(item) for item in script.items]
        if beginning:
            created = script.resource("in_progress", [])
            script.frames.append(self.frame("response.created", response=created))
        script.frames += self._mixed(threads)
        script.frames.append(self.end(script, "completed"))
        return script

    def end(self, script: Script, status: str) -> bytes:
        """`response.done`. One that was cut off shows nothing of what it did not say."""
        items = [item.wire("completed") for item in script.items] if status == "completed" else []
        return self.frame("response.done", response=script.resource(status, items))

    def _item(self, script: Script, index: int) -> Item:
        kind = self._rng.choice(["message", "message", "message", "function_call", "mcp_call"])
        item = Item(script, f"item_{script.id}_{index}", index, kind)
        count = self._rng.randint(0, 3) if kind == "message" else 1
        for n in range(count):
            spoken = self._rng.choice(["audio", "text"]) if kind == "message" else "arguments"
            pieces = [
                f"{script.id}/{item.id}/{n}/{k};" for k in range(self._rng.randint(0, PIECES))
            ]
            item.parts.append(Part(item, n, spoken, pieces))
        return item

    def _mixed(self, threads: list[Iterator[bytes]]) -> list[bytes]:
        """Several threads as one, each in its own order."""
        mixed: list[bytes] = []
        while threads:
            thread = self._rng.choice(threads)
            frame = next(thread, None)
            if frame is None:
                threads.remove(thread)
            else:
                mixed.append(frame)
        return mixed

    def _say(self, item: Item) -> Iterator[bytes]:
        place = {"response_id": item.owner.id, "output_index": item.index}
        yield self.frame("response.output_item.added", **place, item=item.wire())
        if item.kind == "mcp_call":
            yield self.frame("response.mcp_call.in_progress", item_id=item.id, output_index=0)
        yield from self._mixed([self._speak(part, place) for part in item.parts])
        if item.kind == "mcp_call":
            yield self.frame("response.mcp_call.completed", item_id=item.id, output_index=0)
        yield self.frame("response.output_item.done", **place, item=item.wire("completed"))

    def _speak(self, part: Part, place: dict[str, Any]) -> Iterator[bytes]:
        where = {**place, "item_id": part.item.id}
        if part.kind == "arguments":
            name = {"function_call": "function_call_arguments", "mcp_call": "mcp_call_arguments"}
            kind = f"response.{name[part.item.kind]}"
            for piece in part.pieces:
                yield self.frame(f"{kind}.delta", **where, delta=piece)
            yield self.frame(f"{kind}.done", **where, arguments=part.whole)
            return
        where["content_index"] = part.index
        shown = {"type": part.kind}
        yield self.frame("response.content_part.added", **where, part=shown)
        if part.kind == "text":
            for piece in part.pieces:
                yield self.frame("response.output_text.delta", **where, delta=piece)
            yield self.frame("response.output_text.done", **where, text=part.whole)
        else:
            said = "response.output_audio_transcript"
            for piece in part.pieces:
                yield self.frame(f"{said}.delta", **where, delta=piece)
                sound = base64.b64encode(piece.encode()).decode()
                yield self.frame("response.output_audio.delta", **where, delta=sound)
            yield self.frame("response.output_audio.done", **where)
            yield self.frame(f"{said}.done", **where, transcript=part.whole)
        yield self.frame("response.content_part.done", **where, part=shown)


def initiator(script: Script, nonce: str) -> str:
    """Who started a response, by what its metadata say."""
    key = (script.metadata or {}).get(METADATA_KEY)
    if not isinstance(key, str):
        return "server"
    return "client" if key.startswith(f"{nonce}-") else "other"


@dataclass(frozen=True)
class Weather:
    """How often, of a hundred frames, the network does what to one."""

    reorder: int = 0
    duplicate: int = 0
    drop: int = 0
    garbage: int = 0


class Network:
    """Frames on their way, a queue for each response and one for what belongs to none."""

    def __init__(self, rng: random.Random, weather: Weather) -> None:
        self._rng = rng
        self._weather = weather
        self._queues: dict[str, list[bytes]] = {}
        self._past: list[bytes] = []
        self.spoiled: set[str] = set()
        """The responses that did not come as they were written."""
        self.reordered: set[str] = set()

    def put(self, whose: str, frames: list[bytes]) -> None:
        self._queues.setdefault(whose, []).extend(frames)

    def cut(self, whose: str, keep: int) -> bool:
        """Take away what is not yet sent of a response but for a few frames; whether any was."""
        queue = self._queues.get(whose, [])
        there = bool(queue)
        del queue[keep:]
        return there

    def __bool__(self) -> bool:
        return any(self._queues.values())

    def take(self) -> bytes | None:
        """The next frame that arrives; None for one that never does."""
        dice, weather = self._rng.randrange(100), self._weather
        if dice < weather.garbage:
            return self._rng.choice(GARBAGE)
        if dice < weather.garbage + weather.duplicate and self._past:
            return self._rng.choice(self._past[-200:])
        full = [name for name, queue in self._queues.items() if queue]
        if not full:
            return None
        whose = self._rng.choice(full)
        queue = self._queues[whose]
        at = 0
        if len(queue) > 1 and self._rng.randrange(100) < weather.reorder:
            at = self._rng.randrange(1, len(queue))
            self.spoiled.add(whose)
            self.reordered.add(whose)
        frame = queue.pop(at)
        if self._rng.randrange(100) < weather.drop:
            self.spoiled.add(whose)
            return None
        self._past.append(frame)
        return frame


def owner(raw: bytes) -> str | None:
    """The response that a frame of the author's is about."""
    event = msgspec.json.decode(raw)
    item = event.get("item_id") or ""
    whole = event.get("response") or {}
    by_item = item.removeprefix("item_").rpartition("_")[0] or None
    named: str | None = event.get("response_id") or whole.get("id") or by_item
    return named
