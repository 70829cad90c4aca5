"""The slow path of the codec: what to make of a frame that did not decode at once.

Nearly every frame fits its struct, so the codec asks first and this module answers for the
rest: event types and variants that are newer than we are, and what real servers and the
specification's own examples get wrong. The event is read as plain JSON, mended, and fitted
to its struct again. What still does not fit is reported as an `InvalidEvent`, never raised.

How much is mended depends on who spoke. A server is taken at its best: losing one strange
part is better than losing the event. A client is read to the letter, because whoever reads
it is a server that has to answer for what was really said.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec

from realtime_client._grammar import Grammar
from realtime_client.events.base import InvalidEvent, Tagged, UnknownEvent, UnknownVariant
from realtime_client.events.client import ConversationItemCreate, ResponseCreate, SessionUpdate
from realtime_client.events.items import Item
from realtime_client.events.server import (
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDone,
    ConversationItemRetrieved,
    SessionCreated,
    SessionUpdated,
)
from realtime_client.events.server_response import (
    ResponseCreated,
    ResponseDone,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
)
from realtime_client.events.session import (
    Session,
    SessionConfig,
    Tool,
    ToolChoice,
    Truncation,
    TurnDetection,
)

__all__ = ["PLACES", "UNKNOWN", "UNREADABLE", "fit", "mend_for_client", "repair", "tag_of"]

UNREADABLE = (ValueError, RecursionError)
"""All that reading a frame can raise; msgspec's errors and UnicodeError are ValueErrors."""

_EACH = "[]"
Path: TypeAlias = tuple[str, ...]

# Where an event holds a value whose `type` decides its shape. Outer places come first, so
# that a value which is kept whole is kept as it came.
_ITEM: Mapping[Path, Any] = {("item",): Item}
_SESSION: Mapping[Path, Any] = {
    ("session",): Session,
    ("session", "tools", _EACH): Tool,
    ("session", "tool_choice"): ToolChoice,
    ("session", "truncation"): Truncation,
    ("session", "audio", "input", "turn_detection"): TurnDetection,
}
_REQUEST: Mapping[Path, Any] = {
    ("response", "input", _EACH): Item,
    ("response", "tools", _EACH): Tool,
    ("response", "tool_choice"): ToolChoice,
}
_RESPONSE: Mapping[Path, Any] = {("response", "output", _EACH): Item}

PLACES: Mapping[type[Tagged], Mapping[Path, Any]] = {
    ConversationItemCreate: _ITEM,
    ConversationItemAdded: _ITEM,
    ConversationItemCreated: _ITEM,
    ConversationItemDone: _ITEM,
    ConversationItemRetrieved: _ITEM,
    ResponseOutputItemAdded: _ITEM,
    ResponseOutputItemDone: _ITEM,
    SessionUpdate: _SESSION,
    SessionCreated: _SESSION,
    SessionUpdated: _SESSION,
    ResponseCreate: _REQUEST,
    ResponseCreated: _RESPONSE,
    ResponseDone: _RESPONSE,
}
"""By event: the paths of its polymorphic values, and the union that each belongs to."""


def tag_of(cls: type[Tagged]) -> str:
    """Return the wire type that a struct stands for."""
    return str(cls.__struct_config__.tag)


UNKNOWN = tag_of(UnknownVariant)


def repair(frame: bytes, grammar: Grammar, *, lenient: bool) -> Any:
    """Return the event, `UnknownEvent` or `InvalidEvent` of a frame that the decoder refused."""
    try:
        payload = msgspec.json.decode(frame)
    except UNREADABLE as error:
        return InvalidEvent(type=None, reason=f"not JSON: {error}", raw=frame)
    if not isinstance(payload, dict):
        return InvalidEvent(type=None, reason="not a JSON object", raw=frame)
    wire_type = payload.get("type")
    if not isinstance(wire_type, str):
        return InvalidEvent(type=None, reason="no `type`, or one that is no string", raw=frame)
    if lenient:
        # The specification's example of `input_audio_buffer.dtmf_event_received` has a space
        # before its type.
        wire_type = wire_type.strip()
    cls = grammar.classes.get(wire_type)
    if cls is None:
        return UnknownEvent(type=wire_type, payload=payload, raw=frame)
    try:
        return _read(payload | {"type": wire_type}, cls, grammar, lenient=lenient)
    except UNREADABLE as error:
        return InvalidEvent(type=wire_type, reason=str(error), raw=frame)


