"""The default conversation: entries in the server's order.

Every change names what it refuses before it makes it, so a `Refusal` leaves the list as it
was. A truncate removes the audio that nobody heard and the transcript with it, "to ensure
there is not text in the context that hasn't been heard by the user": the model then knows
only the audio that is left. An item can be truncated while it is still being made; what is
generated afterwards does not come back into it.
"""

from typing import Literal

from msgspec.structs import replace

from realtime_client.events import (
    UNSET,
    ConversationItemTruncate,
    FunctionCallItem,
    Item,
    Maybe,
    McpApprovalRequestItem,
    MessageItem,
)
from realtime_client.simulator.clip import Clip
from realtime_client.simulator.items import Entry, told_by
from realtime_client.simulator.refusal import Refusal

__all__ = ["Conversation"]


class Conversation:
    """The items of one session, with their audio."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._cut: dict[str, int] = {}  # ids of truncated items, and where in milliseconds

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything, oldest first."""
        return tuple(self._entries)

    @property
    def items(self) -> tuple[Item, ...]:
        """The items alone, oldest first."""
        return tuple(entry.item for entry in self._entries)

    @property
    def told(self) -> tuple[tuple[str, str | None], ...]:
        """Who said what, oldest first: role and words, or type and words of what is no message.

        This is what the model knows: the words that are in audio, with or without a transcript,
        and of an answer that was truncated the part that was heard.
        """
        return tuple(told_by(entry) for entry in self._entries)

    @property
    def calls(self) -> frozenset[str]:
        """The ids of the calls that may be answered."""
        calls = (item for item in self.items if isinstance(item, FunctionCallItem))
        return frozenset(call.call_id for call in calls if isinstance(call.call_id, str))

    @property
    def approvals(self) -> frozenset[str]:
        """The ids of the requests for approval that may be answered."""
        return frozenset(
            entry.id for entry in self._entries if isinstance(entry.item, McpApprovalRequestItem)
        )

    def find(self, item_id: str) -> Entry | None:
        """Return the entry of this id."""
        return next((entry for entry in self._entries if entry.id == item_id), None)

    def append(self, entry: Entry) -> str | None:
        """Put an entry at the end; return the id of the one before it."""
        self._entries.append(entry)
        return self._before(len(self._entries) - 1)

    def insert(
        self, entry: Entry, after: Maybe[str], *, duplicates: Literal["reject", "accept"]
    ) -> str | None:
        """Put a client's entry after another; return the id of the one before it.

        `after` is an item id, `root` for the beginning, UNSET or None for the end. An entry
        under an id that exists is refused, or replaces the old one in its place.
        """
        if (old := self.find(entry.id)) is not None:
            if duplicates == "reject":
                raise Refusal(
                    "item_create_duplicate_item_id",
                    f"Error adding item: an item with id '{entry.id}' already exists.",
                    "item.id",
                )
            place = self._entries.index(old)
            self._entries[place] = entry
            return self._before(place)
        place = self._place(after)
        self._entries.insert(place, entry)
        return self._before(place)

    def replace(self, entry: Entry) -> None:
        """Put a newer state of an item in its place; nothing where it was deleted."""
        for place, old in enumerate(self._entries):
            if old.id == entry.id:
                self._entries[place] = self._shortened(entry)

    def delete(self, item_id: str) -> None:
        """Remove an item, or raise `Refusal`."""
        self._entries.remove(self._get(item_id, "delete"))

    def retrieve(self, item_id: str) -> Item:
        """Return an item with its audio as base64, or raise `Refusal`."""
        entry = self._get(item_id, "retrieve")
        item = entry.item
        if not isinstance(item, MessageItem) or not entry.clips:
            return item
        content = [
            replace(part, audio=entry.clips[i].base64) if i in entry.clips else part
            for i, part in enumerate(item.content or ())
        ]
        return replace(item, content=tuple(content))

    def truncate(self, command: ConversationItemTruncate) -> None:
        """Cut an assistant's audio, or raise `Refusal`."""
        entry = self._get(command.item_id, "truncate")
        item = entry.item
        if not isinstance(item, MessageItem) or item.role != "assistant" or not entry.clips:
            raise Refusal(
                "invalid_value", "Only model output audio messages can be truncated.", "item_id"
            )
        clip = entry.clips.get(command.content_index)
        if clip is None:
            raise Refusal(
                "invalid_value",
                f"The item has no audio at content index {command.content_index}.",
                "content_index",
            )
        _check_end(clip, command.audio_end_ms)
        self._cut[entry.id] = command.audio_end_ms
        self.replace(entry)

    def _place(self, after: Maybe[str]) -> int:
        if after is None or after is UNSET:
            return len(self._entries)
        if after == "root":
            return 0
        for place, entry in enumerate(self._entries):
            if entry.id == after:
                return place + 1
        raise Refusal(
            "item_create_invalid_previous_item_id",
            f"Error adding item: the previous item with id '{after}' does not exist.",
            "previous_item_id",
        )

    def _before(self, place: int) -> str | None:
        return self._entries[place - 1].id if place else None

    def _get(self, item_id: str, verb: str) -> Entry:
        entry = self.find(item_id)
        if entry is None:
            raise Refusal(
                f"item_{verb}_invalid_item_id",
                f"Error: the item with id '{item_id}' does not exist.",
                "item_id",
            )
        return entry

    def _shortened(self, entry: Entry) -> Entry:
        """Return the entry without what a truncate has taken from it."""
        end_ms = self._cut.get(entry.id)
        if end_ms is None or not isinstance(entry.item, MessageItem):
            return entry
        content = [
            replace(part, transcript=UNSET) if i in entry.clips else part
            for i, part in enumerate(entry.item.content or ())
        ]
        clips = {i: clip.until(end_ms) for i, clip in entry.clips.items()}
        return Entry(replace(entry.item, content=tuple(content)), clips)


def _check_end(clip: Clip, end_ms: int) -> None:
    if end_ms < 0:
        raise Refusal(
            "integer_below_min_value",
            "Invalid 'audio_end_ms': integer below minimum value. "
            f"Expected a value >= 0, but got {end_ms} instead.",
            "audio_end_ms",
        )
    if end_ms > clip.duration_ms:
        raise Refusal(
            "invalid_value",
            f"Audio content of {clip.duration_ms}ms is already shorter than {end_ms}ms",
            "audio_end_ms",
        )
