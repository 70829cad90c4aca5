"""The user's turns: `Turns` is the machine, `UserSaid` what it finds out. See `turn`."""

from realtime_client.turns.machine import KEPT, OPEN, Turns
from realtime_client.turns.said import (
    Ending,
    Segment,
    TurnBegan,
    TurnDelta,
    TurnEnded,
    TurnNote,
    TurnText,
    UserSaid,
)
from realtime_client.turns.turn import TRANSITIONS, Input, State

__all__ = [
    "KEPT",
    "OPEN",
    "TRANSITIONS",
    "Ending",
    "Input",
    "Segment",
    "State",
    "TurnBegan",
    "TurnDelta",
    "TurnEnded",
    "TurnNote",
    "TurnText",
    "Turns",
    "UserSaid",
]
