"""The proxy that harms connections: exact without faults, and each fault does what it says."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from realtime_client.simulator import SimulatorPolicy, serve
from tests.chaos import ChaosProxy, chaos_proxy
from tests.faults import (
    CLASSES,
    MEAN,
    At,
    Corrupt,
    Cut,
    Delay,
    Direction,
    Fault,
    Happened,
    Often,
    Planned,
    Stall,
    Throttle,
    often,
    plan,
)
from tests.test_simulator_serve import connected, living_tasks

GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


async def read_all(stream: SocketStream) -> tuple[bytes, bool]:
    """Everything until the end, and whether that was a FIN and no reset."""
    data = bytearray()
    while True:
        try:
            data += await stream.receive()
        except anyio.EndOfStream:
            return bytes(data), True
        except anyio.BrokenResourceError:
            return bytes(data), False


@dataclass
class FarEnd:
    """A TCP server that notes what it gets and at once says `answer`, or nothing with None."""

    answer: bytes | None = b""
    got: list[tuple[bytes, bool]] = field(default_factory=list)
    noted: anyio.Event = field(default_factory=anyio.Event)
    url: str = ""

    async def serve_one(self, stream: SocketStream) -> None:
        async def talk() -> None:
            with contextlib.suppress(*GONE):
                if self.answer is not None:
                    await stream.send(self.answer)
                    await stream.send_eof()

        async with stream, anyio.create_task_group() as tasks:
            tasks.start_soon(talk)
            self.got.append(await read_all(stream))
            self.noted.set()


@contextlib.asynccontextmanager
async def far_end(answer: bytes | None = b"") -> AsyncIterator[FarEnd]:
    end = FarEnd(answer)
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        end.url = f"ws://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/v1/realtime"
        tasks.start_soon(listener.serve, end.serve_one)
        yield end
        tasks.cancel_scope.cancel()


async def dial(proxy: ChaosProxy) -> SocketStream:
    return await anyio.connect_tcp("127.0.0.1", int(proxy.url.split(":")[2].split("/")[0]))


@dataclass
class Passed:
    """What came through: at the far end and at the near one, each whether it ended by FIN."""

    up: tuple[bytes, bool]
    down: tuple[bytes, bool]
    seconds: float
    happened: list[Happened]


async def exchange(
    up: bytes,
    down: bytes,
    faults: Sequence[Planned] = (),
    *,
    most: int = 1_000,
    seconds: float = 60.0,
) -> Passed:
    """Send `up` and get `down` at the same time, through a proxy."""
    async with (
        far_end(down) as end,
        chaos_proxy(end.url, faults, most=most, seconds=seconds) as proxy,
    ):
        start = anyio.current_time()

        async def talk(stream: SocketStream) -> None:
            with contextlib.suppress(*GONE):
                await stream.send(up)
                await stream.send_eof()

        with anyio.fail_after(10):
            async with await dial(proxy) as stream, anyio.create_task_group() as tasks:
                tasks.start_soon(talk, stream)
                got = await read_all(stream)
            await end.noted.wait()
        return Passed(end.got[0], got, anyio.current_time() - start, proxy.happened)


# -- the plan ---------------------------------------------------------------------------------


def first(
    count: int,
    faults: Sequence[Planned],
    seed: int = 1,
    connection: int = 1,
    direction: Direction = "up",
) -> list[tuple[int, Fault]]:
    return list(itertools.islice(plan(faults, seed, connection, direction), count))


def test_a_seed_gives_the_same_faults_again() -> None:
    faults = [often(Stall()), often(Cut())]
    assert first(50, faults, 7, 3, "up") == first(50, faults, 7, 3, "up")


@pytest.mark.parametrize("other", [(8, 3, "up"), (7, 4, "up"), (7, 3, "down")])
def test_seed_connection_and_direction_each_make_a_difference(
    other: tuple[int, int, Direction],
) -> None:
    faults: list[Planned] = [often(Stall())]
    assert first(50, faults, *other) != first(50, faults, 7, 3, "up")


def test_faults_come_as_often_as_they_are_said_to() -> None:
    offsets = [offset for offset, _ in first(2_000, [Often(Cut(), 1_000)])]
    assert offsets == sorted(offsets)
    assert offsets[-1] / 2_000 == pytest.approx(1_000, rel=0.1)


def test_faults_of_several_kinds_are_in_order_and_none_is_lost() -> None:
    faults: list[Planned] = [Often(Cut(), 1_000), Often(Stall(), 500), At(700, Delay())]
    both = first(300, faults)
    assert [offset for offset, _ in both] == sorted(offset for offset, _ in both)
    assert (700, Delay()) in both
    kinds = [type(fault) for _, fault in both]
    assert kinds.count(Stall) == pytest.approx(200, abs=30)


def test_faults_of_one_rate_do_not_come_together() -> None:
    offsets = [offset for offset, _ in first(200, [Often(Cut(), 1_000), Often(Stall(), 1_000)])]
    assert len(set(offsets)) > 190


def test_a_fault_at_an_offset_is_where_it_was_said_to_be() -> None:
    faults = [At(5, Cut()), At(6, Stall(), "down"), At(7, Delay(), "up", connection=2)]
    assert first(9, faults, 1, 1, "up") == [(5, Cut())]
    assert first(9, faults, 1, 1, "down") == [(6, Stall())]
    assert first(9, faults, 1, 2, "up") == [(5, Cut()), (7, Delay())]


@pytest.mark.parametrize("fault", CLASSES.values(), ids=CLASSES)
def test_every_class_has_a_rate(fault: Fault) -> None:
    assert often(fault) == Often(fault, MEAN[type(fault)])


# -- nothing goes wrong -----------------------------------------------------------------------


async def test_without_faults_every_byte_passes() -> None:
    up, down = noise(700_001), noise(900_003, seed=2)
    passed = await exchange(up, down)
    assert passed.up == (up, True)
    assert passed.down == (down, True)
    assert passed.happened == []


async def test_an_end_of_one_direction_leaves_the_other() -> None:
    async with far_end(b"hello") as end, chaos_proxy(end.url) as proxy, await dial(proxy) as near:
        assert await read_all(near) == (b"hello", True)
        await near.send(b"still there")
        await near.send_eof()
        await end.noted.wait()
        assert end.got == [(b"still there", True)]


async def test_connections_are_counted_and_have_faults_of_their_own() -> None:
    faults = [At(0, Cut(), connection=2)]
    async with far_end(b"hello") as end, chaos_proxy(end.url, faults) as proxy:
        for number in (1, 2, 3):
            async with await dial(proxy) as near:
                await near.send(b"x")
                await near.send_eof()
                await read_all(near)
            assert proxy.connections == number
        assert [one.connection for one in proxy.happened] == [2]
    assert sorted(data for data, _ in end.got) == [b"", b"x", b"x"]


async def test_a_server_that_is_not_there_ends_the_connection() -> None:
    async with far_end() as end:
        pass
    async with chaos_proxy(end.url) as proxy, await dial(proxy) as near:
        with anyio.fail_after(5):
            assert (await read_all(near))[0] == b""


# -- each fault -------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 1, 65_537])
async def test_a_cut_by_fin_ends_both_directions_in_order(offset: int) -> None:
    up = noise(200_000)
    passed = await exchange(up, b"hello", [At(offset, Cut())])
    assert passed.up == (up[:offset], True)
    assert passed.down[1], "it was no reset"
    assert passed.happened == [Happened(1, "up", offset, Cut())]


async def test_a_cut_by_fin_is_no_reset_for_who_is_still_speaking() -> None:
    async with (
        far_end(None) as end,
        chaos_proxy(end.url, [At(10, Cut())]) as proxy,
        await dial(proxy) as near,
    ):
        await near.send(noise(200_000))
        with anyio.fail_after(5):
            assert await read_all(near) == (b"", True)
        for _ in range(3):  # what is said now is lost, and nobody minds
            await near.send(b"more")
            await anyio.wait_all_tasks_blocked()


async def test_a_cut_in_the_other_direction() -> None:
    down = noise(200_000)
    passed = await exchange(b"", down, [At(12_345, Cut(), "down")])
    assert passed.down == (down[:12_345], True)


async def test_a_cut_by_reset_is_felt_as_one_at_both_ends() -> None:
    async with far_end(None) as end, chaos_proxy(end.url, [At(3, Cut(reset=True))]) as proxy:
        async with await dial(proxy) as near:
            await near.send(b"abcdef")
            with anyio.fail_after(5):
                _, finished = await read_all(near)
                await end.noted.wait()
        assert not finished
        assert not end.got[0][1]
        assert proxy.count(Cut) == 1


async def test_a_cut_where_one_end_has_gone_already() -> None:
    async with far_end(None) as end, chaos_proxy(end.url, [At(1, Cut())]) as proxy:
        near = await dial(proxy)
        await near.send(b"ab")
        await anyio.aclose_forcefully(near)
        with anyio.fail_after(5):
            await end.noted.wait()
        await anyio.wait_all_tasks_blocked()
        async with await dial(proxy):
            pass
        assert proxy.connections == 2, "the proxy is well"


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_stall_takes_its_time_and_loses_nothing(direction: Direction) -> None:
    data = noise(100_000)
    passed = await exchange(data, data, [At(40_000, Stall(0.05), direction)])
    assert passed.up == passed.down == (data, True)
    assert passed.seconds >= 0.05
    assert passed.happened == [Happened(1, direction, 40_000, Stall(0.05))]


async def test_a_throttle_slows_its_stretch_and_no_more() -> None:
    data = noise(1_000_000)
    passed = await exchange(data, b"", [At(10_000, Throttle(rate=400_000, length=20_000))])
    assert passed.up == (data, True)
    assert 0.05 <= passed.seconds < 1, "the whole of it would take 2.5 s"


async def test_a_delay_holds_what_comes() -> None:
    async with (
        far_end() as end,
        chaos_proxy(end.url, [At(2, Delay(seconds=0.02, length=3))]) as proxy,
        await dial(proxy) as near,
    ):
        start = anyio.current_time()
        await near.send(b"abcdefgh")
        await near.send_eof()
        await end.noted.wait()
        assert end.got == [(b"abcdefgh", True)]
        assert anyio.current_time() - start >= 0.02


async def test_corruption_flips_one_bit_of_each_byte_of_its_stretch() -> None:
    data = noise(100_000)
    passed = await exchange(data, data, [At(16_380, Corrupt(length=9))])
    assert passed.down == (data, True)
    got, finished = passed.up
    assert finished
    assert len(got) == len(data)
    wrong = {i: a ^ b for i, (a, b) in enumerate(zip(data, got, strict=True)) if a != b}
    assert list(wrong) == list(range(16_380, 16_389))
    assert all(bits.bit_count() == 1 for bits in wrong.values())


async def test_faults_of_one_moment_all_happen() -> None:
    data = noise(1_000)
    faults = [At(500, Corrupt()), At(500, Stall(0.001)), At(500, Throttle(length=10))]
    passed = await exchange(data, b"", faults)
    assert len(passed.happened) == 3
    assert len(passed.up[0]) == 1_000
    assert sum(a != b for a, b in zip(data, passed.up[0], strict=True)) == 1


# -- bounds -----------------------------------------------------------------------------------


async def test_there_are_so_many_faults_and_no_more() -> None:
    data = noise(50_000)
    passed = await exchange(data, b"", [Often(Corrupt(), 100)], most=5)
    assert len(passed.happened) == 5
    assert sum(a != b for a, b in zip(data, passed.up[0], strict=True)) == 5


async def test_there_are_faults_for_so_long_and_no_longer() -> None:
    data = noise(50_000)
    passed = await exchange(data, b"", [Often(Corrupt(), 100)], seconds=0)
    assert passed.happened == []
    assert passed.up == (data, True)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files are counted in /proc")
@pytest.mark.parametrize("fault", [None, Cut(), Cut(reset=True), Stall(60)])
async def test_nothing_is_left(fault: Fault | None) -> None:
    async with far_end() as end:
        await anyio.wait_all_tasks_blocked()
        tasks, files = living_tasks(), descriptors()
        faults = [] if fault is None else [At(1, fault)]
        with anyio.fail_after(5):
            async with chaos_proxy(end.url, faults) as proxy, await dial(proxy) as near:
                await near.send(b"abc")
                await anyio.wait_all_tasks_blocked()
            await end.noted.wait()
            while living_tasks() > tasks:  # noqa: ASYNC110 - of the far end, which is not ours
                await anyio.sleep(0.001)
        assert living_tasks() == tasks
        assert descriptors() == files


async def test_the_exception_of_the_block_comes_out_as_it_is() -> None:
    async with far_end() as end:
        with pytest.raises(KeyError):
            async with chaos_proxy(end.url) as proxy, await dial(proxy):
                raise KeyError("mine")


# -- before a simulator -----------------------------------------------------------------------


async def test_a_conversation_through_it_is_a_conversation() -> None:
    async with (
        serve(SimulatorPolicy(pace="fast")) as server,
        chaos_proxy(server.url, [Often(Stall(0.002), 2_000)]) as proxy,
        connected(f"{proxy.url}?model=m") as peer,
    ):
        assert proxy.url.endswith("/v1/realtime")
        await peer.next()
        await peer.send("response.create")
        assert (await peer.until("response.done"))[-1]["response"]["status"] == "completed"
        assert proxy.count(Stall) > 0
