"""Frames become events and events become frames: all of them, and exactly."""

import json
from typing import Any

import pytest

from realtime_client.codec import client_event_from_dict, decode, decode_client, encode
from realtime_client.errors import InvalidClientEvent
from realtime_client.events import (
    REALTIME,
    TRANSLATION,
    UNSET,
    AudioConfig,
    AudioOutput,
    ConversationItemAdded,
    ConversationItemCreate,
    FunctionTool,
    InputAudioBufferAppend,
    ResponseCreate,
    ResponseCreateParams,
    SessionConfig,
    SessionUpdate,
    SessionUpdated,
    Surface,
    UnknownEvent,
    UnknownVariant,
    user_message,
)
from tests.shapes import (
    CLIENT_SAMPLES,
    CLIENT_SIDES,
    SERVER_SAMPLES,
    SERVER_SIDES,
    SHARED,
    kind,
    label,
    samples,
    variants,
)

# --- every event ------------------------------------------------------------------------


@pytest.mark.parametrize(("surface", "frame"), SERVER_SAMPLES, ids=label)
def test_server_samples_decode_to_their_own_type(surface: Surface, frame: bytes) -> None:
    event = decode(frame, surface)
    assert type(event) is surface.server[kind(frame)]
    assert decode(frame.decode(), surface) == event
    assert decode(encode(event), surface) == event


@pytest.mark.parametrize(("surface", "frame"), CLIENT_SAMPLES, ids=label)
def test_client_samples_decode_and_encode_to_the_same_value(surface: Surface, frame: bytes) -> None:
    event = decode_client(frame, surface)
    assert type(event) is surface.client[kind(frame)]
    assert json.loads(encode(event)) == json.loads(frame)
    assert client_event_from_dict(json.loads(frame), surface) == event


def test_there_is_a_sample_of_every_event() -> None:
    for surface, name in SERVER_SIDES:
        assert {kind(line) for line in samples(name)} == set(surface.server)
    for surface, name in CLIENT_SIDES:
        assert {kind(line) for line in samples(name)} == set(surface.client)


def test_server_samples_lose_nothing() -> None:
    for surface, frame in SERVER_SAMPLES:
        sent = json.loads(frame)
        sent["type"] = sent["type"].strip()
        assert json.loads(encode(decode(frame, surface))) == sent


SURFACES = (REALTIME, TRANSLATION)
SERVER_EVENTS = [
    (surface, event)
    for surface in SURFACES
    for cls in surface.server.values()
    for event in variants(cls)
]
CLIENT_EVENTS = [
    (surface, event)
    for surface in SURFACES
    for cls in surface.client.values()
    for event in variants(cls)
]


def test_every_shape_of_every_event_survives_the_wire() -> None:
    for surface, event in SERVER_EVENTS:
        assert decode(encode(event), surface) == event
    for surface, event in CLIENT_EVENTS:
        assert decode_client(encode(event), surface) == event


# --- the specification's examples and real recordings -----------------------------------


def lines(path: str) -> list[dict[str, Any]]:
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"{file.name} is not here; the committed samples cover every event type")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_examples_of_the_specification() -> None:
    seen = set()
    for line in lines("protocol/examples.jsonl"):
        schema, example_event = line["schema"], line["example"]
        translation = schema.startswith("RealtimeTranslation")
        is_event = schema.startswith(("RealtimeClientEvent", "RealtimeServerEvent"))
        is_event |= translation and ("ClientEvent" in schema or "ServerEvent" in schema)
        if not is_event or example_event["type"].startswith("transcription_session."):
            continue
        surface = TRANSLATION if translation else REALTIME
        frame = json.dumps(example_event).encode()
        if "ClientEvent" in schema:
            event: object = decode_client(frame, surface)
            assert type(event) is surface.client[kind(frame)]
            assert json.loads(encode(decode_client(frame, surface))) == example_event
        else:
            event = decode(frame, surface)
            assert type(event) is surface.server[kind(frame)]
        seen.add(type(event))
    assert len(seen) >= 60


