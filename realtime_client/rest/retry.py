"""When a request is sent again. Policy only: time and chance are arguments.

What matters is not the failure but what is known of the first try. One that never left, and one
of which the server says that it was not worked on, can be repeated whatever it asks for. One
that went out and was not answered may have been carried out: it is repeated only where doing it
twice is as good as doing it once, which is a property of the request and stands in a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from realtime_client.fatal import FATAL_STATUSES, is_fatal
from realtime_client.given import check_seconds, check_whole

__all__ = ["GONE", "REPEATABLE", "Fate", "Retry", "fate_of"]

REPEATABLE: Final[Mapping[str, bool]] = {
    # request                 twice?  because
    "client_secrets.create":  False,  # two keys would be valid, and one of them nobody's
    "calls.create":           False,  # two calls would be open, and one of them nobody's
    "calls.accept":           False,  # the second is refused, though the call was accepted
    "calls.refer":            False,  # two transfers ring twice
    "calls.reject":           True,   # a call that is gone is what was asked for
    "calls.hangup":           True,   # the same
}  # fmt: skip

GONE: Final = frozenset({404, 410})
"""What the repetition of a request is told that has ended its call the first time."""


class Fate(Enum):
    """What is known of a request that has failed."""

    UNDONE = "it never left, or the server says that it did nothing"
    UNKNOWN = "it went out, and the server may have acted"
    FINAL = "it is decided, and trying again cannot help"


def fate_of(status: int, *, named: tuple[str | None, ...], wait: float | None) -> Fate:
    """What a status other than success means for the request.

    `named` are the error's `code` and `type`, `wait` is what `Retry-After` asks for. 408, 425
    and 429 say that the request was not looked at: too slow, too early, too many. Any 5xx may
    come from a gateway that has only lost patience, but 503 with a `Retry-After` is a server
    that was not there.
    """
    if not 400 <= status < 600 or status in FATAL_STATUSES or is_fatal(None, *named):
        return Fate.FINAL
    if status < 500 or (status == 503 and wait is not None):
        return Fate.UNDONE
    return Fate.UNKNOWN


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long. All times are in seconds.

    `tries` is how many there are in all, within `total` seconds from the first on; nothing
    is waited for that would end later. Before the second there is a pause of up to `first`,
    then twice as long each time up to `longest`, less a random part of up to a half; it is
    longer where the server asks for more by `Retry-After`.

    Raises:
        UsageError: A number out of its range.
    """

    tries: int = 3
    total: float = 60.0
    first: float = 0.5
    longest: float = 8.0

    def __post_init__(self) -> None:
        check_whole("tries", self.tries, 1)
        check_seconds("total", self.total, zero=False)
        check_seconds("first", self.first, zero=True)
        check_seconds("longest", self.longest, zero=True)

    def delay(self, tried: int, left: float, chance: float, asked: float | None) -> float | None:
        """Seconds until the next try after `tried` of them; None where there is none.

        `left` is what is left of the time in all, `chance` is random, from 0 to 1, and
        `asked` is what the server asks for.
        """
        if tried >= self.tries:
            return None
        pause = min(self.longest, self.first * 2.0 ** min(tried - 1, 64)) * (1 - chance / 2)
        wait = max(pause, asked or 0.0)
        return wait if wait < left else None
