"""The input audio buffer: what the client has appended and nobody has committed.

Its clock is the audio itself: `audio_start_ms` and `audio_end_ms` count what was appended
since the session began, whatever was committed or cleared meanwhile. With turn detection the
buffer finds the turns; a turn has one item id from `speech_started` to its message. What was
said before a turn's prefix padding is dropped with the turn. A commit or a clear in the
middle of a turn ends it without a `speech_stopped`, and speech that goes on is a new turn.

A change of the input format empties the buffer: samples of two rates are no audio. With turn
detection only the last minute of what belongs to no turn is kept: a call can be silent for hours.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from realtime_client.audio import WireFormat
from realtime_client.events import SemanticVad, ServerVad
from realtime_client.simulator.clip import Clip
from realtime_client.simulator.refusal import Refusal
from realtime_client.simulator.services import Ids
from realtime_client.simulator.vad import EnergyVad, SpeechStarted, SpeechStopped

__all__ = ["InputBuffer", "Turn", "TurnEnded", "TurnStarted"]

SHORTEST_COMMIT_MS = 100
LONGEST_SILENCE_MS = 60_000

# How long semantic VAD waits. A real one judges what was said; this one knows only silence.
_EAGERNESS_MS = {"low": 1_000, "medium": 500, "auto": 500, "high": 250}


@dataclass(frozen=True, eq=False)
class Turn:
    """What a user said, and the id of the message that it becomes."""

    item_id: str
    clip: Clip


@dataclass(frozen=True)
class TurnStarted:
    """Speech began; `audio_start_ms` includes the prefix padding."""

    item_id: str
    audio_start_ms: int


@dataclass(frozen=True, eq=False)
class TurnEnded:
    """Speech ended; `audio_end_ms` includes the silence that ended it."""

    turn: Turn
    audio_end_ms: int


TurnEvent: TypeAlias = TurnStarted | TurnEnded


class _Tuning(NamedTuple):
    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int


class InputBuffer:
    """One session's input. `ids("item")` gives the id of the next message."""

    def __init__(self, format_: WireFormat, ids: Ids) -> None:
        self._format = format_
        self._ids = ids
        self._chunks: list[NDArray[np.int16]] = []
        self._half = b""  # of a sample whose other bytes have not come yet
        self._begin = self._end = 0  # where the chunks lie, in samples of this format
        self._format_ms = 0  # the clock when this format began
        self._vad: EnergyVad | None = None
        self._vad_begin = 0  # where the VAD's own clock began, in samples
        self._turn: tuple[str, int] | None = None  # item id, and its first sample
        self.appended = 0  # samples, of whatever format

    @property
    def duration_ms(self) -> float:
        """How much audio a commit would take."""
        return (self._end - self._begin) * 1000 / self._format.rate

    def configure(self, format_: WireFormat, detection: ServerVad | SemanticVad | None) -> None:
        """Follow an accepted `session.update`. Every field of `detection` is a value."""
        if format_ != self._format:
            self._format_ms += self._end * 1000 // self._format.rate
            self._format = format_
            self._begin = self._end = 0
            self._forget()
            self._vad = None
        if detection is None:
            self._vad = None  # a turn that was announced becomes the next message all the same
        elif self._vad is None:
            self._vad = EnergyVad(format_.rate, **_tuning(detection)._asdict())
            self._vad_begin = self._end
        else:
            self._vad.reconfigure(**_tuning(detection)._asdict())

    def append(self, data: bytes) -> list[TurnEvent]:
        """Take audio in the input format, and tell which turns it began and ended."""
        data = self._half + data
        whole = len(data) - len(data) % self._format.bytes_per_sample
        samples, self._half = self._format.decode(data[:whole]), data[whole:]
        self._chunks.append(samples)
        self._end += len(samples)
        self.appended += len(samples)
        if self._vad is None:
            return []
        events = [self._event(event) for event in self._vad.push(samples)]
        if self._turn is None:
            self._forget_silence()
        return events

    def commit(self) -> Turn:
        """Take everything as one turn; raises `Refusal` under 100 ms and keeps the audio."""
        if self.duration_ms < SHORTEST_COMMIT_MS:
            raise Refusal(
                "input_audio_buffer_commit_empty",
                f"Error committing input audio buffer: buffer too small. Expected at least "
                f"{SHORTEST_COMMIT_MS}ms of audio, but buffer only has "
                f"{self.duration_ms:.2f}ms of audio.",
            )
        item_id = self._turn[0] if self._turn else self._ids("item")
        clip = self._take(self._begin, self._end)
        self._forget()
        return Turn(item_id, clip)

    def clear(self) -> None:
        """Drop the audio, and the turn that it began."""
        self._begin = self._end
        self._forget()

    def _forget(self) -> None:
        self._chunks.clear()
        self._half = b""
        self._turn = None
        if self._vad is not None:
            self._vad.reset()

    def _forget_silence(self) -> None:
        enough = LONGEST_SILENCE_MS * self._format.rate // 1000
        while self._end - self._begin - len(self._chunks[0]) >= enough:
            self._begin += len(self._chunks.pop(0))

    def _event(self, event: SpeechStarted | SpeechStopped) -> TurnEvent:
        sample = self._vad_begin + event.at_ms * self._format.rate // 1000
        clock_ms = self._format_ms + self._vad_begin * 1000 // self._format.rate + event.at_ms
        if isinstance(event, SpeechStarted):
            self._turn = (self._ids("item"), sample)
            return TurnStarted(self._turn[0], clock_ms)
        assert self._turn is not None
        item_id, first = self._turn
        self._turn = None
        return TurnEnded(Turn(item_id, self._take(first, sample)), clock_ms)

    def _take(self, first: int, last: int) -> Clip:
        """Cut out the samples `first` to `last`, and drop what lies before."""
        audio = np.concatenate([*self._chunks, np.zeros(0, dtype=np.int16)])
        first = max(first, self._begin)  # a padding can be longer than what is kept
        clip = Clip(audio[first - self._begin : last - self._begin].copy(), self._format)
        self._chunks = [audio[last - self._begin :]]
        self._begin = last
        return clip


def _tuning(detection: ServerVad | SemanticVad) -> _Tuning:
    """Return what the energy VAD is to do; an effective `ServerVad` has every field."""
    if isinstance(detection, SemanticVad):
        return _Tuning(0.5, 300, _EAGERNESS_MS[str(detection.eagerness)])
    threshold, padding = detection.threshold, detection.prefix_padding_ms
    silence = detection.silence_duration_ms
    assert isinstance(threshold, float)
    assert isinstance(padding, int)
    assert isinstance(silence, int)
    return _Tuning(threshold, padding, silence)
