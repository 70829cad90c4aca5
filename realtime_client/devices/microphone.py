"""A microphone as a stream of chunks.

The device's thread puts each block into a `Capture` and rings; the event loop takes it out. A
reader that is late loses sound, never time: what is dropped is counted and nothing blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint

from realtime_client.devices.capture import Capture, Overflow
from realtime_client.devices.sound import (
    BLOCK_MS,
    Device,
    DeviceError,
    Latency,
    open_stream,
)
from realtime_client.devices.threads import Switch, from_any_thread, open_in_thread
from realtime_client.errors import UsageError
from realtime_client.streams import Bell

__all__ = ["Microphone"]


class Microphone:
    """A microphone, mono: `async with Microphone() as mic:` and then `async for chunk in mic:`.

    A chunk is bytes of int16, little-endian, `chunk_ms` long: `await c.send_audio(chunk,
    rate=mic.rate)`. It ends when the block is left.

    `rate` is in hertz; with None it is 48,000 where the device takes that and the device's own
    where not, and `mic.rate` says which. `device` is a number or a part of a name. At most
    `buffer_ms` wait for a reader; beyond that `overflow` says what is lost, `drop_oldest` or
    `drop_newest`, and `dropped_ms` how much. `latency` is the device's own buffer: `low`, `high`,
    or seconds.

    Raises:
        UsageError: A policy or a length that cannot be.
        DeviceError: On entering: no package, no library, no device, not at this rate. From the
            iteration: the microphone is gone.
    """

    def __init__(
        self,
        *,
        rate: int | None = 48_000,
        device: Device = None,
        chunk_ms: int = BLOCK_MS,
        buffer_ms: float = 1_000.0,
        overflow: Overflow = "drop_oldest",
        latency: Latency = "high",
    ) -> None:
        if not 0 < chunk_ms <= buffer_ms:
            raise UsageError(
                f"chunk_ms is more than 0 and at most buffer_ms; got {chunk_ms!r}, {buffer_ms!r}"
            )
        self._rate = rate
        self._device = device
        self._latency = latency
        self._chunk_ms = chunk_ms
        self._make = partial(Capture, buffer_ms=buffer_ms, overflow=overflow)
        self._capture = self._make(rate or 0)
        self._stream: Any = None
        self._switch: Switch | None = None
        self._bell = Bell()
        self._ring: Callable[[], object] = self._bell.ring
        self.overflows = 0
        """How often the device itself lost sound, because its thread came too late."""

    async def __aenter__(self) -> Self:
        self._ring = from_any_thread(self._bell.ring)
        stream, rate = await open_in_thread(self._open)
        self._stream, self._rate, self._capture = stream, rate, self._make(rate)
        self._switch = Switch(stream, "input")
        try:
            await anyio.to_thread.run_sync(self._switch.start)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    @property
    def rate(self) -> int:
        """Frames a second."""
        if not self._rate:
            raise UsageError("the rate is known inside `async with Microphone(rate=None)`")
        return self._rate

    @property
    def level_db(self) -> float:
        """How loud it is now: RMS of the newest chunk in dBFS, -96 (silence) to 0."""
        return self._capture.level_db

    @property
    def held_ms(self) -> float:
        """Milliseconds that wait for a reader."""
        return self._capture.held * 1000 / self.rate

    @property
    def dropped_ms(self) -> float:
        """Milliseconds that were lost because nobody read in time."""
        return self._capture.dropped * 1000 / self.rate

    def __aiter__(self) -> Microphone:
        return self

    async def __anext__(self) -> bytes:
        await checkpoint()
        while (chunk := self._capture.pop()) is None:
            if self._stream is None:
                raise StopAsyncIteration
            if not self._stream.active:
                raise DeviceError("the microphone is gone: it has stopped giving sound")
            await self._bell.wait()
        return chunk

    async def _close(self) -> None:
        assert self._switch is not None, "it was opened"
        self._stream = None
        self._bell.ring()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._switch.close)

    # -- on other threads ----------------------------------------------------------------

    def _open(self) -> tuple[Any, int]:
        return open_stream(
            "input",
            rate=self._rate,
            device=self._device,
            latency=self._latency,
            block_ms=self._chunk_ms,
            callback=self._take,
            finished=self._finished,
        )

    def _take(self, block: Any, frames: int, time: Any, status: Any) -> None:
        """The device gives a block."""
        if status.input_overflow:
            self.overflows += 1
        self._capture.push(bytes(block))
        self._ring()

    def _finished(self) -> None:
        """The device has stopped, on its own or because it is being closed."""
        self._ring()
