"""What is taken from an audio stream is handed to somebody's ears: the ledger is told."""

from __future__ import annotations

import anyio

from realtime_client.playback import PlaybackLedger

__all__ = ["Listening"]


class Listening:
    """Counts what is handed over of one item."""

    __slots__ = ("_item_id", "_ledger")

    def __init__(self, ledger: PlaybackLedger, item_id: str) -> None:
        self._ledger = ledger
        self._item_id = item_id

    def handed(self, part: int, size: int) -> None:
        """So many bytes of a part were taken to be played."""
        self._ledger.on_handed(self._item_id, part, size, anyio.current_time())

    def forget(self) -> None:
        """Nobody will play it."""
        self._ledger.forget(self._item_id)
