"""A voice that can be read back: text sung as tones.

Speech cannot be compared with what should have been said; tones can. A text is sung as its
UTF-8 bytes, so every Unicode text has exactly one tune and ASCII needs one symbol a character.
A symbol lasts 60 ms, which is 16.7 characters a second: the pace of fast speech. A byte is two
tones at once, its high half from a low bank of sixteen (400 .. 1650 Hz) and its low half from
a high bank (2000 .. 3250 Hz), all inside what 8 kHz G.711 carries.

Every tone makes a whole number of turns in a symbol: it starts and ends at zero, so symbols
join without a click and without a gap for a VAD to find, and over one symbol all tones are
orthogonal. A space sounds like any other character.

An utterance is a start marker, the bytes, an end marker. The start is a sweep from 400 to
3200 Hz within one symbol: no speech, no music and no noise climbs by 47 kHz a second in a
straight line, and a matched filter places it to a fraction of a sample. From there the symbols
lie on a fixed grid, so a repeated character needs no separator, and whether a character was
wholly heard is a comparison of positions. The end is the same sweep downwards.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from realtime_client.audio.pcm import checked_rate
from realtime_client.errors import InvalidAudio, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "HIGH_TURNS",
    "LOW_TURNS",
    "SWEEP_BEND",
    "SWEEP_TURNS",
    "SYMBOL_MS",
    "character_ends_ms",
    "duration_ms",
    "sample_count",
    "sing",
]

SYMBOL_MS = 60
"""How long one symbol (a byte of UTF-8, or a marker) sounds, in milliseconds."""

LOW_TURNS = 24 + 5 * np.arange(16)
"""Turns in one symbol of the tones that say the high half of a byte; 1 turn is 16.7 Hz."""

HIGH_TURNS = 120 + 5 * np.arange(16)
"""The same for the low half. The gap between the banks is three times that between tones."""

SWEEP_TURNS, SWEEP_BEND = 24, 84
"""At u of a symbol the start marker has made 24 u + 84 u² turns: from 24 up to 192 a symbol."""

# The alphabet: 256 bytes, then the two markers. Each symbol is two voices with turns of their
# own and one bend; in a marker the two sing the same.
_START, _END = 256, 257
_FIRST = np.array([*np.repeat(LOW_TURNS, 16), SWEEP_TURNS, SWEEP_TURNS + 2 * SWEEP_BEND])
_SECOND = np.array([*np.tile(HIGH_TURNS, 16), SWEEP_TURNS, SWEEP_TURNS + 2 * SWEEP_BEND])
_BEND = np.array([0] * 256 + [SWEEP_BEND, -SWEEP_BEND])


def sing(text: str, rate: int = 24_000, *, amplitude: float = 0.3) -> NDArray[np.int16]:
    """Sing `text` as mono int16 samples; the same text always gives the same samples.

    `rate` is 8,000 to 192,000 Hz. `amplitude` is the peak, above 0 and up to 1 (full scale);
    the default is about -16 dBFS RMS. The result has `sample_count(text, rate)` samples.
    Raises `InvalidAudio` for a rate or an amplitude outside its range, `UsageError` for a
    text with a lone surrogate, which has no UTF-8.
    """
    rate = checked_rate(rate)
    if not 0 < amplitude <= 1:
        raise InvalidAudio(f"amplitude must be above 0 and at most 1, got {amplitude!r}")
    codes = np.array([_START, *_utf8(text), _END])
    if SYMBOL_MS * rate % 1000 == 0:
        return np.concatenate(_symbols(rate, amplitude)[codes])
    return _render(codes, rate, amplitude)


def duration_ms(text: str) -> int:
    """How long `sing(text)` lasts: one symbol for each byte of UTF-8 and two markers."""
    return SYMBOL_MS * (len(_utf8(text)) + 2)


def character_ends_ms(text: str) -> list[int]:
    """Where each character of `text` ends, in ms from the start of `sing(text)`.

    A buffer cut at the k-th of these, or later, holds characters 0 to k whole.
    """
    sizes = [len(_utf8(character)) for character in text]
    return [SYMBOL_MS * (1 + int(so_far)) for so_far in np.cumsum(sizes)]


def sample_count(text: str, rate: int = 24_000) -> int:
    """Length of `sing(text, rate)`: `duration_ms` at `rate`, rounded up to a whole sample.

    At every multiple of 50 Hz (all the usual rates but 11,025) nothing is rounded.
    """
    return _samples(len(_utf8(text)) + 2, checked_rate(rate))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"a lone surrogate cannot be sung, at index {error.start}") from error


def _samples(symbols: int, rate: int) -> int:
    return -(-symbols * SYMBOL_MS * rate // 1000)


@lru_cache(maxsize=8)
def _symbols(rate: int, amplitude: float) -> NDArray[np.int16]:
    """The waveform of every symbol, one a row, where a symbol is a whole number of samples."""
    return _render(np.arange(len(_FIRST)), rate, amplitude).reshape(len(_FIRST), -1)


def _render(codes: NDArray[np.int64], rate: int, amplitude: float) -> NDArray[np.int16]:
    """The waveform of `codes`; sample i belongs to symbol i * 1000 // (SYMBOL_MS * rate)."""
    place = np.arange(_samples(len(codes), rate), dtype=np.int64) * 1000
    symbol, within = np.divmod(place, SYMBOL_MS * rate)
    code, u = codes[symbol], within / (SYMBOL_MS * rate)
    bent = _BEND[code] * u**2
    voices = np.sin(2 * np.pi * (_FIRST[code] * u + bent))
    voices += np.sin(2 * np.pi * (_SECOND[code] * u + bent))
    return np.round(voices * (amplitude * 32767 / 2)).astype(np.int16)
