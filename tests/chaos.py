"""A TCP proxy that does to a connection what networks do, by a seed.

::

    async with chaos_proxy(server.url, [often(Stall())], seed=7) as proxy:
        ...connect to proxy.url...
        proxy.happened, proxy.count(Stall)

What can be done is in `tests.faults`. What is harmed is TCP: a cut leaves no close frame, a
flipped bit breaks a frame or what is written in it.

How many faults there are and for how long is bounded; after that everything passes. Leaving
the block leaves no task and no socket. The sockets are bare ones, because only these can be
reset.
"""

from __future__ import annotations

import contextlib
import math
import random
import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel

from tests.faults import (
    Corrupt,
    Cut,
    Delay,
    Direction,
    Fault,
    Happened,
    Planned,
    Stall,
    Throttle,
    plan,
)

CHUNK: Final = 16 * 1024
LINGER: Final = 1.0  # seconds that both ends get to answer a FIN
STEP: Final = 0.005  # seconds between the drops of a throttled stream

# -- one direction ----------------------------------------------------------------------------


class _CutOff(Exception):
    """The connection is to end."""

    def __init__(self, cut: Cut) -> None:
        self.cut = cut


class _Stretch:
    """What is done to the bytes that come: the faults that last for more than a moment."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._left: dict[Throttle | Delay | Corrupt, int] = {}

    def begin(self, fault: Throttle | Delay | Corrupt) -> None:
        self._left[fault] = self._left.get(fault, 0) + fault.length

    def size(self, most: int) -> int:
        """How many bytes to pass on in one piece, at most `most`."""
        drops = [int(one.rate * STEP) for one in self._left if isinstance(one, Throttle)]
        return max(1, min([most, *drops, *self._left.values()]))

    async def treat(self, piece: bytes) -> bytes:
        """Hold a piece, and return what becomes of it."""
        for fault in list(self._left):
            match fault:
                case Throttle():
                    await anyio.sleep(len(piece) / fault.rate)
                case Delay():
                    await anyio.sleep(fault.seconds)
                case Corrupt():
                    piece = bytes(byte ^ 1 << self._dice.randrange(8) for byte in piece)
            self._left[fault] -= len(piece)
            if not self._left[fault]:
                del self._left[fault]
        return piece


class _Pipe:
    """One direction of one connection."""

    def __init__(
        self, proxy: ChaosProxy, connection: int, direction: Direction, faults: Sequence[Planned]
    ) -> None:
        self._proxy = proxy
        self._connection = connection
        self._direction: Direction = direction
        self._plan = plan(faults, proxy.seed, connection, direction)
        self._stretch = _Stretch(random.Random(f"{proxy.seed}/{connection}/{direction}"))
        self._next = next(self._plan, None)
        self._offset = 0

    async def run(self, source: socket.socket, sink: socket.socket) -> None:
        """Pass everything on until it ends; raises `_CutOff` where that is a fault's doing."""
        while data := await _receive(source):
            while data:
                await self._befall()
                piece = data[: self._stretch.size(min(len(data), self._to_next()))]
                data = data[len(piece) :]
                self._offset += len(piece)
                await _send(sink, await self._stretch.treat(piece))
        _finish(sink)

    def _to_next(self) -> int:
        return CHUNK if self._next is None else max(1, self._next[0] - self._offset)

    async def _befall(self) -> None:
        """Do what is due before the next byte."""
        while self._next is not None and self._next[0] <= self._offset:
            _, fault = self._next
            self._next = next(self._plan, None)
            if not self._proxy.allows():
                continue
            happened = Happened(self._connection, self._direction, self._offset, fault)
            self._proxy.happened.append(happened)
            match fault:
                case Cut():
                    raise _CutOff(fault)
                case Stall():
                    await anyio.sleep(fault.seconds)
                case _:
                    self._stretch.begin(fault)


# -- the proxy --------------------------------------------------------------------------------


