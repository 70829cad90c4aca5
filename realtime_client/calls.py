"""The life of a function call, and when the model is asked to go on.

"`response.function_call_arguments.done` and `response.output_item.done` both deliver the
finished call: dispatch once." Here it is the finished item that counts, and only one whose
status is `completed`: "a cancelled response can deliver a call item with status `incomplete`
and cut-off JSON: never dispatch that." A server that gives its items no status has to say
first, by its `response.done`, that nothing was cut off. What `response.done` lists and no
event has delivered is dispatched then.

Calls are dispatched as they come, and each output goes into the conversation as soon as there
is one. The model is asked to go on once for a response, not once for a call: when the response
is done and every call of it has its output, whoever gave it. It is not asked where nothing was
answered here (calls by hand are followed up by hand), where the response was `cancelled` or
`failed` (somebody has interrupted, and has the next word), where another response that can see
all the outputs has been asked for, and not for ever: `max_rounds` times in a row.

A call of a response outside the conversation is nobody's here: its output would be refused.
A call of a response that was asked for without tools is answered with an error and never run.

The table is the whole life of a call; what it does not name changes nothing::

    OURS ----left to the user--> BY_HAND
    OURS, OFF, BY_HAND --output--> ANSWERED --refused--> VOID
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from realtime_client.events import UNSET, FunctionCallItem

__all__ = [
    "Calls",
    "Dispatch",
    "FollowUp",
    "Input",
    "News",
    "NoFollowUp",
    "State",
    "Why",
    "Withdraw",
]

MAX_OPEN: Final = 1_000
"""Responses that may wait for outputs or for their end; the oldest are forgotten past it."""

REMEMBERED: Final = 1_000
"""Responses that are over, and outputs of ours not echoed yet, that are still recognised."""


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
    INTERRUPTED = "the response was cancelled or failed"
    ASKED_ALREADY = "another response has been asked for that sees the outputs"
    TOO_MANY_ROUNDS = "max_rounds follow-ups in a row"
    FORGOTTEN = "too many responses wait for their outputs"


class Dispatch(NamedTuple):
    """A finished call, told once. `arguments` is JSON text, as the model wrote it.

    With `tools_off` it is to be answered with an error and never run. `offered` are the
    names of the tools that its response alone was given.
    """

    response_id: str
    call_id: str
    name: str
    arguments: str
    tools_off: bool
    offered: frozenset[str]


class FollowUp(NamedTuple):
    """All calls of the response have their outputs: ask the model to go on."""

    response_id: str


class NoFollowUp(NamedTuple):
    """The response is over, and the model will not be asked to go on."""

    response_id: str
    why: Why


class Withdraw(NamedTuple):
    """A follow-up that waits for its turn is not wanted any more: another response came first."""

    response_id: str


News = Dispatch | FollowUp | NoFollowUp | Withdraw


class _Turn:
    """A response that has calls, and what is known of each."""

    __slots__ = ("answered_here", "asked", "calls", "status")

    def __init__(self) -> None:
        self.calls: dict[str, State] = {}
        self.status: str | None = None
        """Of `response.done`; None until then."""
        self.answered_here = False
        self.asked = False
        """Whether another response was asked for when all outputs so far were in."""

    def settled(self) -> bool:
        return _OPEN.isdisjoint(self.calls.values())

    def step(self, call_id: str, happened: Input) -> bool:
        """Follow the table; whether that changed anything."""
        state = self.calls.get(call_id)
        after = TABLE.get((state, happened)) if state is not None else None
        if after is not None:
            self.calls[call_id] = after
        return after is not None


class Calls:
    """The function calls of one connection. Drain `ready` after every input."""

    __slots__ = ("_done", "_due", "_echoes", "_open", "_rounds", "max_rounds", "ready")

    def __init__(self, *, max_rounds: int = 8) -> None:
        self.max_rounds = max_rounds
        self.ready: list[News] = []
        """What is to be done, oldest first; whoever does it takes it out."""
        self._rounds = 0
        self._open: dict[str, _Turn] = {}
        self._done: dict[str, None] = {}
        self._due: dict[str, str | None] = {}
        self._echoes: dict[str, None] = {}

    def drain(self) -> list[News]:
        """Take out what is to be done."""
        news, self.ready = self.ready, []
        return news

    # -- from the server ----------------------------------------------------------------

    def on_call(
        self,
        response_id: str,
        item: FunctionCallItem,
        *,
        out_of_band: bool,
        tools_off: bool,
        offered: frozenset[str] = frozenset(),
    ) -> None:
        """`response.output_item.done` with a call, of a response that is alive.

        `tools_off`: the response was asked for with `tools: []` or `tool_choice: "none"`, or
        has been given up. `offered`: the names of the tools of its own `response.create`.
        """
        if not out_of_band and item.status == "completed" and response_id not in self._done:
            self._dispatch(response_id, item, tools_off, offered)

    def on_response_done(
        self,
        response_id: str,
        status: str,
        output_items: Iterable[object],
        *,
        out_of_band: bool,
        tools_off: bool,
        offered: frozenset[str] = frozenset(),
    ) -> None:
        """`response.done`, or the end of the patience with a response (as `cancelled`)."""
        if response_id in self._done:
            return
        if not out_of_band:
            for item in output_items:
                if isinstance(item, FunctionCallItem) and _whole(item, status):
                    self._dispatch(response_id, item, tools_off, offered)
        _remember(self._done, response_id)
        turn = self._open.get(response_id)
        if turn is None:
            self.ready.append(NoFollowUp(response_id, Why.NOTHING_RUN))
            return
        turn.status = status
        self._see_whether_over(response_id, turn)

    def on_output_added(self, call_id: str) -> None:
        """`conversation.item.added` of a `function_call_output`, ours or by hand."""
        if call_id in self._echoes:
            del self._echoes[call_id]
            return
        for response_id, turn in self._open.items():
            if turn.step(call_id, Input.OUTPUT):
                self._see_whether_over(response_id, turn)
                return

    # -- from the user ------------------------------------------------------------------

    def on_asked(self, event_id: str | None = None) -> None:
        """A response of the conversation was asked for, or began, that is no follow-up of ours.

        The user's `response.create`, or a response that the server or another party started.
        Where `event_id` is that of a follow-up, nothing happens.
        """
        if event_id is not None and event_id in self._due.values():
            return
        self._rounds = 0
        for turn in self._open.values():
            turn.asked = turn.settled()
        self.ready += [Withdraw(response_id) for response_id in self._due]
        self._due.clear()

    def lost(self) -> None:
        """The connection is over: nothing can be answered, and nothing will be asked."""
        for waiting in (self.ready, self._open, self._done, self._due, self._echoes):
            waiting.clear()

    # -- from whoever runs the calls ----------------------------------------------------

    def leave(self, response_id: str, call_id: str) -> None:
        """There is no function for this call here: the user answers it."""
        turn = self._open.get(response_id)
        if turn is not None:
            turn.step(call_id, Input.LEFT)

    def claim(self, response_id: str, call_id: str) -> bool:
        """The output of a call is about to go out; False where the user has answered it.

        From here on it counts as answered: what is sent after it comes after it.
        """
        turn = self._open.get(response_id)
        state = turn.calls.get(call_id) if turn is not None else None
        if turn is None or state not in (State.OURS, State.OFF):
            return False
        _remember(self._echoes, call_id)
        turn.step(call_id, Input.OUTPUT)
        turn.answered_here = turn.answered_here or state is State.OURS
        self._see_whether_over(response_id, turn)
        return True

    def on_output_refused(self, response_id: str, call_id: str) -> None:
        """The server did not take the output of a call that was claimed."""
        self._echoes.pop(call_id, None)
        turn = self._open.get(response_id)
        if turn is not None:
            turn.step(call_id, Input.REFUSED)

    def follow(self, response_id: str, event_id: str) -> None:
        """A follow-up is being asked for under this `event_id`."""
        if response_id in self._due:
            self._due[response_id] = event_id

    def followed(self, response_id: str) -> None:
        """A follow-up has begun, or never will."""
        self._due.pop(response_id, None)

    # -- within -------------------------------------------------------------------------

    def _dispatch(
        self, response_id: str, item: FunctionCallItem, tools_off: bool, offered: frozenset[str]
    ) -> None:
        turn = self._open.get(response_id)
        # A call without an id can be neither told from its repetition nor answered.
        if not isinstance(item.call_id, str) or (turn and item.call_id in turn.calls):
            return
        if turn is None:
            self._make_room()
            turn = self._open[response_id] = _Turn()
        turn.calls[item.call_id] = State.OFF if tools_off else State.OURS
        turn.asked = False
        arguments = item.arguments if isinstance(item.arguments, str) else ""
        self.ready.append(
            Dispatch(response_id, item.call_id, item.name, arguments, tools_off, offered)
        )

    def _see_whether_over(self, response_id: str, turn: _Turn) -> None:
        if turn.status is None or not turn.settled():
            return
        del self._open[response_id]
        why = self._why_not(turn)
        if why is not None:
            self.ready.append(NoFollowUp(response_id, why))
            return
        self._rounds += 1
        self._due[response_id] = None
        self.ready.append(FollowUp(response_id))

    def _why_not(self, turn: _Turn) -> Why | None:
        if not turn.answered_here or State.ANSWERED not in turn.calls.values():
            return Why.NOTHING_RUN
        if turn.status in ("cancelled", "failed"):
            return Why.INTERRUPTED
        if turn.asked:
            return Why.ASKED_ALREADY
        return Why.TOO_MANY_ROUNDS if self._rounds >= self.max_rounds else None

    def _make_room(self) -> None:
        """Forget the oldest response at the bound; one that is run here only if all are."""
        if len(self._open) < MAX_OPEN:
            return
        oldest = next(iter(self._open))
        by_hand = (i for i, turn in self._open.items() if State.OURS not in turn.calls.values())
        forgotten = next(by_hand, oldest)
        del self._open[forgotten]
        self.ready.append(NoFollowUp(forgotten, Why.FORGOTTEN))


def _whole(item: FunctionCallItem, status: str) -> bool:
    """Whether nothing of a call in `response.done` was cut off."""
    if item.status is None or item.status is UNSET:
        return status == "completed"
    return item.status == "completed"


def _remember(memory: dict[str, None], name: str) -> None:
    memory[name] = None
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]
