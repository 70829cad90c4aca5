"""Nothing that a peer can send makes the codec raise."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_client.codec import decode, decode_client, encode
from realtime_client.events import (
    REALTIME,
    TRANSLATION,
    InvalidEvent,
    Surface,
    Tagged,
    UnknownEvent,
)
from tests.shapes import (
    CLIENT_SAMPLES,
    SERVER_SAMPLES,
    label,
)

NASTY: list[bytes | str] = [
    b"", "", b" ", b"\x00", "\x00", b"\xff\xfe", "\ud800", '{"type":"\ud800"}', b"null", b"[]",
    b"7",
    b'"text"', b"{}", b'{"type":null}', b'{"type":7}', b'{"type":[]}', b'{"type":{}}', b"NaN",
    b'{"type":"error"}', b'{"type":"error","error":null}', b'{"type":"error","error":"\\ud800"}',
    b'{"type":"x","n":1e999}', b'{"type":"x","n":' + b"9" * 5_000 + b"}",
    b'{"type":"input_audio_buffer.speech_started","audio_start_ms":' + b"9" * 5_000 + b"}",
    b'{"type":"input_audio_buffer.speech_started","audio_start_ms":1e300}',
    b"[" * 100_000, b'{"type":' * 100_000, b'{"type":"x","x":' + b"[" * 100_000,
    b'{"type":"session.created","session":{"tools":[' + b'{"a":' * 100_000,
    b'{"type":"response.output_audio.delta","delta":"' + b"A" * 100_000,
    b'{"type":"response.output_audio.delta","x":' + b"[" * 100_000 + b"]" * 100_000
    + b',"delta":""}',
    b'\xef\xbb\xbf{"type":"error","error":"a byte order mark"}',
    b'{"type":"error","error":"\xed\xa0\x80"}', b'{"type":"error","error":"\xff"}',
    b'{"type":"conversation.item.added","item":' + b'{"x":' * 900 + b"1" + b"}" * 900 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("surface", [REALTIME, TRANSLATION], ids=label)
@pytest.mark.parametrize("data", NASTY, ids=lambda data: repr(data[:40]))
def test_nasty_frames_become_values(data: bytes | str, surface: Surface) -> None:
    for read in (decode, decode_client):
        event = read(data, surface)
        assert isinstance(event, (InvalidEvent, UnknownEvent, Tagged))
        if isinstance(event, InvalidEvent):
            assert event.reason
            raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
            assert event.raw == raw


@pytest.mark.parametrize(
    ("frame", "wire_type", "reason"),
    [
        (b"x", None, "not JSON"),
        (b"[]", None, "not a JSON object"),
        (b"{}", None, "no `type`"),
        (b'{"type":7}', None, "no `type`"),
        (b'{"type":"error"}', "error", "missing required field `error`"),
        (b'{"type":"response.output_text.delta","delta":7}', "response.output_text.delta",
         r"Expected `str`, got `int` - at `\$.delta`"),
    ],
)  # fmt: skip
def test_an_invalid_event_says_why(frame: bytes, wire_type: str | None, reason: str) -> None:
    event = decode(frame)
    assert isinstance(event, InvalidEvent)
    assert event.type == wire_type
    assert reason.replace("\\", "") in event.reason
    assert event.raw == frame


def test_a_frame_that_was_cut_anywhere_is_invalid() -> None:
    for surface, frame in SERVER_SAMPLES:
        for end in range(len(frame)):
            assert isinstance(decode(frame[:end], surface), InvalidEvent)
    for surface, frame in CLIENT_SAMPLES:
        for end in range(len(frame)):
            assert isinstance(decode_client(frame[:end], surface), InvalidEvent)


ALL_SAMPLES = [frame for _, frame in SERVER_SAMPLES + CLIENT_SAMPLES]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    frame = bytearray(draw(st.sampled_from(ALL_SAMPLES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(frame)))
        change = draw(st.sampled_from(["flip", "cut", "splice", "repeat", "insert"]))
        if change == "flip" and at < len(frame):
            frame[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "cut":
            del frame[at : at + draw(st.integers(1, 40))]
        elif change == "splice":
            other = draw(st.sampled_from(ALL_SAMPLES))
            frame[at:] = other[draw(st.integers(0, len(other))) :]
        elif change == "repeat":
            frame[at:at] = frame[at : at + draw(st.integers(1, 60))]
        else:
            frame[at:at] = draw(st.sampled_from(INSERTS))
    return bytes(frame)


INSERTS = [
    b"\\", b"\\u0000", b"\\ud800", b'\\"', b'"', b"null", b"1e999", b"-0.0", b"1.0", b"{", b"}",
    b"[", b"\x00", b"\xff", b"\xed\xa0\x80", b',"type":"error"', b',"delta":"AAAA"',
    b',"item":{"type":"x"}',
]  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(st.one_of(mutations(), st.binary(max_size=80)))
def test_no_frame_raises(frame: bytes) -> None:
    for surface in (REALTIME, TRANSLATION):
        for read in (decode, decode_client):
            event = read(frame, surface)
            # What could be read can be written, and reads the same again.
            if not isinstance(event, InvalidEvent):
                assert read(encode(event), surface) == event


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=60), st.sampled_from(ALL_SAMPLES), st.integers(0, 200))
def test_no_text_raises(text: str, sample: bytes, at: int) -> None:
    whole = sample.decode()
    for data in (text, whole[:at] + text + whole[at:]):
        for read in (decode, decode_client):
            assert read(data) == read(data.encode("utf-8", "surrogatepass"))


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5)
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "id", "raw", "content"]), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    ),
    st.sampled_from(["item", "session", "response", "error", "delta"]),
    st.sampled_from(sorted(REALTIME.server)),
)  # fmt: skip
def test_no_payload_raises(payload: dict[str, Any], field: str, wire_type: str) -> None:
    frame = json.dumps({"type": wire_type, field: payload})
    event = decode(frame)
    assert isinstance(event, InvalidEvent) or event.type == wire_type
