"""What a conversation needs of the world: something to hear with, to speak with, and keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import numpy as np

from realtime_client import events
from realtime_client.audio import Resampler, WireFormat, to_int16

__all__ = ["Ear", "Keys", "Mouth", "Voice"]


class Ear(Protocol):
    """What a conversation needs of a microphone; `Microphone` is one."""

    @property
    def rate(self) -> int:
        """Frames a second."""

    @property
    def level_db(self) -> float:
        """How loud it is now, in dBFS."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Chunks of int16, mono."""


class Mouth(Protocol):
    """What a conversation needs of a speaker; `Speaker` is one."""

    @property
    def rate(self) -> int:
        """Frames a second."""

    @property
    def played_ms(self) -> float:
        """How much was heard since the beginning."""

    async def write(self, sound: bytes) -> None:
        """Play int16, mono; wait while enough is waiting."""

    async def drain(self) -> None:
        """Wait until all is heard."""

    def flush(self) -> float:
        """Be silent at once; returns how many milliseconds were heard since the beginning."""


class Keys(Protocol):
    """What a conversation needs of a keyboard; `Keyboard` is one."""

    def pressed(self) -> str:
        """A key that was pressed, or nothing."""


class Voice:
    """The audio of one message, from the wire's format to that of a speaker."""

    def __init__(self, audio_format: events.AudioFormat | None, rate: int) -> None:
        self._wire = WireFormat.from_wire(audio_format) if audio_format else WireFormat()
        self._resampler = Resampler(self._wire.rate, rate)
        self._held = b""

    def push(self, chunk: bytes) -> bytes:
        """A delta, which can be cut inside a sample."""
        data = self._held + chunk
        whole = len(data) - len(data) % self._wire.bytes_per_sample
        self._held = data[whole:]
        samples = self._wire.decode(data[:whole]).astype(np.float32) / np.float32(2**15)
        return to_int16(self._resampler.push(samples)).tobytes()

    def end(self) -> bytes:
        """What the resampler holds back."""
        return to_int16(self._resampler.flush()).tobytes()
