"""One TCP connection of the simulated server: HTTP, then WebSocket frames, then nothing.

The WebSocket protocol is that of `websockets`, its part without I/O, so that the bytes are ours:
only who writes them can write half a frame, be silent about a ping, or drop everything. One task
reads, one writes. The writer sleeps until something is due or somebody wakes it, so nothing polls,
and a client that reads slowly holds up the writer and with it the session's own clockwork, never
the reader.

Compression is off, as it should be for audio. An exception of the brain ends its connection with
1011 and is logged.
"""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from math import inf
from typing import Final

import anyio
from anyio.abc import ByteStream, SocketStream
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from realtime_client.simulator.admission import Hello
from realtime_client.simulator.clock import LoopClock
from realtime_client.simulator.connection import Ending, Out, ServerConnection
from realtime_client.simulator.mishaps import Drop, Ignore, Mishap, Refuse
from realtime_client.simulator.reception import Reception

__all__ = ["CLOSE_TIMEOUT", "HANDSHAKE_TIMEOUT", "OVER", "Front"]

MAX_FRAME: Final = 32 * 1024 * 1024
"""Bytes. "At most 15 MiB an append" is 20 MiB of base64."""

HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds that a client gets to say what it wants."""

LONGEST_REQUEST: Final = 64 * 1024
"""Bytes, from the first line to the blank one."""

CLOSE_TIMEOUT: Final = 2.0
"""Seconds that a client gets to answer a close."""

OVER: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)
"""How a stream says that its other end has gone."""

_BLANK_LINE: Final = b"\r\n\r\n"

_log = logging.getLogger("realtime_client.simulator")


class _Keepalive:
    """A ping every `interval` seconds, None for never, and whether the last was answered."""

    def __init__(self, interval: float | None, now: float) -> None:
        self._interval = inf if interval is None else interval
        self._answered = True
        self.due = now + self._interval

    def answer(self) -> None:
        self._answered = True

    def run(self, protocol: ServerProtocol, now: float) -> None:
        """Ping where it is time; give up where the last one was not answered."""
        if now < self.due:
            return
        if self._answered:
            protocol.send_ping(b"")
        else:
            protocol.fail(1011, "keepalive ping timeout")
        self._answered, self.due = False, now + self._interval


class Front:
    """Carries the frames of one client of `server`; `epoch` is as for `Reception.enter`."""

    def __init__(self, stream: ByteStream, server: Reception, *, epoch: float) -> None:
        self._stream = stream
        self._server = server
        self._epoch = epoch
        self._clock = LoopClock()
        self._protocol = ServerProtocol(max_size=MAX_FRAME, logger=_log)
        self._protocol.debug = False  # it would log every header, and keys are in headers
        self._keepalive = _Keepalive(server.policy.keepalive, self._clock.now())
        self._connection: ServerConnection | None = None
        self._scope = anyio.CancelScope()
        self._wake, self._client_is_done = anyio.Event(), anyio.Event()
        self._early = b""  # what has come behind the handshake
        self._message: list[bytes] = []  # the frames of it that have come
        self._binary = False
        self._writes: deque[bytes] = deque()

    async def run(self) -> None:
        """Serve this client until it has gone."""
        try:
            with self._scope:
                await self._serve()
        except OVER:
            pass
        finally:
            if self._connection is not None:
                self._connection.leave(self._ending())
            await anyio.aclose_forcefully(self._stream)

    def close(self) -> None:
        """Let it end because the server does: with 1001 where it speaks and listens."""
        connection = self._connection
        if connection is not None and connection.deaf_until is connection.mute_since is None:
            connection.close(1001, "the server is closing")
        else:
            self._scope.cancel()

    # --- the handshake -------------------------------------------------------------------

    async def _serve(self) -> None:
        request = await self._request()
        if request is None:
            return
        hello = Hello.from_handshake(request.path, request.headers.raw_items())
        mishap = self._server.knock(hello)
        match mishap:
            case Drop(upgrade=False):
                return
            case Ignore(upgrade=False):
                await self._until_it_leaves()
            case Refuse():
                self._protocol.send_response(_answer(mishap))
            case _:
                self._protocol.send_response(self._protocol.accept(request))
        if self._protocol.state is State.OPEN:
            await self._converse(hello, mishap)
        else:
            await self._flush()
            with anyio.move_on_after(CLOSE_TIMEOUT):
                await self._until_it_leaves()

    async def _request(self) -> Request | None:
        """What the client asks for; None where that is not HTTP, or does not come in time.

        What comes after it is for later: it may be no frame, and has to wait for the answer.
        """
        head = b""
        with anyio.move_on_after(HANDSHAKE_TIMEOUT):
            while _BLANK_LINE not in head and len(head) < LONGEST_REQUEST:
                head += await self._stream.receive()
                if not head[:1].isalpha():  # no HTTP; TLS, for example
                    return None
        head, blank, self._early = head.partition(_BLANK_LINE)
        self._protocol.receive_data(head + blank)
        events = self._protocol.events_received()
        return next((event for event in events if isinstance(event, Request)), None)

    async def _until_it_leaves(self) -> None:
        while True:  # until the stream says that it is over
            await self._stream.receive()

    # --- the conversation ----------------------------------------------------------------

    async def _converse(self, hello: Hello, mishap: Mishap | None) -> None:
        upgrade = self._protocol.data_to_send()
        with self._brain():
            self._connection = self._server.enter(
                hello, mishap, now=self._clock.now, epoch=self._epoch
            )
            self._connection.wake = self._ring
        for data in upgrade:  # which comes before every mishap
            await self._stream.send(data)
        self._ring()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read)
            with suppress(*OVER):
                await self._write()
            with anyio.move_on_after(CLOSE_TIMEOUT):
                await self._client_is_done.wait()
            tasks.cancel_scope.cancel()

    def _ring(self) -> None:
        self._wake.set()
        if self._connection is not None and self._connection.dropped:
            self._scope.cancel()

    @contextmanager
    def _brain(self) -> Iterator[None]:
        """For everything in which a brain may be asked."""
        try:
            yield
        except Exception:  # noqa: BLE001 - the brain is the user's own code: anything may come
            _log.exception("a brain raised, and its connection is closed")
            self._protocol.fail(1011, "internal error")

    async def _read(self) -> None:
        try:
            while True:
                data = self._early or await self._stream.receive()
                self._early = b""
                while self._connection is not None and self._connection.deaf_until is not None:
                    await self._clock.wait(anyio.Event(), self._connection.deaf_until)
                self._protocol.receive_data(data)
                for frame in self._protocol.events_received():
                    assert isinstance(frame, Frame)
                    self._on_frame(frame)
                self._wake.set()
        except OVER:
            self._protocol.receive_eof()
            self._client_is_done.set()
            self._wake.set()

    def _on_frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.PONG:
                self._keepalive.answer()
            case Opcode.CLOSE:
                self._client_is_done.set()
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                if frame.opcode is not Opcode.CONT:
                    self._binary = frame.opcode is Opcode.BINARY
                self._message.append(bytes(frame.data))
                if frame.fin:
                    message, self._message = b"".join(self._message), []
                    self._on_message(message)

    def _on_message(self, message: bytes) -> None:
        try:
            if not self._binary:
                message.decode()
        except UnicodeDecodeError:
            self._protocol.fail(1007, "a text frame that is not UTF-8")
            return
        with self._brain():
            if self._connection is not None:
                self._connection.receive(message, binary=self._binary)

    async def _write(self) -> None:
        """Write until one side closes; what is left to say about that is the last."""
        while self._protocol.state is State.OPEN:
            self._wake = anyio.Event()  # before looking: what comes meanwhile must not be lost
            with self._brain():
                due = self._speak()
            await self._flush()
            if self._protocol.state is State.OPEN:
                await self._clock.wait(self._wake, due)
        await self._flush()

    def _speak(self) -> float | None:
        """Say what is due, and tell when to come back."""
        connection = self._connection
        if connection is None:
            return None
        for out in connection.take():
            self._put(out)
        ending = connection.ending
        if ending is not None and ending.code is not None:
            self._protocol.send_close(*ending)
        elif connection.mute_since is None:
            self._keepalive.run(self._protocol, self._clock.now())
            return min(self._keepalive.due, connection.next_deadline() or inf)
        return connection.next_deadline()

    def _put(self, out: Out) -> None:
        match out.kind:
            case "text":
                self._protocol.send_text(out.data)
            case "binary":
                self._protocol.send_binary(out.data)
            case "bytes":
                self._writes += [*self._protocol.data_to_send(), out.data]

    async def _flush(self) -> None:
        """Write what is queued, as far as it may. An empty write is the end of all writing."""
        self._writes += self._protocol.data_to_send()
        while self._writes and not self._is_mute():
            data = self._writes.popleft()
            if data:
                await self._stream.send(data)
            elif isinstance(self._stream, SocketStream):  # TLS has no such half-closed state
                await self._stream.send_eof()

    def _is_mute(self) -> bool:
        return self._connection is not None and self._connection.mute_since is not None

    def _ending(self) -> Ending:
        """What the first close frame said; the answer to a client's repeats it."""
        first = self._protocol.close_sent
        return Ending(None) if first is None else Ending(first.code, first.reason)


def _answer(refuse: Refuse) -> Response:
    """What HTTP says in place of an upgrade."""
    body = refuse.body.encode()
    known = {status.value: status.phrase for status in HTTPStatus}
    headers = Headers([("Connection", "close"), ("Content-Length", str(len(body)))])
    for name, value in refuse.headers:
        headers[name] = value
    return Response(refuse.status, known.get(refuse.status, "Unknown"), headers, body)
