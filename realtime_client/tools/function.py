"""`@tool`, and the two ways of a call: the model's arguments in, the function's result out."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, ParamSpec, TypeVar, overload

import msgspec

from realtime_client.errors import InvalidTool, ToolError
from realtime_client.events import UNSET, FunctionTool
from realtime_client.tools.schema import schema_of
from realtime_client.tools.signature import arguments_of, documented

__all__ = [
    "MAX_OUTPUT",
    "ToolError",
    "ToolFunction",
    "error_text",
    "output_text",
    "refuse_undecorated",
    "tool",
]

P = ParamSpec("P")
R = TypeVar("R")

MAX_OUTPUT: Final = 256_000
"""Characters in the output of a call; a longer text is refused by the server."""

MAX_ERROR: Final = 4_000
"""Characters of an error that go to the model."""

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, eq=False)
class ToolFunction(Generic[P, R]):
    """A function that the model may call. Called from Python it is the function still.

    - `function`: the function itself.
    - `definition`: what the model is told of it; this is what goes on the wire.
    - `timeout`: seconds for one call; None is the toolbox's own limit.
    """

    function: Callable[P, R]
    definition: FunctionTool
    timeout: float | None
    _decoder: msgspec.json.Decoder[Any] = field(repr=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self.function(*args, **kwargs)

    @property
    def name(self) -> str:
        """What the model calls it by."""
        return str(self.definition.name)

    @property
    def is_async(self) -> bool:
        """Whether it runs in the event loop; what does not runs in a thread."""
        return inspect.iscoroutinefunction(self.function)

    def parse(self, arguments: str) -> dict[str, Any]:
        """The keyword arguments that the model's JSON text stands for.

        No text at all stands for no arguments. Nothing is converted: `"3"` is not a number.

        Raises:
            ToolError: They do not fit; its message says where and how, to the model.
        """
        try:
            given = self._decoder.decode(arguments.strip() or "{}")
        except msgspec.ValidationError as error:
            if error.__cause__ is not None:  # raised by a type of the user's own, in its own words
                raise error.__cause__ from None
            raise ToolError(f"wrong arguments for {self.name}: {error}") from None
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            raise ToolError(
                f"the arguments for {self.name} are not a JSON object: {error}"
            ) from None
        values = ((name, getattr(given, name)) for name in given.__struct_fields__)
        return {name: value for name, value in values if value is not UNSET}


@overload
def tool(function: Callable[P, R], /) -> ToolFunction[P, R]: ...


@overload
def tool(
    *, name: str | None = None, description: str | None = None, timeout: float | None = None
) -> Callable[[Callable[P, R]], ToolFunction[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
) -> ToolFunction[P, R] | Callable[[Callable[P, R]], ToolFunction[P, R]]:
    """Offer a typed function to the model: `@tool`, or `@tool(name=..., timeout=...)`.

    It may be a function or a bound method, sync or async; a sync one runs in a thread. Each
    parameter needs a type that JSON can carry: the plain ones, `Literal`, `Enum`, `list`,
    `dict`, `X | None`, a `msgspec.Struct`, dataclass or `TypedDict` of these. One with a
    default may be left out by the model.

    `name` is what the model calls it by, the function's own if not given: at most 64 letters,
    digits, `_` and `-`. `description` is the docstring up to its first section, if not given.
    `timeout` in seconds limits one call, `math.inf` does not.

    Raises:
        InvalidTool: The signature does not say what may be passed.
    """

    def make(function: Callable[P, R]) -> ToolFunction[P, R]:
        return _make(function, name=name, description=description, timeout=timeout)

    return make if function is None else make(function)


def refuse_undecorated(given: object) -> None:
    """Refuse a function that is given as a tool, alone or among others, without `@tool`.

    Raises:
        InvalidTool: It names the function.
    """
    for one in given if isinstance(given, (list, tuple)) else (given,):
        if callable(one) and not isinstance(one, ToolFunction):
            name = getattr(one, "__name__", None) or repr(one)
            raise InvalidTool(
                f"{name} is not a tool as it is, the model knows nothing of it; put @tool on it"
            )


def output_text(value: object) -> str:
    """What goes to the model for a returned value: a str as it is, everything else as JSON.

    Raises:
        ToolError: It is no JSON, or longer than `MAX_OUTPUT`.
    """
    if isinstance(value, enum.Enum):
        value = value.value
    try:
        text = str.__str__(value) if isinstance(value, str) else msgspec.json.encode(value).decode()
        text.encode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ToolError("the function returned something that is not JSON") from error
    if len(text) > MAX_OUTPUT:
        raise ToolError(f"the result is too long: {len(text):,} characters of {MAX_OUTPUT:,}")
    return text


def error_text(message: str) -> str:
    """The output of a call that came to nothing."""
    message = message.encode(errors="replace").decode()
    return msgspec.json.encode({"error": message[:MAX_ERROR]}).decode()


def _make(
    function: Callable[P, R], *, name: str | None, description: str | None, timeout: float | None
) -> ToolFunction[P, R]:
    if not inspect.isroutine(function) or inspect.isbuiltin(function):
        raise InvalidTool(
            f"{function!r} is no Python function; wrap what it does in a `def` with types"
        )
    named = name or function.__name__
    if not _NAME.fullmatch(named):
        raise InvalidTool(
            f"{named!r} cannot be the name of a tool: 1 to 64 letters, digits, `_` and `-`; "
            "give another one as @tool(name=...)"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidTool(f"{named}: a generator has no single result; return one value")
    if timeout is not None and not timeout > 0:
        raise InvalidTool(f"{named}: timeout={timeout!r} must be seconds above 0, or math.inf")
    about, meanings = documented(inspect.getdoc(function) or "")
    parameters = inspect.signature(function).parameters
    arguments = arguments_of(function, named, parameters)
    definition = FunctionTool(
        name=named,
        description=(about if description is None else description) or UNSET,
        parameters=schema_of(arguments, meanings, parameters),
    )
    return ToolFunction(function, definition, timeout, msgspec.json.Decoder(arguments))
