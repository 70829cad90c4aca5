"""What the ledger says: how far a part has come, what is to be cut, what the player has to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Cut", "Progress", "StopPlaying", "Unheard"]

Unheard = Literal["truncate", "delete"]
"""What becomes of an item of which nothing was heard: cut at 0, or taken out."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one part of an item has come, each in whole milliseconds, rounded down."""

    received_ms: int
    handed_ms: int
    played_ms: int
    transcript: str
    """The words that were played, as far as that can be told."""
    is_estimate: bool
    """Whether `played_ms` is a guess of the clock, because no player reports."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What is to be sent for one part of an item: a truncate, or a delete of the whole item."""

    item_id: str
    content_index: int
    audio_end_ms: int
    """Whole milliseconds that were heard: 0 or more, and never beyond what was received."""
    transcript: str
    """The words that were heard, as far as that can be told; the server drops them all."""
    is_estimate: bool
    deletes: bool = False
    """Whether the item is to be deleted, and not truncated."""


@dataclass(frozen=True, slots=True)
class StopPlaying:
    """Playing ends now: the player is to throw away what it has not played.

    `items` are the ids of those that are cut, in order: what is still unread of them is not to
    be read. `truncations` is what `interrupt` returned.
    """

    items: tuple[str, ...]
    truncations: tuple[Cut, ...]
