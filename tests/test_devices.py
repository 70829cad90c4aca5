"""Microphone and speaker: exact counting, a library that the test plays, and a real one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime_client.devices import Capture, DeviceError, Microphone, Playout, Speaker
from realtime_client.devices.capture import level_db
from realtime_client.errors import InvalidAudio, UsageError
from realtime_client.simulator import sing
from tests.soundserver import ROOT, sound_server  # noqa: F401 - a fixture
from tests.test_pacing import virtual

# -- counting, without a device -------------------------------------------------------------


RATE = 1_024
"""Frames a second: a power of two, so that every time in ticks of one frame is an exact float."""


class PlayoutMachine(RuleBasedStateMachine):
    """A device whose delay wanders, and frames of two bytes that are numbered."""

    def __init__(self) -> None:
        super().__init__()
        self.playout = Playout(RATE)
        self.now = 0  # in ticks
        self.numbers = 0
        self.second_half = b""  # of a frame that was cut in two
        self.waiting = b""
        self.device: list[int] = []  # when each frame that it has taken is over
        self.played = 0
        self.flushed = 0

    @rule(frames=st.integers(0, 50), cut=st.booleans())
    def write(self, frames: int, cut: bool) -> None:
        numbers = np.arange(self.numbers, self.numbers + frames).astype("<u2")
        self.numbers += frames
        data, self.second_half = self.second_half + numbers.tobytes(), b""
        if cut:
            data, self.second_half = data[:-1], data[-1:]
        self.playout.write(data)
        self.waiting += data

    @rule(frames=st.integers(1, 40), delay=st.integers(0, 100))
    def take(self, frames: int, delay: int) -> None:
        ready = min(frames, len(self.waiting) // 2)
        block = self.playout.take(frames, (self.now + delay) / RATE)
        assert block == self.waiting[: 2 * ready] + bytes(2 * (frames - ready))
        self.waiting = self.waiting[2 * ready :]
        self.device += [self.now + delay + frame for frame in range(1, ready + 1)]

    @rule(ticks=st.integers(0, 200))
    def wait(self, ticks: int) -> None:
        self.now += ticks

    @rule()
    def flush(self) -> None:
        played = self.playout.flush(self.now / RATE)
        self._settle()
        self.flushed += len(self.device) + len(self.waiting) // 2
        self.device, self.waiting, self.second_half = [], b"", b""
        assert played == self.played
        assert self.playout.played(self.now / RATE + 60) == played

    @rule()
    def end(self) -> None:
        self.playout.end()
        self.waiting = self.waiting[: len(self.waiting) // 2 * 2]
        self.second_half = b""

    @invariant()
    def counts(self) -> None:
        self._settle()
        playout, now, waiting = self.playout, self.now / RATE, len(self.waiting) // 2
        assert playout.played(now) == self.played
        assert playout.waiting == waiting
        assert playout.unheard(now) == waiting + len(self.device)
        assert playout.flushed == self.flushed
        assert playout.written == waiting + len(self.device) + self.played + self.flushed

    def _settle(self) -> None:
        over = [moment for moment in self.device if moment <= self.now]
        self.device = [moment for moment in self.device if moment > self.now]
        self.played += len(over)


TestPlayout = PlayoutMachine.TestCase
TestPlayout.settings = settings(max_examples=250)


def test_silence_that_fills_a_block_is_not_played() -> None:
    playout = Playout(1_000)
    playout.write(bytes(2 * 10))
    playout.take(40, 5.0)
    assert [playout.played(now) for now in (5.005, 5.010, 5.040)] == [5, 10, 10]


def test_what_a_flush_took_out_of_the_device_is_forgotten() -> None:
    playout = Playout(1_000)
    playout.write(bytes(2 * 20))
    playout.take(20, 5.050)
    assert playout.flush(5.060) == 10
    playout.write(bytes(2 * 20))
    playout.take(20, 5.061)
    assert [playout.played(now) for now in (5.0615, 5.066, 5.09)] == [10, 15, 30]


def test_what_was_heard_is_never_taken_back() -> None:
    playout = Playout(1_000)
    playout.write(bytes(200))
    playout.take(100, 5.0)
    assert [playout.played(now) for now in (4.9, 5.0, 5.05, 5.02, 5.1, 9.0)] == [
        0, 0, 50, 50, 100, 100,
    ]  # fmt: skip


def test_a_clock_that_is_a_hair_short_of_a_frame_has_reached_it() -> None:
    playout = Playout(44_100)
    playout.write(bytes(2 * 44_100))
    begin = 1_795_224_866.609
    for block in range(100):
        playout.take(441, begin + block / 100)
    for block in range(1, 101):
        assert playout.played(begin + block / 100) == 441 * block


def test_two_threads_lose_and_double_nothing() -> None:
    playout, total = Playout(1_000), 60_000
    data = np.arange(total).astype("<u2").tobytes()
    taken: list[bytes] = []

    def device() -> None:
        while sum(map(len, taken)) < len(data):
            size = 2 * min(7, playout.waiting)
            taken.append(playout.take(7, 0.0)[:size] if size else b"")

    thread = threading.Thread(target=device)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for begin in range(0, len(data), 333):
            playout.write(data[begin : begin + 333])
        thread.join(30)
    finally:
        sys.setswitchinterval(interval)
    assert b"".join(taken) == data
    assert playout.written == playout.played(1e9) == total


@given(
    moves=st.lists(st.one_of(st.integers(0, 60), st.none()), max_size=60),
    overflow=st.sampled_from(["drop_oldest", "drop_newest"]),
)
def test_a_capture_drops_what_it_says_and_counts_it(moves: list[int | None], overflow: Any) -> None:
    capture = Capture(1_000, buffer_ms=100, overflow=overflow)
    kept: list[bytes] = []
    captured = delivered = 0
    for number, move in enumerate(moves):
        if move is None:
            assert capture.pop() == (kept.pop(0) if kept else None), "whole and in order"
        else:
            piece = number.to_bytes(2, "little") * move
            capture.push(piece)
            captured += move
            kept.append(piece)
            while sum(map(len, kept)) > 200:
                del kept[0 if overflow == "drop_oldest" else -1]
        delivered = captured - capture.held - capture.dropped
        assert capture.held == sum(map(len, kept)) // 2 <= 100
        assert capture.captured == captured
        assert capture.delivered == delivered
    assert delivered >= 0


def test_a_policy_has_a_name() -> None:
    with pytest.raises(UsageError, match="drop_oldest"):
        Capture(1_000, overflow="drop_all")  # type: ignore[arg-type]  # which is the point
    for chunk_ms, buffer_ms in ((0, 100), (50, 40)):
        with pytest.raises(UsageError, match="at most buffer_ms"):
            Microphone(chunk_ms=chunk_ms, buffer_ms=buffer_ms)


def test_levels() -> None:
    def level(samples: Any) -> float:
        return level_db(np.asarray(samples, np.int16).tobytes())

    assert level_db(b"") == level(np.zeros(480)) == -96
    assert level([1]) == pytest.approx(-90.3, abs=0.1)
    assert level([1] + [0] * 48_000) == -96
    assert level([32_767, -32_768] * 240) == pytest.approx(0, abs=0.001)
    tone = 32_767 * np.sin(2 * np.pi * np.arange(480) / 48)
    assert level(tone) == pytest.approx(-3.01, abs=0.01)
    assert level(tone / 10) == pytest.approx(-23.01, abs=0.1)


# -- a sound library that the test plays ----------------------------------------------------


class PortAudioError(Exception):
    pass


class FakeStream:
    """A stream of the library. `turn` is one block of 20 ms, or of what was asked for."""

    def __init__(self, sound: FakeSound, options: dict[str, Any]) -> None:
        if options["samplerate"] not in sound.rates:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]", -9997)
        if sound.is_busy:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]", -9985)
        self.options = options
        self.latency = 0.5
        self.active = False
        self.closed = False
        self.log: list[str] = []
        self.heard = b""
        sound.streams.append(self)

    def start(self) -> None:
        assert not self.active
        self.active = True
        self.log.append("start")

    def abort(self, ignore_errors: bool = True) -> None:
        self.active = False
        self.log.append("abort")

    def close(self, ignore_errors: bool = True) -> None:
        self.active, self.closed = False, True

    def unplug(self) -> None:
        self.active = False
        if self.options["finished_callback"]:
            self.options["finished_callback"]()

    def play(self, delay: float = 0.04, *, tells: bool = True, underflow: bool = False) -> None:
        frames = self.options["blocksize"]
        block = bytearray(2 * frames)
        time = SimpleNamespace(currentTime=7.0 * tells, outputBufferDacTime=(7.0 + delay) * tells)
        self.options["callback"](
            memoryview(block), frames, time, SimpleNamespace(output_underflow=underflow)
        )
        self.heard += block

    def record(self, sound: bytes, *, overflow: bool = False) -> None:
        status = SimpleNamespace(input_overflow=overflow)
        self.options["callback"](memoryview(bytearray(sound)), len(sound) // 2, None, status)


class FakeSound:
    """The library, as far as it is used."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.streams: list[FakeStream] = []
        self.rates = {24_000, 44_100, 48_000}
        self.own_rate = 44_100.0
        self.is_there = True
        self.is_busy = False

    def query_devices(self, device: Any, kind: str) -> dict[str, Any]:
        assert kind in ("input", "output")
        if isinstance(device, str) and device != "Room":
            raise ValueError(f"No {kind} device matching {device!r}")
        if not self.is_there:
            raise PortAudioError("Error querying device -1")
        return {"name": "Room", "default_samplerate": self.own_rate}

    def _check(self, *, device: Any, channels: int, dtype: str, samplerate: int) -> None:
        assert (channels, dtype) == (1, "int16")
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]", -9997)

    check_input_settings = check_output_settings = _check

    def RawInputStream(self, **options: Any) -> FakeStream:
        return FakeStream(self, options)

    def RawOutputStream(self, **options: Any) -> FakeStream:
        return FakeStream(self, options)


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> FakeSound:
    fake = FakeSound()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The speaker's clock is the virtual one of the loop."""
    monkeypatch.setattr("realtime_client.devices.speaker.monotonic", anyio.current_time)


