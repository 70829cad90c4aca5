"""Conversations through a network that cuts, stalls, throttles, delays and corrupts, by seeds."""

from __future__ import annotations

import gc
import os
import ssl as tls
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
import trustme

from realtime_client.errors import RealtimeError
from realtime_client.reconnect import DROP, keep
from realtime_client.simulator import Server, SimulatorPolicy, serve
from tests.chaos import chaos_proxy
from tests.conversing import Account, Conversation, client_for
from tests.faults import CLASSES, Often, often
from tests.test_simulator_serve import living_tasks

POLICY = SimulatorPolicy(pace="fast")

AT_ONCE = 4
"""Conversations that are held at the same time: they wait more than they work."""


@dataclass(frozen=True)
class Weather:
    """A class of faults, and the share of the calls that succeed at its default rate.

    What delays bytes is survived. A cut ends what is on its way: a request that was written is
    never repeated, and a response ends with its connection. A flipped bit is seen by TLS, which
    ends the connection; without it nobody could know what was said.
    """

    name: str
    share: float
    secure: bool = False

    @property
    def faults(self) -> list[Often]:
        """What goes wrong, and how often."""
        names = CLASSES if self.name == "all" else [self.name]
        return [often(CLASSES[name]) for name in names]


WEATHER = (
    Weather("stall", 0.95),
    Weather("throttle", 0.95),
    Weather("delay", 0.95),
    Weather("fin", 0.90),
    Weather("reset", 0.90),
    Weather("corrupt", 0.90, secure=True),
    Weather("all", 0.80, secure=True),
)

MANY = 1_000
"""Conversations of the long test, over all weathers."""


@pytest.fixture(scope="module")
def certificates() -> tuple[tls.SSLContext, tls.SSLContext]:
    """What the server shows, and what the client trusts."""
    authority = trustme.CA()
    server = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = tls.create_default_context()
    authority.configure_trust(client)
    return server, client


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


async def converse(
    server: Server, url: str, number: int, client_tls: tls.SSLContext | None
) -> Account:
    """Hold one conversation; it ends in time, and so does everything that belongs to it."""
    audio = DROP if number % 2 else keep(60_000)
    with anyio.fail_after(60):
        async with client_for(url, audio=audio, ssl=client_tls) as client:
            conversation = Conversation(client, server, number)
            await conversation.hold(rounds=2)
            watch = client.events()
        with pytest.raises((StopAsyncIteration, RealtimeError)):
            while True:
                await anext(watch)
    return conversation.account


async def hold(
    weather: Weather,
    numbers: range,
    certificates: tuple[tls.SSLContext, tls.SSLContext],
) -> Account:
    """Hold these conversations, each behind a proxy of its own; returns the account of all."""
    total, waiting = Account(), list(reversed(numbers))
    server_tls, client_tls = certificates if weather.secure else (None, None)
    tasks_before, files_before = living_tasks(), open_files()

    async with serve(POLICY, ssl=server_tls, keep_sessions=1_000) as server:

        async def one_after_another() -> None:
            while waiting:
                number = waiting.pop()
                async with chaos_proxy(server.url, weather.faults, seed=number) as proxy:
                    total.add(await converse(server, proxy.url, number, client_tls))
                total.faults += len(proxy.happened)

        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(one_after_another)
    await anyio.lowlevel.checkpoint()
    gc.collect()
    assert living_tasks() == tasks_before
    assert open_files() == files_before
    return total


@pytest.mark.parametrize("weather", WEATHER, ids=lambda one: one.name)
async def test_a_few_conversations_in_bad_weather(
    weather: Weather, certificates: tuple[tls.SSLContext, tls.SSLContext]
) -> None:
    account = await hold(weather, range(4), certificates)
    assert account.faults
    assert account.share >= weather.share, account


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("weather", WEATHER, ids=lambda one: one.name)
async def test_a_thousand_conversations_in_bad_weather(
    weather: Weather, certificates: tuple[tls.SSLContext, tls.SSLContext]
) -> None:
    """So many in all, over the weathers."""
    each = -(-MANY // len(WEATHER))
    account = await hold(weather, range(100, 100 + each), certificates)
    assert account.faults
    assert account.share >= weather.share, account
    print(weather.name, account)


async def test_flipped_bits_that_nobody_can_see() -> None:
    """Without TLS a flipped bit may say anything. Nothing but errors of the tree comes of it."""
    faults = [Often(CLASSES["corrupt"], 20_000)]
    happened = 0
    async with serve(POLICY) as server:
        for number in range(8):
            async with chaos_proxy(server.url, faults, seed=number) as proxy:
                with anyio.fail_after(60), suppress(RealtimeError):
                    async with client_for(proxy.url, audio=DROP) as client:
                        await Conversation(client, server, number, exact=False).hold(rounds=2)
            happened += len(proxy.happened)
    assert happened
