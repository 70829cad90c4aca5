"""The simulated server on a loopback socket, for asyncio and for trio.

::

    async with serve(policy=SimulatorPolicy(pace="fast")) as server:
        ...connect to server.url...
        server.sessions[0].hearing.heard
        server.connections[0].drop()

Every client is served by a `Front` in a task of its own. On trio these tasks need a task group
around the caller's block; on asyncio they hang on a task of their own, so that a test fixture
may enter in one task and leave in another.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.stapled import MultiListener
from anyio.streams.tls import TLSStream

from realtime_client.simulator.brain import Brain, echo
from realtime_client.simulator.front import CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT, OVER, Front
from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.reception import Reception

__all__ = ["Server", "serve"]

_Listener = MultiListener[SocketStream]
_Run = Callable[[], Coroutine[Any, Any, None]]


class Server(Reception):
    """A running server; made by `serve`, which is an async context manager.

    `url` is where it listens, without a model.
    """

    def __init__(
        self,
        policy: SimulatorPolicy,
        brain: Brain,
        host: str,
        port: int,
        keep_sessions: int,
        ssl: SSLContext | None,
    ) -> None:
        super().__init__(policy, brain, keep=keep_sessions)
        self.url = ""
        self._address = (host, port)
        self._ssl = ssl
        self._fronts: set[Front] = set()
        self._accepting: anyio.CancelScope | None = None
        self._stopped = anyio.Event()
        self._leave: _Run | None = None

    async def __aenter__(self) -> Self:
        host, port = self._address
        listener = await anyio.create_tcp_listener(local_host=host, local_port=port)
        port = listener.extra(SocketAttribute.local_port)
        scheme, name = "ws" if self._ssl is None else "wss", f"[{host}]" if ":" in host else host
        self.url = f"{scheme}://{name}:{port}/v1/realtime"
        self._accepting, self._stopped = anyio.CancelScope(), anyio.Event()
        self._leave = await (_start_on_trio if _in_trio() else _start_on_asyncio)(
            lambda: self._listen(listener)
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            await self.aclose()
            await leave()

    async def aclose(self) -> None:
        """Close every connection with 1001 and wait until each has ended, as leaving does."""
        if self._accepting is not None:
            self._accepting.cancel()
            with anyio.CancelScope(shield=True):
                await self._stopped.wait()

    async def _listen(self, listener: _Listener) -> None:
        """Serve whoever comes until `aclose`."""
        try:
            # Shielded: when the caller is cancelled, the server is still closed in order.
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as clients:
                    try:
                        with self._accepting or anyio.CancelScope():
                            await listener.serve(self._serve_one, clients)
                    finally:
                        await anyio.aclose_forcefully(listener)
                    for front in self._fronts:
                        front.close()
                    clients.cancel_scope.deadline = anyio.current_time() + 2 * CLOSE_TIMEOUT
        finally:
            self._stopped.set()

    async def _serve_one(self, stream: SocketStream) -> None:
        secured = await self._secured(stream)
        if secured is not None:
            front = Front(secured, self, epoch=time.time() - anyio.current_time())
            self._fronts.add(front)
            try:
                await front.run()
            finally:
                self._fronts.discard(front)

    async def _secured(self, stream: SocketStream) -> ByteStream | None:
        """Return the stream, under TLS where this is a server of `wss://`; None where it fails."""
        if self._ssl is None:
            return stream
        with suppress(*OVER), anyio.move_on_after(HANDSHAKE_TIMEOUT):
            return await TLSStream.wrap(stream, server_side=True, ssl_context=self._ssl)
        await anyio.aclose_forcefully(stream)
        return None


def serve(
    policy: SimulatorPolicy | None = None,
    brain: Brain = echo,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    keep_sessions: int = 100,
    ssl: SSLContext | None = None,
) -> Server:
    """Serve at `host` and `port` (0 takes a free one) while inside `async with`.

    With `ssl`, a server's context with its certificate, it speaks TLS only (`wss://`). Of what the
    server knows of its clients (see `Reception`) the last `keep_sessions` are kept.

    Raises `OSError` on entry where the address cannot be had. Leaving the block closes every
    connection with 1001 and waits until each has ended.
    """
    return Server(policy or SimulatorPolicy(), brain, host, port, keep_sessions, ssl)


def _in_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


async def _start_on_asyncio(run: _Run) -> _Run:
    """Run in the background; return how to wait for its end."""
    task = asyncio.create_task(run())

    async def leave() -> None:
        await task

    return leave


async def _start_on_trio(run: _Run) -> _Run:
    """The same in a task group, which is left with no exception whatever the block raised.

    That one belongs to the block alone and must not come out wrapped in a group.
    """
    tasks = anyio.create_task_group()
    await tasks.__aenter__()
    tasks.start_soon(run)

    async def leave() -> None:
        await tasks.__aexit__(None, None, None)

    return leave
