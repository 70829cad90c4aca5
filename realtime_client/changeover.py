"""What a client is told when its connection changes: what is gone, and what came with it.

A connection that is lost ends every handle that was held on it. What the next one knows of the
session is said here, to the item and to the sample, so that nobody has to guess.
"""

from __future__ import annotations

from dataclasses import dataclass

from realtime_client.acknowledgement import Effective
from realtime_client.carrying import LeftBehind, Restored
from realtime_client.errors import RealtimeError
from realtime_client.input import Span
from realtime_client.leaves import Drift

__all__ = ["Disconnected", "Reconnected"]


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is lost, and another one is tried for."""

    error: RealtimeError


@dataclass(frozen=True, slots=True)
class Reconnected:
    """Another connection is in force.

    `planned`: the old one was replaced before the server ended it. `error` is why its handles
    have ended. `tries` connections were tried in `seconds` without one; 0 if planned.

    `effective` is the session that the server has acknowledged, `ignored` where it is not what
    was asked for. `restored` are the items that the new session has, `not_restored` those that
    it has not, with the reason, and `forgotten` how many more there were that nobody here knew
    (`max_items`).

    `replayed` samples of the wire's rate, which were in no turn, were said again; those of
    `dropped`, just before them, were not, and no server has them in a turn. Both count from the
    first sample that the client ever appended.
    """

    planned: bool
    error: RealtimeError
    tries: int
    seconds: float
    effective: Effective | None
    ignored: tuple[Drift, ...]
    restored: tuple[Restored, ...]
    not_restored: tuple[LeftBehind, ...]
    forgotten: int
    replayed: Span
    dropped: Span
