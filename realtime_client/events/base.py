"""The shape that every word of the wire has.

A field has three states, and they are three different values everywhere: `UNSET` (not
given: it is not on the wire), `None` (JSON null: turn it off), and a value. msgspec leaves
UNSET out when it encodes and keeps null apart when it decodes, so a struct and its JSON
say exactly the same; a default is never confused with an absence.

Enums stay open: a voice, a model or a status is a `str`, because servers add values
faster than clients are released. Where the *shape* depends on a `type` that we do not
know, the value arrives as `UnknownVariant` and goes out again as it came.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "UNSET",
    "InvalidEvent",
    "Maybe",
    "Opt",
    "Tagged",
    "UnknownEvent",
    "UnknownVariant",
    "UnsetType",
    "Wire",
]

_T = TypeVar("_T")

Opt: TypeAlias = _T | UnsetType
"""A field that may be left out, but is never null."""

Maybe: TypeAlias = _T | UnsetType | None
"""A field that may be left out or be null, which are not the same."""


class Wire(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A frozen value with the wire's own field names; unknown keys are ignored."""


class Tagged(Wire, frozen=True, kw_only=True, tag_field="type"):
    """A value whose shape its `type` decides, so that the class says it and no field does."""

    @property
    def type(self) -> str:
        """The wire's `type` of this value."""
        return str(self.__struct_config__.tag)


class UnknownVariant(Tagged, frozen=True, kw_only=True, tag="realtime_client.unknown"):
    """A part of an event whose `type` we do not know, kept whole in `raw`.

    From a server it also stands for a part of a known `type` that does not fit its struct.
    """

    raw: dict[str, Any]

    @property
    def type(self) -> str:
        """The `type` that it had on the wire."""
        return str(self.raw.get("type"))

    @property
    def id(self) -> str | None:
        """Its `id`, where it had one."""
        value = self.raw.get("id")
        return value if isinstance(value, str) else None


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a type that this version does not know; `payload` is its JSON object."""

    type: str
    payload: dict[str, Any]
    raw: bytes


class InvalidEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that is not an event: not JSON, or a known type that does not fit.

    `type` is None where not even that could be read. `reason` is for people.
    """

    type: str | None
    reason: str
    raw: bytes
