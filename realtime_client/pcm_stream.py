"""The audio of a message as samples: decoded, at another rate, one array after the other.

The wire cuts audio anywhere, between the two bytes of a sample too, so half a sample waits for
its rest. A message is one stretch of sound: the resampler lives as long as it does, and what that
holds back comes at the end, before whatever the stream ends with. So `n` samples of the wire are
`n * target / rate` here, rounded half up, however they were cut.

What is taken counts as handed to the player when it leaves the stream below, before it is
resampled. An interruption is the end of what may be played: what the resampler still holds then
is dropped, for it would be heard after the stop and counted by nobody.

So what the resampler holds is handed over and not yet given, and delays the first sound besides:
2 ms with `low_delay`, which is the default of `as_pcm`; soxr's recipes hold back up to 38 ms of
24 kHz, and 175 ms of G.711.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from realtime_client.audio import Resampler, WireFormat, to_int16
from realtime_client.errors import InvalidAudio, RealtimeError, UsageError

__all__ = ["DTYPES", "PcmStream", "Source"]

DTYPES: Final = ("float32", "int16")
"""What samples can be: full scale at 1.0, or 16 bits."""


_STEP: Final = np.float32(2.0**-15)


class Source(Protocol):
    """Where the wire's audio comes from."""

    @property
    def cuts(self) -> int:
        """How often playing it was interrupted."""

    async def take(self) -> tuple[int, bytes]:
        """The next chunk, and the content part that it is of."""

    def close(self) -> None:
        """The consumer is done."""


class PcmStream:
    """Mono samples at `rate` hertz: 1-D numpy arrays of `dtype`, of any length but 0.

    `audio_format` is what the server acknowledged; None counts as 24 kHz PCM. Raises
    `InvalidAudio` for a format that has no codec, and for a rate, dtype or quality that cannot be.
    """

    __slots__ = ("_cuts", "_half", "_part", "_resampler", "_source", "_wire", "dtype", "rate")

    def __init__(
        self,
        source: Source,
        audio_format: object,
        *,
        rate: int,
        dtype: str,
        quality: str,
    ) -> None:
        if dtype not in DTYPES:
            raise InvalidAudio(f"dtype must be one of {', '.join(DTYPES)}; got {dtype!r}")
        self._wire = WireFormat.from_wire(audio_format) if audio_format else WireFormat()
        self._resampler = Resampler(self._wire.rate, rate, quality=quality)
        self._source = source
        self._cuts = source.cuts
        self._part = 0
        self._half = b""
        self.rate = self._resampler.target
        """Samples a second."""
        self.dtype = dtype
        """`float32` or `int16`."""

    def __aiter__(self) -> PcmStream:
        return self

    async def __anext__(self) -> NDArray[Any]:
        while True:
            try:
                part, chunk = await self._source.take()
            except UsageError:
                raise  # somebody else reads it: no end of anything
            except (StopAsyncIteration, RealtimeError):
                tail = self._end()
                if tail.size:
                    return tail  # the stream below ends as often as it is asked
                raise
            samples = self._take(part, chunk)
            if samples.size:
                return samples

    def close(self) -> None:
        """The consumer is done: nothing more is kept for it."""
        self._source.close()
        self._forget()

    def __enter__(self) -> PcmStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _take(self, part: int, chunk: bytes) -> NDArray[Any]:
        """What is ready of a chunk."""
        self._heed_cuts()
        if part != self._part:  # the rest of half a sample does not come in another part
            self._part, self._half = part, b""
        data = self._half + chunk
        whole = len(data) - len(data) % self._wire.bytes_per_sample
        self._half = data[whole:]
        samples = self._wire.decode(data[:whole])
        if self.rate == self._wire.rate and self.dtype == "int16":
            return samples
        return self._given(self._resampler.push(samples.astype(np.float32) * _STEP))

    def _end(self) -> NDArray[Any]:
        """What was held back."""
        self._heed_cuts()
        self._half = b""
        return self._given(self._resampler.flush())

    def _given(self, samples: NDArray[np.float32]) -> NDArray[Any]:
        if self.dtype == "int16":
            return to_int16(samples)
        # A filter rings beyond full scale where the wire is at it; many a player wraps around.
        return samples.clip(-1.0, 1.0)

    def _heed_cuts(self) -> None:
        if self._cuts != self._source.cuts:
            self._cuts = self._source.cuts
            self._forget()

    def _forget(self) -> None:
        self._half = b""
        self._resampler.reset()
