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
"""

from __future__ import annotations

from collections import deque

from realtime_client.errors import ServerError
from realtime_client.events import InputAudioBufferCleared, InputAudioBufferCommitted
from realtime_client.outcome import Outcome

__all__ = ["InputLedger"]


class InputLedger:
    """Counts of appended bytes, and the commits and clears that wait for their answers."""

    __slots__ = (
        "_clears",
        "_commits",
        "_given_up",
        "_held",
        "appended",
        "outcomes",
        "vad_commits",
    )

    def __init__(self) -> None:
        self.appended = 0
        """Bytes of audio handed to the server since the connection began."""
        self.vad_commits = 0
        """Commits that the server made by itself."""
        self.outcomes: list[Outcome] = []
        """Ends that came to light otherwise than by their own event."""
        self._commits: deque[str] = deque()
        self._given_up: set[str] = set()
        self._held: InputAudioBufferCommitted | None = None
        self._clears: deque[str] = deque()

    def on_append(self, audio: bytes | str) -> None:
        """Audio was queued for the server; a text is base64, four characters for three bytes."""
        if isinstance(audio, str):
            self.appended += len(audio.rstrip("=")) * 3 // 4
        else:
            self.appended += len(audio)

    def commit(self, event_id: str) -> None:
        """A commit of ours was queued."""
        self._commits.append(event_id)

    def clear(self, event_id: str) -> None:
        """A clear of ours was queued."""
        self._clears.append(event_id)

    def on_committed(self, event: InputAudioBufferCommitted) -> Outcome | None:
        """The server committed: our oldest commit, or the VAD's own."""
        if not self._commits:
            self.vad_commits += 1
            return None
        if self._commits[0] not in self._given_up:
            return Outcome(self._commits.popleft(), event)
        if self._held is None:
            self._held = event
            return None
        self._end_given_up(self._held)
        self._held = None
        return self.on_committed(event)

    def give_up(self, event_id: str) -> None:
        """Nobody waits for this commit any more."""
        if event_id in self._commits:
            self._given_up.add(event_id)

    def on_cleared(self, event: InputAudioBufferCleared) -> Outcome | None:
        """The server cleared its buffer; nobody but us asks for that."""
        return Outcome(self._clears.popleft(), event) if self._clears else None

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named this request, so no success will come for it."""
        for waiting in (self._commits, self._clears):
            if event_id in waiting:
                waiting.remove(event_id)
                if event_id in self._given_up:
                    self._given_up.discard(event_id)
                    self._give_held()
                return Outcome(event_id, error=error)
        return None

    def _give_held(self) -> None:
        """The one that was given up was refused: what was held answers the next."""
        held, self._held = self._held, None
        outcome = self.on_committed(held) if held is not None else None
        if outcome is not None:
            self.outcomes.append(outcome)

    def _end_given_up(self, event: InputAudioBufferCommitted) -> None:
        event_id = self._commits.popleft()
        self._given_up.discard(event_id)
        self.outcomes.append(Outcome(event_id, event))
