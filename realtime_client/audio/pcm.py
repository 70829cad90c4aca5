"""Whatever the caller has, as one channel of float32, and back to 16 bits.

Everything between the caller's array and the wire is float32 at full scale 1.0, because
that is where soxr is reproducible. Channels are added in float64, one after the other, so
the sum does not depend on how the array lies in memory or how long it is: a property
"any chunking gives the same bytes" cannot be had from a reduction that picks its own order.

What the data *is* (`interpret`) and what it *says* (`mix`) are two steps. The first looks
at types and shapes, the second at values; neither changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from realtime_client.errors import InvalidAudio

__all__ = [
    "AudioData",
    "Layout",
    "checked_int",
    "checked_rate",
    "int16_samples",
    "interpret",
    "mix",
    "split_frames",
    "to_int16",
]

AudioData: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]
"""What the audio room accepts: interleaved bytes (little-endian, or G.711), or a numpy array."""

MIN_RATE = 8_000
MAX_RATE = 192_000

MAX_CHANNELS = 64
"""More than any microphone array has. An array with more "channels" lies on its side."""

_DTYPES: dict[str, np.dtype[Any]] = {
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}
_CODES = {"mulaw": np.dtype("u1"), "alaw": np.dtype("u1")}
"""G.711, which only bytes can be: one byte a sample, 8,000 Hz, decoded by `g711`."""

_ITEMS = _DTYPES | _CODES

_FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0, "float64": 1.0}

LOUDEST = 2.0**5
"""Floats are cut here, 30 dB beyond full scale: they clip whatever the filter does, and inside
it a larger one could turn its neighbours into NaN, or leave no room for an exact sum."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How samples are laid out: the name of their dtype and the number of channels."""

    dtype: str
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame, which is one sample of every channel."""
        return _ITEMS[self.dtype].itemsize * self.channels

    @property
    def is_coded(self) -> bool:
        """Whether the samples are G.711 codes, and not numbers yet."""
        return self.dtype in _CODES


def checked_int(value: object, what: str, low: int, high: int) -> int:
    """`value` as an int in `low`..`high`, numpy's integers too; else `InvalidAudio`."""
    # A bool is an int to Python, never to a caller who means a number of hertz.
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        number = int(value)
        if low <= number <= high:
            return number
    raise InvalidAudio(
        f"{what} must be a whole number from {low:,} to {high:,}; "
        f"got {value!r} ({type(value).__name__})"
    )


def checked_rate(rate: object) -> int:
    """A sample rate in hertz, 8,000 to 192,000; else `InvalidAudio`."""
    return checked_int(rate, "a sample rate in hertz", MIN_RATE, MAX_RATE)


def interpret(
    data: AudioData, *, channels: int = 1, dtype: str | None = None
) -> tuple[Layout, bytes | NDArray[Any]]:
    """What `data` is: its layout, and either its bytes or its frames as (frames, channels).

    - `bytes`, `bytearray`, or a `memoryview` of bytes: interleaved, little-endian, of `dtype`
      (`int16` if not given), or G.711 codes (`mulaw`, `alaw`). The length need not be a whole
      number of frames.
    - A numpy array of int16, int32, float32 or float64, in any byte order and memory order:
      1-D interleaved, or 2-D (frames, channels), which knows its own number of channels.
      `dtype` need not be given, but must not contradict. A `memoryview` of anything but
      bytes counts as such an array, since it knows its dtype too.

    Raises `InvalidAudio` if it can be none of these. Looks at no sample.
    """
    channels = checked_int(channels, "channels", 1, MAX_CHANNELS)
    if isinstance(data, memoryview) and data.format not in ("B", "b", "c"):
        data = np.asarray(data)
    if isinstance(data, np.ndarray):
        frames = _frames(np.asarray(data), channels, dtype)
        return Layout(frames.dtype.name, frames.shape[1]), frames
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InvalidAudio(
            f"audio must be bytes, bytearray, memoryview or a numpy array; "
            f"got {type(data).__name__}: use numpy.asarray(..., dtype='float32') or bytes"
        )
    name = "int16" if dtype is None else dtype
    if name not in _ITEMS:
        raise InvalidAudio(f"dtype must be one of {', '.join(_ITEMS)}; got {dtype!r}")
    return Layout(name, channels), bytes(data)


