"""`message.audio.as_pcm`: samples out of bytes that are cut anywhere."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime_client import events
from realtime_client.audio import Resampler, WireFormat, to_int16
from realtime_client.audio.resample import exact_length
from realtime_client.errors import InvalidAudio, ResponseFailed, SlowConsumer, UsageError
from realtime_client.pcm_stream import PcmStream
from realtime_client.simulator import listen, sing
from realtime_client.speech import AUDIO_BOUND, AudioStream

Samples = NDArray[Any]

FORMATS: list[events.AudioFormat] = [
    events.AudioFormat(type="audio/pcm", rate=24_000),
    events.AudioFormat(type="audio/pcm", rate=16_000),
    events.AudioFormat(type="audio/pcmu"),
    events.AudioFormat(type="audio/pcma"),
]

formats = pytest.mark.parametrize("form", FORMATS, ids=["24 kHz", "16 kHz", "mulaw", "alaw"])


class Ledger:
    """Who counts: every part and size in its turn."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int]] = []
        self.forgotten = False

    def handed(self, part: int, size: int) -> None:
        self.taken.append((part, size))

    def forget(self) -> None:
        self.forgotten = True


def stream(form: events.AudioFormat | None, ledger: Ledger | None = None) -> AudioStream:
    return AudioStream(None, "the audio of m", form, ledger or Ledger())


async def all_of(pcm: PcmStream) -> tuple[Samples, Exception | None]:
    """Everything, in one array, and the error that it ended with."""
    arrays: list[Samples] = []
    error = None
    try:
        async for samples in pcm:
            assert samples.ndim == 1
            assert samples.size
            assert samples.dtype == pcm.dtype
            arrays.append(samples)
    except ResponseFailed as failed:
        error = failed
    return np.concatenate([*arrays, np.zeros(0, pcm.dtype)]), error


