"""The line of all audio that was handed over, one chunk behind the other, on one ruler.

A player pulls audio and plays it in order through one device. It does not know messages; it
knows how much it has played in all. So everything handed over gets its place on a line, and
where the player is on that line is the playhead. A place is counted in ticks: the second has
so many of them that every usual sampling rate, and the millisecond, is a whole number of them;
sums are exact however long the session lasts.

Without a word from the player the playhead is a guess of the clock: playing starts when the
first audio is handed over, at real time, and stands still where there is nothing to play. The
first report ends the guessing for good.
"""

from __future__ import annotations

from collections import deque
from math import isfinite
from typing import Final

from realtime_client.errors import UsageError

__all__ = ["MS", "TICKS", "Line", "ticks_of"]

TICKS: Final = 705_600_000
"""Ticks in a second: a multiple of 8,000, 11,025, 16,000, 22,050, 24,000, 44,100, 192,000 ..."""

MS: Final = TICKS // 1000
"""Ticks in a millisecond."""

MARKS: Final = 65_536
"""How many marks may be under way; past it the oldest is forgotten."""


def ticks_of(ms: object) -> int:
    """A count of milliseconds that somebody reports, in ticks.

    Raises:
        UsageError: It is negative, or no number.
    """
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not isfinite(ms) or ms < 0:
        raise UsageError(f"what was played is in milliseconds, 0 or more; got {ms!r}")
    return round(ms * MS)


class Line:
    """What was handed over, and how far the player is."""

    __slots__ = ("_marks", "_playhead", "_run", "_shift", "end", "is_estimate", "start")

    def __init__(self) -> None:
        self.start = 0
        """Where the audio begins that was handed over since playing was last stopped."""
        self.end = 0
        """Where it ends."""
        self.is_estimate = True
        """Whether the clock has to guess, because the player has not reported yet."""
        self._playhead = 0
        self._shift = 0  # from the player's own count to the line
        self._run = (0, 0.0)  # the place and the time at which it began to play without a gap
        self._marks: deque[tuple[str, int]] = deque(maxlen=MARKS)

    def playhead(self, now: float) -> int:
        """How far the player is, from what it reported or by the clock."""
        if not self.is_estimate:
            return self._playhead
        place, since = self._run
        return min(self.end, place + round((now - since) * TICKS))

    def is_playing(self, now: float) -> bool:
        """Whether there is more to be played than whole milliseconds leave unsaid."""
        return self.end - self.playhead(now) >= MS

    def grow(self, ticks: int, now: float) -> None:
        """More was handed over."""
        if self.playhead(now) == self.end:
            self._run = (self.end, now)
        self.end += ticks

    def played(self, ms: float) -> None:
        """The player has played so much in all, by its own count.

        What is beyond the line is nothing of ours: silence of its own, or the last of what it
        was told to throw away. Its count goes on from there. A fraction of a millisecond is
        rounding, and would add up.
        """
        place = ticks_of(ms) + self._shift
        beyond = place - self.end
        if beyond >= MS:
            self._shift -= beyond
        self.reach(place)

    def reach(self, place: int) -> None:
        """The player reports to be here. Reports that cross are late, so it is never taken back."""
        self.is_estimate = False
        self._playhead = min(self.end, max(self._playhead, place))

    def count_from(self, ms: float) -> None:
        """The player's count is `ms` at the place where playing was last stopped."""
        self._shift = self.start - ticks_of(ms)
        self.reach(self.start)

    def mark(self, name: str) -> None:
        """Remember this place under a name; one that is used again means each in its turn.

        Who sets marks will report.
        """
        self.is_estimate = False
        self._marks.append((name, self.end))

    def marked(self, name: str) -> bool:
        """Everything up to the mark was played; whether there is such a mark."""
        if not any(name == known for known, _ in self._marks):
            return False
        while True:
            known, place = self._marks.popleft()
            if known == name:
                self.reach(place)
                return True

    def stop(self, now: float) -> None:
        """The player throws away what it has not played."""
        if self.is_playing(now):
            self.end = self.playhead(now)
        self.start = self.end
        self._marks.clear()
