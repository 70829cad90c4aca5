"""A simulated server without a socket, for tests of whatever talks to one.

A `MemoryTransport` is one connection: frames given to `send` go straight into a session, and
`receive` gives what it answers when it is due. `MemoryServer.connect` has the signature of
opening a real one. A `MemoryServer` is a `Reception` as a `Server` is, so what can go wrong over a
socket goes wrong here too, and in virtual time. Whose exceptions say "the connection is over" and
"you are not let in" is the caller's choice, because the simulator knows nothing of the client
that it is tested with.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from math import inf
from typing import Final

import anyio
import anyio.lowlevel

from realtime_client.errors import ConnectFailed, HandshakeRefused
from realtime_client.simulator.admission import Hello
from realtime_client.simulator.brain import Brain, echo
from realtime_client.simulator.clock import Clock, LoopClock
from realtime_client.simulator.connection import Ending, Out, Party, ServerConnection
from realtime_client.simulator.mishaps import Drop, Ignore, Mishap, Refuse
from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.reception import Reception
from realtime_client.simulator.server import SimulatedSession

__all__ = ["ClosedFactory", "MemoryServer", "MemoryTransport", "RefusedFactory"]

ClosedFactory = Callable[[int | None, str], Exception]
"""From close code (None where there was none) and reason to the exception to raise."""

RefusedFactory = Callable[[Refuse | None], Exception]
"""From what answered the handshake, None being nobody, to the exception to raise."""

BUFFER: Final = 256 * 1024
"""Bytes on their way to a server that does not read; then a `send` waits, as with TCP."""


class MemoryTransport:
    """One connection to a session that lives in this process.

    `session` is one that has not been started, or the `ServerConnection` of a `MemoryServer`.
    `closed` makes the exception that `send` and `receive` raise once the connection is over.
    The time comes from `clock`, by default the event loop's. With `keepalive` the client's side
    gives up on a server from which nothing has come for so many seconds because it is mute, as
    a side that pings does. One task may send while another receives.
    """

    def __init__(
        self,
        session: SimulatedSession | ServerConnection,
        *,
        closed: ClosedFactory,
        clock: Clock | None = None,
        keepalive: float | None = None,
    ) -> None:
        self._clock = clock or LoopClock()
        if isinstance(session, SimulatedSession):
            session.start(self._clock.now())
            session = ServerConnection(Party(session), now=self._clock.now, hello=Hello())
        self.connection = session
        self.connection.wake = self._ring
        self._closed = closed
        self._keepalive = keepalive
        self._unheard: deque[bytes] = deque()  # by a server that does not read
        self._frames: deque[Out] = deque()
        self._wake, self._room = anyio.Event(), anyio.Event()

    @property
    def session(self) -> SimulatedSession:
        """The session at the other end."""
        return self.connection.session

    async def send(self, data: bytes) -> None:
        """Give the server one text frame; waits where it reads nothing and its buffer is full."""
        await anyio.lowlevel.checkpoint()
        self._raise_if_ended()
        while sum(map(len, self._unheard)) >= BUFFER and self.connection.deaf_until is not None:
            self._room = anyio.Event()
            await self._clock.wait(self._room, self.connection.deaf_until)
            self._raise_if_ended()
        self._unheard.append(data)
        self._hear()

    async def receive(self) -> bytes:
        """Wait for the server's next text frame."""
        await anyio.lowlevel.checkpoint()
        while True:
            self._raise_if_ended()
            self._wake = anyio.Event()
            self._hear()
            self._frames += self.connection.take()
            if self._frames:
                kind, data = self._frames.popleft()
                if kind != "bytes":
                    return data
                self._end(Ending(None, "what came is not a frame"))
            elif (ending := self.connection.ending) is not None:
                self._end(ending)
            elif (given_up := self._given_up()) <= self._clock.now():
                self._end(Ending(None, "keepalive ping timeout"))
            else:
                due = [given_up, self.connection.next_deadline(), self._hears_again()]
                await self._clock.wait(self._wake, min(when for when in due if when is not None))

    async def aclose(self, code: int | None = 1000, reason: str = "") -> None:
        """Close; safe to call twice. With `code` None the connection drops."""
        await anyio.lowlevel.checkpoint()
        self._end(Ending(code, reason))

    def _hear(self) -> None:
        """Let the server have what it reads."""
        while self._unheard and self.connection.deaf_until is None:
            self.connection.receive(self._unheard.popleft())

    def _hears_again(self) -> float | None:
        return self.connection.deaf_until if self._unheard else None

    def _given_up(self) -> float:
        """When this side will believe that nobody is there."""
        since = self.connection.mute_since
        return inf if since is None or self._keepalive is None else since + self._keepalive

    def _end(self, ending: Ending) -> None:
        self.connection.leave(ending)
        self._ring()

    def _ring(self) -> None:
        self._wake.set()
        self._room.set()

    def _raise_if_ended(self) -> None:
        if self.connection.dropped:
            self.connection.leave(Ending(None))
        if self.connection.ended is not None:
            raise self._closed(*self.connection.ended)


def refused_by_http(answer: Refuse | None) -> Exception:
    """Say what the package's own transport says of a handshake."""
    if answer is None:
        return ConnectFailed("nobody answers the handshake")
    return HandshakeRefused(answer.status, answer.body)


class MemoryServer(Reception):
    """Any number of connections to one simulated server, one after the other or at once.

    `closed` and `refused` make the exceptions of the client's side, `keepalive` is its patience
    with a connection that is mute (see `MemoryTransport`), and `keep` is how much is remembered
    (see `Reception`). Wall clock time begins at 0 with the clock.
    """

    def __init__(
        self,
        policy: SimulatorPolicy | None = None,
        brain: Brain = echo,
        *,
        closed: ClosedFactory,
        refused: RefusedFactory = refused_by_http,
        clock: Clock | None = None,
        keepalive: float | None = None,
        keep: int | None = None,
    ) -> None:
        super().__init__(policy or SimulatorPolicy(), brain, keep=keep)
        self._closed = closed
        self._refused = refused
        self._clock = clock or LoopClock()
        self._keepalive = keepalive

    @asynccontextmanager
    async def connect(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[MemoryTransport]:
        """Open a connection; leaving the block closes it."""
        hello = Hello.from_handshake(url, headers.items())
        match self.knock(hello):
            case Refuse() as answer:
                raise self._refused(answer)
            case Drop(upgrade=False):
                raise self._refused(None)
            case Ignore(upgrade=False):
                await anyio.sleep_forever()
            case mishap:
                transport = self._open(hello, mishap)
        try:
            yield transport
        finally:
            with anyio.CancelScope(shield=True):
                await transport.aclose()

    def _open(self, hello: Hello, mishap: Mishap | None) -> MemoryTransport:
        return MemoryTransport(
            self.enter(hello, mishap, now=self._clock.now),
            closed=self._closed,
            clock=self._clock,
            keepalive=self._keepalive,
        )
