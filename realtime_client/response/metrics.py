"""When it was asked for, when it spoke, when it ended, and what that makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from realtime_client.events import Usage

__all__ = ["Metrics", "Timings"]


class Timings(NamedTuple):
    """The moments of a response, in seconds on the clock of the event loop; None: not yet."""

    asked: float | None = None
    """When the create was called; None for a response that nobody here asked for."""
    created: float | None = None
    """`response.created`."""
    first_audio: float | None = None
    """The first audio delta."""
    first_text: float | None = None
    """The first delta of a written text or of a transcript."""
    done: float | None = None
    """`response.done`; None where it ended without one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """The numbers of one response, each None as long as it is not known.

    - `time_to_first_audio`, `time_to_first_text`: seconds from the create, or from
      `response.created` where nobody here asked.
    - `duration`: seconds from `response.created` to the end.
    - `cancelled`: whether it ended so.
    - `usage`: its tokens by kind, as the server counts them.
    - `tokens_per_second`: output tokens in a second of `duration`.
    """

    time_to_first_audio: float | None
    time_to_first_text: float | None
    duration: float | None
    cancelled: bool
    usage: Usage | None
    tokens_per_second: float | None


def measured(timings: Timings, status: str, usage: Usage | None) -> Metrics:
    """The numbers that the moments of a response make."""
    start = timings.created if timings.asked is None else timings.asked
    duration = _between(timings.created, timings.done)
    tokens = (usage.output_tokens or None) if usage else None
    return Metrics(
        time_to_first_audio=_between(start, timings.first_audio),
        time_to_first_text=_between(start, timings.first_text),
        duration=duration,
        cancelled=status == "cancelled",
        usage=usage,
        tokens_per_second=tokens / duration if tokens and duration else None,
    )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start
