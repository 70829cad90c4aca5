"""What a translation says: its sound, its words, and the words that it heard, as three streams.

They belong to the session and go on when its connection is replaced. Each is handed out once and
bounded by itself: what nobody reads ends with `SlowConsumer`, and the others do not notice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from realtime_client import events
from realtime_client.errors import ClientClosed, InvalidServerEvent, RealtimeError, UsageError
from realtime_client.speech import AUDIO_BOUND
from realtime_client.streams import Once

if TYPE_CHECKING:
    from realtime_client.pcm_stream import PcmStream

__all__ = ["TEXT_BOUND", "Translated", "TranslatedAudio"]

TEXT_BOUND: Final = 1_000_000
"""Characters of one unread transcript: some eighteen hours of speech."""

PCM16: Final = 24_000
"""The rate of what a delta does not say the rate of, in hertz."""


class TranslatedAudio(Once[bytes]):
    """The translation as sound, in `format`, as it arrives: chunks of any size, each once."""

    __slots__ = ("_is_fixed", "_is_odd", "_is_taken", "cuts", "format")

    def __init__(self) -> None:
        super().__init__("the translated audio", bound=AUDIO_BOUND, size=len)
        self.format = events.AudioFormat(type="audio/pcm", rate=PCM16)
        """What the first delta named: 24 kHz 16-bit PCM."""
        self.cuts = 0
        """How often playing it was interrupted: a translation never is."""
        self._is_fixed = False
        self._is_odd = False
        self._is_taken = False

    async def __anext__(self) -> bytes:
        chunk = await super().__anext__()
        self._is_taken = True
        return chunk

    async def take(self) -> tuple[int, bytes]:
        """The next chunk, and the part that it is of: there is one."""
        return 0, await self.__anext__()

    def as_pcm(
        self,
        rate: int = 48_000,
        dtype: Literal["float32", "int16"] = "float32",
        *,
        quality: str = "low_delay",
    ) -> PcmStream:
        """The same audio as numpy arrays: mono samples of `dtype` at `rate` hertz.

        As `AudioStream.as_pcm`: one stretch of sound, whose last samples come at its end.

        Raises:
            InvalidAudio: A rate, dtype or quality that cannot be.
            UsageError: Some of it was taken already.
        """
        from realtime_client.pcm_stream import PcmStream

        if self._is_taken:
            raise UsageError("the audio was begun already: call as_pcm() first, and once")
        self._is_fixed = True
        return PcmStream(self, self.format, rate=rate, dtype=dtype, quality=quality)

    def tell(self, delta: events.SessionOutputAudioDelta) -> None:
        """More of it. Sound of another kind would be noise in between, and ends it."""
        kind, channels = delta.format or "pcm16", delta.channels or 1
        rate = delta.sample_rate or PCM16
        if kind != "pcm16" or channels != 1 or (self._is_fixed and rate != self.format.rate):
            was = f"{channels} channels of {kind} at {rate} Hz"
            self.end(InvalidServerEvent(f"the translated audio is another than it was: {was}"))
            return
        if not self._is_fixed:
            self.format = events.AudioFormat(type="audio/pcm", rate=rate)
            self._is_fixed = True
        self._is_odd ^= len(delta.delta) % 2 == 1
        self.push(delta.delta)

    def moved(self) -> None:
        """What comes now is of another connection, and begins with a sample of its own.

        Half a sample of the one before would turn all of it into noise.
        """
        if self._is_odd:
            self._is_odd = False
            self.push(b"\0")


class Translated:
    """The three streams of one session; `on_closed` is told that the server has said it all."""

    def __init__(self, on_closed: Callable[[], None]) -> None:
        self.audio = TranslatedAudio()
        self.transcript = _words("the transcript")
        """What is said, in the listener's language."""
        self.heard = _words("what was heard")
        """What was heard, in the speaker's language."""
        self._on_closed = on_closed

    def tell(self, event: object) -> None:
        """The server has said something."""
        match event:
            case events.SessionOutputAudioDelta():
                self.audio.tell(event)
            case events.SessionOutputTranscriptDelta():
                self.transcript.push(event.delta)
            case events.SessionInputTranscriptDelta():
                self.heard.push(event.delta)
            case events.SessionClosed():
                self._on_closed()

    def end(self, error: RealtimeError) -> None:
        """The session is over; closing it oneself is no error."""
        for stream in (self.audio, self.transcript, self.heard):
            stream.end(None if isinstance(error, ClientClosed) else error)


def _words(what: str) -> Once[str]:
    return Once(what, bound=TEXT_BOUND, size=len, unit="characters")
