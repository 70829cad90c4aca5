"""The in-memory connection, on asyncio and trio, with the loop's clock and by hand."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from realtime_client.errors import HandshakeRefused
from realtime_client.simulator import (
    Answer,
    Close,
    Drop,
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
from realtime_client.simulator.memory import BUFFER
from tests.simulated import PCM, audio
from tests.test_pacing import virtual

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


# --- what goes wrong with a connection -------------------------------------------------


URL = "/v1/realtime?model=m"
CLEAR = event("input_audio_buffer.clear")


async def over(transport: MemoryTransport) -> tuple[int | None, str]:
    """How the connection ends for who reads it; everything before that is read."""
    with pytest.raises(Over) as caught:
        while True:
            await transport.receive()
    return caught.value.args[0], caught.value.args[1]


@virtual
async def test_a_drop_wakes_the_receiver_and_ends_the_sender() -> None:
    transport = connection()
    await next_type(transport)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(over, transport)
        await anyio.wait_all_tasks_blocked()
        transport.connection.drop()
    with pytest.raises(Over):
        await transport.send(CLEAR)
    assert transport.connection.ended == (None, "")


@virtual
async def test_what_was_not_yet_read_goes_with_a_drop() -> None:
    transport = connection()
    transport.connection.drop()
    assert await over(transport) == (None, "")


@virtual
async def test_a_close_of_the_server_and_one_of_the_client() -> None:
    transport = connection()
    transport.connection.close(1008, "pool full", "server_busy")
    assert await next_type(transport) == "error"
    assert await over(transport) == transport.connection.ended == (1008, "pool full")
    transport = connection()
    await transport.aclose(1000, "bye")
    assert transport.connection.ended == (1000, "bye")


@virtual
async def test_a_frozen_connection_is_silent_until_the_client_gives_up() -> None:
    server = MemoryServer(SimulatorPolicy(expires_after=60), closed=Over, keepalive=40.0)
    async with server.connect(URL, {}) as transport:
        await next_type(transport)
        start = anyio.current_time()
        server.connections[0].freeze()
        await anyio.sleep(10)
        assert await over(transport) == (None, "keepalive ping timeout")
        assert anyio.current_time() == start + 40


@virtual
async def test_without_patience_that_ends_it_is_silent_for_ever() -> None:
    transport = connection(expires_after=60)
    await next_type(transport)
    transport.connection.freeze()
    with anyio.move_on_after(100_000) as scope:
        await transport.receive()
    assert scope.cancelled_caught


@virtual
async def test_a_stall_shorter_than_the_clients_patience_is_only_late() -> None:
    server = MemoryServer(closed=Over, keepalive=40.0)
    async with server.connect(URL, {}) as transport:
        await next_type(transport)
        start = anyio.current_time()
        server.connections[0].stall(39.0)
        await transport.send(CLEAR)
        assert server.sessions[0].received == deque()
        assert await next_type(transport) == "input_audio_buffer.cleared"
        assert anyio.current_time() == start + 39


@virtual
async def test_a_server_that_does_not_read_takes_so_much_and_then_holds_up_the_sender() -> None:
    transport = connection()
    await next_type(transport)
    transport.connection.stall(30.0, writes=False)
    start, frame = anyio.current_time(), b" " * (BUFFER // 4) + CLEAR
    for _ in range(4):
        await transport.send(frame)
    assert anyio.current_time() == start
    await transport.send(frame)
    assert anyio.current_time() == start + 30
    for _ in range(5):
        assert await next_type(transport) == "input_audio_buffer.cleared"


@virtual
async def test_a_server_that_does_not_read_hears_it_when_it_does() -> None:
    transport = connection()
    await next_type(transport)
    transport.connection.stall(5.0, writes=False)
    start = anyio.current_time()
    await transport.send(CLEAR)
    assert await next_type(transport) == "input_audio_buffer.cleared"
    assert anyio.current_time() == start + 5


@virtual
@pytest.mark.parametrize("how", ["drop", "aclose"])
async def test_a_sender_that_is_held_up_hears_of_the_end(how: str) -> None:
    transport = connection()
    transport.connection.freeze()

    async def send() -> None:
        with pytest.raises(Over):
            while True:
                await transport.send(b" " * BUFFER)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            if how == "drop":
                transport.connection.drop()
            else:
                await transport.aclose()


@virtual
async def test_garbage_comes_as_it_is_and_bytes_that_are_no_frame_end_it() -> None:
    transport = connection()
    await next_type(transport)
    transport.connection.say("{")
    transport.connection.say(b"\xff", binary=True)
    transport.connection.write(b"\x81\x7e")
    transport.connection.say("never")
    assert [await transport.receive() for _ in range(2)] == [b"{", b"\xff"]
    assert (await over(transport))[0] is None


@virtual
async def test_a_planned_end_comes_at_its_time() -> None:
    policy = SimulatorPolicy(mishaps=(Close(1011, "x", after=7.0), Drop(after=2.0)))
    server = MemoryServer(policy, closed=Over)
    for seconds, ending in ((7, (1011, "x")), (2, (None, ""))):
        async with server.connect(URL, {}) as transport:
            start = anyio.current_time()
            assert await over(transport) == ending
            assert anyio.current_time() == start + seconds


@virtual
async def test_a_call_of_ten_hours_with_two_connections_at_every_change() -> None:
    server = MemoryServer(SimulatorPolicy(keep_received=10), closed=Over, keep=3)
    start = anyio.current_time()
    async with contextlib.AsyncExitStack() as connections, anyio.create_task_group() as old:
        transport = await connections.enter_async_context(server.connect(URL, {}))
        for session in range(10):
            begun = anyio.current_time()
            assert begun == start + session * 59 * 60
            assert await next_type(transport) == "session.created"
            for minute in range(60):
                await anyio.sleep_until(begun + minute * 60)
                await transport.send(CLEAR)
                assert await next_type(transport) == "input_audio_buffer.cleared"
            new = await connections.enter_async_context(server.connect(URL, {}))
            old.start_soon(expires, transport, begun + 3600)
            transport = new
    assert len(server.sessions) == len(server.connections) == len(server.handshakes) == 3
    assert server.sessions[-1].settings.session.id == "sess_11"


async def expires(transport: MemoryTransport, when: float) -> None:
    await transport.send(CLEAR)
    assert await next_type(transport) == "input_audio_buffer.cleared"
    assert await next_type(transport) == "error"
    assert anyio.current_time() == when
    assert await over(transport) == (1001, "session_expired")


async def test_leaving_the_block_is_the_clients_close() -> None:
    server = MemoryServer(closed=Over)
    async with server.connect(URL, {}):
        assert server.connections[0].ended is None
    assert server.connections[0].ended == (1000, "")


async def test_a_path_without_an_api_is_not_found() -> None:
    server = MemoryServer(closed=Over)
    with pytest.raises(HandshakeRefused) as caught:
        async with server.connect("wss://anywhere.test/v1/chat", {}):
            pass
    assert caught.value.status == 404
    assert not server.sessions


async def test_a_refused_hello_is_heard() -> None:
    transport = MemoryTransport(SimulatedSession(hello=Hello()), closed=Over)
    assert await next_type(transport) == "error"
