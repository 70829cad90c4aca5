"""When to try again, how often, and what becomes of audio meanwhile. Policy only.

What is fatal (see `fatal`) is never tried again. Everything else may pass: a network that
drops, a server that restarts, a session at the end of its hour.

The tries of one outage are counted and bounded in time. A connection that opens and drops at
once has mended nothing, so it gives nothing back: the budget is whole again only after a
connection has been healthy for a while. What is random comes in as an argument, as time does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from realtime_client.errors import UsageError
from realtime_client.given import check_seconds, check_whole

__all__ = ["DROP", "Budget", "OutageAudio", "Reconnect", "keep"]


@dataclass(frozen=True, slots=True)
class OutageAudio:
    """What becomes of the audio that no turn holds when a connection is lost.

    That is what was appended and not committed, and what is said before there is a new
    connection. The newest `ms` milliseconds of it are kept and appended to the new session;
    the rest is dropped, and `Reconnected` says which samples that were.
    """

    ms: int

    def __post_init__(self) -> None:
        check_whole("the audio kept in an outage", self.ms, 0, 60_000)


DROP: Final = OutageAudio(0)
"""Nothing that was said before the new connection is there is heard."""


def keep(ms: int) -> OutageAudio:
    """Keep the newest milliseconds, 0 to 60,000."""
    return OutageAudio(ms)


@dataclass(frozen=True, slots=True)
class Reconnect:
    """How a lost connection is replaced. All times are in seconds.

    `tries` connections are tried, for at most `total` seconds from the loss on. Before the
    first there is a pause of up to `first`, then twice as long each time up to `longest`, less
    a random part of up to a half; one that would outlast `total` is the end. After `healthy`
    seconds of a connection the budget is whole again. `audio` is what becomes of what is said
    meanwhile: `DROP` or `keep(ms)`. With `opening` the first connection of a client is tried
    again in the same way.
    """

    tries: int = 8
    total: float = 60.0
    first: float = 0.25
    longest: float = 10.0
    healthy: float = 30.0
    audio: OutageAudio = OutageAudio(5_000)
    opening: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.audio, OutageAudio):
            raise UsageError(f"audio is DROP or keep(ms); got {self.audio!r}; nothing was sent")
        check_whole("tries", self.tries, 1)
        check_seconds("total", self.total, zero=False)
        check_seconds("first", self.first, zero=True)
        check_seconds("longest", self.longest, zero=True)
        check_seconds("healthy", self.healthy, zero=True)


class Budget:
    """What is left of the tries and of the time, across the connections of one client."""

    __slots__ = ("_by", "_opened", "_policy", "_tried")

    def __init__(self, policy: Reconnect) -> None:
        self._policy = policy
        self._tried = 0
        self._by = math.inf
        self._opened: float | None = None

    @property
    def tried(self) -> int:
        """The tries since the budget was whole."""
        return self._tried

    def on_open(self, now: float) -> None:
        """A connection is open. That alone gives nothing back."""
        self._opened = now

    def on_lost(self, now: float) -> None:
        """The connection is gone, or there never was one."""
        opened, self._opened = self._opened, None
        if opened is not None and now >= opened + self._policy.healthy:
            self._tried, self._by = 0, math.inf
        if self._by == math.inf:
            self._by = now + self._policy.total

    def next_delay(self, now: float, chance: float, asked: float = 0.0) -> float | None:
        """Seconds until the next try, which counts from here on; None where there is none.

        A try that would begin when the time is over is none. `chance` is random, from 0 to 1;
        `asked` is for how long the server wants to be left alone.
        """
        pause = min(self._policy.longest, self._policy.first * 2.0 ** min(self._tried, 64))
        delay = max(pause * (1 - chance / 2), asked)
        if self._tried >= self._policy.tries or now + delay >= self._by:
            return None
        self._tried += 1
        return delay

    def left(self, now: float) -> float:
        """Seconds until the end of the time in all."""
        return max(0.0, self._by - now)
