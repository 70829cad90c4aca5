"""The page of errors says what the code does, about every error and about no other.

What is checked is what could silently become wrong: a class without a row, a row of a class that
is gone, `retryable`, the attributes, and an exception that leaves the package and is none of these.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import realtime_client
from realtime_client import errors
from realtime_client.errors import (
    AcknowledgementTimeout,
    CertificateRefused,
    ClientClosed,
    ConfigDrift,
    ConnectFailed,
    ConnectionFailed,
    ConnectionLost,
    CredentialFailed,
    HandshakeRefused,
    InvalidServerEvent,
    KeyRefused,
    ModelRefused,
    PolicyRefused,
    RealtimeError,
    ReconnectFailed,
    RequestRefused,
    ResponseFailed,
    ResponseRejected,
    ServerError,
    SessionRefused,
    SessionSilent,
    SessionUpdateRejected,
    SlowConsumer,
    SyncIncomplete,
    TraceFailed,
    UnreadableAnswer,
    WebhookRefused,
)
from realtime_client.fatal import FATAL_CLOSE_CODES, FATAL_ERRORS, FATAL_STATUSES, PASSING_ERRORS

ROOT = Path(realtime_client.__file__).parent
PAGE = ROOT.parent / "docs" / "errors.md"
TREE: Final[dict[str, type[RealtimeError]]] = {
    name: getattr(errors, name) for name in errors.__all__
}
OURS: Final = frozenset(TREE.values())


class Row(NamedTuple):
    """A row of the page."""

    error: str
    when: str
    retry: str
    do: str
    carries: str

    @property
    def attributes(self) -> set[str]:
        return set(re.findall(r"`(\w+)`", self.carries)) - set(TREE)


@cache
def rows() -> tuple[Row, ...]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return tuple(Row(name.strip("` "), *rest) for name, *rest in cells if len(rest) == 4)


def row(name: str) -> Row:
    (found,) = [one for one in rows() if one.error == name]
    return found


# -- one of each, and where it depends, one of either kind ---------------------------------------


def _refused(status: int, **facts: Any) -> RequestRefused:
    return RequestRefused("No.", what="calls.accept", status=status, **facts)


def _answers(kind: type[ServerError]) -> tuple[ServerError, ...]:
    by_type = kind("Later.", type="server_error")
    return kind("No.", code="invalid_value"), kind("Later.", code="rate_limit_exceeded"), by_type


SAMPLES: Final[dict[type[RealtimeError], tuple[RealtimeError, ...]]] = {
    **{
        kind: _answers(kind)
        for kind in (ServerError, SessionUpdateRejected, ResponseRejected, ResponseFailed)
    },
    ConnectionLost: (
        ConnectionLost("It dropped."),
        ConnectionLost("Expired.", close_code=1001),
        ConnectionLost("The key was withdrawn.", close_code=3000),
    ),
    AcknowledgementTimeout: (AcknowledgementTimeout("session.update"),),
    ConfigDrift: (ConfigDrift((("audio.output.speed", 1.5, 1.0),)),),
    CredentialFailed: (CredentialFailed("None."), CredentialFailed("Late.", retryable=True)),
    HandshakeRefused: tuple(
        HandshakeRefused(status, "") for status in (301, 401, 403, 404, 408, 425, 429, 500, 503)
    ),
    InvalidServerEvent: (InvalidServerEvent("not JSON"),),
    RequestRefused: (_refused(404), _refused(503, retryable=True, uncertain=True)),
    SessionRefused: (
        SessionRefused("No.", code="invalid_api_key"),
        SessionRefused("No.", close_code=4000),
        SessionRefused("Later.", code="server_error"),
    ),
    PolicyRefused: (
        PolicyRefused("Broke.", code="insufficient_quota", close_code=1008),
        PolicyRefused("Full.", close_code=1008),
    ),
    SessionSilent: (SessionSilent("it sent no session.created"),),
    SlowConsumer: (SlowConsumer("events()", 10),),
    SyncIncomplete: (
        SyncIncomplete(created=(), deleted=(), refused=(("item_1", ServerError("No.")),)),
    ),
    TraceFailed: (TraceFailed(ValueError("mine")),),
    UnreadableAnswer: (UnreadableAnswer("calls.accept", "it is empty", status=200),),
    WebhookRefused: (WebhookRefused("repeated", "It was here."),),
}


def samples(kind: type[RealtimeError]) -> tuple[RealtimeError, ...]:
    return SAMPLES.get(kind) or (kind("So it is."),)


def own_attributes(kind: type[RealtimeError]) -> set[str]:
    """The public attributes that a class has beyond those of the classes under it."""
    inherited = {name for base in kind.__bases__ if base in OURS for name in facts(base)}
    return facts(kind) - inherited


def facts(kind: type[RealtimeError]) -> set[str]:
    found = set(vars(samples(kind)[0])) | {
        name for base in kind.__mro__ if base in OURS for name in vars(base)
    }
    return {name for name in found if not name.startswith("_")} - {"retryable"}


# -- the tree and the page -------------------------------------------------------------------------


def test_the_drawing_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        branch = re.match(r"^    ([│ ├└─]*)([A-Z]\w+)", line)
        if branch is not None:
            depth = len(branch[1]) // 4
            path[depth:] = [branch[2]]
            drawn[branch[2]] = path[depth - 1] if depth else ""
    true = {name: kind.__bases__[0].__name__ for name, kind in TREE.items()}
    assert drawn == true | {"RealtimeError": ""}


def test_every_class_of_the_module_is_public() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, BaseException)
    }
    assert classes == set(TREE)


def test_every_error_has_one_row_and_no_row_is_of_anything_else() -> None:
    assert sorted(one.error for one in rows()) == sorted(TREE)


def test_every_row_says_when_and_what_to_do() -> None:
    assert [one.error for one in rows() if not one.when or not one.do] == []


@pytest.mark.parametrize("name", sorted(TREE))
def test_what_may_be_tried_again_is_what_the_code_says(name: str) -> None:
    said, _, condition = row(name).retry.partition(": ")
    found = {error.retryable for error in samples(TREE[name])}
    assert found == {"yes": {True}, "no": {False}, "depends": {True, False}}[said]
    # A constant can be read off the class; whoever writes "depends" says on what.
    decided = isinstance(inspect.getattr_static(TREE[name], "retryable"), property)
    assert (said == "depends") is decided is bool(condition)


@pytest.mark.parametrize("name", sorted(TREE))
def test_the_attributes_are_those_that_the_code_has(name: str) -> None:
    kind = TREE[name]
    assert all(hasattr(error, one) for error in samples(kind) for one in row(name).attributes)
    assert row(name).attributes == own_attributes(kind)


def test_of_the_statuses_of_a_handshake_the_page_names_those_that_pass() -> None:
    again = [error for error in samples(HandshakeRefused) if error.retryable]
    passing = {error.status for error in again if isinstance(error, HandshakeRefused)}
    assert passing == {408, 425, 429, 500, 503}
    assert not passing & FATAL_STATUSES


def test_the_page_names_what_passes() -> None:
    (text,) = re.findall(r"(?ms)^Passing errors are .*?\n\n", PAGE.read_text())
    assert set(re.findall(r"`(\w+)`", text)) - {"code", "type"} == PASSING_ERRORS


def test_the_page_names_what_is_fatal() -> None:
    (text,) = re.findall(r"(?ms)^Fatal codes are .*?(?=^Passing)", PAGE.read_text())
    assert set(re.findall(r"`(\w+)`", text)) - {"code", "type"} == FATAL_ERRORS
    assert {int(code) for code in re.findall(r"\d{4}", text)} == FATAL_CLOSE_CODES
    low, high, *passing = (int(status) for status in re.findall(r"\b\d{3}\b", text))
    assert set(range(low, high + 1)) - set(passing) == FATAL_STATUSES


def test_what_is_fatal_is_not_tried_again_by_whatever_it_is_said() -> None:
    for kind in (SessionRefused, PolicyRefused, KeyRefused, ModelRefused):
        for name in FATAL_ERRORS:
            assert not kind("No.", code=name).retryable
        for code in FATAL_CLOSE_CODES:
            assert not kind("No.", close_code=code).retryable


def test_a_connection_may_be_had_again_and_the_end_of_a_client_is_an_end() -> None:
    lost: ConnectionFailed
    for lost in (ConnectFailed("Gone."), ConnectionLost("Gone.", uncertain=True)):
        assert lost.retryable
    for over in (ReconnectFailed("Gone."), ClientClosed("Closed."), CertificateRefused("No.")):
        assert not over.retryable


# -- what leaves the package -----------------------------------------------------------------------

OURS_ALONE: Final = {
    "transport.py": {"TransportClosed"},  # between a transport and the client; on the page
    "simulator/refusal.py": {"Refusal"},  # the server's own; it becomes an `error` event
    "cli/__init__.py": {"Mistake"},  # what click prints
}
"""Exceptions that are no part of the tree."""

PYTHONS: Final = {
    "NotImplementedError",  # what a mixin wants its client to have
    "StopAsyncIteration",  # the end of a stream
    "SystemExit",  # the end of a command
    "TypeError",  # a credential that somebody tries to pickle
}
"""Python's own that are raised. The simulator has more, for whoever writes a test with it."""

