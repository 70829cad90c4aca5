"""Where an output item stands, and the names by which its events say so."""

from dataclasses import dataclass
from typing import TypedDict

__all__ = ["ItemAt", "PartAt", "Place"]


class ItemAt(TypedDict):
    """The fields that place an event at an item of a response."""

    response_id: str
    item_id: str
    output_index: int


class PartAt(ItemAt):
    """The fields that place an event at a content part of an item."""

    content_index: int


@dataclass(frozen=True)
class Place:
    """One item of one response."""

    response_id: str
    item_id: str
    output_index: int

    @property
    def item(self) -> ItemAt:
        """The fields of an event about the item."""
        return {
            "response_id": self.response_id,
            "item_id": self.item_id,
            "output_index": self.output_index,
        }

    @property
    def part(self) -> PartAt:
        """The fields of an event about its one content part."""
        return {**self.item, "content_index": 0}
