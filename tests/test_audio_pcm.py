from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.audio import mix, to_int16
from realtime_client.audio.pcm import Layout, checked_int, checked_rate, interpret, split_frames
from realtime_client.errors import InvalidAudio

DTYPES = ["int16", "int32", "float32", "float64"]
STEREO = np.array([[1, 2], [3, 4], [-5, 6]])


def heard(data: Any, **kwargs: Any) -> list[float]:
    layout, given_data = interpret(data, **kwargs)
    if isinstance(given_data, bytes):
        given_data, _ = split_frames(given_data, layout)
    mono = mix(given_data)
    assert mono.dtype == np.float32
    assert mono.flags.c_contiguous
    return [float(sample) for sample in mono]


def test_integers_are_scaled_by_their_full_range_and_floats_are_not() -> None:
    assert heard(np.array([-(2**15), 2**14, 1], np.int16)) == [-1, 0.5, 2**-15]
    assert heard(np.array([-(2**31), 2**30, 256], np.int32)) == [-1, 0.5, 2**-23]
    assert heard(np.array([-1, 0.5, 1.25], np.float32)) == [-1, 0.5, 1.25]
    assert heard(np.array([-1, 0.5, 1.25], np.float64)) == [-1, 0.5, 1.25]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_way_to_say_the_same_is_heard_the_same(dtype: str) -> None:
    array = STEREO.astype(dtype)
    little = array.astype(array.dtype.newbyteorder("<"))
    data = little.tobytes()
    expected = heard(array)
    assert len(expected) == 3
    padded = np.zeros((6, 4), dtype)
    padded[::2, 1:3] = array
    for same in (
        np.asfortranarray(array),
        array.astype(array.dtype.newbyteorder(">")),
        padded[::2, 1:3],
        array[::-1][::-1],
        array.data,
    ):
        assert heard(same) == expected
        assert heard(same, channels=2) == expected
        assert heard(same, dtype=dtype) == expected
    for same in (array.reshape(-1), np.repeat(array.reshape(-1), 2)[::2]):
        assert heard(same, channels=2) == expected
    assert heard(array.reshape(-1).data, channels=2) == expected
    spread = bytearray(2 * len(data))
    spread[::2] = data
    for raw in (data, bytearray(data), memoryview(data), memoryview(spread)[::2]):
        assert heard(raw, channels=2, dtype=dtype) == expected


def test_bytes_are_int16_unless_it_is_said_otherwise() -> None:
    assert interpret(b"\x01\x00")[0] == Layout("int16", 1)
    assert interpret(b"", dtype="float64", channels=3)[0].frame_bytes == 24
    assert heard(np.array([16384], "<i2").tobytes()) == [0.5]


def test_an_array_knows_its_dtype_and_channels() -> None:
    assert interpret(np.zeros((5, 2), np.float32))[0] == Layout("float32", 2)
    assert interpret(np.zeros(6, ">i4"), channels=3)[0] == Layout("int32", 3)
    assert interpret(np.zeros(6, np.float64).data)[0] == Layout("float64", 1)


def test_channels_are_averaged() -> None:
    assert heard(np.array([[1.0, 0.0], [0.5, -0.5]])) == [0.5, 0]
    assert heard(np.array([3, 6, 9], np.int16), channels=3) == [6 / 2**15]


def test_channels_are_added_in_float64() -> None:
    # In float32 the small one would drown in the first.
    frame = np.array([[1, 2**-30, -1]], np.float32)
    assert heard(frame) == [float(np.float32(2**-30 / 3))]


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.sampled_from(["float32", "float64"]))
def test_the_mean_depends_on_nothing_but_the_frame(seed: int, channels: int, dtype: str) -> None:
    frames = np.random.default_rng(seed).standard_normal((40, channels)).astype(dtype)
    whole = heard(frames)
    assert heard(np.asfortranarray(frames)) == whole
    assert [x for at in range(40) for x in heard(frames[at : at + 1])] == whole


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_frames_are_no_samples(dtype: str) -> None:
    assert heard(np.zeros((0, 2), dtype)) == heard(np.zeros(0, dtype), channels=2) == []
    assert heard(b"", dtype=dtype) == []


def test_what_is_too_loud_clips_and_does_not_overflow() -> None:
    most = np.finfo(np.float64).max
    loud = np.array([[most, most], [-most, -most], [most, -most], [0.25, 0.25]])
    assert to_int16(mix(loud)).tolist() == [32767, -32768, 0, 8192]
    largest = np.full((1, 1), np.finfo(np.float32).max, np.float32)
    assert to_int16(mix(largest)).tolist() == [32767]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_place(bad: float, dtype: str) -> None:
    frames = np.zeros((9, 2), dtype)
    frames[4, 1] = frames[7, 0] = bad
    with pytest.raises(InvalidAudio, match=f"{dtype} samples hold NaN or infinity.* frame 4 of 9"):
        mix(frames)


