"""A filter of our own: what it lets through, when, and that nothing but the samples matters."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime_client.audio import LOW_DELAY_RATES, QUALITIES, Resampler
from realtime_client.audio.low_delay import SAMPLE_UNIT, TAP_UNIT, LowDelay, design
from realtime_client.audio.pcm import LOUDEST
from realtime_client.audio.quality import DEFAULT_QUALITY, used

Float32 = NDArray[np.float32]
PAIRS = list(itertools.permutations(LOW_DELAY_RATES, 2))
TO_24 = [(rate, 24_000) for rate in LOW_DELAY_RATES if rate != 24_000]


def noise(frames: int, seed: int = 0) -> Float32:
    return (np.random.default_rng(seed).standard_normal(frames) * 0.3).astype(np.float32)


def resample(rate: int, target: int, *parts: Float32, wanted: int = 1) -> Float32:
    resampler = Resampler(rate, target, quality="low_delay")
    ready = [resampler.push(part, wanted) for part in parts]
    return np.concatenate([*ready, resampler.flush()])


def response(rate: int, target: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Frequencies, and what becomes of each in decibels, images and aliases not folded.

    Read off impulses: one in every place within a period gives every phase of the filter.
    """
    down, up = (x // np.gcd(rate, target) for x in (rate, target))
    at = 100 * down  # far from the beginning
    taps = np.zeros(200 * up * down)
    for place in range(down):
        impulse = np.zeros(200 * down, np.float32)
        impulse[at + place] = 1
        out = resample(rate, target, impulse)
        where = np.arange(out.size) * down - (at + place) * up + 100 * up * down
        inside = (where >= 0) & (where < taps.size)
        taps[where[inside]] += out[inside]
    gain = np.abs(np.fft.rfft(taps, 1 << 17))
    return np.fft.rfftfreq(1 << 17, 1 / (rate * up)), 20 * np.log10(gain / gain[0] + 1e-12)


@pytest.mark.parametrize(("rate", "target"), TO_24)
def test_it_is_flat_where_speech_is_and_stops_what_would_come_back(rate: int, target: int) -> None:
    frequency, gain = response(rate, target)
    middle = min(rate, target) / 2
    flat, stop = (10_500, 13_000) if middle == 12_000 else (middle - 600, middle + 700)
    assert np.abs(gain[frequency <= flat]).max() < 0.1
    assert gain[frequency >= stop].max() < -80


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_it_looks_ahead_by_less_than_2_ms(rate: int, target: int) -> None:
    step = np.concatenate([np.zeros(rate // 10, np.float32), np.ones(rate // 10, np.float32)])
    lowest = LowDelay(rate, target)
    plan = design(rate, target)
    assert (plan.half - 1) / (plan.up * rate) < 0.002
    for frames in (1, 7, rate // 20, rate // 10):
        given = lowest.push(step[:frames], 1).size
        lowest = LowDelay(rate, target)
        assert frames / rate - given / target < 0.002 + 1 / target  # what is out, is out at once
    assert Resampler(rate, target, quality="low_delay").lag < 0.002 * target


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_every_sample_is_given_as_soon_as_it_can_be(rate: int, target: int) -> None:
    for frames in range(rate // 20, rate // 20 + 6):
        signal = noise(frames)
        given = LowDelay(rate, target).push(signal, 1)
        more = np.ones(design(rate, target).down, np.float32)  # enough for one sample more
        quiet = resample(rate, target, signal, 0 * more)
        loud = resample(rate, target, signal, more)
        assert quiet[: given.size].tobytes() == loud[: given.size].tobytes() == given.tobytes()
        # Not each of the next: the sinc is zero at the outermost tap of some phases.
        following = slice(given.size, given.size + design(rate, target).up)
        assert quiet[following].tobytes() != loud[following].tobytes()


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_the_lag_is_what_is_missing_when_a_chunk_is_over(rate: int, target: int) -> None:
    resampler = Resampler(rate, target, quality="low_delay")
    for tenths in (1, 2):
        resampler.push(noise(rate // 10))
        assert resampler.pending == resampler.lag > 0, tenths


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(PAIRS),
    st.integers(0, 15_000),
    st.lists(st.integers(0, 15_000), max_size=10),
    st.integers(1, 5_000),
    st.integers(0, 2**32 - 1),
)
def test_any_cutting_gives_the_same_bits_and_the_exact_length(
    rates: tuple[int, int], frames: int, cuts: list[int], wanted: int, seed: int
) -> None:
    rate, target = rates
    signal = noise(frames, seed)
    whole = resample(rate, target, signal)
    assert whole.dtype == np.float32
    assert whole.size == (2 * frames * target + rate) // (2 * rate)
    parts = np.split(signal, sorted(min(c, frames) for c in cuts))
    assert resample(rate, target, *parts, wanted=wanted).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_single_samples_are_pieces_too(rate: int, target: int) -> None:
    signal = noise(700)
    singles = np.split(signal, signal.size)
    assert resample(rate, target, *singles).tobytes() == resample(rate, target, signal).tobytes()


@pytest.mark.parametrize("loudness", [1e-4, 200])
@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_no_sum_is_rounded_however_loud(rate: int, target: int, loudness: float) -> None:
    plan = design(rate, target)
    magnitudes = np.abs(plan.taps).sum(axis=0) + float(plan.middle or 0)
    assert magnitudes.max() * LOUDEST * SAMPLE_UNIT < 2**53 / (SAMPLE_UNIT * TAP_UNIT)
    units = plan.taps * (SAMPLE_UNIT * TAP_UNIT)
    assert np.array_equal(units, np.rint(units))

    # The same with Python's whole numbers, which have no size.
    loud = np.clip(noise(900) * np.float32(loudness), -LOUDEST, LOUDEST)
    out = resample(rate, target, loud)
    whole = [int(x) for x in np.rint(loud * np.float32(SAMPLE_UNIT))]
    row = 3 % (out.size // plan.columns)
    for column in (0, 1, plan.columns - 1):
        n = row * plan.columns + column
        total = sum(
            x * round(tap * SAMPLE_UNIT * TAP_UNIT)
            for j, x in enumerate(whole)
            if (tap := float(tap_between(plan, n, j)))
        )
        assert out[n] == np.float32(total / (SAMPLE_UNIT * TAP_UNIT))


def tap_between(plan: Any, n: int, j: int) -> float:
    """The tap of input `j` for output `n`, found in the matrix."""
    row, column = divmod(n, plan.columns)
    place = j - row * plan.step + plan.back
    if not 0 <= place < plan.span:
        return 0.0
    if plan.middle is None:
        return float(plan.taps[place, column])
    period, rest = divmod(place, plan.down)
    if rest == plan.down - 1:
        return float(plan.middle) if j == n * plan.down else 0.0
    return float(plan.taps[period * (plan.down - 1) + rest, column])


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_a_constant_stays_what_it_is(rate: int, target: int) -> None:
    out = resample(rate, target, np.full(rate // 10, 0.625, np.float32))
    edge = target // 500 + 1
    assert set(out[edge:-edge].tolist()) == {0.625}


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_a_tone_keeps_its_pitch_its_loudness_and_its_place(rate: int, target: int) -> None:
    def tone(at: int) -> Float32:
        return (0.5 * np.sin(2 * np.pi * 1_000 * np.arange(at // 4) / at)).astype(np.float32)

    out, expected = resample(rate, target, tone(rate)), tone(target)
    assert out.size == expected.size
    edge = target // 500 + 1
    assert np.abs(out - expected)[edge:-edge].max() < 5e-5


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_before_the_beginning_and_after_the_end_there_is_silence(rate: int, target: int) -> None:
    signal, silence = noise(3_001), np.zeros(rate // 10, np.float32)
    ended = resample(rate, target, signal)
    went_on = resample(rate, target, signal, silence)
    assert ended.tobytes() == went_on[: ended.size].tobytes()
    began_later = resample(rate, target, silence, signal)
    assert began_later[target // 10 :].tobytes() == ended.tobytes()


def test_nothing_is_left_after_flush_or_reset() -> None:
    first, second = noise(4_000, 1), noise(4_000, 2)
    fresh = resample(48_000, 24_000, second)
    resampler = Resampler(48_000, 24_000, quality="low_delay")
    for end in (resampler.flush, resampler.reset):
        resampler.push(first, 10_000)
        assert resampler.pending == 2_000
        end()
        assert resampler.pending == 0
        assert resampler.flush().size == 0
        again = np.concatenate([resampler.push(second), resampler.flush()])
        assert again.tobytes() == fresh.tobytes()


def test_it_gives_none_while_fewer_than_wanted_are_ready() -> None:
    resampler = Resampler(48_000, 24_000, quality="low_delay")
    lag = resampler.lag
    assert resampler.push(noise(960), 480).size == 0
    assert resampler.push(noise(2 * lag - 1), 480).size == 0
    assert resampler.push(noise(1), 480).size == 480
    assert resampler.push(noise(9_600), 480).size == 4_800


def test_what_was_pushed_may_be_changed_afterwards() -> None:
    signal = noise(2_000)
    resampler = Resampler(48_000, 24_000, quality="low_delay")
    mine = signal.copy()
    resampler.push(mine, 9_999)
    mine[:] = 7
    assert resampler.flush().tobytes() == resample(48_000, 24_000, signal).tobytes()


def test_what_is_kept_does_not_depend_on_what_is_pushed() -> None:
    lowest = LowDelay(48_000, 24_000)
    large = noise(480_000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        lowest.push(large, 2_400)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000


@pytest.mark.parametrize("rate", [11_025, 22_050, 44_100, 96_000, 192_000, 47_999])
def test_where_there_is_no_filter_of_ours_the_default_is_used(rate: int) -> None:
    low, default = Resampler(rate, 24_000, quality="low_delay"), Resampler(rate, 24_000)
    assert low.quality == default.quality == DEFAULT_QUALITY
    assert low.lag == 0
    signal = noise(5_000)
    out = [np.concatenate([r.push(signal), r.flush()]).tobytes() for r in (low, default)]
    assert out[0] == out[1]


def test_the_quality_in_use() -> None:
    assert used("low_delay", 48_000, 24_000) == "low_delay"
    assert used("low_delay", 48_000, 22_050) == DEFAULT_QUALITY
    for quality in QUALITIES[:-1]:
        assert used(quality, 44_100, 24_000) == used(quality, 48_000, 24_000) == quality
    assert Resampler(24_000, 24_000, quality="low_delay").lag == 0


@pytest.mark.parametrize(("rate", "target"), PAIRS)
def test_as_much_can_be_wanted_as_anybody_likes(rate: int, target: int) -> None:
    signal = noise(rate)
    lowest = LowDelay(rate, target)
    given = [lowest.push(part, target - 100) for part in np.split(signal, 10)]
    assert [part.size > 0 for part in given] == [False] * 9 + [True]
    whole = resample(rate, target, signal)
    assert given[-1].tobytes() == whole[: given[-1].size].tobytes()
    waited = resample(rate, target, *np.split(signal, 50), wanted=2 * target)
    assert waited.tobytes() == whole.tobytes()
