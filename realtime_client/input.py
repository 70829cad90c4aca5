"""Which audio the server has been sent, and what became of it.

The server's input buffer is a line of samples with three marks: appended up to here,
committed up to here, cleared up to here. Appends are never acknowledged; a commit answers
with `input_audio_buffer.committed`, a clear with `input_audio_buffer.cleared`. The VAD
commits too, by itself, with the same event; whose it was is found out in `committing`.

A connection that ends takes the buffer with it. What was in no turn by then may be said again
to the next one: without turn detection that is all since the last commit, while the VAD hears
speech all since that began, and else what came after the server's last sign of life, and a
little before, because a word may have begun that was not reported yet. What is older was heard,
as silence. A clear that was never answered has come true with the buffer.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from pybase64 import b64decode

from realtime_client.backlog import Backlog, KeptAudio, Span, Unheard
from realtime_client.committing import Commits
from realtime_client.errors import ServerError
from realtime_client.events import (
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDeleted,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
)
from realtime_client.kept import id_of
from realtime_client.outcome import Outcome
from realtime_client.ruler import Form, Ruler

__all__ = ["InputLedger", "Span", "Unheard"]

UNREPORTED: Final = 1_000
"""Milliseconds of audio before the server's last word in which a word may have begun that it
had not reported: what detection takes, and the way there and back."""

PADDING: Final = 5_000
"""Milliseconds before that which are kept all the same: a turn begins with the padding that
the session asks for, and how much that is is the server's business."""

PCM_BYTES: Final = 48
"""Bytes a millisecond of 24 kHz 16-bit PCM."""

LONGEST: Final = 15 * 1024 * 1024
"""Bytes of a turn that can be kept: no server takes more in one event."""

AWAITED: Final = 32
"""Committed messages that are remembered while nobody has seen them."""


