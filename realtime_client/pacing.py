"""A recording as a stream that comes at the pace of speech.

Sleeping for the length of each chunk drifts: every sleep ends a little late, and the work between
two sleeps takes time of its own. So nothing here sleeps for a time. The first chunk sets the
start, and each chunk is due when all audio before it has been said: at start + frames / rate,
computed afresh from a whole number of frames. What comes late is followed at once by what is due
by then, so a delay costs nothing in the end.

There is a bound to that. After a laptop has slept for an hour, an hour of speech at once is no
real-time stream. Lateness beyond `burst_ms` moves the whole schedule instead, and is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.lowlevel import checkpoint

from realtime_client.errors import InvalidAudio, UsageError

if TYPE_CHECKING:
    from realtime_client.audio import AudioData

__all__ = ["Pace", "pace"]

_SAMPLE_BYTES: Final = {
    "int16": 2, "int32": 4, "float32": 4, "float64": 8, "mulaw": 1, "alaw": 1,
}  # fmt: skip


class Pace:
    """Chunks of audio, each when it is due. Made by `pace`; iterate once."""

    def __init__(
        self, chunks: Iterator[Any], *, rate: int, channels: int, dtype: str, burst_ms: float
    ) -> None:
        self._chunks = chunks
        self._rate = rate
        self._channels = channels
        self._dtype = dtype
        self._burst = burst_ms / 1000
        self._start: float | None = None
        self._slipped = 0.0
        self.frames = 0
        """Frames given out so far; a frame is one sample of every channel."""

    @property
    def position_ms(self) -> float:
        """How much audio was given out so far, in milliseconds."""
        return self.frames * 1000 / self._rate

    @property
    def slipped_ms(self) -> float:
        """By how much the schedule has moved in all, because of delays beyond `burst_ms`."""
        return self._slipped * 1000

    def __aiter__(self) -> Pace:
        return self

    async def __anext__(self) -> Any:
        # Due before it is fetched: the end is due as well, when the last chunk has been said.
        await self._due()
        chunk = next(self._chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        self.frames += _frames(chunk, self._channels, self._dtype)
        return chunk

    async def _due(self) -> None:
        now = anyio.current_time()
        if self._start is None:
            self._start = now
        due = self._start + self._slipped + self.frames / self._rate
        late = now - due
        if late < 0:
            await anyio.sleep_until(due)
            return
        if late > self._burst:
            self._slipped += late - self._burst
        await checkpoint()  # who catches up lets others run all the same


def pace(
    audio: AudioData | Iterable[AudioData],
    *,
    rate: int,
    channels: int = 1,
    dtype: str | None = None,
    chunk_ms: float = 20.0,
    burst_ms: float = 500.0,
) -> Pace:
    """Give out `audio` as fast as it would be spoken: `async for chunk in pace(...)`.

    `audio` is what `send_audio` takes, and is cut into pieces of `chunk_ms`: bytes (interleaved,
    of `dtype`, int16 if not given) or an array, 1-D interleaved or 2-D (frames, channels). Or it
    is an iterable of such pieces, of any sizes, which are given out as they are.

    The first chunk comes at once, and every other when all before it has been said; the end
    comes when the last one has. Whoever is late is given what is due without waiting, at most
    `burst_ms` and one chunk of it in a row; what is later than that moves the schedule, and
    `slipped_ms` says by how much.

    Raises:
        UsageError: A rate, a length or a bound that cannot be, at once.
        InvalidAudio: Not audio, or a piece that ends inside a frame; the latter when it is due.
    """
    if rate <= 0 or channels <= 0 or chunk_ms <= 0 or not burst_ms >= 0:
        raise UsageError(
            "rate, channels and chunk_ms are more than 0, burst_ms is 0 or more; got "
            f"{rate!r}, {channels!r}, {chunk_ms!r}, {burst_ms!r}"
        )
    dtype = dtype or "int16"
    if dtype not in _SAMPLE_BYTES:
        raise InvalidAudio(f"dtype must be one of {', '.join(_SAMPLE_BYTES)}; got {dtype!r}")
    if _is_audio(audio):
        chunks = _cut(audio, rate=rate, channels=channels, dtype=dtype, chunk_ms=chunk_ms)
    elif isinstance(audio, Iterable):
        chunks = iter(audio)
    else:
        raise InvalidAudio(f"audio must be bytes, an array or an iterable of such; got {audio!r}")
    return Pace(chunks, rate=rate, channels=channels, dtype=dtype, burst_ms=burst_ms)


def _cut(audio: Any, *, rate: int, channels: int, dtype: str, chunk_ms: float) -> Iterator[Any]:
    """Pieces of `chunk_ms`, to the nearest frame, whose ends do not drift from its multiples."""
    total = _frames(audio, channels, dtype)
    unit = len(audio) // total if total else 1  # what the array or the bytes have for a frame
    begin, number = 0, 0
    while begin < total:
        number += 1
        end = min(total, max(begin + 1, round(number * rate * chunk_ms / 1000)))
        yield audio[begin * unit : end * unit]
        begin = end


def _frames(chunk: Any, channels: int, dtype: str) -> int:
    """How many frames a piece of audio has."""
    if not _is_audio(chunk):
        raise InvalidAudio(f"a piece of audio must be bytes or an array; got {chunk!r}")
    if _is_bytes(chunk):
        size, frame = len(chunk), _SAMPLE_BYTES[dtype] * channels
    else:
        size, frame = len(chunk), channels if chunk.ndim == 1 else 1
    if size % frame:
        raise InvalidAudio(
            f"a piece of audio of length {size} is no whole number of frames of {frame}"
        )
    return size // frame


def _is_bytes(audio: Any) -> bool:
    if isinstance(audio, memoryview):
        return audio.format in ("B", "b", "c")
    return isinstance(audio, (bytes, bytearray))


def _is_audio(audio: Any) -> bool:
    return _is_bytes(audio) or getattr(audio, "ndim", 0) > 0
