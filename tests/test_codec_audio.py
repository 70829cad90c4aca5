"""Audio comes in and goes out exactly, by the short cuts as by the general way."""

import json
from typing import Any

import msgspec
import pybase64
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime_client import codec
from realtime_client._grammar import server_grammar
from realtime_client.codec import decode, decode_client, encode
from realtime_client.events import (
    REALTIME,
    TRANSLATION,
    UNSET,
    ErrorEvent,
    InputAudioBufferAppend,
    InvalidEvent,
    ResponseDone,
    ResponseOutputAudioDelta,
    SessionInputAudioBufferAppend,
    SessionOutputAudioDelta,
    Surface,
    UnknownEvent,
)

AUDIO = bytes(range(256)) * 20


AUDIO_EVENTS: list[tuple[Surface, Any]] = [
    (REALTIME, ResponseOutputAudioDelta),
    (TRANSLATION, SessionOutputAudioDelta),
]
APPENDS: list[tuple[Surface, Any]] = [
    (REALTIME, InputAudioBufferAppend),
    (TRANSLATION, SessionInputAudioBufferAppend),
]


@pytest.mark.parametrize(("surface", "cls"), AUDIO_EVENTS)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 300, 4_800, 100_000])
def test_audio_comes_in_as_bytes(surface: Surface, cls: Any, size: int) -> None:
    audio = (AUDIO * (size // len(AUDIO) + 1))[:size]
    event = cls(event_id="event_1", delta=audio)
    assert encode(event) == msgspec.json.encode(event)
    assert decode(encode(event), surface) == event
    spaced = json.dumps(json.loads(encode(event)))
    assert decode(spaced, surface) == event


@pytest.mark.parametrize(("surface", "cls"), AUDIO_EVENTS)
@pytest.mark.parametrize("size", [1, 2, 3, 4_799, 4_800])
def test_padding_may_be_missing(surface: Surface, cls: Any, size: int) -> None:
    audio = AUDIO[:size]
    frame = encode(cls(delta=audio)).replace(b"=", b"")
    assert decode(frame, surface) == cls(delta=audio)


@pytest.mark.parametrize(
    "text",
    ["AAAAA", "A", "AA=A", "A===", "AA==AA==", "AA_-", "AA AA", "AAAA\\n", "é234", "#", "AA==="],
)
@pytest.mark.parametrize("long", ["", "AAAA" * 200])
def test_what_is_not_base64_is_no_audio(text: str, long: str) -> None:
    frame = f'{{"type":"response.output_audio.delta","delta":"{long}{text}"}}'
    event = decode(frame)
    assert isinstance(event, InvalidEvent)
    assert event.type == "response.output_audio.delta"
    assert event.raw == frame.encode()


def test_escaped_slashes_are_slashes() -> None:
    text = "//8B" * 400
    escaped = text.replace("/", "\\/")
    frame = f'{{"type":"response.output_audio.delta","delta":"{escaped}"}}'
    assert decode(frame) == ResponseOutputAudioDelta(delta=pybase64.b64decode(text))


@pytest.mark.parametrize(("surface", "cls"), APPENDS)
@pytest.mark.parametrize("event_id", [UNSET, None, "", "event_1", 'q"\\\u2028é\n\x7f'])
@pytest.mark.parametrize(
    "audio", [b"", b"\x00", AUDIO, "", "AAAA", 'not "base64"', bytearray(b"ab")]
)
def test_an_append_is_written_as_msgspec_would(
    surface: Surface, cls: Any, event_id: Any, audio: Any
) -> None:
    event = cls(event_id=event_id, audio=audio)
    assert encode(event) == msgspec.json.encode(event)


@pytest.mark.parametrize(("surface", "cls"), APPENDS)
@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("AQID", b"\x01\x02\x03"),
        ("", b""),
        ("AQ==", b"\x01"),
        ("AQ", "AQ"),  # the padding is missing
        ("AR==", "AR=="),  # bits that no audio has are set
        ("AQID\n", "AQID\n"),
        ("Base64EncodedAudioData", "Base64EncodedAudioData"),
        ("naïve", "naïve"),
    ],
)
def test_audio_from_a_client_is_what_it_was(
    surface: Surface, cls: Any, text: str, read: bytes | str
) -> None:
    frame = json.dumps({"type": cls(audio="").type, "audio": text})
    event = decode_client(frame, surface)
    assert event == cls(audio=read)
    assert json.loads(encode(event)) == json.loads(frame)


# --- the short cut for audio equals the general way -------------------------------------


KEYS = [
    '"delta"', '"delta', '"delta" ', '"d\\u0065lta"', '"\\"delta\\""',
    '"type"', '"event_id"', '"item_id"', '"raw"', '"x"',
]  # fmt: skip
TEXTS = [
    "AAAA", "AQ==", "AQ", "AR==", "A", "", "//8B", "\\/\\/8B", "AA\\u0041A", "delta", "é", "AA AA",
    '\\"', "{", "\\",
]  # fmt: skip
TYPES = [
    '"response.output_audio.delta"', '"response.output_audio\\u002edelta"',
    '" response.output_audio.delta"', '"response.output_text.delta"', '"realtime_client.unknown"',
]  # fmt: skip
TREES = ["null", "0", "[]", '["AAAA"]', "{}", '{"delta":"BBBB"}', '{"x":{"delta":""}}', '"']
VALUES = [f'"{text}"' for text in TEXTS] + TYPES + TREES
SPACES = ["", " ", "\n", "\t "]


