"""What a person writes as a dict, read so that nothing of it is lost.

The structs of the wire ignore a key that they have no name for, because servers add fields
faster than clients are released. That is right for what is received. Who writes `instruction=`
is not helped by it: the session goes on without, and nothing says why. So what would go out is
compared with what was written, at every depth, and where something is missing nothing is sent.
`client.send({...})` is the way past this, for what is newer than a release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from realtime_client.codec import client_event_from_dict, encode
from realtime_client.errors import InvalidClientEvent
from realtime_client.events import (
    ClientEvent,
    ConversationItemCreate,
    Item,
    ResponseCreate,
    ResponseCreateParams,
    UnknownEvent,
)
from realtime_client.former import advice_for_response

__all__ = ["event_from", "item_from", "lost"]


def event_from(wire: dict[str, Any]) -> ClientEvent | UnknownEvent:
    """The event of a dict; structs may stand inside it.

    Raises:
        InvalidClientEvent: A field does not fit, or there is no such field. It has its path.
    """
    event = client_event_from_dict(wire)
    written = msgspec.json.decode(encode(wire))
    for path in lost(written, msgspec.json.decode(encode(event))):
        advice = _advice(path) if isinstance(event, ResponseCreate) else None
        newer = (
            "a field newer than this release can be sent as it is with "
            f"`await client.send({{'type': {event.type!r}, ...}})`"
        )
        raise InvalidClientEvent(f"{event.type} has no field {path}; {advice or newer}")
    return event


def item_from(
    item: Item | Mapping[str, Any], *, after: str | None = None
) -> ConversationItemCreate:
    """The create of an item, a struct or a dict; after another one, or at the end.

    Raises:
        InvalidClientEvent: It is none, or a field of it does not fit or does not exist.
    """
    if not isinstance(item, (msgspec.Struct, dict)):
        raise InvalidClientEvent(
            "an item is a struct or a dict in the wire's shape (a text is "
            f"`events.user_message(text)`), not {type(item).__name__}"
        )
    if isinstance(item, dict) and not isinstance(item.get("type"), str):
        raise InvalidClientEvent(
            "an item needs a `type`, such as {'type': 'message', 'role': 'user', 'content': [...]}"
        )
    wire: dict[str, Any] = {"type": "conversation.item.create", "item": item}
    if after is not None:
        wire["previous_item_id"] = after
    command = event_from(wire)
    assert isinstance(command, ConversationItemCreate)
    return command


def lost(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    """The paths that were given and are not there any more."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            where = f"{path}.{key}" if path else key
            if key not in kept:
                yield where
            else:
                yield from lost(value, kept[key], where)
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (value, held) in enumerate(zip(given, kept, strict=False)):
            yield from lost(value, held, f"{path}[{index}]")


def _advice(path: str) -> str | None:
    """What to write for an option of a response that there is not."""
    today = advice_for_response(path)
    if today is None and path.count(".") == 1:
        newer = "what is newer: `await client.send({'type': 'response.create', ...})`"
        return f"it takes {', '.join(ResponseCreateParams.__struct_fields__)}; {newer}"
    return today
