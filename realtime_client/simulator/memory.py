"""A simulated server without a socket, for tests of whatever talks to one.

A `MemoryTransport` is one connection: frames given to `send` go straight into a `SimulatedSession`,
and `receive` gives what it answers when it is due. Whose exception says "the connection is
over" is the caller's choice (`closed`), because the simulator knows nothing of the client
that it is tested with. `MemoryServer.connect` has the signature of opening a real one.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel

from realtime_client.simulator.admission import Hello
from realtime_client.simulator.brain import Brain, echo
from realtime_client.simulator.clock import Clock, LoopClock
from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.server import SimulatedSession
from realtime_client.simulator.services import counting_ids

__all__ = ["ClosedFactory", "MemoryServer", "MemoryTransport"]

ClosedFactory = Callable[[int | None, str], Exception]
"""From close code (None where there was none) and reason to the exception to raise."""


class MemoryTransport:
    """One connection to a session that lives in this process.

    `session` must not have been started. `closed` makes the exception that `send` and
    `receive` raise once the connection is over. The time comes from `clock`, by default the
    event loop's. One task may send while another receives.
    """

    def __init__(
        self, session: SimulatedSession, *, closed: ClosedFactory, clock: Clock | None = None
    ) -> None:
        self.session = session
        self._clock = clock or LoopClock()
        self._closed = closed
        self._frames: deque[bytes] = deque()
        self._wake = anyio.Event()
        self._ended: tuple[int | None, str] | None = None
        session.wake = self._ring
        session.start(self._clock.now())

    async def send(self, data: bytes) -> None:
        """Give the server one text frame."""
        await anyio.lowlevel.checkpoint()
        self._raise_if_ended()
        self.session.receive(data, self._clock.now())
        self._wake.set()

    async def receive(self) -> bytes:
        """Wait for the server's next text frame."""
        await anyio.lowlevel.checkpoint()
        while True:
            self._raise_if_ended()
            self._wake = anyio.Event()
            self.session.on_deadline(self._clock.now())
            self._frames += self.session.data_to_send()
            if self._frames:
                return self._frames.popleft()
            if self.session.close_wanted is not None:
                self._ended = self.session.close_wanted
                continue
            await self._clock.wait(self._wake, self.session.next_deadline())

    async def aclose(self, code: int | None = 1000, reason: str = "") -> None:
        """Close; safe to call twice. With `code` None the connection drops."""
        await anyio.lowlevel.checkpoint()
        if self._ended is None:
            self._ended = (code, reason)
            self._wake.set()

    def _ring(self) -> None:
        self._wake.set()

    def _raise_if_ended(self) -> None:
        if self._ended is not None:
            raise self._closed(*self._ended)


class MemoryServer:
    """Any number of connections to one simulated server; `sessions` are theirs, in order."""

    def __init__(
        self,
        policy: SimulatorPolicy | None = None,
        brain: Brain = echo,
        *,
        closed: ClosedFactory,
        clock: Clock | None = None,
    ) -> None:
        self.sessions: list[SimulatedSession] = []
        self._policy = policy
        self._brain = brain
        self._closed = closed
        self._clock = clock
        self._ids = counting_ids()

    @asynccontextmanager
    async def connect(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[MemoryTransport]:
        """Open a connection; leaving the block closes it."""
        hello = Hello.from_handshake(url, headers.items())
        session = SimulatedSession(self._policy, self._brain, hello=hello, ids=self._ids)
        self.sessions.append(session)
        transport = MemoryTransport(session, closed=self._closed, clock=self._clock)
        try:
            yield transport
        finally:
            with anyio.CancelScope(shield=True):
                await transport.aclose()
