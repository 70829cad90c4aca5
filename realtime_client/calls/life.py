"""The states of a call as a table, the calls of one response, and what becomes of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from realtime_client.tools import ToolFunction

__all__ = [
    "TABLE",
    "ByHand",
    "Dispatch",
    "FollowUp",
    "Input",
    "News",
    "NoFollowUp",
    "State",
    "Turn",
    "Why",
    "Withdraw",
]


class State(enum.Enum):
    """Where a call is in its life."""

    OURS = "it is answered here"
    OFF = "it is answered here with an error, because its response was to have no tools"
    BY_HAND = "the user answers it"
    ANSWERED = "its output is in the conversation, or on its way there"
    VOID = "the server did not take its output"


class Input(enum.Enum):
    """What can happen to a call."""

    LEFT = "left to the user"
    OUTPUT = "output"
    REFUSED = "refused"


TABLE: Final[Mapping[tuple[State, Input], State]] = {
    (State.OURS, Input.LEFT): State.BY_HAND,
    (State.OURS, Input.OUTPUT): State.ANSWERED,
    (State.OFF, Input.OUTPUT): State.ANSWERED,
    (State.BY_HAND, Input.OUTPUT): State.ANSWERED,
    (State.ANSWERED, Input.REFUSED): State.VOID,
    (State.VOID, Input.OUTPUT): State.ANSWERED,
}
"""A pair that is not here changes nothing."""

_OPEN: Final = frozenset({State.OURS, State.OFF, State.BY_HAND})


class Why(enum.Enum):
    """Why the model is not asked to go on."""

    NOTHING_RUN = "no call of the response was run here"
    INTERRUPTED = "the response was cancelled or failed, or somebody has interrupted since"
    ASKED_ALREADY = "another response has been asked for that sees the outputs"
    TOO_MANY_ROUNDS = "max_rounds follow-ups in a row"
    FORGOTTEN = "too many responses wait for their outputs"


class Dispatch(NamedTuple):
    """A finished call, told once. `arguments` is JSON text, as the model wrote it.

    With `tools_off` it is to be answered with an error and never run. `offered` are the
    names of the tools that its response alone was given, and `own` is the function among them
    that is called.
    """

    response_id: str
    call_id: str
    name: str
    arguments: str
    tools_off: bool
    offered: frozenset[str]
    own: ToolFunction[..., Any] | None = None


class ByHand(NamedTuple):
    """A finished call outside the conversation, where no output is taken; told once."""

    response_id: str
    call_id: str
    name: str


class FollowUp(NamedTuple):
    """All calls of the response have their outputs: ask the model to go on."""

    response_id: str


class NoFollowUp(NamedTuple):
    """The response is over, and the model will not be asked to go on."""

    response_id: str
    why: Why


class Withdraw(NamedTuple):
    """A follow-up that waits for its turn is not wanted any more."""

    response_id: str
    why: Why


News = Dispatch | ByHand | FollowUp | NoFollowUp | Withdraw


class Turn:
    """A response that has calls, and what is known of each."""

    __slots__ = ("answered_here", "asked", "calls", "interrupted", "status")

    def __init__(self) -> None:
        self.calls: dict[str, State] = {}
        self.status: str | None = None
        """Of `response.done`; None until then."""
        self.answered_here = False
        self.asked = False
        """Whether another response was asked for when all outputs so far were in."""
        self.interrupted = False
        """Whether somebody has spoken since something was called."""

    def settled(self) -> bool:
        """Whether every call so far has its output, or can have none."""
        return _OPEN.isdisjoint(self.calls.values())

    def is_the_users(self) -> bool:
        """Whether all that is open is to be answered by hand, and nothing was answered here."""
        return not self.answered_here and {State.OURS, State.OFF}.isdisjoint(self.calls.values())

    def step(self, call_id: str, happened: Input) -> bool:
        """Follow the table; whether that changed anything."""
        state = self.calls.get(call_id)
        after = TABLE.get((state, happened)) if state is not None else None
        if after is not None:
            self.calls[call_id] = after
        return after is not None
