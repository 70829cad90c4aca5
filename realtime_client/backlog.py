"""The audio that may have to be said again: what no turn of the server holds yet.

A server that goes away takes its input buffer with it. So what was appended is kept here until
it is settled: committed, cleared, or heard as silence. Positions are in bytes of the wire's
format since the connection began, and the newest `limit` bytes are kept.

What was said in a turn is kept by its message, for a session that knows nothing of it, where
somebody wants that. It is kept whole or not at all, with its format: in another one it is noise.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from realtime_client.ruler import Form

__all__ = ["MOST_KEPT", "Backlog", "KeptAudio", "Span", "Unheard"]

MOST_KEPT: Final = 64 * 1024 * 1024
"""Bytes of the user's messages that are kept: 23 minutes of 24 kHz PCM."""


class Span(NamedTuple):
    """A stretch of audio in samples of the wire's rate, counted from the first one that the
    client ever appended."""

    start: int
    stop: int


class Unheard(NamedTuple):
    """What a connection that is over has not made a turn: `audio` is to be said again, and
    `dropped`, which came before it, is not. `base` is where `audio` begins, in samples."""

    audio: bytes
    dropped: Span
    base: int


class Backlog:
    """The newest audio of one connection, from `start` to `end`."""

    __slots__ = ("_chunks", "end", "limit", "start")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.start = 0
        self.end = 0
        self._chunks: deque[bytes] = deque()

    def put(self, audio: bytes) -> None:
        """More audio; past the limit the oldest goes."""
        if not audio:
            return
        self._chunks.append(audio)
        self.end += len(audio)
        self.forget(self.end - self.limit)

    def forget(self, position: int) -> None:
        """Nothing before this position is wanted any more."""
        while self._chunks and self.start + len(self._chunks[0]) <= position:
            self.start += len(self._chunks.popleft())
        if self._chunks and self.start < position:
            self._chunks[0] = self._chunks[0][position - self.start :]
            self.start = position

    def between(self, first: int, last: int) -> bytes:
        """What is kept of the audio from `first` to before `last`."""
        pieces, position = [], self.start
        for chunk in self._chunks:
            low, high = max(first - position, 0), min(last - position, len(chunk))
            if low < high:
                pieces.append(chunk[low:high])
            position += len(chunk)
        return b"".join(pieces)


class KeptAudio:
    """What the user said, by the id of the message; past `MOST_KEPT` the oldest goes."""

    __slots__ = ("_by_item", "_size")

    def __init__(self) -> None:
        self._by_item: dict[str, tuple[bytes, Form]] = {}
        self._size = 0

    def put(self, item_id: str, audio: bytes, form: Form) -> None:
        """Keep the audio of a message, as the newest."""
        self.forget(item_id)
        self._by_item[item_id] = audio, form
        self._size += len(audio)
        while self._size > MOST_KEPT:
            self.forget(next(iter(self._by_item)))

    def get(self, item_id: str, form: Form) -> bytes | None:
        """The audio of a message, where it is kept and in this format."""
        audio, of = self._by_item.get(item_id, (None, form))
        return audio if of == form else None

    def forget(self, item_id: str) -> None:
        """The message is gone, or its audio is."""
        audio, _ = self._by_item.pop(item_id, (b"", None))
        self._size -= len(audio)
