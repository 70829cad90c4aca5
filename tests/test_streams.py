"""The two streams: what came before an end is read before the end."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from realtime_client.errors import ConnectionLost, SlowConsumer
from realtime_client.streams import FAIR, Bell, Kept, Once


def once(bound: int = 100) -> Once[bytes]:
    return Once("the audio", bound=bound, size=len)


async def collect(stream: Any) -> list[Any]:
    return [element async for element in stream]


async def test_kept_gives_every_reader_everything() -> None:
    stream: Kept[int] = Kept()
    early: list[int] = []

    async def read() -> None:
        early.extend(await collect(stream))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        for number in range(3):
            stream.push(number)
            await checkpoint()
        stream.end()
    assert early == [0, 1, 2]
    assert await collect(stream) == [0, 1, 2]


async def test_nothing_is_added_after_the_end_and_the_first_end_counts() -> None:
    stream: Kept[int] = Kept()
    stream.push(1)
    stream.end()
    stream.push(2)
    stream.end(ConnectionLost("later"))
    assert await collect(stream) == [1]


@pytest.mark.parametrize("make", [Kept, once])
async def test_an_error_comes_after_what_came(make: Any) -> None:
    stream = make()
    stream.push(b"1")
    stream.end(ConnectionLost("gone"))
    read, reader = [], aiter(stream)
    with pytest.raises(ConnectionLost, match="gone"):
        while True:
            read.append(await anext(reader))
    assert read == [b"1"]


async def test_once_hands_out_each_element_once_to_whoever_asks() -> None:
    stream = once()
    got: list[bytes] = []

    async def read() -> None:
        got.extend(await collect(stream))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(read)
        for number in range(10):
            stream.push(bytes([number]))
            await checkpoint()
        stream.end()
    assert sorted(got) == [bytes([number]) for number in range(10)]


async def test_once_counts_what_waits_and_fails_alone_past_its_bound() -> None:
    stream = once(bound=4)
    stream.push(b"12")
    stream.push(b"34")
    assert stream.held == 4
    assert await anext(stream) == b"12"
    assert stream.held == 2
    stream.push(b"56")
    stream.push(b"7")
    assert stream.held == 0
    with pytest.raises(SlowConsumer, match="the audio was not read and grew past 4 bytes"):
        await anext(stream)
    stream.push(b"8")
    assert stream.held == 0


async def test_leaving_the_block_lets_go_of_everything() -> None:
    with once() as stream:
        stream.push(b"1")
    stream.push(b"2")
    assert (stream.held, await collect(stream)) == (0, [])


async def test_a_cancelled_reader_loses_nothing() -> None:
    stream = once()
    with anyio.move_on_after(0):
        await anext(stream)
    stream.push(b"1")
    assert await anext(stream) == b"1"


@pytest.mark.parametrize("make", [Kept, once])
async def test_reading_what_is_there_lets_others_run_and_can_be_cancelled(make: Any) -> None:
    stream: Any = make() if make is Kept else once(bound=10_000)
    for _ in range(5 * FAIR):
        stream.push(b"1")
    reader, read = aiter(stream), 0
    with anyio.CancelScope() as scope:
        scope.cancel()
        while True:
            await anext(reader)
            read += 1
    assert read < FAIR
    if make is not Kept:
        assert stream.held == 5 * FAIR - read


async def test_a_bell_wakes_all_who_wait_and_nobody_later() -> None:
    bell, woken = Bell(), []

    async def wait(name: str) -> None:
        await bell.wait()
        woken.append(name)

    async with anyio.create_task_group() as tasks:
        for name in "ab":
            tasks.start_soon(wait, name)
        await anyio.wait_all_tasks_blocked()
        bell.ring()
        tasks.start_soon(wait, "c")
        await anyio.wait_all_tasks_blocked()
        assert sorted(woken) == ["a", "b"]
        bell.ring()
    assert sorted(woken) == ["a", "b", "c"]
