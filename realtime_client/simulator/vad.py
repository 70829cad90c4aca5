"""Energy-based voice activity detection, as a `server_vad` does it on the wire.

The samples are looked at in frames of 10 ms on a fixed grid, counted from the first sample
ever pushed, so how the audio was chunked cannot matter. A frame is loud or not by its RMS.
`threshold` maps to a level in a straight line:

    0 is -60 dBFS, 0.5 is -40 dBFS, 1 is -20 dBFS

Three loud frames in a row begin speech; a click does not. While speech lasts, a frame must be
3 dB quieter than that to count as silent, so that a level near the threshold does not flutter.
`silence_duration_ms` of silent frames end it.

The two events say what they say on the wire: `speech_started.audio_start_ms` lies the prefix
padding before the speech, `speech_stopped.audio_end_ms` is the end of the audio that goes to
the model, "which includes the silence". A turn never reaches back into the turn before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from realtime_client.audio.pcm import checked_rate, int16_samples
from realtime_client.errors import InvalidConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EnergyVad", "SpeechStarted", "SpeechStopped", "threshold_dbfs"]

_FRAME_MS = 10
_LOUD_FRAMES = 3
_HYSTERESIS_DB = 3


@dataclass(frozen=True)
class SpeechStarted:
    """Speech began. `at_ms` is where its turn begins: the prefix padding earlier."""

    at_ms: int


@dataclass(frozen=True)
class SpeechStopped:
    """Speech ended. `at_ms` is where its turn ends: with the silence that ended it."""

    at_ms: int


_Event: TypeAlias = SpeechStarted | SpeechStopped


def threshold_dbfs(threshold: float) -> float:
    """The RMS level, in dB of full scale, at which a frame is loud: -60 (0) to -20 (1)."""
    return -60 + 40 * threshold


@dataclass(frozen=True)
class _Tuning:
    """The wire's three knobs, checked."""

    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InvalidConfig(f"threshold must be 0 to 1, got {self.threshold!r}")
        for name in ("prefix_padding_ms", "silence_duration_ms"):
            if getattr(self, name) < 0:
                raise InvalidConfig(f"{name} must not be negative, got {getattr(self, name)!r}")

    def level(self, *, speaking: bool) -> float:
        """The mean square of int16 samples from which a frame is loud."""
        dbfs = threshold_dbfs(self.threshold) - (_HYSTERESIS_DB if speaking else 0)
        return float(32768**2 * 10 ** (dbfs / 10))

    @property
    def silent_frames(self) -> int:
        """Silent frames that end speech: the silence, rounded up to whole frames."""
        return -(-self.silence_duration_ms // _FRAME_MS)


class EnergyVad:
    """Finds turns in a stream of mono int16 samples of `rate` Hz, 8,000 to 192,000.

    The clock is the samples themselves. `threshold` is 0 to 1, see `threshold_dbfs`; the
    padding begins a turn that much early; the silence ends it, rounded up to whole frames
    of 10 ms and at least one. Raises `InvalidAudio` and `InvalidConfig`.
    """

    def __init__(
        self,
        rate: int,
        *,
        threshold: float = 0.5,
        prefix_padding_ms: int = 300,
        silence_duration_ms: int = 200,
    ) -> None:
        self._rate = checked_rate(rate)
        self._tuning = _Tuning(threshold, prefix_padding_ms, silence_duration_ms)
        self._frames = 0  # judged so far: the clock
        self._rest = np.zeros(0, dtype=np.int16)  # of the frame that is not full yet
        self._run = 0  # frames in a row that speak for a change of state
        self._speaking = False
        self._floor_ms = 0  # no turn begins before this

    @property
    def speaking(self) -> bool:
        """Whether speech has started and not stopped."""
        return self._speaking

    def push(self, samples: NDArray[np.int16]) -> list[SpeechStarted | SpeechStopped]:
        """Take any number of samples and tell what they began and ended, in order.

        Raises `InvalidAudio` for anything but a one-dimensional int16 array.
        """
        events = []
        for power in self._powers(int16_samples(samples)):
            event = self._judge(power)
            if event is not None:
                events.append(event)
        return events

    def reset(self) -> None:
        """Forget the audio so far, as `input_audio_buffer.clear` and a commit do.

        Speech in progress is dropped without an event, and no later turn begins before this
        moment. The clock goes on.
        """
        taken = self._edge(self._frames) + len(self._rest)
        self._floor_ms = -(-taken * 1000 // self._rate)
        self._rest = np.zeros_like(self._rest)
        self._run = 0
        self._speaking = False

    def reconfigure(
        self,
        *,
        threshold: float | None = None,
        prefix_padding_ms: int | None = None,
        silence_duration_ms: int | None = None,
    ) -> None:
        """Change what is given, from the next frame on; clock and speech in progress stay.

        Raises `InvalidConfig` and changes nothing where a value is out of range.
        """
        now = self._tuning
        self._tuning = _Tuning(
            now.threshold if threshold is None else threshold,
            now.prefix_padding_ms if prefix_padding_ms is None else prefix_padding_ms,
            now.silence_duration_ms if silence_duration_ms is None else silence_duration_ms,
        )

    def _powers(self, samples: NDArray[np.int16]) -> list[float]:
        """The mean square of each frame that `samples` fills; what is left over is kept.

        Frame k begins at sample k * rate // 100, so a rate that 100 does not divide loses
        nothing. Sums of integers are exact: no chunking can change them.
        """
        audio = np.concatenate([self._rest, samples])
        origin = self._edge(self._frames)
        full = (origin + len(audio)) * 100 // self._rate - self._frames
        edges = np.array([self._edge(self._frames + k) - origin for k in range(full + 1)])
        self._rest = audio[edges[-1] :]
        squares = audio[: edges[-1]].astype(np.int64) ** 2
        powers: list[float] = (np.add.reduceat(squares, edges[:-1]) / np.diff(edges)).tolist()
        return powers

    def _edge(self, frame: int) -> int:
        return frame * self._rate // 100

    def _judge(self, power: float) -> _Event | None:
        """Let one more frame pass."""
        self._frames += 1
        loud = power >= self._tuning.level(speaking=self._speaking)
        if loud == self._speaking:
            self._run = 0
            return None
        self._run += 1
        if self._speaking:
            return self._stop() if self._run >= self._tuning.silent_frames else None
        return self._start() if self._run >= _LOUD_FRAMES else None

    def _start(self) -> SpeechStarted:
        began_ms = (self._frames - self._run) * _FRAME_MS
        self._speaking, self._run = True, 0
        return SpeechStarted(max(began_ms - self._tuning.prefix_padding_ms, self._floor_ms))

    def _stop(self) -> SpeechStopped:
        self._speaking, self._run = False, 0
        self._floor_ms = self._frames * _FRAME_MS
        return SpeechStopped(self._floor_ms)
