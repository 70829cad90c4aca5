"""What a message says, as it says it: its words, and its sound.

A message is a list of content parts, and two of them can grow at the same time. A stream
gives each part whole before it begins the next, so parts are never mixed. Texts are kept, and
the `*.done` event wins: where its text continues what the deltas said, the rest is streamed;
where it contradicts them, it is what `read()` returns. Sound is handed out once and is
bounded. All hold their owner, and so the whole response.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Literal, Protocol, TypeVar

from realtime_client import events
from realtime_client.errors import RealtimeError, UsageError
from realtime_client.streams import Kept, Once, Reader

if TYPE_CHECKING:
    from realtime_client.pcm_stream import PcmStream

__all__ = ["AudioStream", "Delta", "Listener", "TextStream"]

T = TypeVar("T")

AUDIO_BOUND: Final = 16 * 1024 * 1024
"""Bytes of one unread audio stream. The longest response is 4,096 tokens of 50 ms each,
205 s, just under 10 MB of 24 kHz PCM."""


class Delta(str):
    """A piece of text; `start_time` is the second at which it is spoken, where servers tell."""

    __slots__ = ("start_time",)

    start_time: float | None

    def __new__(cls, text: str, start_time: object = None) -> Delta:
        """A piece of text that may have a time."""
        delta = super().__new__(cls, text)
        delta.start_time = start_time if isinstance(start_time, (int, float)) else None
        return delta


class _Parts(Generic[T]):
    """Puts elements of several parts into the order of the parts, each part whole."""

    __slots__ = ("_closed", "_held", "current")

    def __init__(self) -> None:
        self.current: int | None = None
        """The part whose elements pass."""
        self._held: dict[int, list[T]] = {}
        self._closed: set[int] = set()

    def passes(self, part: int) -> bool:
        """Whether an element of this part may go out at once."""
        if self.current is None and part not in self._closed:
            self.current = part
        return part == self.current

    def hold(self, part: int, element: T) -> None:
        """Keep an element until the parts before its own have ended."""
        self._held.setdefault(part, []).append(element)

    def close(self, part: int) -> list[T]:
        """A part has ended; returns what may go out now."""
        self._closed.add(part)
        if part != self.current:
            return []
        self.current = None
        released: list[T] = []
        while self._held and self.current is None:
            first = next(iter(self._held))
            released += self._held.pop(first)
            self.current = None if first in self._closed else first
        return released

    def rest(self) -> list[T]:
        """Everything has ended; returns what was held."""
        held, self._held = self._held, {}
        return [element for elements in held.values() for element in elements]


class TextStream:
    """A text as it grows. `async for` gives the deltas, each reader from the first one."""

    __slots__ = ("_deltas", "_order", "_owner", "_parts", "_settled")

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._deltas: Kept[Delta] = Kept()
        self._order: _Parts[Delta] = _Parts()
        self._parts: dict[int, str] = {}
        self._settled: set[int] = set()

    @property
    def so_far(self) -> str:
        """All that is known of it now."""
        return "".join(self.parts)

    @property
    def parts(self) -> tuple[str, ...]:
        """The same by content part, in the order of their `content_index`."""
        return tuple(self._parts[index] for index in sorted(self._parts))

    async def read(self) -> str:
        """The whole text, once it has ended.

        Raises:
            ResponseFailed: The response failed.
            ResponseAbandoned: The server never ended the response.
            ConnectionLost: The connection broke before the end.
        """
        await self._deltas.wait_ended()
        return self.so_far

    def __aiter__(self) -> Reader[Delta]:
        return self._deltas.read(self)

    def _push(self, part: int, delta: str, start_time: object = None) -> None:
        if part in self._settled or self._deltas.ended:
            return
        self._parts[part] = self._parts.get(part, "") + delta
        piece = Delta(delta, start_time)
        if self._order.passes(part):
            self._deltas.push(piece)
        else:
            self._order.hold(part, piece)

    def _settle(self, part: int, text: object) -> None:
        """The `*.done` text of a part."""
        if not isinstance(text, str) or part in self._settled or self._deltas.ended:
            return
        heard = self._parts.get(part, "")
        if text != heard and text.startswith(heard):
            self._push(part, text[len(heard) :])
        self._parts[part] = text
        self._settled.add(part)
        for piece in self._order.close(part):
            self._deltas.push(piece)

    def _end(self, error: RealtimeError | None) -> None:
        for piece in self._order.rest():
            self._deltas.push(piece)
        self._deltas.end(error)


class Listener(Protocol):
    """Who counts what is heard of one item."""

    def handed(self, part: int, size: int) -> None:
        """So many bytes of a part were taken to be played."""

    def forget(self) -> None:
        """Nobody will play it."""


class AudioStream(Once[bytes]):
    """The audio of a message, in `format`, as it arrives: chunks of any size, each once."""

    __slots__ = (
        "_is_read",
        "_listener",
        "_order",
        "_owner",
        "_parts",
        "_taken",
        "began",
        "cuts",
        "format",
    )

    def __init__(
        self,
        owner: object,
        what: str,
        format: events.AudioFormat | None,  # noqa: A002 - the wire's own name
        listener: Listener,
    ) -> None:
        super().__init__(what, bound=AUDIO_BOUND, size=len)
        self._owner = owner
        self._listener = listener
        self._parts: deque[int] = deque()
        """The part of each chunk that waits to be read."""
        self._taken = False
        self._is_read = False
        """Whether somebody waits for the next chunk."""
        self._order: _Parts[tuple[int, bytes]] = _Parts()
        self.format = format
        """What the server acknowledged: 24 kHz 16-bit PCM, or 8 kHz G.711. None: unknown."""
        self.began = False
        """Whether any audio has come."""
        self.cuts = 0
        """How often playing it was interrupted."""

    async def __anext__(self) -> bytes:
        return (await self.take())[1]

    async def take(self) -> tuple[int, bytes]:
        """The next chunk, and the content part that it is of; it counts as handed over.

        Raises `StopAsyncIteration`, or the error that the stream ends with.
        """
        if self._is_read:
            raise UsageError(f"{self._what} is read by somebody else, and is handed out once")
        self._is_read = True
        try:
            chunk = await super().__anext__()
        finally:
            self._is_read = False
        self._taken = True
        part = self._parts.popleft()
        self._listener.handed(part, len(chunk))
        return part, chunk

    def as_pcm(
        self,
        rate: int = 48_000,
        dtype: Literal["float32", "int16"] = "float32",
        *,
        quality: str = "low_delay",
    ) -> PcmStream:
        """The same audio as numpy arrays: mono samples of `dtype` at `rate` hertz.

        Decoded by the format that the server acknowledged, and resampled as one stretch, whose
        last samples come at its end and before its error. float32 is full scale at 1.0 and
        never beyond. `rate` is 8,000 to 192,000; `quality` is as for the input. Audio counts as
        handed over when the resampler gets it; `low_delay` holds back 2 ms of it at most.

        Raises:
            InvalidAudio: A rate, dtype or quality that cannot be, or a format without a codec.
            UsageError: Some of it was taken already: keep the iterator and go on with that.
        """
        from realtime_client.pcm_stream import PcmStream

        if self._taken:
            raise UsageError(
                f"{self._what} was begun already, and samples depend on those before them: "
                "call as_pcm() first, and once, and keep what it returns"
            )
        return PcmStream(self, self.format, rate=rate, dtype=dtype, quality=quality)

    def close(self) -> None:
        """The consumer is done. What nobody has begun to read does not count as to be heard.

        Then the message is never truncated, however much of it is still to come.
        """
        if not self._taken:
            self._listener.forget()
        super().close()

    def cut(self) -> None:
        """Playing was interrupted: what has not been read is not to be read any more."""
        self.cuts += 1
        self._drop()

    def _push(self, part: int, chunk: bytes) -> None:
        self.began = True
        if self._order.passes(part):
            self._parts.append(part)
            self.push(chunk)
        elif self._hold(len(chunk)):
            self._order.hold(part, (part, chunk))

    def _close_part(self, part: int) -> None:
        self._release(self._order.close(part))

    def end(self, error: BaseException | None = None) -> None:
        """No more audio; what a part that never ended held back comes first."""
        self._release(self._order.rest())
        super().end(error)

    def _drop(self) -> None:
        self._order.rest()
        self._parts.clear()
        super()._drop()

    def _release(self, chunks: list[tuple[int, bytes]]) -> None:
        if chunks and not self.ended:
            self._parts.extend(part for part, _ in chunks)
            self._items.extend(chunk for _, chunk in chunks)
            self._bell.ring()
