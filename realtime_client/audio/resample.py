"""Another sample rate, in a stream, with an exact length.

soxr's float32 stream gives the same bits however its input is cut, down to single samples
(its int16 stream dithers and does not). What it does not give is an exact length: it counts
in floating point, and where a stream ends half-way between two output samples it is at times
one short. So the length is counted here, in integers, and at the end soxr gets a few zeros
more than it needs, which is what follows the end of a sound anyway; what comes out past the
exact length is cut off.

A filter looks ahead, and soxr waits for its blocks to fill besides, so output lags behind
input. `pending` says by how many samples, and `flush` fetches them. The output stands where the
input stood, sample for sample, whatever the lag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from realtime_client.audio.low_delay import LowDelay, design
from realtime_client.audio.pcm import checked_rate
from realtime_client.audio.quality import DEFAULT_QUALITY, LOW_DELAY, checked_quality, used

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Resampler", "exact_length"]


def exact_length(frames: int, rate: int, target: int) -> int:
    """`frames` at `rate` as samples at `target`: floor(frames * target / rate + 1/2)."""
    return (2 * frames * target + rate) // (2 * rate)  # without ever leaving the integers


class _Soxr:
    """soxr's stream, with an end that is never short."""

    def __init__(self, rate: int, target: int, quality: str) -> None:
        self._stream = soxr.ResampleStream(rate, target, 1, dtype="float32", quality=quality)
        # Enough for one sample more, which covers the one that soxr may miss.
        self._zeros = -(-rate // target)

    def push(self, samples: NDArray[np.float32], _wanted: int) -> NDArray[np.float32]:
        ready: NDArray[np.float32] = self._stream.resample_chunk(samples)
        return ready

    def finish(self, rest: int) -> NDArray[np.float32]:
        zeros = np.zeros(self._zeros, np.float32)
        tail: NDArray[np.float32] = self._stream.resample_chunk(zeros, last=True)
        return tail[:rest]


class Resampler:
    """One mono float32 signal from `rate` to `target` hertz, 8,000 to 192,000 each.

    `quality` is one of `QUALITIES`; the attribute is the one in use, which is another where
    `low_delay` has no filter for these rates. Where the rates are equal, samples pass untouched
    and at once. Raises `InvalidAudio` for a rate or a quality that cannot be.
    """

    def __init__(self, rate: int, target: int, *, quality: str = DEFAULT_QUALITY) -> None:
        self.rate = checked_rate(rate)
        self.target = checked_rate(target)
        self.quality = used(checked_quality(quality), self.rate, self.target)
        self.reset()

    @property
    def pending(self) -> int:
        """Samples at `target` that `flush` would give now."""
        return exact_length(self._taken, self.rate, self.target) - self._given

    @property
    def lag(self) -> int:
        """By how many samples at `target` the output is always behind.

        0 where that is not known: soxr's blocks are not in step with anything.
        """
        if self.quality != LOW_DELAY or self.rate == self.target:
            return 0
        return design(self.rate, self.target).lag

    def push(self, samples: NDArray[np.float32], wanted: int = 1) -> NDArray[np.float32]:
        """Take finite 1-D samples at `rate`; give those at `target` that are ready.

        While fewer than `wanted` are ready there is no use for them, and `low_delay` is cheaper
        when it waits: it then gives none. What it gives in the end is the same.
        """
        if self._engine is None:
            return samples
        ready = self._engine.push(samples, wanted)
        self._taken += samples.size
        self._given += ready.size
        return ready

    def flush(self) -> NDArray[np.float32]:
        """The rest, so that all since the last reset is n * target / rate, rounded half up.

        What comes after starts afresh, as after `reset`.
        """
        tail = np.zeros(0, np.float32)
        if self._engine is not None and self._taken:
            tail = self._engine.finish(self.pending)
        self.reset()
        return tail

    def reset(self) -> None:
        """Forget the signal so far, and whatever of it was still to come."""
        # A new engine costs some 20 µs, and cannot remember anything.
        self._engine = self._new_engine()
        self._taken = 0
        self._given = 0

    def _new_engine(self) -> _Soxr | LowDelay | None:
        if self.rate == self.target:
            return None
        if self.quality == LOW_DELAY:
            return LowDelay(self.rate, self.target)
        return _Soxr(self.rate, self.target, self.quality)