def at_once(data: bytes, form: events.AudioFormat, rate: int, dtype: str, quality: str) -> Samples:
    """What it has to be: decoded and resampled in one piece."""
    wire = WireFormat.from_wire(form)
    data = data[: len(data) - len(data) % wire.bytes_per_sample]
    resampler = Resampler(wire.rate, rate, quality=quality)
    sound = wire.decode(data).astype(np.float32) / np.float32(2**15)
    out = np.concatenate([resampler.push(sound), resampler.flush()])
    return to_int16(out) if dtype == "int16" else np.clip(out, -1, 1)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """In pieces of these sizes, and the rest."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


# -- any cut ----------------------------------------------------------------------------------


@given(
    form=st.sampled_from(FORMATS),
    rate=st.sampled_from([8_000, 11_025, 16_000, 24_000, 44_100, 48_000]),
    dtype=st.sampled_from(["float32", "int16"]),
    quality=st.sampled_from(["HQ", "low_delay"]),
    data=st.binary(max_size=6_000),
    sizes=st.lists(st.integers(0, 1_500), max_size=40),
    fails=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_any_cut_gives_the_samples_of_one_piece(
    form: events.AudioFormat,
    rate: int,
    dtype: Any,
    quality: str,
    data: bytes,
    sizes: list[int],
    fails: bool,
) -> None:
    ledger = Ledger()
    audio = stream(form, ledger)
    pcm = audio.as_pcm(rate, dtype, quality=quality)
    for piece in cut(data, sizes):
        audio._push(0, piece)
    audio.end(ResponseFailed("It broke.") if fails else None)
    samples, error = anyio.run(all_of, pcm)
    wire = WireFormat.from_wire(form)
    assert len(samples) == exact_length(len(data) // wire.bytes_per_sample, wire.rate, rate)
    np.testing.assert_array_equal(samples, at_once(data, form, rate, dtype, quality))
    assert isinstance(error, ResponseFailed) is fails, "after all that came before it"
    assert sum(size for _, size in ledger.taken) == len(data), "the wire's bytes are counted"


async def test_what_is_ready_comes_before_the_end() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm(24_000, "int16")
    with anyio.fail_after(1):
        audio._push(0, b"\1")
        audio._push(0, b"\2\3")
        assert (await anext(pcm)).tolist() == [0x0201], "half a sample waits for its rest"
        audio._push(0, b"\4")
        assert (await anext(pcm)).tolist() == [0x0403]


async def test_a_chunk_of_which_nothing_is_ready_is_no_array() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm(quality="low_delay")
    audio._push(0, b"\0" * 2)
    audio._push(0, b"\0" * 4_800)
    with anyio.fail_after(1):
        assert (await anext(pcm)).size > 1_000


@formats
async def test_by_default_all_but_two_milliseconds_are_given_at_once(
    form: events.AudioFormat,
) -> None:
    wire = WireFormat.from_wire(form)
    audio = stream(form)
    pcm = audio.as_pcm()
    audio._push(0, wire.encode(np.zeros(wire.rate // 10, np.int16)))
    with anyio.fail_after(1):
        assert (await anext(pcm)).size >= 48 * 98


async def test_half_a_sample_at_the_end_of_a_part_does_not_shift_the_next_part() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm(24_000, "int16")
    audio._push(0, b"\1\0\7")
    audio._close_part(0)
    audio._push(1, b"\2\0\7")
    audio._close_part(1)
    audio._push(0, b"")  # nothing of a part that is over
    audio.end()
    assert (await all_of(pcm))[0].tolist() == [1, 2]


@formats
async def test_the_acknowledged_format_drives_it(form: events.AudioFormat) -> None:
    wire = WireFormat.from_wire(form)
    audio = stream(form)
    pcm = audio.as_pcm(48_000, "int16")
    for piece in cut(wire.encode(sing("Paris?", wire.rate)), [333] * 60):
        audio._push(0, piece)
    audio.end()
    assert listen((await all_of(pcm))[0], 48_000).text == "Paris?"


async def test_a_format_that_is_not_known_counts_as_24_khz_pcm() -> None:
    audio = stream(None)
    pcm = audio.as_pcm(dtype="int16")
    assert pcm.rate == 48_000
    audio._push(0, sing("Yes.").tobytes())
    audio.end()
    assert listen((await all_of(pcm))[0], 48_000).text == "Yes."


async def test_floats_never_exceed_full_scale() -> None:
    square = np.repeat(np.array([32767, -32768], np.int16), 24)
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm()
    audio._push(0, np.tile(square, 100).tobytes())
    audio.end()
    samples, _ = await all_of(pcm)
    assert samples.max() == 1.0, "the filter rings"
    assert samples.min() == -1.0


# -- what ends it ---------------------------------------------------------------------------


async def test_an_end_comes_as_often_as_somebody_asks() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm()
    audio._push(0, sing("a").tobytes())
    audio.end(ResponseFailed("It broke."))
    samples, error = await all_of(pcm)
    assert samples.size == 2 * sing("a").size
    assert isinstance(error, ResponseFailed)
    again, error = await all_of(pcm)
    assert again.size == 0
    assert isinstance(error, ResponseFailed)


async def test_after_an_interruption_nothing_more_of_it_is_given() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm()
    sound = sing("a long word").tobytes()
    audio._push(0, sound[:9_601])
    assert (await anext(pcm)).size < 9_600, "the resampler holds some of it back"
    audio._push(0, sound[9_601:19_200])
    audio.cut()
    audio.end()
    assert (await all_of(pcm))[0].size == 0


async def test_what_begins_after_an_interruption_begins_afresh() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm()
    audio._push(0, b"\0\x40" * 4_800 + b"\0")
    await anext(pcm)
    audio.cut()
    sound = sing("b")
    audio._push(0, sound.tobytes())
    audio.end()
    np.testing.assert_array_equal(
        (await all_of(pcm))[0], at_once(sound.tobytes(), FORMATS[0], 48_000, "float32", "low_delay")
    )


async def test_closing_it_closes_the_stream_and_gives_no_tail() -> None:
    ledger = Ledger()
    audio = stream(FORMATS[0], ledger)
    with audio.as_pcm() as pcm:
        audio._push(0, b"\0" * 9_600)
        await anext(pcm)
    assert audio.ended
    assert (await all_of(pcm))[0].size == 0
    assert not ledger.forgotten, "some of it was taken"
    nobody = stream(FORMATS[0], ledger)
    nobody.as_pcm().close()
    assert ledger.forgotten, "nobody will play it"


async def test_a_reader_that_is_too_slow_gets_what_the_resampler_had_and_then_the_error() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm()
    audio._push(0, b"\0\1" * 4_800)
    first = await anext(pcm)
    audio._push(0, b"\0" * (AUDIO_BOUND + 1))
    assert first.size + (await anext(pcm)).size == 9_600
    with pytest.raises(SlowConsumer):
        await anext(pcm)


async def test_a_cancelled_reader_loses_nothing() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm()
    sound = sing("still here").tobytes()
    audio._push(0, sound[:1_001])
    first = await anext(pcm)
    with anyio.move_on_after(0) as patience:
        await anext(pcm)
    assert patience.cancelled_caught
    audio._push(0, sound[1_001:])
    audio.end()
    np.testing.assert_array_equal(
        np.concatenate([first, (await all_of(pcm))[0]]),
        at_once(sound, FORMATS[0], 48_000, "float32", "low_delay"),
    )


async def test_a_second_reader_does_not_end_the_first_ones_sound() -> None:
    audio = stream(FORMATS[0])
    pcm = audio.as_pcm()
    sound = sing("mine").tobytes()
    taken: list[Samples] = []

    async def read() -> None:
        taken.append((await all_of(pcm))[0])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        audio._push(0, sound[:9_600])
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(UsageError, match="somebody else"):
            await anext(pcm)
        audio._push(0, sound[9_600:])
        audio.end()
    np.testing.assert_array_equal(
        taken[0], at_once(sound, FORMATS[0], 48_000, "float32", "low_delay")
    )


# -- what cannot be ---------------------------------------------------------------------------


async def test_samples_are_had_from_the_beginning_or_not_at_all() -> None:
    audio = stream(FORMATS[0])
    audio.as_pcm()
    audio._push(0, b"\0" * 960)
    pcm = audio.as_pcm()  # nothing was taken yet
    audio.end()
    assert (await all_of(pcm))[0].size == 960
    with pytest.raises(UsageError, match="was begun already"):
        audio.as_pcm()


@pytest.mark.parametrize(
    ("form", "options", "message"),
    [
        (FORMATS[0], {"rate": 4_000}, "8,000 to 192,000"),
        (FORMATS[0], {"rate": 48_000.0}, "whole number"),
        (FORMATS[0], {"dtype": "float64"}, "float32, int16"),
        (FORMATS[0], {"quality": "best"}, "quality"),
        (events.AudioFormat(type="audio/opus"), {}, "no codec"),
    ],
)
def test_what_cannot_be_is_refused_at_once(form: Any, options: Any, message: str) -> None:
    with pytest.raises(InvalidAudio, match=message):
        partial(stream(form).as_pcm, **options)()
