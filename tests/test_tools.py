"""`@tool`: what a signature and a docstring say, what fits them, and what goes back."""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from realtime_client import events
from realtime_client.codec import encode
from realtime_client.errors import InvalidTool
from realtime_client.events import UNSET, FunctionTool
from realtime_client.options import plain, session_from, tool_functions
from realtime_client.tools import (
    MAX_OUTPUT,
    ToolError,
    ToolFunction,
    error_text,
    output_text,
    refuse_undecorated,
    tool,
)

if TYPE_CHECKING:
    from decimal import Context as OnlyForCheckers


class Unit(enum.Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


class Color(enum.StrEnum):
    RED = "red"


class Place(msgspec.Struct):
    """Where it is."""

    city: str
    floor: Annotated[int, Meta(description="From the ground up.")] = 0


@dataclasses.dataclass
class Range:
    low: int
    high: int = 10


class Who(TypedDict):
    name: str


class Tree(msgspec.Struct):
    value: int
    branches: list[Tree] = []


class Cat(msgspec.Struct, tag="cat"):
    friend: Dog | None = None


class Dog(msgspec.Struct, tag="dog"):
    friend: Cat | None = None


class Stone(msgspec.Struct, tag="stone"):
    weight: float


class Even(msgspec.Struct):
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise KeyError("the secret of negative numbers")
        if self.number % 2:
            raise ValueError("the secret of odd numbers")


def schema(function: ToolFunction[..., Any]) -> dict[str, Any]:
    parameters = function.definition.parameters
    assert isinstance(parameters, dict)
    return parameters


def properties(function: ToolFunction[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema(function)["properties"]
    return found


@tool
def get_weather(city: str, unit: Literal["c", "f"] = "c") -> str:
    """What the weather is like.

    It is asked of the window.

    Args:
        city: The name of a city,
            or of a village: in any language.
        unit (str): Of the temperature.

    Returns:
        city: This is not about the argument.
    """
    return f"{city} 21 {unit}"


@tool
async def nothing() -> None: ...


# -- what the model is told -----------------------------------------------------------------


def test_a_function_becomes_its_definition() -> None:
    assert tool(get_weather.function).definition == FunctionTool(
        name="get_weather",
        description="What the weather is like.\n\nIt is asked of the window.",
        parameters={
            "type": "object",
            "properties": {
                "city": {
                    "type": "string",
                    "description": "The name of a city, or of a village: in any language.",
                },
                "unit": {
                    "enum": ["c", "f"],
                    "description": "Of the temperature.",
                    "default": "c",
                },
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    )
    assert get_weather.name == "get_weather"
    assert get_weather.timeout is None
    assert not get_weather.is_async


def test_it_is_the_function_still() -> None:
    assert get_weather("London", unit="f") == "London 21 f"


async def test_an_async_function_is_one_still() -> None:
    assert nothing.is_async
    await nothing()
    assert nothing.definition.description is UNSET
    assert schema(nothing) == {"type": "object", "properties": {}, "additionalProperties": False}


def test_a_tool_is_frozen_and_known_by_identity() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_weather.timeout = 3.0  # type: ignore[misc]  # that is what is tested
    assert {get_weather: 1}[get_weather] == 1
    assert get_weather != tool(get_weather.function)


def test_name_description_and_time_limit_can_be_given() -> None:
    @tool(name="look-up", description="", timeout=2)
    def anything(key: str) -> str:
        """Not this."""
        return key

    assert anything.definition.name == anything.name == "look-up"
    assert anything.definition.description is UNSET
    assert anything.timeout == 2
    assert tool(timeout=math.inf)(anything.function).timeout == math.inf
    assert tool(description="This.")(anything.function).definition.description == "This."


def test_types_of_every_kind() -> None:
    @tool
    def every(
        whole: int,
        decimal: float,
        flag: bool,
        unit: Unit,
        maybe: str | None,
        several: list[int],
        table: dict[str, float],
        place: Place,
        span: Range,
        who: Who,
        anything: Any,
        short: Annotated[str, Meta(max_length=3, description="A code.")],
        pair: tuple[int, Place],
    ) -> None:
        """Take everything.

        Args:
            place: Of the meeting.
            short: Not this.
        """

    place = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "floor": {"type": "integer", "description": "From the ground up.", "default": 0},
        },
        "required": ["city"],
    }
    assert properties(every) == {
        "whole": {"type": "integer"},
        "decimal": {"type": "number"},
        "flag": {"type": "boolean"},
        "unit": {"enum": ["c", "f"]},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "several": {"type": "array", "items": {"type": "integer"}},
        "table": {"type": "object", "additionalProperties": {"type": "number"}},
        "place": {"description": "Of the meeting.", **place},
        "span": {
            "type": "object",
            "properties": {"low": {"type": "integer"}, "high": {"type": "integer", "default": 10}},
            "required": ["low"],
        },
        "who": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
        "anything": {},
        "short": {"type": "string", "maxLength": 3, "description": "A code."},
        "pair": {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "prefixItems": [{"type": "integer"}, {"description": "Where it is.", **place}],
            "items": False,
        },
    }
    assert "$defs" not in schema(every)
    given = (
        '{"whole":1,"decimal":2,"flag":true,"unit":"f","maybe":null,"several":[1],"table":{"a":1},'
        '"place":{"city":"Ulm"},"span":{"low":1},"who":{"name":"Eve"},"anything":[1],'
        '"short":"abc","pair":[1,{"city":"Ulm"}]}'
    )
    assert every.parse(given) == {
        "whole": 1,
        "decimal": 2.0,
        "flag": True,
        "unit": Unit.FAHRENHEIT,
        "maybe": None,
        "several": [1],
        "table": {"a": 1.0},
        "place": Place("Ulm"),
        "span": Range(1),
        "who": {"name": "Eve"},
        "anything": [1],
        "short": "abc",
        "pair": (1, Place("Ulm")),
    }


def test_a_type_that_contains_itself_stays_a_reference() -> None:
    @tool
    def climb(tree: Tree, pet: Cat | Stone) -> None: ...

    tree = {"$ref": "#/$defs/Tree"}
    found = schema(climb)
    assert found["properties"]["tree"] == tree
    first, second = found["properties"]["pet"]["anyOf"]
    assert first == {"$ref": "#/$defs/Cat"}
    assert second["properties"]["weight"] == {"type": "number"}
    assert "discriminator" not in found["properties"]["pet"]  # it would name what is not there
    assert set(found["$defs"]) == {"Tree", "Cat", "Dog"}
    assert found["$defs"]["Tree"]["properties"]["branches"]["items"] == tree
    assert "title" not in found["$defs"]["Tree"]
    dogs = found["$defs"]["Cat"]["properties"]["friend"]["anyOf"]
    assert dogs == [{"$ref": "#/$defs/Dog"}, {"type": "null"}]


def test_properties_named_as_keywords_are_kept() -> None:
    class Book(msgspec.Struct):
        title: str
        items: list[Place]

    def shelve(title: str, default: Any, properties: Book, description: str = "none") -> None: ...

    shelve.__annotations__["properties"] = Book
    found = properties(tool(shelve))
    assert found["title"] == {"type": "string"}
    assert found["default"] == {}
    assert found["description"] == {"type": "string", "default": "none"}
    assert set(found["properties"]["properties"]) == {"title", "items"}
    floor = found["properties"]["properties"]["items"]["items"]["properties"]["floor"]
    assert floor["description"] == "From the ground up."


def test_an_argument_type_named_like_the_tool_is_another_thing() -> None:
    def find(where: Place) -> None: ...

    assert properties(tool(name="Place")(find))["where"]["required"] == ["city"]


def test_defaults_are_pythons_own_business() -> None:
    marker = object()
    seen: list[Any] = []

    @tool
    def keep(
        known: list[int] = [1],  # noqa: B006 - that such a one works is what is tested
        unit: Unit = Unit.CELSIUS,
        other: str = marker,  # type: ignore[assignment]  # as people do
        none: str | None = None,
    ) -> None:
        seen.extend([known, unit, other, none])

    assert "required" not in schema(keep)
    assert properties(keep)["known"]["default"] == [1]
    assert properties(keep)["unit"]["default"] == "c"
    assert "default" not in properties(keep)["other"]
    assert properties(keep)["none"]["default"] is None
    assert keep.parse("{}") == {}
    assert keep.parse('{"none": null}') == {"none": None}
    keep(**keep.parse("{}"))
    assert seen == [[1], Unit.CELSIUS, marker, None]


def test_keyword_arguments_in_any_order() -> None:
    @tool
    def any_order(*, a: int = 1, b: str) -> str:
        return b * a

    assert schema(any_order)["required"] == ["b"]
    assert any_order(**any_order.parse('{"b": "x"}')) == "x"


@pytest.mark.parametrize(
    ("text", "about", "meaning"),
    [
        ("", UNSET, None),
        ("\n    Args:\n      x: One.", UNSET, "One."),
        ("It.\n\nArguments:\n    x: One.\n", "It.", "One."),
        ("It.\n\nParameters:\n    x (int, optional): One.", "It.", "One."),
        ("It.\n\nRaises:\n    x: Two.\n\nArgs:\n    x: One.", "It.", "One."),
        ("It.\n\nArgs:\n    x: One.\n\nNote:\n    y: z", "It.", "One."),
        ("It.\n\nArgs:\n    x: One.\nMore: of it.\n    x: Two.", "It.", "One."),
        ("It.\n\nArgs:\n    y: Two.\n        x: deeper.\n", "It.", None),
        ("It.\n\nArgs:\n    x:\n        One.\n\n        And.", "It.", "One. And."),
        ("It.\n\nArgs:\n    yyyyyyyyyyyy: Two two.\n        x: z", "It.", None),
        ("It.\n\nArgs:  \n    x: One.", "It.", "One."),
        ("It.\n\nExample: x", "It.\n\nExample: x", None),
        ("It.\n\nArgs:\n    nonsense\n    x: One.", "It.", "One."),
    ],
)
def test_docstrings(text: str, about: Any, meaning: str | None) -> None:
    def function(x: int) -> None: ...

    function.__doc__ = text
    made = tool(function)
    assert made.definition.description == about
    assert properties(made)["x"].get("description") == meaning


def test_a_bound_method_and_a_wrapped_function() -> None:
    class Door:
        def open(self, wide: bool) -> str:
            return f"open {wide}"

    def logged(function: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> str:
            return function(*args, **kwargs)

        return inner

    door = tool(Door().open)
    assert list(properties(door)) == ["wide"]
    assert door(**door.parse('{"wide": true}')) == "open True"
    assert list(properties(tool(logged(get_weather.function)))) == ["city", "unit"]


def test_what_a_function_returns_need_not_be_known() -> None:
    @tool
    def context(x: int) -> OnlyForCheckers: ...  # type: ignore[empty-body]  # it is never called

    assert list(properties(context)) == ["x"]


def untyped(x) -> None: ...  # type: ignore[no-untyped-def]  # that is what is tested
def positional(x: int, /) -> None: ...
def starred(*x: int) -> None: ...
def double_starred(**x: int) -> None: ...
def method(self) -> None: ...  # type: ignore[no-untyped-def]  # that is what is tested
def unresolvable(x: OnlyForCheckers) -> None: ...
def foreign(x: object) -> None: ...
def ambiguous(x: Place | Even) -> None: ...
def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (untyped, "untyped, parameter 'x': it has no type; write x: str, or what it is$"),
        (positional, "positional, parameter 'x': arguments come by name; remove the `/`"),
        (starred, r"list\[...\]"),
        (double_starred, r"dict\[str, ...\]"),
        (method, r"'self': it has no type.*tool\(thing.method\)"),
        (
            unresolvable,
            r"unresolvable, parameter 'x': its type 'OnlyForCheckers' cannot be read \(name .* "
            "not defined.*at the top of the module.*and not under TYPE_CHECKING$",
        ),
        (foreign, r"foreign, parameter 'x': .*\(.*object.* is not supported\); use plain types"),
        (ambiguous, "plain types"),
        (generator, "return one value"),
        (async_generator, "return one value"),
        (lambda: None, r"@tool\(name=...\)"),
        (functools.partial(positional, 1), "wrap what it does in a `def`"),
        (print, "wrap what it does in a `def`"),
        (Place, "wrap what it does in a `def`"),
        (3, "wrap what it does in a `def`"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_advice(function: Any, says: str) -> None:
    with pytest.raises(InvalidTool, match=says):
        tool(function)


@pytest.mark.parametrize("name", ["", "a b", "größe", "x" * 65, "a.b", "a\n"])
def test_names_that_a_server_refuses(name: str) -> None:
    if name:
        with pytest.raises(InvalidTool, match="letters, digits"):
            tool(name=name)(get_weather.function)
    assert tool(name="x" * 64)(get_weather.function).name == "x" * 64


@pytest.mark.parametrize("timeout", [0, -1.0, math.nan])
def test_time_limits_that_cannot_be(timeout: float) -> None:
    with pytest.raises(InvalidTool, match="seconds above 0"):
        tool(timeout=timeout)(get_weather.function)


# -- what the model sends -------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ["", " \n", "{}"])
def test_no_text_stands_for_no_arguments(arguments: str) -> None:
    assert nothing.parse(arguments) == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"city": 3}', "wrong arguments for get_weather: Expected `str`, got `int` - at `$.city`"),
        ("{}", "wrong arguments for get_weather: Object missing required field `city`"),
        ("", "wrong arguments for get_weather: Object missing required field `city`"),
        (
            '{"city": "Ulm", "zip": 3}',
            "wrong arguments for get_weather: Object contains unknown field `zip`",
        ),
        (
            '{"city": "Ulm", "unit": "k"}',
            "wrong arguments for get_weather: Invalid enum value 'k' - at `$.unit`",
        ),
        ("[]", "wrong arguments for get_weather: Expected `object`, got `array`"),
        (
            '{"city": "Ul',
            "the arguments for get_weather are not a JSON object: Input data was truncated",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments: str, says: str) -> None:
    with pytest.raises(ToolError) as caught:
        tool(get_weather.function).parse(arguments)
    assert str(caught.value) == says


@pytest.mark.parametrize("arguments", ['{"city": "\ud800"}', '{"city": NaN}', "{" * 100_000])
def test_what_is_no_json_is_said_to_be_none(arguments: str) -> None:
    with pytest.raises(ToolError, match="get_weather"):
        get_weather.parse(arguments)


def test_nothing_is_converted() -> None:
    @tool
    def count(number: int) -> None: ...

    for wrong in ('"3"', "3.5", "true", "null"):
        with pytest.raises(ToolError, match="Expected `int`"):
            count.parse(f'{{"number": {wrong}}}')


def test_deep_arguments_cost_nothing() -> None:
    @tool
    def take(x: Any) -> None: ...

    with pytest.raises(ToolError, match="not a JSON object"):
        take.parse('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}")


@pytest.mark.parametrize(("number", "error"), [(1, ValueError), (-1, KeyError)])
def test_what_a_type_of_the_users_own_raises_is_not_for_the_model(
    number: int, error: type[Exception]
) -> None:
    @tool
    def halve(even: Even) -> None: ...

    with pytest.raises(error, match="secret"):
        halve.parse(f'{{"even": {{"number": {number}}}}}')
    assert halve.parse('{"even": {"number": 2}}') == {"even": Even(2)}


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_whatever_the_model_sends_fits_or_is_a_tool_error(arguments: str) -> None:
    try:
        fitting = get_weather.parse(arguments)
    except ToolError:
        return
    assert set(fitting) <= {"city", "unit"}


# -- what goes back -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain \u20ac", "plain \u20ac"),
        ("", ""),
        (None, "null"),
        (3, "3"),
        (True, "true"),
        ([1, "a"], '[1,"a"]'),
        ({"a": None}, '{"a":null}'),
        (Place("Ulm"), '{"city":"Ulm","floor":0}'),
        (Range(1), '{"low":1,"high":10}'),
        (Unit.CELSIUS, "c"),
        (Color.RED, "red"),
        ({"color": Color.RED}, '{"color":"red"}'),
    ],
)
def test_results_as_text(value: object, text: str) -> None:
    assert output_text(value) == text
    assert type(output_text(value)) is str


def circle() -> list[Any]:
    one: list[Any] = []
    one.append(one)
    return one


@pytest.mark.parametrize(
    "value", [object(), {"a": object()}, circle(), "\ud800", {(1, 2): 3}, nothing]
)
def test_a_result_that_is_no_json_is_an_error(value: object) -> None:
    with pytest.raises(ToolError, match="not JSON"):
        output_text(value)


def test_a_result_is_as_long_as_a_server_takes() -> None:
    assert output_text("a" * MAX_OUTPUT) == "a" * MAX_OUTPUT
    with pytest.raises(ToolError, match="256,001 characters of 256,000"):
        output_text("a" * (MAX_OUTPUT + 1))


def test_errors_as_text() -> None:
    assert error_text('no "city"') == '{"error":"no \\"city\\""}'
    assert error_text("\ud800") == '{"error":"?"}'
    assert len(error_text("\n" * MAX_OUTPUT)) < MAX_OUTPUT


# -- in place of a definition ---------------------------------------------------------------

DEFINITION = msgspec.to_builtins(get_weather.definition)
OTHER = FunctionTool(name="other")


@pytest.mark.parametrize(
    ("session", "shortcuts"),
    [
        (None, {"tools": [get_weather, OTHER]}),
        (None, {"tools": (get_weather, {"type": "function", "name": "other"})}),
        ({"tools": [get_weather, OTHER]}, {}),
        (events.SessionConfig(tools=(get_weather, OTHER)), {}),  # type: ignore[arg-type]  # works
    ],
)
def test_a_tool_stands_for_its_definition(session: Any, shortcuts: dict[str, Any]) -> None:
    made = session_from(session, shortcuts)
    assert made is not None
    wire = msgspec.json.decode(encode(made))
    assert wire["tools"] == [DEFINITION, {"type": "function", "name": "other"}]
    assert tool_functions(session, shortcuts) == (get_weather,)


def test_a_tool_in_the_options_of_a_response() -> None:
    assert plain({"tools": [get_weather]}) == {"tools": [DEFINITION]}
    assert plain([get_weather]) == [DEFINITION]


@pytest.mark.parametrize(
    "session", [None, {}, {"tools": None}, events.SessionConfig(), {"tools": [OTHER]}]
)
def test_where_there_are_no_functions(session: Any) -> None:
    assert tool_functions(session, {}) == ()
    assert tool_functions(session, {"tools": ()}) == ()


def test_what_is_given_is_not_changed() -> None:
    session = {"tools": [get_weather]}
    session_from(session, {})
    assert session == {"tools": [get_weather]}


@pytest.mark.parametrize(
    "given", [None, "auto", get_weather, [get_weather, OTHER], (), [DEFINITION]]
)
def test_what_may_be_given_as_tools(given: Any) -> None:
    refuse_undecorated(given)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (print, "print"),
        ([get_weather, get_weather.function], "get_weather"),
        ((lambda: None,), "<lambda>"),
        ([functools.partial(print)], "functools.partial"),
    ],
)
def test_a_function_without_the_decorator(given: Any, name: str) -> None:
    with pytest.raises(InvalidTool, match=f"^{name}.* is not a tool .*; put @tool on it$"):
        refuse_undecorated(given)