async def running(stream: FakeStream, blocks: int = 10_000) -> None:
    """The device's thread, in virtual time."""
    for _ in range(blocks):
        if stream.active:
            stream.play()
        await anyio.sleep(0.02)


@virtual
@pytest.mark.usefixtures("clock")
async def test_what_is_written_is_played_and_counted(sound: FakeSound) -> None:
    async with Speaker(rate=24_000) as speaker:
        (stream,) = sound.streams
        assert stream.options["blocksize"] == 480
        assert stream.log == [], "a speaker that has nothing to say is not started"
        assert (speaker.rate, speaker.played_ms, speaker.unheard_ms) == (24_000, 0, 0)
        song = sing("hi").tobytes()
        await speaker.write(song[:1001])  # cut inside a sample
        assert stream.log == ["start"]
        await speaker.write(song[1001:2000])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running, stream)
            begin = anyio.current_time()
            await speaker.write(song[2000:])
            # 240 ms in all, of which 200 may wait: two blocks have gone.
            assert anyio.current_time() - begin == pytest.approx(0.04, abs=0.021)
            await speaker.drain()
            assert speaker.played_ms == 240
            # 240 ms that began to sound 40 ms after they were fetched.
            assert anyio.current_time() - begin == pytest.approx(0.28, abs=0.011)
            tasks.cancel_scope.cancel()
        assert stream.heard.startswith(song)
        assert not any(stream.heard[len(song) :])
        await speaker.drain()
        assert stream.log == ["start"]
    assert stream.closed


