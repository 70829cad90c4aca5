"""`pace`: against the clock, in virtual time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from realtime_client.errors import InvalidAudio, UsageError
from realtime_client.pacing import Pace, pace


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when it would sleep, and then at once."""

    def __init__(self) -> None:
        self.moment = 0.0
        super().__init__(_Sleepless(self))

    def time(self) -> float:
        return self.moment


class _Sleepless(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self._loop.moment += timeout
        return ready


virtual = pytest.mark.parametrize(
    "anyio_backend",
    [
        pytest.param(("asyncio", {"loop_factory": VirtualLoop}), id="asyncio"),
        pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}), id="trio"),
    ],
)

NEAR = 1e-6
"""Seconds: what adding floating-point seconds may cost, far below a sample."""


async def moments(paced: Pace, late: dict[int, float] | None = None) -> list[float]:
    """When each chunk came, and the end; `late` is how long to dawdle after which chunk."""
    start, came = anyio.current_time(), []
    async for _ in paced:
        came.append(anyio.current_time() - start)
        if late and len(came) - 1 in late:
            await anyio.sleep(late[len(came) - 1])
    return [*came, anyio.current_time() - start]


@virtual
async def test_each_chunk_is_due_when_all_before_it_was_said() -> None:
    came = await moments(pace(bytes(2 * 24_000), rate=24_000, chunk_ms=100))
    assert came == pytest.approx([n / 10 for n in range(11)], abs=NEAR)


@virtual
async def test_ten_hours_do_not_drift() -> None:
    """Odd chunks at an odd rate, and a consumer that is a little late every time."""
    rate, hours, piece = 11_025, 10, bytes(2 * 49_999)
    total = hours * 3600 * rate

    def chunks() -> Iterator[bytes]:
        left = total
        while left:
            frames = min(left, 49_999)
            yield piece[: 2 * frames]
            left -= frames

    paced = pace(chunks(), rate=rate)
    start, before = anyio.current_time(), 0
    async for _ in paced:
        elapsed = anyio.current_time() - start
        assert abs(elapsed - before / rate) < NEAR, "this one came when it was due"
        before = paced.frames
        await anyio.sleep(0.1)  # work, shorter than a chunk
    assert paced.frames == total
    assert abs(anyio.current_time() - start - hours * 3600) < NEAR
    assert paced.position_ms == hours * 3_600_000
    assert paced.slipped_ms == 0


@virtual
async def test_the_work_between_two_chunks_costs_no_time() -> None:
    paced = pace(bytes(2 * 8_000), rate=8_000, chunk_ms=20)
    start = anyio.current_time()
    async for _ in paced:
        await anyio.sleep(0.019)
    assert anyio.current_time() - start == pytest.approx(1, abs=NEAR)


@virtual
async def test_what_is_late_is_caught_up_with() -> None:
    came = await moments(pace(bytes(2_000), rate=1_000, chunk_ms=100), {2: 0.55})
    assert came == pytest.approx(
        [0, 0.1, 0.2, 0.75, 0.75, 0.75, 0.75, 0.75, 0.8, 0.9, 1.0], abs=NEAR
    )


@virtual
@pytest.mark.parametrize("delay", [0.5, 0.61, 3.0, 3600.0])
async def test_a_burst_has_a_bound(delay: float) -> None:
    paced = pace(bytes(2 * 4_000), rate=1_000, chunk_ms=100, burst_ms=500)
    came = await moments(paced, {4: delay})
    again = came[5]
    burst = [moment for moment in came[5:-1] if moment - again < NEAR]
    assert len(burst) * 0.1 <= 0.5 + 0.1 + NEAR
    # Late by 500 ms is allowed; chunk 5 was due 100 ms after chunk 4.
    slipped = max(0.0, delay - 0.6)
    assert paced.slipped_ms == pytest.approx(slipped * 1000, abs=1e-3)
    assert came[-1] == pytest.approx(4.0 + slipped, abs=NEAR), "and then it keeps its pace"


@virtual
async def test_without_a_burst_every_delay_moves_the_schedule() -> None:
    paced = pace(bytes(2_000), rate=1_000, chunk_ms=100, burst_ms=0)
    came = await moments(paced, {0: 0.25, 5: 0.15})
    gaps = [after - before for before, after in pairwise(came)]
    assert gaps == pytest.approx([0.25, 0.1, 0.1, 0.1, 0.1, 0.15, 0.1, 0.1, 0.1, 0.1], abs=NEAR)
    assert paced.slipped_ms == pytest.approx(200, abs=1e-3)


@virtual
async def test_the_clock_starts_with_the_first_chunk() -> None:
    paced = pace(bytes(400), rate=1_000, chunk_ms=100)
    await anyio.sleep(60)
    assert await moments(paced) == pytest.approx([0, 0.1, 0.2], abs=NEAR)
    assert paced.slipped_ms == 0


