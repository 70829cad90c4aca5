"""Which class a wire type means, on which surface.

`session.update` is one thing in a conversation and another in a translation session, so a
type alone does not name a class. A surface is the pair of tables that does; whoever decodes
says on which one he is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

import msgspec

from realtime_client.events.base import Tagged
from realtime_client.events.client import ClientEvent
from realtime_client.events.server import ServerEvent
from realtime_client.events.translation import TranslationClientEvent, TranslationServerEvent

__all__ = ["REALTIME", "TRANSLATION", "Surface"]


class Surface(msgspec.Struct, frozen=True, eq=False):
    """The events of one kind of session: from wire type to struct, for each direction."""

    name: str
    client: Mapping[str, type[Tagged]]
    server: Mapping[str, type[Tagged]]


def _by_type(union: object) -> Mapping[str, type[Tagged]]:
    """Return the members of a union of events by their wire types."""
    return MappingProxyType({str(cls.__struct_config__.tag): cls for cls in get_args(union)})


REALTIME = Surface("realtime", _by_type(ClientEvent), _by_type(ServerEvent))
"""Conversations and transcription sessions."""

TRANSLATION = Surface(
    "translation", _by_type(TranslationClientEvent), _by_type(TranslationServerEvent)
)
"""Translation sessions."""
