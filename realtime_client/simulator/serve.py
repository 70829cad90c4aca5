"""The simulated server on a loopback socket, for asyncio and for trio.

::

    async with serve(policy=SimulatorPolicy(pace="fast")) as server:
        ...connect to server.url...
        server.sessions[0].hearing.heard

Every connection has a `SimulatedSession` and two tasks: one reads frames into it, one writes
what it wants to say when it is due. The writer sleeps until the next deadline of the session
or until the reader wakes it, so nothing polls, and a client that reads slowly holds up the
writer and with it the session's own clockwork, never the reader. An exception of the brain ends its
connection with 1011 and is logged by `websockets`.

Compression is off, as it should be for audio.
"""

import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskStatus
from websockets.exceptions import ConnectionClosed

from realtime_client.simulator.admission import Hello
from realtime_client.simulator.brain import Brain, echo
from realtime_client.simulator.clock import LoopClock
from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.server import SimulatedSession
from realtime_client.simulator.services import counting_ids

__all__ = ["Server", "serve"]

MAX_FRAME: Final = 32 * 1024 * 1024
"""Bytes. "At most 15 MiB an append" is 20 MiB of base64."""

_CLOSE_TIMEOUT = 2.0  # seconds that a client gets to answer a close


class Server:
    """A running server; made by `serve`, which is an async context manager.

    `url` is where it listens, without a model. `sessions` are those of its connections,
    the last `keep_sessions` of them, in the order in which they came.
    """

    def __init__(
        self, policy: SimulatorPolicy, brain: Brain, host: str, port: int, keep_sessions: int
    ) -> None:
        self.url = ""
        self.sessions: deque[SimulatedSession] = deque(maxlen=keep_sessions)
        self._policy = policy
        self._brain = brain
        self._address = (host, port)
        self._ids = counting_ids()
        self._running: _Running | None = None

    async def __aenter__(self) -> Self:
        start = _start_on_trio if _in_trio() else _start_on_asyncio
        host, port = self._address
        self._running = await start(self._serve_one, host, port)
        name = f"[{host}]" if ":" in host else host
        self.url = f"ws://{name}:{self._running.port}/v1/realtime"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.stop()
            await running.leave()

    async def aclose(self) -> None:
        """Close every connection with 1001 and wait until each has ended, as leaving does."""
        if self._running is not None:
            await self._running.stop()

    async def _serve_one(self, socket: Any) -> None:
        hello = Hello.from_handshake(socket.request.path, socket.request.headers.raw_items())
        epoch = time.time() - anyio.current_time()
        session = SimulatedSession(
            self._policy, self._brain, hello=hello, ids=self._ids, epoch=epoch
        )
        session.start(anyio.current_time())
        self.sessions.append(session)
        await _Connection(socket, session).run()


def serve(
    policy: SimulatorPolicy | None = None,
    brain: Brain = echo,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    keep_sessions: int = 100,
) -> Server:
    """Serve at `host` and `port` (0 takes a free one) while inside `async with`.

    Raises `OSError` on entry where the address cannot be had. Leaving the block closes every
    connection with 1001 and waits until each has ended.
    """
    return Server(policy or SimulatorPolicy(), brain, host, port, keep_sessions)


class _Connection:
    """One WebSocket connection and its session. `socket` is of either loop's library."""

    def __init__(self, socket: Any, session: SimulatedSession) -> None:
        self._socket = socket
        self._session = session
        self._clock = LoopClock()
        self._wake = anyio.Event()
        self._ended = False
        session.wake = self._ring

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read)
            await self._write()  # once it has ended, the connection is closed: so does the reader

    def _ring(self) -> None:
        self._wake.set()

    async def _read(self) -> None:
        try:
            while True:
                frame = await self._socket.recv()
                self._session.receive(frame, self._clock.now(), binary=isinstance(frame, bytes))
                self._wake.set()
        except ConnectionClosed:
            self._ended = True
            self._wake.set()

    async def _write(self) -> None:
        session = self._session
        while not self._ended:
            self._wake = anyio.Event()  # before looking: what comes meanwhile must not be lost
            session.on_deadline(self._clock.now())
            try:
                for frame in session.data_to_send():
                    await self._socket.send(frame, text=True)
            except ConnectionClosed:
                return
            if session.close_wanted is not None:
                await _close(self._socket, *session.close_wanted)
                return
            await self._clock.wait(self._wake, session.next_deadline())


async def _close(socket: Any, code: int, reason: str) -> None:
    """Close; the two libraries have two names for it."""
    await (socket.aclose if hasattr(socket, "aclose") else socket.close)(code, reason)


def _check_path(socket: Any, request: Any) -> Any:
    """Answer 404 where there is no Realtime API. A refused key is not HTTP's business."""
    if urlsplit(request.path).path.rstrip("/").endswith("/realtime"):
        return None
    return socket.respond(HTTPStatus.NOT_FOUND, "The Realtime API is at /v1/realtime.\n")


_OPTIONS: Final[dict[str, Any]] = {
    "compression": None,
    "max_size": MAX_FRAME,
    "close_timeout": _CLOSE_TIMEOUT,
    "process_request": _check_path,
}

_Handler = Callable[[Any], Awaitable[None]]


class _Running(NamedTuple):
    """A listening server: how to stop it, and how to leave what was entered for it."""

    port: int
    stop: Callable[[], Awaitable[None]]
    leave: Callable[[], Awaitable[None]]


def _in_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


async def _start_on_asyncio(handler: _Handler, host: str, port: int) -> _Running:
    from websockets.asyncio.server import serve as listen

    server = await listen(handler, host, port, **_OPTIONS)

    async def stop() -> None:
        with anyio.CancelScope(shield=True):
            server.close()
            await server.wait_closed()

    async def leave() -> None:
        pass

    return _Running(server.sockets[0].getsockname()[1], stop, leave)


async def _start_on_trio(handler: _Handler, host: str, port: int) -> _Running:
    from websockets.trio.server import serve as listen

    async def run(*, task_status: TaskStatus[Any]) -> None:
        # Shielded: when the caller is cancelled, the server is still closed in order.
        with anyio.CancelScope(shield=True):
            await listen(handler, port, host=host, task_status=task_status, **_OPTIONS)

    # The server's tasks need a task group around the caller's block. It is left with no
    # exception whatever the block raised: that one belongs to the block alone and must not
    # come out wrapped in a group.
    tasks = anyio.create_task_group()
    await tasks.__aenter__()
    try:
        server = await tasks.start(run)
    except BaseException as error:
        tasks.cancel_scope.cancel()
        await tasks.__aexit__(None, None, None)
        raise error from None

    async def stop() -> None:
        with anyio.CancelScope(shield=True):
            await server.aclose()

    async def leave() -> None:
        await tasks.__aexit__(None, None, None)

    return _Running(server.listeners[0].socket.getsockname()[1], stop, leave)
