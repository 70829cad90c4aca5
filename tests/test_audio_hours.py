"""A microphone that is never switched off: no drift, and no memory that grows.

One second of sound repeats, in chunks of sizes that have nothing to do with anything. So each
second that comes out must be the second one, for as long as it goes on: `low_delay` bit for bit,
soxr but for the last bit of a sample, as its blocks do not end with the seconds. The sound is
noise, so a sample lost or doubled in ten hours would make all that follows another sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from realtime_client.audio import InputPipeline, WireFormat

ODD = (1, 4_999, 77, 960, 3_001, 12_345, 2, 441, 8_191)
"""Chunk sizes in bytes; most end within a frame."""

MEMORY = Path("/proc/self/statm")


def sound(rate: int, channels: int) -> bytes:
    values = np.random.default_rng(rate).standard_normal((rate, channels)) * 8_000
    return np.clip(values, -(2**15), 2**15 - 1).astype("<i2").tobytes()


def odd_chunks(second: bytes, seconds: int) -> Iterator[bytes]:
    """`seconds` times the same second, cut without regard to where one ends."""
    twice, at, left = second * 2, 0, seconds * len(second)
    for size in cycle(ODD):
        if not left:
            return
        size = min(size, left)
        yield twice[at : at + size]
        at, left = (at + size) % len(second), left - size


def listen(
    wire: WireFormat, rate: int, channels: int, quality: str, seconds: int
) -> tuple[InputPipeline, int]:
    """Push so many seconds; how much memory they took, from the second minute on, in bytes."""
    pipeline = InputPipeline(wire, quality=quality)
    size = wire.rate * wire.bytes_per_sample
    heard, number, expected = bytearray(), 0, b""
    flat, exact = 0, quality == "low_delay"

    def check(chunks: list[bytes]) -> None:
        nonlocal number, expected, flat
        for chunk in chunks:
            heard.extend(chunk)
        while len(heard) >= size:
            now = bytes(heard[:size])
            del heard[:size]
            number += 1
            if number == 2:  # the first one began in silence
                expected = now
            # The last one ends in silence.
            assert number in (1, seconds) or same(wire, now, expected, exact), f"second {number}"
            if number == min(120, seconds // 2):
                flat = memory()

    for chunk in odd_chunks(sound(rate, channels), seconds):
        check(pipeline.push(chunk, rate=rate, channels=channels))
    grown = memory() - flat
    check(pipeline.flush())
    assert (number, len(heard)) == (seconds, 0)
    return pipeline, grown


def same(wire: WireFormat, a: bytes, b: bytes, exact: bool) -> bool:
    if exact or a == b:
        return a == b
    apart = np.abs(wire.decode(a).astype(int) - wire.decode(b))
    # The last bit of a sample; in G.711 that is a step, and few stand so close to an edge.
    few = wire.bytes_per_sample == 1 and float(np.mean(apart > 0)) < 0.01
    return int(apart.max()) <= 1 or few


def memory() -> int:
    """What this process occupies, in bytes; 0 where the system does not say."""
    return int(MEMORY.read_text().split()[1]) * 4_096 if MEMORY.exists() else 0


CASES = [
    (WireFormat("audio/pcm", 24_000), 48_000, 2, "low_delay"),
    (WireFormat("audio/pcm", 24_000), 44_100, 1, "HQ"),
    (WireFormat("audio/pcmu", 8_000), 11_025, 1, "HQ"),
    (WireFormat("audio/pcm", 24_000), 8_000, 1, "low_delay"),
]


@pytest.mark.parametrize(("wire", "rate", "channels", "quality"), CASES)
def test_seconds_do_not_drift(wire: WireFormat, rate: int, channels: int, quality: str) -> None:
    pipeline, _ = listen(wire, rate, channels, quality, 6)
    counts = pipeline.counts
    assert (counts.pushed, counts.appended) == (6 * rate, 6 * wire.rate)
    assert counts.stray_bytes == 0


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(("wire", "rate", "channels", "quality"), CASES)
def test_ten_hours_do_not_drift(wire: WireFormat, rate: int, channels: int, quality: str) -> None:
    if not MEMORY.exists():
        pytest.skip("this system does not say in /proc how much memory is in use")
    seconds = 10 * 3_600
    pipeline, grown = listen(wire, rate, channels, quality, seconds)
    counts = pipeline.counts
    assert (counts.pushed, counts.appended) == (seconds * rate, seconds * wire.rate)
    assert counts.stray_bytes == 0
    assert grown < 2_000_000  # ten hours are 1,728,000,000 bytes of it
