from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime_client.audio import QUALITIES, Resampler
from realtime_client.errors import InvalidAudio

Float32 = NDArray[np.float32]

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 191_999, 192_000]
rates = st.one_of(st.sampled_from(RATES), st.integers(8_000, 192_000))


def noise(frames: int, seed: int = 0) -> Float32:
    return (np.random.default_rng(seed).standard_normal(frames) * 0.3).astype(np.float32)


def resample(resampler: Resampler, *parts: Float32) -> Float32:
    ready = [resampler.push(part) for part in parts]
    return np.concatenate([*ready, resampler.flush()])


def cut(signal: Float32, seed: int) -> list[Float32]:
    """In pieces of 0 to about 60 ms, and some of a few samples."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, signal.size + 1, 12))
    few = [int(rng.integers(0, signal.size + 1)) + k for k in range(4)]
    return np.split(signal, sorted([*at.tolist(), *few]))


def same_bits(a: Float32, b: Float32) -> bool:
    return a.dtype == b.dtype == np.float32 and a.tobytes() == b.tobytes()


@settings(max_examples=150, deadline=None)
@given(rates, rates, st.integers(0, 9_000), st.sampled_from(QUALITIES), st.integers(0, 2**32 - 1))
def test_any_cutting_gives_the_same_bits_and_the_exact_length(
    rate: int, target: int, frames: int, quality: str, seed: int
) -> None:
    signal = noise(frames, seed)
    whole = resample(Resampler(rate, target, quality=quality), signal)
    assert whole.size == (2 * frames * target + rate) // (2 * rate)

    resampler = Resampler(rate, target, quality=quality)
    taken, ready = 0, []
    for part in cut(signal, seed):
        ready.append(resampler.push(part))
        taken += part.size
        due = (2 * taken * target + rate) // (2 * rate)
        assert resampler.pending == due - sum(r.size for r in ready)
        assert resampler.pending >= 0
    ready.append(resampler.flush())
    assert same_bits(np.concatenate(ready), whole)


def test_single_samples_are_pieces_too() -> None:
    signal = noise(2_000)
    singles = np.split(signal, signal.size)
    for rate, target in [(48_000, 24_000), (44_100, 24_000), (8_000, 24_000), (191_999, 8_000)]:
        for quality in QUALITIES:
            whole = resample(Resampler(rate, target, quality=quality), signal)
            pieces = resample(Resampler(rate, target, quality=quality), *singles)
            assert same_bits(pieces, whole)


@pytest.mark.parametrize(
    ("rate", "target", "frames"),
    [
        (12_160, 24_000, 57),
        (30_464, 24_000, 1_190),
        (130_944, 24_000, 341),
        (56_960, 24_000, 1_157),
    ],
)
def test_half_a_sample_counts_as_one(rate: int, target: int, frames: int) -> None:
    assert 2 * frames * target % rate == 0  # exactly half-way, where counting in floats is short
    assert frames * target % rate != 0
    signal = noise(frames)
    ended = resample(Resampler(rate, target), signal)
    assert ended.size == frames * target // rate + 1
    silence = np.zeros(rate, np.float32)
    assert same_bits(ended, resample(Resampler(rate, target), signal, silence)[: ended.size])


@pytest.mark.parametrize("rate", RATES)
def test_what_follows_the_end_is_silence(rate: int) -> None:
    signal = noise(3_001)
    ended = resample(Resampler(rate, 24_000), signal)
    went_on = resample(Resampler(rate, 24_000), signal, np.zeros(rate, np.float32))
    assert same_bits(ended, went_on[: ended.size])


@pytest.mark.parametrize("rate", [r for r in RATES if r != 24_000])
def test_nothing_is_left_after_flush_or_reset(rate: int) -> None:
    first, second = noise(4_000, 1), noise(4_000, 2)
    fresh = resample(Resampler(rate, 24_000), second)

    resampler = Resampler(rate, 24_000)
    resample(resampler, first)
    assert resampler.pending == 0
    assert same_bits(resample(resampler, second), fresh)

    resampler.push(first)
    assert resampler.pending > 0
    resampler.reset()
    assert resampler.pending == 0
    assert resampler.flush().size == 0
    assert same_bits(resample(resampler, second), fresh)


def test_equal_rates_pass_untouched_and_at_once() -> None:
    signal = noise(1_000)
    resampler = Resampler(24_000, 24_000)
    assert resampler.push(signal) is signal
    assert resampler.pending == 0
    assert resampler.flush().size == 0


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("target", [8_000, 24_000])
def test_a_tone_keeps_its_pitch_its_loudness_and_its_place(rate: int, target: int) -> None:
    def tone(at: int) -> Float32:
        return (0.5 * np.sin(2 * np.pi * 1_000 * np.arange(at // 2) / at)).astype(np.float32)

    out, expected = resample(Resampler(rate, target), tone(rate)), tone(target)
    assert abs(out.size - expected.size) <= 1
    middle = slice(target // 8, target // 8 * 3)
    assert np.abs(out[middle] - expected[middle]).max() < 1e-4


@pytest.mark.parametrize(("rate", "target"), [(7_999, 24_000), (24_000, 7_999), (48_000, 192_001)])
def test_rates_out_of_range_are_refused(rate: int, target: int) -> None:
    with pytest.raises(InvalidAudio, match="sample rate in hertz"):
        Resampler(rate, target)


def test_a_quality_is_one_of_those_that_there_are() -> None:
    assert Resampler(48_000, 24_000).quality == "HQ"
    with pytest.raises(InvalidAudio, match="of QQ, LQ, MQ, HQ, VHQ, low_delay; got 'hq'"):
        Resampler(48_000, 24_000, quality="hq")


def test_quality_reaches_the_filter() -> None:
    signal = noise(4_800)
    outputs = {resample(Resampler(48_000, 24_000, quality=q), signal).tobytes() for q in QUALITIES}
    assert len(outputs) >= 5
