"""What is sung: its length, its pitch, its loudness. Reading it back is the reader's test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.errors import InvalidAudio, UsageError
from realtime_client.simulator import voice
from realtime_client.simulator.voice import (
    SYMBOL_MS,
    character_ends_ms,
    duration_ms,
    sample_count,
    sing,
)

PRINTABLE = "".join(map(chr, range(32, 127)))
USUAL_RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000)
MIXED = "Zoë costs 5 €, 日本 👍"


@pytest.mark.parametrize("rate", USUAL_RATES)
@pytest.mark.parametrize("text", ["", "a", PRINTABLE, MIXED])
def test_the_length_is_exact(text: str, rate: int) -> None:
    samples = sing(text, rate)
    assert samples.dtype == np.int16
    assert samples.ndim == 1
    assert len(samples) == sample_count(text, rate)
    assert len(samples) * 1000 == duration_ms(text) * rate  # no rounding at these rates


@pytest.mark.parametrize("rate", [11_025, 8_001, 12_345])
def test_an_odd_rate_rounds_the_length_up_once(rate: int) -> None:
    for text in ("", "abc", PRINTABLE):
        exact = duration_ms(text) * rate / 1000
        assert len(sing(text, rate)) == sample_count(text, rate) == math.ceil(exact)


def test_a_symbol_is_a_byte_and_two_are_markers() -> None:
    assert duration_ms("") == 2 * SYMBOL_MS
    assert duration_ms("a €") == (1 + 1 + 3 + 2) * SYMBOL_MS
    assert character_ends_ms("a €!") == [120, 180, 360, 420]
    assert character_ends_ms("") == []


@given(st.text())
def test_the_last_character_ends_one_marker_before_the_end(text: str) -> None:
    ends = character_ends_ms(text)
    assert len(ends) == len(text)
    assert [0, *ends][-1] == (duration_ms(text) - SYMBOL_MS if text else 0)
    assert ends == [duration_ms(text[: k + 1]) - SYMBOL_MS for k in range(len(text))]


def test_ascii_goes_at_the_pace_of_speech() -> None:
    seconds = (duration_ms(PRINTABLE) - 2 * SYMBOL_MS) / 1000
    assert 12 <= len(PRINTABLE) / seconds <= 18


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_every_symbol_lies_in_the_telephone_band(rate: int) -> None:
    rows = voice._symbols(rate, 0.3).astype(np.float64)
    assert len(rows) == 258
    power = np.abs(np.fft.rfft(rows, axis=1)) ** 2
    hertz = np.fft.rfftfreq(rows.shape[1], 1 / rate)
    inside = power[:, (hertz >= 300) & (hertz <= 3400)].sum(axis=1)
    assert (inside / power.sum(axis=1)).min() > 0.98


def test_every_symbol_has_a_waveform_of_its_own() -> None:
    rows = voice._symbols(8_000, 0.3).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    likeness = np.abs(rows @ rows.T)
    np.fill_diagonal(likeness, 0)
    assert likeness.max() < 0.51  # two bytes that share one of their two tones


@pytest.mark.parametrize("text", ["  spaces   too  ", "aaaa", PRINTABLE])
def test_an_utterance_has_no_gap_and_no_click(text: str) -> None:
    samples = sing(text).astype(np.float64)
    sums = np.cumsum(np.concatenate([[0], samples**2]))
    window = 240  # 10 ms
    rms = np.sqrt((sums[window:] - sums[:-window]) / window)
    assert rms.min() > 0.5 * np.sqrt((samples**2).mean())
    # The steepest step of two tones of up to 3250 Hz at half the amplitude each.
    steepest = 0.3 * 32767 * 2 * np.pi * 3250 / 24_000
    assert np.abs(np.diff(samples, prepend=0, append=0)).max() < steepest


def test_amplitude_is_the_peak() -> None:
    assert 0.29 < np.abs(sing(PRINTABLE).astype(int)).max() / 32767 <= 0.3
    assert np.abs(sing(PRINTABLE, amplitude=1.0).astype(int)).max() <= 32767
    rms = np.sqrt((sing(PRINTABLE).astype(np.float64) ** 2).mean())
    assert -17 < 20 * np.log10(rms / 32768) < -15


def test_the_same_text_is_the_same_sound_and_yours_to_change() -> None:
    first = sing(MIXED)
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(sing(MIXED), kept)


def test_what_is_kept_by_rate_is_what_would_be_computed() -> None:
    codes = np.array([256, *PRINTABLE.encode(), 257])
    for rate in (8_000, 22_050):
        np.testing.assert_array_equal(sing(PRINTABLE, rate), voice._render(codes, rate, 0.3))


@pytest.mark.parametrize("rate", [7_999, 192_001, 0, -8_000])
def test_an_impossible_rate_is_refused(rate: int) -> None:
    with pytest.raises(InvalidAudio, match="rate"):
        sing("a", rate)
    with pytest.raises(InvalidAudio, match="rate"):
        sample_count("a", rate)


@pytest.mark.parametrize("amplitude", [0.0, -0.1, 1.01, math.nan, math.inf])
def test_an_impossible_amplitude_is_refused(amplitude: float) -> None:
    with pytest.raises(InvalidAudio, match="amplitude"):
        sing("a", amplitude=amplitude)


def test_a_lone_surrogate_is_refused_with_its_place() -> None:
    for call in (sing, duration_ms, character_ends_ms, sample_count):
        with pytest.raises(UsageError, match="surrogate"):
            call("ab\ud800")
    with pytest.raises(UsageError, match="index 2"):
        sing("ab\ud800")
