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

from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar
from weakref import WeakSet, WeakValueDictionary

import anyio
import anyio.abc

from realtime_client import events
from realtime_client.errors import (
    ClientClosed,
    ConnectionLost,
    RealtimeError,
    SessionRefused,
)
from realtime_client.outcome import Outcome
from realtime_client.protocol import Frame, Happened, Protocol
from realtime_client.reconnect import is_fatal_close
from realtime_client.response import Response
from realtime_client.router import ResponseRecord, Verdict
from realtime_client.streams import Bell, Once
from realtime_client.transport import Connect, Transport, TransportClosed

__all__ = ["Connection"]

T = TypeVar("T")

GRACE: Final = 1.0
"""Seconds beyond the transport's own time for closing, before it is left behind."""

WRITE_AHEAD: Final = 256 * 1024
"""Bytes that may wait for the socket before `send_audio` waits: 4 s of 24 kHz PCM."""

FRAMES_BOUND: Final = 64 * 1024 * 1024
"""Bytes of frames that one unread `events()` or `sent()` may hold."""

RESPONSES_BOUND: Final = 256
"""Responses that one unread `responses()` may hold."""


class Connection:
    """A session on one socket. `open` and `aclose` belong to the same task."""

    def __init__(self, protocol: Protocol, *, close_timeout: float) -> None:
        self.protocol = protocol
        self.received: WeakSet[Once[Frame]] = WeakSet()
        self.sent: WeakSet[Once[Frame]] = WeakSet()
        self.responses: WeakSet[Once[Response]] = WeakSet()
        self._close_timeout = close_timeout
        self._handles: WeakValueDictionary[str, Response] = WeakValueDictionary()
        self._waiting: dict[str, _Waiter] = {}
        self._to_write = Bell()
        self._drained = Bell()
        self._finished = Bell()
        self._running = 0
        self._ended: RealtimeError | None = None

    # -- opening and closing ----------------------------------------------------------

    async def open(self, connect: Connect, url: str, headers: dict[str, str]) -> None:
        """Connect, start the two tasks, and wait until the configuration is acknowledged.

        Raises:
            ConnectFailed: The address, the network, the handshake or the session.
            SessionUpdateRejected: The server refused the configuration.
            AcknowledgementTimeout: The server said nothing in time.
        """
        async with AsyncExitStack() as stack:
            self._transport: Transport = await stack.enter_async_context(connect(url, headers))
            tasks = anyio.create_task_group()
            await tasks.__aenter__()
            self._tasks = tasks
            self._stack = stack.pop_all()
        self._running = 2
        self._tasks.start_soon(self._read, name="realtime_client reader")
        self._tasks.start_soon(self._write, name="realtime_client writer")
        try:
            await self._answer(self.protocol.opening)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close, in bounded time, from any state. Every stream and call ends."""
        self._lose(ClientClosed("the client was closed"))
        try:
            # The transport has its own bound on the closing handshake; ours comes after it.
            with anyio.move_on_after(self._close_timeout + GRACE, shield=True):
                await self._transport.aclose()
        finally:
            await self._end_tasks()

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
            raise self._ended

    # -- what callers do --------------------------------------------------------------

    def send(self, command: events.ClientEvent | dict[str, Any]) -> str | None:
        """Hand a command to the core and wake the writer. Returns the request's id."""
        self.check_open()
        event_id = self.protocol.send(command)
        self._to_write.ring()
        return event_id

    async def request(self, command: events.ClientEvent, answer: type[T]) -> T:
        """Send a command that the server answers; returns its `answer`, or raises its error."""
        event_id = self.send(command)
        assert event_id is not None, "a command without an answer"
        answered = await self._answer(event_id)
        assert isinstance(answered, answer)
        return answered

    async def request_response(self, command: events.ResponseCreate) -> Response:
        """Send a `response.create`; returns at its `response.created`.

        Where the caller is cancelled, the response is given up: cancelled by its id, be it
        known already or later, and its events discarded.
        """
        event_id = self.send(command)
        assert event_id is not None, "a create always has an answer"
        try:
            handle = await self._answer(event_id)
        except BaseException:
            self.protocol.give_up(event_id)
            self._to_write.ring()
            raise
        assert isinstance(handle, Response)
        return handle

    async def drain(self) -> None:
        """Wait until the socket has taken what is more than `WRITE_AHEAD`."""
        while self.protocol.outbox_bytes > WRITE_AHEAD:
            self.check_open()
            await self._drained.wait()

    def watch_frames(self, where: WeakSet[Once[Frame]], what: str) -> Once[Frame]:
        """A new subscription to the frames of one direction, from now on."""
        self.check_open()
        watch: Once[Frame] = Once(what, bound=FRAMES_BOUND, size=lambda frame: len(frame.raw))
        where.add(watch)
        return watch

    def watch_responses(self) -> Once[Response]:
        """A new subscription to the responses that begin from now on."""
        self.check_open()
        watch: Once[Response] = Once(
            "responses()", bound=RESPONSES_BOUND, size=lambda _: 1, unit="responses"
        )
        self.responses.add(watch)
        return watch

    # -- the two tasks ----------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while True:
                data = await self._transport.receive()
                self._tell(self.protocol.receive(data, anyio.current_time()))
        except TransportClosed as closed:
            self._lose(self._loss(closed))
        finally:
            self._stopped()

    async def _write(self) -> None:
        try:
            while self._ended is None:
                for frame in self.protocol.data_to_send():
                    await self._transport.send(frame.raw)
                    for watch in self.sent:
                        watch.push(frame)
                self._drained.ring()
                await self._await_work()
        except TransportClosed as closed:
            self._lose(self._loss(closed))
        finally:
            self._stopped()

    async def _await_work(self) -> None:
        """Wait for something to write, or for the core's next deadline."""
        deadline = self.protocol.next_deadline()
        if self.protocol.outbox_bytes or self._ended:
            return
        if deadline is None:
            await self._to_write.wait()
            return
        with anyio.move_on_after(max(0.0, deadline - anyio.current_time())):
            await self._to_write.wait()
        for outcome in self.protocol.on_deadline(anyio.current_time()):
            self._resolve(outcome)

    def _stopped(self) -> None:
        self._running -= 1
        self._finished.ring()

    # -- telling people -----------------------------------------------------------------

    def _tell(self, happened: Happened) -> None:
        """Hand what happened to everybody whom it concerns."""
        event = happened.event
        if self.received:
            frame = Frame(event, happened.raw)
            for watch in self.received:
                watch.push(frame)
        record = happened.response
        if record is not None and happened.verdict is Verdict.DELIVERED:
            self._tell_response(event, record)
        if happened.outcome is not None:
            self._resolve(happened.outcome)
        if self.protocol.outbox_bytes or happened.outcome is not None:
            self._to_write.ring()

    def _tell_response(self, event: Any, record: ResponseRecord) -> None:
        if record.id is None:
            return
        if type(event) is events.ResponseCreated:
            self._begin(event, record)
        handle = self._handles.get(record.id)
        if handle is not None:
            handle._deliver(event)
            if type(event) is events.ResponseDone:
                self._handles.pop(record.id, None)

    def _begin(self, event: events.ResponseCreated, record: ResponseRecord) -> None:
        """A response began. Where nobody would hold it, nothing is kept of it."""
        waiter = self._waiting.get(record.event_id or "")
        if waiter is None and not self.responses:
            return
        handle = Response(
            event.response,
            initiator=record.initiator,
            audio_format=_output_format(self.protocol),
            cancel=self._cancel,
        )
        self._handles[handle.id] = handle
        for watch in self.responses:
            watch.push(handle)
        if waiter is not None:
            waiter.resolve(Outcome(record.event_id or "", handle))

    async def _cancel(self, response: Response) -> None:
        self.send(events.ResponseCancel(response_id=response.id))

    async def _answer(self, event_id: str) -> Any:
        waiter = self._waiting[event_id] = _Waiter()
        try:
            return await waiter.wait()
        finally:
            self._waiting.pop(event_id, None)

    def _resolve(self, outcome: Outcome) -> None:
        waiter = self._waiting.get(outcome.event_id)
        if waiter is not None:
            waiter.resolve(outcome)

    def _loss(self, closed: TransportClosed) -> RealtimeError:
        """A closed transport in the words of the error tree."""
        words = closed.reason or "the server closed the connection"
        if closed.code is None:
            words = "the connection dropped"
        if self.protocol.next_deadline() is not None and is_fatal_close(closed.code):
            return SessionRefused(words, close_code=closed.code)
        return ConnectionLost(words, close_code=closed.code)

    def _lose(self, error: RealtimeError) -> None:
        """The connection is over: end everything, once."""
        if self._ended is not None:
            return
        self._ended = error
        for outcome in self.protocol.lost(error):
            self._resolve(outcome)
        for handle in list(self._handles.values()):
            handle._end(error)
        self._handles.clear()
        clean = isinstance(error, ClientClosed)
        watches: list[Once[Any]] = [*self.received, *self.sent, *self.responses]
        for watch in watches:
            watch.end(None if clean else error)
        for bell in (self._to_write, self._drained):
            bell.ring()


class _Waiter:
    """One caller who waits for one outcome."""

    __slots__ = ("_bell", "_outcome")

    def __init__(self) -> None:
        self._bell = Bell()
        self._outcome: Outcome | None = None

    def resolve(self, outcome: Outcome) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self._bell.ring()

    async def wait(self) -> Any:
        while self._outcome is None:
            await self._bell.wait()
        if self._outcome.error is not None:
            raise self._outcome.error
        return self._outcome.answer


def _output_format(protocol: Protocol) -> events.AudioFormat | None:
    session = protocol.config.acknowledged
    if not isinstance(session, events.SessionConfig) or not session.audio:
        return None
    output = session.audio.output
    return (output.format or None) if output else None
