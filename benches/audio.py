"""How well, how late and how dear each way to bring 48 kHz to 24 kHz is: `python benches/audio.py`.

A microphone gives frames of 20 ms, the wire takes appends of 100 ms. For each candidate:

- SNR of a 1 kHz tone at half of full scale: its power over that of all that is not the tone.
- What is left of a 10.5 kHz tone, which should be all of it.
- Rejection of a 15 kHz tone, which would come back at 9 kHz.
- Age of the newest and the oldest sample of an append at the moment when it leaves, mean and
  worst over the appends of 20 s. A frame arrives when its last sample was taken.
- CPU time, all threads, for one second of audio: of the resampler, and of everything from frame
  to append where there is a pipeline. The best of several runs.

Candidates that give 16 bits are measured on them: more than 93 dB of SNR has no room there, and
what is rejected further than to half of the last bit is gone. Those that are not installed are
left out and said to be.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from time import process_time
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from realtime_client.audio import QUALITIES, InputPipeline, Resampler, WireFormat

RATE, TARGET, FRAME, APPEND = 48_000, 24_000, 960, 2_400
SECONDS, RUNS = 20, 9

Signal = NDArray[Any]
Push = Callable[[Signal], Signal]


@dataclass(frozen=True)
class Candidate:
    """One way: `start` gives a function from a frame to the samples that are ready then."""

    name: str
    start: Callable[[], Push]
    dtype: str = "int16"
    quality: str | None = None  # of our own pipeline, which makes the appends
    streams: bool = True


def tone(hertz: float, seconds: int = 4) -> Signal:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(seconds * RATE) / RATE)


def frames(candidate: Candidate, signal: Signal) -> list[Signal]:
    if candidate.dtype == "int16":
        signal = np.rint(signal * 2**15)
    typed = signal.astype(candidate.dtype)
    size = FRAME if candidate.streams else typed.size
    return [typed[at : at + size].copy() for at in range(0, typed.size, size)]


def through(candidate: Candidate, signal: Signal) -> Signal:
    push = candidate.start()
    out = np.concatenate([push(frame) for frame in frames(candidate, signal)])
    return out / 2**15 if out.dtype == np.int16 else out.astype(float)


def fitted(out: Signal, hertz: float) -> tuple[float, float]:
    """Power of the tone in the middle of `out`, and of the rest."""
    out = out[out.size // 4 : out.size // 4 * 3]
    turn = 2 * np.pi * hertz * np.arange(out.size) / TARGET
    basis = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    part = basis @ np.linalg.lstsq(basis, out, rcond=None)[0]
    return float(np.mean(part**2)), float(np.mean((out - part) ** 2))


def decibels(ratio: float) -> float:
    return 10 * float(np.log10(ratio)) if ratio else -np.inf


def appends(candidate: Candidate) -> list[tuple[float, float]]:
    """Milliseconds from the first and from the last sample of each append until it leaves."""
    pieces = frames(candidate, tone(1_000, SECONDS))
    push, sent, ready, ages = candidate.start(), 0, 0, []
    pipeline = InputPipeline(WireFormat(), quality=candidate.quality or "HQ")
    for number, piece in enumerate(pieces, 1):
        now = number * FRAME / RATE * 1000
        if candidate.quality:
            lengths = [len(chunk) // 2 for chunk in pipeline.push(piece, rate=RATE)]
        else:
            ready += push(piece).size
            lengths = [APPEND] * ((ready - sent) // APPEND)
        for length in lengths:
            ages.append((now - (sent + length) * 1000 / TARGET, now - sent * 1000 / TARGET))
            sent += length
    return [(newest - shift(candidate), oldest - shift(candidate)) for newest, oldest in ages[5:]]


def shift(candidate: Candidate) -> float:
    """How much too early the output stands, in milliseconds: 0 for those that make up for it."""
    click = np.zeros(RATE)
    click[RATE // 2] = 0.5
    peak = int(np.abs(through(candidate, click)).argmax())
    return 500 - peak * 1000 / TARGET


def cpu(act: Callable[[], Callable[[Signal], object]], pieces: list[Signal]) -> float:
    """Microseconds of CPU for a second of audio; the best run."""
    best = np.inf
    for _ in range(RUNS):
        push = act()
        start = process_time()
        for piece in pieces:
            push(piece)
        best = min(best, process_time() - start)
    return float(best) / SECONDS * 1e6


def pipeline(quality: str) -> Callable[[Signal], object]:
    line = InputPipeline(WireFormat(), quality=quality)
    return lambda piece: line.push(piece, rate=RATE)


def ours(quality: str) -> Candidate:
    # `low_delay` is told what an append needs, as the pipeline tells it.
    def start() -> Push:
        resampler = Resampler(RATE, TARGET, quality=quality)
        wanted = APPEND - resampler.lag

        def push(piece: Signal) -> Signal:
            nonlocal wanted
            ready = resampler.push(piece, wanted)
            wanted = APPEND if ready.size else wanted
            return ready

        return push

    return Candidate(f"ours, {quality}", start, "float32", quality)


def soxr_int16() -> Push:
    stream = soxr.ResampleStream(RATE, TARGET, 1, dtype="int16", quality="VHQ")
    return lambda piece: np.asarray(stream.resample_chunk(piece))


def livekit(quality: str) -> Callable[[], Push]:
    rtc: Any = importlib.import_module("livekit.rtc")

    def start() -> Push:
        resampler = rtc.AudioResampler(
            RATE, TARGET, quality=getattr(rtc.AudioResamplerQuality, quality)
        )

        def push(piece: Signal) -> Signal:
            out = resampler.push(bytearray(piece.tobytes()))
            return np.frombuffer(b"".join(bytes(frame.data) for frame in out), np.int16)

        return push

    return start


def ratecv() -> Callable[[], Push]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop: Any = importlib.import_module("audioop")

    def start() -> Push:
        state = None

        def push(piece: Signal) -> Signal:
            nonlocal state
            out, state = audioop.ratecv(piece.tobytes(), 2, 1, RATE, TARGET, state)
            return np.frombuffer(out, np.int16)

        return push

    return start


def resample_poly() -> Callable[[], Push]:
    poly = importlib.import_module("scipy.signal").resample_poly
    return lambda: lambda piece: np.asarray(poly(piece, 1, RATE // TARGET))


def candidates() -> list[Candidate]:
    found = [ours(quality) for quality in QUALITIES]
    found.append(Candidate("soxr int16 stream, VHQ (pipecat)", soxr_int16))
    others: list[tuple[str, Callable[[], Callable[[], Push]], str, bool]] = [
        ("livekit AudioResampler, MEDIUM", lambda: livekit("MEDIUM"), "int16", True),
        ("livekit AudioResampler, QUICK", lambda: livekit("QUICK"), "int16", True),
        ("audioop.ratecv", ratecv, "int16", True),
        ("scipy resample_poly, all at once", resample_poly, "float32", False),
    ]
    for name, make, dtype, streams in others:
        try:
            found.append(Candidate(name, make(), dtype, streams=streams))
        except ImportError as error:
            print(f"not installed: {name} ({error})")
    return found


def row(candidate: Candidate) -> str:
    signal, rest = fitted(through(candidate, tone(1_000)), 1_000)
    alias = decibels(float(np.mean(through(candidate, tone(15_000))[TARGET:-TARGET] ** 2)) * 8)
    high, _ = fitted(through(candidate, tone(10_500)), 10_500)
    text = f"{candidate.name:34}{decibels(signal / rest):7.1f} {decibels(high * 8):9.2f}"
    text += f" {-alias:9.1f}   "
    if candidate.streams:
        newest, oldest = zip(*appends(candidate), strict=True)
        text += (
            f"{fmean(newest):5.1f} {max(newest):5.1f}   {fmean(oldest):6.1f} {max(oldest):6.1f} "
        )
    else:
        text += f"{'-':>5} {'-':>5}   {'-':>6} {'-':>6} "
    pieces = frames(candidate, tone(1_000, SECONDS))
    text += f"{cpu(candidate.start, pieces):10.0f}"
    if quality := candidate.quality:
        text += f"{cpu(lambda: pipeline(quality), pieces):10.0f}"
    return text


def main() -> None:
    """Print the table."""
    print(f"Python {sys.version.split()[0]}, numpy {np.__version__}, soxr {soxr.__version__}")
    found = candidates()
    print(f"{'48 to 24 kHz':34}{'SNR':>7} {'10.5 kHz':>9} {'rejected':>9}   {'newest, ms':11}   "
          f"{'oldest, ms':13} {'µs CPU':>10}{'pipeline':>10}")  # fmt: skip
    print(f"{'':34}{'dB':>7} {'dB':>9} {'dB':>9}   {'mean':>5} {'worst':>5}   "
          f"{'mean':>6} {'worst':>6}")  # fmt: skip
    for candidate in found:
        print(row(candidate), flush=True)


if __name__ == "__main__":
    main()