def _frames(array: NDArray[Any], channels: int, dtype: str | None) -> NDArray[Any]:
    name = array.dtype.name
    if name not in _DTYPES:
        raise InvalidAudio(
            f"samples must be {', '.join(_DTYPES)}; got an array of {name}: "
            "convert it, with integers scaled to their full range and floats to -1.0..1.0; "
            "G.711 is given as bytes: array.tobytes() and a dtype of mulaw or alaw"
        )
    if dtype is not None and dtype != name:
        raise InvalidAudio(
            f"dtype={dtype!r} was given with an array of {name}: an array knows its dtype, "
            "leave the argument out"
        )
    if array.ndim == 1:
        if array.size % channels:
            raise InvalidAudio(
                f"{array.size} interleaved samples are no whole number of frames of "
                f"{channels} channels: give whole frames, or bytes, whose rest is carried over"
            )
        return array.reshape(-1, channels)
    if array.ndim == 2 and 1 <= array.shape[1] <= MAX_CHANNELS:
        if channels not in (1, array.shape[1]):
            raise InvalidAudio(
                f"channels={channels} was given with an array of shape {array.shape}, "
                f"which is (frames, channels)"
            )
        return array
    raise InvalidAudio(
        f"an array of shape {array.shape} is neither 1-D interleaved nor 2-D (frames, channels) "
        f"with 1 to {MAX_CHANNELS} channels; transpose one that is (channels, frames)"
    )


def split_frames(data: bytes, layout: Layout) -> tuple[NDArray[Any], bytes]:
    """The whole frames of `data` as (frames, channels), and the bytes that are left over."""
    whole = len(data) - len(data) % layout.frame_bytes
    frames = np.frombuffer(data[:whole], _ITEMS[layout.dtype])
    return frames.reshape(-1, layout.channels), data[whole:]


def mix(frames: NDArray[Any]) -> NDArray[np.float32]:
    """(frames, channels) to one channel: the mean, float32, where full scale is 1.0.

    Integers are scaled by 2**15 or 2**31. Floats may go beyond full scale and clip later.
    Raises `InvalidAudio` for NaN or infinity.
    """
    is_float = frames.dtype.kind == "f"
    if is_float:
        _check_finite(frames)
    total = np.zeros(len(frames))
    for channel in frames.T:
        total += np.clip(channel, -LOUDEST, LOUDEST) if is_float else channel
    total /= frames.shape[1] * _FULL_SCALE[frames.dtype.name]
    return total.astype(np.float32)


def _check_finite(frames: NDArray[Any]) -> None:
    finite = np.isfinite(frames)
    if not finite.all():
        first = int(np.argmin(finite.all(axis=1)))
        raise InvalidAudio(
            f"the {frames.dtype.name} samples hold NaN or infinity, first in frame {first} of "
            f"{len(frames)}: mend the source, or pass them through numpy.nan_to_num"
        )


def to_int16(mono: NDArray[np.float32]) -> NDArray[np.int16]:
    """Finite float32 at full scale 1.0 to int16: round half to even, clip to 16 bits."""
    whole: NDArray[np.float32] = np.rint(mono * np.float32(2**15))
    return np.clip(whole, -(2**15), 2**15 - 1).astype(np.int16)


def int16_samples(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """`samples` in this machine's byte order; `InvalidAudio` unless they are 1-D int16."""
    if samples.dtype.name != "int16" or samples.ndim != 1:
        raise InvalidAudio(
            f"samples must be a 1-D array of int16; "
            f"got {samples.dtype.name} of shape {samples.shape}"
        )
    return samples.astype(np.int16, copy=False)
