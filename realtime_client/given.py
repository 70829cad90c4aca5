"""Numbers and choices that a caller gives, looked at before anything is done with them.

A time-out that is a text, or no number at all, fails as late as it is first compared: in the
midst of a session, far from the line that has it wrong. So it is looked at where it is given,
and refused by its name, with its range. A bool is a number to Python, and to nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

from realtime_client.errors import UsageError

__all__ = ["check_choice", "check_kind", "check_seconds", "check_whole"]


def check_seconds(name: str, value: object, *, zero: bool) -> None:
    """Raise for what is no time: more than 0 seconds, or with `zero` 0 or more. Inf is one.

    Raises:
        UsageError: It names the parameter and its range.
    """
    number = float(value) if not isinstance(value, bool) and isinstance(value, Real) else -1.0
    if not (number > 0 or (zero and number == 0)):  # NaN is neither
        raise _refusal(name, value, f"in seconds, {'0 or more' if zero else 'more than 0'}")


def check_whole(name: str, value: object, low: int, high: int | None = None) -> None:
    """Raise for what is no whole number from `low` to `high`.

    Raises:
        UsageError: It names the parameter and its range.
    """
    if not isinstance(value, bool) and isinstance(value, Integral):
        number = int(value)
        if low <= number and (high is None or number <= high):
            return
    end = "or more" if high is None else f"to {high:,}"
    raise _refusal(name, value, f"a whole number, {low:,} {end}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise for what is none of the choices, of which there are at least two.

    Raises:
        UsageError: It names the parameter and the choices.
    """
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        raise _refusal(name, value, f"{', '.join(others)} or {last}")


def check_kind(name: str, value: object, kind: type, what: str) -> None:
    """Raise for what is neither of this kind nor None, which switches it off.

    Raises:
        UsageError: It names the parameter and what it is.
    """
    if value is not None and not isinstance(value, kind):
        raise _refusal(name, value, what)


def _refusal(name: str, value: object, what: str) -> UsageError:
    return UsageError(f"{name} is {what}; got {value!r}; nothing was sent")
