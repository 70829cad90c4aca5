"""Another sample rate, in a stream, with an exact length.

soxr's float32 stream gives the same bits however its input is cut, down to single samples
(its int16 stream dithers and does not). What it does not give is an exact length: it counts
in floating point, and where a stream ends half-way between two output samples it is at times
one short. So the length is counted here, in integers, and at the end soxr gets a few zeros
more than it needs, which is what follows the end of a sound anyway; what comes out past the
exact length is cut off.

The filter looks ahead, so output lags behind input by some tens of milliseconds at `HQ`.
`pending` says by how many samples, and `flush` fetches them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from realtime_client.audio.pcm import checked_rate
from realtime_client.errors import InvalidAudio

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["QUALITIES", "Resampler", "checked_quality"]

QUALITIES = ("QQ", "LQ", "MQ", "HQ", "VHQ")
"""soxr's own names, from quick to very high quality; more quality is more delay."""


def checked_quality(quality: str) -> str:
    """One of `QUALITIES`; else `InvalidAudio`."""
    if quality not in QUALITIES:
        raise InvalidAudio(f"quality must be one of {', '.join(QUALITIES)}; got {quality!r}")
    return quality


class Resampler:
    """One mono float32 signal from `rate` to `target` hertz, 8,000 to 192,000 each.

    `quality` is one of `QUALITIES`. Where the rates are equal, samples pass untouched and at
    once. Raises `InvalidAudio` for a rate or a quality that cannot be.
    """

    def __init__(self, rate: int, target: int, *, quality: str = "HQ") -> None:
        self.rate = checked_rate(rate)
        self.target = checked_rate(target)
        self.quality = checked_quality(quality)
        self.reset()

    @property
    def pending(self) -> int:
        """Samples at `target` that `flush` would give now."""
        # floor(n * target / rate + 1/2), without ever leaving the integers
        due = (2 * self._taken * self.target + self.rate) // (2 * self.rate)
        return due - self._given

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take finite 1-D samples at `rate`; give those at `target` that are ready."""
        if self.rate == self.target:
            return samples
        ready: NDArray[np.float32] = self._stream.resample_chunk(samples)
        self._taken += samples.size
        self._given += ready.size
        return ready

    def flush(self) -> NDArray[np.float32]:
        """The rest, so that all since the last reset is n * target / rate, rounded half up.

        What comes after starts afresh, as after `reset`.
        """
        rest = self.pending
        # Enough for one sample more, which covers the one that soxr may miss.
        zeros = np.zeros(-(-self.rate // self.target), np.float32)
        tail: NDArray[np.float32] = self._stream.resample_chunk(zeros, last=True)
        self.reset()
        return tail[:rest]

    def reset(self) -> None:
        """Forget the signal so far, and whatever of it was still to come."""
        # A new stream costs 20 µs, and cannot remember anything.
        self._stream = soxr.ResampleStream(
            self.rate, self.target, 1, dtype="float32", quality=self.quality
        )
        self._taken = 0
        self._given = 0
