"""G.711 against two references that share nothing with the tables: bits, and audioop."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from realtime_client.audio import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from realtime_client.errors import InvalidAudio

SAMPLES = np.arange(-(2**15), 2**15).astype(np.int16)
CODES = bytes(range(256))


def ulaw_by_bits(sample: int) -> int:
    """The segment is the position of the highest bit of the biased 14-bit magnitude."""
    magnitude = abs(sample >> 2)
    biased = min(magnitude + 33, 0x1FFF)
    segment = biased.bit_length() - 6
    code = segment << 4 | biased >> (segment + 1) & 0xF
    return code ^ (0x7F if sample < 0 else 0xFF)


def alaw_by_bits(sample: int) -> int:
    magnitude = (~sample if sample < 0 else sample) >> 4
    segment = max(magnitude.bit_length() - 4, 0)
    code = segment << 4 | magnitude >> max(segment - 1, 0) & 0xF
    return code ^ (0x55 if sample < 0 else 0xD5)


def ulaw_sample_by_bits(code: int) -> int:
    code ^= 0xFF
    segment, step = code >> 4 & 7, code & 0xF
    magnitude = ((2 * step + 33) << segment) - 33
    return -4 * magnitude if code & 0x80 else 4 * magnitude


def alaw_sample_by_bits(code: int) -> int:
    code ^= 0x55
    segment, step = code >> 4 & 7, code & 0xF
    magnitude = 2 * step + 1 if segment == 0 else (2 * step + 33) << (segment - 1)
    return 8 * magnitude if code & 0x80 else -8 * magnitude


@pytest.fixture
def audioop() -> Any:
    if sys.version_info >= (3, 13):
        pytest.skip("audioop left the standard library in Python 3.13; the bits are checked above")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("audioop")


def test_every_sample_has_the_code_of_its_segment_and_step() -> None:
    assert list(ulaw_encode(SAMPLES)) == [ulaw_by_bits(int(s)) for s in SAMPLES]
    assert list(alaw_encode(SAMPLES)) == [alaw_by_bits(int(s)) for s in SAMPLES]


def test_every_code_has_the_sample_in_the_middle_of_its_step() -> None:
    assert ulaw_decode(CODES).tolist() == [ulaw_sample_by_bits(c) for c in CODES]
    assert alaw_decode(CODES).tolist() == [alaw_sample_by_bits(c) for c in CODES]


def test_audioop_decodes_every_code_the_same(audioop: Any) -> None:
    assert ulaw_decode(CODES).astype("<i2").tobytes() == audioop.ulaw2lin(CODES, 2)
    assert alaw_decode(CODES).astype("<i2").tobytes() == audioop.alaw2lin(CODES, 2)


def test_audioop_encodes_every_sample_the_same(audioop: Any) -> None:
    samples = SAMPLES.astype("<i2").tobytes()
    assert ulaw_encode(SAMPLES) == audioop.lin2ulaw(samples, 2)
    assert alaw_encode(SAMPLES) == audioop.lin2alaw(samples, 2)


def test_silence_has_its_own_codes() -> None:
    assert not ulaw_decode(ulaw_encode(np.arange(4).astype(np.int16))).any()
    assert ulaw_encode(np.zeros(1, np.int16)) == b"\xff"
    assert alaw_encode(np.zeros(1, np.int16)) == b"\xd5"


@pytest.mark.parametrize(
    ("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)]
)
def test_coding_is_one_rising_staircase(encode: Any, decode: Any) -> None:
    assert np.all(np.diff(decode(encode(SAMPLES)).astype(int)) >= 0)


def test_every_code_survives_a_round_trip_except_that_zero_has_one_sign() -> None:
    assert alaw_encode(alaw_decode(CODES)) == CODES
    assert ulaw_encode(ulaw_decode(CODES)) == CODES.replace(b"\x7f", b"\xff")


@pytest.mark.parametrize("encode", [ulaw_encode, alaw_encode])
def test_byte_order_and_strides_do_not_matter(encode: Any) -> None:
    assert encode(SAMPLES.astype(">i2")) == encode(SAMPLES)
    assert encode(SAMPLES[::-3]) == encode(SAMPLES)[::-3]
    assert encode(SAMPLES[:0]) == b""


@pytest.mark.parametrize("encode", [ulaw_encode, alaw_encode])
@pytest.mark.parametrize(
    "samples", [np.zeros(4, np.float32), np.zeros(4, np.uint16), np.zeros((2, 2), np.int16)]
)
def test_only_a_row_of_int16_can_be_coded(encode: Any, samples: Any) -> None:
    with pytest.raises(InvalidAudio, match=r"1-D array of int16; got \w+ of shape"):
        encode(samples)


@pytest.mark.parametrize("decode", [ulaw_decode, alaw_decode])
def test_decoded_samples_are_the_callers_own(decode: Any) -> None:
    before = decode(CODES).tolist()
    decode(bytearray(CODES))[:] = 1
    assert decode(memoryview(CODES)).tolist() == before
    assert decode(CODES).dtype == np.int16
