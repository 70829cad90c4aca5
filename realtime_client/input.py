"""Which audio the server has been sent, and what became of it.

The server's input buffer is a line of samples with three marks: appended up to here,
committed up to here, cleared up to here. Appends are never acknowledged; a commit answers
with `input_audio_buffer.committed`, a clear with `input_audio_buffer.cleared`. The VAD
commits too, by itself, with the same event. So one commit of ours is outstanding at a time,
in order, and a `committed` that this ledger cannot explain is the VAD's.

A commit whose caller has given up may still be refused, "about a second late, after the
acknowledgements of later events". Until then nobody knows whether a `committed` answers it or
the one after it, so the event is held: a refusal gives it to the next, and another `committed`
shows that it was its own.

A connection that ends takes the buffer with it. What was in no turn by then may be said again
to the next one: without turn detection that is all since the last commit, while the VAD hears
speech all since that began, and else what came after the server's last sign of life, and a
little before, because a word may have begun that was not reported yet. What is older was heard,
as silence.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from pybase64 import b64decode

from realtime_client.backlog import Backlog, KeptAudio
from realtime_client.errors import ServerError
from realtime_client.events import (
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
)
from realtime_client.outcome import Outcome

__all__ = ["InputLedger", "Span", "Unheard"]

UNREPORTED: Final = 1_000
"""Milliseconds of audio before the server's last word in which a word may have begun that it
had not reported: what detection takes, and the way there and back."""

PCM_BYTES: Final = 48
"""Bytes a millisecond of 24 kHz 16-bit PCM."""


class Span(NamedTuple):
    """A stretch of audio in samples of the wire's rate, counted from the first one that the
    client ever appended."""

    start: int
    stop: int


class Unheard(NamedTuple):
    """What a connection that is over has not made a turn: `audio` is to be said again, and
    `dropped`, which came before it, is not. `base` is where `audio` begins, in samples."""

    audio: bytes
    dropped: Span
    base: int


class InputLedger:
    """Counts of appended bytes, and the commits and clears that wait for their answers."""

    __slots__ = (
        "_bytes_per_ms",
        "_clears",
        "_commits",
        "_format_since",
        "_given_up",
        "_held",
        "_speech",
        "_told",
        "backlog",
        "base",
        "detects",
        "kept",
        "outcomes",
        "settled",
        "vad_commits",
        "width",
    )

    def __init__(self, *, limit: int = 30_000, keeps: bool = False) -> None:
        self.backlog = Backlog(limit * PCM_BYTES)
        """`limit` milliseconds of 24 kHz PCM, and more of anything smaller."""
        self.kept: KeptAudio | None = KeptAudio() if keeps else None
        """What the user said in each message, where that is to be kept."""
        self.base = 0
        """How many samples the client had appended before this connection began."""
        self.settled = 0
        """Up to here everything is in a turn, or was cleared; in bytes."""
        self.vad_commits = 0
        """Commits that the server made by itself."""
        self.detects = True
        """Whether the server finds turns by itself."""
        self.width = 2
        """Bytes a sample."""
        self.outcomes: list[Outcome] = []
        """Ends that came to light otherwise than by their own event."""
        self._bytes_per_ms = PCM_BYTES
        self._format_since = (0, 0)  # bytes, and the milliseconds that they are
        self._speech: tuple[int, int | None] | None = None  # from, and to where it has ended
        self._told = 0  # how much had been appended at the server's last word
        self._commits: deque[tuple[str, int]] = deque()
        self._given_up: set[str] = set()
        self._held: InputAudioBufferCommitted | None = None
        self._clears: deque[tuple[str, int]] = deque()

    @property
    def appended(self) -> int:
        """Bytes of audio handed to the server since the connection began."""
        return self.backlog.end

    @property
    def is_empty(self) -> bool:
        """Whether nobody would miss anything: without turn detection, nothing is uncommitted."""
        return self._speech is None and (self.detects or self.settled == self.appended)

    # -- the format ---------------------------------------------------------------------

    def on_format(self, rate: int, width: int, *, detects: bool) -> None:
        """What the server acknowledged: samples a second, bytes a sample, and turn detection."""
        self.detects = detects
        if (rate * width // 1000, width) != (self._bytes_per_ms, self.width):
            begun = self.appended, self._ms(self.appended)
            self._format_since, self.width = begun, width
            self._bytes_per_ms = rate * width // 1000

    def _ms(self, position: int) -> int:
        since, ms = self._format_since
        return ms + (position - since) // self._bytes_per_ms

    def _position(self, ms: object) -> int:
        """Where a time of the server's clock lies; it counts all audio of the session."""
        if not isinstance(ms, int):
            return self.appended
        since, since_ms = self._format_since
        return min(max(self.settled, since + (ms - since_ms) * self._bytes_per_ms), self.appended)

    # -- from the client ----------------------------------------------------------------

    def on_append(self, audio: bytes | str) -> None:
        """Audio was queued for the server; what is no base64 it will refuse."""
        if isinstance(audio, str):
            try:
                audio = b64decode(audio, validate=True)
            except ValueError:
                return
        self.backlog.put(audio)
        if self.detects and self._speech is None:
            self.backlog.forget(self._quiet_since(self._told))

    def commit(self, event_id: str) -> None:
        """A commit of ours was queued."""
        self._commits.append((event_id, self.appended))

    def clear(self, event_id: str) -> None:
        """A clear of ours was queued."""
        self._clears.append((event_id, self.appended))

    def give_up(self, event_id: str) -> None:
        """Nobody waits for this commit any more."""
        if any(event_id == waiting for waiting, _ in self._commits):
            self._given_up.add(event_id)

    # -- from the server ----------------------------------------------------------------

    def on_word(self) -> None:
        """Anything came from the server: it is there, and hears."""
        self._told = self.appended

    def on_speech_started(self, event: InputAudioBufferSpeechStarted) -> None:
        """The VAD hears speech, since before it says so."""
        self._speech = self._position(event.audio_start_ms), None

    def on_speech_stopped(self, event: InputAudioBufferSpeechStopped) -> None:
        """The turn ends here; what was appended after it is not part of it."""
        start = self._speech[0] if self._speech else self.settled
        self._speech = start, self._position(event.audio_end_ms)

    def on_timeout_triggered(self, event: InputAudioBufferTimeoutTriggered) -> None:
        """Nobody spoke, and the server makes a turn of that."""
        self._speech = self._position(event.audio_start_ms), self._position(event.audio_end_ms)

    def on_committed(self, event: InputAudioBufferCommitted) -> Outcome | None:
        """The server committed: our oldest commit, or the VAD's own."""
        if not self._commits:
            self.vad_commits += 1
            start, stop = self._speech or (self.settled, None)
            self._commit(event, start, self.appended if stop is None else stop)
            return None
        event_id, position = self._commits[0]
        if event_id not in self._given_up:
            self._commits.popleft()
            self._commit(event, self.settled, position)
            return Outcome(event_id, event)
        if self._held is None:
            self._held = event
            return None
        self._end_given_up(self._held)
        self._held = None
        return self.on_committed(event)

    def on_cleared(self, event: InputAudioBufferCleared) -> Outcome | None:
        """The server cleared its buffer; nobody but us asks for that."""
        if not self._clears:
            return None
        event_id, position = self._clears.popleft()
        self._settle(position)
        return Outcome(event_id, event)

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named this request, so no success will come for it."""
        for waiting in (self._commits, self._clears):
            for request in waiting:
                if request[0] == event_id:
                    waiting.remove(request)
                    if event_id in self._given_up:
                        self._given_up.discard(event_id)
                        self._give_held()
                    return Outcome(event_id, error=error)
        return None

    # -- the end of a connection ----------------------------------------------------------

    def unheard(self, *, ms: int, is_lost: bool) -> Unheard:
        """What is in no turn, the newest `ms` milliseconds of it to be said again.

        Of a connection that is not `is_lost` it is known that the server has heard what came
        to it.
        """
        if not self.detects:
            wanted = self.settled
        elif self._speech is not None:
            wanted = self._speech[0]  # it may have ended, but it is no message yet
        else:
            wanted = self._quiet_since(self._told if is_lost else self.appended)
        most = ms * self._bytes_per_ms
        first = max(wanted, self.backlog.start, self.appended - most)
        first += -first % self.width
        base = self.base + first // self.width
        dropped = Span(self.base + wanted // self.width, base)
        return Unheard(self.backlog.between(first, self.appended), dropped, base)

    # -- within -----------------------------------------------------------------------------

    def _quiet_since(self, told: int) -> int:
        """Up to where the VAD has heard nothing, going by its last word at `told`."""
        return max(self.settled, told - UNREPORTED * self._bytes_per_ms)

    def _commit(self, event: InputAudioBufferCommitted, start: int, stop: int) -> None:
        is_whole = self.backlog.start <= start
        if self.kept is not None and isinstance(event.item_id, str) and is_whole:
            self.kept.put(event.item_id, self.backlog.between(start, stop))
        self._settle(stop)

    def _settle(self, position: int) -> None:
        """Up to here everything is in a turn, or was cleared."""
        self.settled, self._speech = max(self.settled, position), None
        self.backlog.forget(self.settled)

    def _give_held(self) -> None:
        """The one that was given up was refused: what was held answers the next."""
        held, self._held = self._held, None
        outcome = self.on_committed(held) if held is not None else None
        if outcome is not None:
            self.outcomes.append(outcome)

    def _end_given_up(self, event: InputAudioBufferCommitted) -> None:
        event_id, position = self._commits.popleft()
        self._given_up.discard(event_id)
        self._commit(event, self.settled, position)
        self.outcomes.append(Outcome(event_id, event))
