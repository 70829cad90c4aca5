"""What becomes of an event that the server sends: the verdicts, and who is told.

Nothing is dropped in silence. What nobody is told of is counted by kind, and can be watched.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from realtime_client.events import (
    ResponseFunctionCallArgumentsDelta,
    ResponseMcpCallArgumentsDelta,
    ResponseOutputAudioDelta,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputTextDelta,
)
from realtime_client.lives import ResponseRecord
from realtime_client.outcome import Outcome

__all__ = ["DELTAS", "DUPLICATE", "ORPHAN", "SESSION_ROUTE", "STRAY", "Route", "Verdict"]

DELTAS: Final = frozenset(
    {
        ResponseOutputAudioDelta,
        ResponseOutputAudioTranscriptDelta,
        ResponseOutputTextDelta,
        ResponseFunctionCallArgumentsDelta,
        ResponseMcpCallArgumentsDelta,
    }
)
"""What is said; everything else tells of what was said."""


class Verdict(enum.Enum):
    """What became of an event."""

    SESSION = "session"
    """It belongs to no response: the session, an item, the input buffer."""
    DELIVERED = "delivered"
    """It belongs to a response that is alive."""
    DISCARDED = "discarded"
    """Its response was given up, or is being cancelled."""
    ORPHAN = "orphan"
    """It names a response that nobody knows, or that is over; or an item of it that is."""
    DUPLICATE = "duplicate"
    """It has come before."""


class Route(NamedTuple):
    """The router's answer: the verdict, whose event it is, and whom it wakes."""

    verdict: Verdict
    record: ResponseRecord | None = None
    outcome: Outcome | None = None


SESSION_ROUTE: Final = Route(Verdict.SESSION)
"""The route of every event that belongs to no response."""
ORPHAN: Final = Route(Verdict.ORPHAN)
DUPLICATE: Final = Route(Verdict.DUPLICATE)

STRAY: Final = frozenset({Verdict.DISCARDED, Verdict.ORPHAN, Verdict.DUPLICATE})
"""The verdicts of events that nobody is told of."""
