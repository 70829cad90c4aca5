"""How long a server wants to be left alone, as HTTP says it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["retry_after"]


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """How many seconds a server wants to be left alone, 0 or more; None where it does not say.

    `headers` by lower-case names. `Retry-After` is a number of seconds or a date, and some
    servers say it more finely in `retry-after-ms`. A date is compared with the `Date` of the
    same answer, which is the same clock; with `wall`, ours, only where there is none.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name, ""))
        if seconds is not None:
            return seconds * unit
    then = _date(headers.get("retry-after", ""))
    if then is None:
        return None
    now = _date(headers.get("date", ""))
    return max(0.0, then - (wall if now is None else now))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number >= 0 and not math.isnan(number) else None


def _date(text: str) -> float | None:
    """An HTTP date in seconds since 1970. One without a zone is UTC, not ours."""
    try:
        date: datetime = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