CAUGHT: Final = {("codec.py", "ValueError")}
"""Raised, and caught by the same function."""


@cache
def trees() -> dict[str, ast.Module]:
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in ROOT.rglob("*.py")}


def _is_exception(name: str) -> bool:
    value = getattr(builtins, name, None)
    return inspect.isclass(value) and issubclass(value, BaseException)


def test_there_is_no_exception_beside_the_tree() -> None:
    found: dict[str, set[str]] = {}
    known = set(TREE) | {name for names in OURS_ALONE.values() for name in names}
    for path, tree in trees().items():
        for node in ast.walk(tree):
            bases = [ast.unparse(base) for base in getattr(node, "bases", ())]
            raisable = any(
                _is_exception(one) or one in known or "Exception" in one for one in bases
            )
            if isinstance(node, ast.ClassDef) and raisable and not path.startswith("errors/"):
                found.setdefault(path, set()).add(node.name)
    assert found == OURS_ALONE


def _raised(tree: ast.Module) -> Iterator[str]:
    """The classes that are named in a `raise`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(error)
            if name[:1].isupper():
                yield name


def test_what_is_raised_is_on_the_page() -> None:
    for path, tree in trees().items():
        if not path.startswith("simulator/"):
            known = set(TREE) | PYTHONS | OURS_ALONE.get(path, set())
            known |= OURS_ALONE["cli/__init__.py"] if path.startswith("cli/") else set()
            unknown = {(path, name) for name in _raised(tree) if name not in known}
            assert unknown <= CAUGHT


def test_the_page_knows_what_is_no_part_of_the_tree() -> None:
    assert "`TransportClosed`" in PAGE.read_text()


def test_every_error_is_made_somewhere() -> None:
    made = {
        ast.unparse(name)
        for path, tree in trees().items()
        if not path.startswith("errors/")
        for node in ast.walk(tree)
        for name in (getattr(node, "func", None), getattr(node, "value", None))
        if isinstance(name, ast.Name)
    }
    assert set(TREE) - made == {"RealtimeError", "ConnectionFailed"}


def test_docstrings_name_errors_that_there_are() -> None:
    known = set(TREE) | {name for name in dir(builtins) if _is_exception(name)}
    known |= OURS_ALONE["transport.py"]
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                _, _, section = (ast.get_docstring(node) or "").partition("\nRaises:\n")
                named = re.findall(r"(?m)^    (\w+(?:, \w+)*):", section)
                names = {name for one in named for name in one.split(", ")}
                assert names <= known, f"{path}: {node.name}"
