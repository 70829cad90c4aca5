"""Between frames and events: `decode` and `encode`, and why they are both fast and exact.

`decode` never raises. A frame becomes the event that its `type` names on this surface, an
`UnknownEvent` where no such event is known, or an `InvalidEvent` that says what is wrong.
`encode` writes exactly what it was given: no default is added, null stays null, and what was
received as unknown goes out as it came.

Nearly all bytes of a session are audio, so two shapes of frame have a short cut each. Both
give what the general way gives, byte for byte; the argument stands beside the code.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec
from msgspec.structs import force_setattr, replace
from pybase64 import b64decode, b64encode

from realtime_client._grammar import AUDIO_FIELD, Cut, Grammar, client_grammar, server_grammar
from realtime_client._repair import PLACES, UNKNOWN, UNREADABLE, fit, mend_for_client, repair
from realtime_client.errors import InvalidClientEvent
from realtime_client.events.base import UNSET, InvalidEvent, Tagged, UnknownEvent, UnknownVariant
from realtime_client.events.client import ClientEvent, InputAudioBufferAppend
from realtime_client.events.server import ServerEvent
from realtime_client.events.surfaces import REALTIME, Surface
from realtime_client.events.translation import SessionInputAudioBufferAppend

__all__ = ["client_event_from_dict", "decode", "decode_client", "encode"]

_WORTH_CUTTING = 512  # bytes; what is shorter is mostly text, which must not pay for a try
_UNKNOWN_ON_WIRE = b'"%b"' % UNKNOWN.encode()
_BACKSLASH = ord("\\")
_encode = msgspec.json.Encoder().encode


def decode(
    data: bytes | str, surface: Surface = REALTIME
) -> ServerEvent | UnknownEvent | InvalidEvent:
    """Read one frame from a server. Never raises, whatever it holds.

    On the surface `TRANSLATION` the event is a `TranslationServerEvent`.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    grammar = server_grammar(surface)
    if len(data) >= _WORTH_CUTTING and grammar.cut is not None:
        audio_delta: ServerEvent | None = _decode_cut(data, grammar.cut)
        if audio_delta is not None:
            return audio_delta
    event: ServerEvent | UnknownEvent | InvalidEvent = _decode(data, grammar, lenient=True)
    return event


