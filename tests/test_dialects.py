"""Frames of other dialects become GA's and back; what cannot be read stays as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.beta import realtime as beta
from openai.types.beta.realtime import (
    response_create_event,
    session_update_event,
    transcription_session_update,
)

from realtime_client import events
from realtime_client.codec import decode
from realtime_client.dialects import (
    BETA,
    GA,
    HUGGING_FACE,
    QWEN,
    VOICE_LIVE,
    XAI_GROK,
    Dialect,
    Field,
    Spelling,
    Wire,
    incoming,
    outgoing,
)
from tests import wire

Tree = dict[str, Any]
FLAT = [BETA, VOICE_LIVE, QWEN]
TRANSLATED = [*FLAT, XAI_GROK, HUGGING_FACE]
PCM = {"type": "audio/pcm", "rate": 24000}


def read(dialect: Dialect, type_: str, **fields: Any) -> Tree:
    return wire.read(incoming(dialect, wire.frame(type_, **fields)))


def written(dialect: Dialect, type_: str, **fields: Any) -> Tree:
    return wire.read(outgoing(dialect, wire.frame(type_, **fields)))


def read_session(dialect: Dialect, **fields: Any) -> Tree:
    session: Tree = read(dialect, "session.updated", session=fields)["session"]
    return session


def written_session(dialect: Dialect, **fields: Any) -> Tree:
    session: Tree = written(dialect, "session.update", session=fields)["session"]
    return session


def heard(**fields: Any) -> Tree:
    return {"audio": {"input": fields}}


def spoken(**fields: Any) -> Tree:
    return {"audio": {"output": fields}}


# -- the value ------------------------------------------------------------------------------


def test_a_dialect_is_a_value() -> None:
    assert replace(BETA, echoes_metadata=True) == replace(BETA, echoes_metadata=True) != BETA
    assert len({GA, BETA, VOICE_LIVE, QWEN, XAI_GROK, HUGGING_FACE, GA}) == 6
    assert repr(BETA).startswith("Dialect(name='beta', echoes_metadata=False,")


def test_ga_costs_nothing() -> None:
    frame = wire.frame("session.updated", session={"voice": "alloy", "modalities": ["audio"]})
    assert incoming(GA, frame) is frame
    assert outgoing(GA, frame) is frame


@pytest.mark.parametrize("dialect", TRANSLATED, ids=lambda dialect: dialect.name)
def test_what_a_table_says_nothing_of_passes_through_as_it_is(dialect: Dialect) -> None:
    for frame in (
        b' {"type": "ping", "timestamp": 1e999} ',
        b'{"type":"response.output_audio.delta","delta":"AA\\/="}',
        b'{"type":"session.updated","session":7}',
        b'{"type":"response.done","response":[]}',
        b'{"type":"conversation.item.added","item":null}',
    ):
        assert incoming(dialect, frame) is frame
    for frame in (
        b' {"type": "input_audio_buffer.append", "audio": "AA\\/="} ',
        b'{"type":"session.update","session":7}',
        b'{"type":"response.create"}',
        b'{"type":"response.create","response":null}',
        b'{"type":"conversation.item.create","item":null}',
    ):
        assert outgoing(dialect, frame) is frame


@pytest.mark.parametrize("dialect", [*FLAT, XAI_GROK], ids=lambda dialect: dialect.name)
def test_what_is_ga_already_is_not_written_again(dialect: Dialect) -> None:
    user = b'{ "role": "user", "content": [{"type": "input_text"}] }'
    for frame in (
        b'{"type": "conversation.item.added", "item": ' + user + b"}",
        b'{"type": "response.done", "response": {"output": [' + user + b"]}}",
        b'{"type": "session.updated", "session": {"type": "realtime", "voice_of": "x"} }',
    ):
        assert incoming(dialect, frame) is frame
    for frame in (
        b'{"type": "conversation.item.create", "item": ' + user + b"}",
        b'{"type": "response.create", "response": {"input": [' + user + b"]}}",
        b'{"type": "session.update", "session": {"avatar": 7, "audio": {"input": {}}}}',
    ):
        assert outgoing(dialect, frame) is frame


# -- names of events --------------------------------------------------------------------------


def names(union: Any) -> list[str]:
    models = get_args(get_args(union)[0])
    return [get_args(model.model_fields["type"].annotation)[0] for model in models]


@pytest.mark.parametrize("name", names(beta.RealtimeServerEvent))
def test_every_event_of_the_beta_is_one_of_ours(name: str) -> None:
    assert read(BETA, name)["type"] in events.REALTIME.server


@pytest.mark.parametrize("name", names(beta.RealtimeServerEvent))
def test_ga_names_are_left_alone(name: str) -> None:
    for dialect in (XAI_GROK, HUGGING_FACE):
        assert read(dialect, name)["type"] == name


@pytest.mark.parametrize(
    ("theirs", "ga"),
    [
        ("response.text.delta", "response.output_text.delta"),
        ("response.text.done", "response.output_text.done"),
        ("response.audio.delta", "response.output_audio.delta"),
        ("response.audio.done", "response.output_audio.done"),
        ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
        ("response.audio_transcript.done", "response.output_audio_transcript.done"),
        ("conversation.item.created", "conversation.item.added"),
        ("transcription_session.created", "session.created"),
        ("transcription_session.updated", "session.updated"),
    ],
)
@pytest.mark.parametrize("dialect", FLAT, ids=lambda dialect: dialect.name)
def test_names_of_the_beta(dialect: Dialect, theirs: str, ga: str) -> None:
    assert read(dialect, theirs, event_id="e") == {"type": ga, "event_id": "e"}
    assert read(dialect, ga, event_id="e") == {"type": ga, "event_id": "e"}
    there = {"item": {"role": "user", "content": []}, "response": {"output": []}}
    assert read(dialect, theirs, **there) == {"type": ga, **there}


def test_what_says_that_it_is_in_progress_is_not_completed() -> None:
    kind = "conversation.item.input_audio_transcription"
    for status in ("in_progress", "completed", None, 7):
        frame = read(XAI_GROK, f"{kind}.completed", transcript="to be", status=status)
        verb = "updated" if status == "in_progress" else "completed"
        assert frame == {"type": f"{kind}.{verb}", "transcript": "to be", "status": status}
    assert read(BETA, f"{kind}.completed", status="in_progress")["type"] == f"{kind}.completed"
    assert read(XAI_GROK, "x", status="in_progress")["type"] == "x"


# -- the session ------------------------------------------------------------------------------

# Their spelling, and ours; both ways.
SESSION: list[tuple[Tree, Tree]] = [
    ({"modalities": ["audio", "text"]}, {"output_modalities": ["audio"]}),
    ({"modalities": ["text"]}, {"output_modalities": ["text"]}),
    ({"input_audio_format": "g711_ulaw"}, heard(format={"type": "audio/pcmu"})),
    ({"input_audio_format": "g711_alaw"}, heard(format={"type": "audio/pcma"})),
    ({"input_audio_format": "opus"}, heard(format={"type": "opus"})),
    ({"output_audio_format": "pcm16"}, spoken(format=PCM)),
    ({"output_audio_format": None}, spoken(format=None)),
    ({"input_audio_transcription": {"model": "w"}}, heard(transcription={"model": "w"})),
    ({"input_audio_transcription": None}, heard(transcription=None)),
    ({"input_audio_noise_reduction": {"type": "n"}}, heard(noise_reduction={"type": "n"})),
    ({"turn_detection": {"type": "server_vad"}}, heard(turn_detection={"type": "server_vad"})),
    ({"turn_detection": None}, heard(turn_detection=None)),
    ({"speed": 1.5}, spoken(speed=1.5)),
    ({"max_response_output_tokens": "inf"}, {"max_output_tokens": "inf"}),
    ({"instructions": "Be brief.", "tools": []}, {"instructions": "Be brief.", "tools": []}),
]


@pytest.mark.parametrize(("theirs", "ga"), SESSION)
@pytest.mark.parametrize("dialect", FLAT, ids=lambda dialect: dialect.name)
def test_a_flat_session(dialect: Dialect, theirs: Tree, ga: Tree) -> None:
    assert read_session(dialect, **theirs) == {**ga, "type": "realtime"}
    assert written_session(dialect, type="realtime", **ga) == theirs


@pytest.mark.parametrize(
    ("dialect", "theirs", "ga"),
    [
        (BETA, {"voice": "alloy"}, spoken(voice="alloy")),
        (BETA, {"input_audio_format": "pcm16"}, heard(format=PCM)),
        (QWEN, {"input_audio_format": "pcm16"}, heard(format={"type": "audio/pcm", "rate": 16000})),
        (QWEN, {"output_audio_format": "pcm16"}, spoken(format=PCM)),
        (VOICE_LIVE, {"voice": {"type": "openai", "name": "alloy"}}, spoken(voice="alloy")),
        (
            VOICE_LIVE,
            {"input_audio_format": "pcm16", "input_audio_sampling_rate": 16000},
            heard(format={"type": "audio/pcm", "rate": 16000}),
        ),
        (XAI_GROK, {"voice": "ara"}, spoken(voice="ara")),
        (XAI_GROK, {"modalities": ["audio"]}, {"output_modalities": ["audio"]}),
        (XAI_GROK, {"turn_detection": {"type": None}}, heard(turn_detection=None)),
        (
            XAI_GROK,
            {"turn_detection": {"type": "server_vad"}},
            heard(turn_detection={"type": "server_vad"}),
        ),
        (XAI_GROK, heard(format=PCM), heard(format=PCM)),
        (XAI_GROK, {"max_response_output_tokens": 7}, {"max_output_tokens": 7}),
        (
            XAI_GROK,
            {"voice": "ara", **heard(format=PCM), "turn_detection": {"type": None}},
            {
                "audio": {
                    "input": {"format": PCM, "turn_detection": None},
                    "output": {"voice": "ara"},
                }
            },
        ),
    ],
)
def test_a_session_of_its_own_shape(dialect: Dialect, theirs: Tree, ga: Tree) -> None:
    assert read_session(dialect, **theirs) == {**ga, "type": "realtime"}
    assert written_session(dialect, type="realtime", **ga) == theirs


@pytest.mark.parametrize("dialect", [*FLAT, XAI_GROK], ids=lambda dialect: dialect.name)
def test_audio_has_its_text_anyway(dialect: Dialect) -> None:
    for names_ in (["audio"], ["text", "audio"], ["audio", "text"]):
        assert read_session(dialect, modalities=names_)["output_modalities"] == ["audio"]


def test_a_rate_beside_the_format() -> None:
    session = read_session(VOICE_LIVE, input_audio_format="pcm16")
    assert session["audio"]["input"]["format"] == PCM
    session = read_session(VOICE_LIVE, input_audio_format="pcm16", input_audio_sampling_rate=None)
    assert session["audio"]["input"]["format"] == PCM
    session = read_session(
        VOICE_LIVE, input_audio_format="g711_ulaw", input_audio_sampling_rate=24000
    )
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    session = read_session(VOICE_LIVE, input_audio_sampling_rate=16000)
    assert "audio" not in session
    assert "input_audio_sampling_rate" not in written_session(VOICE_LIVE, **spoken(format=PCM))


def test_a_rate_that_cannot_be_said_is_shown_by_the_answer() -> None:
    sent = written_session(BETA, **heard(format={"type": "audio/pcm", "rate": 16000}))
    assert sent == {"input_audio_format": "pcm16"}
    assert read_session(BETA, **sent)["audio"]["input"]["format"]["rate"] == 24000


def test_voices_of_azure() -> None:
    assert written_session(VOICE_LIVE, **spoken(voice={"id": "en-US-Ava"})) == {
        "voice": {"type": "azure-standard", "name": "en-US-Ava"}
    }
    shown = {"type": "azure-custom", "name": "en-US-Ava", "endpoint_id": "7"}
    voice = read_session(VOICE_LIVE, voice=shown)["audio"]["output"]["voice"]
    assert voice == {"id": "en-US-Ava", **shown}
    assert written_session(VOICE_LIVE, **spoken(voice=voice)) == {"voice": voice}
    for odd in (None, 7, {"type": "openai"}, "alloy"):
        assert read_session(VOICE_LIVE, voice=odd)["audio"]["output"]["voice"] == odd


def test_a_tool_as_xai_shows_it() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    flat = {"type": "function", "name": "f", "description": "d", "parameters": schema}
    nested = {"type": "function", "function": {k: v for k, v in flat.items() if k != "type"}}
    others: list[Any] = [{"type": "web_search"}, {"type": "function", "function": 7}, 7]
    session = read_session(XAI_GROK, tools=[nested, flat, *others])
    assert session["tools"] == [flat, flat, *others]
    assert read_session(XAI_GROK, tools=None)["tools"] is None
    assert written_session(XAI_GROK, tools=[flat]) == {"tools": [flat]}


@pytest.mark.parametrize("dialect", [*FLAT, XAI_GROK], ids=lambda dialect: dialect.name)
def test_what_stands_in_gas_place_counts(dialect: Dialect) -> None:
    both = {"voice": "old", **spoken(voice="new", speed=1.0)}
    assert read_session(dialect, **both) == {**both, "type": "realtime"}
    empty: list[Any] = [None, {}]
    for nothing in empty:
        session = read_session(dialect, voice="new", audio={"output": {"voice": nothing}})
        assert session == {**spoken(voice="new"), "type": "realtime"}
        session = read_session(dialect, voice="new", audio=nothing)
        assert session == {**spoken(voice="new"), "type": "realtime"}


@pytest.mark.parametrize("dialect", [*FLAT, XAI_GROK], ids=lambda dialect: dialect.name)
def test_a_field_of_their_own_stays_where_it_is(dialect: Dialect) -> None:
    own = {"avatar": {"character": "lisa"}, "temperature": 0.8}
    assert read_session(dialect, **own) == {**own, "type": "realtime"}
    assert written_session(dialect, **own) == own


def test_the_kind_of_a_session_is_in_the_name_of_its_events() -> None:
    flat = {"input_audio_format": "pcm16", "input_audio_transcription": {"model": "w"}}
    nested = heard(format=PCM, transcription={"model": "w"})
    for verb in ("created", "updated"):
        event = decode(
            incoming(BETA, wire.frame(f"transcription_session.{verb}", session={**flat, "id": "s"}))
        )
        assert isinstance(event, (events.SessionCreated, events.SessionUpdated))
        assert isinstance(event.session, events.TranscriptionSessionConfig)
        assert event.session.id == "s"
    sent = written(
        BETA, "session.update", event_id="e", session={"type": "transcription", **nested}
    )
    assert sent == {"type": "transcription_session.update", "event_id": "e", "session": flat}
    assert written(BETA, "session.update", session=nested)["type"] == "session.update"
    assert read(BETA, "session.created", session={"type": "robot"})["session"]["type"] == "robot"


def test_what_a_session_has_where_it_does_not_say() -> None:
    default = {"type": "audio/pcm", "rate": 16000}
    for shown in ({}, {"audio": None}, spoken(format=None), spoken(voice="x")):
        session = read_session(HUGGING_FACE, type="realtime", **shown)
        assert session["audio"]["output"]["format"] == default
    session = read_session(HUGGING_FACE, type="realtime", **spoken(format=PCM))
    assert session == {"type": "realtime", **spoken(format=PCM)}
    update = {"type": "realtime", **spoken(voice="x")}
    assert written_session(HUGGING_FACE, **update) == update


# -- what the beta knows --------------------------------------------------------------------------


def beyond(model: Any) -> set[str]:
    """What the beta has and GA has not, or has by the same name."""
    own = {"instructions", "tools", "tool_choice", "tracing", "model", "temperature", "include",
           "client_secret", "conversation", "input", "metadata"}  # fmt: skip
    return set(model.model_fields) - own


def test_every_field_of_the_beta_has_its_place() -> None:
    assert BETA.wire is not None
    there = {field.theirs[0] for field in BETA.wire.session}
    assert there == beyond(session_update_event.Session)
    assert beyond(transcription_session_update.Session) <= there
    there = {field.theirs[0] for field in BETA.wire.request}
    assert there == beyond(response_create_event.Response)
    shown = {field.theirs[0] for field in BETA.wire.response}
    assert shown == {"modalities", "voice", "output_audio_format"}
    assert shown <= set(beta.RealtimeResponse.model_fields)
    assert "max_output_tokens" in beta.RealtimeResponse.model_fields


# -- responses and items ------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["response.created", "response.done"])
def test_a_response_that_is_shown(type_: str) -> None:
    shown = {"id": "r", "modalities": ["text", "audio"], "voice": "alloy",
             "output_audio_format": "g711_ulaw", "max_output_tokens": 7}  # fmt: skip
    ga = {"id": "r", "max_output_tokens": 7, "output_modalities": ["audio"],
          **spoken(voice="alloy", format={"type": "audio/pcmu"})}  # fmt: skip
    assert read(BETA, type_, response=shown)["response"] == ga
    shown["voice"] = {"type": "openai", "name": "alloy"}
    assert read(VOICE_LIVE, type_, response=shown)["response"] == ga


def test_a_response_that_is_asked_for() -> None:
    asked = {"output_modalities": ["audio"], "max_output_tokens": 7, "metadata": {"k": "v"},
             **spoken(voice="alloy", format=PCM)}  # fmt: skip
    same = {"metadata": {"k": "v"}}
    assert written(BETA, "response.create", event_id="e", response=asked) == {
        "type": "response.create", "event_id": "e",
        "response": {"modalities": ["audio", "text"], "max_response_output_tokens": 7,
                     "voice": "alloy", "output_audio_format": "pcm16", **same},
    }  # fmt: skip
    assert written(VOICE_LIVE, "response.create", response=asked)["response"] == {
        "modalities": ["audio", "text"], "max_output_tokens": 7,
        "voice": {"type": "openai", "name": "alloy"}, "output_audio_format": "pcm16", **same,
    }  # fmt: skip
    assert written(XAI_GROK, "response.create", response=asked)["response"] == {
        **{name: value for name, value in asked.items() if name != "output_modalities"},
        "modalities": ["audio"],
    }


def message(role: str, *kinds: str) -> Tree:
    return {"type": "message", "role": role, "content": [{"type": kind} for kind in kinds]}


def test_content_of_the_assistant_that_comes() -> None:
    theirs, ga = message("assistant", "text", "audio"), message("assistant", "output_text",
                                                                "output_audio")  # fmt: skip
    user = message("user", "text", "audio", "input_text")
    for dialect in (*FLAT, XAI_GROK):
        for item, expected in ((theirs, ga), (ga, ga), (user, user), ({"role": "assistant"},) * 2):
            for type_ in ("conversation.item.added", "response.output_item.done"):
                assert read(dialect, type_, item=item)["item"] == expected
            for type_ in ("response.created", "response.done"):
                shown = read(dialect, type_, response={"output": [7, item]})["response"]
                assert shown == {"output": [7, expected]}


def test_content_of_the_assistant_that_goes_out() -> None:
    ga, theirs = message("assistant", "output_text", "output_audio"), message("assistant", "text",
                                                                              "audio")  # fmt: skip
    user, reference = message("user", "input_text"), {"type": "item_reference", "id": "i"}
    for dialect in FLAT:
        sent = written(dialect, "conversation.item.create", previous_item_id="p", item=ga)
        assert sent == {"type": "conversation.item.create", "previous_item_id": "p", "item": theirs}
        sent = written(dialect, "response.create", response={"input": [user, ga, reference, ga]})
        assert sent["response"]["input"] == [user, theirs, reference, theirs]
    assert written(XAI_GROK, "conversation.item.create", item=ga)["item"] == ga


def test_usage_beside_the_response_is_put_into_it() -> None:
    usage, other = {"total_tokens": 47}, {"total_tokens": 1}
    empty: list[Tree] = [{"usage": {}}, {"usage": None}, {}]
    for inside in empty:
        frame = read(XAI_GROK, "response.done", response=inside, usage=usage)
        assert frame == {"type": "response.done", "response": {"usage": usage}}
    frame = {"type": "response.done", "response": {"usage": other}, "usage": usage}
    assert read(XAI_GROK, **{"type_": "response.done", **frame_fields(frame)}) == frame
    done = decode(incoming(XAI_GROK, wire.frame("response.done", response={}, usage=usage)))
    assert isinstance(done, events.ResponseDone)
    assert done.response.usage == events.Usage(total_tokens=47)


def frame_fields(frame: Tree) -> Tree:
    return {name: value for name, value in frame.items() if name != "type"}


def test_a_dialect_of_your_own() -> None:
    shout = Spelling(
        read=lambda value: msgspec.json.decode(value).lower(),
        write=lambda value: msgspec.json.decode(value).upper(),
    )
    loud = Dialect(
        "loud",
        wire=Wire(
            events={"HELLO": "session.created"},
            session=(Field(("I",), ("instructions",), shout), Field(("a", "b"), ("model",))),
        ),
    )
    theirs = {"I": "BE BRIEF", "a": {"b": "m"}}
    frame = read(loud, "HELLO", session=theirs)
    ga = {"instructions": "be brief", "model": "m"}
    assert frame == {"type": "session.created", "session": ga}
    assert written_session(loud, **ga) == theirs
    assert read(loud, "HELLO", session={"id": "s"}) == {
        "type": "session.created",
        "session": {"id": "s"},
    }
    kept = {"a": {"c": 1}, "instructions": "x"}
    assert read_session(loud, **kept) == kept


# -- any frame ---------------------------------------------------------------------------------

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
TYPES = st.sampled_from(
    ["response.audio.delta", "response.text.done", "conversation.item.created", "session.created",
     "session.updated", "transcription_session.updated", "response.created", "response.done",
     "response.output_item.done", "ping", "error", "session.update", "response.create",
     "conversation.item.create", "input_audio_buffer.append"],
)  # fmt: skip
FIELD = st.sampled_from(
    ["voice", "modalities", "turn_detection", "input_audio_format", "input_audio_sampling_rate",
     "output_audio_format", "audio", "tools", "type", "usage", "output", "input", "content", "role",
     "output_modalities", "max_response_output_tokens", "format", "speed"],
)  # fmt: skip
VALUE = (
    st.sampled_from(["pcm16", "assistant", "text", "audio", {"type": None}, ["audio"], {}]) | JSON
)
SHAPED = st.recursive(
    st.dictionaries(FIELD, VALUE, max_size=5),
    lambda inner: st.dictionaries(FIELD, inner | st.lists(inner, max_size=2), max_size=4),
    max_leaves=4,
)
FRAMES = st.builds(
    lambda type_, parts, extra: {**extra, **parts, "type": type_},
    TYPES | st.text(max_size=5),
    st.dictionaries(st.sampled_from(["session", "response", "item", "usage"]), SHAPED | JSON),
    st.dictionaries(st.text(max_size=5), JSON, max_size=2),
)  # fmt: skip
SOME = st.sampled_from(TRANSLATED)


def encoded(frame: object, *, compact: bool) -> bytes:
    separators = (",", ":") if compact else (" , ", " : ")
    return json.dumps(frame, separators=separators).encode()


@given(SOME, st.binary(max_size=200))
def test_garbage_passes_through(dialect: Dialect, data: bytes) -> None:
    assert incoming(dialect, data) is data
    assert outgoing(dialect, data) is data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"7",
        b"[]",
        b"{}",
        b'{"type":7}',
        b'{"type":["response.audio.delta"]}',
        b'{"type":"response.audio.delta"',
        b'{"type":"response.audio.delta","\xff":1}',
        b'{"type":"session.created","session":{"\xff":1}}',
        b'{"type":"session.created","session":{"voice":"\xff"}}',
        b'{"type":"response.audio.delta","x":' + b"[" * 100_000 + b"}",
    ],
)
def test_what_cannot_be_read_is_left_to_the_codec(data: bytes) -> None:
    assert incoming(VOICE_LIVE, data) is data
    for dialect in TRANSLATED:
        assert isinstance(decode(incoming(dialect, data)), events.InvalidEvent)


@pytest.mark.parametrize("odd", [[], {}, {"name": ["text"]}, 7, None])
def test_a_name_may_be_anything(odd: Any) -> None:
    for dialect in TRANSLATED:
        for field in ("role", "content"):
            item = {**message("assistant", "text"), field: odd}
            assert read(dialect, "conversation.item.added", item=item)["item"] == item
            part = {**message("assistant"), "content": [{"type": odd}, odd]}
            assert read(dialect, "conversation.item.added", item=part)["item"] == part
        sent = written_session(dialect, **spoken(format={"type": odd}))
        assert sent in ({"output_audio_format": {"type": odd}}, spoken(format={"type": odd}))
        written(dialect, "session.update", session={"type": odd, **heard(format=odd)})
        read_session(dialect, input_audio_format=odd, tools=odd, modalities=odd, voice=odd)


@given(SOME, FRAMES, st.booleans())
def test_no_frame_is_too_strange(dialect: Dialect, frame: Tree, compact: bool) -> None:
    data = encoded(frame, compact=compact)
    there, back = incoming(dialect, data), outgoing(dialect, data)
    for result in (there, back):
        assert result is data or isinstance(wire.read(result), dict)
    decode(there)
    assert wire.read(incoming(dialect, there)) == wire.read(there)  # it is GA's by now


@given(SOME, FRAMES, st.booleans())
def test_a_frame_means_the_same_however_it_is_written(
    dialect: Dialect, frame: Tree, compact: bool
) -> None:
    one = incoming(dialect, encoded(frame, compact=True))
    other = incoming(dialect, encoded(frame, compact=False))
    assert wire.read(one) == wire.read(other)


# -- audio -------------------------------------------------------------------------------------

DELTAS = st.builds(
    lambda payload, extra: {**extra, "type": "response.audio.delta", "delta": payload},
    st.text(alphabet="AQZaz09+/=", max_size=64) | st.text(max_size=16),
    st.dictionaries(st.text(max_size=8), JSON, max_size=4),
)


@given(DELTAS, st.booleans())
def test_an_audio_delta_is_the_same_frame_by_another_name(frame: Tree, compact: bool) -> None:
    """As if all of it had been read, renamed, and written again."""
    data = encoded(frame, compact=compact)
    assert wire.read(incoming(BETA, data)) == {**frame, "type": "response.output_audio.delta"}
    event = decode(incoming(BETA, data))
    expected = decode(encoded({**frame, "type": "response.output_audio.delta"}, compact=True))
    assert event == expected or isinstance(expected, events.InvalidEvent)
    assert type(event) is type(expected)


def test_the_payload_of_an_audio_delta_is_not_read() -> None:
    payload = b"AA\\/\\u002b" * 10_000  # reading it would write it otherwise
    frame = b'{"type":"response.audio.delta","delta":"' + payload + b'"}'
    assert payload in incoming(BETA, frame)
    assert incoming(XAI_GROK, frame) is frame


def test_what_only_moves_is_not_read() -> None:
    schema = b'{"parameters": {"maximum": 1e999, "pattern": "\\/"}}'
    frame = b'{"type":"session.updated","session":{"voice":"a","turn_detection":' + schema + b"}}"
    assert b'"input":{"turn_detection":' + schema + b"}" in incoming(BETA, frame)
