"""The server's conversation as this client has seen it: its items, in its order.

Order comes from `conversation.item.added` alone. `conversation.item.done` of an item that
the model made says `previous_item_id: null` although its `.added` named the true
predecessor, and `.added` can name an item that was deleted a moment ago: it goes to the end
then. A null in `.added` is ambiguous: some servers send it for an item at the start, some
for one that was appended. It means the end, unless we ourselves asked for `"root"`.
Everything is keyed by the item's id. No audio is kept.

Creating, deleting, retrieving and truncating are answered by events about the item, so a
request is found by what it asked for; every item that we create is given its id here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from realtime_client.errors import ServerError
from realtime_client.events import (
    UNSET,
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemRetrieve,
    ConversationItemRetrieved,
    ConversationItemTruncate,
    ConversationItemTruncated,
    Item,
    MessageItem,
)
from realtime_client.outcome import Outcome

__all__ = ["Conversation"]

_ItemRequest = (
    ConversationItemCreate
    | ConversationItemDelete
    | ConversationItemRetrieve
    | ConversationItemTruncate
)


def _question(command: _ItemRequest) -> tuple[str, Any]:
    """What a request asks, in the words that its answer will use."""
    match command:
        case ConversationItemCreate(item=item):
            return "added", getattr(item, "id", UNSET)
        case ConversationItemDelete(item_id=item_id):
            return "deleted", item_id
        case ConversationItemRetrieve(item_id=item_id):
            return "retrieved", item_id
        case ConversationItemTruncate():
            return "truncated", (command.item_id, command.content_index)


class Conversation:
    """The mirror of the server's items, and the requests about them."""

    __slots__ = ("_asked", "_items", "_order", "_to_root")

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._order: list[str] = []
        self._asked: dict[tuple[str, Any], list[str]] = {}
        self._to_root: set[str] = set()

    @property
    def items(self) -> tuple[Item, ...]:
        """The items in the server's order."""
        return tuple(self._items[item_id] for item_id in self._order)

    def get(self, item_id: str) -> Item | None:
        """The item of this id, or None where it is not there."""
        return self._items.get(item_id)

    def ask(self, command: _ItemRequest, event_id: str) -> None:
        """A request about an item was queued."""
        question = _question(command)
        self._asked.setdefault(question, []).append(event_id)
        if isinstance(command, ConversationItemCreate) and command.previous_item_id == "root":
            self._to_root.add(question[1])

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named this request, so no success will come for it."""
        for question, waiting in self._asked.items():
            if event_id in waiting:
                waiting.remove(event_id)
                if not waiting:
                    del self._asked[question]
                self._to_root.discard(question[1])
                return Outcome(event_id, error=error)
        return None

    def on_added(self, event: ConversationItemAdded) -> Outcome | None:
        """An item entered the conversation, after the one it names."""
        item_id = _id(event.item)
        if item_id is None:
            return None
        if item_id not in self._items:
            self._insert(item_id, event.previous_item_id)
        self._items[item_id] = event.item
        return self._answer("added", item_id, event)

    def on_done(self, event: ConversationItemDone) -> Outcome | None:
        """An item is complete; its place was decided when it was added."""
        item_id = _id(event.item)
        if item_id is not None and item_id in self._items:
            self._items[item_id] = event.item
        return None

    def on_deleted(self, event: ConversationItemDeleted) -> Outcome | None:
        """An item left the conversation."""
        if self._items.pop(event.item_id, None) is not None:
            self._order.remove(event.item_id)
        return self._answer("deleted", event.item_id, event)

    def on_retrieved(self, event: ConversationItemRetrieved) -> Outcome | None:
        """The server's own view of an item, audio and all; the mirror keeps no audio."""
        return self._answer("retrieved", _id(event.item), event)

    def on_truncated(self, event: ConversationItemTruncated) -> Outcome | None:
        """An item was cut."""
        return self._answer("truncated", (event.item_id, event.content_index), event)

    def on_transcribed(
        self, event: ConversationItemInputAudioTranscriptionCompleted
    ) -> Outcome | None:
        """What the user said in an item is known now; `item.added` had a null there."""
        item_id, index = event.item_id or "", event.content_index or 0
        item = self._items.get(item_id)
        if isinstance(item, MessageItem) and item.content and 0 <= index < len(item.content):
            part = msgspec.structs.replace(item.content[index], transcript=event.transcript)
            content = (*item.content[:index], part, *item.content[index + 1 :])
            self._items[item_id] = msgspec.structs.replace(item, content=content)
        return None

    def _insert(self, item_id: str, previous: object) -> None:
        if item_id in self._to_root:
            self._to_root.remove(item_id)
            self._order.insert(0, item_id)
        elif isinstance(previous, str) and previous in self._items:
            self._order.insert(self._order.index(previous) + 1, item_id)
        else:
            self._order.append(item_id)

    def _answer(self, verb: str, about: Any, event: Any) -> Outcome | None:
        waiting = self._asked.get((verb, about))
        if not waiting:
            return None
        event_id = waiting.pop(0)
        if not waiting:
            del self._asked[verb, about]
        return Outcome(event_id, event)


def _id(item: Item) -> str | None:
    item_id = getattr(item, "id", None)
    return item_id if isinstance(item_id, str) else None
