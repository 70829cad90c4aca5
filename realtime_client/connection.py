"""One connection at work: two tasks, and the people who wait for it.

The reader awaits the socket and nothing else, so that pings are answered and
acknowledgements arrive however slow the consumers are. The writer awaits the socket and the
bell that says there is something to write. Both decide nothing: a frame goes into the core,
what happened comes out, and `_tell` hands it to whoever is concerned, synchronously.

The task group is entered and left by the owner of the client, so cancellation of his task
reaches ours; but nothing that happens here is ever raised into his block. A broken
connection ends every stream and every waiting call with `ConnectionLost`, and they tell him.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Any, Final, TypeVar

import anyio
import anyio.abc

from realtime_client import events, protocol
from realtime_client.audience import Audience
from realtime_client.endpoints import Headers
from realtime_client.errors import (
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    RealtimeError,
    SessionRefused,
)
from realtime_client.frames import Happened
from realtime_client.leaves import Leaves, Path
from realtime_client.listening import Listening
from realtime_client.lives import ResponseRecord, State, WhenBusy
from realtime_client.reconnect import is_fatal_close
from realtime_client.response import Response
from realtime_client.streams import Bell
from realtime_client.transport import Connect, Transport, TransportClosed
from realtime_client.verdicts import DELTAS
from realtime_client.watches import Waiter

__all__ = ["Connection"]

_log = logging.getLogger("realtime_client")

T = TypeVar("T")

GRACE: Final = 1.0
"""Seconds beyond the transport's own time for closing, before it is left behind."""

WRITE_AHEAD: Final = 256 * 1024
"""Bytes that may wait for the socket before `send_audio` waits: 4 s of 24 kHz PCM."""


