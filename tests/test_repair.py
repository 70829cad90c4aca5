"""What does not fit at once: newer words, and the habits of real servers."""

import json
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec
import pytest

from realtime_client._repair import PLACES
from realtime_client.codec import decode, decode_client, encode
from realtime_client.events import (
    REALTIME,
    TRANSLATION,
    ConversationItemAdded,
    ErrorDetails,
    ErrorEvent,
    InputAudioBufferSpeechStarted,
    InvalidEvent,
    MessageItem,
    ServerVad,
    SessionConfig,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
    Tagged,
    UnknownEvent,
    UnknownVariant,
)
from tests.shapes import (
    members,
    structs,
    variants,
)

STRUCTS = structs()
EVENTS = [*REALTIME.server.values(), *REALTIME.client.values()]
EVENTS += [*TRANSLATION.server.values(), *TRANSLATION.client.values()]


def test_a_missing_session_type_is_a_conversation() -> None:
    event = decode(
        b'{"type":"session.created","session":{"id":"s","turn_detection":{"type":null}}}'
    )
    assert event == SessionCreated(session=SessionConfig(id="s"))


def test_message_without_content_and_error_as_a_string() -> None:
    added = decode(b'{"type":"conversation.item.added","item":{"type":"message","role":"user"}}')
    assert added == ConversationItemAdded(item=MessageItem(role="user"))
    assert decode(b'{"type":"error","error":"overloaded"}') == ErrorEvent(error="overloaded")


def test_a_number_is_whole_however_it_is_written() -> None:
    frame = b'{"type":"input_audio_buffer.speech_started","audio_start_ms":1180.0,"item_id":"i"}'
    assert decode(frame) == InputAudioBufferSpeechStarted(audio_start_ms=1180, item_id="i")
    assert isinstance(decode(frame.replace(b"1180.0", b"1180.5")), InvalidEvent)


def test_an_error_is_never_lost_for_its_code() -> None:
    frame = b'{"type":"error","error":{"code":429,"message":"slow down","param":null}}'
    assert decode(frame) == ErrorEvent(
        error=ErrorDetails(code="429", message="slow down", param=None)
    )
    assert decode(b'{"type":"error","error":["a",1]}') == ErrorEvent(error='["a",1]')


def test_a_strange_part_does_not_cost_the_event() -> None:
    vad = {"type": "server_vad", "threshold": "loud"}
    session = {"type": "realtime", "id": "s", "audio": {"input": {"turn_detection": vad}}}
    event = decode(json.dumps({"type": "session.created", "session": session}))
    assert isinstance(event, SessionCreated)
    assert isinstance(event.session, SessionConfig)
    assert event.session.id == "s"
    assert event.session.audio
    assert event.session.audio.input
    assert event.session.audio.input.turn_detection == UnknownVariant(raw=vad)


@pytest.mark.parametrize("value", [None, 7, "x", {}, {"type": "x"}, [None, 7, "x", []]])
@pytest.mark.parametrize(
    ("cls", "path"), [(cls, path) for cls, places in PLACES.items() for path in places]
)
def test_anything_may_stand_on_the_way_to_a_place(
    cls: type[Tagged], path: tuple[str, ...], value: Any
) -> None:
    for depth in range(len(path)):
        wire: Any = value
        for step in reversed(path[: depth + 1]):
            wire = [wire] if step == "[]" else {step: wire}
        # Something unknown beside it, so that the frame has to be mended.
        session = wire.get("session", {})
        if isinstance(session, dict):
            wire["session"] = {"type": "realtime", **session, "truncation": {"type": "x"}}
        frame = json.dumps({"type": variants(cls)[0].type, "item": {"type": "x"}, **wire})
        for read in (decode, decode_client):
            assert isinstance(read(frame), (InvalidEvent, UnknownEvent, Tagged))


def test_what_is_kept_whole_is_kept_as_it_came() -> None:
    vad = {"type": "mind_reading", "threshold": 1.0}
    audio = {"input": {"turn_detection": vad}, "output": {"format": 7}}
    session = {"type": "realtime", "tools": [{"type": "telepathy"}], "audio": audio}
    event = decode(json.dumps({"type": "session.created", "session": session}))
    assert event == SessionCreated(session=UnknownVariant(raw=session))


def test_a_client_is_read_to_the_letter() -> None:
    vad = {"type": "server_vad", "threshold": "loud"}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": vad}}}
    assert isinstance(
        decode_client(json.dumps({"type": "session.update", "session": session})), InvalidEvent
    )
    untyped = decode_client(b'{"type":"session.update","session":{"voice":"ash"}}')
    assert untyped == SessionUpdate(session=UnknownVariant(raw={"voice": "ash"}))
    truncate = {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0}
    frame = json.dumps({**truncate, "audio_end_ms": 5.0})
    assert isinstance(decode_client(frame), InvalidEvent)
    assert isinstance(decode_client(b'{"type":" response.create"}'), UnknownEvent)


def test_a_known_shape_is_read_where_it_may_stand() -> None:
    session = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    event = decode(json.dumps({"type": "session.updated", "session": session}))
    assert isinstance(event, SessionUpdated)
    assert isinstance(event.session, SessionConfig)
    assert event.session.audio
    assert event.session.audio.input
    assert event.session.audio.input.turn_detection == ServerVad()


def polymorphic(annotation: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths below a type at which a value may be an `UnknownVariant`."""
    found = members(annotation)
    if UnknownVariant in found:
        yield path
    for member in found:
        if get_origin(member) is tuple:
            yield from polymorphic(get_args(member)[0], (*path, "[]"))
        if member in STRUCTS and member is not UnknownVariant:
            for field in msgspec.structs.fields(member):
                yield from polymorphic(field.type, (*path, field.name))


@pytest.mark.parametrize("cls", EVENTS, ids=lambda cls: cls.__name__)
def test_every_polymorphic_place_is_known(cls: type[Tagged]) -> None:
    assert set(PLACES.get(cls, {})) == set(polymorphic(cls))


@pytest.mark.parametrize(
    ("cls", "path"), [(cls, path) for cls, places in PLACES.items() for path in places]
)
@pytest.mark.parametrize("tag", ["sticker", "", 7, None, ["message"], {"type": "message"}])
def test_an_unknown_variant_is_kept_in_every_place(
    cls: type[Tagged], path: tuple[str, ...], tag: object
) -> None:
    raw = {"type": tag, "weight": 1.0, "type_of": {"type": "message"}}
    value: Any = raw
    for step in reversed(path):
        value = [value] if step == "[]" else {step: value}
    if path[0] == "session" and len(path) > 1:
        value["session"]["type"] = "realtime"
    wire_type = variants(cls)[0].type
    frame = {"type": wire_type, **value}
    read = decode_client if wire_type in REALTIME.client else decode
    event = read(json.dumps(frame))
    assert type(event) is cls
    assert json.loads(encode(event)) == frame
    found: Any = event
    for step in path:
        found = found[0] if step == "[]" else getattr(found, step)
    assert found == UnknownVariant(raw=raw)
