"""What was sung is read back exactly, through every path that audio takes; nothing else is."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
import tracemalloc
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime_client.audio.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from realtime_client.audio.pcm import mix, to_int16
from realtime_client.audio.resample import Resampler
from realtime_client.errors import InvalidAudio
from realtime_client.simulator import voice
from realtime_client.simulator.reader import Heard, Utterance, listen
from realtime_client.simulator.vad import EnergyVad
from realtime_client.simulator.voice import character_ends_ms, duration_ms, sing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

PRINTABLE = "".join(map(chr, range(32, 127)))
MIXED = "Zoë pays 5 €, 日本 👍 ok"
RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)


def resample(samples: Samples, *rates: int) -> Samples:
    for rate, target in itertools.pairwise(rates):
        samples = to_int16(soxr.resample(samples.astype(np.float32) / 32768, rate, target))
    return samples


def ulaw(samples: Samples) -> Samples:
    return ulaw_decode(ulaw_encode(samples))


def alaw(samples: Samples) -> Samples:
    return alaw_decode(alaw_encode(samples))


def phone(text: str, law: Callable[[Samples], Samples] = ulaw) -> Samples:
    """24 kHz to 8 kHz G.711 and back."""
    return resample(law(resample(sing(text), 24_000, 8_000)), 8_000, 24_000)


def silence(ms: float, rate: int = 24_000) -> Samples:
    return np.zeros(round(ms * rate / 1000), dtype=np.int16)


def rounded(samples: NDArray[np.floating[Any]]) -> Samples:
    clipped: NDArray[np.floating[Any]] = np.clip(np.rint(samples), -32768, 32767)
    return clipped.astype(np.int16)


def gain(samples: Samples, factor: float) -> Samples:
    return rounded(samples * factor)


def with_noise(samples: Samples, snr_db: float, seed: int = 1) -> Samples:
    rms = np.sqrt((samples.astype(np.float64) ** 2).mean())
    noise = np.random.default_rng(seed).normal(0, rms * 10 ** (-snr_db / 20), len(samples))
    return rounded(samples + noise)


def heard_whole(text: str) -> Callable[[Heard], bool]:
    return lambda heard: heard.text == text and [u.complete for u in heard.utterances] == [True]


# Exactness


@pytest.mark.parametrize("law", [ulaw, alaw])
@pytest.mark.parametrize("text", [PRINTABLE, MIXED, "", " ", "    ", "\x00\n\r\t\x7f", "aaaaaaab"])
def test_the_telephone_and_back_is_exact(text: str, law: Callable[[Samples], Samples]) -> None:
    assert heard_whole(text)(listen(phone(text, law), 24_000))


def test_every_printable_character_by_itself() -> None:
    assert [listen(phone(character), 24_000).text for character in PRINTABLE] == list(PRINTABLE)


@settings(deadline=None)
@given(st.text())
@example("\U0010ffff\x80")
def test_any_text_is_read_back(text: str) -> None:
    assert heard_whole(text)(listen(sing(text, 8_000), 8_000))


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=30))
def test_any_text_is_read_back_from_the_telephone(text: str) -> None:
    assert heard_whole(text)(listen(phone(text), 24_000))


@pytest.mark.parametrize("rate", [*RATES, 11_025, 12_345, 96_000, 192_000])
def test_every_rate_has_the_same_voice(rate: int) -> None:
    before, after = silence(123.4, rate), silence(77, rate)
    heard = listen(np.concatenate([before, sing(PRINTABLE, rate), after]), rate)
    end = 123 + duration_ms(PRINTABLE)
    assert heard.utterances == (Utterance(PRINTABLE, True, 123, end),)
    assert heard.text == PRINTABLE
    assert heard.duration_ms == 200 + duration_ms(PRINTABLE)


def test_a_long_text_stays_on_the_grid() -> None:
    text = "0123456789 " * 100
    samples = np.concatenate([silence(33.3, 11_025), sing(text, 11_025)])
    assert heard_whole(text)(listen(samples, 11_025))


# Robustness


@pytest.mark.parametrize("rates", list(itertools.permutations(RATES, 2)))
def test_resampled_there_and_back(rates: tuple[int, int]) -> None:
    here, there = rates
    samples = np.concatenate([silence(50.3, here), sing(MIXED, here)])
    assert heard_whole(MIXED)(listen(resample(samples, here, there), there))
    assert heard_whole(MIXED)(listen(resample(samples, here, there, here, there), there))


@settings(deadline=None, max_examples=40)
@given(
    rates=st.lists(st.sampled_from(RATES), min_size=1, max_size=6),
    before=st.integers(0, 5_000),
    after=st.integers(0, 3_000),
    factor=st.floats(0.05, 1.0),
    law=st.sampled_from([ulaw, alaw, None]),
)
def test_resampled_any_number_of_times(
    rates: list[int],
    before: int,
    after: int,
    factor: float,
    law: Callable[[Samples], Samples] | None,
) -> None:
    sung = gain(sing("Hello, wörld!", rates[0]), factor)
    samples = np.concatenate([np.zeros(before, np.int16), sung, np.zeros(after, np.int16)])
    samples = resample(samples, *rates)
    assert heard_whole("Hello, wörld!")(listen(law(samples) if law else samples, rates[-1]))


@pytest.mark.parametrize("factor", [0.05, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("law", [ulaw, alaw])
def test_quiet_and_loud(factor: float, law: Callable[[Samples], Samples]) -> None:
    samples = law(resample(gain(sing(PRINTABLE), factor), 24_000, 8_000))
    assert heard_whole(PRINTABLE)(listen(samples, 8_000))


def test_very_quiet_without_a_codec() -> None:
    assert heard_whole(PRINTABLE)(listen(gain(sing(PRINTABLE), 0.005), 24_000))


def test_full_scale_and_a_turned_polarity() -> None:
    assert heard_whole(PRINTABLE)(listen(sing(PRINTABLE, amplitude=1.0), 24_000))
    assert heard_whole(PRINTABLE)(listen(-sing(PRINTABLE), 24_000))


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_mild_noise(rate: int) -> None:
    samples = np.concatenate([silence(500, rate), sing(PRINTABLE, rate), silence(500, rate)])
    for seed in range(5):
        assert heard_whole(PRINTABLE)(listen(with_noise(samples, 20, seed), rate))


def test_stereo_float32_in_ragged_chunks() -> None:
    left = sing(PRINTABLE, 48_000).astype(np.float32) / 32768
    stereo = np.stack([left, 0.5 * left], axis=1)
    stream, rng, chunks, at = Resampler(48_000, 24_000), np.random.default_rng(3), [], 0
    while at < len(stereo):
        size = int(rng.integers(1, 5_001))
        chunks.append(stream.push(mix(stereo[at : at + size])))
        at += size
    chunks.append(stream.flush())
    assert heard_whole(PRINTABLE)(listen(to_int16(np.concatenate(chunks)), 24_000))


def test_another_byte_order_is_read_too() -> None:
    assert listen(sing("abc").astype(">i2"), 24_000).text == "abc"


@pytest.mark.parametrize("rate", [8_000, 24_000])
@pytest.mark.parametrize("padding", [0, 300])
def test_a_turn_that_a_vad_cuts_out_is_whole(rate: int, padding: int) -> None:
    text = "  a sentence   with wide    spaces.  "
    for offset in range(4_000, 4_240, 37):
        gap = np.zeros(offset, np.int16)
        audio = np.concatenate([gap, gain(sing(text, rate), 0.2), silence(400, rate)])
        vad = EnergyVad(rate, prefix_padding_ms=padding, silence_duration_ms=50)
        started, stopped = vad.push(audio)
        turn = audio[started.at_ms * rate // 1000 : stopped.at_ms * rate // 1000]
        assert heard_whole(text)(listen(turn, rate)), offset


# Offsets and order


def test_every_offset_is_found_to_the_sample() -> None:
    sung = sing("ab")
    for offset in (*range(20), 1_439, 1_440, 1_441, 14_943, 14_944, 16_384, 50_001):
        (utterance,) = listen(np.concatenate([np.zeros(offset, np.int16), sung]), 24_000).utterances
        assert (utterance.text, utterance.complete) == ("ab", True)
        assert abs(utterance.start_ms - offset / 24) < 0.51
        assert abs(utterance.end_ms - (offset + len(sung)) / 24) < 0.51


def test_a_marker_across_two_blocks_of_the_search_is_one() -> None:
    sung = sing("x", 8_000)
    hop = 4_096 - 480 + 1
    for offset in range(hop - 1_000, hop + 20, 1):
        heard = listen(np.concatenate([np.zeros(offset, np.int16), sung]), 8_000)
        assert heard_whole("x")(heard), offset


def test_part_of_the_start_marker_may_be_missing() -> None:
    sung = sing(MIXED)
    for cut_ms in (0, 0.1, 1, 5, 10, 20, 30):
        heard = listen(sung[round(cut_ms * 24) :], 24_000)
        assert heard_whole(MIXED)(heard), cut_ms
        assert heard.utterances[0].start_ms == 0
        assert heard.utterances[0].end_ms == round(duration_ms(MIXED) - cut_ms)


def test_utterances_are_read_in_order() -> None:
    parts = [sing("one"), silence(250), sing("two"), sing("three"), silence(1), sing("four")]
    heard = listen(np.concatenate(parts), 24_000)
    assert heard.text == "one two three four"
    assert [u.text for u in heard.utterances] == ["one", "two", "three", "four"]
    assert all(u.complete for u in heard.utterances)
    assert [u.start_ms for u in heard.utterances] == [0, 550, 850, 1271]
    assert [u.end_ms for u in heard.utterances] == [300, 850, 1270, 1631]


def test_an_empty_utterance_is_no_word() -> None:
    heard = listen(np.concatenate([sing(""), sing("a"), sing("")]), 24_000)
    assert [u.text for u in heard.utterances] == ["", "a", ""]
    assert heard.text == "a"
    assert listen(sing(""), 24_000).text == ""


# Cuts


def whole_before(text: str, cut: int, rate: int = 24_000) -> str:
    """The characters of `text` that lie wholly in the first `cut` samples of its song."""
    return text[: sum(end * rate <= cut * 1000 for end in character_ends_ms(text))]


@pytest.mark.parametrize("rate", [8_000, 24_000])
@pytest.mark.parametrize("text", [PRINTABLE[:40], MIXED])
def test_a_cut_leaves_exactly_the_whole_characters(text: str, rate: int) -> None:
    sung, rng = sing(text, rate), np.random.default_rng(7)
    symbol = 60 * rate // 1000
    near = [k * symbol + off for k in range(1, 12) for off in (-1, 0, 1)]
    for cut in [*rng.integers(symbol, len(sung), 200).tolist(), *near]:
        offset = int(rng.integers(0, 3_000))
        heard = listen(np.concatenate([np.zeros(offset, np.int16), sung[:cut]]), rate)
        if cut < symbol:
            assert heard.utterances == ()
            assert heard.text is None
            continue
        (utterance,) = heard.utterances
        expected = whole_before(text, cut, rate)
        assert utterance.text == heard.text == expected, cut
        assert not utterance.complete
        end_ms = offset * 1000 / rate + [60, *character_ends_ms(text)][len(expected)]
        assert abs(utterance.end_ms - end_ms) < 0.51


@pytest.mark.parametrize("target", [8_000, 22_050, 44_100, 48_000])
def test_a_cut_at_the_end_of_a_character_keeps_it_at_another_rate(target: int) -> None:
    """Also where neither the start nor the cut falls on a sample of the other rate."""
    sung, ends = sing(MIXED), character_ends_ms(MIXED)
    for offset in range(0, 90, 7):
        for k in (0, 5, 11):
            cut = np.concatenate([np.zeros(offset, np.int16), sung[: ends[k] * 24]])
            heard = listen(resample(cut, 24_000, target), target)
            assert heard.text == MIXED[: k + 1], (offset, k)


def test_the_end_marker_must_be_whole() -> None:
    sung = sing("abc")
    assert listen(sung[:-23], 24_000).utterances[0].complete  # under 1 ms is rounding
    for missing in (26, 240, 720, 1_200, 1_440):
        (utterance,) = listen(sung[:-missing], 24_000).utterances
        assert utterance == Utterance("abc", False, 0, 240), missing


def test_a_cut_into_the_next_utterance_is_as_exact() -> None:
    text, rng = MIXED, np.random.default_rng(8)
    sung, following = sing(text), sing("next")
    for cut in rng.integers(1_440, len(sung) - 24, 100).tolist():
        first, second = listen(np.concatenate([sung[:cut], following]), 24_000).utterances
        assert first.text == whole_before(text, cut), cut
        assert not first.complete
        assert (second.text, second.complete) == ("next", True)


@pytest.mark.parametrize("what", ["silence", "noise", "tone"])
def test_a_cut_into_something_else_is_exact_to_3_ms(what: str) -> None:
    text, rng = PRINTABLE[:20], np.random.default_rng(9)
    sung = sing(text)
    follows = {
        "silence": silence(500),
        "noise": rng.normal(0, 3_000, 12_000).astype(np.int16),
        "tone": (5_000 * np.sin(np.arange(12_000) / 9)).astype(np.int16),
    }[what]
    for cut in [
        *rng.integers(1_440, len(sung) - 1_440, 100).tolist(),
        *range(1_440, 20_000, 1_440),
    ]:
        (utterance,) = listen(np.concatenate([sung[:cut], follows]), 24_000).utterances
        assert whole_before(text, cut).startswith(utterance.text[:-1]), cut
        assert utterance.text in (whole_before(text, cut), whole_before(text, cut + 72)), cut
        assert not utterance.complete


def test_a_cut_marker_is_no_utterance_and_harms_none() -> None:
    sung = sing("after")
    for cut in (240, 720, 1_200, 1_439):
        assert listen(sung[:cut], 24_000).text is None
        heard = listen(np.concatenate([sung[:cut], sung]), 24_000)
        assert heard_whole("after")(heard), cut


def test_a_hole_ends_the_utterance() -> None:
    sung = sing(PRINTABLE)
    for lost_ms in (5, 10, 20, 30, 40, 50, 55, 65, 100):
        for into_ms in (5, 20, 40, 50):
            at = 24 * (60 * 11 + into_ms)
            heard = listen(np.concatenate([sung[:at], sung[at + 24 * lost_ms :]]), 24_000)
            assert heard.text == PRINTABLE[:10], (lost_ms, into_ms)
            assert not heard.utterances[0].complete


def test_a_symbol_that_was_muted_ends_the_utterance() -> None:
    for first_ms, muted_ms in ((0, 60), (20, 20), (0, 20), (40, 20)):
        sung = sing(PRINTABLE)
        at = 24 * (60 * 11 + first_ms)
        sung[at : at + 24 * muted_ms] = 0
        (utterance,) = listen(sung, 24_000).utterances
        assert utterance == Utterance(PRINTABLE[:10], False, 0, 660)


def test_bytes_that_are_no_text_end_the_utterance() -> None:
    sung = sing("ab€cd").reshape(-1, 1_440)
    lost = np.delete(sung, 4, axis=0).reshape(-1)  # the middle byte of the €
    assert listen(lost, 24_000).utterances == (Utterance("ab", False, 0, 480),)


def test_a_byte_needs_both_of_its_tones() -> None:
    sung = sing("abcd").reshape(-1, 1_440).copy()
    u = np.arange(1_440) / 1_440
    for turns in (voice.LOW_TURNS[6], voice.HIGH_TURNS[3]):
        sung[3] = np.rint(5_000 * np.sin(2 * np.pi * turns * u))
        assert listen(sung.reshape(-1), 24_000).text == "ab"


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["été", "日本", "ab", ""]), st.integers(0, 3_000), st.integers(0, 3_000)
        ),
        max_size=5,
    )
)
def test_any_splice_can_be_listened_to(pieces: list[tuple[str, int, int]]) -> None:
    parts = [sing(text, 8_000)[left:][:size] for text, left, size in pieces]
    heard = listen(np.concatenate([silence(0), *parts]), 8_000)
    assert heard.utterances == tuple(sorted(heard.utterances, key=lambda u: u.start_ms))
    assert len(heard.utterances) <= len(pieces)
    for utterance in heard.utterances:
        assert utterance.end_ms > utterance.start_ms


# Not fooled


def music(rate: int) -> Samples:
    """Ten seconds of arpeggios with five harmonics, and a slow siren over them."""
    t = np.arange(10 * rate) / rate
    pitch = 220 * 2 ** (np.array([0, 4, 7, 12, 7, 4])[(t * 8).astype(int) % 6] / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    notes = sum(np.sin(k * phase) / k for k in range(1, 6))
    siren = np.sin(2 * np.pi * np.cumsum(1_800 + 1_400 * np.sin(2 * np.pi * t)) / rate)
    return rounded(4_000 * (notes + siren))


def babble(rate: int) -> Samples:
    """Ten seconds of a buzzing source through moving formants, syllable by syllable."""
    rng, pieces = np.random.default_rng(11), []
    for _ in range(50):
        t = np.arange(rate // 5) / rate
        pitch = np.cumsum(np.linspace(rng.uniform(80, 250), rng.uniform(80, 250), len(t))) / rate
        formants = rng.uniform([300, 900, 2_200], [900, 2_300, 3_300])
        harmonics = np.arange(1, 30)
        width = 1 / (1 + ((harmonics[:, None] * 150 - formants) / 120) ** 2)
        pieces.append(width.sum(axis=1) @ np.sin(2 * np.pi * np.outer(harmonics, pitch)))
    samples = np.concatenate(pieces)
    return rounded(12_000 * samples / np.abs(samples).max())


@pytest.mark.parametrize("rate", [8_000, 24_000])
@pytest.mark.parametrize("sound", [music, babble])
def test_music_and_babble_say_nothing(sound: Callable[[int], Samples], rate: int) -> None:
    assert listen(sound(rate), rate) == Heard((), None, 10_000)


def sweep(ms: float, first: float, last: float) -> Samples:
    t = np.arange(int(24 * ms)) / 24_000
    bend = (last - first) / (2 * ms / 1000)
    return rounded(9_000 * np.sin(2 * np.pi * (first * t + bend * t**2)))


def test_the_sweeps_of_this_test_are_markers_where_they_should_be() -> None:
    assert listen(sweep(60, 400, 3_200), 24_000).text == ""


@pytest.mark.parametrize(
    "shape", [(60, 3_200, 400), (200, 400, 3_200), (1_000, 400, 3_200), (20, 400, 3_200)]
)
def test_other_sweeps_start_nothing(shape: tuple[float, float, float]) -> None:
    around = silence(100)
    assert listen(np.concatenate([around, sweep(*shape), around]), 24_000).text is None


def test_words_without_a_start_marker_say_nothing() -> None:
    assert listen(sing(PRINTABLE)[1_440:], 24_000).utterances == ()


@pytest.mark.parametrize("samples", [0, 1, 2, 100, 1_439, 24_000])
def test_silence_says_nothing(samples: int) -> None:
    heard = listen(np.zeros(samples, np.int16), 24_000)
    assert heard == Heard((), None, samples // 24)


@pytest.mark.parametrize("rate", [8_000, 24_000])
@pytest.mark.parametrize("rms", [0.5, 300, 9_000])
def test_a_minute_of_noise_says_nothing(rate: int, rms: float) -> None:
    noise = np.random.default_rng(5).normal(0, rms, 60 * rate)
    assert listen(rounded(noise), rate) == Heard((), None, 60_000)


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng; babble stands in")
def test_a_human_like_voice_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    words = "Could you tell me what the weather will be like in Paris tomorrow afternoon?"
    subprocess.run(["espeak-ng", "-w", path, words], check=True, timeout=30)
    with wave.open(str(path)) as file:
        rate, data = file.getframerate(), file.readframes(file.getnframes())
    samples = np.frombuffer(data, "<i2")
    assert len(samples) > 2 * rate
    assert listen(samples, rate).text is None
    both = np.concatenate([samples, sing("and then tones", rate), samples])
    assert heard_whole("and then tones")(listen(both, rate))


# Cost and errors


def test_a_second_takes_little_time() -> None:
    samples = sing("a second of speech")[:24_000]
    took = []
    for _ in range(10):
        began = time.process_time()
        assert listen(samples, 24_000).text
        took.append(time.process_time() - began)
    assert min(took) < 0.01


def test_minutes_take_little_memory() -> None:
    sung = sing("minutes and minutes of it, without a pause. " * 100)
    noise = np.random.default_rng(5).integers(-3_000, 3_000, len(sung), dtype=np.int16)
    samples = np.concatenate([sung, noise])
    assert len(samples) > 500 * 24_000
    tracemalloc.start()
    try:
        heard = listen(samples, 24_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert heard.utterances[0].complete
    assert peak < 10_000_000


@pytest.mark.parametrize(
    "samples", [np.zeros(10), np.zeros(10, np.int32), np.zeros((10, 2), np.int16)]
)
def test_what_is_not_mono_int16_is_refused(samples: Samples) -> None:
    with pytest.raises(InvalidAudio, match="int16"):
        listen(samples, 24_000)


@pytest.mark.parametrize("rate", [7_999, 192_001, 0])
def test_an_impossible_rate_is_refused(rate: int) -> None:
    with pytest.raises(InvalidAudio, match="rate"):
        listen(silence(10), rate)
