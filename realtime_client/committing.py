"""Whose commit was that? `input_audio_buffer.committed` names nobody who asked for it.

One commit of ours is outstanding at a time at the server, in order, so the event answers the
oldest. The VAD commits too, by itself, with the same event: where none of ours is outstanding it
is the VAD's.

A commit whose caller has given up may still be refused, "about a second late, after the
acknowledgements of later events". Until then nobody knows whether a `committed` answers it or
the one after it, so the event is held: a refusal gives it to the next, and another `committed`
shows that it was its own.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from realtime_client.events import InputAudioBufferCommitted

__all__ = ["Answered", "Commit", "Commits"]


class Commit(NamedTuple):
    """A commit of ours, and how many bytes had been appended by then."""

    event_id: str
    position: int


class Answered(NamedTuple):
    """What a `committed` has shown: which commits have come true that nobody waits for, each
    with its event; which one it answers; or that it is the VAD's own."""

    given_up: tuple[tuple[Commit, InputAudioBufferCommitted], ...] = ()
    commit: Commit | None = None
    is_vads: bool = False


class Commits:
    """The commits of ours that the server has not answered, oldest first."""

    __slots__ = ("_given_up", "_held", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Commit] = deque()
        self._given_up: set[str] = set()
        self._held: InputAudioBufferCommitted | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def certain(self) -> int:
        """Up to which position everything is in a turn, whichever commit has come true."""
        return self._waiting[0].position if self._held is not None else 0

    @property
    def given_up(self) -> frozenset[str]:
        """Those that nobody waits for."""
        return frozenset(self._given_up)

    def add(self, event_id: str, position: int) -> None:
        """A commit was queued."""
        self._waiting.append(Commit(event_id, position))

    def give_up(self, event_id: str) -> None:
        """Nobody waits for this one any more."""
        if any(event_id == commit.event_id for commit in self._waiting):
            self._given_up.add(event_id)

    def on_committed(self, event: InputAudioBufferCommitted) -> Answered:
        """The server committed."""
        given_up: list[tuple[Commit, InputAudioBufferCommitted]] = []
        while self._waiting:
            oldest = self._waiting[0]
            if oldest.event_id not in self._given_up:
                return Answered(tuple(given_up), self._waiting.popleft())
            if self._held is None:
                self._held = event
                return Answered(tuple(given_up))
            given_up.append((self._waiting.popleft(), self._held))
            self._given_up.discard(oldest.event_id)
            self._held = None
        return Answered(tuple(given_up), is_vads=True)

    def on_refused(self, event_id: str) -> bool:
        """An `error` named this one; whether it was waited for."""
        for commit in self._waiting:
            if commit.event_id == event_id:
                self._waiting.remove(commit)
                return True
        return False

    def take_held(self, refused: str) -> InputAudioBufferCommitted | None:
        """What was held because of a commit that is refused now: it answers somebody else."""
        if refused not in self._given_up:
            return None
        self._given_up.discard(refused)
        held, self._held = self._held, None
        return held
