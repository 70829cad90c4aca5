"""Turns found in samples: when they begin, when they end, and that chunks do not matter."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_client.errors import InvalidAudio, InvalidConfig
from realtime_client.simulator.vad import (
    EnergyVad,
    SpeechStarted,
    SpeechStopped,
    threshold_dbfs,
)
from realtime_client.simulator.voice import duration_ms, sing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

RATE = 24_000


def silence(ms: int, rate: int = RATE) -> Samples:
    return np.zeros(ms * rate // 1000, dtype=np.int16)


def burst(ms: int, dbfs: float = -20, rate: int = RATE) -> Samples:
    """Noise with the same RMS, `dbfs`, in every 10 ms."""
    frames = np.random.default_rng(1).normal(0, 1, (ms // 10, rate // 100))
    frames *= 32768 * 10 ** (dbfs / 20) / np.sqrt((frames**2).mean(axis=1, keepdims=True))
    return np.rint(frames).astype(np.int16).reshape(-1)


def turns(*parts: Samples, rate: int = RATE, **tuning: Any) -> list[SpeechStarted | SpeechStopped]:
    return EnergyVad(rate, **tuning).push(np.concatenate(parts))


# Where a turn begins and ends


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_a_turn_is_the_speech_with_its_padding_and_its_silence(rate: int) -> None:
    parts = silence(1_000, rate), burst(500, rate=rate), silence(1_000, rate)
    assert turns(*parts, rate=rate) == [SpeechStarted(700), SpeechStopped(1_700)]


@pytest.mark.parametrize("padding", [0, 1, 10, 299, 300, 1_000])
def test_the_prefix_padding_is_honoured_to_the_millisecond(padding: int) -> None:
    events = turns(silence(1_000), burst(100), prefix_padding_ms=padding)
    assert events == [SpeechStarted(1_000 - padding)]


@pytest.mark.parametrize(
    ("silent", "frames"), [(0, 1), (1, 1), (10, 1), (11, 2), (100, 10), (205, 21), (700, 70)]
)
def test_the_silence_is_honoured_to_the_frame(silent: int, frames: int) -> None:
    vad = EnergyVad(RATE, silence_duration_ms=silent)
    vad.push(np.concatenate([silence(500), burst(100), silence(frames * 10)])[:-1])
    assert vad.speaking
    assert vad.push(silence(1)[:1]) == [SpeechStopped(600 + frames * 10)]
    assert not vad.speaking


def test_padding_stops_at_the_beginning() -> None:
    assert turns(burst(100)) == [SpeechStarted(0)]
    assert turns(silence(120), burst(100)) == [SpeechStarted(0)]


def test_padding_stops_at_the_turn_before() -> None:
    events = turns(burst(100), silence(250), burst(100), silence(500))
    assert events == [
        SpeechStarted(0),
        SpeechStopped(300),
        SpeechStarted(300),
        SpeechStopped(650),
    ]


def test_a_pause_ends_a_turn_only_where_it_is_long_enough() -> None:
    parts = burst(400), silence(150), burst(400), silence(400)
    assert turns(*parts, silence_duration_ms=200) == [SpeechStarted(0), SpeechStopped(1_150)]
    assert turns(*parts, silence_duration_ms=100) == [
        SpeechStarted(0),
        SpeechStopped(500),
        SpeechStarted(500),
        SpeechStopped(1_050),
    ]


def test_a_click_is_not_speech() -> None:
    assert turns(silence(100), burst(20), silence(10), burst(20), silence(500)) == []
    assert turns(silence(500), burst(30), silence(500)) == [SpeechStarted(200), SpeechStopped(730)]


def test_a_click_right_after_a_turn_is_not_speech() -> None:
    events = turns(burst(100), silence(200), burst(20), silence(500))
    assert events == [SpeechStarted(0), SpeechStopped(300)]


def test_speech_begins_when_three_frames_are_heard() -> None:
    vad = EnergyVad(RATE)
    assert vad.push(np.concatenate([silence(400), burst(30)])[:-1]) == []
    assert not vad.speaking
    assert vad.push(burst(30)[-1:]) == [SpeechStarted(100)]
    assert vad.speaking


def test_a_short_dip_does_not_add_up_to_silence() -> None:
    dips = [part for _ in range(10) for part in (burst(10), silence(190))]
    assert turns(burst(100), *dips) == [SpeechStarted(0)]


# Levels


def test_the_threshold_is_a_level() -> None:
    assert threshold_dbfs(0) == -60
    assert threshold_dbfs(0.5) == -40
    assert threshold_dbfs(1) == -20


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_speech_starts_at_the_threshold(threshold: float) -> None:
    level = threshold_dbfs(threshold)
    assert turns(burst(200, level + 0.5), threshold=threshold) == [SpeechStarted(0)]
    assert turns(burst(200, level - 0.5), threshold=threshold) == []


def test_a_quiet_voice_needs_a_low_threshold() -> None:
    quiet = burst(300, -45)
    heard = [bool(turns(quiet, threshold=t / 10)) for t in range(11)]
    assert heard[1]
    assert not heard[9]
    assert heard == sorted(heard, reverse=True)


def test_speech_that_fades_a_little_goes_on() -> None:
    faded = burst(100, -39), burst(500, -42.5)
    assert turns(*faded) == [SpeechStarted(0)]
    assert turns(*faded[1:]) == []
    assert turns(burst(100, -39), burst(500, -43.5)) == [SpeechStarted(0), SpeechStopped(300)]


def test_digital_silence_is_silence_at_any_threshold() -> None:
    assert turns(silence(2_000), threshold=0.0) == []
    # A-law has no zero: its silence is 8, either way.
    assert turns(np.full(48_000, 8, dtype=np.int16), threshold=0.0) == []


def test_full_scale_does_not_overflow() -> None:
    assert turns(np.full(RATE, -32_768, dtype=np.int16), threshold=1.0) == [SpeechStarted(0)]


# The stream


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 24_000, 44_100])
@pytest.mark.parametrize("silent", [60, 200])
def test_a_sung_utterance_is_one_turn(rate: int, silent: int) -> None:
    text = "  words   with wide    spaces  "
    song = np.concatenate([silence(500, rate), sing(text, rate), silence(600, rate)])
    started, stopped = turns(song, rate=rate, silence_duration_ms=silent)
    assert started.at_ms == 200
    assert 0 <= stopped.at_ms - (500 + duration_ms(text) + silent) <= 10


@settings(deadline=None, max_examples=60)
@given(
    rate=st.sampled_from([8_000, 11_025, 22_050, 24_000, 12_345]),
    loud=st.lists(st.booleans(), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 30_000), max_size=30),
)
def test_chunks_do_not_matter(rate: int, loud: list[bool], cuts: list[int]) -> None:
    rng = np.random.default_rng(len(cuts))
    parts = [rng.normal(0, 3_000 if x else 30, rate // 9).astype(np.int16) for x in loud]
    audio = np.concatenate(parts)
    whole = EnergyVad(rate, silence_duration_ms=90)
    expected = whole.push(audio)
    pieces = EnergyVad(rate, silence_duration_ms=90)
    edges = [0, *sorted(min(cut, len(audio)) for cut in cuts), len(audio)]
    events = []
    for left, right in itertools.pairwise(edges):
        events += pieces.push(audio[left:right])
    assert events == expected
    assert pieces.speaking == whole.speaking


@pytest.mark.parametrize("rate", [8_000, 11_025])
def test_sample_by_sample(rate: int) -> None:
    audio = np.concatenate([silence(400, rate), sing("a", rate), silence(300, rate)])
    vad = EnergyVad(rate)
    events = [event for k in range(len(audio)) for event in vad.push(audio[k : k + 1])]
    assert events == turns(audio, rate=rate)
    assert len(events) == 2


def test_the_clock_of_an_odd_rate_does_not_drift() -> None:
    rate, seconds = 11_025, 100
    events = turns(silence(seconds * 1_000, rate), sing("a", rate), rate=rate, prefix_padding_ms=0)
    assert events == [SpeechStarted(seconds * 1_000)]


def test_no_audio_is_no_event() -> None:
    vad = EnergyVad(RATE)
    assert vad.push(silence(0)) == []
    vad.push(burst(100))
    assert vad.push(silence(0)) == []
    assert vad.speaking


def test_the_samples_may_be_reused_by_their_owner() -> None:
    vad, audio = EnergyVad(RATE, prefix_padding_ms=0), burst(40)[:-1]
    vad.push(audio[:700])
    audio_again = audio.copy()
    audio[:] = 0
    assert vad.push(audio_again[700:]) == [SpeechStarted(0)]


# A cleared buffer, and a changed session


def test_reset_forgets_the_speech_and_keeps_the_clock() -> None:
    vad = EnergyVad(RATE)
    assert vad.push(np.concatenate([silence(500), burst(200)])) == [SpeechStarted(200)]
    vad.reset()
    assert not vad.speaking
    assert vad.push(silence(1_000)) == []
    assert vad.push(np.concatenate([burst(100), silence(200)])) == [
        SpeechStarted(1_400),
        SpeechStopped(2_000),
    ]


def test_no_turn_reaches_back_before_a_reset() -> None:
    vad = EnergyVad(RATE)
    vad.push(silence(995))
    vad.reset()
    assert vad.push(np.concatenate([silence(5), burst(100)])) == [SpeechStarted(995)]
    vad.reset()
    assert vad.push(burst(100)) == [SpeechStarted(1_100)]


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050])
def test_after_a_reset_a_turn_begins_in_the_samples_after_it(rate: int) -> None:
    loud = np.full(rate, 9_000, dtype=np.int16)
    for cleared in range(0, 3_000, 37):
        vad = EnergyVad(rate)
        vad.push(loud[:cleared])
        vad.reset()
        (started,) = vad.push(loud[: rate // 10])
        assert cleared <= started.at_ms * rate / 1000 < cleared + 2 + rate / 1000


def test_loud_samples_before_a_reset_do_not_count_after_it() -> None:
    vad = EnergyVad(RATE)
    vad.push(np.concatenate([silence(100), burst(30)])[:-1])
    vad.reset()
    assert vad.push(np.concatenate([burst(30)[-1:], burst(20), silence(100)])) == []


def test_loud_frames_before_a_reset_do_not_count_after_it() -> None:
    vad = EnergyVad(RATE)
    vad.push(np.concatenate([silence(100), burst(20)]))
    vad.reset()
    assert vad.push(np.concatenate([burst(20), silence(100)])) == []


def test_reconfigure_changes_only_what_is_given() -> None:
    vad = EnergyVad(RATE, threshold=0.9, prefix_padding_ms=30, silence_duration_ms=70)
    vad.reconfigure()
    assert vad.push(np.concatenate([burst(200, -30), silence(100)])) == []
    assert vad.push(np.concatenate([burst(100), silence(100)])) == [
        SpeechStarted(270),
        SpeechStopped(470),
    ]


def test_reconfigure_keeps_the_clock_and_the_speech() -> None:
    vad = EnergyVad(RATE)
    assert vad.push(np.concatenate([silence(500), burst(200)])) == [SpeechStarted(200)]
    vad.reconfigure(silence_duration_ms=50)
    assert vad.speaking
    assert vad.push(silence(500)) == [SpeechStopped(750)]
    vad.reconfigure(prefix_padding_ms=20)
    assert vad.push(np.concatenate([burst(100), silence(100)])) == [
        SpeechStarted(1_180),
        SpeechStopped(1_350),
    ]
    vad.reconfigure(threshold=0.9)
    assert vad.push(burst(200, -30)) == []
    vad.reconfigure(threshold=0.1)
    assert vad.push(burst(200, -30)) == [SpeechStarted(1_580)]


def test_a_shorter_silence_ends_speech_that_is_already_silent() -> None:
    vad = EnergyVad(RATE, silence_duration_ms=1_000)
    vad.push(np.concatenate([burst(100), silence(500)]))
    vad.reconfigure(silence_duration_ms=100)
    assert vad.push(silence(10)) == [SpeechStopped(610)]


# Errors


@pytest.mark.parametrize(
    "tuning",
    [
        {"threshold": -0.01},
        {"threshold": 1.01},
        {"threshold": float("nan")},
        {"prefix_padding_ms": -1},
        {"silence_duration_ms": -1},
    ],
)
def test_a_value_out_of_range_is_refused_and_changes_nothing(tuning: dict[str, Any]) -> None:
    (name,) = tuning
    with pytest.raises(InvalidConfig, match=name):
        EnergyVad(RATE, **tuning)
    vad = EnergyVad(RATE)
    with pytest.raises(InvalidConfig, match=name):
        vad.reconfigure(**tuning)
    assert vad.push(np.concatenate([silence(500), burst(100), silence(300)])) == [
        SpeechStarted(200),
        SpeechStopped(800),
    ]


@pytest.mark.parametrize("rate", [7_999, 192_001])
def test_an_impossible_rate_is_refused(rate: int) -> None:
    with pytest.raises(InvalidAudio, match="rate"):
        EnergyVad(rate)


@pytest.mark.parametrize("samples", [np.zeros(10), np.zeros((10, 2), np.int16)])
def test_what_is_not_mono_int16_is_refused(samples: Samples) -> None:
    with pytest.raises(InvalidAudio, match="int16"):
        EnergyVad(RATE).push(samples)
