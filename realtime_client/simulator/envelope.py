"""What a frame from a client is, before anybody asks what it wants.

"Envelope errors never end the session": what is no JSON object, has no type, or a type that
the server does not take, is answered by an `error` like any other refusal. An event of a
known type that does not fit is checked field by field, so that the error can name the path.
"""

from typing import Any

import msgspec

from realtime_client.events import ClientEvent, InvalidEvent, UnknownEvent
from realtime_client.simulator.checks import (
    Check,
    anything,
    integer,
    nullable,
    record,
    shape,
    string,
)
from realtime_client.simulator.refusal import Refusal

__all__ = ["check_event", "client_event_id", "read_payload"]

LONGEST_EVENT_ID = 512

_ENVELOPE: dict[str, Check] = {
    "type": string(),
    "event_id": nullable(string(LONGEST_EVENT_ID)),
}
_ITEM_ID: dict[str, Check] = {"item_id": string()}
_OBJECT = shape(object=anything)


def _event(fields: dict[str, Check], *required: str) -> Check:
    return record(_ENVELOPE | fields, required=required)


_EVENTS: dict[str, Check] = {
    "session.update": _event({"session": _OBJECT}, "session"),
    # `output_audio_buffer.clear` is for WebRTC and SIP and is not accepted here.
    "input_audio_buffer.append": _event({"audio": string()}, "audio"),
    "input_audio_buffer.commit": _event({}),
    "input_audio_buffer.clear": _event({}),
    "conversation.item.create": _event(
        {"item": _OBJECT, "previous_item_id": nullable(string())}, "item"
    ),
    "conversation.item.delete": _event(_ITEM_ID, "item_id"),
    "conversation.item.retrieve": _event(_ITEM_ID, "item_id"),
    "conversation.item.truncate": _event(
        _ITEM_ID | {"content_index": integer(0), "audio_end_ms": integer(0)},
        "item_id",
        "content_index",
        "audio_end_ms",
    ),
    "response.create": _event({"response": nullable(_OBJECT)}),
    "response.cancel": _event({"response_id": string()}),
}


def read_payload(frame: bytes | str) -> dict[str, Any]:
    """Return a frame as a JSON object; raises `Refusal` where it is none."""
    try:
        payload = msgspec.json.decode(frame)
    except (ValueError, RecursionError) as error:
        message = "The event could not be read as JSON."
        raise Refusal("invalid_json", message) from error
    if not isinstance(payload, dict):
        raise Refusal("invalid_event", "An event must be a JSON object.")
    if "type" not in payload:
        raise Refusal("invalid_event", "The 'type' field is missing.")
    return payload


def client_event_id(
    event: ClientEvent | UnknownEvent | InvalidEvent, frame: bytes | str
) -> str | None:
    """Return the client's own id of an event, for the error that may answer it.

    Raises `Refusal` for an id that is too long, and for a frame that is no event at all.
    """
    if isinstance(event, UnknownEvent):
        event_id = event.payload.get("event_id")
    elif isinstance(event, InvalidEvent):
        event_id = read_payload(frame).get("event_id")
    else:
        event_id = event.event_id
    if not isinstance(event_id, str):
        return None
    _ENVELOPE["event_id"](event_id, "event_id")
    return event_id


def check_event(payload: dict[str, Any]) -> None:
    """Raise `Refusal` for a type that is not accepted, and for fields that do not fit."""
    wire_type = payload["type"]
    check = _EVENTS.get(wire_type) if isinstance(wire_type, str) else None
    if check is None:
        known = ", ".join(f"'{name}'" for name in _EVENTS)
        raise Refusal(
            "invalid_value",
            f"Invalid value: '{wire_type}'. Supported values are: {known}.",
            "type",
        )
    check(payload, "")
