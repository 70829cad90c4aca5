"""What tests of responses look at: what was said, what went out, and when it arrives."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final

import anyio
import anyio.lowlevel
import pytest

from realtime_client import Client, Frame, Output, Reconnect, Response, events
from realtime_client.audio import WireFormat
from realtime_client.errors import RealtimeError
from realtime_client.events import ServerEvent
from realtime_client.simulator import Part, SimulatedSession, SimulatorPolicy, Tamper, listen
from realtime_client.streams import Once
from tests.scenarios import answers
from tests.simulated import spoken

LOST = pytest.mark.parametrize(
    "reconnect",
    [None, Reconnect(first=60.0, longest=60.0)],
    ids=["for good", "for a while"],
)
"""A connection that is lost: there will be no other one, or none while the test lasts."""

OUT_OF_BAND: Final[dict[str, Any]] = {"conversation": "none", "input": []}
"""Beside the conversation, and without its context."""


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


async def until_it_raises(stream: Any) -> tuple[list[Any], RealtimeError]:
    """What a stream gives, and then raises."""
    got, reader = [], aiter(stream)
    with pytest.raises(RealtimeError) as caught:
        while True:
            got.append(await anext(reader))
    return got, caught.value


async def speak(client: Client, words: str = "Hello?") -> None:
    """A turn of the user, which the VAD ends and the server answers; it has begun to by then."""
    await client.send_audio(spoken(words))
    await round_trip(client)


async def round_trip(client: Client) -> None:
    """Until the server has got all that was asked for, and all that it has said is here."""
    await client.input_audio_buffer.clear()


def tampered(tamper: Tamper, **habits: Any) -> SimulatorPolicy:
    """A fast server whose events are changed on their way out."""
    return SimulatorPolicy(pace="fast", tamper=tamper, **habits)


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


# -- ghosts: what speaks to nobody --------------------------------------------------------------

GHOST = "Boo! I am the ghost of a question. " * 12
GHOST_SCRIPT: dict[str, Sequence[str | Part]] = {
    "ghost": [GHOST],
    "living": ["I am alive,", "and well."],
    "short": ["Ours."],
}
GHOST_BRAIN = answers(GHOST_SCRIPT, otherwise="Theirs.")


def cancels_of(session: SimulatedSession) -> list[Any]:
    """The cancels that the server got."""
    return [one for one in session.received if isinstance(one, events.ResponseCancel)]


def created_of(happening: Any) -> list[str]:
    return [event.response.id for event in of_type(happening, "response.created")]


def done_of(happening: Any) -> dict[str, str]:
    """Status by response, as the server has sent them."""
    ended = [event.response for event in of_type(happening, "response.done")]
    return {response.id: response.status for response in ended}
