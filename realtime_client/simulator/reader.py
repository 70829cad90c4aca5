"""The ear for `voice`: what was sung, read back from the samples.

Reading is done in two steps. A matched filter finds the start markers: the correlation with a
sweep peaks within a fraction of a millisecond, at any gain, and after any resampling. From
each start the symbols lie on a grid, and since every tone makes a whole number of turns in a
symbol, the tones are bins of its Fourier transform. (Nothing here is a matrix product: for so
little work the threads of a BLAS cost more than they give.)

The reader believes nothing that it cannot check. A symbol counts when most of its energy lies
in one tone of each bank and those tones sound at both of its edges, so that neither a cut nor
a hole goes unnoticed; the first symbol that does not count ends the utterance. Bytes that stop
inside a character are cut to whole ones. So what is read is what was wholly there, and a human
voice, music or noise reads as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_client.audio.pcm import checked_rate, int16_samples
from realtime_client.simulator.voice import (
    HIGH_TURNS,
    LOW_TURNS,
    SWEEP_BEND,
    SWEEP_TURNS,
    SYMBOL_MS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Heard", "Utterance", "listen"]

_TONES = np.concatenate([LOW_TURNS, HIGH_TURNS])

_MARKER_MATCH = 0.25  # least squared correlation with a marker; noise stays below 0.1
_FAINTEST = 4.0  # least mean square of a marker, so that rounding noise is no sound
_TONES_SHARE = 0.6  # least share of a symbol's power that its two tones carry together
_TONE_SHARE = 0.05  # ... and each of them, so that one tone alone is no symbol
_EDGE_MS = 4  # at both ends of a symbol, where its tones must be sounding
_EDGE_MATCH = 0.7  # ... at this much of the amplitude of the whole
_SLACK = 0.75  # samples that rounding may take from the end of a symbol; a cut takes 1
_END_SLACK_MS = 1  # the same for the end marker, which carries no character
_BATCH = 64  # symbols read at once, which bounds memory and the price of a false start


@dataclass(frozen=True)
class Utterance:
    """What was sung between one start marker and its end, or up to where it broke off.

    `complete` is True where the end marker was heard and every byte could be read.
    `start_ms` is the start of the start marker; `end_ms` is the end of the end marker, or of
    the last whole character where there is none. Both count from the start of the buffer.
    """

    text: str
    complete: bool
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Heard:
    """Everything readable in a buffer of `duration_ms`, in order.

    `text` joins the utterances that have any text by one space. It is None where there is no
    utterance at all: silence, noise, music, a human voice.
    """

    utterances: tuple[Utterance, ...]
    text: str | None
    duration_ms: int


def listen(samples: NDArray[np.int16], rate: int) -> Heard:
    """Read what was sung in mono int16 `samples` of `rate` Hz, whatever lies around it.

    An utterance is found at any offset, also when part of its start marker is missing. One
    that was cut yields the characters wholly before the cut: to the sample where the buffer
    ends or the next utterance begins there, to 3 ms where anything else follows. Raises
    `InvalidAudio` for anything but a one-dimensional int16 array and 8,000 to 192,000 Hz.
    """
    samples, rate = int16_samples(samples), checked_rate(rate)
    starts = _find_starts(samples, rate)
    limits = [*starts, float(len(samples))][1:]
    utterances = tuple(
        _read(samples, rate, start, limit)
        for start, limit in zip(starts, limits, strict=True)
        if start + _symbol(rate) <= limit + _SLACK
    )
    text = " ".join(u.text for u in utterances if u.text) if utterances else None
    return Heard(utterances, text, len(samples) * 1000 // rate)


def _symbol(rate: int) -> float:
    """The length of a symbol in samples, not always a whole number."""
    return SYMBOL_MS * rate / 1000


def _length(rate: int) -> int:
    """How many samples of a symbol are looked at."""
    return round(_symbol(rate))


@lru_cache(maxsize=16)
def _marker(rate: int, bend: int) -> NDArray[np.complex128]:
    """The sweep of a marker as a complex exponential: up where `bend` is positive, or down."""
    u = np.arange(_length(rate)) / _symbol(rate)
    opening = SWEEP_TURNS if bend > 0 else SWEEP_TURNS - 2 * bend
    sweep: NDArray[np.complex128] = np.exp(2j * np.pi * (opening * u + bend * u**2))
    return sweep


@lru_cache(maxsize=8)
def _start_spectrum(rate: int) -> NDArray[np.complex128]:
    """The spectrum of the start marker, in a block that is long enough to be worth its FFT."""
    start = _marker(rate, SWEEP_BEND)
    return np.fft.fft(start, 1 << (8 * len(start)).bit_length()).conj()


@lru_cache(maxsize=8)
def _window(length: int) -> NDArray[np.float64]:
    """Fades both ends of a symbol of `length` samples; sums to 1."""
    window: NDArray[np.float64] = np.sin(np.pi * np.arange(length) / length) ** 2
    window /= window.sum()
    return window


@lru_cache(maxsize=8)
def _edge_tones(length: int) -> NDArray[np.complex128]:
    """The edges of every tone in a symbol of `length` samples, one tone a row."""
    return _edges(np.exp(2j * np.pi / length * np.outer(_TONES, np.arange(length))))


def _edges(rows: NDArray[Any]) -> NDArray[Any]:
    """The first and the last milliseconds of each row."""
    size = rows.shape[1] * _EDGE_MS // SYMBOL_MS
    return np.concatenate([rows[:, :size], rows[:, -size:]], axis=1)


def _stretch(samples: NDArray[np.int16], first: int, count: int) -> NDArray[np.float64]:
    """`count` samples from `first` on, with silence where there are none."""
    stretch = np.zeros(count)
    found = samples[max(first, 0) : max(first + count, 0)]
    offset = max(-first, 0)
    stretch[offset : offset + len(found)] = found
    return stretch


def _find_starts(samples: NDArray[np.int16], rate: int) -> list[float]:
    """Where start markers begin, in samples and fractions of one.

    The first can be negative: the filter begins one symbol before the buffer, so that a
    marker that lost its front is found too.
    """
    blocks = list(_candidates(samples, rate))
    if not blocks:
        return []
    places = np.concatenate([place for place, _ in blocks])
    matches = np.concatenate([match for _, match in blocks])
    # One peak is a few neighbouring samples wide; two markers are further apart than this.
    edges = np.flatnonzero(np.diff(places) > _symbol(rate) / 4) + 1
    starts = []
    for peak in np.split(np.arange(len(places)), edges):
        best = int(peak[np.argmax(matches[peak])])
        around = matches[max(best - 1, peak[0]) : min(best + 1, peak[-1]) + 1]
        starts.append(float(places[best]) + _vertex(around))
    return starts


def _candidates(
    samples: NDArray[np.int16], rate: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Every place that could be a start marker with its squared correlation, in blocks."""
    spectrum, length = _start_spectrum(rate), _length(rate)
    hop = len(spectrum) - length + 1
    for first in range(-length, len(samples), hop):
        block = _stretch(samples, first, len(spectrum))
        product = np.fft.ifft(np.fft.fft(block) * spectrum)[:hop]
        sums = np.concatenate([[0.0], np.cumsum(block * block)])
        power = np.maximum((sums[length:] - sums[:-length]) / length, _FAINTEST)
        match = 2 * (product.real**2 + product.imag**2) / (power * length**2)
        (passed,) = np.nonzero(match >= _MARKER_MATCH)
        if len(passed):
            yield passed + first, match[passed]


