"""What the server acknowledged about the session, and what is still on its way there.

`acknowledged` is the server's last word and nothing else: the `session` of the newest
`session.created` or `session.updated`, never merged from what was asked, because servers
clamp, refill and ignore values and only they know the result.

An update is an *intent*: the fields that somebody named. Intents wait in order, and at most
one is on the wire. Only when its turn comes is an intent compared with the acknowledged
state, so what goes out is the smallest update that makes the difference, its leaf objects
whole (see `leaves`). Why not several at once: an update that was compared with a neighbour
which the server then rejects would lose the fields that they shared, and send nothing.

Whom a `session.updated` answers is the table in `acknowledgement`; an `error` with its
`event_id` rejects an update, whole. While an answer is owed or only presumed nothing is
compared, because nobody knows what the server has: the next intent names all its fields.
Whoever it answers, the session that comes is the server's word, and is taken over at once.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

import msgspec

from realtime_client.acknowledgement import (
    LATE_WINDOW,
    OTHERWISE,
    SETTLE,
    TABLE,
    Acknowledgement,
    Effective,
    Input,
    Intent,
    Meaning,
    Notice,
    State,
    Update,
)
from realtime_client.codec import encode
from realtime_client.errors import (
    AcknowledgementTimeout,
    InvalidConfig,
    ServerError,
    SessionUpdateRejected,
)
from realtime_client.events import TranslationSessionConfig, UnsetType
from realtime_client.fixed import refuse
from realtime_client.leaves import (
    Leaves,
    Path,
    differing,
    dotted,
    drift,
    leaves,
    tree,
    whole,
)
from realtime_client.outcome import Outcome

__all__ = ["Configuration", "asked_by"]


class _Unclear(NamedTuple):
    """A word of the server that may be the answer or somebody else's, until a time."""

    session: Effective
    before: Leaves
    until: float


