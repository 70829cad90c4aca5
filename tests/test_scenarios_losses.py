"""N7, N9, N11, N14, N16: what is told when a connection is lost, and what does not lose it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any

import anyio
import pytest

from realtime_client import Client, Frame, Keepalive, tool
from realtime_client.errors import (
    ConnectionLost,
    InvalidServerEvent,
    ServerError,
    TraceFailed,
)
from realtime_client.events import InvalidEvent, UnknownEvent
from realtime_client.simulator import CallFunction, Question, Say, SimulatorPolicy
from realtime_client.simulator.brain import Answer
from tests.outages import (
    callers,
    disconnected,
    in_virtual_time,
    kinds,
    reconnected,
    talking,
)
from tests.scenarios import says
from tests.test_scenarios_config_callers import virtual

# -- N7 ---------------------------------------------------------------------------------------

REQUESTS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "update": lambda c: c.session.update(speed=1.25),
    "create": lambda c: c.response.create(),
    "aside": lambda c: c.response.create(conversation="none", input=[]),
    "say": lambda c: c.say("Hello.", remember=False),
    "text": lambda c: c.send_text("hello"),
    "delete": lambda c: c.conversation.item.delete("item_x"),
    "retrieve": lambda c: c.conversation.item.retrieve("item_x"),
    "truncate": lambda c: c.conversation.item.truncate("item_x", audio_end_ms=0),
    "commit": lambda c: c.input_audio_buffer.commit(),
    "clear": lambda c: c.input_audio_buffer.clear(),
}
"""Everything that the server answers."""


async def test_N7_whoever_waits_for_an_answer_is_told_of_the_loss_at_once() -> None:
    async with talking(reconnect=None) as (client, server, _), callers() as calls:
        sent, session = client.sent(), server.sessions[0]
        server.connections[0].stall(inf)
        for name, request in REQUESTS.items():
            calls.call(name, partial(request, client))
            await anext(sent)
        server.connections[0].drop()
        for name in REQUESTS:
            error = await calls.outcome(name)
            assert type(error) is ConnectionLost, name
            assert (error.uncertain, error.close_code) == (True, None), name
        assert kinds(session) == ["session.update"], "the server has seen none of it"


@virtual
async def test_N7_what_was_never_written_is_certainly_not_done() -> None:
    async with in_virtual_time(reconnect=None) as (client, server, _), callers() as calls:
        server.connections[0].stall(inf, writes=False)
        for name in ("update", "append", "retrieve", "create", "text", "clear"):
            if name == "append":
                await client.input_audio_buffer.append(
                    bytes(300_000)
                )  # more than there is room for
            else:
                calls.call(name, partial(REQUESTS[name], client))
            await anyio.sleep(1.0)
        server.connections[0].drop()
        dropped = anyio.current_time()
        # The socket was taking the second of them, and nobody knows how far that came.
        for name, uncertain in {
            "update": True,
            "retrieve": True,
            "create": False,
            "text": False,
            "clear": False,
        }.items():
            assert (await calls.outcome(name)).uncertain is uncertain, name
        assert anyio.current_time() == dropped


# -- N9 ---------------------------------------------------------------------------------------


async def test_N9_a_half_open_connection_is_found_within_its_time() -> None:
    keepalive = Keepalive(interval=0.1, timeout=0.1)
    async with talking(keepalive=keepalive) as (client, server, changes), callers() as calls:
        for _ in range(3):
            await client.session.update(instructions=f"At {anyio.current_time()}.")
        server.connections[0].freeze()
        start = anyio.current_time()
        calls.call("update", lambda: client.session.update(speed=1.25))
        lost = (await disconnected(changes)).error
        assert anyio.current_time() - start < 2.0
        assert "keepalive" in str(lost)
        assert isinstance(lost, ConnectionLost)
        assert lost.close_code is None
        assert (await calls.outcome("update")).uncertain
        await reconnected(changes)
        await client.send_text("hello")
        assert len(server.connections) == 2


async def test_N9_without_keepalive_nobody_finds_it() -> None:
    keepalive = Keepalive(interval=None, timeout=None)
    async with talking(keepalive=keepalive) as (client, server, changes):
        server.connections[0].freeze()
        with anyio.move_on_after(0.5):
            await disconnected(changes)
        assert client.is_connected


@virtual
async def test_N9_a_server_that_is_only_slow_is_not_half_open() -> None:
    async with in_virtual_time(keepalive=20.0) as (client, server, changes):
        start = anyio.current_time()
        server.connections[0].stall(19.0)
        await client.send_text("hello")
        assert anyio.current_time() == start + 19.0
        assert changes.held == 0
        server.connections[0].stall(inf)
        await disconnected(changes)
        assert anyio.current_time() == start + 39.0


# -- N11 --------------------------------------------------------------------------------------

GARBAGE = [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe\x00", b'{"type": 7}', b"{}", b"nonsense"]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
async def test_N11_frames_that_are_no_events_are_survived_and_reported(binary: bool) -> None:
    async with talking() as (client, server, changes):
        errors, happening = client.errors(), client.events()
        for garbage in GARBAGE:
            server.connections[0].say(garbage, binary=binary)
        await client.send_text("still there")
        for garbage in GARBAGE:
            assert isinstance(await anext(errors), InvalidServerEvent)
            frame = await anext(happening)
            assert frame.raw == garbage
            assert isinstance(frame.event, InvalidEvent)
        assert errors.held == changes.held == 0
        assert len(server.connections) == 1


async def test_N11_bytes_that_are_no_frames_cost_the_connection_and_not_the_session() -> None:
    async with talking(instructions="Stay.") as (client, server, changes):
        await client.send_text("hello")
        server.connections[0].write(b"\xff\xff\xff half a frame")
        assert isinstance((await disconnected(changes)).error, ConnectionLost)
        await reconnected(changes)
        assert server.sessions[1].conversation.told == (("user", "hello"),)


async def test_N11_a_trace_that_raises_is_reported() -> None:
    def trace(direction: str, frame: Frame) -> None:
        if frame.type == "conversation.item.added":
            raise ZeroDivisionError

    async with talking(trace=trace) as (client, server, changes):
        errors = client.errors()
        await client.send_text("still there")
        assert isinstance(await anext(errors), TraceFailed)
        server.connections[0].drop()
        await reconnected(changes)
        assert isinstance(await anext(errors), TraceFailed), "also while it is restored"


async def test_N11_a_tool_that_raises_is_answered() -> None:
    @tool
    def broken() -> str:
        """Break."""
        raise ZeroDivisionError

    def brain(question: Question) -> Answer:
        return [Say("Oh.")] if question.source == "tool" else [CallFunction("broken", {})]

    async with talking(brain=brain, tools=[broken]) as (client, _, changes):
        response = await client.response.create()
        followed = await response.follow_up()
        assert followed is not None
        await followed.done()
        assert followed.transcript == "Oh."
        assert changes.held == 0


async def test_N11_an_error_of_nobodys_is_told_and_ends_nothing() -> None:
    async with talking() as (client, server, changes):
        errors = client.errors()
        server.connections[0].say('{"type": "error", "error": {"code": "odd", "message": "Hm."}}')
        error = await anext(errors)
        assert isinstance(error, ServerError)
        assert error.name == "odd"
        await client.send_text("still there")
        assert changes.held == 0


# -- N14 --------------------------------------------------------------------------------------


async def test_N14_a_consumer_that_reads_nothing_does_not_cost_the_connection() -> None:
    """The server pings, and closes with 1011 where the last ping was not answered."""
    policy = SimulatorPolicy(pace="fast", keepalive=0.1)
    async with talking(policy, says("A long answer. " * 100)) as (client, server, changes):
        happening, responses = client.events(), client.responses()
        response = await client.response.create()
        message = await anext(aiter(response))
        await response.done()
        start = anyio.current_time()
        while anyio.current_time() < start + 1.0:  # ten pings
            await client.session.update(instructions=f"At {anyio.current_time()}.")
        assert happening.held > 16, "frames that nobody has read"
        assert (responses.held, message.audio.held > 0) == (1, True)
        assert (changes.held, server.connections[0].ended) == (0, None)


@virtual
async def test_N14_a_consumer_that_comes_back_finds_everything() -> None:
    async with in_virtual_time(brain=says("A long answer. " * 50)) as (client, _, _):
        happening = client.events()
        response = await client.response.create()
        await response.done()
        await anyio.sleep(600.0)
        frames = [await anext(happening) for _ in range(len(happening._items))]
        assert len(frames) > 100
        assert frames[-1].type == "response.done"


# -- N16 --------------------------------------------------------------------------------------


async def test_N16_an_unknown_event_is_itself_with_all_that_it_says() -> None:
    raw = b'{"type": "session.mood", "event_id": "e", "mood": {"valence": 0.5}}'
    async with talking() as (client, server, changes):
        happening, orphans, errors = client.events(), client.orphans(), client.errors()
        server.connections[0].say(raw)
        frame = await anext(happening)
        assert frame.raw == raw
        assert isinstance(frame.event, UnknownEvent)
        assert frame.type == frame.event.type == "session.mood"
        assert frame.event.raw == raw
        await client.send_text("still there")
        assert (orphans.held, errors.held, changes.held) == (0, 0, 0)