@virtual
async def test_who_catches_up_lets_others_run_and_can_be_cancelled() -> None:
    paced = pace(bytes(2 * 10_000), rate=1_000, chunk_ms=1, burst_ms=20_000)
    await anext(paced)
    await anyio.sleep(10)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        async for _ in paced:
            if paced.frames == 5_000:
                tasks.cancel_scope.cancel()
    assert paced.frames == 5_000
    assert turns > 1_000


@virtual
async def test_an_empty_recording_ends_at_once() -> None:
    assert await moments(pace(b"", rate=8_000)) == [0]
    assert await moments(pace([], rate=8_000)) == [0]
    paced = pace([b"", b"ab", b""], rate=1_000)
    assert await moments(paced) == pytest.approx([0, 0, 0.001, 0.001], abs=NEAR)
    with pytest.raises(StopAsyncIteration):
        await anext(paced)


SHAPES: list[tuple[Any, int, str | None]] = [
    (bytes(range(240)) * 2, 1, None),
    (bytearray(range(240)) * 2, 2, None),
    (memoryview(bytes(range(240))), 1, "mulaw"),
    (bytes(range(240)), 3, "float64"),
    (np.arange(241, dtype=np.int16), 1, None),
    (np.arange(240, dtype=np.float32), 2, None),
    (np.arange(240, dtype=np.int32).reshape(-1, 2), 2, None),
    (np.arange(240, dtype=np.int16).data, 2, None),
]


@virtual
@pytest.mark.parametrize(("audio", "channels", "dtype"), SHAPES, ids=range(len(SHAPES)))
async def test_any_shape_comes_out_as_it_went_in(audio: Any, channels: int, dtype: Any) -> None:
    paced = pace(audio, rate=1_000, channels=channels, dtype=dtype, chunk_ms=7)
    start = anyio.current_time()
    chunks = [chunk async for chunk in paced]
    if isinstance(audio, (bytes, bytearray)):
        assert b"".join(chunks) == audio
        frames = len(audio) // ({None: 2, "float64": 8}[dtype] * channels)
    else:
        assert np.array_equal(np.concatenate([np.asarray(chunk) for chunk in chunks]), audio)
        frames = len(audio) // (1 if getattr(audio, "ndim", 1) == 2 else channels)
    assert paced.frames == frames
    assert len(chunks) == -(-frames // 7)
    assert anyio.current_time() - start == pytest.approx(frames / 1_000, abs=NEAR)
    again = pace(iter(chunks), rate=1_000, channels=channels, dtype=dtype)
    assert len([chunk async for chunk in again]) == len(chunks)
    assert again.frames == frames


@given(
    frames=st.integers(0, 5_000),
    rate=st.sampled_from([8_000, 11_025, 22_050, 44_100]),
    chunk_ms=st.sampled_from([0.01, 1, 2.5, 7, 20]),
)
def test_chunks_end_at_the_nearest_frame_to_their_multiples(
    frames: int, rate: int, chunk_ms: float
) -> None:
    paced = pace(bytes(2 * frames), rate=rate, chunk_ms=chunk_ms)
    ends = np.cumsum([len(chunk) // 2 for chunk in paced._chunks])
    if frames == 0:
        assert len(ends) == 0
        return
    assert ends[-1] == frames
    if rate * chunk_ms >= 1_000:
        multiples = np.arange(1, len(ends)) * rate * chunk_ms / 1000
        assert np.all(np.abs(ends[:-1] - multiples) <= 0.5)
    else:
        assert np.all(np.diff(ends) == 1), "never an empty one"


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0}, {"channels": 0}, {"chunk_ms": 0}, {"burst_ms": -1}, {"burst_ms": float("nan")}],
)
def test_what_cannot_be_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="rate, channels and chunk_ms"):
        pace(b"", **{"rate": 8_000, **wrong})


async def test_what_is_no_audio() -> None:
    with pytest.raises(InvalidAudio, match="dtype must be"):
        pace(b"", rate=8_000, dtype="int24")
    for nothing in (7, None, np.float32(1)):
        with pytest.raises(InvalidAudio, match="must be bytes, an array or an iterable"):
            pace(nothing, rate=8_000)  # type: ignore[arg-type]  # which is the point
    with pytest.raises(InvalidAudio, match="must be bytes or an array"):
        await anext(pace("text", rate=8_000))  # type: ignore[arg-type]  # which is the point
    for odd, channels in ((b"abc", 1), (np.zeros(3, np.int16), 2)):
        with pytest.raises(InvalidAudio, match="no whole number of frames"):
            await anext(pace(odd, rate=8_000, channels=channels))
        with pytest.raises(InvalidAudio, match="no whole number of frames"):
            await anext(pace([odd], rate=8_000, channels=channels))
