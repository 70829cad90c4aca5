"""A client beside its simulated server, and a look at both sides of the wire."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import anyio
import anyio.lowlevel

from realtime_client import (
    GA,
    Client,
    Dialect,
    Endpoint,
    Frame,
    TransportClosed,
    events,
)
from realtime_client.acknowledgement import Acknowledgement
from realtime_client.codec import encode
from realtime_client.errors import RealtimeError
from realtime_client.simulator import (
    Answer,
    Brain,
    MemoryServer,
    Part,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
    serve,
)
from realtime_client.streams import Once
from tests.wire import read

Tree = dict[str, Any]

FAST = SimulatorPolicy(pace="fast")


@contextlib.asynccontextmanager
async def connected(
    policy: SimulatorPolicy = FAST,
    brain: Brain | None = None,
    *,
    dialect: Dialect = GA,
    **options: Any,
) -> AsyncIterator[tuple[Client, SimulatedSession]]:
    """A client over a real socket, and the session at the other end of it."""
    async with (
        serve(policy, *([brain] if brain else [])) as server,
        Client(endpoint=Endpoint(server.url, dialect=dialect), **options) as client,
    ):
        yield client, server.sessions[0]


@contextlib.asynccontextmanager
async def in_memory(
    policy: SimulatorPolicy = FAST,
    brain: Brain | None = None,
    *,
    dialect: Dialect = GA,
    **options: Any,
) -> AsyncIterator[tuple[Client, SimulatedSession]]:
    """The same without a socket, which would not wait for virtual time."""
    server = MemoryServer(policy, *([brain] if brain else []), closed=TransportClosed)
    endpoint = Endpoint("ws://localhost/v1/realtime", dialect=dialect)
    async with Client(endpoint=endpoint, connect=server.connect, **options) as client:
        yield client, server.sessions[0]


def says(*parts: str | Part) -> Brain:
    """A brain that always answers this; a text is said."""

    def brain(question: Question) -> Answer:
        return [Say(part) if isinstance(part, str) else part for part in parts]

    return brain


def answers(script: Mapping[str, Sequence[str | Part]], *, otherwise: str = "Yes.") -> Brain:
    """A brain that answers as its instructions ask for, and a turn of the user `otherwise`."""

    def brain(question: Question) -> Answer:
        return says(*script.get(question.instructions, [otherwise]))(question)

    return brain


def plain(value: Any) -> Any:
    """A struct as its JSON has it."""
    return read(encode(value))


def at(tree: Tree, path: str) -> Any:
    """The value at a dotted path."""
    value: Any = tree
    for name in path.split("."):
        value = value[name]
    return value


def session_with(path: str, value: Any) -> Tree:
    """The `session` of an update that changes one path and nothing else."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return {"type": "realtime", **value}


def updates(sent: Once[Frame]) -> list[Tree]:
    """The `session` of every update among the frames that went out, to the letter."""
    return [read(frame.raw)["session"] for frame in sent._items if frame.type == "session.update"]


def received(session: SimulatedSession) -> list[Tree]:
    """The `session` of every update that the server got."""
    asked = [one for one in session.received if isinstance(one, events.SessionUpdate)]
    return [plain(one)["session"] for one in asked]


def in_force(session: SimulatedSession) -> Tree:
    """What the server has."""
    tree: Tree = plain(session.settings.session)
    return tree


def agree(client: Client, session: SimulatedSession) -> None:
    """Both sides have the same configuration, and nothing is on its way."""
    assert plain(client.session.acknowledged) == in_force(session)
    assert client.session.in_flight == ()
    assert client.session.desired == in_force(session)


class Askers:
    """Callers who do not wait for each other, and what each of them got."""

    def __init__(self, client: Client, tasks: anyio.abc.TaskGroup) -> None:
        self._client = client
        self._tasks = tasks
        self.outcomes: dict[str, Acknowledgement | RealtimeError] = {}

    async def ask(self, name: str, **changes: Any) -> None:
        """Ask for an update and do not wait for its answer, only until it has been asked."""
        before = len(self._client.session.in_flight)
        self._tasks.start_soon(self._update, name, changes)
        while len(self._client.session.in_flight) == before:
            await anyio.lowlevel.checkpoint()

    async def _update(self, name: str, changes: dict[str, Any]) -> None:
        assert name not in self.outcomes
        try:
            self.outcomes[name] = await self._client.session.update(**changes)
        except RealtimeError as error:
            self.outcomes[name] = error
