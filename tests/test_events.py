"""The words keep their promises: names, three states, frozen values, tables."""

from typing import Any

import msgspec
import pytest

from realtime_client import events
from realtime_client.codec import encode
from realtime_client.events import (
    REALTIME,
    TRANSLATION,
    UNSET,
    ContentPart,
    InvalidEvent,
    MessageItem,
    SessionUpdate,
    Surface,
    Tagged,
    UnknownEvent,
    UnknownVariant,
    Wire,
    assistant_message,
    system_message,
    user_message,
)
from tests.shapes import optional_fields, structs, variants

SURFACES = (REALTIME, TRANSLATION)
EVENTS = {
    cls: wire_type
    for surface in SURFACES
    for table in (surface.client, surface.server)
    for wire_type, cls in table.items()
}


def camel(wire_type: str) -> str:
    return "".join(word.capitalize() for word in wire_type.replace(".", "_").split("_"))


def named(cls: type[Any]) -> str:
    return cls.__name__


def test_surfaces_have_every_event() -> None:
    assert [(len(s.client), len(s.server)) for s in SURFACES] == [(11, 47), (3, 7)]


@pytest.mark.parametrize(("cls", "wire_type"), EVENTS.items())
def test_event_names_are_the_wire_types(cls: type[Tagged], wire_type: str) -> None:
    collides = cls in TRANSLATION.client.values() or cls in TRANSLATION.server.values()
    collides = collides and (wire_type in REALTIME.client or wire_type in REALTIME.server)
    mechanical = ("Translation" if collides else "") + camel(wire_type)
    assert cls.__name__ == ("ErrorEvent" if wire_type == "error" else mechanical)
    assert variants(cls)[0].type == wire_type


def test_a_type_means_another_class_on_another_surface() -> None:
    assert REALTIME.client["session.update"] is SessionUpdate
    assert TRANSLATION.client["session.update"] is events.TranslationSessionUpdate


def test_surfaces_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        REALTIME.server["x"] = events.ErrorEvent  # type: ignore[index]  # the point of the test
    with pytest.raises(AttributeError):
        REALTIME.name = "other"  # type: ignore[misc]  # the point of the test
    # Each is one thing, whatever tables another has: the codec keeps its decoders by it.
    assert Surface("realtime", REALTIME.client, REALTIME.server) != REALTIME
    assert {REALTIME: 1}[REALTIME] == 1


def test_every_word_is_exported_once() -> None:
    assert len(set(events.__all__)) == len(events.__all__)
    assert all(hasattr(events, name) for name in events.__all__)
    assert set(EVENTS) <= set(structs())


@pytest.mark.parametrize("cls", structs(), ids=named)
def test_every_struct_says_what_it_is(cls: type[Wire]) -> None:
    assert cls.__doc__
    assert cls.__doc__.rstrip().endswith((".", "..."))
    assert cls.__doc__ != cls.__base__.__doc__


@pytest.mark.parametrize("cls", structs(), ids=named)
def test_structs_are_frozen_and_take_keywords_only(cls: type[Wire]) -> None:
    config = cls.__struct_config__
    assert config.frozen
    assert not config.omit_defaults
    assert not config.forbid_unknown_fields
    name = cls.__struct_fields__[0] if cls.__struct_fields__ else None
    if name is not None:
        with pytest.raises(TypeError, match="positional"):
            cls("x")


def test_a_struct_with_a_type_field_is_not_tagged() -> None:
    assert ContentPart().type is UNSET
    assert ContentPart(type="text").type == "text"
    assert not isinstance(ContentPart(), Tagged)


# --- three states --------------------------------------------------------------------


def read_back(value: Wire) -> Wire:
    """Read a struct's own JSON; audio is the codec's affair and tested there."""
    data = encode(value)
    return msgspec.json.decode(data, type=type(value))


WITH_OPTIONAL = [
    (cls, name)
    for cls in structs()
    for name in optional_fields(cls)
    if "AudioBufferAppend" not in cls.__name__
]


@pytest.mark.parametrize(("cls", "name"), WITH_OPTIONAL)
def test_three_states_of_a_field(cls: type[Wire], name: str) -> None:
    value = variants(cls)[0]
    assert msgspec.json.decode(encode(value))[name] is not None
    assert read_back(value) == value

    unset = msgspec.structs.replace(value, **{name: UNSET})
    assert name not in msgspec.json.decode(encode(unset))
    assert getattr(read_back(unset), name) is UNSET

    null = msgspec.structs.replace(value, **{name: None})
    assert msgspec.json.decode(encode(null))[name] is None
    assert getattr(read_back(null), name) is None


@pytest.mark.parametrize("cls", structs(), ids=named)
def test_a_new_struct_says_nothing_by_itself(cls: type[Wire]) -> None:
    optional = dict.fromkeys(optional_fields(cls), UNSET)
    made = {name: getattr(variants(cls)[0], name) for name in cls.__struct_fields__}
    required = {name: value for name, value in made.items() if name not in optional}
    wire = msgspec.json.decode(encode(cls(**required)))
    if cls is UnknownVariant:
        assert wire == required["raw"]
    else:
        assert set(wire) - {"type"} == set(required) - {"type"}


# --- people --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "role", "part_type"),
    [
        (user_message, "user", "input_text"),
        (system_message, "system", "input_text"),
        (assistant_message, "assistant", "output_text"),
    ],
)
def test_messages_have_the_part_type_that_their_role_needs(
    make: Any, role: str, part_type: str
) -> None:
    assert make("hello") == MessageItem(
        role=role, content=(ContentPart(type=part_type, text="hello"),)
    )


def test_unknown_values_know_their_type() -> None:
    assert UnknownVariant(raw={"type": "sticker", "id": 1}).type == "sticker"
    assert UnknownEvent(type="ping", payload={}, raw=b"{}").type == "ping"
    assert InvalidEvent(type=None, reason="not JSON", raw=b"").type is None
