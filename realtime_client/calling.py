"""What callers do in a session: they ask for something, and wait for the end of it.

A request goes into the core of the link in force, and its caller waits for its outcome. The
link may be lost meanwhile; then what was asked has its end, except for an item that is being
created, which comes from the next link. Between two links nothing can be asked, only said:
audio is kept, as far as that is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from realtime_client import events, protocol
from realtime_client.audience import Audience
from realtime_client.errors import AcknowledgementTimeout, ConnectionLost, RealtimeError
from realtime_client.leaves import Leaves, Path
from realtime_client.link import Link, Where
from realtime_client.listening import Listening
from realtime_client.lives import ResponseRecord, State, WhenBusy
from realtime_client.machines import Command
from realtime_client.reconnect import Reconnect
from realtime_client.response import Response
from realtime_client.restoring import Estate
from realtime_client.rollover import Rollover
from realtime_client.streams import Bell
from realtime_client.trace import Trace
from realtime_client.transport import Connect
from realtime_client.watches import Waiter

__all__ = ["Calling", "Making"]

T = TypeVar("T")

WRITE_AHEAD: Final = 256 * 1024
"""Bytes that may wait for the socket before `send_audio` waits: 4 s of 24 kHz PCM."""


class Making(NamedTuple):
    """How the links of a session are made, and what for."""

    core: Callable[[Estate | None], protocol.Protocol]
    """Makes the core of a new link, out of what the one before has left."""
    connect: Connect
    where: Where
    close_timeout: float
    patience: float
    """Seconds for the answer to a request about an item or the input buffer."""
    reconnect: Reconnect | None
    rollover: Rollover | None
    session_seconds: float | None
    """How long the server keeps a session, where that is known."""
    trace: Trace | None
    missed: Callable[[], Leaves]
    """What was asked for while there was no link."""
    joins: bool
    """Whether the session is somebody else's, who ends it with a close code of 1000."""
    flush: Callable[[], Awaitable[None]] | None = None
    """What is done with a link before another one replaces it in time."""