class ChaosProxy:
    """A running proxy; `url` is where it listens, `connections` how many have come."""

    def __init__(
        self, url: str, faults: Sequence[Planned], seed: int, most: int, seconds: float
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._faults = faults
        self._most, self._seconds = most, seconds
        self._until = math.inf
        self._listener = socket.socket()
        self._tasks = anyio.create_task_group()
        self._parts = parts
        self.seed = seed
        self.url = ""
        self.connections = 0
        self.happened: list[Happened] = []

    def allows(self) -> bool:
        """Whether there may be one more fault."""
        return len(self.happened) < self._most and anyio.current_time() < self._until

    def count(self, kind: type[Fault]) -> int:
        """How many faults of a class have happened."""
        return sum(isinstance(one.fault, kind) for one in self.happened)

    async def __aenter__(self) -> Self:
        self._listener.setblocking(False)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        port = self._listener.getsockname()[1]
        self.url = self._parts._replace(netloc=f"127.0.0.1:{port}").geturl()
        self._until = anyio.current_time() + self._seconds
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._accept)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The block's own exception must not come out wrapped in a group.
        self._tasks.cancel_scope.cancel()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            self._listener.close()

    async def _accept(self) -> None:
        while True:
            await anyio.wait_readable(self._listener)
            client, _ = self._listener.accept()
            self.connections += 1
            self._tasks.start_soon(self._join, client, self.connections)

    async def _join(self, client: socket.socket, number: int) -> None:
        with client, socket.socket() as server:
            for one in (client, server):
                one.setblocking(False)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await _connect(server, self._target)
                await self._run(client, server, number)
            except OSError:  # an end has gone: so does the other
                pass

    async def _run(self, client: socket.socket, server: socket.socket, number: int) -> None:
        up = _Pipe(self, number, "up", self._faults)
        down = _Pipe(self, number, "down", self._faults)
        cuts: list[Cut] = []

        async def run(pipe: _Pipe, source: socket.socket, sink: socket.socket) -> None:
            try:
                await pipe.run(source, sink)
            except _CutOff as off:
                cuts.append(off.cut)
                tasks.cancel_scope.cancel()
            except OSError:
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, up, client, server)
            tasks.start_soon(run, down, server, client)
        for cut in cuts:
            await _cut(cut, client, server)


def chaos_proxy(
    url: str,
    faults: Sequence[Planned] = (),
    seed: int = 0,
    *,
    most: int = 1_000,
    seconds: float = 60.0,
) -> ChaosProxy:
    """A proxy before the server at `url`, while inside `async with`.

    There are `most` faults at most, and none after so many `seconds`.
    """
    return ChaosProxy(url, faults, seed, most, seconds)


# -- sockets ----------------------------------------------------------------------------------


async def _connect(one: socket.socket, address: tuple[str, int]) -> None:
    try:
        one.connect(address)
    except BlockingIOError:
        await anyio.wait_writable(one)
        if error := one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, "cannot connect") from None


async def _receive(one: socket.socket) -> bytes:
    while True:
        await anyio.wait_readable(one)
        try:
            return one.recv(CHUNK)
        except BlockingIOError:
            continue


async def _send(one: socket.socket, data: bytes) -> None:
    await anyio.lowlevel.checkpoint()
    while data:
        try:
            data = data[one.send(data) :]
        except BlockingIOError:
            await anyio.wait_writable(one)


def _finish(one: socket.socket) -> None:
    """Say that nothing more will come, if anybody is left to hear it."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_WR)


async def _cut(cut: Cut, *ends: socket.socket) -> None:
    """End a connection on both sides; closing the sockets does the rest.

    After a FIN both ends may go on until they have seen it: closing a socket with something
    unread in it would be a reset.
    """
    if cut.reset:
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    with anyio.move_on_after(LINGER):
        async with anyio.create_task_group() as tasks:
            for end in ends:
                _finish(end)
                tasks.start_soon(_drain, end)


async def _drain(one: socket.socket) -> None:
    try:
        while await _receive(one):
            pass
    except OSError:
        pass
