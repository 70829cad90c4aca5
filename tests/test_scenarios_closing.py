"""Closing and being cancelled, in every state: bounded in time, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from realtime_client import Client, Frame, Rollover, tool
from realtime_client.errors import ClientClosed
from realtime_client.reconnect import Reconnect
from realtime_client.simulator import (
    Answer,
    CallFunction,
    MemoryServer,
    Question,
    serve,
)
from tests.outages import (
    AT_ONCE,
    FAST,
    URL,
    failing,
    in_virtual_time,
    reconnected,
    remote,
    sure,
    until,
)
from tests.scenarios import says
from tests.states import (
    BOUND,
    OPEN,
    OPENING,
    STATES,
    aclose,
    aclose_often,
    cancel,
    cancel_natively,
    ends,
    fail,
    leave,
)
from tests.test_scenarios_config_callers import virtual
from tests.test_simulator_serve import living_tasks


@pytest.mark.parametrize("name", OPENING)
async def test_aclose_from_another_task_ends_an_opening(name: str) -> None:
    owner = await ends(name, aclose)
    assert not owner.entered
    assert owner.handshakes <= 1
    assert type(owner.raised) is ClientClosed


@pytest.mark.parametrize("name", OPEN)
async def test_aclose_from_another_task_is_bounded_in_every_state(name: str) -> None:
    owner = await ends(name, aclose)
    assert owner.entered
    assert owner.raised is None


@pytest.mark.parametrize("name", ["idle", "half-open", "in the backoff", "standby open"])
async def test_a_second_aclose_does_nothing(name: str) -> None:
    assert (await ends(name, aclose_often)).raised is None


@virtual
@pytest.mark.parametrize("lost", [True, False], ids=["in the backoff", "before the rollover"])
async def test_nothing_is_tried_after_aclose(lost: bool) -> None:
    again = Reconnect(first=10.0, longest=10.0)
    async with in_virtual_time(rollover=Rollover(age=100.0), reconnect=again) as (
        client,
        server,
        _,
    ):
        if lost:
            server.connections[0].drop()
            await anyio.sleep(1.0)
        await client.aclose()
        await anyio.sleep(1_000.0)
        assert len(server.handshakes) == 1
        assert sure(server.connections[0].ended).code == (None if lost else 1000)


@pytest.mark.parametrize("name", ["idle", "half-open", "in the backoff", "standby open"])
async def test_leaving_the_block_is_bounded_in_every_state(name: str) -> None:
    assert (await ends(name, leave)).raised is None


@pytest.mark.parametrize("name", ["idle", "answering", "in the backoff", "standby open"])
async def test_what_the_block_raises_comes_out_as_it_is(name: str) -> None:
    owner = await ends(name, fail)
    assert owner.raised is owner.fails
    assert isinstance(owner.raised, ZeroDivisionError)


@pytest.mark.parametrize("name", STATES)
async def test_cancellation_is_safe_in_every_state(name: str) -> None:
    owner = await ends(name, cancel)
    assert owner.scope.cancelled_caught
    assert owner.raised is None


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("name", STATES)
async def test_the_cancellation_of_asyncio_is_safe_in_every_state(name: str) -> None:
    owner = await ends(name, cancel_natively)
    assert isinstance(owner.raised, asyncio.CancelledError)
    assert not owner.scope.cancelled_caught


async def test_a_tool_may_close_the_client_that_runs_it() -> None:
    closed = anyio.Event()

    @tool
    async def goodbye() -> str:
        """Hang up."""
        await client.aclose()
        closed.set()
        return "bye"

    def brain(question: Question) -> Answer:
        return [CallFunction("goodbye", {})]

    with anyio.fail_after(BOUND):
        async with serve(FAST, brain) as server:
            client = Client(endpoint=server.url, tools=[goodbye], close_timeout=0.2)
            async with client:
                await client.response.create()
                await closed.wait()
                assert type(await failing(client.send_text("x"))) is ClientClosed


# -- at every moment --------------------------------------------------------------------------


class Moment:
    """A `trace` that does something at one frame of a session, whichever that is."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.act: Callable[[], object] = lambda: None

    def __call__(self, direction: str, frame: Frame) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


async def live(client: Client, server: MemoryServer) -> None:
    """A text, a loss, another text, a change of connections, a response."""
    async with client:
        changes = client.connections()
        await client.send_text("one")
        server.connections[-1].drop()
        await reconnected(changes)
        await client.send_text("two")
        await reconnected(changes)
        await (await client.response.create()).done()


FRAMES = 40
"""More than such a life has."""


@virtual
@pytest.mark.parametrize("end", ["cancel", "aclose"])
async def test_the_end_can_come_at_any_frame(end: str) -> None:
    tasks, lived = living_tasks(), 0
    for number in range(1, FRAMES):
        server, scope = remote(brain=says("Hi.")), anyio.CancelScope()
        with anyio.fail_after(1_000):
            async with anyio.create_task_group() as group:
                moment = Moment(number)
                client = Client(
                    endpoint=URL,
                    connect=server.connect,
                    instructions="x",
                    reconnect=AT_ONCE,
                    rollover=Rollover(age=5.0),
                    trace=moment,
                )
                close = partial(group.start_soon, client.aclose)
                moment.act = scope.cancel if end == "cancel" else close
                with scope, contextlib.suppress(ClientClosed):
                    await live(client, server)
                    lived += 1
        assert scope.cancelled_caught is (end == "cancel" and moment.left <= 0)
        assert all(one.ended is not None for one in server.connections), number
        assert isinstance(await failing(client.send_text("x")), ClientClosed)
        await until(lambda: living_tasks() == tasks)
    assert 0 < lived < FRAMES / 2
