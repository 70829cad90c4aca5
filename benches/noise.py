"""How often noise is taken for speech, and speech for noise: `python benches/noise.py`.

Somebody speaks twenty times for 2 s, with 4 s between. In that lies white noise, the babble of
six others, or, while he listens, the echo of the loudspeaker. Speech is at -26 dBFS while it
lasts, as telephones have it; the noise is given by how far it is below. The simulator's `EnergyVad`
listens, with the wire's threshold and 500 ms of silence. Of each scene:

- right: turns of his that became one turn each and ended within 1 s of his last word.
- false: turns that began and ended while he was silent.
- never ends: for nine tenths of his silence, from half a second after his last word on, somebody
  was taken to be speaking. Noise above the threshold is one long turn.

The voices are made of syllables, vowels and hisses, by formulas; nobody was recorded. The noise
reduction is a stand-in, too: spectral subtraction of what is always there, by at most 12 dB. It
shows what such a thing can do and what not, and is nobody's product.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_client.simulator import EnergyVad, SpeechStarted

Sound = NDArray[np.float64]

RATE: Final = 24_000
TURNS, SPEAKS, LISTENS = 20, 2.0, 4.0
SPEECH_DBFS: Final = -26.0
SILENCE_MS: Final = 500
GRACE_MS: Final = 1_000
THRESHOLDS: Final = (0.3, 0.5, 0.7, 0.8, 0.9)
REDUCED: Final = (0.5, 0.7)
SILENCES: Final = (200, 500, 800)
BELOW: Final = (30, 20, 15, 10, 5)


def syllable(rng: np.random.Generator, pitch: float) -> Sound:
    """A vowel, or now and then a hiss."""
    size = int(rng.uniform(0.12, 0.26) * RATE)
    envelope = np.sin(np.pi * np.arange(size) / size) ** 0.6 * 10 ** (rng.uniform(-8, 0) / 20)
    if rng.random() < 0.2:
        hiss: Sound = np.diff(rng.standard_normal(size + 1)) * envelope * 0.15
        return hiss
    glide = pitch * (1 + np.linspace(rng.uniform(-0.12, 0.12), rng.uniform(-0.12, 0.12), size))
    turns = np.cumsum(glide) / RATE
    tones = np.arange(1, 25)
    formants = rng.uniform([300, 900, 2_300], [800, 2_200, 3_000])
    peaks = 1 / (1 + ((tones[:, None] * pitch - formants) / 120) ** 2)
    loudness = (peaks * [1.0, 0.5, 0.25]).sum(axis=1) + 0.02 / tones
    voiced: Sound = (loudness[:, None] * np.sin(2 * np.pi * tones[:, None] * turns)).sum(axis=0)
    return voiced * envelope


def talk(seconds: float, seed: int, pitch: float = 120.0) -> Sound:
    """So much talk, at the level of speech: words of one to four syllables."""
    rng = np.random.default_rng(seed)
    size, pieces, total = int(seconds * RATE), [], 0
    while total < size:
        word = [syllable(rng, pitch) for _ in range(rng.integers(1, 5))]
        pieces += [*word, np.zeros(int(rng.uniform(0.03, 0.12) * RATE))]
        total = sum(map(len, pieces))
    return at_level(np.concatenate(pieces)[:size], SPEECH_DBFS)


def at_level(sound: Sound, dbfs: float) -> Sound:
    """The same, as loud as that where it is not silent."""
    louder: Sound = sound * (10 ** (dbfs / 20) / np.sqrt(np.mean(sound[sound != 0] ** 2)))
    return louder


def turn_starts() -> list[int]:
    """The samples at which he begins to speak."""
    return [int((k * (SPEAKS + LISTENS) + LISTENS / 2) * RATE) for k in range(TURNS)]


def scene_size() -> int:
    return int(TURNS * (SPEAKS + LISTENS) * RATE)


def speech() -> Sound:
    """He alone."""
    sound = np.zeros(scene_size())
    for number, start in enumerate(turn_starts()):
        sound[start : start + int(SPEAKS * RATE)] = talk(SPEAKS, seed=number)
    return sound


def white() -> Sound:
    return np.random.default_rng(1).standard_normal(scene_size())


def babble() -> Sound:
    voices = [
        talk(30.0, seed=100 + k, pitch=p) for k, p in enumerate((95, 110, 130, 170, 200, 220))
    ]
    total: Sound = np.sum(voices, axis=0)
    return np.resize(total, scene_size())


def echo() -> Sound:
    """What the loudspeaker says while he listens, as the room gives it back to the microphone."""
    rng, size = np.random.default_rng(2), int((LISTENS - 1.5) * RATE)
    room = rng.standard_normal(int(0.08 * RATE)) * np.exp(-np.arange(int(0.08 * RATE)) / 480)
    sound = np.zeros(scene_size())
    for number, start in enumerate(turn_starts()[:-1]):
        at = start + int((SPEAKS + 0.75) * RATE)
        played = np.convolve(talk(LISTENS - 1.5, seed=500 + number, pitch=210), room)[:size]
        sound[at : at + size] = at_level(played, SPEECH_DBFS)
    return sound


def reduced(sound: Sound) -> Sound:
    """With what is always there taken away, by 12 dB at most."""
    size, step = 480, 240
    window = np.sqrt(np.hanning(size + 1)[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[::step] * window
    spectra = np.fft.rfft(frames, axis=1)
    power = np.abs(spectra) ** 2
    smooth = np.cumsum(power, axis=0)
    smooth = (smooth[8:] - smooth[:-8]) / 8  # 80 ms
    smooth = np.concatenate([np.repeat(smooth[:1], 8, axis=0), smooth])
    floor = np.full_like(smooth, np.inf)
    for back in range(0, 150, 5):  # the quietest of the last 1.5 s
        np.minimum(floor[back:], smooth[: len(smooth) - back], out=floor[back:])
    gain = np.maximum(1 - 2.0 * floor / np.maximum(power, 1e-12), 10 ** (-12 / 20))
    pieces = np.fft.irfft(spectra * gain, size, axis=1) * window
    out = np.zeros(len(sound))
    for place, piece in enumerate(pieces):
        out[place * step : place * step + size] += piece
    return out


class Found(NamedTuple):
    right: int
    false: int
    open: float


def heard(
    sound: Sound, threshold: float, silence_ms: int = SILENCE_MS
) -> list[tuple[float, float]]:
    """From when to when somebody was taken to be speaking, in milliseconds."""
    # Padding would change where a turn is said to begin, and not which turns there are.
    vad = EnergyVad(RATE, threshold=threshold, prefix_padding_ms=0, silence_duration_ms=silence_ms)
    samples = np.clip(np.rint(sound * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
    turns, began = [], None
    for event in vad.push(samples):
        if isinstance(event, SpeechStarted):
            began = event.at_ms
        elif began is not None:
            turns.append((float(began), float(event.at_ms)))
            began = None
    return [*turns, (float(began), np.inf)] if began is not None else turns


def judge(found: list[tuple[float, float]]) -> Found:
    spoken = [(at / RATE * 1000, at / RATE * 1000 + SPEAKS * 1000) for at in turn_starts()]
    end = scene_size() / RATE * 1000

    def meets(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return one[0] < other[1] and one[1] > other[0]

    right = 0
    for turn in spoken:
        its = [one for one in found if meets(one, turn)]
        alone = len(its) == 1 and sum(meets(its[0], other) for other in spoken) == 1
        right += alone and its[0][1] <= turn[1] + GRACE_MS
    false = sum(not any(meets(one, turn) for turn in spoken) for one in found)
    silent = [
        (a + SILENCE_MS, b)
        for (_, a), (b, _) in zip(spoken, [*spoken[1:], (end, end)], strict=True)
    ]
    taken = sum(max(0.0, min(b, stop) - max(a, start)) for a, b in silent for start, stop in found)
    return Found(right, false, taken / sum(b - a for a, b in silent))


def shown(found: Found) -> str:
    if found.open > 0.9:
        return "never ends"
    text = f"{found.right} · {found.false}"
    return f"**{text}**" if found.right == TURNS and not found.false else text


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |")


def scenes() -> Iterator[tuple[str, int | str, Sound]]:
    """Every noise at every level: its name, how far below speech, and itself."""
    yield "none", "", np.zeros(scene_size())
    for name, make in (("white noise", white), ("babble", babble), ("echo", echo)):
        noise = at_level(make(), SPEECH_DBFS)
        for below in BELOW:
            yield name, below, noise * 10 ** (-below / 20)


def main() -> None:
    voice = speech()
    print(f"Of {TURNS} turns those that were right, and false ones; {SILENCE_MS} ms of silence.\n")
    row("noise", "dB below speech", *THRESHOLDS, *(f"{one}, reduced" for one in REDUCED))
    row(*["---"] * (2 + len(THRESHOLDS) + len(REDUCED)))
    for name, below, noise in scenes():
        cells = [shown(judge(heard(voice + noise, one))) for one in THRESHOLDS]
        quieter = reduced(voice + noise)
        cells += [shown(judge(heard(quieter, one))) for one in REDUCED]
        row(name, below, *cells)
    print("\nThe same without noise, by silence_duration_ms:\n")
    row("silence", *THRESHOLDS)
    row(*["---"] * (1 + len(THRESHOLDS)))
    for silence in SILENCES:
        row(f"{silence} ms", *(shown(judge(heard(voice, one, silence))) for one in THRESHOLDS))


if __name__ == "__main__":
    main()
