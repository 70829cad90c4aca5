"""`client.playback`: what the listener has really heard, as far as the player tells.

A response is generated several times faster than it is spoken, and an interruption is to cut
what was not heard, and nothing else. What is taken from an audio stream counts as handed to the
player, in the order in which it is taken. How much of that has been played the player says: as
milliseconds of all that it was handed, or by marks. Where it says nothing the clock is the
estimate: playing begins with the first chunk that is taken, and goes on at its own pace.
"""

from __future__ import annotations

import anyio

from realtime_client.connection import Connection
from realtime_client.playback import PlaybackLedger, Progress, StopPlaying
from realtime_client.streams import Once

__all__ = ["Playback"]


class Playback:
    """What a player says, and what it is told. All times are in milliseconds of audio."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _ledger(self) -> PlaybackLedger:
        return self._connection.protocol.playback

    def stops(self) -> Once[StopPlaying]:
        """Every interruption from now on: the player is to throw away what it has not played.

        A chunk that was taken before is not to be written after it. Then `count_from` tells
        what the player counts from next.
        """
        self._connection.check_alive()
        return self._connection.watches.new_stops()

    def played(self, ms: float, item_id: str | None = None, content_index: int = 0) -> None:
        """So much has been played: of all that was taken since the beginning, or of one item.

        `ms` counts up and is never less than before. Say `played(0)` before the first sound, or
        the clock counts from the first chunk that is taken. Like all of this, it belongs to the
        thread of the event loop: a device's own thread has to hand its count over.

        Raises:
            UsageError: Not a number, or less than 0.
        """
        self._ledger.played(ms, item_id, content_index)

    def mark(self, name: str) -> None:
        """Put a mark behind what has been taken so far, for players that send marks back."""
        self._ledger.mark(name)

    def marked(self, name: str) -> bool:
        """The player has come to a mark: all that is before it has been played.

        Returns False for one that is not known, as after an interruption.
        """
        return self._ledger.marked(name)

    def flushed(self) -> None:
        """The player has thrown away what it had not played."""
        self._ledger.flushed(anyio.current_time())

    def count_from(self, ms: float) -> None:
        """After a stop: the count that the player has now, 0 where it begins anew.

        A player across a network has to answer first: a report that it sent before it got the
        stop is taken for what comes next.
        """
        self._ledger.count_from(ms)

    def forget(self, item_id: str) -> None:
        """Nobody is going to play this message: it is left as it is, and never truncated.

        To close its audio stream before anything was taken does the same.
        """
        self._ledger.forget(item_id)

    def heard(self, item_id: str, content_index: int = 0) -> Progress | None:
        """How far a message has come; None where it is not known, or heard to its end."""
        return self._ledger.heard(item_id, content_index, anyio.current_time())

    @property
    def is_playing(self) -> bool:
        """Whether there is audio that was taken and has not been played."""
        return self._ledger.is_playing(anyio.current_time())