class Calling:
    """The callers of a session, on whichever link that is."""

    def __init__(self, making: Making) -> None:
        self.making = making
        self.link: Link
        """The one in force; between two links, the one that was lost."""
        self.audience = Audience(self)
        self.watches = self.audience.watches
        self._returned = Bell()
        self._outcome = Bell()
        self._over = Bell()
        self._outage: RealtimeError | None = None
        self._ended: RealtimeError | None = None

    @property
    def protocol(self) -> protocol.Protocol:
        """The core of the link in force; between two links, of the one that was lost."""
        return self.link.protocol

    @property
    def ended(self) -> RealtimeError | None:
        """What ended the session for good."""
        return self._ended

    @property
    def outage(self) -> RealtimeError | None:
        """What the link was lost with, while there is no other yet."""
        return self._outage

    def check_open(self) -> None:
        """Raise what ended the session, or that it is between two links."""
        if self._ended is not None:
            raise self._ended.with_traceback(None)
        if self._outage is not None:
            raise _meanwhile(self._outage)

    def check_alive(self) -> None:
        """Raise what ended the session for good."""
        if self._ended is not None:
            raise self._ended.with_traceback(None)

    async def ready(self) -> None:
        """Wait for a link where there is none now.

        Raises:
            ConnectionFailed: There will be none.
        """
        while self._outage is not None:
            await self._returned.wait()
        self.check_alive()

    # -- asking -----------------------------------------------------------------------

    def send(self, command: Command) -> str | None:
        """Hand a command to the core and wake the writer. Returns the request's id."""
        self.check_open()
        event_id = self.protocol.send(command, anyio.current_time())
        self.link.after()
        return event_id

    def append(self, audio: bytes | str) -> None:
        """Hand over audio. Where no session hears it, it is kept, as far as that is wanted."""
        self.check_alive()
        if self._outage is not None or self.protocol.closing.is_asked:
            self.protocol.input.on_append(audio)
        else:
            self.check_open()
            self.protocol.append(audio)
            self.link.after()

    async def request(
        self, command: events.ClientEvent | events.TranslationClientEvent, answer: type[T]
    ) -> T:
        """Send a command that the server answers; returns its `answer`, or raises its error."""
        event_id = self.send(command)
        assert event_id is not None, "a command without an answer"
        try:
            with anyio.move_on_after(self.making.patience):
                answered = await self._answer(event_id)
                assert isinstance(answered, answer)
                return answered
            raise AcknowledgementTimeout(
                f"{command.type} was asked for", uncertain=self.protocol.was_sent(event_id)
            )
        except BaseException:
            self.protocol.give_up(event_id, anyio.current_time())
            raise

    async def request_response(
        self,
        command: events.ResponseCreate,
        *,
        when_busy: WhenBusy = "wait",
        timeout: float | None = None,  # noqa: ASYNC109 - it is the core's, which gives up with it
        extra: str | None = None,
    ) -> Response:
        """Ask for a response, when its turn comes; returns at its `response.created`.

        Where the caller is cancelled, the response is given up: cancelled by its id, be it
        known already or later, and its events discarded.
        """
        self.check_open()
        now = anyio.current_time()
        patience = math.inf if timeout is None else timeout
        event_id = self.protocol.respond(
            command, now=now, when_busy=when_busy, timeout=patience, extra=extra
        )
        try:
            handle = await self._answer(event_id)
        except BaseException:
            self.protocol.give_up(
                event_id, anyio.current_time(), heard=bool(self.watches.responses)
            )
            self.link.after()
            raise
        assert isinstance(handle, Response)
        return handle

    async def cancel(self, response_id: str) -> None:
        """Cancel a response by its id, and wait until the server has ended it."""
        self.check_open()
        record = self.protocol.router.find(response_id)
        if record is not None:
            await self.cancel_all([record])

    async def cancel_all(self, records: Iterable[ResponseRecord]) -> None:
        """Cancel responses, by their ids as soon as those are known, and wait for their ends."""
        self.check_open()
        cancelled = tuple(records)
        for record in cancelled:
            self.protocol.cancel(record, anyio.current_time())
        self.link.after()
        await self._until_gone(cancelled)

    async def interrupt(self) -> None:
        """Stop what is said in the conversation, cut what was not heard, and wait for the end.

        Between two links nothing is said, but something may still be played.
        """
        self.check_alive()
        records = self.protocol.interrupt(anyio.current_time())
        self.link.after()
        await self._until_gone(records)

    async def _until_gone(self, records: tuple[ResponseRecord, ...]) -> None:
        while any(record.state is not State.GONE for record in records):
            self.check_open()
            await self.link.in_time(self._over)

    def answered(self, call_id: str) -> None:
        """A call is about to be answered by hand: a function that still runs is too late."""
        self.check_open()
        self.protocol.calls.on_output_added(call_id)
        self.link.after()

    def listener(self, item_id: str) -> Listening:
        """Who counts what is heard of an item."""
        return Listening(self.protocol.playback, item_id)

    def refuse_deadlock(self) -> None:
        """Refuse to wait for what waits for the tool within which this is asked."""
        if self.audience.runner is not None:
            self.audience.runner.refuse_deadlock()

    def follow_up(self, previous_id: str, response: Response | None) -> None:
        """What comes after a response is known."""
        self.audience.follow_up(previous_id, response)

    async def update(self, asked: Leaves, *, seconds: float, between_turns: bool) -> Any:
        """Ask for a change of the session; returns its `Acknowledgement`.

        Where the caller is cancelled, an update that has not gone out is withdrawn, and one
        that has is tracked to its end, though nobody waits.
        """
        self.check_open()
        event_id = self.protocol.update(
            asked, now=anyio.current_time(), timeout=seconds, between_turns=between_turns
        )
        try:
            return await self._answer(event_id)
        except BaseException:
            self.protocol.give_up(event_id, anyio.current_time())
            self.link.after()
            raise

    def changes(self, path: Path) -> bool:
        """Whether an update that names this field is on the wire."""
        intent = self.protocol.config.on_wire
        return self._ended is None and intent is not None and path in intent.asked

    async def next_outcome(self) -> None:
        """Wait until some request has got its end."""
        await self.link.in_time(self._outcome)

    async def drain(self) -> None:
        """Wait until the socket has taken what is more than `WRITE_AHEAD`.

        Others run in any case: a loop that sends, and does nothing else, would let nobody make
        the next connection, nor see that its time is over.
        """
        await checkpoint()
        while self._outage is None and self.protocol.outbox_bytes > WRITE_AHEAD:
            self.check_alive()
            await self.link.drained.wait()

    async def _answer(self, event_id: str) -> Any:
        """Wait for the end of a request, on whichever link it comes."""
        waiter = self.audience.waiting[event_id] = Waiter()
        self.link.after()
        try:
            while waiter.outcome is None:
                await self.link.in_time(waiter.bell)
            return waiter.result()
        finally:
            self.audience.waiting.pop(event_id, None)


def _meanwhile(error: RealtimeError) -> ConnectionLost:
    """For a call that is made while there is no link: it was not written, and will not be."""
    code = getattr(error, "close_code", None)
    return ConnectionLost(f"{error}; another connection is being made", close_code=code)
