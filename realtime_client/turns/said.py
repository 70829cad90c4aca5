"""What is told of the user's turns: the notes while one goes on, and what was said at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from realtime_client.errors import ServerError

__all__ = [
    "Ending",
    "Segment",
    "TurnBegan",
    "TurnDelta",
    "TurnEnded",
    "TurnNote",
    "TurnText",
    "UserSaid",
]

Ending = Literal["transcribed", "failed", "untranscribed", "gone"]


class Segment(NamedTuple):
    """A stretch of one speaker (diarisation); `start` and `end` in seconds of the turn."""

    text: str
    speaker: str | None
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSaid:
    """What the user said in one turn, once it is over.

    What the server did not say is None. Times in `_ms` are the server's: milliseconds of audio
    since the session began. Times in `_at` are ours: seconds on the monotonic clock, when the
    event that told it came.
    """

    item_id: str
    """The user's message in the conversation."""
    status: Ending
    """`untranscribed`: transcription is off, or did not come while newer turns piled up.
    `gone`: its message was deleted, or its audio cleared, before it was over."""
    text: str | None = None
    """The transcript. It may be empty; None is that there is none."""
    confidence: float | None = None
    """0 to 1: the geometric mean of the tokens' probabilities. It needs
    `item.input_audio_transcription.logprobs` in the session's `include`."""
    error: ServerError | None = None
    """Why it, or a part of it, could not be transcribed; the model may have understood it."""
    languages: tuple[str, ...] = ()
    """Codes of the languages that were heard, where the server tells."""
    segments: tuple[Segment, ...] = ()
    """Who said what, from transcription models that tell speakers apart."""
    timed_out: bool = False
    """Nobody spoke: the server committed an empty turn after `idle_timeout_ms`."""
    started_ms: int | None = None
    """Where its audio begins, prefix padding included."""
    ended_ms: int | None = None
    """Where its audio ends, silence included."""
    began_at: float
    """The first event about it; where the server detects turns, the start of speech."""
    committed_at: float | None = None
    """Its audio became a message."""
    final_at: float | None = None
    """The last of its words came, or the news that there are none."""


class TurnBegan(NamedTuple):
    """The first event about a turn has come."""

    item_id: str


class TurnDelta(NamedTuple):
    """More words of a part that is not finished."""

    item_id: str
    content_index: int
    delta: str


class TurnText(NamedTuple):
    """The whole text of a part, or all of it so far; it replaces the deltas and any text before."""

    item_id: str
    content_index: int
    text: str


class TurnEnded(NamedTuple):
    """A turn is over. It comes again where a later event corrects it."""

    item_id: str
    said: UserSaid


TurnNote = TurnBegan | TurnDelta | TurnText | TurnEnded
"""Something that whoever listens to the user wants to know."""
