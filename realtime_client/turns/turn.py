"""What the user said, turn by turn, as the server's events show it.

A turn is a message of the user that holds audio. It is keyed by its `item_id`, which the
server fixes before the message exists, and its words by `(item_id, content_index)`, because
"transcription events are asynchronous, can come before the commit or long after, and turns can
complete out of order". Only audio makes a turn: what was typed is known to whoever typed it.
An event without an item id belongs to no turn.

A turn begins with the first event about it, whichever that is. It is over when its audio is a
message and its words are known, so it takes two things, in either order::

    BEGUN --started--> SPEAKING --stopped--> STOPPED      from any of the four:
      |                   |                     |         dropped --> GONE
      +-------------------+------committed------+--> COMMITTED
                                                        |--written----> TRANSCRIBED
                                                        |--unwritable-> FAILED
                                                        +--unawaited--> UNTRANSCRIBED

Words that come before the commit are kept, and count once it has come. Servers leave events
out, so a commit is also seen in the message's arrival, and in the beginning of the next turn:
there is one input buffer. Where the session transcribes nothing, the commit is the end.

The last word wins: xAI sends several `completed` a turn, each the whole text, and before them
`updated`, each the whole text so far, which is not a word of the turn yet. A `completed` that comes
after the end corrects what was told, and so does a time that comes late. For that the newest
`KEPT` turns that are over are remembered. Of those that are not over, the oldest gives up
waiting for its words when there are more than `OPEN`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Final

from realtime_client.errors import ServerError
from realtime_client.events import LogProb
from realtime_client.turns.said import Ending, Segment, UserSaid

__all__ = ["ENDS", "TRANSITIONS", "UNCOMMITTED", "Input", "Part", "State", "Turn", "number"]


class State(enum.Enum):
    """Where a turn is in its life; the last four are ends."""

    BEGUN = "begun"
    SPEAKING = "speaking"
    STOPPED = "stopped"
    COMMITTED = "committed"
    TRANSCRIBED = "transcribed"
    FAILED = "failed"
    UNTRANSCRIBED = "untranscribed"
    GONE = "gone"


class Input(enum.Enum):
    """What can happen to a turn."""

    STARTED = "started"
    STOPPED = "stopped"
    COMMITTED = "committed"
    WRITTEN = "written"
    """All its words are known."""
    UNWRITABLE = "unwritable"
    """No word of it could be written down."""
    UNAWAITED = "unawaited"
    """Nobody waits for its words: none will come, or others have waited too long."""
    DROPPED = "dropped"
    """Its message was deleted, or its audio cleared before there was one."""


TRANSITIONS: Final[Mapping[tuple[State, Input], State]] = {
    (State.BEGUN, Input.STARTED): State.SPEAKING,
    (State.BEGUN, Input.STOPPED): State.STOPPED,
    (State.BEGUN, Input.COMMITTED): State.COMMITTED,
    (State.BEGUN, Input.DROPPED): State.GONE,
    (State.SPEAKING, Input.STOPPED): State.STOPPED,
    (State.SPEAKING, Input.COMMITTED): State.COMMITTED,
    (State.SPEAKING, Input.DROPPED): State.GONE,
    (State.STOPPED, Input.COMMITTED): State.COMMITTED,
    (State.STOPPED, Input.DROPPED): State.GONE,
    (State.COMMITTED, Input.WRITTEN): State.TRANSCRIBED,
    (State.COMMITTED, Input.UNWRITABLE): State.FAILED,
    (State.COMMITTED, Input.UNAWAITED): State.UNTRANSCRIBED,
    (State.COMMITTED, Input.DROPPED): State.GONE,
    # The last word wins, also over an end that had none.
    (State.FAILED, Input.WRITTEN): State.TRANSCRIBED,
    (State.UNTRANSCRIBED, Input.WRITTEN): State.TRANSCRIBED,
    (State.UNTRANSCRIBED, Input.UNWRITABLE): State.FAILED,
}
"""A pair that is not here changes nothing: the network may say anything in any order."""

ENDS: Final[Mapping[State, Ending]] = {
    State.TRANSCRIBED: "transcribed",
    State.FAILED: "failed",
    State.UNTRANSCRIBED: "untranscribed",
    State.GONE: "gone",
}
UNCOMMITTED: Final = frozenset({State.BEGUN, State.SPEAKING, State.STOPPED})


class Part:
    """The words of one audio part of a turn."""

    __slots__ = ("_count", "_sum", "error", "languages", "segments", "text")

    def __init__(self) -> None:
        self.text: str | None = None
        self.error: ServerError | None = None
        self.languages: tuple[str, ...] = ()
        self.segments: dict[object, Segment] = {}
        self._sum = 0.0
        self._count = 0

    @property
    def settled(self) -> bool:
        """Whether its text is known, or that there is none."""
        return self.text is not None or self.error is not None

    @property
    def logprobs(self) -> tuple[float, int]:
        """The sum of its tokens' logarithms, and how many tokens they are."""
        return self._sum, self._count

    def weigh(self, logprobs: object, *, anew: bool) -> None:
        """More tokens; with `anew` those that came before were of another text."""
        known = _numbers(logprobs)
        if anew:
            self._sum, self._count = 0.0, 0
        self._sum += sum(known)
        self._count += len(known)


