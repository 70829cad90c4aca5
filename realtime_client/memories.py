"""Messages that came back while they were still played: what is remembered of them is corrected.

A message of the model comes back to a new session as text, as far as it was heard. Where the
player goes on with it, more is heard of it afterwards, to its end or to an interruption. "Only
model output audio messages can be truncated", so the text cannot be changed in its place: it is
taken out and put there again, once, when it is known how much was heard. What nobody had heard a
word of did not come back at all, and is put there then.

Until the server has taken that, it is the next connection's to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from realtime_client.conversation import Conversation
from realtime_client.errors import ConnectionFailed
from realtime_client.events import (
    UNSET,
    ContentPart,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemDeleted,
    Item,
    MessageItem,
)
from realtime_client.outcome import Outcome
from realtime_client.playback import Cut, PlaybackLedger

__all__ = ["Memories", "Memory", "spoken"]


class Memory(NamedTuple):
    """A message that is being played: the words of each part of it, and the item before it.

    They are all its words, or, once it `is_over`, those that were heard. `after` is `"root"` for
    the first item.
    """

    words: tuple[str, ...]
    after: str
    is_over: bool = False


def spoken(item_id: str, words: tuple[str, ...]) -> MessageItem | None:
    """What the model said, as a message that a client can create; None where that is nothing."""
    content = tuple(ContentPart(type="output_text", text=text) for text in words if text)
    return MessageItem(id=item_id, role="assistant", content=content) if content else None


class Memories:
    """The messages of one connection that came back while they were played, in their order.

    `absent` are those that did not come back: this server knows nothing of them.
    """

    __slots__ = ("_absent", "_asked", "_by_item")

    def __init__(
        self, playing: Mapping[str, Memory] | None = None, absent: Iterable[str] = ()
    ) -> None:
        self._by_item = dict(playing or {})
        self._absent = frozenset(absent)
        self._asked: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._by_item)

    def __iter__(self) -> Iterator[tuple[str, Memory]]:
        return iter(self._by_item.items())

    def get(self, item_id: str) -> Memory | None:
        """What is known of a message, if it is one of these."""
        return self._by_item.get(item_id)

    # -- what happens -------------------------------------------------------------------------

    def on_cut(self, cut: Cut) -> bool:
        """A part was interrupted; whether it is of one that this server cannot truncate."""
        memory = self._by_item.get(cut.item_id)
        if memory is None:
            return cut.item_id in self._absent
        words = [
            cut.transcript if index == cut.content_index else "" if cut.deletes else said
            for index, said in enumerate(memory.words)
        ]
        self._by_item[cut.item_id] = memory._replace(words=tuple(words), is_over=True)
        return True

    def on_deleted(self, event: ConversationItemDeleted) -> None:
        """Somebody has taken a message out: it is not put back."""
        if event.item_id not in self._asked.values():
            self._by_item.pop(event.item_id, None)

    def on_asked(self, event_id: str, item_id: str) -> None:
        """A part of a correction has gone out under this name."""
        self._asked[event_id] = item_id

    def on_outcome(self, outcome: Outcome) -> bool:
        """A request has got its end; whether it was a correction, which is nobody's affair.

        One that went with its connection is the next one's.
        """
        item_id = self._asked.pop(outcome.event_id, None)
        if item_id is None:
            return False
        is_done = item_id not in self._asked.values()
        if is_done and not isinstance(outcome.error, ConnectionFailed):
            self._by_item.pop(item_id, None)
        return True

    # -- what is to be done -------------------------------------------------------------------

    def corrections(
        self, conversation: Conversation, playback: PlaybackLedger, now: float
    ) -> Iterator[tuple[str, Any]]:
        """By its item, each delete and create that is due; it is to be sent at once."""
        for item_id, memory in list(self._by_item.items()):
            if item_id in self._asked.values():
                continue
            if not memory.is_over:
                if not playback.was_heard(item_id, now):
                    continue
                self._by_item[item_id] = memory = memory._replace(is_over=True)
            item, there = spoken(item_id, memory.words), conversation.get(item_id)
            if _texts(there) == _texts(item):
                del self._by_item[item_id]
                continue
            after = conversation.before(item_id) or self._place(memory, conversation)
            if there is not None:
                yield item_id, ConversationItemDelete(item_id=item_id)
            if item is not None:
                yield item_id, ConversationItemCreate(previous_item_id=after or UNSET, item=item)

    def _place(self, memory: Memory, conversation: Conversation) -> str | None:
        """After what a message belongs that is not there; None where nobody knows any more."""
        after: str | None = memory.after
        while after is not None and after != "root" and conversation.get(after) is None:
            before = self._by_item.get(after)
            after = before.after if before is not None else None
        return after


def _texts(item: Item | None) -> list[Any]:
    """What a message says in writing."""
    parts = item.content if isinstance(item, MessageItem) else None
    return [part.text for part in parts or ()]