def _read(payload: dict[str, Any], cls: type[Tagged], grammar: Grammar, *, lenient: bool) -> Any:
    """Mend the payload step by step until it fits; raise the last step's error if none does."""
    steps = _LENIENT if lenient else _STRICT
    for mend in steps[:-1]:
        payload = mend(payload, cls)
        with suppress(ValueError):
            return fit(payload, cls, grammar)
    return fit(steps[-1](payload, cls), cls, grammar)


def fit(payload: dict[str, Any], cls: type[Tagged], grammar: Grammar) -> Any:
    """Make an event of this class. Raises ValueError (or RecursionError) if it does not fit."""
    readable = grammar.readable[cls]
    value = msgspec.convert(payload, readable)
    finish = grammar.finish.get(readable)
    return finish(value) if finish else value


def mend_for_client(payload: dict[str, Any], cls: type[Tagged]) -> dict[str, Any]:
    """Mend what a person wrote: a session without `type` is a conversation."""
    return _keep_unknown(_with_session_type(payload, cls), cls)


def _with_session_type(payload: dict[str, Any], cls: type[Tagged]) -> dict[str, Any]:
    """xAI's `session.created` and `session.updated` have no `session.type`."""
    session = payload.get("session")
    if PLACES.get(cls) is not _SESSION or not isinstance(session, dict) or "type" in session:
        return payload
    return {**payload, "session": {"type": tag_of(SessionConfig), **session}}


def _keep_unknown(payload: dict[str, Any], cls: type[Tagged]) -> dict[str, Any]:
    """Keep as `UnknownVariant` every value whose `type` its union does not know."""
    for path, union in PLACES.get(cls, {}).items():
        known = _tags(union)

        def keep(value: Any, known: tuple[str, ...] = known) -> Any:
            if not isinstance(value, dict) or value.get("type") in known:
                return value
            return UnknownVariant(raw=value)

        payload = _change(payload, path, keep)
    return payload


def _keep_misfits(payload: dict[str, Any], cls: type[Tagged]) -> dict[str, Any]:
    """Keep as `UnknownVariant` every value of a known `type` that does not fit its struct.

    From the inside outwards: one strange tool must not cost the session around it.
    """
    for path, union in reversed(list(PLACES.get(cls, {}).items())):

        def keep(value: Any, union: Any = union) -> Any:
            if not isinstance(value, dict):
                return value
            try:
                msgspec.convert(value, union)
            except ValueError:
                return UnknownVariant(raw=_as_it_came(value))
            return value

        payload = _change(payload, path, keep)
    return payload


def _as_it_came(value: Any) -> Any:
    """Undo what `_keep_unknown` did inside a value that is now kept whole."""
    if isinstance(value, UnknownVariant):
        return value.raw
    if isinstance(value, dict):
        return {key: _as_it_came(element) for key, element in value.items()}
    return [_as_it_came(element) for element in value] if isinstance(value, list) else value


def _tags(union: Any) -> tuple[str, ...]:
    """The `type`s that a union of structs knows; no set, as a wrong `type` may have no hash."""
    return tuple(
        tag_of(member)
        for member in union.__args__
        if member is not str and member is not UnknownVariant
    )


def _change(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    """Return `value` with the values at `path` changed; nothing is changed in place."""
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if step == _EACH:
        if not isinstance(value, list):
            return value
        return [_change(element, rest, change) for element in value]
    if not isinstance(value, dict) or step not in value:
        return value
    return {**value, step: _change(value[step], rest, change)}


def _whole_numbers(payload: dict[str, Any], cls: type[Tagged]) -> dict[str, Any]:
    """JSON has one kind of number: 1000.0 is a whole number of milliseconds."""
    return {key: _whole(value) for key, value in payload.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_whole(element) for element in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _errors_as_text(payload: dict[str, Any], cls: type[Tagged]) -> dict[str, Any]:
    """What an error says is for people; a number for its `code` must not hide it."""

    def as_text(value: Any) -> Any:
        return value if value is None or isinstance(value, str) else _json(value)

    error = payload.get("error")
    if isinstance(error, dict):
        return payload | {"error": {key: as_text(value) for key, value in error.items()}}
    return payload | {"error": as_text(error)} if error is not None else payload


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_Step: TypeAlias = Callable[[dict[str, Any], type[Tagged]], dict[str, Any]]
_STRICT: tuple[_Step, ...] = (_keep_unknown,)
_LENIENT: tuple[_Step, ...] = (
    mend_for_client,
    _whole_numbers,
    _errors_as_text,
    _keep_misfits,
)
