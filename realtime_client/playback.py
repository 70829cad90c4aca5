"""How far each message has come: received from the server, handed to the listener.

A response is generated several times faster than it is spoken, so "how much was said" has
more than one answer, and an interruption must truncate at what was *heard*. The ledger
counts per (item, content) in bytes of the session's output format; playing is the player's
to report and comes with interruption.
"""

from __future__ import annotations

__all__ = ["PlaybackLedger"]


class PlaybackLedger:
    """Bytes of audio received, by item and content index."""

    __slots__ = ("_received",)

    def __init__(self) -> None:
        self._received: dict[tuple[str, int], int] = {}

    def on_audio(self, item_id: str, content_index: int, nbytes: int) -> None:
        """An audio delta arrived."""
        key = (item_id, content_index)
        self._received[key] = self._received.get(key, 0) + nbytes

    def received(self, item_id: str, content_index: int = 0) -> int:
        """How many bytes of this content have arrived."""
        return self._received.get((item_id, content_index), 0)

    def forget(self, item_id: str) -> None:
        """The item is over; its counts are no longer needed."""
        for key in [key for key in self._received if key[0] == item_id]:
            del self._received[key]
