"""What is ready to be written, oldest first, and how much it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from realtime_client.codec import encode
from realtime_client.dialects import GA, Dialect, outgoing
from realtime_client.events import (
    ClientEvent,
    InputAudioBufferAppend,
    SessionInputAudioBufferAppend,
)
from realtime_client.frames import Frame

__all__ = ["APPENDS", "Outbox"]

APPENDS: Final = frozenset({InputAudioBufferAppend, SessionInputAudioBufferAppend})
"""What carries the user's audio, in a conversation and in a translation."""


class Outbox:
    """The frames of one connection that have not been taken yet, as its `dialect` writes them."""

    __slots__ = ("_dialect", "_frames", "audio", "size")

    def __init__(self, dialect: Dialect = GA) -> None:
        self._dialect = dialect
        self._frames: deque[Frame] = deque()
        self.size = 0
        """In bytes."""
        self.audio = 0
        """How many bytes of the user's audio are in it."""

    def put(self, event: ClientEvent, raw: bytes | None = None) -> None:
        """Queue an event, as `raw` where that is not simply its encoding; both are GA's."""
        frame = Frame(event, outgoing(self._dialect, encode(event) if raw is None else raw))
        self._frames.append(frame)
        self.size += len(frame.raw)
        self.audio += _audio(event)

    def take(self) -> Iterator[Frame]:
        """The frames, oldest first; each one taken is the caller's to write."""
        while self._frames:
            frame = self._frames.popleft()
            self.size -= len(frame.raw)
            self.audio -= _audio(frame.event)
            yield frame

    def clear(self) -> None:
        """Nothing of it will be written."""
        self._frames.clear()
        self.size = self.audio = 0

    @property
    def unsent(self) -> frozenset[str]:
        """The requests among them, by `event_id`."""
        names = (frame.event.event_id for frame in self._frames)
        return frozenset(name for name in names if isinstance(name, str))


def _audio(event: Any) -> int:
    """The bytes of audio in an event; four characters of base64 stand for three."""
    if type(event) not in APPENDS:
        return 0
    audio = event.audio
    return len(audio) if isinstance(audio, bytes) else len(audio.rstrip("=")) * 3 // 4
