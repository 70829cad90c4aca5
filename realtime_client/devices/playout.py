"""What a speaker was given, and what became of every frame of it.

A frame is written, waits here, is taken by the device, and is heard a little later: between the
two lies the device's own buffer, some tens of milliseconds. The device says for every block when
its first frame will be heard. So what has been heard is not guessed from what was taken; it is
read off the clock, block by block, and silence that the device was given because there was
nothing to play counts for nothing.

At any moment, in frames::

    written = waiting + sounding + played + flushed

`sounding` is what the device has and has not made heard. A flush moves it and `waiting` to
`flushed`, for the device is stopped with it.

Two threads come here, the device's and the event loop's, and a lock makes each call one step.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import NamedTuple

__all__ = ["Playout"]


class _Block(NamedTuple):
    heard_at: float
    frames: int


class Playout:
    """A queue of sound, in bytes, whose frames are counted. Times are seconds of one clock."""

    def __init__(self, rate: int, *, frame_bytes: int = 2) -> None:
        self._rate = rate
        self._frame_bytes = frame_bytes
        self._lock = Lock()
        self._buffer = bytearray()
        self._blocks: deque[_Block] = deque()
        self._taken = 0
        self._heard = 0
        self._flushed = 0

    @property
    def waiting(self) -> int:
        """Frames that the device has not taken yet."""
        return len(self._buffer) // self._frame_bytes

    @property
    def written(self) -> int:
        """Whole frames written in all."""
        with self._lock:
            return self._taken + self.waiting + self._flushed

    @property
    def flushed(self) -> int:
        """Frames that were written and will never be heard."""
        return self._flushed

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append. It may end inside a frame, whose rest comes with the next call."""
        with self._lock:
            self._buffer += data

    def take(self, frames: int, heard_at: float) -> bytes:
        """Sound for the device, filled up with silence; its first frame is heard at that time."""
        with self._lock:
            ready = min(frames, self.waiting)
            size = ready * self._frame_bytes
            sound = bytes(self._buffer[:size])
            del self._buffer[:size]
            if ready:
                self._taken += ready
                self._blocks.append(_Block(heard_at, ready))
        return sound.ljust(frames * self._frame_bytes, b"\0")

    def played(self, now: float) -> int:
        """Frames that have been heard in all. Never less than the last time."""
        with self._lock:
            return self._played(now)

    def unheard(self, now: float) -> int:
        """Frames that wait, or that the device has and has not made heard."""
        with self._lock:
            return self.waiting + self._taken - self._played(now)

    def flush(self, now: float) -> int:
        """Forget what has not been heard, in the device too; returns what has been, in all."""
        with self._lock:
            played = self._played(now)
            self._flushed += self.waiting + self._taken - played
            self._taken = self._heard = played
            self._blocks.clear()
            self._buffer.clear()
            return played

    def end(self) -> None:
        """What is written next begins with a frame: the rest of one cut in two never comes."""
        with self._lock:
            del self._buffer[self.waiting * self._frame_bytes :]

    def _played(self, now: float) -> int:
        """Count the blocks that are over, and of those that sound what has sounded."""
        blocks, rate = self._blocks, self._rate
        while blocks and _sounded(blocks[0], now, rate) == blocks[0].frames:
            blocks.popleft()
        before = self._taken - sum(block.frames for block in blocks)
        sounded = sum(_sounded(block, now, rate) for block in blocks)
        self._heard = max(self._heard, before + sounded)
        return self._heard


def _sounded(block: _Block, now: float, rate: int) -> int:
    """How many frames of a block have been heard; a frame counts when it is over."""
    # A clock of seconds is a float: at the end of a block it may be a hair short of a frame.
    return min(block.frames, max(0, int((now - block.heard_at) * rate + 1e-3)))
