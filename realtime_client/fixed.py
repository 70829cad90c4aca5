"""What the server has fixed, and what it can never accept: refused before a byte is sent.

An update is discarded whole when one field is wrong, so a mistake that can be known here
must not take the valid fields beside it down. Only documented facts are in this table; what
is merely unusual is the server's to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from realtime_client.errors import InvalidConfig
from realtime_client.leaves import Leaves, Path, dotted, same

__all__ = ["refuse", "refuse_impossible"]

_VOICE: Final = ("audio", "output", "voice")
_MODEL: Final = ("model",)
_TYPE: Final = ("type",)
_TRACING: Final = ("tracing",)


def refuse(asked: Leaves, acknowledged: Leaves, *, spoken: bool) -> None:
    """Raise for what this session cannot change any more, and for what can never be.

    Raises:
        InvalidConfig: It names the field, the reason, and what to do.
    """
    refuse_impossible(asked)
    for path, reason in _frozen(acknowledged, spoken=spoken).items():
        current = acknowledged.get(path)
        if path in asked and current is not None and not same(asked[path], current):
            raise InvalidConfig(f"{dotted(path)} is {current!r} and cannot change: {reason}")


def _frozen(acknowledged: Leaves, *, spoken: bool) -> Mapping[Path, str]:
    frozen: dict[Path, str] = {
        _TYPE: "a session's kind is fixed when it is opened; open another one",
        _MODEL: "a session's model is fixed when it is opened; open another one",
    }
    if spoken:
        frozen[_VOICE] = "the model has spoken with it; choose the voice before the first word"
    if acknowledged.get(_TRACING) is not None:
        frozen[_TRACING] = "tracing cannot be changed once it is on"
    return frozen


def refuse_impossible(asked: Leaves) -> None:
    """Raise for values outside their documented ranges."""
    for path, value in asked.items():
        if value is None:
            continue
        for name, check in _RULES.get(path, {}).items():
            field = value.get(name) if name and isinstance(value, dict) else value
            if (name and not isinstance(value, dict)) or field is None:
                continue
            problem = check(field)
            if problem:
                where = dotted((*path, name) if name else path)
                raise InvalidConfig(f"{where} is {field!r}; it must be {problem}")


def _between(low: float, high: float, unit: str = "") -> Callable[[Any], str]:
    def check(value: Any) -> str:
        fits = isinstance(value, (int, float)) and low <= value <= high
        return "" if fits else f"{low:g} to {high:g}{unit}"

    return check


def _at_least(low: int, unit: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        return "" if isinstance(value, (int, float)) and value >= low else f"{low} {unit} or more"

    return check


def _modalities(value: Any) -> str:
    """ "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and
    ['audio']."""
    if isinstance(value, (list, tuple)) and list(value) in (["audio"], ["text"]):
        return ""
    return "['audio'] or ['text'], never both; audio comes with its transcript anyway"


def _tokens(value: Any) -> str:
    fits = value == "inf" or (isinstance(value, int) and 1 <= value <= 4096)
    return "" if fits else "1 to 4096, or 'inf'"


_RULES: Final[Mapping[Path, Mapping[str, Callable[[Any], str]]]] = {
    ("audio", "output", "speed"): {"": _between(0.25, 1.5)},
    ("output_modalities",): {"": _modalities},
    ("max_output_tokens",): {"": _tokens},
    ("truncation",): {"retention_ratio": _between(0, 1)},
    ("audio", "input", "turn_detection"): {
        "threshold": _between(0, 1),
        "prefix_padding_ms": _at_least(0, "ms"),
        "silence_duration_ms": _at_least(0, "ms"),
        "idle_timeout_ms": _between(5_000, 30_000, " ms, or null"),
    },
}
"""By path, and by field for objects; "" is the leaf itself."""