class InputLedger:
    """Counts of appended bytes, and the commits and clears that wait for their answers."""

    __slots__ = (
        "_awaited",
        "_clears",
        "_commits",
        "_gone_out",
        "_ruler",
        "_silent",
        "_speech",
        "_told",
        "backlog",
        "base",
        "detects",
        "kept",
        "outcomes",
        "settled",
        "vad_commits",
    )

    def __init__(self, *, limit: int = 30_000, keeps: bool = False) -> None:
        self.backlog = Backlog(max(limit * PCM_BYTES, LONGEST if keeps else 0))
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
        self.outcomes: list[Outcome] = []
        """Ends that came to light otherwise than by their own event."""
        self._ruler = Ruler()
        self._speech: tuple[int, int | None] | None = None  # from, and to where it has ended
        self._told = 0  # how much had gone out at the server's last word
        self._silent = 0  # up to here the VAD has heard nothing
        self._gone_out: int | None = None  # how much had, when the connection ended
        self._commits = Commits()
        self._clears: deque[tuple[str, int]] = deque()
        self._awaited: dict[str, None] = {}

    @property
    def appended(self) -> int:
        """Bytes of audio handed to the server since the connection began."""
        return self.backlog.end

    @property
    def is_empty(self) -> bool:
        """Whether nobody would miss anything: without turn detection, nothing is uncommitted."""
        settled = max(self.settled, self._commits.certain)
        return self._speech is None and (self.detects or settled == self.appended)

    @property
    def form(self) -> Form:
        """The format in which audio is appended."""
        return self._ruler.form

    @property
    def width(self) -> int:
        """Bytes a sample."""
        return self._ruler.form.width

    @property
    def awaited(self) -> tuple[str, ...]:
        """The messages that were committed and that nobody has seen yet, oldest first."""
        return tuple(self._awaited)

    def said(self, item_id: str) -> bytes | None:
        """What the user said in a message, where that is kept and can be said again."""
        return None if self.kept is None else self.kept.get(item_id, self.form)

    def on_format(self, form: Form, *, detects: bool) -> None:
        """What the server acknowledged: how audio lies in bytes, and turn detection."""
        self.detects = detects
        self._ruler.change(self.appended, form)

    # -- from the client ----------------------------------------------------------------

    def on_append(self, audio: bytes | str) -> None:
        """Audio was queued for the server; what is no base64 it will refuse."""
        if isinstance(audio, str):
            try:
                audio = b64decode(audio, validate=True)
            except ValueError:
                return
        self.backlog.put(audio)
        if self.detects and self._speech is None and not self._commits:
            self._silent = max(self._silent, self._quiet_since(self._told))
            self.backlog.forget(self._silent - self._ruler.size(PADDING))

    def commit(self, event_id: str) -> None:
        """A commit of ours was queued."""
        self._commits.add(event_id, self.appended)

    def clear(self, event_id: str) -> None:
        """A clear of ours was queued."""
        self._clears.append((event_id, self.appended))

    def give_up(self, event_id: str) -> None:
        """Nobody waits for this commit any more."""
        self._commits.give_up(event_id)

    # -- from the server ----------------------------------------------------------------

    def on_word(self, unsent: int = 0) -> None:
        """Anything came from the server: it is there, and hears what has gone out to it.

        `unsent` bytes of what was appended have not.
        """
        self._told = max(self._told, self.appended - unsent)

    def on_speech_started(self, event: InputAudioBufferSpeechStarted) -> None:
        """The VAD hears speech, since before it says so; what was stopped is a turn by now."""
        if self._speech is not None and self._speech[1] is not None:
            self._settle(self._speech[1])
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
        answered = self._commits.on_committed(event)
        for commit, held in answered.given_up:
            self._commit(held, self.settled, commit.position)
            self.outcomes.append(Outcome(commit.event_id, held))
        if answered.is_vads:
            self._vad_commit(event)
        if answered.commit is None:
            return None
        self._commit(event, self.settled, answered.commit.position)
        return Outcome(answered.commit.event_id, event)

    def on_cleared(self, event: InputAudioBufferCleared) -> Outcome | None:
        """The server cleared its buffer; nobody but us asks for that."""
        if not self._clears:
            return None
        event_id, position = self._clears.popleft()
        self._settle(position)
        return Outcome(event_id, event)

    def on_translated(self, ms: object) -> None:
        """A translation has come so far in what was appended; not every server says how far."""
        known = isinstance(ms, int)
        self._settle(self._position(ms) if known else self._quiet_since(self._told))

    def on_flushed(self, position: int) -> None:
        """Everything before this was translated."""
        self._settle(position)

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named this request, so no success will come for it."""
        clear = next((one for one in self._clears if one[0] == event_id), None)
        if clear is not None:
            self._clears.remove(clear)
        elif not self._commits.on_refused(event_id):
            return None
        held = self._commits.take_held(event_id)
        other = self.on_committed(held) if held is not None else None
        self.outcomes += [other] if other is not None else []
        return Outcome(event_id, error=error)

    @property
    def given_up(self) -> frozenset[str]:
        """The commits that may come true, and that nobody waits for."""
        return self._commits.given_up

    def on_item(self, event: ConversationItemAdded | ConversationItemCreated) -> None:
        """A message is there."""
        self._awaited.pop(id_of(event.item) or "", None)

    def on_deleted(self, event: ConversationItemDeleted) -> None:
        """A message left the conversation, and with it what was said in it."""
        self._awaited.pop(event.item_id, None)
        if self.kept is not None:
            self.kept.forget(event.item_id)

    # -- the end of a connection ----------------------------------------------------------

    def on_lost(self, unsent: int) -> None:
        """The connection is over; `unsent` bytes of what was appended never went out."""
        if self._gone_out is None:
            self._gone_out = self.appended - unsent

    def unheard(
        self, *, ms: int, is_lost: bool, form: Form | None = None, goes_on: bool = False
    ) -> Unheard:
        """What is in no turn, the newest `ms` milliseconds of it to be said again.

        Where the server's buffer `goes_on`, it has all that went out.

        Of a connection that is not `is_lost` it is known that the server has heard what went
        out to it. In another `form` than it has, nothing can be said again.
        """
        wanted = self._gone if goes_on else self._since(is_lost=is_lost)
        most = self._ruler.size(ms) if form in (None, self.form) else 0
        first = max(wanted, self.backlog.start, self._ruler.start, self.appended - most)
        first = self._ruler.aligned(first)
        if first > self.appended:  # a half sample is continued by what comes next
            first -= self.width
        base = self.base + self._ruler.samples(first)
        dropped = Span(self.base + self._ruler.samples(wanted), base)
        return Unheard(self.backlog.between(first, self.appended), dropped, base)

    def _since(self, *, is_lost: bool) -> int:
        """From where on nothing is in a turn, nor was heard as silence."""
        begun = max(self.settled, self._commits.certain, *(at for _, at in self._clears))
        if not self.detects or self._commits:
            return max(begun, self._silent)
        if self._speech is not None:
            return max(begun, self._speech[0])  # it may have ended, but it is no message yet
        return max(begun, self._quiet_since(self._told if is_lost else self._gone))

    @property
    def _gone(self) -> int:
        """How much of what was appended has gone out."""
        return self.appended if self._gone_out is None else self._gone_out

    # -- within -----------------------------------------------------------------------------

    def _quiet_since(self, told: int) -> int:
        """Up to where the VAD has heard nothing, going by its last word at `told`."""
        return told - self._ruler.size(UNREPORTED)

    def _position(self, ms: object) -> int:
        """Where a time of the server's clock lies; it counts all audio of the session."""
        if not isinstance(ms, int):
            return self.appended
        return min(max(self.settled, self._ruler.position(ms)), self.appended)

    def _vad_commit(self, event: InputAudioBufferCommitted) -> None:
        """Without a word of speech before it, nobody knows where it begins."""
        self.vad_commits += 1
        start, stop = self._speech or (None, None)
        self._speech = None
        self._commit(event, start, self.appended if stop is None else stop)

    def _commit(self, event: InputAudioBufferCommitted, start: int | None, stop: int) -> None:
        item_id = event.item_id
        if isinstance(item_id, str):
            self._awaited[item_id] = None
            if len(self._awaited) > AWAITED:
                del self._awaited[next(iter(self._awaited))]
            if start is not None:
                self._keep(item_id, start, stop)
        self._settle(stop)

    def _keep(self, item_id: str, start: int, stop: int) -> None:
        is_whole = max(self.backlog.start, self._ruler.start) <= start < stop
        if self.kept is not None and is_whole:
            self.kept.put(item_id, self.backlog.between(start, stop), self.form)

    def _settle(self, position: int) -> None:
        """Up to here everything is in a turn, or was cleared."""
        self.settled = max(self.settled, position)
        if self._speech is not None and self._speech[0] < self.settled:
            self._speech = None
        self.backlog.forget(self.settled)
        self._ruler.forget(self.settled)
