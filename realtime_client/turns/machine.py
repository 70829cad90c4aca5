"""All turns of one connection: which of them an event is about, and what it changes there."""

from __future__ import annotations

from typing import Final

from realtime_client.errors import ServerError
from realtime_client.events import (
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemInputAudioTranscriptionSegment,
    ConversationItemInputAudioTranscriptionUpdated,
    ErrorDetails,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
    MessageItem,
)
from realtime_client.turns.said import Segment, TurnBegan, TurnDelta, TurnEnded, TurnNote, TurnText
from realtime_client.turns.turn import UNCOMMITTED, Input, State, Turn, number

__all__ = ["KEPT", "OPEN", "Turns"]

OPEN: Final = 32
"""Turns that may wait for their end at once; beyond it the oldest ends without its words."""

KEPT: Final = 32
"""Turns that are over and can still be corrected."""


class Turns:
    """The user's turns of one connection. `now` is in seconds on the monotonic clock."""

    __slots__ = ("_kept_out", "_open", "_over", "notes", "transcribes")

    def __init__(self, *, transcribes: bool = False) -> None:
        self.transcribes = transcribes
        """Whether the acknowledged session has transcription on. It counts at each commit."""
        self.notes: list[TurnNote] = []
        """What has happened; whoever hands it on empties the list."""
        self._open: dict[str, Turn] = {}
        self._over: dict[str, Turn] = {}
        self._kept_out: set[str] = set()

    def keep_out(self, item_id: str) -> None:
        """This message was a turn of another connection, and is none of this one."""
        self._kept_out.add(item_id)

    @property
    def speaking(self) -> str | None:
        """The newest turn in which speech has started and not stopped: its item id."""
        return next(
            (i for i in reversed(self._open) if self._open[i].state is State.SPEAKING), None
        )

    @property
    def open(self) -> tuple[str, ...]:
        """The item ids of the turns that are not over, in the order in which they began."""
        return tuple(self._open)

    # -- the audio ----------------------------------------------------------------------

    def on_speech_started(self, event: InputAudioBufferSpeechStarted, now: float) -> None:
        """Turn detection hears speech. Whatever was in the one buffer before was committed."""
        turn = self._turn(event.item_id, now)
        if turn is None:
            return
        if turn.step(Input.STARTED):
            for earlier in list(self._open.values()):
                if earlier is turn:
                    break
                self._commit(earlier)
        turn.started_ms = _first(turn.started_ms, event.audio_start_ms)
        self._tell(turn)

    def on_speech_stopped(self, event: InputAudioBufferSpeechStopped, now: float) -> None:
        """Turn detection hears the end of speech; the commit follows."""
        turn = self._turn(event.item_id, now)
        if turn is not None:
            turn.step(Input.STOPPED)
            turn.ended_ms = _first(turn.ended_ms, event.audio_end_ms)
            self._tell(turn)

    def on_timeout_triggered(self, event: InputAudioBufferTimeoutTriggered, now: float) -> None:
        """Nobody spoke; the server makes a turn of the silence, and the commit follows."""
        turn = self._turn(event.item_id, now)
        if turn is not None:
            turn.timed_out = True
            turn.started_ms = _first(turn.started_ms, event.audio_start_ms)
            turn.ended_ms = _first(turn.ended_ms, event.audio_end_ms)
            self._tell(turn)

    def on_committed(self, event: InputAudioBufferCommitted, now: float) -> None:
        """The audio becomes a message, by the client's commit or by turn detection."""
        turn = self._turn(event.item_id, now)
        if turn is not None:
            self._commit(turn, now)

    def on_item(
        self,
        event: ConversationItemAdded | ConversationItemCreated | ConversationItemDone,
        now: float,
    ) -> None:
        """A message is there, so its audio was committed, whether that was said or not.

        Where it already has its transcript, that counts until a `completed` comes.
        """
        item = event.item
        if not isinstance(item, MessageItem) or item.role != "user":
            return
        audio = {i: part for i, part in enumerate(item.content or ()) if part.type == "input_audio"}
        if not audio and item.id not in self._open:
            return
        turn = self._turn(item.id, now)
        if turn is None:
            return
        for index, part in audio.items():
            turn.part(index)
            # An empty one is a place to put it, not a transcript.
            if isinstance(part.transcript, str) and part.transcript:
                self._write(turn, index, part.transcript, now, replace=False)
        self._commit(turn, now)

    def on_deleted(self, event: ConversationItemDeleted, now: float) -> None:
        """A message left the conversation; nothing more will be known of its words."""
        turn = self._open.get(event.item_id)
        if turn is not None:
            turn.step(Input.DROPPED)
            self._tell(turn)

    def on_cleared(self, event: InputAudioBufferCleared, now: float) -> None:
        """The input buffer is empty: what was not committed never will be."""
        for turn in [turn for turn in self._open.values() if turn.state in UNCOMMITTED]:
            turn.step(Input.DROPPED)
            self._tell(turn)

    # -- the words ----------------------------------------------------------------------

    def on_delta(self, event: ConversationItemInputAudioTranscriptionDelta, now: float) -> None:
        """More words of a part; those that come after its whole text are too late."""
        turn = self._turn(event.item_id, now)
        if turn is None or turn.over:
            return
        index = turn.index(event.content_index)
        part = turn.part(index)
        if part.settled:
            return
        part.weigh(event.logprobs, anew=False)
        if event.delta:
            self.notes.append(TurnDelta(turn.item_id, index, event.delta))

    def on_updated(self, event: ConversationItemInputAudioTranscriptionUpdated, now: float) -> None:
        """The words of a part so far, all of them. Over a whole text only what goes on from it."""
        turn = self._turn(event.item_id, now)
        if turn is None or turn.over or not isinstance(event.transcript, str):
            return
        index = turn.index(event.content_index)
        if event.transcript.startswith(turn.part(index).text or ""):
            self.notes.append(TurnText(turn.item_id, index, event.transcript))

    def on_segment(self, event: ConversationItemInputAudioTranscriptionSegment, now: float) -> None:
        """A stretch of one speaker. Its words are in the deltas and in the text as well."""
        turn = self._turn(event.item_id, now)
        if turn is None:
            return
        part = turn.part(turn.index(event.content_index))
        segment = Segment(event.text, event.speaker or None, number(event.start), number(event.end))
        part.segments[event.id or segment] = segment
        self._tell(turn)

    def on_completed(
        self, event: ConversationItemInputAudioTranscriptionCompleted, now: float
    ) -> None:
        """The whole text of a part; the last one that comes is right."""
        turn = self._turn(event.item_id, now)
        if turn is None:
            return
        index = turn.index(event.content_index)
        part = turn.part(index)
        # Where it brings none and is the first, those of its deltas stand.
        another = part.text not in (None, event.transcript)
        part.weigh(event.logprobs, anew=bool(event.logprobs) or another)
        part.languages = (
            tuple(language.code for language in event.languages or () if language.code)
            or part.languages
        )
        self._write(turn, index, event.transcript, now)
        self._settle(turn)

    def on_failed(self, event: ConversationItemInputAudioTranscriptionFailed, now: float) -> None:
        """A part could not be written down. A text that is already there stays."""
        turn = self._turn(event.item_id, now)
        if turn is None:
            return
        part = turn.part(turn.index(event.content_index))
        if not part.settled:
            part.error = _error(event.error)
            turn.final_at = now
        self._settle(turn)

    # -- within -------------------------------------------------------------------------

    def _turn(self, item_id: object, now: float) -> Turn | None:
        """The turn that an event is about; begun where nobody has heard of it."""
        if not isinstance(item_id, str) or not item_id or item_id in self._kept_out:
            return None
        turn = self._open.get(item_id) or self._over.get(item_id)
        if turn is None:
            if len(self._open) >= OPEN:
                self._give_up(next(iter(self._open.values())))
            turn = self._open[item_id] = Turn(item_id, now)
            self.notes.append(TurnBegan(item_id))
        return turn

    def _commit(self, turn: Turn, now: float | None = None) -> None:
        """The audio of a turn is a message, since `now` if that is known."""
        if turn.committed_at is None:
            turn.committed_at = now
        if turn.step(Input.COMMITTED) and not self.transcribes:
            turn.step(turn.words or Input.UNAWAITED)
        self._settle(turn)

    def _write(
        self, turn: Turn, index: int, text: str, now: float, *, replace: bool = True
    ) -> None:
        """Take the whole text of a part, over the one that it had if it is to `replace` it."""
        part = turn.part(index)
        if part.text == text or (part.text is not None and not replace):
            return
        part.text, part.error = text, None
        turn.final_at = now
        self.notes.append(TurnText(turn.item_id, index, text))

    def _settle(self, turn: Turn) -> None:
        """See whether the words of a turn are all there; any of them correct an end."""
        if turn.words is not None and (turn.over or not turn.awaits):
            turn.step(turn.words)
        self._tell(turn)

    def _give_up(self, turn: Turn) -> None:
        """The turn ends with what is known of it, as if nothing more would come."""
        turn.step(Input.COMMITTED)
        turn.step(turn.words or Input.UNAWAITED)
        self._tell(turn)

    def _tell(self, turn: Turn) -> None:
        """Say what the user said, once it is over and whenever that changes."""
        if not turn.over:
            return
        if self._open.pop(turn.item_id, None) is not None:
            self._over[turn.item_id] = turn
            if len(self._over) > KEPT:
                del self._over[next(iter(self._over))]
        said = turn.said()
        if said != turn.told:
            turn.told = said
            self.notes.append(TurnEnded(turn.item_id, said))


def _first(known: int | None, value: object) -> int | None:
    """The time that was said first: a repetition tells nothing new."""
    return value if known is None and isinstance(value, int) else known


def _error(error: ErrorDetails | str) -> ServerError:
    if isinstance(error, str):
        return ServerError(error)
    return ServerError(
        error.message or "the transcription failed and the server did not say why",
        code=error.code or None,
        type=error.type or None,
        param=error.param or None,
    )
