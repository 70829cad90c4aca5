"""What is to happen later, in the order in which it is due.

A server's answers come over time: deltas at the pace of speech, a transcription when it is
ready, the end of the session after an hour. Each is an entry with a time. The agenda never
looks at a clock; whoever owns it says what time it is, so a virtual clock works as well as
a real one. While an entry runs, `now` is the time that it was due at, so that a late caller
does not shift what follows. Entries of the same time run in the order in which they were
put down, which is how responses and transcriptions that run at once interleave.
"""

import heapq
from collections.abc import Callable

__all__ = ["Agenda"]


class Agenda:
    """Actions by time. An action may put down others, also for the time that it runs at."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.now = 0.0

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Put `action` down for the time `when`, in seconds of the owner's clock."""
        heapq.heappush(self._entries, (when, self._count, action))
        self._count += 1

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Put `action` down for `delay` seconds from now."""
        self.at(self.now + delay, action)

    def next_due(self) -> float | None:
        """Return the time of the next action, or None where nothing is planned."""
        return self._entries[0][0] if self._entries else None

    def run(self, now: float) -> None:
        """Run everything that is due at `now`, one after the other; then it is `now`."""
        while self._entries and self._entries[0][0] <= now:
            self.now, _, action = heapq.heappop(self._entries)
            action()
        self.now = now

    def clear(self) -> None:
        """Forget everything that was planned."""
        self._entries.clear()
