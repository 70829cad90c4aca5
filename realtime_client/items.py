"""`conversation.*`: the server's items as they have been seen from here, and changing them.

Each verb is answered by an event about the item, or by an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.abc
import msgspec

from realtime_client import events
from realtime_client.connection import Connection
from realtime_client.conversation import Change, Conversation, Interrupted
from realtime_client.errors import (
    ConnectionFailed,
    InvalidClientEvent,
    RealtimeError,
    SyncIncomplete,
    UsageError,
)
from realtime_client.streams import Once
from realtime_client.syncing import plan
from realtime_client.written import item_from

__all__ = ["ConversationVerbs", "ItemVerbs", "Synced"]

_Dict = Mapping[str, Any]


class ItemVerbs:
    """`conversation.item.*`. Each is answered by an event about the item.

    One that is not answered within the `response_timeout` of the client raises
    `AcknowledgementTimeout`. An item that was being created when the connection was lost is
    created in the new session, and its caller gets it from there; any other request ends with
    `ConnectionLost`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self, item: events.Item | _Dict, *, after: str | None = None
    ) -> events.ConversationItemAdded:
        """Add an item, at the end or after the item `after` (`"root"` for the start).

        Raises:
            UsageError: It is no item that a client can create. Nothing was sent.
            ServerError: The server refused it.
        """
        command = item_from(item, after=None if after is None else _item_id(after))
        if isinstance(command.item, events.UnknownVariant | events.ItemReference):
            raise UsageError(
                f"an item of type {command.item.type!r} cannot be created; what is newer than this "
                "release can be sent as it is with `await client.send({...})`"
            )
        return await self._connection.request(command, events.ConversationItemAdded)

    async def delete(self, item_id: str) -> events.ConversationItemDeleted:
        """Remove an item."""
        command = events.ConversationItemDelete(item_id=_item_id(item_id))
        return await self._connection.request(command, events.ConversationItemDeleted)

    async def retrieve(self, item_id: str) -> events.ConversationItemRetrieved:
        """Ask for the server's view of an item, its audio included."""
        command = events.ConversationItemRetrieve(item_id=_item_id(item_id))
        return await self._connection.request(command, events.ConversationItemRetrieved)

    async def truncate(
        self, item_id: str, *, audio_end_ms: int, content_index: int = 0
    ) -> events.ConversationItemTruncated:
        """Cut an assistant's audio after `audio_end_ms` whole milliseconds.

        The end is at most that of the audio that the server sent: past it, the server refuses,
        and some then fall silent. Some servers never answer it.

        Raises:
            UsageError: No whole number, or less than 0. Nothing was sent.
            ServerError: The server refused it.
        """
        command = events.ConversationItemTruncate(
            item_id=_item_id(item_id),
            content_index=_whole("content_index", content_index),
            audio_end_ms=_whole("audio_end_ms", audio_end_ms),
        )
        return await self._connection.request(command, events.ConversationItemTruncated)


@dataclass(frozen=True)
class Synced:
    """What a sync did: the ids of the items that it created and deleted, in that order."""

    created: tuple[str, ...]
    deleted: tuple[str, ...]


