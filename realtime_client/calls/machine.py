"""The function calls of one connection: what to run, what is answered, and when to go on."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, Final, NamedTuple

from realtime_client.calls.life import (
    ByHand,
    Dispatch,
    FollowUp,
    Input,
    News,
    NoFollowUp,
    State,
    Turn,
    Why,
    Withdraw,
)
from realtime_client.events import UNSET, FunctionCallItem
from realtime_client.tools import ToolFunction

__all__ = ["MAX_OPEN", "REMEMBERED", "Calls"]

MAX_OPEN: Final = 1_000
"""Responses that may wait for outputs or for their end; the oldest are forgotten past it."""

REMEMBERED: Final = 1_000
"""Responses that are over, and outputs of ours not echoed yet, that are still recognised."""


class _Due(NamedTuple):
    """A follow-up that has not begun: its calls, and the request for it once there is one."""

    calls: frozenset[str]
    event_id: str | None = None


class Calls:
    """The function calls of one connection. Drain `ready` after every input."""

    __slots__ = ("_done", "_due", "_echoes", "_lent", "_open", "_rounds", "max_rounds", "ready")

    def __init__(self, *, max_rounds: int = 8) -> None:
        self.max_rounds = max_rounds
        self.ready: list[News] = []
        """What is to be done, oldest first; whoever does it takes it out."""
        self._rounds = 0
        self._open: dict[str, Turn] = {}
        self._done: dict[str, None] = {}
        self._due: dict[str, _Due] = {}
        self._echoes: dict[str, None] = {}
        self._lent: dict[str, Mapping[str, ToolFunction[..., Any]]] = {}

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
        foreign: bool,
        tools_off: bool,
        offered: frozenset[str] = frozenset(),
        request: str | None = None,
    ) -> None:
        """`response.output_item.done` with a call, of a response that is alive.

        `foreign`: another party on the session asked for it. `tools_off`: the response was
        asked for with `tools: []` or `tool_choice: "none"`, or has been given up. `offered`:
        the names of the tools of its own `response.create`, whose `event_id` is `request`.
        """
        if foreign or item.status != "completed" or response_id in self._done:
            return
        if out_of_band:
            self._leave_aside(response_id, item)
        else:
            self._dispatch(response_id, item, tools_off, offered, self._lent.get(request or ""))

    def on_response_done(
        self,
        response_id: str,
        status: str,
        output_items: Iterable[object],
        *,
        out_of_band: bool,
        foreign: bool,
        tools_off: bool,
        offered: frozenset[str] = frozenset(),
        request: str | None = None,
    ) -> None:
        """`response.done`, or the end of the patience with a response (as `cancelled`)."""
        lent = self._lent.pop(request or "", None)
        if response_id in self._done:
            return
        for item in () if foreign else output_items:
            if not isinstance(item, FunctionCallItem) or not _whole(item, status):
                continue
            if out_of_band:
                self._leave_aside(response_id, item)
            else:
                self._dispatch(response_id, item, tools_off, offered, lent)
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
        """Another response that sees the conversation was asked for, or has begun.

        With an `event_id` it is a `response.create` from here; a follow-up's own is no other.
        Without, it is one that the server or another party has started, which cannot have
        seen an output of ours that the server had not taken by then.
        """
        if event_id is not None and any(event_id == due.event_id for due in self._due.values()):
            return
        self._rounds = 0
        unseen = self._echoes.keys() if event_id is None else ()
        for turn in self._open.values():
            turn.asked = turn.asked or (turn.settled() and turn.calls.keys().isdisjoint(unseen))
        for response_id, due in list(self._due.items()):
            if due.calls.isdisjoint(unseen):
                del self._due[response_id]
                self.ready.append(Withdraw(response_id, Why.ASKED_ALREADY))

    def on_interrupted(self) -> None:
        """Somebody has stopped what is said in the conversation, and has the next word.

        What was called before is answered, and not followed up.
        """
        for turn in self._open.values():
            turn.interrupted = True
        self.ready += [Withdraw(response_id, Why.INTERRUPTED) for response_id in self._due]
        self._due.clear()

    def lend(self, event_id: str, functions: Mapping[str, ToolFunction[..., Any]]) -> None:
        """The create of this `event_id` has functions of its own, until its response is over."""
        self._lent[event_id] = functions

    def take_back(self, event_id: str) -> None:
        """The create of this `event_id` has come to nothing."""
        self._lent.pop(event_id, None)

    @property
    def is_idle(self) -> bool:
        """Whether no call waits for its output, and no follow-up for its turn."""
        return not self._open and not self._due

    def go_on(self, unwanted: Container[str] = ()) -> None:
        """The connection is over, and another one takes its place, with the same calls.

        A response that it has cut off has made all the calls that it will ever make. They are
        answered in the new session, and followed up there, unless the response is `unwanted`:
        it was being cancelled, and what it called is answered and no more.
        """
        self._lent.clear()
        for response_id, turn in list(self._open.items()):
            if turn.status is None:
                turn.status = "cancelled" if response_id in unwanted else "completed"
                self._see_whether_over(response_id, turn)

    def lost(self) -> None:
        """The connection is over: nothing can be answered, and nothing will be asked."""
        self.ready.clear()
        for waiting in (self._open, self._done, self._due, self._echoes, self._lent):
            waiting.clear()

    # -- from whoever runs the calls ----------------------------------------------------

    def leave(self, response_id: str, call_id: str) -> None:
        """There is no function for this call here: the user answers it."""
        turn = self._open.get(response_id)
        if turn is not None:
            turn.step(call_id, Input.LEFT)
            self._see_whether_over(response_id, turn)

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
        due = self._due.get(response_id)
        if due is not None:
            self._due[response_id] = due._replace(event_id=event_id)

    def followed(self, response_id: str) -> None:
        """A follow-up has begun, or never will."""
        self._due.pop(response_id, None)

    # -- within -------------------------------------------------------------------------

    def _dispatch(
        self,
        response_id: str,
        item: FunctionCallItem,
        tools_off: bool,
        offered: frozenset[str],
        lent: Mapping[str, ToolFunction[..., Any]] | None,
    ) -> None:
        call_id = self._note(response_id, item, State.OFF if tools_off else State.OURS)
        if call_id is None:
            return
        arguments = item.arguments if isinstance(item.arguments, str) else ""
        own = (lent or {}).get(item.name)
        self.ready.append(
            Dispatch(response_id, call_id, item.name, arguments, tools_off, offered, own)
        )

    def _leave_aside(self, response_id: str, item: FunctionCallItem) -> None:
        call_id = self._note(response_id, item, State.BY_HAND)
        if call_id is not None:
            self.ready.append(ByHand(response_id, call_id, item.name))

    def _note(self, response_id: str, item: FunctionCallItem, state: State) -> str | None:
        """Begin the life of a call; returns its id, and None where it is no new one."""
        turn = self._open.get(response_id)
        # A call without an id can be neither told from its repetition nor answered.
        if not isinstance(item.call_id, str) or (turn and item.call_id in turn.calls):
            return None
        if turn is None:
            self._make_room()
            turn = self._open[response_id] = Turn()
        turn.calls[item.call_id] = state
        turn.asked = False
        return item.call_id

    def _see_whether_over(self, response_id: str, turn: Turn) -> None:
        if turn.status is None or not (turn.settled() or turn.is_the_users()):
            return
        del self._open[response_id]
        why = self._why_not(turn)
        if why is not None:
            self.ready.append(NoFollowUp(response_id, why))
            return
        self._rounds += 1
        self._due[response_id] = _Due(frozenset(turn.calls))
        self.ready.append(FollowUp(response_id))

    def _why_not(self, turn: Turn) -> Why | None:
        if not turn.answered_here or State.ANSWERED not in turn.calls.values():
            return Why.NOTHING_RUN
        if turn.interrupted or turn.status in ("cancelled", "failed"):
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