class Connection:
    """A session on one socket. `open` and `aclose` belong to the same task."""

    def __init__(self, core: protocol.Protocol, *, close_timeout: float) -> None:
        self.protocol = core
        self.audience = Audience(core, self)
        self.watches = self.audience.watches
        self._close_timeout = close_timeout
        self._to_write = Bell()
        self._drained = Bell()
        self._outcome = Bell()
        self._over = Bell()
        self._finished = Bell()
        self._running = 0
        """Tasks that have not ended, the reader and the writer among them."""
        self._pumping = False
        """Whether the reader and the writer both are at work."""
        self._writing = False
        self._deadline = math.inf
        self._ended: RealtimeError | None = None

    # -- opening and closing ----------------------------------------------------------

    async def open(self, connect: Connect, url: str, headers: Headers) -> None:
        """Connect, start the two tasks, and wait until the configuration is acknowledged.

        Raises:
            ConnectFailed: The address, the network, the handshake or the session.
            SessionUpdateRejected: The server refused the configuration.
            AcknowledgementTimeout: The server said nothing in time.
        """
        try:
            async with AsyncExitStack() as stack:
                self._transport: Transport = await stack.enter_async_context(connect(url, headers))
                tasks = anyio.create_task_group()
                await tasks.__aenter__()
                self._tasks = tasks
                self._stack = stack.pop_all()
        except BaseException as error:
            known = error if isinstance(error, RealtimeError) else ClientClosed("it did not open")
            self._lose(known)
            raise
        self.protocol.connected(anyio.current_time())
        self._running, self._pumping = 2, True
        self._tasks.start_soon(self._read, name="realtime_client reader")
        self._tasks.start_soon(self._write, name="realtime_client writer")
        try:
            await self._answer(self.protocol.opening)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close, in bounded time, from any state. Every stream and call ends.

        A tool that shields itself from cancellation is waited for, as Python has it.

        What was queued is written first, within the time for closing.
        """
        try:
            with anyio.move_on_after(self._close_timeout, shield=True):
                await self._write_rest()
            self._lose(ClientClosed("the client was closed"))
            # The transport has its own bound on the closing handshake; ours comes after it.
            with anyio.move_on_after(self._close_timeout + GRACE, shield=True):
                await self._transport.aclose()
        finally:
            await self._end_tasks()

    async def _write_rest(self) -> None:
        """Wait until everything that was queued is written, or can no longer be."""
        while self._pumping and self._ended is None:
            if not self._writing and not self.protocol.outbox_bytes:
                return
            await self._drained.wait()

    async def _end_tasks(self) -> None:
        """End the two tasks, then the socket, whatever went before.

        The task group is left with no exception in hand and no task that could raise one:
        what the owner's block raises reaches him as it is, never in an `ExceptionGroup`.
        """
        self._tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            while self._running:
                await self._finished.wait()
        # No shield from here on: task groups, ours and the library's, are scopes, and a scope
        # cannot be left from inside another one that was entered later. Nothing is left to
        # wait for in them.
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._stack.aclose()

    def check_open(self) -> None:
        """Raise what ended the connection, if anything did."""
        if self._ended is not None:
            raise self._ended.with_traceback(None)

    # -- what callers do --------------------------------------------------------------

    def send(self, command: events.ClientEvent | dict[str, Any]) -> str | None:
        """Hand a command to the core and wake the writer. Returns the request's id."""
        self.check_open()
        event_id = self.protocol.send(command, anyio.current_time())
        self._after()
        return event_id

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

    async def _until_gone(self, records: tuple[ResponseRecord, ...]) -> None:
        while any(record.state is not State.GONE for record in records):
            self.check_open()
            await self._in_time(self._over)

    def start(self, function: Callable[..., Awaitable[None]], *args: Any, name: str) -> None:
        """Run a task of this connection, which is cancelled and awaited when it closes."""
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

    async def interrupt(self) -> None:
        """Stop what is said in the conversation, cut what was not heard, and wait for the end."""
        self.check_open()
        records = self.protocol.interrupt(anyio.current_time())
        self._after()
        await self._until_gone(records)

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
        await self._in_time(self._outcome)

    async def drain(self) -> None:
        """Wait until the socket has taken what is more than `WRITE_AHEAD`."""
        while self.protocol.outbox_bytes > WRITE_AHEAD:
            self.check_open()
            await self._drained.wait()

    # -- the two tasks ----------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while True:
                data = await self._transport.receive()
                now = anyio.current_time()
                self._tell(self.protocol.receive(data, now), now)
        except Exception as error:  # noqa: BLE001 - it ends this connection and never its host
            self._lose(_loss(error, opening=self.protocol.is_opening))
            with suppress(Exception):
                # What still comes has to be read, or the library waits for room in its
                # buffer and never sees the answer to our close frame.
                while not isinstance(error, TransportClosed):
                    await self._transport.receive()
        finally:
            self._stopped()

    async def _write(self) -> None:
        try:
            while self._ended is None:
                self._writing = True
                for frame in self.protocol.data_to_send():
                    await self._transport.send(frame.raw)
                    self.watches.tell(self.watches.sent, frame)
                self._writing = False
                self._drained.ring()
                if not self.protocol.outbox_bytes and self._ended is None:
                    await self._in_time(self._to_write)
        except Exception as error:  # noqa: BLE001 - it ends this connection and never its host
            self._lose(_loss(error, opening=self.protocol.is_opening))
        finally:
            self._stopped()

    async def _in_time(self, bell: Bell) -> None:
        """Wait for a bell, or for the core's next deadline. Whoever waits keeps the time."""
        deadline = self.protocol.next_deadline()
        self._deadline = math.inf if deadline is None else deadline
        if deadline is None:
            await bell.wait()
            return
        with anyio.CancelScope(deadline=deadline):
            await bell.wait()
        if anyio.current_time() >= deadline:
            self.protocol.on_deadline(anyio.current_time())
            self._over.ring()
            self._after()

    def _stopped(self) -> None:
        self._pumping = False
        self._running -= 1
        self._finished.ring()
        self._drained.ring()

    # -- telling people -----------------------------------------------------------------

    def _tell(self, happened: Happened, now: float) -> None:
        self.audience.tell(happened, now)
        if type(happened.event) not in DELTAS:
            self._over.ring()  # a response may be over, by whatever was said to it
        self._after()

    def _after(self) -> None:
        """After the core has done something: tell everybody, and write what is ready."""
        ended = self.audience.settle()
        if ended or self.protocol.router.abandoned:
            self._over.ring()
        self.audience.tell_notes()
        deadline = self.protocol.next_deadline()
        nearer = deadline is not None and deadline < self._deadline
        if ended or nearer or self.protocol.outbox_bytes:
            self._to_write.ring()
        if ended:
            self._outcome.ring()
        if nearer:
            for waiter in self.audience.waiting.values():
                waiter.bell.ring()  # the writer may be stuck in the socket; they keep time too

    async def _answer(self, event_id: str) -> Any:
        waiter = self.audience.waiting[event_id] = Waiter()
        self._after()
        try:
            while waiter.outcome is None:
                await self._in_time(waiter.bell)
            return waiter.result()
        finally:
            self.audience.waiting.pop(event_id, None)

    def _lose(self, error: RealtimeError) -> None:
        """The connection is over: end everything, once."""
        if self._ended is not None:
            return
        self._ended = error
        self.protocol.lost(error)
        self._after()
        self.audience.end(error)
        for bell in (self._to_write, self._drained, self._outcome, self._over):
            bell.ring()


def _loss(error: Exception, *, opening: bool) -> RealtimeError:
    """What ended a task, in the words of the error tree."""
    if not isinstance(error, TransportClosed):
        _log.error("the connection ended on an unexpected error", exc_info=error)
        return ConnectionLost(f"the connection ended: {type(error).__name__}: {error}")
    words = error.reason or "the server closed the connection"
    if error.code is None:
        words = f"the connection dropped: {error.reason}".removesuffix(": ")
    if not opening:
        return ConnectionLost(words, close_code=error.code)
    if is_fatal_close(error.code):
        return SessionRefused(words, close_code=error.code)
    return ConnectFailed(f"{words}, before the session was open")
