"""Every shape of the wire, built from its declaration: for tests that must not miss one."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from realtime_client import events
from realtime_client.events import (
    REALTIME,
    TRANSLATION,
    ContentPart,
    Item,
    Surface,
    Tagged,
    UnknownVariant,
    UnsetType,
    Wire,
)

ITEMS = get_args(Item)
SAMPLES = Path(__file__).parent / "samples"
SHARED = Path(__file__).parents[2] / "shared"

# What the specification allows where the type alone does not say it.
_WORDS: dict[str, Any] = {
    "allowed_callers": ("direct",),
    "connector_id": "connector_gmail",
    "delay": "low",
    "detail": "high",
    "eagerness": "auto",
    "effort": "xhigh",
    "include": ("item.input_audio_transcription.logprobs",),
    "max_output_tokens": "inf",
    "output_modalities": ("audio",),
    "rate": 24_000,
    "reason": "turn_detected",
    "require_approval": "always",
    "role": "user",
    "status": "completed",
    "tool_choice": "auto",
    "tracing": "auto",
    "truncation": "auto",
}
_CLASS_WORDS: dict[tuple[str, str], Any] = {
    ("AudioFormat", "type"): "audio/pcm",
    ("ContentPart", "type"): "input_text",
    ("ResponseContentPartAdded", "part"): ContentPart(type="audio", transcript=""),
    ("ResponseContentPartDone", "part"): ContentPart(type="text", text="done"),
    ("Conversation", "object"): "realtime.conversation",
    ("McpApprovalResponseItem", "reason"): "because",
    ("McpCallError", "type"): "http_error",
    ("NoiseReduction", "type"): "far_field",
    ("RateLimit", "name"): "tokens",
    ("ResponseResource", "object"): "realtime.response",
    ("SessionConfig", "object"): "realtime.session",
    ("SessionOutputAudioDelta", "format"): "pcm16",
    ("StatusDetails", "type"): "cancelled",
    ("TranscriptionUsage", "type"): "tokens",
    ("TranslationSessionConfig", "type"): "translation",
}


def samples(name: str) -> list[bytes]:
    return (SAMPLES / f"{name}.jsonl").read_bytes().splitlines()


def kind(frame: bytes) -> str:
    """The wire type of a frame."""
    return str(json.loads(frame)["type"]).strip()


def label(value: object) -> str:
    """The name of a parametrised test's value."""
    if isinstance(value, bytes):
        return kind(value)
    return value.name if isinstance(value, Surface) else str(value)


SERVER_SIDES = [(REALTIME, "server"), (TRANSLATION, "translation_server")]
CLIENT_SIDES = [(REALTIME, "client"), (TRANSLATION, "translation_client")]
SERVER_SAMPLES = [(surface, line) for surface, name in SERVER_SIDES for line in samples(name)]
CLIENT_SAMPLES = [(surface, line) for surface, name in CLIENT_SIDES for line in samples(name)]


def structs() -> list[type[Wire]]:
    """Every struct of the wire that `realtime_client.events` exports."""
    exported = (getattr(events, name) for name in events.__all__)
    return [
        value
        for value in exported
        if isinstance(value, type) and issubclass(value, Wire) and value not in (Wire, Tagged)
    ]


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; a type that is none is its own only member."""
    is_union = get_origin(annotation) in (Union, UnionType)
    return get_args(annotation) if is_union else (annotation,)


def optional_fields(cls: type[Wire]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(cls) if not field.required]


def variants(cls: type[Wire]) -> list[Any]:
    """Values of a struct with every field given, in every alternative that a field has.

    The first has the first alternative everywhere; each of the others differs in one field,
    at any depth.
    """
    fields = msgspec.structs.fields(cls)
    choices = {field.name: list(_values(cls, field.name, field.type)) for field in fields}
    first = {name: values[0] for name, values in choices.items()}
    others = [{**first, name: value} for name, values in choices.items() for value in values[1:]]
    return [cls(**first), *(cls(**other) for other in others)]


def _values(cls: type[Wire], name: str, annotation: Any) -> Iterator[Any]:
    word = _CLASS_WORDS.get((cls.__name__, name), _WORDS.get(name))
    if cls in ITEMS and name == "object":
        word = "realtime.item"
    if word is not None:
        yield word
    if isinstance(word, Wire):
        return
    for member in members(annotation):
        if member not in (UnsetType, type(None), UnknownVariant):
            # A word stands for every plain value of the field, but not for its structs.
            values = _of_type(member, name)
            yield from (value for value in values if word is None or isinstance(value, Wire))


def _of_type(annotation: Any, name: str) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Wire):
        yield from variants(annotation)
    elif get_origin(annotation) is tuple:
        element = get_args(annotation)[0]
        for member in members(element):
            if member is not UnknownVariant:
                yield from ((value,) for value in _of_type(member, name))
    else:
        yield _PLAIN[get_origin(annotation) or annotation]


_PLAIN: dict[Any, Any] = {
    str: 'naïve "text"',
    int: 7,
    float: 0.5,
    bool: True,
    bytes: b"\x01\x00\xff\x7f",
    dict: {"key": "value"},
    Any: {"type": "object"},
}