class Turn:
    """One turn as its events have shown it so far."""

    __slots__ = (
        "began_at",
        "committed_at",
        "ended_ms",
        "final_at",
        "item_id",
        "parts",
        "started_ms",
        "state",
        "timed_out",
        "told",
    )

    def __init__(self, item_id: str, now: float) -> None:
        self.item_id = item_id
        self.state = State.BEGUN
        self.parts: dict[int, Part] = {}
        self.timed_out = False
        self.started_ms: int | None = None
        self.ended_ms: int | None = None
        self.began_at = now
        self.committed_at: float | None = None
        self.final_at: float | None = None
        self.told: UserSaid | None = None

    def step(self, happened: Input) -> bool:
        """Follow the table; whether that led anywhere."""
        before = self.state
        self.state = TRANSITIONS.get((before, happened), before)
        return self.state is not before

    @property
    def over(self) -> bool:
        """Whether it is at an end."""
        return self.state in ENDS

    @property
    def words(self) -> Input | None:
        """What is known of its words: some, that there are none, or nothing."""
        if any(part.text is not None for part in self.parts.values()):
            return Input.WRITTEN
        return Input.UNWRITABLE if any(part.error for part in self.parts.values()) else None

    @property
    def awaits(self) -> bool:
        """Whether the words of a part are still to come."""
        return any(not part.settled for part in self.parts.values())

    def index(self, content_index: object) -> int:
        """Which part an event is about. xAI leaves the index of some out (seen on the wire)."""
        if isinstance(content_index, int):
            return content_index
        unsettled = [index for index, part in self.parts.items() if not part.settled]
        return min(unsettled or self.parts, default=0)

    def part(self, index: int) -> Part:
        """The part of this index; made when it is first heard of."""
        return self.parts.setdefault(index, Part())

    def said(self) -> UserSaid:
        """What the user said in it, once it is over."""
        parts = [self.parts[index] for index in sorted(self.parts)]
        texts = [part.text for part in parts if part.text is not None]
        languages = dict.fromkeys(code for part in parts for code in part.languages)
        return UserSaid(
            item_id=self.item_id,
            status=ENDS[self.state],
            text="".join(texts) if texts else None,
            confidence=_confidence([part.logprobs for part in parts]) if texts else None,
            error=next((part.error for part in parts if part.error is not None), None),
            languages=tuple(languages),
            segments=tuple(segment for part in parts for segment in part.segments.values()),
            timed_out=self.timed_out,
            started_ms=self.started_ms,
            ended_ms=self.ended_ms,
            began_at=self.began_at,
            committed_at=self.committed_at,
            final_at=self.final_at,
        )


def number(value: object) -> float | None:
    """A number where there is one; null and UNSET are none."""
    return value if isinstance(value, (int, float)) else None


def _numbers(logprobs: object) -> list[float]:
    tokens: tuple[LogProb, ...] = logprobs if isinstance(logprobs, tuple) else ()
    values = (number(token.logprob) for token in tokens)
    return [value for value in values if value is not None]


def _confidence(logprobs: list[tuple[float, int]]) -> float | None:
    """How sure of all tokens together; no probability is more than 1, whatever was sent."""
    count = sum(count for _, count in logprobs)
    if not count:
        return None
    return math.exp(min(0.0, sum(total for total, _ in logprobs) / count))
