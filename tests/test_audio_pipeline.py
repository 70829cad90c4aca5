"""The promise of the whole room: any shape in, the same exact samples out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_client.audio import (
    QUALITIES,
    InputPipeline,
    Resampler,
    WireFormat,
    alaw_decode,
    mix,
    to_int16,
    ulaw_decode,
)
from realtime_client.audio.low_delay import _product as low_delay_product
from realtime_client.errors import InvalidAudio

if TYPE_CHECKING:
    from numpy.typing import NDArray

PCM = WireFormat("audio/pcm", 24_000)
PCM16 = WireFormat("audio/pcm", 16_000)
ULAW = WireFormat("audio/pcmu", 8_000)
ALAW = WireFormat("audio/pcma", 8_000)
FORMATS = [PCM, PCM16, ULAW, ALAW]
RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000]
DTYPES = ["int16", "int32", "float32", "float64"]
SCALE = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0, "float64": 1.0}


@dataclass(frozen=True)
class Sound:
    """Some noise, as (frames, channels) in one dtype."""

    rate: int
    frames: NDArray[Any]

    @property
    def channels(self) -> int:
        return int(self.frames.shape[1])

    @property
    def dtype(self) -> str:
        return str(self.frames.dtype.name)

    @property
    def data(self) -> bytes:
        return self.frames.astype(self.frames.dtype.newbyteorder("<")).tobytes()


def noise(rate: int, frames: int, channels: int = 1, dtype: str = "int16", seed: int = 0) -> Sound:
    # Loud enough to clip now and then, which must not depend on the cutting either.
    values = np.random.default_rng(seed).standard_normal((frames, channels)) * 0.5
    if dtype.startswith("int"):
        values = np.clip(values * SCALE[dtype], -SCALE[dtype], SCALE[dtype] - 1)
    return Sound(rate, values.astype(dtype))


def plainly(sound: Sound, wire: WireFormat) -> bytes:
    """The same by the plainest way: all at once, with no piece of the room but the codec."""
    mono = (sound.frames.astype(float) / SCALE[sound.dtype]).mean(axis=1).astype(np.float32)
    if sound.rate != wire.rate:
        stream = soxr.ResampleStream(sound.rate, wire.rate, 1, dtype="float32")
        mono = stream.resample_chunk(mono, last=True) if mono.size else mono
    return wire.encode(np.clip(np.round(mono * 32768), -32768, 32767).astype(np.int16))


def in_one(wire: WireFormat, *sounds: Sound) -> bytes:
    pipeline = InputPipeline(wire)
    chunks = [c for s in sounds for c in pipeline.push(s.frames, rate=s.rate)]
    return b"".join(chunks + pipeline.flush())


sounds = st.builds(
    noise,
    rate=st.sampled_from(RATES),
    frames=st.integers(0, 6_000),
    channels=st.integers(1, 3),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**32 - 1),
)


@settings(max_examples=150, deadline=None)
@given(sounds, st.sampled_from(FORMATS), st.sampled_from([20, 50, 100, 1_000]), st.data())
def test_any_cutting_gives_the_same_bytes(
    sound: Sound, wire: WireFormat, chunk_ms: int, data: st.DataObject
) -> None:
    expected = plainly(sound, wire)
    assert in_one(wire, sound) == expected

    pipeline = InputPipeline(wire, chunk_ms=chunk_ms)
    chunks: list[bytes] = []
    kind = data.draw(st.sampled_from(["bytes", "interleaved", "frames"]))
    size = len(sound.data) if kind == "bytes" else len(sound.frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=12)))
    for a, b in zip([0, *cuts], [*cuts, size], strict=True):
        if kind == "bytes":
            chunks += pipeline.push(
                sound.data[a:b], rate=sound.rate, channels=sound.channels, dtype=sound.dtype
            )
        elif kind == "interleaved":
            row = sound.frames[a:b].reshape(-1)
            chunks += pipeline.push(row, rate=sound.rate, channels=sound.channels)
        else:
            chunks += pipeline.push(sound.frames[a:b], rate=sound.rate)
        counts = pipeline.counts
        assert counts.appended * wire.bytes_per_sample == sum(map(len, chunks))
    assert all(wire.ms(len(chunk)) == chunk_ms for chunk in chunks)
    chunks += pipeline.flush()
    assert b"".join(chunks) == expected
    assert all(wire.ms(len(chunk)) == chunk_ms for chunk in chunks[:-1])
    assert pipeline.counts.pushed == len(sound.frames)
    assert pipeline.counts.appended == len(expected) // wire.bytes_per_sample


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("rate", RATES)
def test_the_length_is_exact(wire: WireFormat, rate: int) -> None:
    for frames in (1, 2, 3, 999, rate // 10):
        samples = (2 * frames * wire.rate + rate) // (2 * rate)
        assert len(in_one(wire, noise(rate, frames))) == samples * wire.bytes_per_sample


def test_a_chunk_is_given_as_soon_as_it_is_complete() -> None:
    pipeline = InputPipeline(PCM)
    sound = noise(24_000, 2_400)
    assert pipeline.push(sound.data[:-1], rate=24_000) == []
    assert pipeline.push(sound.data[-1:], rate=24_000) == [sound.data]
    assert pipeline.flush() == []


def test_stereo_is_mixed_and_not_played_at_half_speed() -> None:
    left, right = noise(48_000, 4_800, seed=1), noise(48_000, 4_800, seed=2)
    stereo = Sound(48_000, np.hstack([left.frames, right.frames]))
    twice = Sound(48_000, np.hstack([left.frames, left.frames]))
    pipeline = InputPipeline(PCM)
    out = pipeline.push(stereo.data, rate=48_000, channels=2) + pipeline.flush()
    assert len(b"".join(out)) == 4_800
    assert b"".join(out) == in_one(PCM, stereo)  # as a 2-D array, with no `channels` given
    assert in_one(PCM, twice) == in_one(PCM, left)


def test_odd_bytes_wait_for_their_rest() -> None:
    sound = noise(44_100, 700, channels=2, dtype="int32")
    pipeline = InputPipeline(PCM, chunk_ms=20)
    chunks = [
        chunk
        for at in range(len(sound.data))
        for chunk in pipeline.push(sound.data[at : at + 1], rate=44_100, channels=2, dtype="int32")
    ]
    assert b"".join(chunks + pipeline.flush()) == plainly(sound, PCM)
    assert pipeline.counts.stray_bytes == 0


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("rate", RATES)
def test_nothing_leaks_into_the_next_turn(wire: WireFormat, rate: int) -> None:
    first, second = noise(rate, rate // 7, seed=1), noise(rate, rate // 9, seed=2)
    pipeline = InputPipeline(wire)

    turn = pipeline.push(first.data + b"x", rate=rate) + pipeline.flush()
    assert b"".join(turn) == plainly(first, wire)
    turn = pipeline.push(second.data, rate=rate) + pipeline.flush()
    assert b"".join(turn) == plainly(second, wire)

    pipeline.push(first.data + b"x", rate=rate)
    pipeline.clear()
    assert pipeline.flush() == []
    turn = pipeline.push(second.data, rate=rate) + pipeline.flush()
    assert b"".join(turn) == plainly(second, wire)
    assert pipeline.counts.stray_bytes == 2


def test_a_new_rate_ends_the_old_stream_and_starts_another() -> None:
    parts = [noise(48_000, 5_001), noise(44_100, 3_333, seed=1), noise(48_000, 2_000, seed=2)]
    assert in_one(PCM, *parts) == b"".join(plainly(part, PCM) for part in parts)
    parts[1] = noise(24_000, 777, seed=1)
    assert in_one(PCM, *parts) == b"".join(plainly(part, PCM) for part in parts)


def test_a_new_number_of_channels_is_a_new_source() -> None:
    parts = [noise(48_000, 5_000), noise(48_000, 3_333, channels=2)]
    assert in_one(PCM, *parts) == b"".join(plainly(part, PCM) for part in parts)


def test_another_dtype_is_the_same_source() -> None:
    sound = noise(48_000, 5_000)
    floats = (sound.frames / 2**15).astype(np.float32)
    pipeline = InputPipeline(PCM)
    out = pipeline.push(sound.frames[:1_234], rate=48_000)
    out += pipeline.push(floats[1_234:3_000], rate=48_000)
    out += pipeline.push(sound.frames[3_000:].tobytes(), rate=48_000) + pipeline.flush()
    assert b"".join(out) == plainly(sound, PCM)


def test_a_pause_is_no_end() -> None:
    sound = noise(48_000, 9_600)
    pipeline = InputPipeline(PCM)
    out = pipeline.push(sound.frames[:5_000], rate=48_000)
    before = pipeline.counts
    assert before.delayed > 0
    for nothing in (b"", bytearray(), np.zeros(0, np.float32), np.zeros((0, 2), np.int16)):
        for rate in (48_000, 16_000):
            assert pipeline.push(nothing, rate=rate) == []
    assert pipeline.counts == before
    out += pipeline.push(sound.frames[5_000:], rate=48_000) + pipeline.flush()
    assert b"".join(out) == plainly(sound, PCM)


@pytest.mark.parametrize("wire", FORMATS)
def test_what_passes_straight_equals_the_long_way(wire: WireFormat) -> None:
    frames = np.arange(-(2**15), 2**15).astype(np.int16)
    straight = InputPipeline(wire).push(frames, rate=wire.rate)
    assert b"".join(straight) == wire.encode(frames)[: len(b"".join(straight))]
    for same in (
        frames.astype(">i2"),
        frames.tobytes(),
        np.repeat(frames, 2)[::2],
        (frames / 2**15).astype(np.float32),
        frames / 2**15,
        frames.astype(np.int32) << 16,
        np.stack([frames, frames], axis=1),
    ):
        assert InputPipeline(wire).push(same, rate=wire.rate) == straight


@pytest.mark.parametrize("wire", FORMATS)
def test_what_the_wire_wants_as_it_is_takes_no_long_way(
    wire: WireFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_way: list[str] = []

    def mixed(frames: NDArray[Any]) -> NDArray[np.float32]:
        long_way.append(frames.dtype.name)
        return mix(frames)

    monkeypatch.setattr("realtime_client.audio.pipeline.mix", mixed)
    pipeline = InputPipeline(wire)
    pipeline.push(b"abc", rate=wire.rate)
    pipeline.push(np.zeros((5, 1), np.int16), rate=wire.rate)
    assert long_way == []
    pipeline.push(np.zeros(5, np.int32), rate=wire.rate)
    pipeline.push(np.zeros(5, np.int16), rate=48_000)
    assert long_way == ["int32", "int16"]


GOOD = noise(48_000, 3_000, channels=2)
NAN = np.full((9, 2), np.nan)


@pytest.mark.parametrize(
    ("data", "kwargs"),
    [
        (NAN, {"rate": 48_000}),
        (NAN.astype(np.float32), {"rate": 16_000}),
        (np.full(50, -np.inf), {"rate": 24_000}),
        (NAN.tobytes(), {"rate": 48_000, "channels": 2, "dtype": "float64"}),
        (b"abcd", {"rate": 7_999}),
        (b"abcd", {"rate": 192_001}),
        (b"abcd", {"rate": 48_000.0}),
        (b"abcd", {"rate": True}),
        (b"abcd", {"rate": 16_000, "channels": 0}),
        (b"abcd", {"rate": 16_000, "dtype": "float16"}),
        ([1, 2], {"rate": 16_000}),
        (np.zeros((2, 480)), {"rate": 16_000}),
        (np.zeros(3, np.int16), {"rate": 48_000, "channels": 2}),
        (np.zeros(4, np.uint8), {"rate": 48_000}),
    ],
)
def test_a_bad_chunk_changes_nothing(data: Any, kwargs: Any) -> None:
    pipeline = InputPipeline(PCM)
    cut = 4 * 1_500 + 3  # within a frame
    out = pipeline.push(GOOD.data[:cut], rate=48_000, channels=2)
    before = pipeline.counts
    with pytest.raises(InvalidAudio):
        pipeline.push(data, **kwargs)
    assert pipeline.counts == before
    out += pipeline.push(GOOD.data[cut:], rate=48_000, channels=2) + pipeline.flush()
    assert b"".join(out) == plainly(GOOD, PCM)
    assert pipeline.counts.stray_bytes == 0


def test_a_bad_chunk_does_not_eat_the_bytes_it_would_have_continued() -> None:
    sound = noise(48_000, 500, dtype="float32")
    pipeline = InputPipeline(PCM)
    pipeline.push(sound.data[:1_003], rate=48_000, dtype="float32")
    bad = sound.data[1_003:1_004] + np.float32(np.nan).tobytes()
    with pytest.raises(InvalidAudio, match="NaN"):
        pipeline.push(bad, rate=48_000, dtype="float32")
    out = pipeline.push(sound.data[1_003:], rate=48_000, dtype="float32") + pipeline.flush()
    assert b"".join(out) == plainly(sound, PCM)


@pytest.mark.parametrize(
    ("data", "kwargs"),
    [
        (b"\x01\x00\x02\x00", {"rate": 16_000, "channels": 2}),
        (b"\x01\x00\x02\x00", {"rate": 24_000, "channels": 1}),
        (b"\x01\x00\x02\x00", {"rate": 24_000, "channels": 2, "dtype": "int32"}),
        (np.array([[1, 2]], np.int16), {"rate": 24_000}),
    ],
)
def test_a_frame_that_never_gets_its_rest_is_counted_and_gone(data: Any, kwargs: Any) -> None:
    wire = PCM
    head = noise(24_000, 100, channels=2)
    pipeline = InputPipeline(wire)
    assert pipeline.push(head.data + b"abc", rate=24_000, channels=2) == []
    assert pipeline.counts.stray_bytes == 0
    assert pipeline.push(data, **kwargs) == []
    assert pipeline.counts.stray_bytes == 3
    alone = InputPipeline(wire)
    alone.push(data, **kwargs)
    assert b"".join(pipeline.flush()) == plainly(head, wire) + b"".join(alone.flush())
    assert pipeline.counts.stray_bytes == 3 + alone.counts.stray_bytes


def test_flush_and_clear_count_the_stray_bytes_they_end() -> None:
    pipeline = InputPipeline(PCM)
    pipeline.push(b"abc", rate=24_000)
    pipeline.flush()
    assert pipeline.counts.stray_bytes == 1
    pipeline.push(b"abc", rate=24_000, channels=2)
    pipeline.clear()
    pipeline.clear()
    pipeline.flush()
    assert pipeline.counts.stray_bytes == 4


operations = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([24_000, 44_100, 48_000, 8_000]), st.integers(1, 5_000)),
        st.sampled_from(["flush", "clear"]),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(operations, st.sampled_from(FORMATS))
def test_the_account_closes_after_every_step(steps: list[Any], wire: WireFormat) -> None:
    pipeline = InputPipeline(wire)
    chunks: list[bytes] = []
    pushed, ended, dropped = 0, 0, 0
    rate, taken = 24_000, 0  # the stretch that is open

    def due() -> int:
        return (2 * taken * wire.rate + rate) // (2 * rate)

    for step in [*steps, "flush"]:
        if step == "flush":
            chunks += pipeline.flush()
        elif step == "clear":
            lost = pipeline.counts.held + pipeline.counts.delayed
            pipeline.clear()
            dropped += lost
        else:
            chunks += pipeline.push(noise(*step).frames, rate=step[0])
        if step in ("flush", "clear") or step[0] != rate:
            ended, taken = ended + due(), 0
        if step not in ("flush", "clear"):
            rate, taken, pushed = step[0], taken + step[1], pushed + step[1]
        counts = pipeline.counts
        assert counts.pushed == pushed
        assert counts.dropped == dropped
        assert counts.appended * wire.bytes_per_sample == sum(map(len, chunks))
        assert counts.appended + counts.held + counts.delayed + counts.dropped == ended + due()
        assert 0 <= counts.held < wire.rate // 10
        assert counts.delayed >= 0
        if step in ("flush", "clear"):
            assert counts.held == counts.delayed == 0


def test_counts_say_where_audio_is() -> None:
    pipeline = InputPipeline(PCM)
    assert set(dataclasses.astuple(pipeline.counts)) == {0}
    sound = noise(48_000, 9_600)
    pipeline.push(sound.frames, rate=48_000)
    counts = pipeline.counts
    assert (counts.pushed, counts.appended) == (9_600, 2_400)
    assert counts.held + counts.delayed == 2_400
    assert counts.delayed > 0
    pipeline.clear()
    assert (pipeline.counts.appended, pipeline.counts.dropped) == (2_400, 2_400)
    assert counts.held + counts.delayed == 2_400  # a snapshot does not move
    with pytest.raises(dataclasses.FrozenInstanceError):
        counts.held = 0  # type: ignore[misc]  # that is what is tested


@pytest.mark.parametrize("wire", FORMATS)
def test_what_was_given_may_be_changed_afterwards(wire: WireFormat) -> None:
    sound = noise(wire.rate, wire.rate // 20)
    pipeline = InputPipeline(wire)
    array, data = sound.frames.copy(), bytearray(sound.data)
    pipeline.push(array, rate=wire.rate)
    array[:] = 7
    assert b"".join(pipeline.flush()) == plainly(sound, wire)
    pipeline.push(data, rate=wire.rate)
    data[:] = bytes(len(data))
    assert b"".join(pipeline.flush()) == plainly(sound, wire)


def test_a_tone_keeps_its_pitch_and_its_loudness() -> None:
    at = np.arange(48_000) / 48_000
    left = 0.5 * np.sin(2 * np.pi * 1_000 * at)
    stereo = np.stack([left, left / 2], axis=1).astype(np.float32)
    pipeline = InputPipeline(PCM)
    out = [
        c for i in range(0, 48_000, 960) for c in pipeline.push(stereo[i : i + 960], rate=48_000)
    ]
    assert [len(chunk) for chunk in out] == [4_800] * len(out)
    heard = PCM.decode(b"".join(out + pipeline.flush())) / 2**15
    assert heard.size == 24_000
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size))) / (heard.size / 4)
    assert int(spectrum.argmax()) == 1_000  # one bin is one hertz
    assert spectrum.max() == pytest.approx(0.375, rel=1e-3)
    expected = 0.375 * np.sin(2 * np.pi * 1_000 * np.arange(24_000) / 24_000)
    assert np.abs(heard - expected)[1_000:-1_000].max() < 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loudest_float_clips_and_leaves_no_mark(dtype: str) -> None:
    frames = np.zeros(48_000, dtype)
    frames[10_000:20_000:2] = np.finfo(frames.dtype).max
    pipeline = InputPipeline(PCM)
    out = pipeline.push(frames, rate=48_000) + pipeline.flush()
    heard = PCM.decode(b"".join(out))
    assert heard[6_000:9_000].tolist() == [32_767] * 3_000
    assert not heard[:4_000].any()
    assert not heard[11_000:].any()


@pytest.mark.parametrize("chunk_ms", [19, 1_001, 0, -20, 100.0, "100", True, None])
def test_a_chunk_is_20_ms_to_one_second(chunk_ms: Any) -> None:
    with pytest.raises(InvalidAudio, match="chunk_ms must be a whole number from 20 to 1,000"):
        InputPipeline(PCM, chunk_ms=chunk_ms)


@pytest.mark.parametrize("chunk_ms", [20, 21, 1_000])
@pytest.mark.parametrize("wire", FORMATS)
def test_a_chunk_has_the_length_that_was_asked_for(wire: WireFormat, chunk_ms: int) -> None:
    chunks = InputPipeline(wire, chunk_ms=chunk_ms).push(bytes(4 * wire.rate), rate=wire.rate)
    assert len(chunks) == 2_000 // chunk_ms
    assert {wire.ms(len(chunk)) for chunk in chunks} == {chunk_ms}


def test_a_chunk_is_a_whole_number_of_samples() -> None:
    odd = WireFormat("audio/pcm", 11_025)
    with pytest.raises(InvalidAudio, match="chunk_ms=100 is no whole number of samples at 11,025"):
        InputPipeline(odd)
    chunks = InputPipeline(odd, chunk_ms=1_000).push(bytes(22_050), rate=11_025)
    assert [len(chunk) for chunk in chunks] == [22_050]


def test_a_quality_is_one_of_soxrs_names_and_reaches_the_filter() -> None:
    with pytest.raises(InvalidAudio, match="quality must be one of"):
        InputPipeline(PCM, quality="best")
    sound = noise(48_000, 4_800)
    quick = InputPipeline(PCM, quality="QQ")
    out = quick.push(sound.frames, rate=48_000) + quick.flush()
    assert len(b"".join(out)) == 4_800
    assert b"".join(out) != plainly(sound, PCM)
    quick.push(sound.frames, rate=48_000)
    assert quick.counts.delayed <= 1  # QQ hardly looks ahead


CODED = {"mulaw": (ULAW, ulaw_decode), "alaw": (ALAW, alaw_decode)}


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.sampled_from([*RATES, 32_000]), st.integers(8_000, 192_000)),
    st.integers(0, 4_000),
    st.integers(1, 3),
    st.sampled_from(DTYPES),
    st.sampled_from(FORMATS),
    st.sampled_from(QUALITIES),
    st.lists(st.integers(0, 2**16), max_size=10),
    st.integers(0, 2**32 - 1),
)
def test_any_rate_in_any_quality_gives_the_bytes_of_one_push(
    rate: int,
    frames: int,
    channels: int,
    dtype: str,
    wire: WireFormat,
    quality: str,
    cuts: list[int],
    seed: int,
) -> None:
    sound = noise(rate, frames, channels, dtype, seed)
    whole = InputPipeline(wire, quality=quality)
    expected = whole.push(sound.frames, rate=rate) + whole.flush()
    samples = (2 * frames * wire.rate + rate) // (2 * rate)
    assert len(b"".join(expected)) == samples * wire.bytes_per_sample

    pipeline = InputPipeline(wire, quality=quality)
    chunks: list[bytes] = []
    at = sorted(cut % (len(sound.data) + 1) for cut in cuts)
    for a, b in zip([0, *at], [*at, len(sound.data)], strict=True):
        chunks += pipeline.push(sound.data[a:b], rate=rate, channels=channels, dtype=dtype)
    assert chunks + pipeline.flush() == expected
    assert pipeline.counts.due == pipeline.counts.appended == samples


@settings(max_examples=50, deadline=None)
@given(
    st.binary(max_size=3_000),
    st.sampled_from(["mulaw", "alaw"]),
    st.integers(1, 3),
    st.sampled_from(FORMATS),
    st.lists(st.integers(0, 3_000), max_size=6),
)
def test_g711_is_heard_as_what_it_stands_for(
    codes: bytes, law: str, channels: int, wire: WireFormat, cuts: list[int]
) -> None:
    codes = codes[: len(codes) // channels * channels]
    own, decode = CODED[law]
    pipeline = InputPipeline(wire)
    chunks: list[bytes] = []
    at = sorted(min(cut, len(codes)) for cut in cuts)
    for a, b in zip([0, *at], [*at, len(codes)], strict=True):
        chunks += pipeline.push(codes[a:b], rate=8_000, channels=channels, dtype=law)
    sound = Sound(8_000, decode(codes).reshape(-1, channels))
    own_format = wire == own and channels == 1
    assert b"".join(chunks + pipeline.flush()) == (codes if own_format else plainly(sound, wire))


@pytest.mark.parametrize("wire", FORMATS)
def test_what_is_in_the_wires_format_passes_as_it_is(
    wire: WireFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("nothing is to be decoded, coded or looked at")

    for name in ("mix", "to_int16", "decode_frames", "split_frames", "Resampler.push"):
        monkeypatch.setattr(f"realtime_client.audio.pipeline.{name}", never)
    monkeypatch.setattr(WireFormat, "encode", never)
    data = bytes(range(256)) * 40  # in µ-law, both of its codes for zero
    pipeline = InputPipeline(wire)
    chunks = []
    for at in range(0, len(data), 33):
        chunks += pipeline.push(data[at : at + 33], rate=wire.rate, dtype=wire.dtype)
        assert pipeline.counts.due == (at + len(data[at : at + 33])) // wire.bytes_per_sample
    assert len(chunks[0]) == wire.rate // 10 * wire.bytes_per_sample
    monkeypatch.undo()
    assert b"".join(chunks + pipeline.flush()) == data
    assert pipeline.counts.pushed == len(data) // wire.bytes_per_sample
    assert type(pipeline.counts.pushed) is int


def test_g711_is_bytes_at_8_khz() -> None:
    pipeline = InputPipeline(PCM)
    for law in ("mulaw", "alaw"):
        with pytest.raises(InvalidAudio, match=f"{law} is always 8,000 Hz; got 16,000"):
            pipeline.push(b"abc", rate=16_000, dtype=law)
        with pytest.raises(InvalidAudio, match=r"array\.tobytes\(\) and a dtype of mulaw"):
            pipeline.push(np.zeros(4, np.uint8), rate=8_000, dtype=law)
    assert pipeline.counts == InputPipeline(PCM).counts


def test_a_carried_byte_is_for_its_own_dtype() -> None:
    pipeline = InputPipeline(PCM)
    pipeline.push(b"\x01\x00\x02", rate=8_000)
    pipeline.push(b"\xff", rate=8_000, dtype="mulaw")
    assert (pipeline.counts.pushed, pipeline.counts.stray_bytes) == (2, 1)


FRAMES_20_MS = [(8_000, 160), (16_000, 320), (32_000, 640), (48_000, 960)]


@pytest.mark.parametrize(("rate", "frame"), FRAMES_20_MS)
def test_with_low_delay_a_chunk_leaves_when_its_audio_is_there(rate: int, frame: int) -> None:
    pipeline = InputPipeline(PCM, quality="low_delay")
    sound = noise(rate, 30 * frame)
    sizes = [
        [PCM.ms(len(chunk)) for chunk in pipeline.push(sound.frames[at : at + frame], rate=rate)]
        for at in range(0, 30 * frame, frame)
    ]
    assert [len(chunks) for chunks in sizes] == [0, 0, 0, 0, 1] * 6
    (first,), *others = (chunks for chunks in sizes if chunks)
    assert 98 <= first < 100
    assert others == [[100]] * 5
    # And a turn later the same again.
    pipeline.flush()
    again = pipeline.push(sound.frames[: 5 * frame], rate=rate)
    assert [PCM.ms(len(chunk)) for chunk in again] == [first]


def test_with_low_delay_one_product_makes_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(*args: Any) -> NDArray[np.float64]:
        out = low_delay_product(*args)
        sizes.append(out.size)
        return out

    monkeypatch.setattr("realtime_client.audio.low_delay._product", counted)
    pipeline = InputPipeline(PCM, quality="low_delay")
    sound = noise(48_000, 48_000)
    chunks = [
        chunk
        for at in range(0, 48_000, 960)
        for chunk in pipeline.push(sound.frames[at : at + 960], rate=48_000)
    ]
    assert sizes == [2_376, *[2_400] * 9]  # whole rows of 24
    assert len(chunks) == 10


def test_only_the_first_chunk_of_a_turn_is_in_step() -> None:
    pipeline = InputPipeline(PCM, quality="low_delay")
    half = noise(24_000, 1_200)
    assert pipeline.push(half.frames, rate=24_000) == []
    other = noise(48_000, 9_600)
    chunks = pipeline.push(other.frames, rate=48_000)
    assert {PCM.ms(len(chunk)) for chunk in chunks} == {100}
    low = Resampler(48_000, 24_000, quality="low_delay")
    plain = np.concatenate([low.push(mix(other.frames)), low.flush()])
    assert b"".join(chunks + pipeline.flush()) == half.data + PCM.encode(to_int16(plain))


def test_the_quality_in_use_is_the_sources() -> None:
    pipeline = InputPipeline(PCM, quality="low_delay")
    assert pipeline.quality == "low_delay"
    for rate, quality in [(44_100, "HQ"), (48_000, "low_delay")]:
        pipeline.push(noise(rate, 100).frames, rate=rate)
        assert pipeline.quality == quality