def _vertex(around: NDArray[np.float64]) -> float:
    """Where the parabola through three neighbours peaks, counted from the middle one."""
    if len(around) < 3:
        return 0.0
    left, middle, right = around
    bend = 2 * middle - left - right
    return float((right - left) / (2 * max(bend, 1e-12)))


def _read(samples: NDArray[np.int16], rate: int, start: float, limit: float) -> Utterance:
    """Read the utterance whose marker begins at `start` and which is over by `limit`."""
    symbol = _symbol(rate)
    whole = int((limit - start + _SLACK) / symbol)
    data = bytearray()
    for first in range(1, whole, _BATCH):
        places = np.rint(start + symbol * np.arange(first, min(first + _BATCH, whole)))
        read = _read_symbols(samples, _length(rate), places.astype(np.int64))
        data += read
        if len(read) < len(places):
            break
    text, complete = _decode(bytes(data))
    end = start + symbol * (len(data) + 1)
    marked = _ends_at(samples, rate, end)
    if marked and end + symbol <= limit + _END_SLACK_MS * rate / 1000:
        end += symbol
    else:
        complete = False
        end = start + symbol * (len(text.encode()) + 1)
    return Utterance(text, complete, max(round(start * 1000 / rate), 0), round(end * 1000 / rate))


def _read_symbols(samples: NDArray[np.int16], length: int, places: NDArray[np.int64]) -> bytes:
    """The bytes of the symbols that begin at `places`, up to the first that is none."""
    index = np.minimum(places[:, None] + np.arange(length), len(samples) - 1)
    frames, window = samples[index].astype(np.float64), _window(length)
    tones = 2 * np.fft.rfft(frames * window)[:, _TONES]
    power = np.abs(tones) ** 2 / 2
    low, high = power[:, :16].argmax(axis=1), power[:, 16:].argmax(axis=1)
    chosen = np.stack([low, high + 16], axis=1)
    shares = np.take_along_axis(power, chosen, axis=1)
    total = (frames**2 * window).sum(axis=1)

    amplitudes = np.take_along_axis(tones, chosen, axis=1)[:, :, None]
    model = (amplitudes * _edge_tones(length)[chosen]).sum(axis=1).real
    match = (_edges(frames) * model).reshape(len(frames), 2, -1).sum(axis=2)
    due = (model**2).reshape(len(frames), 2, -1).sum(axis=2)
    good = (
        (shares.sum(axis=1) > _TONES_SHARE * total)
        & (shares.min(axis=1) > _TONE_SHARE * total)
        & (match > _EDGE_MATCH * due).all(axis=1)
    )
    count = len(good) if good.all() else int(good.argmin())
    return bytes((low << 4 | high)[:count].astype(np.uint8))


def _ends_at(samples: NDArray[np.int16], rate: int, place: float) -> bool:
    """Whether an end marker begins at `place`."""
    end = _marker(rate, -SWEEP_BEND)
    frame = _stretch(samples, round(place), len(end))
    power = max(float((frame**2).mean()), _FAINTEST)
    product = abs((frame * end.conj()).sum())
    return bool(2 * product**2 >= _MARKER_MATCH * power * len(end) ** 2)


def _decode(data: bytes) -> tuple[str, bool]:
    """The whole characters at the front of `data`, and whether that is all of it."""
    try:
        return data.decode(), True
    except UnicodeDecodeError as error:
        return data[: error.start].decode(), False
