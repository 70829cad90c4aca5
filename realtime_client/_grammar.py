"""What the codec must know of a surface, worked out once: its classes and its decoders.

Audio is base64 text on the wire and bytes in our structs, and msgspec could turn the one into
the other by itself. It is not left to: the fast path of the codec uses another decoder for
the payload (pybase64, six times faster), and two decoders agree on good input and differ on
bad. So every event with audio has a *twin* here, the same struct with the payload as text,
generated from it so that the two cannot drift apart. The wire is read into twins, and one
function, `audio_from_text`, makes bytes of the text on every path.
"""

from collections.abc import Callable, Mapping
from functools import cache, reduce
from operator import or_
from typing import Any, cast

import msgspec
from pybase64 import b64decode, b64encode

from realtime_client.events.base import Tagged, UnknownVariant
from realtime_client.events.client import InputAudioBufferAppend
from realtime_client.events.server_response import ResponseOutputAudioDelta
from realtime_client.events.surfaces import Surface
from realtime_client.events.translation import (
    SessionInputAudioBufferAppend,
    SessionOutputAudioDelta,
)

__all__ = ["AUDIO_FIELD", "Cut", "Grammar", "audio_from_text", "client_grammar", "server_grammar"]

AUDIO_FIELD: Mapping[type[Tagged], str] = {
    ResponseOutputAudioDelta: "delta",
    SessionOutputAudioDelta: "delta",
    InputAudioBufferAppend: "audio",
    SessionInputAudioBufferAppend: "audio",
}
"""The events that carry audio, and where. It is the last field of each: see `encode`."""


class Cut(msgspec.Struct, frozen=True, eq=False):
    """How to read an audio delta whose payload was cut out (see `codec`)."""

    audio_delta: type[Tagged]
    decode: Callable[[bytes], Any]


class Grammar(msgspec.Struct, frozen=True, eq=False):
    """One direction of one surface.

    `classes` is the table from wire type to struct. `decode` reads a frame into one of them,
    or into a twin; `finish` makes the event of a twin, by the twin's class. `readable` is
    the class to give `msgspec.convert` for an event of this class: itself, or its twin.
    """

    classes: Mapping[str, type[Tagged]]
    readable: Mapping[type[Tagged], type[Tagged]]
    finish: Mapping[type[Tagged], Callable[[Tagged], Tagged]]
    decode: Callable[[bytes], Any]
    cut: Cut | None


def audio_from_text(text: str) -> bytes:
    """Decode base64: the standard alphabet and nothing else; the padding may be missing.

    Raises ValueError for anything else, also for line breaks and the URL-safe alphabet.
    """
    return b64decode(text + "=" * (-len(text) % 4), None, True)


def audio_if_canonical(text: str) -> bytes | str:
    """Decode base64 that encodes back to the same text; return any other text as it is.

    The server's side can answer what a client sent only if it still has it.
    """
    try:
        audio = b64decode(text, None, True)
    except ValueError:
        return text
    return audio if b64encode(audio) == text.encode() else text


@cache
def server_grammar(surface: Surface) -> Grammar:
    """How to read what a server says on this surface."""
    return _grammar(surface.server, audio_from_text)


@cache
def client_grammar(surface: Surface) -> Grammar:
    """How to read what a client says on this surface."""
    return _grammar(surface.client, audio_if_canonical)


def _grammar(classes: Mapping[str, type[Tagged]], read_audio: Callable[[str], Any]) -> Grammar:
    twins = {cls: _twin(cls, AUDIO_FIELD[cls]) for cls in classes.values() if cls in AUDIO_FIELD}
    readable = {cls: twins.get(cls, cls) for cls in classes.values()}
    finish = {twin: _finisher(cls, AUDIO_FIELD[cls], read_audio) for cls, twin in twins.items()}
    decode = msgspec.json.Decoder(reduce(or_, readable.values())).decode
    deltas = [cls for cls in twins if AUDIO_FIELD[cls] == "delta"]
    return Grammar(classes, readable, finish, decode, _cut(deltas[0]) if deltas else None)


def _cut(audio_delta: type[Tagged]) -> Cut:
    # A decoder of one struct forgives a missing `type`; a decoder of a union insists on it.
    # The other member is there for that alone.
    return Cut(audio_delta, msgspec.json.Decoder(audio_delta | UnknownVariant).decode)


def _twin(cls: type[Tagged], payload: str) -> type[Tagged]:
    """Return the same struct with its payload as text."""
    fields = [
        (field.name, str) if field.name == payload else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(cls)
    ]
    tag = cls.__struct_config__.tag
    twin = msgspec.defstruct(
        f"{cls.__name__}AsText", fields, bases=(Tagged,), tag=tag, frozen=True, kw_only=True
    )
    return cast("type[Tagged]", twin)


def _finisher(
    cls: type[Tagged], payload: str, read_audio: Callable[[str], Any]
) -> Callable[[Tagged], Tagged]:
    """Return what makes an event of this class out of its twin; it may raise ValueError."""

    def finish(twin: Tagged) -> Tagged:
        values = {name: getattr(twin, name) for name in twin.__struct_fields__}
        values[payload] = read_audio(values[payload])
        return cls(**values)

    return finish