NOT_GA = {
    "ping", "response.audio.delta", "response.audio.done", "response.audio_transcript.delta",
    "response.audio_transcript.done", "response.text.delta", "response.text.done",
}  # fmt: skip


def recordings() -> list[dict[str, Any]]:
    names = sorted(path.name for path in (SHARED / "recordings").glob("*.jsonl"))
    if not names:
        pytest.skip("no recordings here; the committed samples cover every event type")
    return [line for name in names for line in lines(f"recordings/{name}")]


def test_received_recordings() -> None:
    frames = [line["frame"] for line in recordings() if line["direction"] == "received"]
    assert len(frames) > 200
    for frame in frames:
        event = decode(json.dumps(frame), REALTIME)
        if frame["type"] in NOT_GA:
            assert isinstance(event, UnknownEvent)
            assert event.payload == frame
        else:
            assert type(event) is REALTIME.server[frame["type"]]


def test_sent_recordings() -> None:
    frames = [line["frame"] for line in recordings() if line["direction"] == "sent"]
    exact = 0
    for frame in frames:
        event = decode_client(json.dumps(frame), REALTIME)
        assert type(event) is REALTIME.client[frame["type"]]
        session = frame.get("session")
        if session is None or ("type" in session and "modalities" not in session):
            exact += 1
            assert json.loads(encode(event)) == frame
    assert exact > 20


# --- exactly what was given -------------------------------------------------------------


def test_null_and_absence_are_two_things() -> None:
    given_session = {"type": "realtime", "audio": {"input": {"turn_detection": None}}, "tools": []}
    event = client_event_from_dict({"type": "session.update", "session": given_session})
    assert isinstance(event, SessionUpdate)
    assert isinstance(event.session, SessionConfig)
    assert event.session.instructions is UNSET
    assert json.loads(encode(event)) == {"type": "session.update", "session": given_session}


def test_what_is_unknown_goes_out_as_it_came() -> None:
    tool = {"type": "telepathy", "range": [1, 2.5], "nested": {"type": "function"}}
    frame = {"type": "session.updated", "session": {"type": "realtime", "tools": [tool]}}
    event = decode(json.dumps(frame))
    assert isinstance(event, SessionUpdated)
    assert isinstance(event.session, SessionConfig)
    assert event.session.tools == (UnknownVariant(raw=tool),)
    assert json.loads(encode(event)) == frame
    assert json.loads(encode(UnknownVariant(raw=tool))) == tool


def test_our_own_name_for_the_unknown_means_nothing_on_the_wire() -> None:
    item = {"type": "realtime_client.unknown", "raw": {"type": "message"}}
    frame = {"type": "conversation.item.added", "item": item}
    event = decode(json.dumps(frame))
    assert event == ConversationItemAdded(item=UnknownVariant(raw=item))
    assert json.loads(encode(event)) == frame
    sent = decode_client(json.dumps({**frame, "type": "conversation.item.create"}))
    assert sent == ConversationItemCreate(item=UnknownVariant(raw=item))


def test_a_text_that_names_the_unknown_is_a_text() -> None:
    text = '{"type":"realtime_client.unknown","raw":{}}'
    event = ConversationItemAdded(item=user_message(text))
    assert decode(encode(event)) == event
    tool = FunctionTool(name="f", parameters=json.loads(text))
    update = SessionUpdate(session=SessionConfig(tools=(tool, UnknownVariant(raw={"type": "x"}))))
    assert json.loads(encode(update))["session"]["tools"] == [
        {"type": "function", "name": "f", "parameters": json.loads(text)},
        {"type": "x"},
    ]


def test_an_unknown_event_keeps_its_bytes() -> None:
    frame = b'{ "type" : "ping", "timestamp": 1.50 }'
    event = decode(frame)
    assert event == UnknownEvent(type="ping", payload={"type": "ping", "timestamp": 1.5}, raw=frame)
    assert encode(event) == frame


