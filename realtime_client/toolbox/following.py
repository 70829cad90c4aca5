"""Asking the model to go on, once all calls of a response have their outputs.

A follow-up waits for its turn as any create does, and meanwhile it may become needless, or
unwanted. Where it is not asked for though somebody may have counted on it, that is reported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import anyio

from realtime_client import events
from realtime_client.calls import Calls, Why
from realtime_client.errors import ConnectionLost, RealtimeError
from realtime_client.response import Response
from realtime_client.toolbox.host import Host
from realtime_client.toolbox.report import Reports, ToolReport, What

__all__ = ["FollowUps"]

_REPORTED: Final[Mapping[Why, What]] = {
    Why.ASKED_ALREADY: "asked_already",
    Why.INTERRUPTED: "interrupted",
    Why.TOO_MANY_ROUNDS: "too_many_rounds",
}
"""Why the model is not asked to go on, where somebody may have counted on it."""


class _Asking:
    """A follow-up that is being asked for."""

    __slots__ = ("scope", "withdrawn")

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.withdrawn: Why | None = None

    def withdraw(self, why: Why) -> None:
        """It is not wanted any more."""
        self.withdrawn = why
        self.scope.cancel()


class FollowUps:
    """The follow-ups of one connection."""

    def __init__(self, host: Host, reports: Reports) -> None:
        self._host = host
        self._reports = reports
        self._asking: dict[str, _Asking] = {}

    @property
    def _calls(self) -> Calls:
        return self._host.protocol.calls

    def ask(
        self, response_id: str
    ) -> tuple[Callable[[str, _Asking], Awaitable[None]], str, _Asking]:
        """A response is to be followed up; returns what is to be run for that."""
        asking = self._asking[response_id] = _Asking()
        return self._ask, response_id, asking

    def withdraw(self, response_id: str, why: Why) -> None:
        """A follow-up is not wanted any more; one that has begun stays."""
        if response_id in self._asking:
            self._asking[response_id].withdraw(why)

    def leave_out(self, response_id: str, why: Why) -> None:
        """A response is over, and will not be followed up."""
        if why in _REPORTED:
            self._report(_REPORTED[why])
        self._host.follow_up(response_id, None)

    async def _ask(self, response_id: str, asking: _Asking) -> None:
        response = error = None
        event_id = self._host.protocol.new_id("event")
        self._calls.follow(response_id, event_id)
        try:
            with asking.scope:
                while asking.withdrawn is None and response is None:
                    await self._host.ready()
                    response = await self._request(event_id)
        except RealtimeError as failure:
            error = failure
        finally:
            if response is None and asking.withdrawn is not None:
                self._report(_REPORTED[asking.withdrawn])
            elif error is not None:
                self._report("follow_up_failed", error)
            del self._asking[response_id]
            self._calls.followed(response_id)
            self._host.follow_up(response_id, response)

    async def _request(self, event_id: str) -> Response | None:
        """The response that goes on; None where the connection went before it was asked for."""
        try:
            return await self._host.request_response(
                events.ResponseCreate(event_id=event_id), when_busy="wait"
            )
        except ConnectionLost as lost:
            if lost.uncertain or not lost.retryable:
                raise
        return None

    def _report(self, what: What, error: RealtimeError | None = None) -> None:
        self._reports.tell(ToolReport(what, None, None, error))
