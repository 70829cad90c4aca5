"""From what a person writes to one GA session object.

Configuration has one shape, the session object of the wire, as structs or as plain dicts.
A handful of its fields are so common that they have keyword shortcuts; the table below is
the whole of that second vocabulary. A shortcut that was not given is not there, `None` is
JSON null, and giving the same field twice is an error rather than a race.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import msgspec

from realtime_client.codec import client_event_from_dict, encode
from realtime_client.errors import InvalidClientEvent, InvalidConfig
from realtime_client.events import (
    AudioFormat,
    FunctionTool,
    McpTool,
    NoiseReduction,
    Prompt,
    Reasoning,
    RetentionRatio,
    SemanticVad,
    ServerVad,
    SessionConfig,
    SessionUpdate,
    ToolChoiceFunction,
    ToolChoiceMcp,
    TracingConfig,
    Transcription,
    TranscriptionSessionConfig,
    VoiceId,
)
from realtime_client.fixed import refuse_impossible
from realtime_client.former import (
    refuse_flat_session,
    refuse_former_names,
    refuse_former_values,
)
from realtime_client.leaves import leaves
from realtime_client.tools import ToolFunction, refuse_undecorated
from realtime_client.written import lost

__all__ = [
    "SHORTCUTS",
    "AnySession",
    "SessionShortcuts",
    "Shortcuts",
    "plain",
    "session_from",
    "tool_functions",
    "with_shortcuts",
]

_Dict = Mapping[str, Any]
AnySession = SessionConfig | TranscriptionSessionConfig


class SessionShortcuts(TypedDict, total=False):
    """The keyword shortcuts of `Client(...)` and their types.

    A bare string stands for an object where the object has one leading field:
    `turn_detection="semantic_vad"`, `transcription="whisper-1"`,
    `noise_reduction="near_field"`, `input_format="audio/pcmu"`.
    """

    instructions: str
    output_modalities: Sequence[str]
    voice: str | VoiceId | _Dict
    speed: float
    turn_detection: ServerVad | SemanticVad | _Dict | str | None
    transcription: Transcription | _Dict | str | None
    noise_reduction: NoiseReduction | _Dict | str | None
    input_format: AudioFormat | _Dict | str
    output_format: AudioFormat | _Dict | str
    tools: Sequence[ToolFunction[..., Any] | FunctionTool | McpTool | _Dict]
    tool_choice: str | ToolChoiceFunction | ToolChoiceMcp | _Dict | None
    max_output_tokens: int | Literal["inf"]
    tracing: str | TracingConfig | _Dict | None
    truncation: str | RetentionRatio | _Dict
    reasoning: Reasoning | _Dict
    parallel_tool_calls: bool
    prompt: Prompt | _Dict | None
    include: Sequence[str] | None


Shortcuts = Mapping[str, tuple[tuple[str, ...], str | None]]
"""By name: the path in the session object, and the field that a bare string stands for."""

SHORTCUTS: Shortcuts = {
    "instructions": (("instructions",), None),
    "output_modalities": (("output_modalities",), None),
    "voice": (("audio", "output", "voice"), None),
    "speed": (("audio", "output", "speed"), None),
    "turn_detection": (("audio", "input", "turn_detection"), "type"),
    "transcription": (("audio", "input", "transcription"), "model"),
    "noise_reduction": (("audio", "input", "noise_reduction"), "type"),
    "input_format": (("audio", "input", "format"), "type"),
    "output_format": (("audio", "output", "format"), "type"),
    "tools": (("tools",), None),
    "tool_choice": (("tool_choice",), None),
    "max_output_tokens": (("max_output_tokens",), None),
    "tracing": (("tracing",), None),
    "truncation": (("truncation",), None),
    "reasoning": (("reasoning",), None),
    "parallel_tool_calls": (("parallel_tool_calls",), None),
    "prompt": (("prompt",), None),
    "include": (("include",), None),
}


def session_from(
    session: AnySession | _Dict | None, shortcuts: Mapping[str, Any], *, kind: str = "realtime"
) -> AnySession | None:
    """One session object out of a struct or dict and keyword shortcuts.

    `kind` is its `type` where none is given. Returns None where nothing at all was given. The
    result shares no mutable value with the arguments, so nobody can change it afterwards.

    Raises:
        InvalidConfig: An unknown name, one of an older client, a value that does not fit or
            is out of its range, or a field given twice.
        InvalidTool: A function among the `tools` has no `@tool`.
    """
    tool_functions(session, shortcuts)  # a function without `@tool` would be no JSON
    tree = plain(session) if session is not None else {}
    refuse_former_names({**tree, **shortcuts})
    refuse_flat_session(tree)
    with_shortcuts(tree, shortcuts, SHORTCUTS)
    if not tree:
        return None
    tree.setdefault("type", kind)
    flat = leaves(tree)
    for path, value in flat.items():
        refuse_former_values(path[-1], value)
    refuse_impossible(flat)
    return _checked(tree)


def with_shortcuts(tree: dict[str, Any], given: Mapping[str, Any], table: Shortcuts) -> None:
    """Put what was given by shortcuts into a session object.

    Raises:
        InvalidConfig: An unknown name, a value of an older client, or a field given twice.
    """
    for name, value in given.items():
        refuse_former_values(name, value)
        if name not in table:
            raise InvalidConfig(
                f"unknown session option {name!r}; the shortcuts are {', '.join(table)}; "
                "everything else goes into session={...} in the wire's own shape"
            )
        path, bare = table[name]
        if bare is not None and isinstance(value, str):
            value = {bare: value}
        _put(tree, path, plain(value), name)


def tool_functions(
    session: AnySession | _Dict | None, shortcuts: Mapping[str, Any]
) -> tuple[ToolFunction[..., Any], ...]:
    """The functions among the tools that are given as to `session_from`.

    Raises:
        InvalidTool: One of them has no `@tool`.
    """
    given: Any = session.get("tools") if isinstance(session, Mapping) else None
    if isinstance(session, SessionConfig):
        given = session.tools
    refuse_undecorated(given)
    refuse_undecorated(shortcuts.get("tools"))
    tools = [*_sequence(given), *_sequence(shortcuts.get("tools"))]
    return tuple(tool for tool in tools if isinstance(tool, ToolFunction))


def plain(value: Any) -> Any:
    """A deep copy of structs and plain values, as JSON would have it.

    A `ToolFunction` is its definition.
    """
    value = _defined(value)
    try:
        return msgspec.json.decode(encode(value) if _is_object(value) else _json(value))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        # The value itself is not shown: it may hold a tool's credential.
        problem = str(error).partition(":")[2] or "not JSON"
        raise InvalidConfig(
            f"a value of type {type(value).__name__} cannot be a session value:{problem}"
        ) from None


def _defined(value: Any) -> Any:
    """The same with definitions where there are functions; a circle is `plain`'s to refuse."""
    if isinstance(value, ToolFunction):
        return value.definition
    if isinstance(value, dict) and _sequence(value.get("tools")):
        return {**value, "tools": [_defined(tool) for tool in value["tools"]]}
    if isinstance(value, SessionConfig) and _sequence(value.tools):
        tools = tuple(_defined(tool) for tool in _sequence(value.tools))
        return msgspec.structs.replace(value, tools=tools)
    return value


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _is_object(value: Any) -> bool:
    return isinstance(value, (msgspec.Struct, dict))