class ConversationVerbs:
    """`conversation.*`: the server's items, as they have been seen from here."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._syncing = anyio.Lock()
        self.item = ItemVerbs(connection)

    @property
    def _mirror(self) -> Conversation:
        return self._connection.protocol.conversation

    @property
    def items(self) -> tuple[events.Item, ...]:
        """The items in the server's order, without their audio."""
        return self._mirror.items

    @property
    def truncations(self) -> Mapping[tuple[str, int], int]:
        """Where parts were cut: (item id, content index) to the milliseconds that are left."""
        return self._mirror.truncations

    @property
    def interrupted(self) -> Mapping[tuple[str, int], Interrupted]:
        """What parts said that were interrupted, as far as it was `heard`, and in `full`."""
        return self._mirror.interrupted

    @property
    def forgotten(self) -> int:
        """How many of the oldest items are not in `items` any more; the server has them."""
        return self._mirror.forgotten

    def changes(self) -> Once[Change]:
        """What happens to the items from now on, whoever does it."""
        self._connection.check_alive()
        return self._connection.watches.new_changes()

    async def sync(
        self, items: Iterable[events.Item | _Dict], *, audio_as_text: bool = False
    ) -> Synced:
        """Make the server's conversation equal to a list, by the fewest deletes and creates.

        An item with the id of one that the server has stays where it means the same; without
        an id it is whichever means the same and stands in the right place. What has to move is
        deleted and created again. Audio stays: where it would have to be created again, that
        is an error before anything is sent, or with `audio_as_text` its transcript as text.

        Items that come while this runs, of a response or of somebody else, are left alone. One
        sync of a client waits for the other.

        Raises:
            UsageError: The list cannot be made; the message names the item. Nothing was sent.
            SyncIncomplete: The server refused a part of it. It says what was done.
            ConnectionFailed: The connection is gone, and its conversation with it.
        """
        want = _wanted(items)
        async with self._syncing:
            self._connection.check_open()
            if self._mirror.forgotten:
                raise UsageError(
                    f"the {self._mirror.forgotten} oldest items were forgotten (see max_items), "
                    "so nobody here knows the whole conversation that is to be changed"
                )
            protocol = self._connection.protocol
            todo = plan(
                self._mirror.items,
                want,
                new_id=lambda: protocol.new_id("item"),
                audio_as_text=audio_as_text,
            )
            deletes = {one: events.ConversationItemDelete(item_id=one) for one in todo.deletes}
            creates = {_id(create.item): create for create in todo.creates}
            refused = await self._request_all(deletes, events.ConversationItemDeleted)
            deleted = tuple(one for one in deletes if one not in refused)
            if refused:
                raise SyncIncomplete(created=(), deleted=deleted, refused=tuple(refused.items()))
            refused = await self._request_all(creates, events.ConversationItemAdded)
            created = tuple(one for one in creates if one not in refused)
            if refused:
                raise SyncIncomplete(
                    created=created, deleted=deleted, refused=tuple(refused.items())
                )
            return Synced(created, deleted)

    async def _request_all(
        self, commands: Mapping[str, events.ClientEvent], answer: type[Any]
    ) -> dict[str, RealtimeError]:
        """Send them all, in order and without waiting in between; returns those refused.

        Raises:
            ConnectionFailed: The connection is gone.
        """
        refused: dict[str, RealtimeError] = {}

        async def request(item_id: str, *, task_status: anyio.abc.TaskStatus[None]) -> None:
            # It is sent before this task waits for anything, hence before the next one starts.
            task_status.started()
            try:
                await self._connection.request(commands[item_id], answer)
            except RealtimeError as error:
                refused[item_id] = error

        async with anyio.create_task_group() as tasks:
            for item_id in commands:
                await tasks.start(request, item_id)
        for error in refused.values():
            if isinstance(error, ConnectionFailed):
                raise error
        return {item_id: refused[item_id] for item_id in commands if item_id in refused}


def _wanted(items: object) -> list[events.Item]:
    """The items of a list, each checked against the protocol."""
    if isinstance(items, str | Mapping | msgspec.Struct) or not isinstance(items, Iterable):
        raise UsageError(f"sync takes a list of items, not {type(items).__name__}")
    wanted = []
    for number, item in enumerate(items, 1):
        try:
            wanted.append(item_from(item).item)
        except InvalidClientEvent as error:
            raise InvalidClientEvent(f"item {number} of the list: {error}") from None
    return wanted


def _id(item: events.Item) -> str:
    item_id = getattr(item, "id", None)
    assert isinstance(item_id, str), "a plan gives every item an id"
    return item_id


def _item_id(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"an item's id is a text that is not empty, not {value!r}")
    return value


def _whole(name: str, value: int) -> int:
    # A bool is an int to Python and no number on the wire.
    if type(value) is not int or value < 0:
        raise UsageError(f"{name} is a whole number and at least 0, not {value!r}")
    return value
