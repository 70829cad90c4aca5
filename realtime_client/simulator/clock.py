"""Two clocks for a session: the event loop's, and one that a test moves by hand.

Waiting is one question: has something happened, or is it time? A session that has nothing
due waits for ever without a timer; nothing here polls.
"""

import math
from typing import Protocol

import anyio
import anyio.lowlevel

__all__ = ["Clock", "LoopClock", "ManualClock"]


class Clock(Protocol):
    """Where a session's `now` comes from, in seconds."""

    def now(self) -> float:
        """Return the time."""

    async def wait(self, wake: anyio.Event, deadline: float | None) -> None:
        """Return once `wake` is set or `deadline` has come, whichever is first."""


class LoopClock:
    """The running event loop's clock; a virtual one where the loop has a virtual one."""

    def now(self) -> float:
        """Return the loop's time."""
        return anyio.current_time()

    async def wait(self, wake: anyio.Event, deadline: float | None) -> None:
        """Return once `wake` is set or `deadline` has come."""
        with anyio.CancelScope(deadline=math.inf if deadline is None else deadline):
            await wake.wait()


class ManualClock:
    """A clock that stands still until `advance` moves it."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._waiting: list[tuple[float, anyio.Event]] = []

    def now(self) -> float:
        """Return the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on, and wake who waited for a time that has now come."""
        if seconds < 0:
            raise ValueError(f"time does not go back; got {seconds!r}")
        self._now += seconds
        for deadline, wake in self._waiting:
            if deadline <= self._now:
                wake.set()

    async def wait(self, wake: anyio.Event, deadline: float | None) -> None:
        """Return once `wake` is set or `deadline` has come."""
        if deadline is not None and deadline <= self._now:
            await anyio.lowlevel.checkpoint()
            return
        entry = (math.inf if deadline is None else deadline, wake)
        self._waiting.append(entry)
        try:
            await wake.wait()
        finally:
            self._waiting.remove(entry)
