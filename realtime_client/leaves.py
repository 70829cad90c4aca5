"""The leaves of a session object: what is asked for, compared and sent as one piece.

"Only the fields that are present are updated", and nested `audio` merges, so an update can
be as small as one leaf. But "a leaf object that is sent in part may be refilled with
defaults": a server was seen to turn a partial `turn_detection` into other paddings than it
had. So a leaf goes out whole, and what its caller did not name is filled from what the server
acknowledged. Arrays are replaced whole and are leaves too.

A session is a plain tree here, as JSON has it; a path is a tuple of names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, NamedTuple

from realtime_client.events import UNSET, SemanticVad, ServerVad, UnsetType
from realtime_client.redaction import redacted

__all__ = [
    "Drift",
    "Leaves",
    "Path",
    "differing",
    "dotted",
    "drift",
    "filled",
    "leaves",
    "same",
    "tree",
    "whole",
]

Path = tuple[str, ...]
Leaves = Mapping[Path, Any]

_BRANCHES: Final = frozenset({(), ("audio",), ("audio", "input"), ("audio", "output")})
"""Where the server merges. Everything below is a leaf."""

_TURN_DETECTION: Final = ("audio", "input", "turn_detection")
_REFILLED: Final = frozenset(
    {_TURN_DETECTION, ("audio", "input", "transcription"), ("audio", "input", "noise_reduction")}
)
_DETECTORS: Final[Mapping[str, frozenset[str]]] = {
    "server_vad": frozenset({"type", *ServerVad.__struct_fields__}),
    "semantic_vad": frozenset({"type", *SemanticVad.__struct_fields__}),
}
"""What each kind of turn detection has; what the other kind lacks is not carried over."""


class Drift(NamedTuple):
    """One field where the server's value is not what was asked; `***` stands for credentials.

    `effective` is `UNSET` where the server's session does not have the field at all.
    """

    path: str
    asked: Any
    effective: Any


def leaves(session: Mapping[str, Any], path: Path = ()) -> dict[Path, Any]:
    """The leaves of a tree by their paths; a null branch is a leaf."""
    found: dict[Path, Any] = {}
    for name, value in session.items():
        where = (*path, name)
        if where in _BRANCHES and isinstance(value, Mapping):
            found.update(leaves(value, where))
        else:
            found[where] = value
    return found


def tree(flat: Leaves) -> dict[str, Any]:
    """The smallest tree that has these leaves; a copy, so that it can be given away."""
    root: dict[str, Any] = {}
    for path, value in flat.items():
        node = root
        for name in path[:-1]:
            if not isinstance(node.get(name), dict):  # a server may show `output: null`
                node[name] = {}
            node = node[name]
        node[path[-1]] = deepcopy(value)
    return root


def filled(path: Path, asked: Any, acknowledged: Any) -> Any:
    """A leaf as it goes out: whole, with what was not named from the acknowledged one."""
    if path not in _REFILLED or not isinstance(asked, dict) or not isinstance(acknowledged, dict):
        return asked
    kept = {name: value for name, value in acknowledged.items() if value is not None}
    if path == _TURN_DETECTION:
        kind = asked.get("type", acknowledged.get("type"))
        fields = _DETECTORS.get(str(kind), frozenset())
        if kind == acknowledged.get("type"):
            fields |= set(acknowledged)
        kept = {name: value for name, value in kept.items() if name in fields}
    return {**kept, **asked}


def whole(asked: Leaves, acknowledged: Leaves) -> dict[Path, Any]:
    """Every leaf that is asked for, as it would go out."""
    return {path: filled(path, value, acknowledged.get(path)) for path, value in asked.items()}


def differing(asked: Leaves, acknowledged: Leaves) -> dict[Path, Any]:
    """The leaves that have to go out, whole, for the server to have what is asked."""
    return {
        path: value
        for path, value in whole(asked, acknowledged).items()
        if not same(value, acknowledged.get(path, UNSET))
    }


def drift(asked: Leaves, effective: Leaves) -> tuple[Drift, ...]:
    """Where the server's values are not what was asked, field by field."""
    found = []
    for path, value in asked.items():
        for below, wanted, got in _fields(path, value, effective.get(path, UNSET)):
            if not _satisfies(wanted, got):
                found.append(redacted(Drift(dotted(below), deepcopy(wanted), deepcopy(got))))
    return tuple(found)


def dotted(path: Path) -> str:
    """A path as the server writes it."""
    return ".".join(path)


def _fields(path: Path, asked: Any, got: Any) -> Iterator[tuple[Path, Any, Any]]:
    if path in _REFILLED and isinstance(asked, dict) and isinstance(got, dict):
        for name, value in asked.items():
            yield (*path, name), value, got.get(name, UNSET)
    else:
        yield path, asked, got


def same(asked: Any, current: Any) -> bool:
    """Whether the server already has exactly this; a null in an object is as good as nothing."""
    if isinstance(asked, dict) and isinstance(current, dict):
        return _dense(asked) == _dense(current)
    return (type(asked) is type(current) and bool(asked == current)) or _equal_numbers(
        asked, current
    )


def _dense(value: dict[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in value.items() if field is not None}


def _satisfies(asked: Any, got: Any) -> bool:
    """Whether what the server has is what was asked; it may have added fields to objects."""
    if asked is None:
        return got is None or isinstance(got, UnsetType)
    if isinstance(asked, dict) and isinstance(got, dict):
        return all(
            _satisfies(value, got[name]) if name in got else _may_be_hidden(asked, name, value)
            for name, value in asked.items()
        )
    if isinstance(asked, list) and isinstance(got, list):
        return len(asked) == len(got) and all(map(_satisfies, asked, got))
    return bool(asked == got) or _equal_numbers(asked, got)


def _may_be_hidden(asked: dict[str, Any], name: str, value: Any) -> bool:
    """A field that is not echoed: a null, or an MCP tool's credential, which never is."""
    return value is None or (asked.get("type") == "mcp" and name in {"authorization", "headers"})


def _equal_numbers(asked: Any, got: Any) -> bool:
    """1 and 1.0 are one number, and 1.2 may come back as the nearest float32."""
    numbers = all(type(value) in (int, float) for value in (asked, got))
    return numbers and abs(asked - got) <= 1e-6 * max(abs(asked), abs(got))
