"""Connections that end while somebody talks, and what is seen of it from both sides."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import anyio
import anyio.lowlevel
import numpy as np
from numpy.typing import NDArray

from realtime_client import Client, Transport, TransportClosed, events
from realtime_client.changeover import Disconnected, Reconnected
from realtime_client.errors import ClientClosed, ConnectionLost, RealtimeError
from realtime_client.events import ServerEvent
from realtime_client.reconnect import OutageAudio, Reconnect
from realtime_client.simulator import (
    Brain,
    MemoryServer,
    Server,
    SimulatedSession,
    SimulatorPolicy,
    echo,
    serve,
)
from realtime_client.streams import Once
from tests.simulated import Samples
from tests.test_simulator_serve import living_tasks

T = TypeVar("T")

FAST: Final = SimulatorPolicy(pace="fast")

AT_ONCE: Final = Reconnect(first=0.0, longest=0.0)
"""Tries again without a pause."""

CHUNK: Final = 2_400
"""Samples in 100 ms."""

URL: Final = "ws://localhost/v1/realtime"

Changes = Once[Disconnected | Reconnected]


async def reconnected(changes: Changes) -> Reconnected:
    """The next connection that is in force."""
    async for change in changes:
        if isinstance(change, Reconnected):
            return change
    raise ClientClosed("there is no more to come")


async def disconnected(changes: Changes) -> Disconnected:
    """The next loss of a connection."""
    async for change in changes:
        if isinstance(change, Disconnected):
            return change
    raise ClientClosed("there is no more to come")


def kinds(session: SimulatedSession) -> list[str]:
    """The types of what the client sent in this session, in its order."""
    return [str(event.type) for event in session.received]


def heard(session: SimulatedSession) -> list[str | None]:
    """The words of each turn that this session heard."""
    return [turn.text for turn in session.hearing.heard]


def appended(session: SimulatedSession) -> NDArray[np.int16]:
    """Every sample that this session was sent, in 24 kHz PCM."""
    sent = [one for one in session.received if isinstance(one, events.InputAudioBufferAppend)]
    return np.frombuffer(
        b"".join(one.audio for one in sent if isinstance(one.audio, bytes)), np.int16
    )


def sure(value: T | None) -> T:
    """What has to be there."""
    assert value is not None
    return value


async def failing(call: Any) -> RealtimeError:
    """What an awaitable raises."""
    try:
        await call
    except RealtimeError as error:
        return error
    raise AssertionError("it did not raise")


def same_loss(error: object, lost: RealtimeError) -> bool:
    """Whether an error tells of this loss; one that a handle ends with is uncertain besides."""
    return isinstance(error, ConnectionLost) and str(error) == str(lost)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what has no bell, by letting everybody else run; five seconds at most."""
    with anyio.fail_after(5):
        while not condition():
            await anyio.lowlevel.checkpoint()


class Callers:
    """Calls that are made at once and not waited for; what each of them came to."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self._tasks = tasks
        self._calls = 0
        self.outcomes: dict[str, Any] = {}

    def call(self, name: str, function: Callable[[], Any]) -> None:
        """Begin a call under a name."""
        self._calls += 1
        self._tasks.start_soon(self._await, name, function)

    async def _await(self, name: str, function: Callable[[], Any]) -> None:
        try:
            self.outcomes[name] = await function()
        except RealtimeError as error:
            self.outcomes[name] = error

    async def outcome(self, name: str) -> Any:
        """What one call has come to."""
        await until(lambda: name in self.outcomes)
        return self.outcomes[name]


@contextlib.asynccontextmanager
async def callers(seconds: float = 10.0) -> AsyncIterator[Callers]:
    """Callers who have all come to an end when the block is left, and in time."""
    with anyio.fail_after(seconds):
        async with anyio.create_task_group() as tasks:
            yield Callers(tasks)


@contextlib.asynccontextmanager
async def talking(
    policy: SimulatorPolicy = FAST, brain: Brain = echo, **options: Any
) -> AsyncIterator[tuple[Client, Server, Changes]]:
    """A client that tries again at once, over a real socket, its server, and its changes.

    Nothing is left afterwards: no task, and no connection.
    """
    before = living_tasks()
    options = {"reconnect": AT_ONCE, "turn_detection": None, "close_timeout": 0.5, **options}
    async with serve(policy, brain) as server:
        async with Client(endpoint=server.url, **options) as client:
            yield client, server, client.connections()
        # One that was made deaf has not heard of its end.
        hearing = [one for one in server.connections if one.deaf_until is None]
        await until(lambda: all(one.ended is not None for one in hearing))
    await until(lambda: living_tasks() <= before)


def remote(
    policy: SimulatorPolicy = FAST, brain: Brain = echo, *, keepalive: float | None = None
) -> MemoryServer:
    """A server without a socket, which would not wait for virtual time."""
    return MemoryServer(policy, brain, closed=TransportClosed, keepalive=keepalive)


@contextlib.asynccontextmanager
async def in_virtual_time(
    policy: SimulatorPolicy = FAST,
    brain: Brain = echo,
    *,
    keepalive: float | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Client, MemoryServer, Changes]]:
    """The same without a socket."""
    server = remote(policy, brain, keepalive=keepalive)
    options = {"turn_detection": None, **options}
    async with Client(endpoint=URL, connect=server.connect, **options) as client:
        yield client, server, client.connections()


class Clocked:
    """A `connect` that notes when it was called."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server
        self.times: list[float] = []

    def __call__(self, url: str, headers: Mapping[str, str]) -> Any:
        self.times.append(anyio.current_time())
        return self._server.connect(url, headers)


class Away:
    """A server that can be away for as long as a test wants, and its client's `connect`."""

    def __init__(self, policy: SimulatorPolicy = FAST, brain: Brain = echo) -> None:
        self.server = remote(policy, brain)
        self._is_back = anyio.Event()
        self._is_back.set()

    def go(self) -> None:
        """Drop everybody, and let nobody in."""
        self._is_back = anyio.Event()
        for connection in self.server.connections:
            connection.drop()

    def come_back(self) -> None:
        """Let them in again."""
        self._is_back.set()

    @contextlib.asynccontextmanager
    async def connect(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Transport]:
        """For `Client(connect=...)`."""
        await self._is_back.wait()
        async with self.server.connect(url, headers) as transport:
            yield transport


def caller(away: Away, audio: OutageAudio | None, **options: Any) -> Client:
    """A client of a server that may go away."""
    again = AT_ONCE if audio is None else replace(AT_ONCE, audio=audio)
    options = {"turn_detection": None, "keep_user_audio": True, **options}
    return Client(endpoint=URL, connect=away.connect, reconnect=again, **options)


async def speak(client: Client, samples: Samples) -> None:
    """Say it at the pace of a microphone."""
    for start in range(0, len(samples), CHUNK):
        await client.send_audio(samples[start : start + CHUNK])
        await anyio.sleep(0.1)


class Held:
    """A `tamper` that holds back what the server says of one type, until it is let go.

    It stays held for good where it is dropped with the connection; `seen` rings on the first.
    """

    def __init__(self, *wire_types: str, after: int = 0) -> None:
        self._types = wire_types
        self._spared = after
        self.held: list[ServerEvent] = []
        self.seen = anyio.Event()

    def __call__(self, event: ServerEvent) -> Sequence[ServerEvent]:
        if event.type not in self._types:
            return [event]
        if self._spared > 0:
            self._spared -= 1
            return [event]
        self.held.append(event)
        self.seen.set()
        return []
