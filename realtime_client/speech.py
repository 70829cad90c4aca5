"""What a message says, as it says it: its words, and its sound.

Texts are kept per content part, and the `*.done` event wins: where its text continues what
the deltas said, the rest is streamed; where it contradicts them, it is what `read()` returns.
Sound is handed out once and is bounded. Both hold their owner, and so the whole response.
"""

from __future__ import annotations

from typing import Final

from realtime_client import events
from realtime_client.errors import RealtimeError
from realtime_client.streams import Kept, Once, Reader

__all__ = ["AudioStream", "TextStream"]

AUDIO_BOUND: Final = 16 * 1024 * 1024
"""Bytes of one unread audio stream. The longest response is 4,096 tokens of 50 ms each,
205 s, just under 10 MB of 24 kHz PCM."""


class TextStream:
    """A text as it grows. `async for` gives the deltas, each reader from the first one."""

    __slots__ = ("_deltas", "_owner", "_parts", "_settled")

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._deltas: Kept[str] = Kept()
        self._parts: dict[int, str] = {}
        self._settled: set[int] = set()

    @property
    def so_far(self) -> str:
        """All that is known of it now."""
        return "".join(self._parts[index] for index in sorted(self._parts))

    async def read(self) -> str:
        """The whole text, once it has ended.

        Raises:
            ResponseFailed: The response failed.
            ConnectionLost: The connection broke before the end.
        """
        await self._deltas.wait_ended()
        return self.so_far

    def __aiter__(self) -> Reader[str]:
        return self._deltas.read(self)

    def _push(self, part: int, delta: str) -> None:
        if part in self._settled or self._deltas.ended:
            return
        self._parts[part] = self._parts.get(part, "") + delta
        self._deltas.push(delta)

    def _settle(self, part: int, text: object) -> None:
        """The `*.done` text of a part."""
        if not isinstance(text, str) or part in self._settled or self._deltas.ended:
            return
        self._settled.add(part)
        heard = self._parts.get(part, "")
        if text != heard and text.startswith(heard):
            self._deltas.push(text[len(heard) :])
        self._parts[part] = text

    def _end(self, error: RealtimeError | None) -> None:
        self._deltas.end(error)


class AudioStream(Once[bytes]):
    """The audio of a message, in `format`, as it arrives: chunks of any size, each once."""

    __slots__ = ("_owner", "format")

    def __init__(self, owner: object, what: str, format: events.AudioFormat | None) -> None:  # noqa: A002 - the wire's own name
        super().__init__(what, bound=AUDIO_BOUND, size=len)
        self._owner = owner
        self.format = format
        """The session's acknowledged output format; None where the server named none."""
