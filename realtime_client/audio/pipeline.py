"""From the caller's audio to what `input_audio_buffer.append` carries.

    frames → one channel → the wire's rate → 16 bits → the wire's format → chunks

Only two things end a stretch of audio: `flush`, before a commit or a close, and `clear`.
A pause is no end, for the audio after it may belong to the same word. Another source, by
its rate or its number of channels, ends the old one's stretch and is joined to it without
a gap, so that a microphone changed in mid-turn costs no sample.

`push` looks at everything that can be wrong before it changes anything. So an error means
that the chunk was not taken, and that the next one continues where the last good one ended.

`Counts` is an account that closes: every frame that came in is sent, held, in the
resampler, or dropped by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realtime_client.audio.chunk import Chunker
from realtime_client.audio.pcm import (
    AudioData,
    Layout,
    checked_int,
    checked_rate,
    interpret,
    mix,
    split_frames,
    to_int16,
)
from realtime_client.audio.resample import Resampler, checked_quality
from realtime_client.errors import InvalidAudio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from realtime_client.audio.format import WireFormat

__all__ = ["Counts", "InputPipeline"]

_MONO_INT16 = Layout("int16", 1)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the audio since the pipeline began; in samples of the wire's rate,
    except where another unit is named.

    After `flush` or `clear`, `held` and `delayed` are 0, and `appended + dropped` is all
    that came in.
    """

    pushed: int = 0
    """Frames taken, at whatever rate they came."""

    appended: int = 0
    """Given out as chunks."""

    held: int = 0
    """Waiting in the chunker for a chunk to fill."""

    delayed: int = 0
    """Still in the resampler, whose filter looks ahead; `flush` would give them too."""

    dropped: int = 0
    """Thrown away by `clear`."""

    stray_bytes: int = 0
    """Bytes of frames that were cut off and never completed."""


@dataclass(slots=True)
class _Source:
    """Where audio comes from, for as long as its rate and its channels stay the same."""

    rate: int
    channels: int
    resampler: Resampler
    rest: bytes = b""  # the beginning of a frame, for the next bytes to complete
    dtype: str = "int16"  # of `rest`

    def is_the(self, rate: int, channels: int) -> bool:
        return self.rate == rate and self.channels == channels


class InputPipeline:
    """Audio of any rate, dtype, channels and chunk size, as chunks of one wire format.

    `chunk_ms` is the length of a chunk, 20 to 1,000 ms and a whole number of samples;
    `quality` is one of `QUALITIES`. What comes out depends on the samples alone, bit for
    bit, and not on how they were cut. Raises `InvalidAudio` for what cannot be.
    """

    def __init__(
        self,
        format: WireFormat,  # noqa: A002 - the session object's own word
        *,
        chunk_ms: int = 100,
        quality: str = "HQ",
    ) -> None:
        chunk_ms = checked_int(chunk_ms, "chunk_ms", 20, 1000)
        samples, part = divmod(format.rate * chunk_ms, 1000)
        if part:
            raise InvalidAudio(
                f"chunk_ms={chunk_ms} is no whole number of samples at {format.rate:,} Hz; "
                "1000 always is"
            )
        self.format = format
        self._quality = checked_quality(quality)
        self._chunker = Chunker(samples * format.bytes_per_sample)
        self._source: _Source | None = None
        self._pushed = self._appended = self._dropped = self._stray = 0

    @property
    def counts(self) -> Counts:
        """What became of the audio so far, as a snapshot."""
        return Counts(
            pushed=self._pushed,
            appended=self._appended,
            held=self._chunker.held // self.format.bytes_per_sample,
            delayed=self._source.resampler.pending if self._source else 0,
            dropped=self._dropped,
            stray_bytes=self._stray,
        )

    def push(
        self, data: AudioData, *, rate: int, channels: int = 1, dtype: str | None = None
    ) -> list[bytes]:
        """Take audio at `rate` hertz, 8,000 to 192,000; give the chunks that are complete.

        `data` is bytes, interleaved and little-endian, of `dtype` (`int16`, `int32`,
        `float32` or `float64`; `int16` if not given); or a numpy array of one of these,
        1-D interleaved or 2-D (frames, channels). Floats are full scale at 1.0. Bytes that
        end within a frame are continued by the next bytes of the same rate, channels and
        dtype. Raises `InvalidAudio`, and has then taken nothing.
        """
        rate = checked_rate(rate)
        layout, frames = interpret(data, channels=channels, dtype=dtype)
        if not len(frames):
            return []
        carried = rest = b""
        if isinstance(frames, bytes):
            carried = self._carried(rate, layout)
            frames, rest = split_frames(carried + frames, layout)
        # What the wire wants as it is would come out of float32 the same, only slower.
        straight = rate == self.format.rate and layout == _MONO_INT16
        heard: NDArray[Any] = frames[:, 0] if straight else mix(frames)

        # All that can be wrong has been looked at; only now does anything change.
        source, chunks = self._enter(rate, layout.channels)
        self._stray += len(source.rest) - len(carried)
        source.rest, source.dtype = rest, layout.dtype
        self._pushed += len(heard)
        samples = heard if straight else to_int16(source.resampler.push(heard))
        chunks += self._chunk(samples)
        return self._count(chunks)

    def flush(self) -> list[bytes]:
        """End the turn: give all that is still here, the last chunk perhaps a shorter one.

        What comes after gives the same bytes as it would from a new pipeline.
        """
        return self._count(self._leave() + self._chunker.flush())

    def clear(self) -> None:
        """End the turn and drop all that is still here; `counts.dropped` says how much."""
        counts = self.counts
        self._dropped += counts.held + counts.delayed
        self._stray += len(self._source.rest) if self._source else 0
        self._source = None
        self._chunker.clear()

    def _carried(self, rate: int, layout: Layout) -> bytes:
        """The beginning of a frame that bytes of this kind continue."""
        source = self._source
        if source and source.is_the(rate, layout.channels) and source.dtype == layout.dtype:
            return source.rest
        return b""

    def _enter(self, rate: int, channels: int) -> tuple[_Source, list[bytes]]:
        """The source of this kind; where it is a new one, the old one's end comes first."""
        if self._source and self._source.is_the(rate, channels):
            return self._source, []
        chunks = self._leave()
        resampler = Resampler(rate, self.format.rate, quality=self._quality)
        self._source = _Source(rate, channels, resampler)
        return self._source, chunks

    def _leave(self) -> list[bytes]:
        """The end of the source, as far as it fills chunks."""
        source, self._source = self._source, None
        if source is None:
            return []
        self._stray += len(source.rest)
        return self._chunk(to_int16(source.resampler.flush()))

    def _chunk(self, samples: NDArray[np.int16]) -> list[bytes]:
        """`samples` into the chunker, and what is complete out of it."""
        return self._chunker.push(self.format.encode(samples))

    def _count(self, chunks: list[bytes]) -> list[bytes]:
        """`chunks`, which are about to be given out, into the account."""
        self._appended += sum(map(len, chunks)) // self.format.bytes_per_sample
        return chunks
