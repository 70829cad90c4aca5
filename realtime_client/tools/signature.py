"""What a function says of its arguments: types in the signature, words in the docstring."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from realtime_client.errors import InvalidTool
from realtime_client.events import UNSET, UnsetType

__all__ = ["arguments_of", "documented"]

_SECTION: Final = re.compile(r"(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):")
_ENTRY: Final = re.compile(r"\**(\w+)(?:\s*\(.*?\))?:(.*)")


def arguments_of(
    function: Callable[..., Any], named: str, parameters: Mapping[str, inspect.Parameter]
) -> type[msgspec.Struct]:
    """The function's parameters as a struct, in which what has a default may be missing."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, parameter in parameters.items():
        _check(parameter, named)
        kind = _resolved(function, parameter, named)
        if parameter.default is parameter.empty:
            fields.append((name, kind))
        else:
            fields.append((name, kind | UnsetType, UNSET))
        _refuse_foreign(fields[-1], named)
    return msgspec.defstruct(named, fields, kw_only=True, forbid_unknown_fields=True)


def _refuse_foreign(field: tuple[str, Any] | tuple[str, Any, Any], named: str) -> None:
    """Refuse a type that JSON cannot carry, or that could not be told from its neighbour."""
    alone = msgspec.defstruct(named, [field])
    try:
        msgspec.json.schema(alone)
    except (TypeError, NameError) as error:
        problem = " ".join(str(error).split())
        raise InvalidTool(
            f"{named}, parameter {field[0]!r}: its type cannot come as JSON ({problem}); use plain "
            "types, Literal, Enum, list, dict, a msgspec.Struct, a dataclass or a TypedDict"
        ) from None


def _check(parameter: inspect.Parameter, named: str) -> None:
    where = f"{named}, parameter {parameter.name!r}"
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise InvalidTool(f"{where}: arguments come by name; remove the `/` after it")
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise InvalidTool(
            f"{where}: the model has to know each argument; name them, "
            "or take one `list[...]` or `dict[str, ...]`"
        )
    if parameter.annotation is parameter.empty:
        what = "; of a method, decorate the bound one: tool(thing.method)"
        raise InvalidTool(
            f"{where}: it has no type; write {parameter.name}: str, or what it is"
            + what * (parameter.name in ("self", "cls"))
        )


def _resolved(function: Callable[..., Any], parameter: inspect.Parameter, named: str) -> Any:
    """The type of a parameter, also where it was written as text."""
    names = getattr(inspect.unwrap(function), "__globals__", {})
    # Only this one: what a function returns may be known to type checkers alone.
    holder = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        return typing.get_type_hints(holder, globalns=names, include_extras=True)[parameter.name]
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise InvalidTool(
            f"{named}, parameter {parameter.name!r}: its type {parameter.annotation!r} cannot be "
            f"read ({error}); define or import it at the top of the module, not inside a "
            "function and not under TYPE_CHECKING"
        ) from None


def documented(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring says of the whole, and in its `Args:` of each argument."""
    about: list[str] = []
    meanings: dict[str, str] = {}
    section, name, base = "", "", 0
    for line in text.splitlines():
        heading = _SECTION.fullmatch(line.rstrip())
        if heading or (section and line[:1].strip()):
            section = heading[1] if heading else "other"
        elif not section:
            about.append(line)
        elif section in ("Args", "Arguments", "Parameters"):
            entry = _ENTRY.fullmatch(line.strip())
            depth = len(line) - len(line.lstrip())
            base = depth if not meanings else base
            if entry and depth <= base:
                name = entry[1]
                meanings[name] = entry[2].strip()
            elif name:
                meanings[name] = f"{meanings[name]} {line.strip()}".strip()
    return "\n".join(about).strip(), meanings