def test_a_refused_bytearray_is_not_kept_locked() -> None:
    data = bytearray(np.full(3, np.nan, "<f4").tobytes())
    with pytest.raises(InvalidAudio) as caught:
        heard(data, dtype="float32")
    data.clear()  # raises BufferError as long as anything holds on to it
    assert len(caught.value.args) == 1


@pytest.mark.parametrize(
    ("data", "kwargs", "words"),
    [
        ([0.0, 0.1], {}, "got list: use numpy.asarray"),
        ("text", {}, "got str"),
        (None, {}, "got NoneType"),
        (b"ab", {"dtype": "int24"}, "int16, int32, float32, float64, mulaw, alaw; got 'int24'"),
        (b"ab", {"dtype": "uint8"}, "got 'uint8'"),
        (b"ab", {"channels": 0}, "channels must be a whole number from 1 to 64; got 0"),
        (b"ab", {"channels": 65}, "got 65"),
        (b"ab", {"channels": 1.0}, r"got 1.0 \(float\)"),
        (b"ab", {"channels": True}, r"got True \(bool\)"),
        (np.zeros(4, np.uint8), {}, "got an array of uint8"),
        (np.zeros(4, np.int64), {}, "got an array of int64"),
        (np.zeros(4, np.float16), {}, "got an array of float16"),
        (np.zeros(4, np.complex64), {}, "got an array of complex64"),
        (np.zeros(4, bool), {}, "got an array of bool"),
        (np.zeros(4, object), {}, "got an array of object"),
        (np.zeros(4, np.float32), {"dtype": "int16"}, "given with an array of float32"),
        (np.zeros(5, np.int16), {"channels": 2}, "5 interleaved samples are no whole number"),
        (np.zeros((4, 2), np.int16), {"channels": 3}, r"channels=3 .* shape \(4, 2\)"),
        (np.zeros((2, 480), np.int16), {}, r"\(2, 480\).*transpose"),
        (np.zeros((4, 0), np.int16), {}, r"shape \(4, 0\)"),
        (np.zeros((4, 2, 2), np.int16), {}, r"shape \(4, 2, 2\)"),
        (np.zeros((), np.int16), {}, r"shape \(\)"),
        (np.zeros(4, np.uint64).data, {}, "got an array of uint64"),
        (np.zeros(4, np.int32).data, {"dtype": "int16"}, "an array of int32"),
    ],
)
def test_what_cannot_be_audio_is_refused_in_words(data: Any, kwargs: Any, words: str) -> None:
    with pytest.raises(InvalidAudio, match=words):
        interpret(data, **kwargs)


@given(st.binary(max_size=80), st.sampled_from(DTYPES), st.integers(1, 4))
def test_frames_and_rest_are_all_the_bytes(data: bytes, dtype: str, channels: int) -> None:
    layout = Layout(dtype, channels)
    frames, rest = split_frames(data, layout)
    assert frames.tobytes() + rest == data
    assert frames.shape[1] == channels
    assert len(rest) < layout.frame_bytes


def test_rounding_is_half_to_even_and_clips() -> None:
    steps = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.51, -0.51], np.float32)
    assert to_int16(steps / np.float32(2**15)).tolist() == [0, 2, 2, 0, -2, -2, 1, -1]
    edges = np.array([1, 32766.5 / 2**15, 32767.5 / 2**15, 2, -1, -1.0001, -9], np.float32)
    assert to_int16(edges).tolist() == [32767, 32766, 32767, 32767, -32768, -32768, -32768]


def test_every_int16_comes_back() -> None:
    samples = np.arange(-(2**15), 2**15).astype(np.int16)
    assert np.array_equal(to_int16(mix(samples.reshape(-1, 1))), samples)
    wide = (samples.astype(np.int32) << 16).reshape(-1, 1)
    assert np.array_equal(to_int16(mix(wide)), samples)


@pytest.mark.parametrize("rate", [8_000, 11_025, 192_000, np.int64(48_000), np.uint32(44_100)])
def test_a_rate_is_a_whole_number_of_hertz(rate: Any) -> None:
    assert checked_rate(rate) == rate
    assert type(checked_rate(rate)) is int


@pytest.mark.parametrize("rate", [7_999, 192_001, 0, -48_000, 48_000.0, "48000", None, np.nan])
def test_any_other_rate_is_refused(rate: Any) -> None:
    with pytest.raises(InvalidAudio, match=r"sample rate in hertz .* 8,000 to 192,000; got"):
        checked_rate(rate)


def test_a_bool_is_no_number() -> None:
    with pytest.raises(InvalidAudio, match="true or so"):
        checked_int(True, "true or so", 0, 1)
