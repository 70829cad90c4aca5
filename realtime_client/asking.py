"""Requests about items of the conversation, and who gets which answer.

Creating, deleting, retrieving and truncating are answered by events about the item, so a
request is found by what it asked for; every item that we create is given its id here. Of two
who asked the same, the first is answered: nothing in the answer says whose it is, and to both
it says the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeVar

from realtime_client.events import (
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
)
from realtime_client.kept import id_of

__all__ = ["RECENT", "ItemRequest", "Recent", "Requests"]

K = TypeVar("K")
V = TypeVar("V")

RECENT: Final = 1_000
"""How much is remembered of each kind of thing that may never be asked for again."""

ItemRequest = (
    ConversationItemCreate
    | ConversationItemDelete
    | ConversationItemRetrieve
    | ConversationItemTruncate
)


class Recent(dict[K, V]):
    """A dict that knows the newest things only."""

    def remember(self, key: K, value: V) -> None:
        """Set a key as the newest, at the cost of the oldest."""
        self.pop(key, None)
        self[key] = value
        if len(self) > RECENT:
            del self[next(iter(self))]


class Request(NamedTuple):
    """What is asked, in the words that its answer will use; `place` is of a create."""

    event_id: str
    item_id: str | None
    verb: str
    part: int
    place: str | None


def _request(command: ItemRequest, event_id: str) -> Request:
    match command:
        case ConversationItemCreate(item=item, previous_item_id=previous):
            return Request(event_id, id_of(item), "added", 0, previous or None)
        case ConversationItemDelete(item_id=item_id):
            return Request(event_id, item_id, "deleted", 0, None)
        case ConversationItemRetrieve(item_id=item_id):
            return Request(event_id, item_id, "retrieved", 0, None)
        case ConversationItemTruncate(item_id=item_id, content_index=part):
            return Request(event_id, item_id, "truncated", part, None)


class Requests:
    """Who asked what about which item."""

    __slots__ = ("_by_event", "_by_item", "_places")

    def __init__(self) -> None:
        self._by_event: dict[str, Request] = {}
        self._by_item: dict[str | None, list[Request]] = {}
        self._places: Recent[str | None, str] = Recent()

    def __contains__(self, item_id: str) -> bool:
        """Whether somebody waits for this item."""
        return item_id in self._by_item

    def add(self, command: ItemRequest, event_id: str) -> None:
        """A request was queued. An id that is used again names the newer one alone."""
        self.remove(event_id)
        request = self._by_event[event_id] = _request(command, event_id)
        self._by_item.setdefault(request.item_id, []).append(request)

    def remove(self, event_id: str, *, may_happen: bool = False) -> bool:
        """Nobody waits for it any more. What `may_happen` still belongs where it was asked."""
        request = self._by_event.pop(event_id, None)
        if request is None:
            return False
        waiting = self._by_item[request.item_id]
        waiting.remove(request)
        if not waiting:
            del self._by_item[request.item_id]
        if may_happen and request.place is not None:
            self._places.remember(request.item_id, request.place)
        return True

    def answered(self, verb: str, item_id: str | None, part: int) -> str | None:
        """Take away the first who asked this; its `event_id`."""
        for request in self._by_item.get(item_id, ()):
            if request.verb == verb and request.part == part:
                self.remove(request.event_id)
                return request.event_id
        return None

    def place(self, item_id: str) -> str | None:
        """After which item this one was asked to be put, by the first who asked."""
        given_up = self._places.pop(item_id, None)
        for request in self._by_item.get(item_id, ()):
            if request.verb == "added":
                return request.place
        return given_up