def pairs() -> st.SearchStrategy[str]:
    space = st.sampled_from(SPACES)
    colon = st.tuples(space, space).map(":".join)
    pair = st.tuples(st.sampled_from(KEYS), colon, st.sampled_from(VALUES))
    typed = st.tuples(st.just('"type"'), colon, st.just(TYPES[0]))
    audio = st.tuples(st.just('"delta"'), colon, st.sampled_from(VALUES[: len(TEXTS)]))
    return st.one_of(typed, audio, pair).map("".join)


def flat_objects() -> st.SearchStrategy[str]:
    separator = st.sampled_from([",", ", ", ",\n", ",", ""])
    members = st.lists(st.tuples(pairs(), separator), max_size=6)
    ends = st.sampled_from([("{", "}"), ("{ ", " }"), ("{", "}}"), ("[{", "}]"), ("{", "")])

    def put_together(parts: tuple[list[tuple[str, str]], tuple[str, str]]) -> str:
        listed, (opening, closing) = parts
        text = "".join(pair + separator for pair, separator in listed)
        return opening + text.rstrip(", \n") + closing

    return st.tuples(members, ends).map(put_together)


def both_ways(frame: bytes, surface: Surface = REALTIME) -> tuple[Any, Any]:
    grammar = server_grammar(surface)
    assert grammar.cut is not None
    short = codec._decode_cut(frame, grammar.cut)
    return short, codec._decode(frame, grammar, lenient=True)


def delta(rest: str) -> str:
    return '{"type":"response.output_audio.delta"' + rest


@settings(max_examples=1500, deadline=None)
@given(flat_objects())
# One for each thing that the argument in `_decode_cut` rests on:
@example(delta(',"delta":"AAAA","d\\u0065lta":"BBBB"}'))  # a key in disguise comes later
@example('{"d\\u0065lta":"BBBB",' + delta(',"x":{"delta":"AAAA"}}')[1:])  # ... or earlier
@example(delta(',"delta":"AAAA","delta":"BBBB"}'))  # the last of two keys counts
@example(delta(',"delta":"AAAA","delta" :"BBBB"}'))
@example(delta(',"delta" :"AAAA","x":{"delta":"BBBB"}}'))  # the event's own key comes first
@example(delta(',"x":{"delta":"AAAA"},"delta":"BBBB"}'))  # ... or last
@example(delta(',"x":{"delta":"AAAA"}}'))  # ... or is not there
@example(delta(',"x":["delta","AAAA"]}'))
@example('{"delta":"AAAA"}')  # no type at all
@example('{"x":"response.output_audio.delta","delta":"AAAA"}')
@example('{"type":"realtime_client.unknown","raw":{},"delta":"AAAA"}')
@example(delta(',"delta":null,"x":"AAAA"}'))  # the next string is another's
@example(delta(',"delta":["AAAA"]}'))
@example(delta(',"delta":"AAAA'))  # cut off
@example(delta(',"delta":"'))
@example(delta(',"delta"'))
@example('"delta":"AAAA"')
@example(delta(',"delta":"AQ"}'))  # base64 that only the general way mends
@example(delta(',"delta":"\\/\\/8B"}'))
@example(delta(',"delta":"AAAA"}{}'))
def test_the_short_cut_gives_what_the_general_way_gives(text: str) -> None:
    short, general = both_ways(text.encode())
    assert short is None or short == general


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000), st.booleans(), st.booleans(), st.sampled_from(AUDIO_EVENTS))
def test_the_short_cut_is_taken_for_ordinary_audio(
    audio: bytes, spaced: bool, last: bool, side: tuple[Surface, Any]
) -> None:
    surface, cls = side
    event = cls(event_id="event_1", delta=audio)
    wire = json.loads(encode(event))
    payload = wire.pop("delta")
    wire = {**wire, "delta": payload} if last else {"delta": payload, **wire, "rid": "r", "ts": 1}
    frame = json.dumps(wire, separators=None if spaced else (",", ":")).encode()
    assert both_ways(frame, surface) == (event, event)


def test_the_short_cut_is_for_long_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def spy(frame: bytes, cut: object) -> None:
        taken.append(len(frame))

    monkeypatch.setattr(codec, "_decode_cut", spy)
    for size in (3, 300, 3_000):
        event = ResponseOutputAudioDelta(delta=AUDIO[:size])
        assert decode(encode(event)) == event
    assert len(taken) == 1
    assert taken[0] > 3_000


def test_a_surface_without_audio_has_no_short_cut() -> None:
    silent = Surface("silent", {}, {"error": ErrorEvent, "response.done": ResponseDone})
    frame = encode(ResponseOutputAudioDelta(delta=AUDIO))
    assert isinstance(decode(frame, silent), UnknownEvent)
    assert decode(b'{"type":"error","error":"no"}', silent) == ErrorEvent(error="no")


def test_a_type_of_another_surface_is_unknown() -> None:
    for surface, other in ((REALTIME, TRANSLATION), (TRANSLATION, REALTIME)):
        cls = dict(AUDIO_EVENTS)[surface]
        assert isinstance(decode(encode(cls(delta=AUDIO)), other), UnknownEvent)
