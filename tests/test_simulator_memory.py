"""The in-memory connection, on asyncio and trio, with the loop's clock and by hand."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from realtime_client.simulator import (
    Answer,
    Hello,
    ManualClock,
    MemoryServer,
    MemoryTransport,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
    listen,
)
from tests.simulated import PCM, audio

pytestmark = pytest.mark.anyio


class Over(Exception):
    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(code, reason)


def connection(clock: ManualClock | None = None, **policy: Any) -> MemoryTransport:
    session = SimulatedSession(SimulatorPolicy(**policy), long_answer)
    return MemoryTransport(session, closed=Over, clock=clock)


def long_answer(question: Question) -> Answer:
    return [Say("A sentence of more than a second.")]


def event(wire_type: str, **fields: Any) -> bytes:
    return msgspec.json.encode({"type": wire_type, **fields})


async def next_type(transport: MemoryTransport) -> str:
    return str(msgspec.json.decode(await transport.receive())["type"])


async def until(transport: MemoryTransport, wire_type: str) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != wire_type:
        frames.append(msgspec.json.decode(await transport.receive()))
    return frames


async def settle() -> None:
    """Let every other task run until it waits."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_a_conversation() -> None:
    transport = connection(pace="fast")
    assert await next_type(transport) == "session.created"
    await transport.send(event("response.create"))
    frames = await until(transport, "response.done")
    assert listen(audio(frames), PCM.rate).text == "A sentence of more than a second."


async def test_receive_waits_for_what_a_send_causes() -> None:
    transport = connection(pace="fast")
    await next_type(transport)
    got: list[str] = []

    async def reader() -> None:
        got.append(await next_type(transport))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await settle()
        assert got == []
        await transport.send(event("input_audio_buffer.clear"))
    assert got == ["input_audio_buffer.cleared"]


async def test_time_moves_by_hand() -> None:
    clock = ManualClock()
    transport = connection(clock, pace="realtime")
    await next_type(transport)
    await transport.send(event("response.create"))
    got: list[str] = []

    async def reader() -> None:
        while not got or got[-1] != "response.done":
            got.append(await next_type(transport))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader)
            await settle()
            assert got.count("response.output_audio.delta") == 1
            for deltas, seconds in [(1, 0.09), (2, 0.02), (3, 0.39), (4, 0.41)]:
                clock.advance(seconds)
                await settle()
                assert got.count("response.output_audio.delta") == deltas
            clock.advance(60)
    assert got[-1] == "response.done"


async def test_the_loops_clock_wakes_the_receiver() -> None:
    transport = connection(pace="fast", created_after=0.01)
    await next_type(transport)
    await transport.send(event("response.create"))
    with anyio.fail_after(5):
        assert await next_type(transport) == "response.created"


@pytest.mark.parametrize("code", [1000, None])
async def test_closing_wakes_the_receiver_with_the_callers_exception(code: int | None) -> None:
    transport = connection()
    await next_type(transport)
    caught: list[Over] = []

    async def reader() -> None:
        try:
            await transport.receive()
        except Over as over:
            caught.append(over)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader)
            await settle()
            await transport.aclose(code)
            await transport.aclose()
    assert caught[0].args == (code, "")
    with pytest.raises(Over):
        await transport.send(event("input_audio_buffer.clear"))


async def test_the_servers_close_comes_after_its_words() -> None:
    clock = ManualClock()
    transport = connection(clock, expires_after=60)
    await next_type(transport)
    clock.advance(60)
    assert await next_type(transport) == "error"
    with pytest.raises(Over) as caught:
        await transport.receive()
    assert caught.value.args == (1001, "session_expired")


async def test_a_server_takes_connections_like_a_real_one() -> None:
    server = MemoryServer(SimulatorPolicy(api_keys=frozenset({"k"})), closed=Over)
    url = "wss://anywhere.test/v1/realtime?model=m"
    async with server.connect(url, {"Authorization": "Bearer k"}) as good:
        assert await next_type(good) == "session.created"
    with pytest.raises(Over):
        await good.receive()
    async with server.connect(url, {"Authorization": "Bearer x"}) as bad:
        assert await next_type(bad) == "error"
        with pytest.raises(Over) as caught:
            await bad.receive()
    assert caught.value.args[0] == 3000
    assert [session.settings.session.id for session in server.sessions] == ["sess_1", "sess_2"]


async def test_the_exception_of_the_block_comes_out_as_it_is() -> None:
    server = MemoryServer(closed=Over)
    with pytest.raises(KeyError):
        async with server.connect("/v1/realtime?model=m", {}):
            raise KeyError("x")


async def test_a_manual_clock_wakes_whose_time_has_come_and_nobody_else() -> None:
    clock, woken = ManualClock(5.0), list[float | None]()

    async def sleeper(deadline: float | None) -> None:
        await clock.wait(anyio.Event(), deadline)
        woken.append(deadline)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for deadline in (5.0, 6.0, 7.0, None):
                tasks.start_soon(sleeper, deadline)
            await settle()
            assert woken == [5.0]
            clock.advance(1.0)
            await settle()
            assert woken == [5.0, 6.0]
            clock.advance(0.5)
            await settle()
            assert woken == [5.0, 6.0]
            tasks.cancel_scope.cancel()


class CountingClock(ManualClock):
    waits = 0

    async def wait(self, wake: anyio.Event, deadline: float | None) -> None:
        self.waits += 1
        await super().wait(wake, deadline)


async def test_nothing_polls() -> None:
    clock = CountingClock()
    transport = connection(clock)
    await next_type(transport)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            await transport.send(event("input_audio_buffer.clear"))
            await next_type(transport)
            tasks.start_soon(transport.receive)
            await settle()
            assert clock.waits == 1
            tasks.cancel_scope.cancel()


async def test_a_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="back"):
        ManualClock().advance(-1)


async def test_a_refused_hello_is_heard() -> None:
    transport = MemoryTransport(SimulatedSession(hello=Hello()), closed=Over)
    assert await next_type(transport) == "error"
