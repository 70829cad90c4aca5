"""Everybody who is to be told what happens in one session.

Callers wait for one outcome, handles collect what their response says, watches want all of a
kind, and the runner takes the function calls. Telling is synchronous and never waits: it is
done by the reader, which has to go back to its socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from realtime_client import protocol
from realtime_client.calls import Dispatch, News, NoFollowUp
from realtime_client.errors import RealtimeError, ServerError
from realtime_client.frames import Frame, Happened, ending
from realtime_client.handles import Handles
from realtime_client.outcome import Outcome
from realtime_client.response import Acting, Response
from realtime_client.user_turn import UserTurns
from realtime_client.watches import Waiter, Watches

__all__ = ["Audience", "Hearer", "Runner"]


class Runner(Protocol):
    """Whoever runs the function calls of a connection."""

    def tell(self, news: list[News]) -> None:
        """What has become of calls."""

    def end(self, error: RealtimeError) -> None:
        """The connection is over."""

    def refuse_deadlock(self) -> None:
        """Refuse to wait for what waits for the function that is running."""


class Hearer(Protocol):
    """Whoever takes what a translation says."""

    def tell(self, event: object) -> None:
        """The server has said something."""

    def end(self, error: RealtimeError) -> None:
        """The session is over."""


class Audience:
    """The listeners of one session, on whichever connection that is."""

    def __init__(self, acting: Acting) -> None:
        self.watches = Watches()
        self.user_turns = UserTurns()
        self.handles = Handles(acting, self.watches)
        self.waiting: dict[str, Waiter] = {}
        """Callers, by the request whose outcome they wait for."""
        self.runner: Runner | None = None
        """Who runs the function calls, if anybody does."""
        self.hearer: Hearer | None = None
        """Who takes what a translation says, where it is one."""

    def tell(self, happened: Happened, now: float) -> None:
        """A frame came: hand it to everybody whom it concerns."""
        watches = self.watches
        if watches.received:
            watches.tell(watches.received, Frame(happened.event, happened.raw))
        if self.hearer is not None:
            self.hearer.tell(happened.event)
        began = self.handles.tell(happened, now, self.waiting.__contains__)
        record = happened.response
        if began is not None and record is not None and record.event_id in self.waiting:
            self.waiting[record.event_id].resolve(Outcome(record.event_id, began))

    def settle(self, core: protocol.Protocol) -> bool:
        """Tell the callers whose requests have got their end; whether there were any."""
        ended = core.outcomes()
        for outcome in ended:
            waiter = self.waiting.pop(outcome.event_id, None)
            if waiter is not None:
                waiter.resolve(outcome)
            elif isinstance(outcome.error, ServerError):
                # Somebody sent it raw, or has stopped waiting: nobody else would hear of it.
                self.watches.tell(self.watches.errors, outcome.error)
        return bool(ended)

    def tell_notes(self, core: protocol.Protocol) -> None:
        """Hand on what the machines have noted."""
        watches = self.watches
        for error in core.strays:
            watches.tell(watches.errors, error)
        core.strays.clear()
        if core.router.abandoned:
            for record, error in core.abandoned():
                handle = self.handles.get(record.id or "")
                if handle is not None:
                    handle._end(error)
        if core.config.notices:
            for notice in core.config.notices:
                watches.tell(watches.notices, notice)
            core.config.notices.clear()
        if core.conversation.notes:
            for change in core.conversation.notes:
                watches.tell(watches.changes, change)
            core.conversation.notes.clear()
        if core.playback.notes:
            for stop in core.playback.notes:
                self.handles.cut(stop.items)
                watches.tell(watches.stops, stop)
            core.playback.notes.clear()
        if core.turns.notes:
            self.user_turns.tell(core.turns.notes)
            core.turns.notes.clear()
        while core.calls.ready:  # to leave a call to the user is news for calls, too
            self._tell_calls(core, core.calls.drain())

    def follow_up(self, previous_id: str, response: Response | None) -> None:
        """What comes after a response is known."""
        previous = self.handles.get(previous_id)
        if previous is not None:
            previous._follow(response)

    def lost(self, error: RealtimeError) -> None:
        """The connection is over, and the session goes on: what is held of it has its end."""
        self.handles.end(ending(error, uncertain=True))  # what was begun may have been done
        self.user_turns.lost(error)

    def end(self, error: RealtimeError) -> None:
        """The session is over; closing it oneself is no error of what is to come."""
        self.handles.end(error)
        self.user_turns.end(error)
        self.watches.end(error)
        if self.runner is not None:
            self.runner.end(error)
        if self.hearer is not None:
            self.hearer.end(error)

    def _tell_calls(self, core: protocol.Protocol, news: list[News]) -> None:
        if self.runner is not None:
            self.runner.tell(news)
            return
        leave: Callable[[str, str], None] = core.calls.leave
        for one in news:
            if isinstance(one, Dispatch):
                leave(one.response_id, one.call_id)
            elif isinstance(one, NoFollowUp):
                self.follow_up(one.response_id, None)
