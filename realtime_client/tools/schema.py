"""The JSON schema of a function's arguments, as a struct of them has it.

msgspec writes every named type once and refers to it. Not every server resolves references, so
they are written out here; a type that contains itself cannot be, and stays one.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

import msgspec

__all__ = ["schema_of"]

_REF: Final = "#/$defs/"


def schema_of(
    arguments: type[msgspec.Struct],
    meanings: Mapping[str, str],
    parameters: Mapping[str, inspect.Parameter],
) -> dict[str, Any]:
    """The JSON schema of the arguments, with what the function says about each of them."""
    (top,), components = msgspec.json.schema_components([arguments], ref_template=_REF + "{name}")
    schema = components[top["$ref"].removeprefix(_REF)]
    written = _Written(components)
    properties = {}
    for name, node in schema["properties"].items():
        meaning = {} if "description" in node else _given("description", meanings.get(name))
        default = parameters[name].default
        shown = {} if default is inspect.Parameter.empty else _shown(default)
        properties[name] = {**written.node(node), **meaning, **shown}
    definitions = written.definitions()
    return {
        "type": "object",
        "properties": properties,
        **_given("required", schema["required"]),
        "additionalProperties": False,
        **_given("$defs", definitions),
    }


class _Written:
    """A schema whose references are written out, save those to types that contain themselves."""

    def __init__(self, components: Mapping[str, Any]) -> None:
        self._components = components
        self._circular = {name for name in components if name in _reached(name, components)}
        self._kept: set[str] = set()

    def node(self, node: Any) -> Any:
        """One schema, or a list of them, with its references written out."""
        if isinstance(node, list):
            return [self.node(one) for one in node]
        if not isinstance(node, dict):
            return node  # `additionalProperties: false`
        written = self._referred(node["$ref"]) if "$ref" in node else {}
        for key, value in node.items():
            if key == "properties":
                written[key] = {name: self.node(one) for name, one in value.items()}
            elif key in _SCHEMAS:
                written[key] = self.node(value)
            elif key not in ("$ref", "discriminator"):  # the latter is a table of references
                written[key] = value
        return written

    def definitions(self) -> dict[str, Any]:
        """The types that contain themselves, as far as they are referred to."""
        written: dict[str, Any] = {}
        while missing := self._kept - written.keys():
            name = min(missing)
            written[name] = self._type(name)
        return written

    def _referred(self, ref: str) -> dict[str, Any]:
        name = ref.removeprefix(_REF)
        if name not in self._circular:
            return self._type(name)
        self._kept.add(name)
        return {"$ref": ref}

    def _type(self, name: str) -> dict[str, Any]:
        written: dict[str, Any] = self.node(self._components[name])
        written.pop("title", None)  # msgspec's, the name of the class
        return written


def _reached(name: str, components: Mapping[str, Any]) -> set[str]:
    """The types that a type is made of."""
    reached: set[str] = set()
    waiting = [components[name]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            ref = node.get("$ref")
            found = ref.removeprefix(_REF) if isinstance(ref, str) else ""
            if found in components and found not in reached:
                reached.add(found)
                waiting.append(components[found])
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return reached


_SCHEMAS: Final = frozenset(
    {"additionalProperties", "anyOf", "items", "patternProperties", "prefixItems", "propertyNames"}
)
"""The keywords of msgspec's schemas under which schemas stand."""


def _given(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}


def _shown(default: object) -> dict[str, Any]:
    """A default in the schema, where JSON has it."""
    try:
        return {"default": msgspec.json.decode(msgspec.json.encode(default))}
    except (TypeError, ValueError, OverflowError, RecursionError):
        return {}
