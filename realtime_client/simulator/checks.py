"""Checks of what a client sent, made of small pieces.

A server's validation is a tree with the shape of the event, so it is written as one: each
piece takes a JSON value and its path and returns the value to keep, or raises the refusal
that names the path. OpenAI's server checks before it changes anything and stops at the first
fault; so do these. An unknown field is a fault of its own (`unknown_parameter`), which is why
they work on plain JSON and not on decoded events, where unknown keys are gone already.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from realtime_client.simulator.refusal import Refusal

__all__ = [
    "Check",
    "anything",
    "array",
    "flag",
    "integer",
    "join",
    "mapping",
    "missing",
    "nullable",
    "number",
    "one_of",
    "record",
    "shape",
    "string",
    "variant",
]

Check: TypeAlias = Callable[[Any, str], Any]
"""Takes a JSON value and its path; returns the value to keep or raises `Refusal`."""

_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def join(path: str, name: str) -> str:
    """Return the path of a field; the event itself is the empty path."""
    return f"{path}.{name}" if path else name


def missing(path: str) -> Refusal:
    """Say that a field must be there."""
    return Refusal("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def _wrong_type(value: Any, path: str, wanted: str) -> Refusal:
    got = _NAMES[type(value)]
    return Refusal(
        "invalid_value", f"Invalid type for '{path}': expected {wanted}, but got {got}.", path
    )


def anything(value: Any, path: str) -> Any:
    """Accept any JSON value."""
    return value


def flag(value: Any, path: str) -> bool:
    """Accept true and false."""
    if not isinstance(value, bool):
        raise _wrong_type(value, path, "a boolean")
    return value


def string(max_length: int | None = None) -> Check:
    """Accept a string of at most `max_length` characters."""

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise _wrong_type(value, path, "a string")
        if max_length is not None and len(value) > max_length:
            raise Refusal(
                "string_above_max_length",
                f"Invalid '{path}': string too long. Expected at most {max_length} characters, "
                f"but got {len(value)}.",
                path,
            )
        return value

    return check


def integer(low: int, high: int | None = None) -> Check:
    """Accept an integer from `low` to `high`, both included."""

    def check(value: Any, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong_type(value, path, "an integer")
        if value < low:
            raise Refusal(
                "integer_below_min_value",
                f"Invalid '{path}': integer below minimum value. "
                f"Expected a value >= {low}, but got {value} instead.",
                path,
            )
        if high is not None and value > high:
            raise Refusal(
                "invalid_value",
                f"Invalid '{path}': expected a value <= {high}, but got {value} instead.",
                path,
            )
        return value

    return check


def number(low: float, high: float) -> Check:
    """Accept a number from `low` to `high`, both included."""

    def check(value: Any, path: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _wrong_type(value, path, "a decimal")
        if not low <= value <= high:
            raise Refusal(
                "invalid_value",
                f"Invalid '{path}': expected a value from {low:g} to {high:g}, but got {value:g}.",
                path,
            )
        return float(value)

    return check


def one_of(*choices: str) -> Check:
    """Accept one of these strings."""
    text = string()

    def check(value: Any, path: str) -> str:
        if text(value, path) not in choices:
            supported = ", ".join(f"'{choice}'" for choice in choices)
            raise Refusal(
                "invalid_value",
                f"Invalid value: '{value}'. Supported values are: {supported}.",
                path,
            )
        return str(value)

    return check


def nullable(inner: Check) -> Check:
    """Accept null as well."""
    return lambda value, path: None if value is None else inner(value, path)


def shape(**by_kind: Check) -> Check:
    """Choose the check by the JSON type: `string=`, `object=`, `integer=` or `array=`."""
    kinds = {"string": str, "object": dict, "integer": int, "array": list}
    table = {kinds[name]: inner for name, inner in by_kind.items()}
    wanted = " or ".join(_NAMES[kind] for kind in table)

    def check(value: Any, path: str) -> Any:
        inner = table.get(type(value))
        if inner is None:
            raise _wrong_type(value, path, wanted)
        return inner(value, path)

    return check


def array(inner: Check) -> Check:
    """Accept a list of what `inner` accepts."""

    def check(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong_type(value, path, "an array")
        return [inner(element, f"{path}[{i}]") for i, element in enumerate(value)]

    return check


def mapping(inner: Check, *, pairs: int | None = None, key_length: int | None = None) -> Check:
    """Accept an object of at most `pairs` free keys of at most `key_length` characters."""
    key_check = string(key_length)

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong_type(value, path, "an object")
        if pairs is not None and len(value) > pairs:
            raise Refusal(
                "invalid_value",
                f"Invalid '{path}': expected at most {pairs} pairs, but got {len(value)}.",
                path,
            )
        return {key_check(key, path): inner(item, f"{path}.{key}") for key, item in value.items()}

    return check


def record(fields: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """Accept an object with these fields and no others."""

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong_type(value, path, "an object")
        for name in required:
            if name not in value:
                raise missing(join(path, name))
        for name in value:
            if name not in fields:
                unknown = join(path, name)
                raise Refusal("unknown_parameter", f"Unknown parameter: '{unknown}'.", unknown)
        return {name: fields[name](item, join(path, name)) for name, item in value.items()}

    return check


def variant(**by_type: Check) -> Check:
    """Choose the check by the object's `type`, which is required."""
    tag = one_of(*by_type)

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong_type(value, path, "an object")
        if "type" not in value:
            raise missing(join(path, "type"))
        return by_type[tag(value["type"], join(path, "type"))](value, path)

    return check
