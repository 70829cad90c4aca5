"""The states that a client can be in, how each is come to, and what is left when it is ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from realtime_client import Client, Endpoint, Rollover, tool
from realtime_client.errors import ClientClosed, ConnectionLost, RealtimeError
from realtime_client.reconnect import Reconnect
from realtime_client.simulator import (
    Brain,
    CallFunction,
    Freeze,
    Ignore,
    Refuse,
    Server,
    SimulatorPolicy,
    echo,
    serve,
)
from tests.outages import AT_ONCE, FAST, Held, failing, kinds, reconnected, sure, until
from tests.scenarios import says
from tests.test_simulator_serve import living_tasks

BOUND = 5.0
"""Seconds. The close handshake has 0.2 s here, and every other wait is for ever."""

LATER = Reconnect(first=60.0, longest=60.0, total=600.0)
NOW_OR_NEVER = Rollover(age=0.0001, window=600.0)
"""Changes connections as soon as it is quiet."""


def hangs_after(times: int) -> Callable[[], Awaitable[str]]:
    """A provider of credentials that hangs when it has given so many."""
    given: list[str] = []

    async def provider() -> str:
        if len(given) >= times:
            await anyio.sleep_forever()
        given.append("token")
        return "token"

    return provider


@tool
async def endless() -> str:
    """Never return."""
    await anyio.sleep_forever()
    return "never"


@dataclass(frozen=True)
class State:
    """A state: the server and the client that come to it, and how they do.

    `reach` is given an open client; without it the client is on its way to open, and has come
    there when `is_there`.
    """

    policy: Callable[[], SimulatorPolicy] = lambda: FAST
    brain: Brain = echo
    options: dict[str, Any] = field(default_factory=dict)
    is_there: Callable[[Server], bool] = lambda server: True
    reach: Callable[[Client, Server], Awaitable[None]] | None = None
    provider: Callable[[], Callable[[], Awaitable[str]]] | None = None


async def idle(client: Client, server: Server) -> None:
    """It is open, and nothing goes on."""


async def dropped_first(client: Client, server: Server) -> None:
    server.connections[0].drop()
    await until(lambda: not client.is_connected)


async def dropped_and_tried(client: Client, server: Server) -> None:
    await dropped_first(client, server)
    await until(lambda: len(server.handshakes) == 2)


async def restoring(client: Client, server: Server) -> None:
    await client.send_text("hello")
    await dropped_and_tried(client, server)
    await until(lambda: len(server.sessions) == 2)
    await until(lambda: "conversation.item.create" in kinds(server.sessions[1]))


async def standby_opening(client: Client, server: Server) -> None:
    await until(lambda: len(server.handshakes) == 2)


async def standby_open(client: Client, server: Server) -> None:
    await client.input_audio_buffer.append(bytes(9_600))
    await until(lambda: len(server.sessions) == 2)
    await until(lambda: kinds(server.sessions[1]) == ["session.update"])


async def saying_goodbye(client: Client, server: Server) -> None:
    """To one that does not answer, while another one is in force."""
    server.connections[0].stall(inf)
    await reconnected(client.connections())


async def half_open(client: Client, server: Server) -> None:
    server.connections[0].freeze()


async def stuck(client: Client, server: Server) -> None:
    server.connections[0].stall(inf, writes=False)
    with anyio.move_on_after(0.2):
        while True:
            await client.input_audio_buffer.append(bytes(4_000_000))


async def answering(client: Client, server: Server) -> None:
    response = await client.response.create()
    await anext(aiter(response))


async def in_a_tool(client: Client, server: Server) -> None:
    await (await client.response.create()).done()
    await anyio.lowlevel.checkpoint()


def fast(**habits: Any) -> Callable[[], SimulatorPolicy]:
    return lambda: SimulatorPolicy(pace="fast", **habits)


STATES: dict[str, State] = {
    "asking for a credential": State(provider=lambda: hangs_after(0)),
    "in the handshake": State(
        fast(mishaps=(Ignore(upgrade=False),)), is_there=lambda server: len(server.handshakes) == 1
    ),
    "before session.created": State(
        fast(mishaps=(Ignore(),)), is_there=lambda server: len(server.connections) == 1
    ),
    "frozen from the start": State(
        fast(mishaps=(Freeze(),)), is_there=lambda server: len(server.connections) == 1
    ),
    "before session.updated": State(
        fast(no_answer=frozenset({1})),
        is_there=lambda server: bool(server.sessions) and bool(kinds(server.sessions[0])),
    ),
    "in the pause before it opens": State(
        fast(mishaps=(Refuse(503),)),
        options={"reconnect": Reconnect(first=60.0, total=600.0, opening=True)},
        is_there=lambda server: len(server.handshakes) == 1,
    ),
    "idle": State(reach=idle),
    "answering": State(SimulatorPolicy, says("Long. " * 200), reach=answering),
    "in a tool": State(
        brain=lambda question: [CallFunction("endless", {})],
        options={"tools": [endless]},
        reach=in_a_tool,
    ),
    "half-open": State(reach=half_open),
    "stuck in the socket": State(reach=stuck),
    "in the backoff": State(options={"reconnect": LATER}, reach=dropped_first),
    "asking for the next credential": State(provider=lambda: hangs_after(1), reach=dropped_first),
    "in the next handshake": State(
        fast(mishaps=(None, Ignore(upgrade=False))), reach=dropped_and_tried
    ),
    "before the next session.created": State(
        fast(mishaps=(None, Ignore())), reach=dropped_and_tried
    ),
    "restoring": State(
        lambda: SimulatorPolicy(pace="fast", tamper=Held("conversation.item.added", after=1)),
        reach=restoring,
    ),
    "standby in its handshake": State(
        fast(mishaps=(None, Ignore(upgrade=False))),
        options={"rollover": NOW_OR_NEVER},
        reach=standby_opening,
    ),
    "standby before session.created": State(
        fast(mishaps=(None, Ignore())),
        options={"rollover": NOW_OR_NEVER},
        reach=standby_opening,
    ),
    "standby open": State(options={"rollover": Rollover(age=0.3)}, reach=standby_open),
    "saying goodbye": State(options={"rollover": Rollover(age=0.3)}, reach=saying_goodbye),
}

OPENING = [name for name, state in STATES.items() if state.reach is None]
OPEN = [name for name, state in STATES.items() if state.reach is not None]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


class Owner:
    """Whoever has the block, and what becomes of it."""

    def __init__(self, state: State, server: Server) -> None:
        endpoint = Endpoint(server.url, api_key=state.provider() if state.provider else None)
        options = {"reconnect": AT_ONCE, "rollover": None, "turn_detection": None, **state.options}
        self.client = Client(endpoint=endpoint, close_timeout=0.2, open_timeout=600.0, **options)
        self.state, self.server = state, server
        self.scope = anyio.CancelScope()
        self.there, self.leave, self.left = anyio.Event(), anyio.Event(), anyio.Event()
        self.entered = False
        self.handshakes = 0
        self.fails: Exception | None = None
        """What the block raises when it is left."""
        self.raised: BaseException | None = None

    async def run(self) -> None:
        try:
            with self.scope:
                async with self.client:
                    self.entered = True
                    assert self.state.reach is not None
                    await self.state.reach(self.client, self.server)
                    self.there.set()
                    await self.leave.wait()
                    if self.fails is not None:
                        raise self.fails
        except (RealtimeError, ZeroDivisionError, asyncio.CancelledError) as error:
            self.raised = error
        finally:
            self.left.set()

    async def until_there(self) -> None:
        if self.state.reach is not None:
            await self.there.wait()
        else:
            await until(lambda: self.state.is_there(self.server))
            # What comes after the last thing that the server has seen of it.
            for _ in range(20):
                await anyio.lowlevel.checkpoint()


async def all_have_ended(server: Server) -> None:
    """Every connection that can know of it."""
    hearing = [one for one in server.connections if one.deaf_until is None]
    await until(lambda: all(one.ended is not None for one in hearing))


async def ends(name: str, end: Callable[[Owner], Awaitable[None]]) -> Owner:
    """Bring an owner to a state, and end it: in time, and with nothing left."""
    state = STATES[name]
    tasks, files = living_tasks(), open_files()
    async with serve(state.policy(), state.brain) as server:
        owner = Owner(state, server)
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(owner.run, name="owner")
                await owner.until_there()
                begun = anyio.current_time()
                await end(owner)
                await owner.left.wait()
                assert anyio.current_time() - begun < BOUND
        seen = len(server.handshakes)
        owner.handshakes = seen
        await all_have_ended(server)
        if state.reach in (idle, answering, in_a_tool, standby_opening, standby_open):
            assert sure(server.connections[0].ended).code == 1000
        error = await failing(owner.client.send_text("x"))
        assert isinstance(error, ClientClosed | ConnectionLost)
        assert len(server.handshakes) == seen
    await until(lambda: living_tasks() <= tasks)
    await until(lambda: open_files() <= files)
    return owner


async def aclose(owner: Owner) -> None:
    """From another task."""
    await owner.client.aclose()
    await all_have_ended(owner.server)
    owner.leave.set()


async def aclose_often(owner: Owner) -> None:
    """From several tasks, and then again."""
    async with anyio.create_task_group() as group:
        group.start_soon(owner.client.aclose)
        group.start_soon(owner.client.aclose)
    await aclose(owner)


async def leave(owner: Owner) -> None:
    owner.leave.set()


async def fail(owner: Owner) -> None:
    owner.fails = ZeroDivisionError("mine")
    owner.leave.set()


async def cancel(owner: Owner) -> None:
    owner.scope.cancel()


async def cancel_natively(owner: Owner) -> None:
    (task,) = (one for one in asyncio.all_tasks() if one.get_name() == "owner")
    task.cancel()
