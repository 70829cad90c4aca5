from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from realtime_client.audio import WireFormat, alaw_encode, ulaw_encode
from realtime_client.errors import InvalidAudio
from realtime_client.events.base import UNSET
from realtime_client.events.session import AudioFormat

SAMPLES = np.array([0, 1, -2, 300, -32768, 32767], np.int16)
PCM = WireFormat("audio/pcm", 24_000)
ULAW = WireFormat("audio/pcmu", 8_000)
ALAW = WireFormat("audio/pcma", 8_000)


def test_pcm_is_16_bit_little_endian() -> None:
    data = b"\x00\x00\x01\x00\xfe\xff\x2c\x01\x00\x80\xff\x7f"
    assert PCM.encode(SAMPLES) == data
    assert PCM.encode(SAMPLES.astype(">i2")) == data
    assert PCM.encode(np.repeat(SAMPLES, 2)[::2]) == data
    assert PCM.decode(data).tolist() == SAMPLES.tolist()
    assert PCM.decode(bytearray(data)).dtype == np.int16


def test_g711_is_told_apart() -> None:
    assert ULAW.encode(SAMPLES) == ulaw_encode(SAMPLES) != alaw_encode(SAMPLES)
    assert ALAW.encode(SAMPLES) == alaw_encode(SAMPLES)
    assert ULAW.decode(b"\x00\x80").tolist() == [-32124, 32124]
    assert ALAW.decode(b"\x2a\xaa").tolist() == [-32256, 32256]


@pytest.mark.parametrize("wire_format", [PCM, ULAW, ALAW])
def test_nothing_is_coded_to_nothing(wire_format: WireFormat) -> None:
    assert wire_format.encode(SAMPLES[:0]) == b""
    assert wire_format.decode(b"").size == 0


@pytest.mark.parametrize("wire_format", [PCM, ULAW, ALAW])
def test_only_a_row_of_int16_can_be_encoded(wire_format: WireFormat) -> None:
    for samples in (SAMPLES.astype(np.float32), SAMPLES.reshape(2, 3)):
        with pytest.raises(InvalidAudio, match="1-D array of int16"):
            wire_format.encode(samples)  # type: ignore[arg-type]  # wrong on purpose


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(InvalidAudio, match="3 bytes are no whole number of 16-bit samples"):
        PCM.decode(b"abc")
    assert ULAW.decode(b"abc").size == 3


def test_bytes_and_time() -> None:
    assert (PCM.bytes_per_sample, ULAW.bytes_per_sample, ALAW.bytes_per_sample) == (2, 1, 1)
    assert PCM.ms(4_800) == 100
    assert WireFormat("audio/pcm", 16_000).ms(4_800) == 150
    assert ULAW.ms(4_800) == ALAW.ms(4_800) == 600
    assert PCM.ms(2) == pytest.approx(1 / 24)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (AudioFormat(type="audio/pcm", rate=24_000), PCM),
        (AudioFormat(type="audio/pcm", rate=16_000), WireFormat("audio/pcm", 16_000)),
        (AudioFormat(type="audio/pcm"), PCM),
        (AudioFormat(type="audio/pcmu"), ULAW),
        (AudioFormat(type="audio/pcma"), ALAW),
        (AudioFormat(type="audio/pcmu", rate=None), ULAW),
        (AudioFormat(type="audio/pcma", rate=8_000), ALAW),
        (SimpleNamespace(type="audio/pcm"), PCM),
        (SimpleNamespace(type="audio/pcma", rate=UNSET), ALAW),
    ],
)
def test_a_sessions_format_becomes_its_codec(wire: Any, expected: WireFormat) -> None:
    assert WireFormat.from_wire(wire) == expected


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (AudioFormat(type="audio/opus"), r"'audio/opus': there are audio/pcm, audio/pcmu"),
        (SimpleNamespace(type=["audio/pcm"]), "no codec"),
        (None, "no codec for the audio format None"),
        (AudioFormat(type="audio/pcmu", rate=16_000), "always 8,000 Hz; got 16,000"),
        (AudioFormat(type="audio/pcm", rate=0), "from 8,000 to 192,000; got 0"),
        (SimpleNamespace(type="audio/pcm", rate="24000"), "got '24000'"),
    ],
)
def test_a_format_that_nobody_knows_is_refused(wire: Any, words: str) -> None:
    with pytest.raises(InvalidAudio, match=words):
        WireFormat.from_wire(wire)


def test_a_format_is_a_value() -> None:
    assert WireFormat() == PCM
    assert len({PCM, WireFormat("audio/pcm"), ULAW}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        PCM.rate = 16_000  # type: ignore[misc]  # that is what is tested
