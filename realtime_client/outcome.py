"""What became of a request: one value for each, made exactly once.

A request is a client event that the server answers. It is named by the `event_id` that we
put on it, because "no success event echoes it; only `error.error.event_id` does": a machine
finds the success by what the success is about, and the error by that name. Either way the
shell gets one `Outcome` and wakes the one who waits for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from realtime_client.errors import RealtimeError

__all__ = ["Outcome"]


class Outcome(NamedTuple):
    """The end of the request named `event_id`: its `answer`, or the `error` that ended it."""

    event_id: str
    answer: Any = None
    error: RealtimeError | None = None
