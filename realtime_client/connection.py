"""The session of one client: the link that serves it now, and the people who wait for it.

A link is one socket, and a session may outlive several: when one is lost, the keeper brings
another (see `keeper`), and what people hold of this object stays what it is. Frames go into the
core of a link, what happened comes out, and everybody whom it concerns is told, synchronously.

The task group is entered and left by the owner of the client, so cancellation of his task
reaches ours; but nothing that happens here is ever raised into his block. A broken
connection ends every stream and every waiting call with `ConnectionLost`, and they tell him.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar

import anyio
import anyio.abc

from realtime_client import events, protocol
from realtime_client.audience import Audience
from realtime_client.errors import ClientClosed, ConnectionLost, RealtimeError
from realtime_client.frames import Frame, Happened
from realtime_client.input import Unheard
from realtime_client.leaves import Leaves, Path
from realtime_client.link import Link, Where
from realtime_client.listening import Listening
from realtime_client.lives import ResponseRecord, State, WhenBusy
from realtime_client.reconnect import Reconnect
from realtime_client.response import Response
from realtime_client.restoring import Estate
from realtime_client.rollover import Rollover
from realtime_client.streams import Bell
from realtime_client.trace import Direction, Trace, traced
from realtime_client.transport import Connect
from realtime_client.verdicts import DELTAS
from realtime_client.watches import Waiter

__all__ = ["Connection", "Making"]

_log = logging.getLogger("realtime_client")

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
    reconnect: Reconnect | None
    rollover: Rollover | None
    session_seconds: float | None
    """How long the server keeps a session, where that is known."""
    trace: Trace | None


class Connection:
    """A session, on one link after another. `open` and `aclose` belong to the same task."""

    def __init__(self, making: Making) -> None:
        self.making = making
        self.link = Link(making.core(None), self, close_timeout=making.close_timeout)
        self.audience = Audience(self)
        self.watches = self.audience.watches
        self.lost = Bell()
        """Rings when the link in force is lost, and at the end."""
        self.changed = Bell()
        """Rings when something has happened that may make it quiet."""
        self.on_moved: Callable[[int], None] = lambda samples: None
        """Told how many samples of audio a new link begins with."""
        self._links = [self.link]
        self._returned = Bell()
        self._outcome = Bell()
        self._over = Bell()
        self._finished = Bell()
        self._running = 0
        """Tasks that have not ended."""
        self._tasks: anyio.abc.TaskGroup | None = None
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

    # -- opening and closing ----------------------------------------------------------

    async def enter(self) -> None:
        """Enter the task group of this session, in the owner's task."""
        tasks = anyio.create_task_group()
        await tasks.__aenter__()
        self._tasks = tasks

    async def open(self, link: Link) -> None:
        """Connect, and wait until the link is open.

        Raises:
            ConnectFailed: The address, the network, the handshake or the session.
            SessionUpdateRejected: The server refused the configuration.
        """
        begun = anyio.current_time()
        waiter = self.audience.waiting[link.protocol.opening] = Waiter()
        self.start(link.run, self.making.connect, self.making.where, name="realtime_client link")
        try:
            while not link.is_connected and link.error is None:
                await link.opened.wait()
            while waiter.outcome is None:
                await link.in_time(waiter.bell)
            link.answer = waiter.result()
            link.opened_in = anyio.current_time() - begun
        except BaseException:
            await link.aclose()
            raise
        finally:
            self.audience.waiting.pop(link.protocol.opening, None)

    def new_link(self, before: Estate | None) -> Link:
        """A link that is to be opened, with what the one before has left."""
        core = self.making.core(before)
        link = Link(core, self, close_timeout=self.making.close_timeout)
        self._links = [one for one in self._links if not one.is_finished]
        self._links.append(link)
        return link

    async def aclose(self) -> None:
        """Close, in bounded time, from any state and any task. Every stream and call ends.

        What was queued is written first, within the time for closing.
        """
        try:
            if self._outage is None:
                await self.link.aclose()
        finally:
            self.finish(ClientClosed("the client was closed"))
        for link in self._links:
            await link.aclose()

    async def leave(self) -> None:
        """End every task and leave the task group, in the owner's task.

        A tool that shields itself from cancellation is waited for, as Python has it.
        """
        tasks, self._tasks = self._tasks, None
        if tasks is None:
            return
        try:
            for link in self._links:
                await link.aclose()
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                while self._running:
                    await self._finished.wait()
            # No shield from here on: a task group is a scope, and cannot be left from inside
            # another one that was entered later. Nothing is left to wait for in it, and no
            # task that could raise: what the owner's block raises reaches him as it is.
            await tasks.__aexit__(None, None, None)

    def finish(self, error: RealtimeError) -> None:
        """The session is over for good: everything ends, once."""
        if self._ended is not None:
            return
        self._ended, self._outage = error, None
        self.protocol.lost(error)
        self.on_news(self.link)
        self.audience.end(error)
        self._ring()

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

    # -- what callers do --------------------------------------------------------------

    def send(self, command: events.ClientEvent | dict[str, Any]) -> str | None:
        """Hand a command to the core and wake the writer. Returns the request's id."""
        self.check_open()
        event_id = self.protocol.send(command, anyio.current_time())
        self._after()
        return event_id

    def append(self, audio: bytes | str) -> None:
        """Hand over audio. Between two links it is kept, as far as that is wanted."""
        self.check_alive()
        if self._outage is not None:
            self.protocol.input.on_append(audio)
        else:
            self.send(events.InputAudioBufferAppend(audio=audio))

    async def request(self, command: events.ClientEvent, answer: type[T]) -> T:
        """Send a command that the server answers; returns its `answer`, or raises its error."""
        event_id = self.send(command)
        assert event_id is not None, "a command without an answer"
        try:
            answered = await self._answer(event_id)
        except BaseException:
            self.protocol.give_up(event_id, anyio.current_time())
            raise
        assert isinstance(answered, answer)
        return answered

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
            self._after()
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
        self._after()
        await self._until_gone(cancelled)

    async def interrupt(self) -> None:
        """Stop what is said in the conversation, cut what was not heard, and wait for the end.

        Between two links nothing is said, but something may still be played.
        """
        self.check_alive()
        records = self.protocol.interrupt(anyio.current_time())
        self._after()
        await self._until_gone(records)

    async def _until_gone(self, records: tuple[ResponseRecord, ...]) -> None:
        while any(record.state is not State.GONE for record in records):
            self.check_open()
            await self.link.in_time(self._over)

    def start(self, function: Callable[..., Awaitable[None]], *args: Any, name: str) -> None:
        """Run a task of this session, which is cancelled and awaited when it closes."""
        assert self._tasks is not None, "the session has been entered"
        self._running += 1
        self._tasks.start_soon(self._run, function, args, name=name)

    async def _run(self, function: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        try:
            await function(*args)
        except Exception as error:  # noqa: BLE001 - it never ends its host
            _log.error("a task of the connection failed", exc_info=error)
        except BaseExceptionGroup as group:
            # A cancelled task may bring errors of its own; they are not its owner's.
            errors, rest = group.split(Exception)
            _log.error("a task of the connection failed", exc_info=errors)
            if rest is not None:
                raise rest from None
        finally:
            self._running -= 1
            self._finished.ring()

    def answered(self, call_id: str) -> None:
        """A call is about to be answered by hand: a function that still runs is too late."""
        self.check_open()
        self.protocol.calls.on_output_added(call_id)
        self._after()

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
            self._after()
            raise

    def changes(self, path: Path) -> bool:
        """Whether an update that names this field is on the wire."""
        intent = self.protocol.config.on_wire
        return self._ended is None and intent is not None and path in intent.asked

    async def next_outcome(self) -> None:
        """Wait until some request has got its end."""
        await self.link.in_time(self._outcome)

    async def drain(self) -> None:
        """Wait until the socket has taken what is more than `WRITE_AHEAD`."""
        while self._outage is None and self.protocol.outbox_bytes > WRITE_AHEAD:
            self.check_alive()
            await self.link.drained.wait()

    # -- one link after another ---------------------------------------------------------

    def take_over(self, link: Link, *, ms: int, is_lost: bool) -> tuple[Unheard, int]:
        """This link is in force from now on, in the place of one that is over.

        Of the audio that no turn held, the newest `ms` milliseconds are said again. Returns what
        there was of it, and how many bytes a sample of it has.
        """
        old, self.link = self.link, link
        ledger = old.protocol.input
        unheard = ledger.unheard(ms=ms, is_lost=is_lost)
        link.protocol.take_over(unheard, old.protocol.pending)
        self._outage = None
        self.on_moved(len(unheard.audio) // ledger.width)
        self.start(old.aclose, name="realtime_client goodbye")
        self._ring()
        self._after()
        return unheard, ledger.width

    def _end_link(self, link: Link, error: RealtimeError) -> None:
        """What was going on on this link is over; the session goes on."""
        link.protocol.lost(error, comes_back=True)
        self.on_news(link)
        self.audience.lost(error)

    def _ring(self) -> None:
        """Whoever waits for anything has to look again."""
        for waiter in self.audience.waiting.values():
            waiter.bell.ring()
        bells = (self._outcome, self._over, self._returned, self.lost, self.changed)
        for bell in (*bells, self.link.drained):
            bell.ring()

    # -- from the links -------------------------------------------------------------------

    def on_frame(self, link: Link, happened: Happened, now: float) -> None:
        """A frame came. What belongs to the opening of another link concerns nobody."""
        self._trace("received", Frame(happened.event, happened.raw))
        if link is not self.link:
            return
        self.audience.tell(happened, now)
        if type(happened.event) not in DELTAS:
            self._over.ring()  # a response may be over, by whatever was said to it
            self.changed.ring()

    def on_sent(self, link: Link, frame: Frame) -> None:
        """A frame was written."""
        self._trace("sent", frame)
        if link is self.link:
            self.watches.tell(self.watches.sent, frame)

    def on_news(self, link: Link) -> None:
        """The core of a link has done something: tell everybody."""
        core = link.protocol
        ended = self.audience.settle(core)
        if link is self.link:
            if ended or core.router.abandoned:
                self._over.ring()
            self.audience.tell_notes(core)
        if ended:
            self._outcome.ring()
            self.changed.ring()

    def on_lost(self, link: Link, error: RealtimeError) -> None:
        """A link is over: the one in force, or one that was to be."""
        if link is not self.link or not link.protocol.is_open:
            link.protocol.lost(error)
            self.on_news(link)
        elif self._ended is None:
            if self.making.reconnect is not None and isinstance(error, ConnectionLost):
                self._outage = error
                self._end_link(link, error)
                self._ring()
            else:
                self.finish(error)

    def _after(self) -> None:
        if self.link.after():
            for waiter in self.audience.waiting.values():
                waiter.bell.ring()  # the writer may be stuck in the socket; they keep time too

    def _trace(self, direction: Direction, frame: Frame) -> None:
        if self.making.trace is not None:
            error = traced(self.making.trace, direction, frame)
            if error is not None:
                self.watches.tell(self.watches.errors, error)

    async def _answer(self, event_id: str) -> Any:
        """Wait for the end of a request, on whichever link it comes."""
        waiter = self.audience.waiting[event_id] = Waiter()
        self._after()
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
