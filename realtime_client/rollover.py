"""When to change connections before the server ends the session. Policy only.

"`expires_at` is connect + 3600 s. At the end: `error` `session_expired`, then close 1001.
There is no resume." So a call that lasts longer than a session has to move in time, and best
while nobody speaks. The age of a connection is counted from its own start on the monotonic
clock, never by comparing the server's wall time with ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from realtime_client.errors import UsageError
from realtime_client.given import check_seconds

__all__ = ["Moments", "Rollover", "moments"]

LONGEST_REPLAY: Final = 600.0
"""Seconds that can be said again: 29 MB of 24 kHz PCM."""


@dataclass(frozen=True, slots=True)
class Rollover:
    """When a connection is replaced by a new one. All times are in seconds.

    From `age` on a quiet moment is looked for, during `window`: nobody speaks, no response is
    active or asked for, no tool runs, nothing is being played. Without an `age` the search
    begins so that it ends `margin` before the session does, where the length of a session is
    known (3,600 s on OpenAI), and so it does where the session is over before that `age`. When
    the search ends, or `margin` before the end of the session, the connection is replaced
    whatever goes on; of an utterance that goes on, the newest `replay` seconds (at most 600)
    are said again to the new session.
    """

    age: float | None = None
    window: float = 300.0
    margin: float = 20.0
    replay: float = 30.0

    def __post_init__(self) -> None:
        if self.age is not None:
            check_seconds("age", self.age, zero=False)
        check_seconds("window", self.window, zero=True)
        check_seconds("margin", self.margin, zero=True)
        check_seconds("replay", self.replay, zero=True)
        if self.replay > LONGEST_REPLAY:
            raise UsageError(f"replay is at most {LONGEST_REPLAY:g} seconds; got {self.replay!r}")


class Moments(NamedTuple):
    """Between which times a connection is replaced."""

    first: float
    latest: float


def moments(policy: Rollover, opened: float, session_seconds: float | None) -> Moments | None:
    """When to replace a connection that was `opened` then; None for never."""
    if session_seconds is None:
        if policy.age is None:
            return None
        return Moments(opened + policy.age, opened + policy.age + policy.window)
    # However short a session is: no new one is looked for in the first half of it, or every
    # connection would be replaced as soon as it is there.
    latest = session_seconds - min(policy.margin, session_seconds / 4)
    first = max(latest - policy.window, session_seconds / 2)
    if policy.age is not None and policy.age < latest:
        first, latest = policy.age, min(policy.age + policy.window, latest)
    return Moments(opened + min(first, latest), opened + latest)