def decode_client(
    data: bytes | str, surface: Surface = REALTIME
) -> ClientEvent | UnknownEvent | InvalidEvent:
    """Read one frame from a client, as a server does. Never raises, whatever it holds.

    Audio that is not canonical base64 stays the text it was. A `session` without `type`, or
    of another, is an `UnknownVariant`.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    grammar = client_grammar(surface)
    event: ClientEvent | UnknownEvent | InvalidEvent = _decode(data, grammar, lenient=False)
    return event


def encode(event: msgspec.Struct | dict[str, Any]) -> bytes:
    """Write one event, or any part of one, as JSON.

    A dict is written as it is; structs may stand inside it.

    Raises:
        InvalidClientEvent: It holds what JSON cannot: an object of another library, a lone
            surrogate, NaN, a circle.
    """
    given: Any = event
    opening = _OPENINGS.get(type(event))
    try:
        if opening is not None and given.event_id is UNSET and type(given.audio) is bytes:
            return b"".join((opening, b64encode(given.audio), b'"}'))
        if type(event) in _AUDIO_FIELD:
            return _encode_audio(given)
        if isinstance(event, UnknownEvent):
            return event.raw
        data = _encode(event)
        if _UNKNOWN_ON_WIRE in data:
            data = _encode(_plain(event))
        if b"null" in data and _has_no_number(_plain(event)):
            raise ValueError("NaN and infinity are no JSON numbers")  # msgspec writes null
        return data
    except (TypeError, *UNREADABLE) as error:
        raise InvalidClientEvent(f"{_name(event)} cannot be written as JSON: {error}") from error


def client_event_from_dict(
    obj: dict[str, Any], surface: Surface = REALTIME
) -> ClientEvent | UnknownEvent:
    """Read the event that a person wrote as a dict; structs may stand inside it.

    `audio` may be bytes (raw audio) or base64 text. A `session` without `type` is read as
    a conversation. An event of a type that we do not know is an `UnknownEvent`.

    Raises:
        InvalidClientEvent: There is no `type`, or a field does not fit the event; the
            message has its path.
    """
    wire_type = obj.get("type")
    if not isinstance(wire_type, str):
        raise InvalidClientEvent("an event needs a `type`, such as {'type': 'response.create'}")
    raw = encode(obj)
    grammar = client_grammar(surface)
    cls = grammar.classes.get(wire_type)
    payload = msgspec.json.decode(raw)
    if cls is None:
        return UnknownEvent(type=wire_type, payload=payload, raw=raw)
    try:
        event: ClientEvent = fit(mend_for_client(payload, cls), cls, grammar)
    except UNREADABLE as error:
        problem, _, path = str(error).partition(" - at `$.")
        where = f"{path.rstrip('`')}: " if path else ""
        raise InvalidClientEvent(
            f"{wire_type} does not fit: {where}{problem}; correct the field or leave it out"
        ) from None
    return event


# --- the general way -----------------------------------------------------------------


def _decode(frame: bytes, grammar: Grammar, *, lenient: bool) -> Any:
    try:
        event = grammar.decode(frame)
        finish = grammar.finish.get(type(event))
        if finish is not None:
            return finish(event)
    except UNREADABLE:
        return repair(frame, grammar, lenient=lenient)
    if type(event) in PLACES and _UNKNOWN_ON_WIRE in frame:
        # Somebody sent our own name for the unknown; it means nothing when it is received.
        return repair(frame, grammar, lenient=lenient)
    return event


def _plain(value: Any) -> Any:
    """Return what a value is on the wire, with every unknown part as it came."""
    if isinstance(value, UnknownVariant):
        return value.raw
    if isinstance(value, msgspec.Struct):
        fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
        plain = {name: _plain(field) for name, field in fields if field is not UNSET}
        return {"type": value.type, **plain} if isinstance(value, Tagged) else plain
    if isinstance(value, dict):
        return {key: _plain(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    return value


def _has_no_number(plain: Any) -> bool:
    """Whether a float that JSON does not have stands anywhere in a plain value."""
    if isinstance(plain, dict):
        return any(map(_has_no_number, plain.values()))
    if isinstance(plain, list):
        return any(map(_has_no_number, plain))
    return isinstance(plain, float) and not isfinite(plain)


def _name(event: object) -> str:
    wire_type = event.get("type") if isinstance(event, dict) else getattr(event, "type", None)
    return str(wire_type or type(event).__name__)


# --- the short cut for audio that comes in -------------------------------------------


def _decode_cut(frame: bytes, cut: Cut) -> Any:
    """Read an audio delta in two parts: its payload, and the frame without it.

    Returns None where the general way has to decide; it may do so for any frame.

    Why the result is the same. Let *head* be the frame without the bytes between the first
    quote after the first `"delta"`, and the next quote. The decoder read head as an audio
    delta, so head is JSON, its object has a key `delta` with a string, and:

    - No string of head has an escape, because head has no backslash. So every quote in it
      opens or closes a string, and every key stands there in plain letters.
    - `"delta"` stands in head once: there is none before the first, none from the cut on,
      and the cut left nothing between. So it is that one key, of the event and not of an
      object inside it, and what follows it is its value: a string, and the one we emptied.
    - The payload is base64 alphabet only, or `b64decode` had refused it. So in the frame it
      stood between two quotes as one string without escapes, and parsing the frame gives
      what parsing head gives, but for this string.

    The general way decodes this string with the same `b64decode` and the same alphabet. The
    `type` was not touched, and a decoder of a union insists on it.
    """
    key = frame.find(b'"delta"')
    if key < 0:
        return None
    start = frame.find(b'"', key + 7) + 1
    end = frame.find(b'"', start)
    tail = frame[end:]
    head = frame[:start] + tail
    if _BACKSLASH in head or (tail != b'"}' and b'"delta"' in tail):
        return None
    try:
        event = cut.decode(head)
        audio = b64decode(frame[start:end], None, True)  # positional: 0.15 µs less
    except UNREADABLE:
        return None
    if type(event) is not cut.audio_delta:
        return None
    force_setattr(event, "delta", audio)  # nobody has seen it yet
    return event


# --- the short cut for audio that goes out -------------------------------------------
#
# msgspec writes fields in their order, and bytes as base64 just as `b64encode` does. Audio is
# the last field of every event that has any, so the event without it ends in `""}`, and the
# payload belongs between these two quotes. Most appends have no other field at all; what
# stands before their payload is always the same.


def _encode_audio(event: Any) -> bytes:
    field = _AUDIO_FIELD[type(event)]
    audio = getattr(event, field)
    if type(audio) is not bytes:
        return _encode(event)
    return _encode(replace(event, **{field: b""}))[:-2] + b64encode(audio) + b'"}'


_AUDIO_FIELD: Mapping[type, str] = AUDIO_FIELD
_OPENINGS: Mapping[type, bytes] = {
    cls: _encode(cls(audio=b""))[:-2]
    for cls in (InputAudioBufferAppend, SessionInputAudioBufferAppend)
}
