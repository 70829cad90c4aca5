"""`conversation.*`: the server's items as they have been seen from here, and changing them.

Each verb is answered by an event about the item, or by an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_client import events
from realtime_client.codec import client_event_from_dict
from realtime_client.connection import Connection
from realtime_client.options import plain

__all__ = ["ConversationVerbs", "ItemVerbs"]

_Dict = Mapping[str, Any]


class ItemVerbs:
    """`conversation.item.*`. Each is answered by an event about the item."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self, item: events.Item | _Dict, *, after: str | None = None
    ) -> events.ConversationItemAdded:
        """Add an item, at the end or after the item `after` (`"root"` for the start)."""
        wire: dict[str, Any] = {"type": "conversation.item.create", "item": plain(item)}
        if after is not None:
            wire["previous_item_id"] = after
        command = client_event_from_dict(wire)
        assert isinstance(command, events.ConversationItemCreate)
        return await self._connection.request(command, events.ConversationItemAdded)

    async def delete(self, item_id: str) -> events.ConversationItemDeleted:
        """Remove an item."""
        command = events.ConversationItemDelete(item_id=item_id)
        return await self._connection.request(command, events.ConversationItemDeleted)

    async def retrieve(self, item_id: str) -> events.ConversationItemRetrieved:
        """Ask for the server's view of an item, its audio included."""
        command = events.ConversationItemRetrieve(item_id=item_id)
        return await self._connection.request(command, events.ConversationItemRetrieved)

    async def truncate(
        self, item_id: str, *, audio_end_ms: int, content_index: int = 0
    ) -> events.ConversationItemTruncated:
        """Cut an assistant's audio after `audio_end_ms` whole milliseconds."""
        command = events.ConversationItemTruncate(
            item_id=item_id, content_index=content_index, audio_end_ms=audio_end_ms
        )
        return await self._connection.request(command, events.ConversationItemTruncated)


class ConversationVerbs:
    """`conversation.*`: the server's items, as they have been seen from here."""

    def __init__(self, connection: Connection) -> None:
        self._mirror = connection.protocol.conversation
        self.item = ItemVerbs(connection)

    @property
    def items(self) -> tuple[events.Item, ...]:
        """The items in the server's order."""
        return self._mirror.items
