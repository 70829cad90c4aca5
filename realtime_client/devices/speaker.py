"""A loudspeaker that knows what it has really played.

Sound is written here, waits in a `Playout`, and is fetched by the device's thread. What counts as
played is what has been heard by the device's own reckoning: with every block it says in how many
seconds that will sound. Only that difference is used, on this machine's monotonic clock, because
the clocks of PortAudio's two calls are not the same everywhere.

Nothing rings when sound has been played: how long that takes is known, so whoever waits for it
sleeps for as long. It does ring when the device stops by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint

from realtime_client.devices.playout import Playout
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

if TYPE_CHECKING:
    from realtime_client.audio import AudioData

__all__ = ["Progress", "Speaker"]

_LEAST_WAIT: Final = 0.005
"""Seconds. Shorter waits would be work without end where a device is a little late."""


class Speaker:
    """A speaker for mono sound. Use it as `async with Speaker() as speaker:`.

    `rate` is that of what you write, in hertz; with None it is 48,000 where the device takes
    that and the device's own where not, and `speaker.rate` says which. `device` is a number or a
    part of a name. `buffer_ms` is how much may wait here before `write` waits. `latency` is the
    device's own buffer: `low`, `high`, or seconds.

    Raises:
        DeviceError: On entering: no package, no library, no device, not at this rate.
    """

    def __init__(
        self,
        *,
        rate: int | None = 48_000,
        device: Device = None,
        buffer_ms: float = 200.0,
        latency: Latency = "high",
    ) -> None:
        self._rate = rate
        self._device = device
        self._latency = latency
        self._buffer_ms = buffer_ms
        self._playout = Playout(rate or 0)
        self._stream: Any = None
        self._switch: Switch | None = None
        self._changed = Bell()
        self._ring: Callable[[], object] = self._changed.ring
        self.underflows = 0
        """How often the device had to go on without having been served in time."""

    async def __aenter__(self) -> Self:
        self._ring = from_any_thread(self._changed.ring)
        stream, rate = await open_in_thread(self._open)
        self._stream, self._rate, self._playout = stream, rate, Playout(rate)
        self._switch = Switch(stream, "output")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._switch is not None, "it was opened"
        self._stream = None
        self._playout.flush(monotonic())
        self._changed.ring()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._switch.close)

    @property
    def rate(self) -> int:
        """Frames a second, of what is written."""
        if not self._rate:
            raise UsageError("the rate is known inside `async with Speaker(rate=None)`")
        return self._rate

    @property
    def played_ms(self) -> float:
        """Milliseconds of sound that have been heard since it was opened."""
        return self._ms(self._playout.played(monotonic()))

    @property
    def unheard_ms(self) -> float:
        """Milliseconds that were written and have not been heard yet; what was flushed is not."""
        return self._ms(self._playout.unheard(monotonic()))

    async def write(self, sound: AudioData) -> None:
        """Play it after all that was written before; waits while more than `buffer_ms` wait.

        `sound` is mono at `rate`: bytes of int16 (little-endian, cut anywhere, also inside a
        sample), or an array of int16 or float32. It is queued at once: cancelling the wait
        loses nothing. A `flush` ends the wait.

        Raises:
            DeviceError: The speaker is gone.
            InvalidAudio: Not such an array.
        """
        self._check()
        self._playout.write(_int16_bytes(sound))
        self._changed.ring()
        await self._play()
        while self._stream and (over := self._ms(self._playout.waiting) - self._buffer_ms) > 0:
            await self._pass(over)

    async def drain(self) -> None:
        """Wait until all that was written has been heard. It ends a message: see `end`."""
        self._check()
        self.end()
        await checkpoint()
        while self._stream and (left := self.unheard_ms) > 0:
            await self._pass(left)

    def end(self) -> None:
        """The message is over. One that was cut inside a sample does not shift the next one."""
        self._playout.end()

    def flush(self) -> float:
        """Be silent at once; returns `played_ms`. What had not been heard never will be.

        The device's own buffer is thrown away too, which takes about a millisecond.
        """
        played = self._running().stop(lambda: self._playout.flush(monotonic()))
        self._changed.ring()
        return self._ms(played)

    def progress(self, *, every_ms: float = 100.0) -> Progress:
        """`played_ms` as it grows: `async for played_ms in speaker.progress()`.

        Raises `DeviceError` when the speaker is gone.
        """
        return Progress(self, every_ms)

    # -- on the event loop ---------------------------------------------------------------

    def _running(self) -> Switch:
        if self._stream is None or self._switch is None:
            raise UsageError("the speaker is not open: use it as `async with Speaker() as s:`")
        return self._switch

    def _check(self) -> None:
        if self._running().is_on and not self._stream.active:
            raise DeviceError("the speaker is gone: it has stopped asking for sound")

    @property
    def _is_silent(self) -> bool:
        """Whether there is something to play, and the device was not told."""
        return not self._running().is_on and self._playout.waiting > 0

    async def _play(self) -> None:
        """Start the device, where there is something to play for it; others run in any case.

        Who wrote that may have been cancelled before he came to it.
        """
        if self._is_silent:
            await anyio.to_thread.run_sync(self._running().start, self._is_wanted)
        await checkpoint()

    async def _pass(self, ms: float) -> None:
        """Let so much time pass, or less where something changes."""
        self._check()
        if self._is_silent:
            await self._play()
            return
        with anyio.move_on_after(max(ms / 1000, _LEAST_WAIT)):
            await self._changed.wait()

    def _ms(self, frames: int) -> float:
        return frames * 1000 / self.rate

    # -- on other threads ----------------------------------------------------------------

    def _open(self) -> tuple[Any, int]:
        return open_stream(
            "output",
            rate=self._rate,
            device=self._device,
            latency=self._latency,
            block_ms=BLOCK_MS,
            callback=self._fill,
            finished=self._finished,
        )

    def _is_wanted(self) -> bool:
        """Whether there is something to start for: it may have been flushed or closed meanwhile."""
        return self._stream is not None and self._playout.waiting > 0

    def _finished(self) -> None:
        """The device has stopped, on its own or because it was told to."""
        self._ring()

    def _fill(self, block: Any, frames: int, time: Any, status: Any) -> None:
        """The device asks for a block."""
        if status.output_underflow:
            self.underflows += 1
        delay = time.outputBufferDacTime - time.currentTime
        stream = self._stream  # until it is being closed
        if not time.currentTime and stream is not None:  # some drivers do not tell
            delay = stream.latency
        block[:] = self._playout.take(frames, monotonic() + max(0.0, delay))


class Progress:
    """How much a speaker has played, whenever that has changed. Ends when it is closed."""

    def __init__(self, speaker: Speaker, every_ms: float) -> None:
        self._speaker = speaker
        self._every = every_ms / 1000
        self._last = speaker.played_ms

    def __aiter__(self) -> Progress:
        return self

    async def __anext__(self) -> float:
        speaker = self._speaker
        while speaker._stream is not None:
            speaker._check()
            if speaker.unheard_ms:
                await anyio.sleep(self._every)
            elif speaker.played_ms == self._last:
                await speaker._changed.wait()
            played = speaker.played_ms
            if played != self._last:
                self._last = played
                return played
        raise StopAsyncIteration


def _int16_bytes(sound: AudioData) -> bytes | bytearray | memoryview:
    if isinstance(sound, (bytes, bytearray)):
        return sound
    from realtime_client.audio.pcm import interpret, mix, to_int16

    _, frames = interpret(sound)
    return frames if isinstance(frames, bytes) else to_int16(mix(frames)).tobytes()