def _json(value: Any) -> bytes:
    if isinstance(value, (list, tuple)):
        value = [plain(element) for element in value]
    return msgspec.json.encode(value)


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any, name: str) -> None:
    """Set one leaf, making the objects on the way to it."""
    *way, leaf = path
    for key in way:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise InvalidConfig(f"{name}=... needs {'.'.join(way)} to be an object")
    if leaf in tree:
        raise InvalidConfig(
            f"{'.'.join(path)} is given twice: by session= and by {name}=; keep one of them"
        )
    tree[leaf] = value


def _checked(tree: dict[str, Any]) -> AnySession:
    """The tree as a frozen struct, with nothing lost on the way."""
    try:
        event = client_event_from_dict({"type": "session.update", "session": tree})
    except InvalidClientEvent as error:
        raise InvalidConfig(str(error)) from None
    session = event.session if isinstance(event, SessionUpdate) else None
    if not isinstance(session, (SessionConfig, TranscriptionSessionConfig)):
        raise InvalidConfig(
            f"session.type is {tree['type']!r}; it must be 'realtime' or 'transcription'"
        )
    for path in lost(tree, msgspec.json.decode(encode(session))):
        raise InvalidConfig(
            f"a {tree['type']} session has no field {path}; a field newer than this release can be "
            "sent as it is with `await client.send({'type': 'session.update', ...})`"
        )
    return session