class Configuration:
    """The session's configuration: the server's word, and the intents that wait for it."""

    def __init__(self, *, acknowledges: bool = True) -> None:
        self.acknowledged: Effective | None = None
        """The server's session object, or None before `session.created`."""
        self.spoken = False
        """Whether the model has spoken, which freezes the voice."""
        self.outcomes: list[Outcome] = []
        self.notices: list[Notice] = []
        self.obtained: dict[Path, Any] = {}
        """What was asked for here and acknowledged: what another connection is asked for."""
        self._leaves: Leaves = {}
        self._waiting: deque[Intent] = deque()
        self._on_wire: Intent | None = None
        self._unclear: _Unclear | None = None
        self._late: deque[Intent] = deque()
        self._presumed: deque[str] = deque(maxlen=16)
        self._trusted = False
        self._presuming = False
        self._acknowledges = acknowledges

    @property
    def state(self) -> State:
        """Which row of the table holds now."""
        if self.acknowledged is None:
            return State.UNBORN
        if self._on_wire is not None:
            return State.ASKING_IN_DOUBT if self._late else State.ASKING
        return State.DOUBTFUL if self._late else State.QUIET

    @property
    def on_wire(self) -> Intent | None:
        """The intent that has gone out and is not answered."""
        return self._on_wire

    @property
    def in_flight(self) -> tuple[Intent, ...]:
        """The intents that are not answered, oldest first; the first may be on the wire."""
        on_wire = (self._on_wire,) if self._on_wire else ()
        return (*on_wire, *self._waiting)

    @property
    def unsent(self) -> frozenset[str]:
        """The requests that have not gone out."""
        return frozenset(intent.event_id for intent in self._waiting)

    @property
    def desired(self) -> dict[str, Any]:
        """Acknowledged, and what is on the wire, and what waits: for display, as a tree."""
        wanted = dict(self._leaves)
        for intent in self.in_flight:
            wanted.update(whole(intent.asked, wanted))
        return tree(wanted)

    # -- intents ------------------------------------------------------------------------

    def ask(self, intent: Intent) -> None:
        """Queue an intent.

        Raises:
            InvalidConfig: The server has fixed what it would change.
        """
        if intent.command is None:
            refuse(intent.asked, self._leaves, spoken=self.spoken)
        self._waiting.append(intent)

    def next_update(self, *, between_turns: bool) -> Update | None:
        """The update whose turn it is, now on the wire; None while there is none.

        Intents that turn out to be impossible or to change nothing are answered on the way.
        """
        while self._waiting and self._on_wire is None and self.acknowledged is not None:
            intent = self._waiting[0]
            if intent.between_turns and not between_turns:
                return None
            self._waiting.popleft()
            command = intent.command or self._smallest(intent)
            if command is not None:
                if self._acknowledges:
                    self._on_wire = intent
                else:
                    self._take_for_granted(intent)
                return command
        return None

    def _smallest(self, intent: Intent) -> dict[str, Any] | None:
        try:
            refuse(intent.asked, self._leaves, spoken=self.spoken)
        except InvalidConfig as error:
            self.outcomes.append(Outcome(intent.event_id, error=error))
            return None
        compare = differing if self._trusted else whole
        wanted = compare(intent.asked, self._leaves)
        wanted.pop(("type",), None)
        if not wanted:
            self._answer(intent, self._leaves)
            return None
        session = tree(wanted)
        if not isinstance(self.acknowledged, TranslationSessionConfig):
            # "`session.type` is required in every update, except for translation sessions."
            session = {"type": self._leaves.get(("type",), "realtime"), **session}
        return {"type": "session.update", "event_id": intent.event_id, "session": session}

    def withdraw(self, event_id: str) -> bool:
        """Take back an intent that has not gone out; whether there was one."""
        for intent in self._waiting:
            if intent.event_id == event_id:
                self._waiting.remove(intent)
                return True
        return False

    # -- what happens -------------------------------------------------------------------

    def on_created(
        self, session: Effective, now: float, shown: dict[str, Any] | None = None
    ) -> None:
        """`session.created`: the session exists, with the server's defaults.

        `shown` is the session as the server wrote it, where that is at hand: it may have
        fields that the struct has no name for, and a leaf has to be whole.
        """
        self._adopt(session, shown, Input.CREATED, now)

    def on_updated(
        self, session: Effective, now: float, shown: dict[str, Any] | None = None
    ) -> None:
        """`session.updated`: the server's new word."""
        self._adopt(session, shown, Input.UPDATED, now)

    def lost(self) -> None:
        """The connection is gone: what was unclear will never be clear, nor anything answered."""
        self._was_foreign()
        self._on_wire = None
        self._waiting.clear()
        self._late.clear()

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named an update: the one on the wire, or one that was never answered."""
        intent = self._on_wire
        if intent is not None and intent.event_id == event_id:
            self._on_wire = None
            self._was_foreign()
            return Outcome(event_id, error=_rejection(intent, error))
        for late in self._late:
            if late.event_id == event_id:
                self._late.remove(late)
                self._trust_again()
                self.notices.append(Notice("late_rejection", None, event_id, error))
                return None
        if event_id in self._presumed:
            # Another answer was taken for its own; whoever asked has not been told that the
            # values are in force, and now it is known why they are not.
            self._presumed.remove(event_id)
            self.notices.append(Notice("late_rejection", None, event_id, error))
        return None

    def next_deadline(self) -> float | None:
        """When somebody's patience ends."""
        if self._on_wire is None and not self._waiting and not self._late:
            return None
        ends = [intent.expires for intent in self.in_flight]
        ends += [intent.expires + LATE_WINDOW for intent in self._late]
        ends += [self._unclear.until] if self._unclear else []
        return min(ends)

    def on_deadline(self, now: float) -> None:
        """Time has passed: what waits too long is withdrawn, what is on the wire uncertain."""
        while self._late and now >= self._late[0].expires + LATE_WINDOW:
            self._late.popleft()
        intent = self._on_wire
        if intent is not None and self._unclear and now >= min(self._unclear.until, intent.expires):
            unclear, self._unclear = self._unclear, None
            self._presumed.append(intent.event_id)
            self._settle(intent, unclear.before, unclear.session, presumed=True)
        elif intent is not None and now >= intent.expires:
            self._on_wire, self._trusted = None, False
            self._late.append(intent)
            self._expire(intent, uncertain=True)
        for intent in [waiting for waiting in self._waiting if now >= waiting.expires]:
            self._waiting.remove(intent)
            self._expire(intent, uncertain=False)

    # -- within -------------------------------------------------------------------------

    def _adopt(
        self, session: Effective, shown: dict[str, Any] | None, happened: Input, now: float
    ) -> None:
        """Take the server's word, and find out whom it answers."""
        meaning = TABLE[self.state, happened]
        before, self._leaves = self._leaves, leaves(shown or _plain(session))
        self.acknowledged = session
        intent = self._on_wire
        if intent is not None and OTHERWISE.get(meaning):
            shows = intent.opening or _shows(self._leaves, intent.asked)
            meaning = Meaning.ANSWER if shows else OTHERWISE[meaning]
        match meaning:
            case Meaning.ANSWER if intent is not None:
                self._was_foreign()
                self._settle(intent, before, session)
            case Meaning.ANSWER_OR_FOREIGN:
                self._was_foreign()
                self._unclear = _Unclear(session, before, now + SETTLE)
            case Meaning.LATE:
                late = self._late.popleft()
                self._presumed.append(late.event_id)
                if _shows(self._leaves, late.asked):
                    self.obtained.update(whole(late.asked, before))
                self._trust_again()
                self.notices.append(Notice("late", session, late.event_id))
            case _:
                self._trust_again()
                self.notices.append(Notice(meaning.value, session))

    def _trust_again(self) -> None:
        """The server has spoken: compare again, unless an answer is still owed."""
        if not self._late and not self._presuming:
            self._trusted = True

    def _settle(
        self, intent: Intent, before: Leaves, session: Effective, *, presumed: bool = False
    ) -> None:
        """The update on the wire has been answered, or is presumed to have been.

        A presumed answer may have been somebody else's word, and the real one, with another
        state, still on its way: so nothing is compared until an update is surely answered.
        """
        self._on_wire, self._presuming = None, presumed
        self._trusted = not presumed and not self._late
        self._answer(intent, before)
        self.notices.append(Notice("answer", session, intent.event_id))

    def _take_for_granted(self, intent: Intent) -> None:
        """No answer will come: it is settled as it goes out, and nobody knows what it did."""
        assert self.acknowledged is not None
        self._trusted = False
        self._presumed.append(intent.event_id)
        self.obtained.update(whole(intent.asked, self._leaves))
        answer = Acknowledgement(self.acknowledged, (), (), confirmed=False)
        self.outcomes.append(Outcome(intent.event_id, answer))

    def _was_foreign(self) -> None:
        """What was unclear, if anything was, is now known to be somebody else's."""
        unclear, self._unclear = self._unclear, None
        if unclear is not None:
            self.notices.append(Notice("foreign", unclear.session))

    def _answer(self, intent: Intent, before: Leaves) -> None:
        assert self.acknowledged is not None
        paths = [*before, *(path for path in self._leaves if path not in before)]
        changed = tuple(
            dotted(path) for path in paths if before.get(path) != self._leaves.get(path)
        )
        ignored = drift(intent.asked, self._leaves)
        self.obtained.update(whole(intent.asked, before))
        answer = Acknowledgement(self.acknowledged, changed, ignored)
        self.outcomes.append(Outcome(intent.event_id, answer))

    def _expire(self, intent: Intent, *, uncertain: bool) -> None:
        what = (
            "session.update was sent and may still take effect"
            if uncertain
            else ("session.update waited for its turn and was withdrawn")
        )
        error = AcknowledgementTimeout(what, uncertain=uncertain)
        self.outcomes.append(Outcome(intent.event_id, error=error))


_SERVERS_OWN: Final = frozenset({("id",), ("object",), ("expires_at",)})


def _shows(effective: Leaves, asked: Leaves) -> bool:
    """Whether a session has what was asked; what a server never echoes cannot be seen."""
    return all(isinstance(one.effective, UnsetType) for one in drift(asked, effective))


def _rejection(intent: Intent, error: ServerError) -> SessionUpdateRejected:
    return SessionUpdateRejected(
        error.message,
        code=error.code,
        type=error.type,
        param=error.param,
        event_id=error.event_id,
        update=tree(intent.asked),
    )


def _plain(session: Effective) -> dict[str, Any]:
    value = msgspec.json.decode(encode(session))
    assert isinstance(value, dict)
    return value


def asked_by(session: Effective) -> dict[Path, Any]:
    """The leaves that a session object asks for: all but those that only the server makes."""
    named = leaves(_plain(session))
    return {path: value for path, value in named.items() if path not in _SERVERS_OWN}
