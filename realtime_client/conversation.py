"""The server's conversation as this client has seen it: its items, in its order.

Order comes from `conversation.item.added` alone (`.created` is its older name). The `.done` of
an item that the model made says `previous_item_id: null` although its `.added` named the true
predecessor, and `.added` can name an item that was deleted a moment ago: it goes to the end
then. A null in `.added` is ambiguous: some servers send it for an item at the start, some for
one that was appended. It means the place that we asked for, and the end where we did not.

Content comes with `.done`. A transcript is the one thing that comes by itself, before the item
or long after it, and every null that follows only says that the server does not repeat it. A
truncation takes a transcript away for good, "to ensure there is not text in the context that
hasn't been heard by the user", whatever a later `.done` says. A failed transcription leaves
the null that was there. No audio is kept.

What is remembered is bounded. The mirror is the end of the conversation, `max_items` long and
longer only by what is still growing or waited for; what is known of items that are not in it
(transcripts that came early, ids that were deleted, forgotten or kept out) is the newest
`RECENT` of each kind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal, NamedTuple

from msgspec.structs import replace

from realtime_client.asking import RECENT, ItemRequest, Recent, Requests
from realtime_client.errors import ServerError, UsageError
from realtime_client.events import (
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemRetrieved,
    ConversationItemTruncated,
    FunctionCallItem,
    Item,
    MessageItem,
    ResponseOutputItemDone,
)
from realtime_client.kept import audio_part, differs, id_of, is_growing, kept, transcript_of
from realtime_client.outcome import Outcome

__all__ = ["Change", "Conversation", "Interrupted"]


class Change(NamedTuple):
    """One thing that happened to an item of the conversation.

    - `added`: it entered, after `previous_item_id` (None for the start), or it was put there
      anew under its old id, and then `before` is what it was.
    - `done`: it is complete.
    - `transcribed`, `truncated`: the transcript of its part `content_index` came, or went.
    - `deleted`: it left; `item` is what it was.
    """

    kind: Literal["added", "done", "transcribed", "truncated", "deleted"]
    item_id: str
    item: Item
    before: Item | None = None
    previous_item_id: str | None = None
    content_index: int | None = None


class Interrupted(NamedTuple):
    """What a message that was interrupted said: as far as it was heard, and all of it.

    `full` is None until the server has told it.
    """

    heard: str
    full: str | None


_STATEFUL = (MessageItem, FunctionCallItem)


class _Entry:
    """An item, whether its `done` was seen, and where its parts were cut, in milliseconds."""

    __slots__ = ("cuts", "done", "item", "spoken")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = False
        self.cuts: dict[int, int] = {}
        self.spoken: dict[int, Interrupted] = {}


class Conversation:
    """The mirror of the server's items, and the requests about them.

    `max_items`, at least 1, bounds it: past it the oldest are forgotten, save those that a
    request names and those in progress.
    """

    def __init__(self, *, max_items: int = 2_000) -> None:
        if max_items < 1:
            raise UsageError(f"max_items is {max_items}; it must be at least 1")
        self.forgotten = 0
        """How many items were let go because of `max_items`; the server still has them."""
        self.notes: deque[Change] = deque(maxlen=RECENT)
        """What happened since somebody emptied this; the oldest fall out."""
        self._max_items = max_items
        self._entries: dict[str, _Entry] = {}
        self._order: list[str] = []
        self._requests = Requests()
        self._growing: Recent[str, None] = Recent()
        self._early: Recent[tuple[str, int], str] = Recent()
        # What left, and whether it was only forgotten, so that the server still has it.
        self._left: Recent[str, bool] = Recent()
        self._kept_out: Recent[str, None] = Recent()

    @property
    def items(self) -> tuple[Item, ...]:
        """The items in the server's order."""
        return tuple([self._entries[item_id].item for item_id in self._order])

    @property
    def truncations(self) -> Mapping[tuple[str, int], int]:
        """Where parts were cut: (item id, content index) to milliseconds of audio left."""
        return {
            (item_id, index): end
            for item_id in self._order
            for index, end in self._entries[item_id].cuts.items()
        }

    @property
    def interrupted(self) -> Mapping[tuple[str, int], Interrupted]:
        """What was heard of parts that were interrupted, by (item id, content index)."""
        return {
            (item_id, index): spoken
            for item_id in self._order
            for index, spoken in self._entries[item_id].spoken.items()
        }

    def get(self, item_id: str) -> Item | None:
        """The item of this id, or None where it is not there."""
        entry = self._entries.get(item_id)
        return None if entry is None else entry.item

    def before(self, item_id: str) -> str | None:
        """After what an item stands, `"root"` for the first; None where it is not there."""
        if item_id not in self._entries:
            return None
        place = self._order.index(item_id)
        return self._order[place - 1] if place else "root"

    def keep_out(self, item_id: str) -> None:
        """The item is of a response outside the conversation: no event brings it in."""
        self._kept_out.remember(item_id, None)
        self._take_out(item_id)

    def let_go(self, item_id: str) -> None:
        """The response of a kept-out item is over: nothing more is expected to come of it."""
        self._kept_out.pop(item_id, None)

    def note_heard(self, item_id: str, index: int, heard: str) -> None:
        """A part was interrupted. The server drops its words; here they are kept."""
        entry = self._entries.get(item_id)
        if entry is not None:
            entry.spoken[index] = Interrupted(heard, transcript_of(entry.item, index))

    # -- requests -----------------------------------------------------------------------

    def ask(self, command: ItemRequest, event_id: str) -> None:
        """A request about an item was queued."""
        self._requests.add(command, event_id)

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named this request, so no success will come for it."""
        return Outcome(event_id, error=error) if self._requests.remove(event_id) else None

    def give_up(self, event_id: str) -> bool:
        """Nobody waits for this request any more; whether anybody did.

        It may have gone out, and what it does is still seen. Some servers never answer a
        truncate, so whoever stops waiting has to say so.
        """
        return self._requests.remove(event_id, may_happen=True)

    def lost(self) -> None:
        """The connection is over, and nobody will answer what was asked on it."""
        self._requests = Requests()

    # -- what happens -------------------------------------------------------------------

    def on_added(self, event: ConversationItemAdded | ConversationItemCreated) -> Outcome | None:
        """An item entered the conversation, after the one it names."""
        item_id = id_of(event.item)
        if item_id is None:
            return None
        asked = self._requests.place(item_id)
        if item_id not in self._kept_out:
            previous = event.previous_item_id
            self._add(item_id, event.item, previous if isinstance(previous, str) else asked)
        if isinstance(event, ConversationItemCreated):
            event = ConversationItemAdded(
                event_id=event.event_id, previous_item_id=event.previous_item_id, item=event.item
            )
        return self._answer(event, "added", item_id)

    def on_done(self, event: ConversationItemDone | ResponseOutputItemDone) -> Outcome | None:
        """An item is complete; its place was decided when it was added.

        Some servers (xAI and Voice Live, seen on the wire) say so of what the model made in
        `response.output_item.done` alone; where both come, the second changes nothing.
        """
        item_id = id_of(event.item)
        entry = self._entries.get(item_id) if item_id is not None else None
        if item_id is not None and entry is not None:
            self._growing.pop(item_id, None)
            for index, spoken in entry.spoken.items():
                full = transcript_of(event.item, index)
                entry.spoken[index] = spoken if full is None else spoken._replace(full=full)
            if not entry.done or differs(kept(event.item, entry.cuts, entry.item), entry.item):
                entry.done = True
                self._write("done", item_id, entry, event.item)
                self._catch_up(item_id, entry)
        return None

    def on_over(self, item_id: str) -> None:
        """The response of an item is over; one that nobody has finished stays as it is."""
        entry = self._entries.get(item_id)
        self._growing.pop(item_id, None)
        if entry is not None and is_growing(entry.item) and isinstance(entry.item, _STATEFUL):
            entry.done = True
            self._write("done", item_id, entry, replace(entry.item, status="incomplete"))

    def on_deleted(self, event: ConversationItemDeleted) -> Outcome | None:
        """An item left the conversation."""
        item_id = event.item_id
        self._take_out(item_id)
        self._left.remember(item_id, False)
        for key in [key for key in self._early if key[0] == item_id]:
            del self._early[key]
        return self._answer(event, "deleted", item_id)

    def on_retrieved(self, event: ConversationItemRetrieved) -> Outcome | None:
        """The server's own view of an item, audio and all. It answers, and is not kept."""
        return self._answer(event, "retrieved", id_of(event.item))

    def on_truncated(self, event: ConversationItemTruncated) -> Outcome | None:
        """A part's audio was cut, and its transcript is gone."""
        item_id, index = event.item_id, event.content_index or 0
        entry = self._entries.get(item_id)
        if entry is not None:
            # Where a server does not say how much is left, none of it counts as heard.
            entry.cuts[index] = event.audio_end_ms or 0
            self._write("truncated", item_id, entry, entry.item, index)
        return self._answer(event, "truncated", item_id, index)

    def on_transcribed(
        self, event: ConversationItemInputAudioTranscriptionCompleted
    ) -> Outcome | None:
        """What the user said in an item is known now; `item.added` had a null there."""
        item_id, index = event.item_id or "", event.content_index or 0
        if item_id in self._kept_out or item_id in self._left:
            return None
        entry = self._entries.get(item_id)
        if entry is None or audio_part(entry.item, index) is None:
            self._early.remember((item_id, index), event.transcript)
        elif index not in entry.cuts:
            self._transcribe(item_id, entry, index, event.transcript)
        return None

    # -- within -------------------------------------------------------------------------

    def _add(self, item_id: str, item: Item, previous: str | None) -> None:
        entry = self._entries.get(item_id)
        if entry is not None and entry.done and is_growing(item):
            return  # repeated, and older than its `done`
        if is_growing(item):
            self._growing.remember(item_id, None)
        else:
            self._growing.pop(item_id, None)
        if entry is None:
            self._left.pop(item_id, None)
            place = self._place(previous)
            after = self._order[place - 1] if place else None
            self._order.insert(place, item_id)
            entry = self._entries[item_id] = _Entry(kept(item, {}))
            self.notes.append(Change("added", item_id, entry.item, None, after))
        elif differs(kept(item, entry.cuts, entry.item), entry.item):
            self._write("added", item_id, entry, item)
        self._catch_up(item_id, entry)
        self._forget()

    def _place(self, previous: str | None) -> int:
        """Where in the order an item belongs that comes after this one."""
        if previous is None or (self._order and previous == self._order[-1]):
            return len(self._order)
        if previous in self._entries:
            return self._order.index(previous) + 1
        return 0 if previous == "root" or self._left.get(previous) else len(self._order)

    def _write(
        self,
        kind: Literal["added", "done", "transcribed", "truncated"],
        item_id: str,
        entry: _Entry,
        item: Item,
        index: int | None = None,
    ) -> None:
        before = entry.item
        entry.item = kept(item, entry.cuts, before)
        self.notes.append(Change(kind, item_id, entry.item, before, content_index=index))

    def _transcribe(self, item_id: str, entry: _Entry, index: int, transcript: str) -> None:
        item = entry.item
        assert isinstance(item, MessageItem)
        assert item.content  # there is an audio part at `index`
        parts = list(item.content)
        parts[index] = replace(parts[index], transcript=transcript)
        self._write("transcribed", item_id, entry, replace(item, content=tuple(parts)), index)

    def _catch_up(self, item_id: str, entry: _Entry) -> None:
        """Transcripts that came before their parts, now that there are parts."""
        for key in [key for key in self._early if key[0] == item_id]:
            part = audio_part(entry.item, key[1])
            if part is not None:
                transcript = self._early.pop(key)
                if not isinstance(part.transcript, str) and key[1] not in entry.cuts:
                    self._transcribe(item_id, entry, key[1], transcript)

    def _take_out(self, item_id: str) -> None:
        entry = self._entries.pop(item_id, None)
        if entry is not None:
            self._order.remove(item_id)
            self._growing.pop(item_id, None)
            self.notes.append(Change("deleted", item_id, entry.item))

    def _forget(self) -> None:
        """Past the bound the oldest go. The newest never does: it has only just come."""
        place = 0
        while len(self._order) > self._max_items and place < len(self._order) - 1:
            item_id = self._order[place]
            if item_id in self._growing or item_id in self._requests:
                place += 1
                continue
            del self._order[place], self._entries[item_id]
            self._left.remember(item_id, True)
            self.forgotten += 1

    def _answer(
        self, event: object, verb: str, item_id: str | None, part: int = 0
    ) -> Outcome | None:
        event_id = self._requests.answered(verb, item_id, part)
        return None if event_id is None else Outcome(event_id, event)