@virtual
@pytest.mark.usefixtures("clock")
async def test_a_flush_is_silent_at_once_and_the_next_word_starts_again(sound: FakeSound) -> None:
    async with Speaker(rate=24_000) as speaker:
        (stream,) = sound.streams
        one_second = sing("a" * 15).tobytes()[:48_000]
        await speaker.write(one_second[:9_600])
        finished: list[str] = []

        async def write() -> None:
            await speaker.write(one_second[9_600:])
            finished.append("write")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running, stream)
            tasks.start_soon(write)
            await anyio.sleep(0.3101)
            played = speaker.played_ms
            assert played == pytest.approx(270, abs=0.2), "what the clock says, less 40 ms"
            assert played == speaker.flush()
            assert stream.log == ["start", "abort"]
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
            assert finished == ["write"], "nobody waits for what will not be played"
            assert speaker.unheard_ms == 0
            await speaker.drain()
            await anyio.sleep(5)
            assert speaker.played_ms == played
            tasks.cancel_scope.cancel()
        await speaker.write(b"\1\2" * 2_400)
        assert stream.log == ["start", "abort", "start"]
        heard = len(stream.heard)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running, stream)
            await speaker.drain()
            assert speaker.played_ms == pytest.approx(played + 100)
            tasks.cancel_scope.cancel()
        assert stream.heard[heard:].startswith(b"\1\2" * 2_400)


