"""From the caller's audio to what `input_audio_buffer.append` carries.

    frames → one channel → the wire's rate → 16 bits → the wire's format → chunks

Only three things end a stretch of audio: `commit`, `flush` before a close, and `clear`.
A pause is no end, for the audio after it may belong to the same word. Another source, by
its rate or its number of channels, ends the old one's stretch and is joined to it without
a gap, so that a microphone changed in mid-turn costs no sample.

`push` looks at everything that can be wrong before it changes anything. So an error means
that the chunk was not taken, and that the next one continues where the last good one ended.

Bytes that are in the wire's format already pass as they are. A telephone's µ-law is not decoded
and coded again: the law has two codes for zero, and only one would come back.

`low_delay` lags by a known time, so its first chunk is shorter by that much. From then on a chunk
is complete when the audio for it has come, and not one frame of the microphone later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from realtime_client.audio.chunk import Chunker
from realtime_client.audio.counts import Account, Commit, Counts, least_commit
from realtime_client.audio.g711 import G711_RATE, decode_frames
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
from realtime_client.audio.quality import DEFAULT_QUALITY, checked_quality
from realtime_client.audio.resample import Resampler, exact_length
from realtime_client.errors import InvalidAudio, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime_client.audio.format import WireFormat

__all__ = ["InputPipeline"]


@dataclass(slots=True)
class _Source:
    """Where audio comes from, for as long as its rate and its channels stay the same."""

    rate: int
    channels: int
    resampler: Resampler
    frames: int = 0
    rest: bytes = b""  # the beginning of a frame, for the next bytes to complete
    dtype: str = "int16"  # of `rest`

    def is_the(self, rate: int, channels: int) -> bool:
        return self.rate == rate and self.channels == channels

    @property
    def due(self) -> int:
        return exact_length(self.frames, self.rate, self.resampler.target)


class InputPipeline:
    """Audio of any rate, dtype, channels and chunk size, as chunks of one wire format.

    `chunk_ms` is the length of a chunk, 20 to 1,000 ms and a whole number of samples;
    `quality` is one of `QUALITIES`; `on_short_commit` says what becomes of a turn under 100 ms,
    `pad` or `error`. What comes out depends on the samples alone, bit for bit, and not on how
    they were cut. Raises `InvalidAudio` for what cannot be.
    """

    def __init__(
        self,
        format: WireFormat,  # noqa: A002 - the session object's own word
        *,
        chunk_ms: int = 100,
        quality: str = DEFAULT_QUALITY,
        on_short_commit: Literal["pad", "error"] = "pad",
    ) -> None:
        self._chunk_ms = checked_int(chunk_ms, "chunk_ms", 20, 1000)
        samples, part = divmod(format.rate * self._chunk_ms, 1000)
        if part:
            raise InvalidAudio(
                f"chunk_ms={chunk_ms} is no whole number of samples at {format.rate:,} Hz; "
                "1000 always is"
            )
        if on_short_commit not in ("pad", "error"):
            raise InvalidAudio(f"on_short_commit must be pad or error; got {on_short_commit!r}")
        self.format = format
        self._quality = checked_quality(quality)
        self._on_short_commit: Literal["pad", "error"] = on_short_commit
        self._chunker = Chunker(samples * format.bytes_per_sample)
        self._source: _Source | None = None
        self._account = Account(format.rate, format.bytes_per_sample)

    @property
    def counts(self) -> Counts:
        """What became of the audio so far, as a snapshot."""
        source = self._source
        return self._account.page(
            due=source.due if source else 0,
            held=self._chunker.held // self.format.bytes_per_sample,
            delayed=source.resampler.pending if source else 0,
        )

    @property
    def quality(self) -> str:
        """The quality in use: not `low_delay` where that has no filter for the source's rate."""
        return self._source.resampler.quality if self._source else self._quality

    def push(
        self, data: AudioData, *, rate: int, channels: int = 1, dtype: str | None = None
    ) -> list[bytes]:
        """Take audio at `rate` hertz, 8,000 to 192,000; give the chunks that are complete.

        `data` is bytes, interleaved and little-endian, of `dtype` (`int16`, `int32`,
        `float32` or `float64`; `int16` if not given), or G.711 at 8,000 Hz (`mulaw`, `alaw`);
        or a numpy array of int16, int32, float32 or float64, 1-D interleaved or 2-D (frames,
        channels). Floats are full scale at 1.0. Bytes that end within a frame are continued by
        the next bytes of the same rate, channels and dtype. Raises `InvalidAudio`, and has then
        taken nothing.
        """
        rate = checked_rate(rate)
        layout, given = interpret(data, channels=channels, dtype=dtype)
        if layout.is_coded and rate != G711_RATE:
            raise InvalidAudio(f"{layout.dtype} is always {G711_RATE:,} Hz; got {rate:,}")
        if not len(given):
            return []
        carried = rest = b""
        heard: bytes | NDArray[Any]
        if isinstance(given, bytes):
            carried = self._carried(rate, layout)
            heard, rest = self._read(carried + given, rate, layout)
        else:
            heard = self._listen(given, rate)
        count = len(heard) // self.format.bytes_per_sample if type(heard) is bytes else len(heard)

        # All that can be wrong has been looked at; only now does anything change.
        source, chunks = self._enter(rate, layout.channels)
        self._account.stray_bytes += len(source.rest) - len(carried)
        source.rest, source.dtype = rest, layout.dtype
        self._account.pushed += count
        source.frames += count
        chunks += self._take(source, heard)
        return self._count(chunks)

    def commit(self) -> Commit:
        """End the turn: all that is still here, and silence where it is under 100 ms.

        Append the chunks, then commit. A turn of no audio at all is not padded, for nobody said
        it: the server will refuse it. With `on_short_commit="error"`, raises `UsageError` for
        a turn under 100 ms, and has then changed nothing: what was said stays, and what is said
        next joins it.
        """
        turn, least = self.counts.turn, least_commit(self.format.rate)
        if turn < least and self._on_short_commit == "error":
            raise UsageError(
                f"{turn * 1000 / self.format.rate:.4g} ms of audio since the last commit: the "
                "server takes no less than 100. Nothing was sent, and nothing is lost; "
                'on_short_commit="pad" adds silence'
            )
        chunks = self._leave()
        silence = least - turn if 0 < turn < least else 0
        chunks += self._chunk(np.zeros(silence, np.int16))
        self._account.padded += silence
        self._count(chunks := chunks + self._chunker.flush())
        return Commit(tuple(chunks), self.on_committed(), silence, self.format.rate)

    def flush(self) -> list[bytes]:
        """End the stretch: give all that is still here, the last chunk perhaps a shorter one.

        What comes after gives the same bytes as it would from a new pipeline.
        """
        return self._count(self._leave() + self._chunker.flush())

    def clear(self) -> None:
        """End the turn and drop all of it that is still here; the server's buffer counts as
        cleared. `counts` says how much that was."""
        counts = self.counts
        self._account.due = counts.due
        self._account.dropped += counts.held + counts.delayed
        self._account.cleared += counts.uncommitted
        self._account.stray_bytes += len(self._source.rest) if self._source else 0
        self._source = None
        self._chunker.clear()

    def on_direct_append(self, nbytes: int) -> None:
        """The caller appended bytes of the wire's format around the pipeline."""
        self._account.direct_bytes += nbytes

    def on_committed(self) -> int:
        """The server's buffer became a turn: by the VAD, say. How many samples that were."""
        samples = self._account.uncommitted
        self._account.committed += samples
        return samples

    def on_moved(self, samples: int) -> None:
        """The connection was replaced: what was in no turn is gone, but for the newest `samples`,
        which were said again."""
        self._account.move(samples)

    def on_refused(self, commit: Commit) -> None:
        """The server refused this commit: its audio is in the buffer still."""
        samples = commit.samples * self.format.rate // commit.rate
        self._account.committed -= min(samples, self._account.committed)

    def in_format(self, format: WireFormat) -> tuple[InputPipeline, list[bytes]]:  # noqa: A002 - as above
        """A new pipeline that goes on in another format, and the chunks that are complete in it.

        It goes on with what is still here, the beginning of a frame too, and with the counts.
        This pipeline is at its end.
        """
        new = InputPipeline(
            format,
            chunk_ms=self._chunk_ms,
            quality=self._quality,
            on_short_commit=self._on_short_commit,
        )
        new._account = self._account.at(format.rate, format.bytes_per_sample)
        source = self._source
        chunks = new.push(self.format.decode(b"".join(self.flush())), rate=self.format.rate)
        new._account.pushed = self._account.pushed
        if source and source.rest:
            again, tail = new._enter(source.rate, source.channels)
            again.rest, again.dtype = source.rest, source.dtype
            chunks += new._count(tail)
        return new, chunks

    # -- what was given, as what is taken ---------------------------------------------

    def _carried(self, rate: int, layout: Layout) -> bytes:
        """The beginning of a frame that bytes of this kind continue."""
        source = self._source
        if source and source.is_the(rate, layout.channels) and source.dtype == layout.dtype:
            return source.rest
        return b""

    def _read(self, data: bytes, rate: int, layout: Layout) -> tuple[bytes | NDArray[Any], bytes]:
        """What bytes say, as far as they are whole frames; and the rest of them."""
        if rate == self.format.rate and layout == Layout(self.format.dtype, 1):
            whole = len(data) - len(data) % self.format.bytes_per_sample
            return data[:whole], data[whole:]
        frames, rest = split_frames(data, layout)
        if layout.is_coded:
            frames = decode_frames(frames, layout.dtype)
        return self._listen(frames, rate), rest

    def _listen(self, frames: NDArray[Any], rate: int) -> NDArray[Any]:
        """One channel: int16 where that is what the wire wants, else float32."""
        # It would come out of float32 the same, only slower.
        if rate == self.format.rate and frames.shape[1] == 1 and frames.dtype.name == "int16":
            return frames[:, 0]
        return mix(frames)

    # -- one stretch after another ----------------------------------------------------

    def _enter(self, rate: int, channels: int) -> tuple[_Source, list[bytes]]:
        """The source of this kind; where it is a new one, the old one's end comes first."""
        if self._source and self._source.is_the(rate, channels):
            return self._source, []
        chunks = self._leave()
        resampler = Resampler(rate, self.format.rate, quality=self._quality)
        self._chunker.shorten(resampler.lag * self.format.bytes_per_sample)
        self._source = _Source(rate, channels, resampler)
        return self._source, chunks

    def _take(self, source: _Source, heard: bytes | NDArray[Any]) -> list[bytes]:
        """`heard` into the source's stretch, and the chunks that it completes."""
        if isinstance(heard, bytes):
            return self._chunker.push(heard)
        if heard.dtype.name == "int16":
            return self._chunk(heard)
        wanted = -(-self._chunker.missing // self.format.bytes_per_sample)
        ready = source.resampler.push(heard, wanted)
        return self._chunk(to_int16(ready)) if ready.size else []

    def _leave(self) -> list[bytes]:
        """The end of the source, as far as it fills chunks."""
        source, self._source = self._source, None
        if source is None:
            return []
        self._account.stray_bytes += len(source.rest)
        self._account.due += source.due
        return self._chunk(to_int16(source.resampler.flush()))

    def _chunk(self, samples: NDArray[np.int16]) -> list[bytes]:
        """`samples` into the chunker, and what is complete out of it."""
        return self._chunker.push(self.format.encode(samples)) if samples.size else []

    def _count(self, chunks: list[bytes]) -> list[bytes]:
        """`chunks`, which are about to be given out, into the account."""
        self._account.appended += sum(map(len, chunks)) // self.format.bytes_per_sample
        return chunks
