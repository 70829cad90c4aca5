"""Another sample rate, with less than 2 ms of delay and nothing held back.

The filter is a windowed sinc (Kaiser), cut at half of the lower rate and symmetric, so it looks
ahead by half its length. Between rates whose ratio is P/Q in lowest terms it has P phases, and P
outputs use the same taps as the P before them, Q inputs later. So a matrix whose columns are
the taps, each a step below the one before, turns a window of the input into a row of outputs,
and windows that follow each other, one to a row, turn into all outputs at once:

    outputs (rows x R P)  =  windows (rows x W)  @  taps (W x R P)

That is one matrix product for a whole chunk, which is why `push` can be told how many samples
are wanted: fewer are of no use to anybody and cost as much.

The order in which a matrix product adds depends on its shape and on the machine, and rounding
shows the order. So no sum is rounded: samples and taps are whole numbers, in units of 2**-22 and
2**-24, and no sum of their products reaches 2**53 of the unit of both, so float64 holds each of
them exactly, in any order. The same samples are the same bytes, however they are cut and
wherever they are filtered, and that needs no trust in any library. The units are 40 dB finer
than 16 bits.

When the rate is divided by Q, the sinc is zero at every Q-th tap but the one in the middle. Those
inputs are left out of the windows and the middle tap is added by itself; for 48 to 24 kHz, a
half-band filter, that halves the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Design", "LowDelay", "design"]

SAMPLE_UNIT: Final = 2.0**22
TAP_UNIT: Final = 2.0**24
"""The magnitudes of the taps of one output add up to less than 4. So for samples within
`pcm.LOUDEST`, which is 2**5, every sum stays below 4 * 2**5 / (2**-22 * 2**-24) = 2**53 units."""

ATTENUATION: Final = 84.0
"""Of the window, in decibels: where it stops, aliases are near the last bit of 16."""

_COLUMNS: Final = 24
"""Outputs of a row, about: a wider row has longer windows, a narrower one more of them."""

_PRODUCT: Final = 2**18
"""Multiplications in one matrix product at most. OpenBLAS starts threads beyond this size."""

_PIECE: Final = 9_600
"""Samples taken in at once, so that what is kept does not depend on what is pushed."""

_NOTHING: Final = np.zeros(0, np.float32)


def reach(lower: int) -> float:
    """How far the filter reaches to each side, in seconds; `lower` is the lower of two rates.

    The band between "passes" and "does not" is as wide as the filter is short: 2.0 kHz at
    1.3 ms, which is enough around 12 kHz; below that speech has little to spare.
    """
    return 1 / 750 if lower >= 24_000 else 1 / 500


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The filter between two rates, as the matrix product needs it."""

    up: int
    """P: outputs of one period."""
    down: int
    """Q: inputs of one period."""
    half: int
    """Taps to each side, the outermost being zero, at P times the input's rate."""
    taps: NDArray[np.float64]
    """(inputs of a window, outputs of a row), for samples in their unit."""
    middle: np.floating[Any] | None
    """The tap that is added by itself, where there is one: float32 if that is exact."""
    back: int
    """Inputs of a window before the input at the place of its first output."""
    span: int
    """Inputs of a window, those that are left out among them."""
    columns: int
    """Outputs of a row."""
    step: int
    """Inputs from the window of one row to the window of the next."""

    @property
    def lag(self) -> int:
        """Outputs that are not ready yet when as much input is there as they last."""
        return -(-self.half // self.down) - 1


@cache
def design(rate: int, target: int) -> Design:
    """The filter from `rate` to `target`, which differ and are both in `LOW_DELAY_RATES`."""
    common = gcd(rate, target)
    up, down = target // common, rate // common
    half = round(reach(min(rate, target)) * up * rate)
    window = np.kaiser(2 * half + 1, 0.1102 * (ATTENUATION - 8.7))[1:-1]  # Kaiser's own rule
    prototype = np.sinc(np.arange(1 - half, half) / max(up, down)) * window

    columns = _COLUMNS // up * up
    step = columns // up * down
    back = (half - 1) // up
    span = ((columns - 1) * down + half - 1) // up + back + 1
    # Which tap an input of the window is for an output of the row: how far apart they are.
    apart = np.arange(columns) * down - (np.arange(span)[:, None] - back) * up
    inside = np.abs(apart) < half
    taps = np.where(inside, prototype[np.where(inside, apart + half - 1, 0)], 0.0)
    middle, tap = 0, None
    if up == 1:
        # `back` is one short of a multiple of Q, so the last of every Q inputs is a middle.
        taps = taps[np.arange(span) % down != down - 1]
        span += 1
        middle = round(TAP_UNIT / down)
        exact = np.float32 if middle.bit_count() == 1 else np.float64
        tap = exact(middle / (SAMPLE_UNIT * TAP_UNIT))
    taps = _whole(taps, TAP_UNIT - middle) / (SAMPLE_UNIT * TAP_UNIT)
    return Design(up, down, half, taps, tap, back, span, columns, step)


def _whole(taps: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """Taps as whole numbers, each output's with this sum: a constant stays what it is."""
    whole: NDArray[np.float64] = np.rint(taps / taps.sum(axis=0) * total)
    whole[whole.argmax(axis=0), np.arange(whole.shape[1])] += total - whole.sum(axis=0)
    return whole


class LowDelay:
    """One mono float32 signal from one rate to another, from its beginning to its end."""

    def __init__(self, rate: int, target: int) -> None:
        self._design = design(rate, target)
        self._taken = 0
        self._given = 0
        # The input that is still needed, as floats; what lies beyond `_size` is never NaN.
        # Before the beginning there is silence.
        self._kept = np.zeros(2 * _PIECE, np.float32)
        self._size = self._design.back

    def push(self, samples: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
        """Take samples; give all that are ready, or none while fewer than `wanted` are."""
        if samples.size > _PIECE:
            pieces = np.split(samples, range(_PIECE, samples.size, _PIECE))
            return np.concatenate([self.push(piece, wanted) for piece in pieces])
        self._keep(samples)
        d = self._design
        ready = (self._taken * d.up - d.half) // d.down + 1 - self._given
        return self._read(ready) if ready >= wanted else _NOTHING

    def finish(self, rest: int) -> NDArray[np.float32]:
        """The last `rest` samples, as if silence followed."""
        self._keep(np.zeros(self._design.back + 1, np.float32))
        return self._read(rest) if rest else _NOTHING

    def _keep(self, samples: NDArray[np.float32]) -> None:
        end = self._size + samples.size
        if end + self._design.step > self._kept.size:
            self._kept = np.concatenate([self._kept, np.zeros(end, np.float32)])
        self._kept[self._size : end] = samples
        self._size = end
        self._taken += samples.size

    def _read(self, count: int) -> NDArray[np.float32]:
        """The next `count` samples, all of which are ready; then forget their input."""
        d = self._design
        skip = self._given % d.up  # a row begins with the first phase
        rows = -(-(skip + count) // d.columns)
        # The last row may look past `_size`, for outputs that nobody takes.
        samples = self._kept[: (rows - 1) * d.step + d.span] * np.float32(SAMPLE_UNIT)
        np.rint(samples, out=samples)
        most = _PRODUCT // d.taps.size
        if rows <= most:
            out = _product(d, samples, rows)
        else:
            starts = range(0, rows, most)
            out = np.concatenate(
                [_product(d, samples[at * d.step :], min(most, rows - at)) for at in starts]
            )

        old, self._given = self._given, self._given + count
        used = (self._given // d.up - old // d.up) * d.down
        self._kept[: self._size - used] = self._kept[used : self._size]
        self._size -= used
        return out[skip : skip + count].astype(np.float32)


def _product(d: Design, samples: NDArray[np.float32], rows: int) -> NDArray[np.float64]:
    """Rows of outputs, one after the other, from samples in their unit."""
    if d.middle is None:
        return (_windows(samples.astype(np.float64), d.step, rows, d) @ d.taps).reshape(-1)
    periods = samples[: samples.size // d.down * d.down].reshape(-1, d.down)
    step = d.step // d.down * (d.down - 1)
    outputs = (_windows(periods[:, :-1].astype(np.float64), step, rows, d) @ d.taps).reshape(-1)
    first = d.back // d.down
    outputs += periods[first : first + outputs.size, -1] * d.middle
    return outputs


def _windows(samples: NDArray[np.float64], step: int, rows: int, d: Design) -> NDArray[np.float64]:
    """(rows, inputs of a window), each window a step after the one before."""
    overlapping: NDArray[np.float64] = np.ndarray(
        (rows, d.taps.shape[0]), np.float64, samples, 0, (step * samples.itemsize, samples.itemsize)
    )
    return overlapping.copy()  # which is what the library can multiply