def test_a_dict_goes_out_as_it_is() -> None:
    given_dict: dict[str, Any] = {
        "type": "x.y",
        "null": None,
        "list": [],
        "session": SessionConfig(model="m"),
    }
    assert json.loads(encode(given_dict)) == {
        "type": "x.y", "null": None, "list": [], "session": {"type": "realtime", "model": "m"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "given_event",
    [
        ResponseCreate(response=ResponseCreateParams(metadata={"k": object()})),  # type: ignore[dict-item]  # the point
        {"type": "response.create", "x": {1, 2, object()}},
        ConversationItemCreate(item=user_message("\ud800")),
        InputAudioBufferAppend(audio=b"x", event_id="\ud800"),
    ],
)
def test_what_json_cannot_say_is_refused(given_event: Any) -> None:
    with pytest.raises(InvalidClientEvent, match=r"(response\.create|item\.create|append) cannot"):
        encode(given_event)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_not_null(number: float) -> None:
    update = SessionUpdate(
        session=SessionConfig(audio=AudioConfig(output=AudioOutput(speed=number)), prompt=None)
    )
    for bad in (update, {"type": "x", "list": [1.0, {"number": number}]}):
        with pytest.raises(InvalidClientEvent, match="NaN and infinity"):
            encode(bad)
    with pytest.raises(InvalidClientEvent, match="NaN and infinity"):
        client_event_from_dict({"type": "session.update", "session": {"speed": number}})


def test_a_circle_is_refused() -> None:
    circle: dict[str, Any] = {"type": "x"}
    circle["self"] = circle
    with pytest.raises(InvalidClientEvent, match="recursion"):
        encode(circle)
    with pytest.raises(InvalidClientEvent, match="recursion"):
        client_event_from_dict(circle)


# --- what a person wrote ----------------------------------------------------------------


def test_a_dict_becomes_an_event() -> None:
    made = client_event_from_dict({"type": "response.create", "response": {"input": []}})
    assert made == ResponseCreate(response=ResponseCreateParams(input=()))
    held = client_event_from_dict({"type": "conversation.item.create", "item": user_message("hi")})
    assert held == ConversationItemCreate(item=user_message("hi"))


def test_a_dict_of_an_unknown_type_is_an_unknown_event() -> None:
    given_dict = {"type": "telepathy.start", "range": 3}
    event = client_event_from_dict(given_dict)
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.payload) == ("telepathy.start", given_dict)
    assert json.loads(encode(event)) == given_dict


@pytest.mark.parametrize("audio", [b"\x01\x02\x03", "AQID"])
def test_audio_in_a_dict(audio: bytes | str) -> None:
    event = client_event_from_dict({"type": "input_audio_buffer.append", "audio": audio})
    assert event == InputAudioBufferAppend(audio=b"\x01\x02\x03")


def test_a_session_without_type_is_a_conversation() -> None:
    update = client_event_from_dict({"type": "session.update", "session": {"instructions": "x"}})
    assert update == SessionUpdate(session=SessionConfig(instructions="x"))
    untyped = {"type": "session.update", "session": {"audio": {"output": {"language": "es"}}}}
    translation = client_event_from_dict(untyped, TRANSLATION)
    assert json.loads(encode(translation)) == untyped


@pytest.mark.parametrize(
    ("given_dict", "message"),
    [
        ({}, r"needs a `type`, such as \{'type': 'response.create'\}"),
        ({"type": 7}, "needs a `type`"),
        ({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0},
         "conversation.item.truncate does not fit: Object missing required field `audio_end_ms`"),
        ({"type": "response.create", "response": {"input": [{"type": "message", "role": 1}]}},
         r"response.create does not fit: response.input\[0\].role: Expected `str`, got `int`; "
         "correct the field or leave it out"),
        ({"type": "session.update", "session": {"audio": {"output": {"speed": "fast"}}}},
         "session.audio.output.speed: Expected `float"),
    ],
)  # fmt: skip
def test_a_dict_that_does_not_fit_says_where(given_dict: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidClientEvent, match=message):
        client_event_from_dict(given_dict)


def test_a_dict_is_not_changed() -> None:
    given_dict: dict[str, Any] = {
        "type": "session.update",
        "session": {"tools": [{"type": "x"}], "speed": 1.0},
    }
    before = json.dumps(given_dict)
    client_event_from_dict(given_dict)
    assert json.dumps(given_dict) == before
