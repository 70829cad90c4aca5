"""Devices whose calls take their time, and callers who do not wait for them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from realtime_client.devices import DeviceError, Microphone, Speaker
from realtime_client.devices.threads import Switch
from tests.outages import until
from tests.test_devices import FakeSound, FakeStream

TENTH = bytes(4_800)
"""100 ms at 24 kHz."""

asyncio_only = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""Its own cancellation ends what anyio shields."""


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> FakeSound:
    fake = FakeSound()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


class Slow:
    """A call of the library that takes until it is told to go on."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, **options: Any) -> Any:
        self.begun.set()
        assert self.may_end.wait(10)
        return self._call(**options)

    async def until_begun(self) -> None:
        assert await anyio.to_thread.run_sync(self.begun.wait, 10)


async def in_task(call: Callable[[], Any]) -> None:
    with anyio.fail_after(10):
        await call()


# -- starting ----------------------------------------------------------------------------------


async def test_what_was_written_by_somebody_who_was_cancelled_is_heard(sound: FakeSound) -> None:
    async with Speaker(rate=24_000) as speaker:
        (stream,) = sound.streams
        with anyio.CancelScope() as scope:
            scope.cancel()
            await speaker.write(TENTH)
        assert scope.cancelled_caught
        assert speaker.unheard_ms == 100
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_task, speaker.drain)
            await until(lambda: stream.log == ["start"])
            for _ in range(5):
                stream.play(-1.0)
            speaker._changed.ring()
        assert speaker.played_ms == 100


async def test_a_writer_who_waits_starts_what_another_one_did_not(sound: FakeSound) -> None:
    async with Speaker(rate=24_000, buffer_ms=50) as speaker:
        (stream,) = sound.streams
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_task, lambda: speaker.write(TENTH))
            await until(lambda: stream.log == ["start"])
            speaker.flush()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await speaker.write(TENTH)
            tasks.start_soon(in_task, speaker.drain)
            await until(lambda: stream.log == ["start", "abort", "start"])
            speaker.flush()


async def test_to_be_silent_does_not_wait_for_a_device_that_starts(sound: FakeSound) -> None:
    async with Speaker(rate=24_000) as speaker:
        (stream,) = sound.streams
        slow = Slow(stream.start)
        stream.start = slow  # type: ignore[method-assign]  # the library's, which is slow
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_task, lambda: speaker.write(TENTH))
            await slow.until_begun()
            assert speaker.flush() == 0
            assert stream.log == [], "it is starting still"
            slow.may_end.set()
        assert stream.log == ["start", "abort"]
        assert not stream.active
        await speaker.write(TENTH)
        assert stream.log == ["start", "abort", "start"]


async def test_what_is_written_while_it_is_silenced_is_heard(sound: FakeSound) -> None:
    async with Speaker(rate=24_000) as speaker:
        (stream,) = sound.streams
        slow = Slow(stream.start)
        stream.start = slow  # type: ignore[method-assign]  # the library's, which is slow
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_task, lambda: speaker.write(TENTH))
            await slow.until_begun()
            speaker.flush()
            speaker.flush()
            tasks.start_soon(in_task, lambda: speaker.write(TENTH))
            await until(lambda: speaker.unheard_ms == 100)
            slow.may_end.set()
        assert stream.log == ["start", "abort", "start"]
        assert stream.active


def test_one_that_cannot_be_started_can_be_tried_again(sound: FakeSound) -> None:
    stream = FakeStream(sound, {"samplerate": 24_000})
    switch, start = Switch(stream, "output"), stream.start

    def fail() -> None:
        raise sound.PortAudioError("busy")

    stream.start = fail  # type: ignore[method-assign]  # the library's, which fails
    with pytest.raises(DeviceError, match="the speaker cannot be started"):
        switch.start()
    assert not switch.is_on
    stream.start = start  # type: ignore[method-assign]  # as it was
    switch.start()
    switch.start()
    assert stream.log == ["start"]


def test_what_is_closed_is_not_started(sound: FakeSound) -> None:
    stream = FakeStream(sound, {"samplerate": 24_000})
    switch = Switch(stream, "input")
    switch.close()
    switch.start()
    assert stream.log == []
    assert stream.closed


# -- closing -----------------------------------------------------------------------------------


async def test_a_device_that_is_closed_asks_for_its_last_block(sound: FakeSound) -> None:
    """By a driver that tells no times, so that its latency is asked for."""
    async with Speaker(rate=24_000) as speaker:
        (stream,) = sound.streams
        await speaker.write(TENTH)
        close = stream.close

        def closing() -> None:
            stream.play(tells=False)
            close()

        stream.close = closing  # type: ignore[method-assign, assignment]  # the library's
    assert stream.closed
    assert stream.heard == bytes(960)


@pytest.mark.parametrize("kind", ["input", "output"])
async def test_a_device_is_not_closed_while_it_starts(sound: FakeSound, kind: Any) -> None:
    stream = FakeStream(sound, {"samplerate": 24_000})
    switch, slow = Switch(stream, kind), Slow(stream.start)
    stream.start = slow  # type: ignore[method-assign]  # the library's, which is slow
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_task, lambda: anyio.to_thread.run_sync(switch.start))
        await slow.until_begun()
        tasks.start_soon(in_task, lambda: anyio.to_thread.run_sync(switch.close))
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert not stream.closed
        slow.may_end.set()
    assert stream.log == ["start"]
    assert stream.closed


@asyncio_only
@pytest.mark.parametrize("make", [Microphone, Speaker])
async def test_what_was_opened_for_somebody_who_has_gone_is_closed(
    make: Callable[[], Any], sound: FakeSound, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"Raw{'Input' if make is Microphone else 'Output'}Stream"
    slow = Slow(getattr(sound, name))
    monkeypatch.setattr(sound, name, slow)
    task = asyncio.ensure_future(make().__aenter__())
    await slow.until_begun()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sound.streams == []
    slow.may_end.set()
    await until(lambda: sound.streams and sound.streams[0].closed)


@asyncio_only
async def test_what_was_opened_in_the_moment_of_going_is_closed(
    sound: FakeSound, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[Any]] = []
    real = anyio.to_thread.run_sync

    async def run_sync(call: Callable[..., Any], *args: Any) -> Any:
        done = await real(call, *args)
        if not tasks[0].cancelling():
            tasks[0].cancel()
            await asyncio.sleep(0)
        return done

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
    tasks.append(loop.create_task(Speaker(rate=24_000).__aenter__()))
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    await until(lambda: sound.streams[0].closed)


# -- gone --------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [0, 1, 5], ids=["unheard", "in part", "idle"])
async def test_progress_of_a_speaker_that_is_gone(sound: FakeSound, blocks: int) -> None:
    async with Speaker(rate=24_000, buffer_ms=5_000) as speaker:
        (stream,) = sound.streams
        await speaker.write(TENTH)
        for _ in range(blocks):
            stream.play(-1.0)
        await until(lambda: blocks < 5 or speaker.unheard_ms == 0)
        progress = speaker.progress(every_ms=1)

        async def listen() -> None:
            with pytest.raises(DeviceError, match="the speaker is gone"):
                async for _ in progress:
                    pass

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_task, listen)
            await anyio.wait_all_tasks_blocked()
            await anyio.to_thread.run_sync(stream.unplug)
