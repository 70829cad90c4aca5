"""From a dialect's frames to GA's and back, by the tables of its `wire`.

Frames are taken apart only as far as a table reaches into them: what is inside stays bytes
and goes on as it came, and so 100 kB of audio cost a copy and not a parse, and a tool's schema
or a number out of range is nobody's business here. What cannot be read, and what nothing is to
be done about, passes through as it is: the codec says what is wrong with it.

Nothing is known of earlier frames, and nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from realtime_client._repair import UNREADABLE
from realtime_client.dialects.dialect import Dialect
from realtime_client.dialects.wire import Field, Path, Wire

__all__ = ["incoming", "outgoing"]

Node = dict[str, Any]
"""An object that was opened: its values are bytes (`Raw`), opened in turn, or made here."""

_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_value = msgspec.json.decode

_SESSION: Final = frozenset({"session.created", "session.updated"})


def incoming(dialect: Dialect, data: bytes) -> bytes:
    """A server's frame as GA would have it. Never raises, whatever it holds."""
    return data if dialect.wire is None else _translated(dialect.wire, data, _read)


def outgoing(dialect: Dialect, raw: bytes) -> bytes:
    """A client's frame, given as GA has it, as the dialect would."""
    return raw if dialect.wire is None else _translated(dialect.wire, raw, _write)


def _translated(wire: Wire, data: bytes, change: Callable[[Wire, Node, str], bool]) -> bytes:
    try:
        frame: Node = _object(data)
        kind = _text(frame.get("type"))
        return _encode(frame) if kind is not None and change(wire, frame, kind) else data
    except UNREADABLE:
        return data


# -- one direction each; both say whether they have changed anything -----------------------------


def _read(wire: Wire, frame: Node, theirs: str) -> bool:
    kind = wire.events.get(theirs, theirs)
    if kind in wire.unfinished and _text(frame.get("status")) == "in_progress":
        kind = wire.unfinished[kind]
    changed = kind != theirs
    if changed:
        frame["type"] = kind
    changed |= _each(wire.frames.get(kind, ()), frame, _read_field)
    if kind in _SESSION and (session := _open(frame, "session")) is not None:
        changed |= _read_session(wire, session, wire.kinds.get(theirs, "realtime"))
    if (response := _open(frame, "response")) is not None:
        changed |= _each(wire.response, response, _read_field)
        changed |= _rename_parts(_open_all(response, "output"), wire.parts)
    if (item := _open(frame, "item")) is not None:
        changed |= _rename_parts([item], wire.parts)
    return changed


def _read_session(wire: Wire, session: Node, kind: str) -> bool:
    changed = _each(wire.session, session, _read_field)
    if not wire.typed and "type" not in session:
        session["type"] = kind
        changed = True
    for path, value in wire.assumed.items():
        if _is_free(session, path):
            _put(session, path, value)
            changed = True
    return changed


def _write(wire: Wire, frame: Node, kind: str) -> bool:
    changed = False
    if kind == "session.update" and (session := _open(frame, "session")) is not None:
        changed = _each(wire.session, session, _write_field)
        if not wire.typed and "type" in session:
            frame["type"] = wire.updates.get(_text(session.pop("type")) or "", kind)
            changed = True
    elif kind == "response.create" and (response := _open(frame, "response")) is not None:
        changed = _each(wire.request, response, _write_field)
        changed |= _rename_parts(_open_all(response, "input"), wire.writes_parts)
    elif kind == "conversation.item.create" and (item := _open(frame, "item")) is not None:
        changed = _rename_parts([item], wire.writes_parts)
    return changed


def _each(fields: tuple[Field, ...], root: Node, change: Callable[[Field, Node], bool]) -> bool:
    changed = False
    for field in fields:
        changed |= change(field, root)
    return changed


def _read_field(field: Field, root: Node) -> bool:
    if not _move(root, field.theirs, field.ga, field.spelling.read):
        return False
    form = _at(root, field.ga)
    if field.rate is not None and isinstance(form, dict) and "rate" in form:
        rate = root.pop(field.rate, None)
        form["rate"] = form["rate"] if _says_nothing(rate) else rate
    return True


def _write_field(field: Field, root: Node) -> bool:
    form = _at(root, field.ga) if field.rate is not None else None
    if not _move(root, field.ga, field.theirs, field.spelling.write):
        return False
    if field.rate is not None and (opened := _opened(form)) is not None and "rate" in opened:
        root[field.rate] = opened["rate"]
    return True


# -- content ---------------------------------------------------------------------------------------


def _rename_parts(items: list[Node], names: Mapping[str, str]) -> bool:
    """The parts of the assistant's messages by other names; everybody else's have one name."""
    changed = False
    for item in items if names else ():
        if _text(item.get("role")) != "assistant":
            continue
        for part in _open_all(item, "content"):
            name = names.get(_text(part.get("type")) or "")
            if name is not None:
                part["type"] = name
                changed = True
    return changed


# -- objects that are opened as far as needed ------------------------------------------------------


def _open(node: Node, name: str) -> Node | None:
    """The object of this name, opened in its place; None where there is none."""
    opened = _opened(node.get(name))
    if opened is not None:
        node[name] = opened
    return opened


def _opened(value: Any) -> Node | None:
    if isinstance(value, msgspec.Raw):
        try:
            return _object(value)
        except msgspec.ValidationError:  # it is none
            return None
    return value if isinstance(value, dict) else None


def _open_all(node: Node, name: str) -> list[Node]:
    """The objects of a list, opened in their places; none where it is no list."""
    try:
        values: list[Any] = list(_list(node[name]))
    except (KeyError, msgspec.ValidationError):
        return []
    opened = [_opened(value) for value in values]
    node[name] = [value if one is None else one for value, one in zip(values, opened, strict=True)]
    return [one for one in opened if one is not None]


def _move(root: Node, source: Path, target: Path, spell: Callable[[msgspec.Raw], Any]) -> bool:
    """Take a value from one path to another, in another spelling. Whether there was one."""
    way = [root]
    for name in source[:-1]:
        node = _open(way[-1], name)
        if node is None:
            return False
        way.append(node)
    if source[-1] not in way[-1] or (source != target and not _is_free(root, target)):
        return False
    value = spell(way[-1].pop(source[-1]))
    for node, name in zip(reversed(way[:-1]), reversed(source[:-1]), strict=True):
        if not node[name]:  # nothing else was in it
            del node[name]
    _put(root, target, value)
    return True


def _is_free(root: Node, path: Path) -> bool:
    """Whether nothing is said at a path."""
    return _says_nothing(_at(root, path))


def _says_nothing(value: Any) -> bool:
    """Whether it is not there, or null, or an empty object."""
    opened = _opened(value)
    if opened is not None:
        return not opened
    return value is None or (isinstance(value, msgspec.Raw) and bytes(value) == b"null")


def _at(root: Node, path: Path) -> Any:
    """What stands at a path, opened on the way; None where nothing does."""
    *way, last = path
    for name in way:
        node = _open(root, name)
        if node is None:
            return None
        root = node
    return root.get(last)


def _put(root: Node, path: Path, value: Any) -> None:
    *way, last = path
    for name in way:
        node = _open(root, name)
        if node is None:
            node = root[name] = {}
        root = node
    root[last] = value


def _text(value: Any) -> str | None:
    """A string; None for anything else."""
    if isinstance(value, msgspec.Raw):
        value = _value(value)
    return value if isinstance(value, str) else None
