"""What a microphone gave, until somebody takes it: a queue that is bounded in milliseconds.

A device does not wait. Whoever does not take its sound in time loses some, and which some is
said by name: `drop_oldest` keeps what is said now, `drop_newest` what was said first. Whatever is
lost is counted. In frames, at any moment::

    captured = held + delivered + dropped

The device's thread pushes, the event loop pops, and a lock makes each call one step.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Final, Literal, TypeAlias, get_args

from realtime_client.errors import UsageError

__all__ = ["SILENCE_DB", "Capture", "Overflow", "level_db"]

Overflow: TypeAlias = Literal["drop_oldest", "drop_newest"]

SILENCE_DB: Final = -96.0
"""The level of silence: 16 bits have no less."""


class Capture:
    """A queue of 16-bit mono sound, in the pieces in which the device gave it.

    It holds at most `buffer_ms`; beyond that whole pieces are dropped, as `overflow` says.
    """

    def __init__(
        self, rate: int, *, buffer_ms: float = 1_000.0, overflow: Overflow = "drop_oldest"
    ) -> None:
        if overflow not in get_args(Overflow):
            raise UsageError(f"overflow is one of {get_args(Overflow)}; got {overflow!r}")
        self._bound = rate * buffer_ms / 1000
        self._overflow = overflow
        self._lock = Lock()
        self._pieces: deque[bytes] = deque()
        self._newest = b""
        self.held = 0
        """Frames that wait to be taken."""
        self.delivered = 0
        """Frames that were taken."""
        self.dropped = 0
        """Frames that were lost because nobody took them in time."""

    @property
    def captured(self) -> int:
        """Frames that the device gave in all."""
        with self._lock:
            return self.held + self.delivered + self.dropped

    @property
    def level_db(self) -> float:
        """How loud the newest piece is, taken or dropped or not: see `level_db`."""
        return level_db(self._newest)

    def push(self, piece: bytes) -> None:
        """Take a piece from the device."""
        with self._lock:
            self._newest = piece
            self._pieces.append(piece)
            self.held += _frames(piece)
            while self.held > self._bound:
                oldest = self._overflow == "drop_oldest"
                lost = _frames(self._pieces.popleft() if oldest else self._pieces.pop())
                self.held -= lost
                self.dropped += lost

    def pop(self) -> bytes | None:
        """The oldest piece, or None where there is none."""
        with self._lock:
            if not self._pieces:
                return None
            piece = self._pieces.popleft()
            self.held -= _frames(piece)
            self.delivered += _frames(piece)
            return piece


def level_db(sound: bytes) -> float:
    """How loud 16-bit mono sound is: RMS in dBFS, -96 (silence) to 0 (a square of full scale)."""
    import numpy as np

    if not sound:
        return SILENCE_DB
    samples = np.frombuffer(sound, np.int16).astype(np.float64)
    power = float(np.mean(samples**2)) / 2**30
    return max(SILENCE_DB, 10 * float(np.log10(power))) if power else SILENCE_DB


def _frames(piece: bytes) -> int:
    return len(piece) // 2
