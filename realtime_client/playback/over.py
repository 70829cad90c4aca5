"""The items that are not counted any more, and why: heard to the end, cut, or played by nobody.

A server goes on with an item whatever became of it here. So the reason is kept beyond the counts:
what still comes of one that was cut is not played, and what comes of one that nobody plays is
not taken for unheard. Each kind is bounded; past that the oldest is forgotten.
"""

from __future__ import annotations

from typing import Final, TypeVar

__all__ = ["KEPT", "Over"]

KEPT: Final = 256
"""How many items are remembered of each kind: not played to their end, played to it, and so on."""

K = TypeVar("K")
V = TypeVar("V")


class Over:
    """What has become of the items that are over."""

    __slots__ = ("_cut", "_unplayed", "heard")

    def __init__(self) -> None:
        self.heard: dict[str, dict[int, str]] = {}
        """Of those that were heard to their end, what they said, by part."""
        self._cut: dict[tuple[str, int | None], None] = {}  # None: the whole item
        self._unplayed: dict[str, None] = {}

    def hear(self, item_id: str, words: dict[int, str]) -> None:
        """It was heard to its end."""
        bounded(self.heard, item_id, words)

    def cut(self, item_id: str, content_index: int | None) -> None:
        """A part of it was cut, or all of it."""
        bounded(self._cut, (item_id, content_index), None)

    def leave(self, item_id: str) -> None:
        """Nobody plays it."""
        bounded(self._unplayed, item_id, None)

    def is_cut(self, item_id: str, content_index: int) -> bool:
        """Whether this part was cut."""
        return (item_id, content_index) in self._cut or (item_id, None) in self._cut

    def was_cut(self, item_id: str) -> bool:
        """Whether any part of it was cut."""
        return any(item_id == one for one, _ in self._cut)

    def is_left(self, item_id: str) -> bool:
        """Whether nobody plays it."""
        return item_id in self._unplayed


def bounded(kept: dict[K, V], key: K, value: V) -> None:
    """Keep it as the newest; past `KEPT` the oldest goes."""
    kept[key] = value
    if len(kept) > KEPT:
        del kept[next(iter(kept))]
