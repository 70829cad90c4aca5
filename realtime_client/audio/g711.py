"""ITU-T G.711, µ-law and A-law, by table.

The standard draws a staircase over the magnitude of a sample: 128 steps a sign, in eight
segments of sixteen, each segment with steps twice as wide as the one before. A code says
which step the sample stood on; decoding gives the middle of that step. So one list of
lower edges and one of middles is the whole law, and both tables follow from them.

The standard gives edges in units of 14 bits (µ-law) and 13 bits (A-law) and leaves open how
a 16-bit sample is brought down to them. What every exchange and codec library does is taken
here: an arithmetic shift, then the magnitude, which is the two's complement in µ-law and the
ones' complement in A-law. So negative samples that stand exactly between two µ-law steps go
outwards, -1 to the step of -8, and codes are the same as everybody else's, all 65,536.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from realtime_client.audio.pcm import int16_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["G711_RATE", "alaw_decode", "alaw_encode", "decode_frames", "ulaw_decode", "ulaw_encode"]

G711_RATE = 8_000
"""In hertz, always."""


class _Law(NamedTuple):
    encode: NDArray[np.uint8]  # 65,536 codes, by the sample's 16 bits taken as unsigned
    decode: NDArray[np.int16]  # 256 samples, by code


_SAMPLES = np.arange(2**16, dtype=np.uint16).view(np.int16).astype(np.int64)
"""Every sample, by its 16 bits taken as unsigned."""


def _law(
    edges: NDArray[np.integer[Any]],
    middles: NDArray[np.integer[Any]],
    magnitude_of_negative: NDArray[np.integer[Any]],
    mask: int,
) -> _Law:
    """Both tables from the 128 steps, in units of a 16-bit sample.

    The sign bit of a code is 1 for positive; `mask` is what the standard inverts after that.
    """
    positive = _SAMPLES >= 0
    magnitudes = np.where(positive, _SAMPLES, magnitude_of_negative)
    steps = np.searchsorted(edges, magnitudes, side="right") - 1
    encode = ((positive * 0x80 + steps) ^ mask).astype(np.uint8)

    codes = np.arange(2**8) ^ mask
    decode = np.where(codes & 0x80, middles[codes & 0x7F], -middles[codes & 0x7F])
    return _Law(encode, decode.astype(np.int16))


def _ulaw() -> _Law:
    # Table 2 of the standard, 14 bits: the segments double from the start, once a bias of
    # 33 is added, which makes the first step half as wide around zero.
    segment, step = np.divmod(np.arange(128), 16)
    edges = ((16 + step) << (segment + 1)) - 33
    middles = edges + (1 << segment)
    return _law(edges * 4, middles * 4, -(_SAMPLES >> 2) * 4, mask=0x7F)


def _alaw() -> _Law:
    # Table 1 of the standard, 13 bits: no bias, and the first two segments are equally fine.
    # "Even bits" are counted from 1 at the sign, hence the mask 0x55.
    segment, step = np.divmod(np.arange(128), 16)
    shift = np.maximum(segment, 1)
    edges = np.where(segment == 0, step, 16 + step) << shift
    middles = edges + (1 << (shift - 1))
    return _law(edges * 8, middles * 8, ~_SAMPLES, mask=0x55)


_ULAW = _ulaw()
_ALAW = _alaw()
_LAWS = {"mulaw": _ULAW, "alaw": _ALAW}


def _encode(law: _Law, samples: NDArray[np.int16]) -> bytes:
    return law.encode[int16_samples(samples).view(np.uint16)].tobytes()


def _decode(law: _Law, data: bytes | bytearray | memoryview) -> NDArray[np.int16]:
    return law.decode[np.frombuffer(data, np.uint8)]


def decode_frames(frames: NDArray[np.uint8], law: str) -> NDArray[np.int16]:
    """Codes of `mulaw` or `alaw` to int16 samples, in the same shape."""
    return _LAWS[law].decode[frames]


def ulaw_encode(samples: NDArray[np.int16]) -> bytes:
    """1-D int16 samples to µ-law, one byte a sample; `InvalidAudio` for any other array."""
    return _encode(_ULAW, samples)


def ulaw_decode(data: bytes | bytearray | memoryview) -> NDArray[np.int16]:
    """µ-law to int16 samples, one a byte; every byte is a sample."""
    return _decode(_ULAW, data)


def alaw_encode(samples: NDArray[np.int16]) -> bytes:
    """1-D int16 samples to A-law, one byte a sample; `InvalidAudio` for any other array."""
    return _encode(_ALAW, samples)


def alaw_decode(data: bytes | bytearray | memoryview) -> NDArray[np.int16]:
    """A-law to int16 samples, one a byte; every byte is a sample."""
    return _decode(_ALAW, data)
