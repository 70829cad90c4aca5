"""The wire's audio formats, by the names they have in the session object.

`audio/pcm` is 16-bit little-endian mono; OpenAI takes it at 24,000 Hz only, other servers
at other rates too. `audio/pcmu` and `audio/pcma` are G.711 at 8,000 Hz, always. Nothing is
assumed: the format that the server acknowledged makes a `WireFormat`, and that one encodes,
decodes and converts between bytes and time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec import UNSET

from realtime_client.audio.g711 import (
    G711_RATE,
    alaw_decode,
    alaw_encode,
    ulaw_decode,
    ulaw_encode,
)
from realtime_client.audio.pcm import checked_rate, int16_samples
from realtime_client.errors import InvalidAudio

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["WireFormat"]


def _pcm_encode(samples: NDArray[np.int16]) -> bytes:
    return int16_samples(samples).astype("<i2", copy=False).tobytes()


def _pcm_decode(data: bytes | bytearray | memoryview) -> NDArray[np.int16]:
    if len(data) % 2:
        raise InvalidAudio(
            f"{len(data)} bytes are no whole number of 16-bit samples: "
            "keep the odd byte and put it before the next ones"
        )
    return np.frombuffer(data, "<i2").astype(np.int16)


class _Codec(NamedTuple):
    encode: Callable[[NDArray[np.int16]], bytes]
    decode: Callable[[bytes | bytearray | memoryview], NDArray[np.int16]]
    bytes_per_sample: int
    rate: int
    fixed: bool  # whether `rate` is the only one
    dtype: str


_CODECS = {
    "audio/pcm": _Codec(_pcm_encode, _pcm_decode, 2, 24_000, fixed=False, dtype="int16"),
    "audio/pcmu": _Codec(ulaw_encode, ulaw_decode, 1, G711_RATE, fixed=True, dtype="mulaw"),
    "audio/pcma": _Codec(alaw_encode, alaw_decode, 1, G711_RATE, fixed=True, dtype="alaw"),
}


def _codec(type_: object) -> _Codec:
    if isinstance(type_, str) and type_ in _CODECS:
        return _CODECS[type_]
    raise InvalidAudio(f"no codec for the audio format {type_!r}: there are {', '.join(_CODECS)}")


@dataclass(frozen=True, slots=True)
class WireFormat:
    """One audio format of the wire: its `type` and its `rate` in hertz; always mono.

    Raises `InvalidAudio` for a type that is not known, a rate outside 8,000..192,000, and
    G.711 at any other rate than 8,000.
    """

    type: str = "audio/pcm"
    rate: int = 24_000

    def __post_init__(self) -> None:
        codec = _codec(self.type)
        rate = checked_rate(self.rate)
        if codec.fixed and rate != codec.rate:
            raise InvalidAudio(f"{self.type} is always {codec.rate:,} Hz; got {rate:,}")

    @classmethod
    def from_wire(cls, audio_format: Any) -> WireFormat:
        """From a session's format object: anything with `type` and, perhaps, `rate`.

        A rate that is missing or null is the format's own: 24,000 for `audio/pcm`, else
        8,000. Raises as the class does.
        """
        codec = _codec(getattr(audio_format, "type", None))
        rate = getattr(audio_format, "rate", None)
        return cls(audio_format.type, codec.rate if rate is None or rate is UNSET else rate)

    @property
    def bytes_per_sample(self) -> int:
        """2 for `audio/pcm`, 1 for G.711."""
        return _CODECS[self.type].bytes_per_sample

    @property
    def dtype(self) -> str:
        """What bytes of this format are for the input pipeline: `int16`, `mulaw` or `alaw`."""
        return _CODECS[self.type].dtype

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """1-D int16 samples at `rate`, as the wire has them; else `InvalidAudio`."""
        return _CODECS[self.type].encode(samples)

    def decode(self, data: bytes | bytearray | memoryview) -> NDArray[np.int16]:
        """The wire's bytes as int16 samples; `InvalidAudio` for half a sample."""
        return _CODECS[self.type].decode(data)

    def ms(self, nbytes: int) -> float:
        """How many milliseconds `nbytes` of this format last."""
        return nbytes * 1000 / (self.rate * self.bytes_per_sample)