@virtual
@pytest.mark.usefixtures("clock")
async def test_progress_is_told_as_it_is_made(sound: FakeSound) -> None:
    told: list[float] = []

    async def listen(speaker: Speaker) -> None:
        async for played_ms in speaker.progress(every_ms=50):
            told.append(played_ms)  # noqa: PERF401 - looked at in between

    async with anyio.create_task_group() as tasks:  # noqa: SIM117 - it outlives the speaker
        async with Speaker(rate=24_000) as speaker:
            (stream,) = sound.streams
            tasks.start_soon(listen, speaker)
            await anyio.lowlevel.checkpoint()
            await speaker.write(bytes(4_800))
            async with anyio.create_task_group() as device:
                device.start_soon(running, stream)
                await speaker.drain()
                await anyio.sleep(1)
                device.cancel_scope.cancel()
        # Leaving the speaker ends it, or this test would never end.
    assert told[-1] == 100
    assert told == sorted(set(told))
    assert len(told) in (2, 3)


async def test_a_driver_that_tells_no_times_is_as_late_as_its_latency(
    sound: FakeSound, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("realtime_client.devices.speaker.monotonic", lambda: now)
    async with Speaker(rate=24_000, buffer_ms=1_000) as speaker:
        (stream,) = sound.streams
        await speaker.write(bytes(2 * 480))
        stream.play(tells=False)
        now += 0.49
        assert speaker.played_ms == 0
        now += 0.02
        assert speaker.played_ms == pytest.approx(10)
        await speaker.write(bytes(2 * 480))
        stream.play(delay=-3.0, underflow=True)
        now += 0.015
        assert speaker.played_ms == pytest.approx(35), "nothing is heard before it is fetched"
        assert speaker.underflows == 1


async def test_sound_of_any_kind_is_played(sound: FakeSound) -> None:
    async with Speaker(buffer_ms=1_000) as speaker:
        (stream,) = sound.streams
        samples = sing("x", 48_000)
        await speaker.write(samples)
        await speaker.write(samples.astype(np.float32) / 2**15)
        await speaker.write(memoryview(samples.tobytes()))
        for _ in range(30):
            stream.play()
        assert stream.heard.startswith(samples.tobytes() * 3)
        with pytest.raises(InvalidAudio):
            await speaker.write(np.zeros(4, np.complex64))
        with pytest.raises(InvalidAudio):
            await speaker.write(np.full(4, np.nan, np.float32))


async def test_a_message_that_ends_inside_a_sample_does_not_shift_the_next(
    sound: FakeSound,
) -> None:
    async with Speaker(rate=24_000) as speaker:
        (stream,) = sound.streams
        await speaker.write(b"\1\2\3")
        speaker.end()
        await speaker.write(b"\5\6\7")
        stream.play(delay=0.0)
        assert stream.heard[:6] == b"\1\2\5\6\0\0"
        await speaker.drain()
        await speaker.write(b"\0\1")
        stream.play()
        assert stream.heard[960:964] == b"\0\1\0\0"


async def test_a_speaker_that_is_pulled_out(sound: FakeSound) -> None:
    async with Speaker(rate=24_000) as speaker:
        (stream,) = sound.streams
        await speaker.write(bytes(100))
        stream.unplug()
        with pytest.raises(DeviceError, match="the speaker is gone"):
            await speaker.write(bytes(20))
        with pytest.raises(DeviceError, match="the speaker is gone"):
            await speaker.drain()


async def test_a_speaker_is_used_inside_its_block(sound: FakeSound) -> None:
    speaker = Speaker(rate=None)
    with pytest.raises(UsageError, match="rate is known inside"):
        _ = speaker.rate
    with pytest.raises(UsageError, match="use it as"):
        await speaker.write(b"")
    with pytest.raises(UsageError, match="use it as"):
        await speaker.drain()
    async with speaker:
        assert speaker.rate == 48_000
    with pytest.raises(UsageError, match="use it as"):
        speaker.flush()


# -- the microphone -------------------------------------------------------------------------


def in_thread(call: Callable[[], None]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


async def test_what_the_device_gives_comes_in_chunks(sound: FakeSound) -> None:
    async with Microphone(chunk_ms=10) as mic:
        (stream,) = sound.streams
        assert (mic.rate, stream.options["blocksize"], stream.log) == (48_000, 480, ["start"])
        got: list[bytes] = []

        async def read() -> None:
            async for chunk in mic:
                got.append(chunk)  # noqa: PERF401 - looked at while it grows

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for number in range(1, 4):
                with anyio.fail_after(5):
                    # From the device's own thread, while the reader waits.
                    in_thread(lambda: stream.record(bytes([number]) * 960))  # noqa: B023 - joined
                    while len(got) < number:
                        await anyio.lowlevel.checkpoint()
            await anyio.wait_all_tasks_blocked()
            await mic._close()  # as leaving does, which ends the reader
            mic._stream = stream
        assert got == [bytes([number]) * 960 for number in (1, 2, 3)]
    assert stream.closed
    with pytest.raises(StopAsyncIteration):
        await anext(mic)


@pytest.mark.parametrize(("overflow", "first"), [("drop_oldest", 50), ("drop_newest", 0)])
async def test_a_late_reader_loses_what_the_policy_says(
    sound: FakeSound, overflow: Any, first: int
) -> None:
    async with Microphone(overflow=overflow) as mic:
        (stream,) = sound.streams
        for number in range(100):
            stream.record(bytes([number]) * 1_920, overflow=number % 50 == 0)
        assert (mic.held_ms, mic.dropped_ms, mic.overflows) == (1_000, 1_000, 2)
        assert (await anext(mic))[0] == first
        assert mic.held_ms == 980
        loud = (np.ones(960) * 16_384).astype(np.int16)
        stream.record(loud.tobytes())
        assert mic.level_db == pytest.approx(-6.02, abs=0.01), "what is heard now"


async def test_a_microphone_that_is_pulled_out(sound: FakeSound) -> None:
    async with Microphone() as mic:
        (stream,) = sound.streams
        stream.record(bytes(1_920))
        in_thread(stream.unplug)
        assert await anext(mic) == bytes(1_920), "what it had heard comes first"
        with pytest.raises(DeviceError, match="the microphone is gone"):
            await anext(mic)
    async with Microphone() as mic, anyio.create_task_group() as tasks:
        stream = sound.streams[-1]

        async def wait() -> None:
            with pytest.raises(DeviceError, match="the microphone is gone"):
                await anext(mic)
            tasks.cancel_scope.cancel()

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        in_thread(stream.unplug)
        with anyio.fail_after(5):
            await anyio.sleep_forever()


async def test_a_microphone_that_does_not_start_is_closed(
    sound: FakeSound, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(stream: FakeStream) -> None:
        raise PortAudioError("Unanticipated host error [PaErrorCode -9999]")

    monkeypatch.setattr(FakeStream, "start", fail)
    with pytest.raises(DeviceError, match="cannot be started"):
        async with Microphone():
            pass
    async with Speaker(rate=24_000) as speaker:
        with pytest.raises(DeviceError, match="cannot be started"):
            await speaker.write(bytes(20))
    assert [stream.closed for stream in sound.streams] == [True, True]


# -- what can be missing --------------------------------------------------------------------

MAKERS: list[Callable[..., Any]] = [Microphone, Speaker]
both = pytest.mark.parametrize("make", MAKERS, ids=["microphone", "speaker"])


async def refusal(device: Any) -> str:
    with pytest.raises(DeviceError) as caught:
        async with device:
            pass
    assert caught.value.__suppress_context__ or caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


@both
async def test_without_the_package(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install 'realtime-voice-client[devices]'" in await refusal(make())


@both
async def test_without_the_library(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    assert "apt install libportaudio2" in await refusal(make())


@both
async def test_a_package_that_is_broken_is_not_called_missing(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sounddevice.py").write_text("import a_package_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        async with make():
            pass


@both
async def test_without_a_device(make: Any, sound: FakeSound) -> None:
    name = make.__name__.lower()
    assert f"no {name} is called 'Hall'" in await refusal(make(device="Hall"))
    sound.is_there = False
    assert f"this machine has no {name}: connect one" in await refusal(make())
    sound.is_there, sound.is_busy = True, True
    assert "another program" in await refusal(make())


@both
async def test_at_a_rate_that_the_device_does_not_take(make: Any, sound: FakeSound) -> None:
    message = await refusal(make(rate=16_000))
    assert "'Room' does not take 16,000 Hz" in message
    assert "rate=44100" in message
    async with make(rate=None) as device:
        assert device.rate == 48_000
    sound.rates = {44_100}
    async with make(rate=None) as device:
        assert device.rate == 44_100
        assert sound.streams[-1].options["blocksize"] == 882
    sound.rates = set()
    assert "cannot be opened" in await refusal(make(rate=44_100))


def test_the_rest_of_the_package_needs_no_device() -> None:
    script = (
        "import sys, realtime_client.devices, realtime_client.pacing; "
        "print([name for name in ('sounddevice', 'numpy', 'trio') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


# -- a real one -----------------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "rate"), [("asyncio", 24_000), ("trio", 48_000)])
def test_what_is_played_is_heard(
    sound_server: dict[str, str],  # noqa: F811 - the fixture
    backend: str,
    rate: int,
) -> None:
    command = [sys.executable, "-m", "tests.loopback", backend, str(rate), "pulse"]
    done = subprocess.run(
        command, env=sound_server, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    if "PortAudio library" in done.stderr:
        pytest.skip("no PortAudio (Debian: libportaudio2)")
    assert done.returncode == 0, done.stderr[-2_000:]
    heard = SimpleNamespace(**json.loads(done.stdout))
    assert heard.words == "hello"
    assert heard.played_ms == pytest.approx(7 * 60), "every frame of it, and no more"
    assert heard.level_db == pytest.approx(-13.5, abs=1)
    # Flushed in the middle of 3.2 s: what it says was played is what was heard.
    assert 600 < heard.flushed_at_ms < 1_500
    assert heard.sounded_ms == pytest.approx(heard.flushed_at_ms, abs=60)
    letters = round(heard.sounded_ms) // 60 - 1
    assert heard.words_before_flush == "abcdefghijklmnopqrstuvwxyz"[:letters]
    assert heard.words_after_flush == "again"
    assert heard.progress > heard.played_ms + heard.flushed_at_ms
    assert heard.dropped_ms == 0
