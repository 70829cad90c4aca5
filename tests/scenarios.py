"""A client beside its simulated server, and a look at both sides of the wire."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

import anyio
import anyio.lowlevel

from realtime_client import (
    GA,
    Client,
    Dialect,
    Endpoint,
    Frame,
    Output,
    Response,
    TransportClosed,
    events,
)
from realtime_client.acknowledgement import Acknowledgement
from realtime_client.audio import WireFormat
from realtime_client.codec import encode
from realtime_client.errors import RealtimeError
from realtime_client.events import ServerEvent
from realtime_client.simulator import (
    Answer,
    Brain,
    MemoryServer,
    Part,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
    listen,
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


# -- responses: what was said, what went out, and when it arrives --------------------------------


async def heard(speaking: Output | Response) -> str | None:
    """What a message or a whole response says, by ear; None where there is nothing to hear."""
    format_ = speaking.audio_format if isinstance(speaking, Response) else speaking.audio.format
    wire = WireFormat.from_wire(format_)
    audio = b"".join([chunk async for chunk in speaking.audio])
    return listen(wire.decode(audio), wire.rate).text


async def all_heard(response: Response) -> list[str | None]:
    """What every output of a response says, by ear."""
    return [await heard(output) async for output in response]


def of_type(watch: Once[Frame], wire_type: str) -> list[Any]:
    """The events of one type that a watch holds."""
    return [frame.event for frame in watch._items if frame.type == wire_type]


def cancelled(sent: Once[Frame]) -> list[str | events.UnsetType | None]:
    """The ids of the cancels that went out; a cancel without one would be seen as UNSET."""
    return [event.response_id for event in of_type(sent, "response.cancel")]


async def round_trip(client: Client) -> None:
    """Until the server has got all that was asked for, and all that it has said is here."""
    await client.input_audio_buffer.clear()


class Gate:
    """A `tamper` that holds back what the server says of responses, as a slow network does.

    Once it has been opened, what was held goes out before the next event, in its order, and
    nothing is held any more. `shuts` tells which events are held.
    """

    def __init__(self, shuts: Callable[[ServerEvent], bool] | None = None) -> None:
        self.is_open = False
        self.held: list[ServerEvent] = []
        self._shuts = shuts or _is_of_response

    def __call__(self, event: ServerEvent) -> Sequence[ServerEvent]:
        if self.is_open:
            held, self.held = self.held, []
            return [*held, event]
        if self._shuts(event):
            self.held.append(event)
            return []
        return [event]

    async def open(self, client: Client) -> None:
        """Let everything through that was held, and wait until it has arrived."""
        self.is_open = True
        await round_trip(client)


def _is_of_response(event: ServerEvent) -> bool:
    return event.type.startswith(("response.", "conversation."))


class Creators:
    """Callers of `response.create` who do not wait for each other; what each of them got."""

    def __init__(self, client: Client, tasks: anyio.abc.TaskGroup) -> None:
        self._client = client
        self._tasks = tasks
        self._changed = anyio.Event()
        self._asking: set[str] = set()
        self.outcomes: dict[str, Response | RealtimeError] = {}

    async def ask(self, instructions: str, **options: Any) -> anyio.CancelScope:
        """Ask for a response; returns when that has reached the server, with a way to stop."""
        scope = anyio.CancelScope()
        self._tasks.start_soon(self._create, scope, instructions, options)
        while instructions not in self._asking:
            await anyio.lowlevel.checkpoint()
        await round_trip(self._client)
        return scope

    async def response(self, instructions: str) -> Response:
        """The response that a caller got, once he has it."""
        outcome = await self.outcome(instructions)
        assert isinstance(outcome, Response), outcome
        return outcome

    async def outcome(self, instructions: str) -> Response | RealtimeError:
        """What a caller got, once he has it."""
        while instructions not in self.outcomes:
            await self._changed.wait()
        return self.outcomes[instructions]

    async def _create(
        self, scope: anyio.CancelScope, instructions: str, options: dict[str, Any]
    ) -> None:
        self._asking.add(instructions)  # from here to the first wait nobody else runs
        outcome: Response | RealtimeError
        with scope:
            try:
                outcome = await self._client.response.create(instructions=instructions, **options)
            except RealtimeError as error:
                outcome = error
            self.outcomes[instructions] = outcome
            self._changed.set()
            self._changed = anyio.Event()


@contextlib.asynccontextmanager
async def creators(client: Client) -> AsyncIterator[Creators]:
    """Callers who have all come to an end when the block is left, within five seconds."""
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            yield Creators(client, tasks)


@contextlib.contextmanager
def quiet(caplog: Any) -> Iterator[None]:
    """Nothing goes wrong inside: no task of the connection complains."""
    caplog.clear()
    yield
    assert [record for record in caplog.records if record.name == "realtime_client"] == []
