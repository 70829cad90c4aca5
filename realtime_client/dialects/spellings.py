"""The few values that are spelled differently, each as a pair of functions that undo each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from realtime_client.dialects.wire import PCM_RATE, Spelling

__all__ = ["DETECTION", "FORMAT", "MODALITIES", "ONE_MODALITY", "TOOLS", "VOICE", "format_at"]

_plain = msgspec.json.decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode

_FORMATS: Final[Mapping[str, str]] = {
    "pcm16": "audio/pcm",
    "g711_ulaw": "audio/pcmu",
    "g711_alaw": "audio/pcma",
}
_WORDS: Final[Mapping[str, str]] = {ga: word for word, ga in _FORMATS.items()}


def format_at(rate: int) -> Spelling:
    """`pcm16` ↔ `{"type": "audio/pcm", "rate": ...}`, sampled at `rate` hertz.

    A word that we do not know is a type that we do not know.
    """

    def read(value: msgspec.Raw) -> Any:
        word = _plain(value)
        if not isinstance(word, str):
            return value
        kind = _FORMATS.get(word, word)
        return {"type": kind, "rate": rate} if kind == "audio/pcm" else {"type": kind}

    return Spelling(read, _write_format)


def _write_format(value: msgspec.Raw) -> Any:
    form = _plain(value)
    kind = form.get("type") if isinstance(form, dict) else None
    return _WORDS.get(kind, kind) if isinstance(kind, str) else value


FORMAT: Final = format_at(PCM_RATE)


def _read_modalities(value: msgspec.Raw) -> Any:
    names = _plain(value)
    return ["audio"] if isinstance(names, list) and "audio" in names else value


def _write_modalities(value: msgspec.Raw) -> Any:
    return ["audio", "text"] if _plain(value) == ["audio"] else value


MODALITIES: Final = Spelling(_read_modalities, _write_modalities)
"""`["audio", "text"]` ↔ `["audio"]`: audio comes with its text either way, and GA refuses the
pair by name."""

ONE_MODALITY: Final = Spelling(read=_read_modalities)
"""Where `["audio"]` is what it is called there, too."""


def _read_voice(value: msgspec.Raw) -> Any:
    voice = _plain(value)
    if not isinstance(voice, dict) or not isinstance(voice.get("name"), str):
        return value
    return voice["name"] if voice.get("type") == "openai" else {"id": voice["name"], **voice}


def _write_voice(value: msgspec.Raw) -> Any:
    voice = _plain(value)
    if isinstance(voice, str):
        return {"type": "openai", "name": voice}
    if isinstance(voice, dict) and isinstance(voice.get("id"), str) and "name" not in voice:
        return {"type": "azure-standard", "name": voice["id"]}
    return value


VOICE: Final = Spelling(_read_voice, _write_voice)
"""Voice Live's `{type, name}`: a name is an OpenAI voice, an `id` one of Azure's own.

`{"type": "openai", "name": "alloy"}` was seen on the wire, `azure-standard` is Azure's word.
"""


def _read_detection(value: msgspec.Raw) -> Any:
    detection = _plain(value)
    off = isinstance(detection, dict) and "type" in detection and detection["type"] is None
    return None if off else value


def _write_detection(value: msgspec.Raw) -> Any:
    return {"type": None} if _plain(value) is None else value


DETECTION: Final = Spelling(_read_detection, _write_detection)
"""`{"type": null}` ↔ null: nobody detects turns (xAI, seen on the wire)."""


def _read_tools(value: msgspec.Raw) -> Any:
    try:
        return [_read_tool(tool) for tool in _list(value)]
    except msgspec.ValidationError:
        return value


def _read_tool(value: msgspec.Raw) -> Any:
    try:
        tool = _object(value)
        function = _object(tool.pop("function"))
    except (KeyError, msgspec.ValidationError):
        return value
    return {**tool, **function}


TOOLS: Final = Spelling(read=_read_tools)
"""`{"type": "function", "function": {...}}` is how xAI shows a tool that it was given flat."""
