"""Leaves: what is asked for, compared and sent as one piece."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.events import UNSET
from realtime_client.leaves import (
    Drift,
    Path,
    differing,
    dotted,
    drift,
    filled,
    leaves,
    tree,
    whole,
)

TURNS: Path = ("audio", "input", "turn_detection")
WORDS: Path = ("audio", "input", "transcription")
NOISE: Path = ("audio", "input", "noise_reduction")
SPEED: Path = ("audio", "output", "speed")

SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.7,
    "prefix_padding_ms": 250,
    "silence_duration_ms": 400,
    "idle_timeout_ms": None,
    "create_response": False,
    "interrupt_response": True,
}
SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "low",
    "create_response": False,
    "interrupt_response": True,
}


# -- trees and leaves -------------------------------------------------------------------------


def test_only_the_groups_that_the_server_merges_are_branches() -> None:
    session = {
        "type": "realtime",
        "tools": [{"type": "function", "name": "f"}],
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
        "audio": {
            "input": {"turn_detection": SERVER_VAD, "format": {"type": "audio/pcmu"}},
            "output": {"speed": 1.2, "voice": {"id": "voice_1"}},
        },
    }
    assert leaves(session) == {
        ("type",): "realtime",
        ("tools",): [{"type": "function", "name": "f"}],
        ("truncation",): {"type": "retention_ratio", "retention_ratio": 0.5},
        TURNS: SERVER_VAD,
        ("audio", "input", "format"): {"type": "audio/pcmu"},
        SPEED: 1.2,
        ("audio", "output", "voice"): {"id": "voice_1"},
    }


def test_names_of_branches_elsewhere_are_leaves() -> None:
    session = {"input": {"speed": 1}, "tracing": {"audio": {"input": 1}}}
    assert leaves(session) == {("input",): {"speed": 1}, ("tracing",): {"audio": {"input": 1}}}


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ({"audio": None}, ("audio",)),
        ({"audio": {"input": None}}, ("audio", "input")),
        ({"audio": {"output": None}}, ("audio", "output")),
        ({"audio": {"input": {"turn_detection": None}}}, TURNS),
        ({"tracing": None}, ("tracing",)),
    ],
)
def test_null_is_a_leaf_wherever_it_stands(session: dict[str, Any], path: Path) -> None:
    assert leaves(session) == {path: None}
    assert tree({path: None}) == session


@pytest.mark.parametrize("session", [{}, {"audio": {}}, {"audio": {"input": {}, "output": {}}}])
def test_empty_branches_ask_for_nothing(session: dict[str, Any]) -> None:
    assert leaves(session) == {}


def test_the_tree_has_the_leaves_and_nothing_else() -> None:
    flat = {("type",): "realtime", SPEED: 1.0, TURNS: None, WORDS: {"model": "m"}}
    assert tree(flat) == {
        "type": "realtime",
        "audio": {
            "output": {"speed": 1.0},
            "input": {"turn_detection": None, "transcription": {"model": "m"}},
        },
    }
    assert tree({}) == {}


def test_changing_a_tree_changes_no_leaf() -> None:
    flat: dict[Path, Any] = {TURNS: {"type": "server_vad"}, ("tools",): []}
    shown = tree(flat)
    shown["audio"]["input"]["turn_detection"]["threshold"] = 0.1
    shown["tools"].append("x")
    assert flat == {TURNS: {"type": "server_vad"}, ("tools",): []}


def test_a_leaf_under_a_branch_that_was_null_replaces_the_null() -> None:
    flat: dict[Path, Any] = {("audio", "output"): None, SPEED: 1.2}
    assert tree(flat) == {"audio": {"output": {"speed": 1.2}}}


def test_an_mcp_tools_credential_that_is_not_echoed_was_not_ignored() -> None:
    tool = {"type": "mcp", "server_label": "s", "authorization": "x", "headers": {"k": "v"}}
    shown = {"type": "mcp", "server_label": "s"}
    assert drift({("tools",): [tool]}, {("tools",): [shown]}) == ()
    assert drift({("tools",): [{**tool, "server_label": "t"}]}, {("tools",): [shown]}) != ()
    function = {"type": "function", "headers": {}}
    assert drift({("tools",): [function]}, {("tools",): [{"type": "function"}]}) != ()


_scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b"])
_values = (
    _scalars
    | st.lists(_scalars, max_size=2)
    | st.dictionaries(st.sampled_from(["type", "x", "y"]), _scalars, max_size=3)
)
_sides = st.dictionaries(
    st.sampled_from(["format", "speed", "turn_detection", "transcription"]), _values, min_size=1
)
sessions = st.fixed_dictionaries(
    {},
    optional={
        "instructions": _values,
        "tools": _values,
        "audio": st.fixed_dictionaries({"input": _sides}, optional={"output": _sides}),
    },
)


@given(sessions)
def test_a_tree_survives_its_leaves(session: dict[str, Any]) -> None:
    before = copy.deepcopy(session)
    assert tree(leaves(session)) == session == before


@given(sessions, sessions)
def test_what_goes_out_makes_the_server_have_what_was_asked(
    asked: dict[str, Any], current: dict[str, Any]
) -> None:
    wanted, acknowledged = leaves(asked), leaves(current)
    after = {**acknowledged, **differing(wanted, acknowledged)}
    assert drift(wanted, after) == ()
    assert differing(wanted, after) == {}
    assert set(differing(wanted, acknowledged)) <= set(wanted)


def test_a_path_is_written_with_dots() -> None:
    assert dotted(TURNS) == "audio.input.turn_detection"
    assert dotted(("tools",)) == "tools"


# -- leaf objects go out whole ----------------------------------------------------------------


def test_turn_detection_is_filled_from_what_the_server_has() -> None:
    asked = {"type": "server_vad", "silence_duration_ms": 900}
    expected = {name: value for name, value in SERVER_VAD.items() if value is not None}
    assert filled(TURNS, asked, SERVER_VAD) == {**expected, "silence_duration_ms": 900}


def test_nulls_that_the_server_shows_are_not_sent_back_but_nulls_that_were_asked_are() -> None:
    assert "idle_timeout_ms" not in filled(TURNS, {"type": "server_vad"}, SERVER_VAD)
    asked = {"type": "server_vad", "idle_timeout_ms": None}
    current = {**SERVER_VAD, "idle_timeout_ms": 6_000}
    assert filled(TURNS, asked, current)["idle_timeout_ms"] is None
    assert filled(TURNS, {"type": "server_vad"}, current)["idle_timeout_ms"] == 6_000


def test_falsy_values_are_kept() -> None:
    current = {"type": "server_vad", "threshold": 0, "create_response": False}
    assert filled(TURNS, {"type": "server_vad"}, current) == current
    current = {"model": "m", "language": "", "keywords": []}
    assert filled(WORDS, {"model": "m"}, current) == current


@pytest.mark.parametrize(
    ("asked", "current", "expected"),
    [
        (
            {"type": "semantic_vad"},
            SERVER_VAD,
            {"type": "semantic_vad", "create_response": False, "interrupt_response": True},
        ),
        (
            {"type": "server_vad", "threshold": 0.2},
            SEMANTIC_VAD,
            {
                "type": "server_vad",
                "threshold": 0.2,
                "create_response": False,
                "interrupt_response": True,
            },
        ),
        # A kind that nobody here knows shares nothing with the others.
        ({"type": "azure_semantic_vad"}, SERVER_VAD, {"type": "azure_semantic_vad"}),
        # What a known kind has beyond what we know is the server's, and is kept.
        (
            {"type": "server_vad", "threshold": 0.2},
            {"type": "server_vad", "threshold": 0.5, "auto_truncate": True},
            {"type": "server_vad", "threshold": 0.2, "auto_truncate": True},
        ),
        (
            {"type": "azure_semantic_vad", "a": 1},
            {"type": "azure_semantic_vad", "a": 0, "b": 2, "c": None},
            {"type": "azure_semantic_vad", "a": 1, "b": 2},
        ),
        # From an unknown kind to a known one: what the known one has.
        (
            {"type": "semantic_vad"},
            {"type": "azure_semantic_vad", "eagerness": "high", "b": 2},
            {"type": "semantic_vad", "eagerness": "high"},
        ),
        # Without a kind of its own it is about the current one.
        (
            {"eagerness": "high"},
            SEMANTIC_VAD,
            {**SEMANTIC_VAD, "eagerness": "high"},
        ),
    ],
)
def test_another_kind_of_turn_detection_inherits_what_both_have(
    asked: dict[str, Any], current: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert filled(TURNS, asked, current) == expected


def test_transcription_and_noise_reduction_are_filled_too() -> None:
    words = {"model": "whisper-1", "language": "de", "prompt": None}
    assert filled(WORDS, {"model": "m"}, words) == {"model": "m", "language": "de"}
    noise = {"type": "near_field", "strength": 0.5}
    assert filled(NOISE, {"type": "far_field"}, noise) == {"type": "far_field", "strength": 0.5}


@pytest.mark.parametrize("path", [("tracing",), ("truncation",), ("audio", "input", "format")])
def test_other_objects_are_sent_as_they_were_asked(path: Path) -> None:
    asked = {"a": 1}
    assert filled(path, asked, {"a": 0, "b": 2}) == {"a": 1}


@pytest.mark.parametrize("asked", [None, "auto", 5, [1]])
def test_what_is_no_object_is_not_filled(asked: Any) -> None:
    assert filled(TURNS, asked, SERVER_VAD) == asked


@pytest.mark.parametrize("current", [None, "server_vad", UNSET])
def test_there_is_nothing_to_fill_from(current: Any) -> None:
    assert filled(TURNS, {"type": "server_vad"}, current) == {"type": "server_vad"}


def test_filling_changes_neither_side() -> None:
    asked, current = {"type": "server_vad"}, dict(SERVER_VAD)
    filled(TURNS, asked, current)["threshold"] = 0
    assert asked == {"type": "server_vad"}
    assert current == SERVER_VAD


def test_whole_is_every_leaf_that_was_asked_for_and_no_other() -> None:
    acknowledged = {TURNS: SERVER_VAD, SPEED: 1.0, ("instructions",): "x"}
    assert whole({SPEED: 1.0, TURNS: {"type": "semantic_vad"}}, acknowledged) == {
        SPEED: 1.0,
        TURNS: {"type": "semantic_vad", "create_response": False, "interrupt_response": True},
    }


# -- what differs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "current"),
    [
        ("x", "x"),
        (1, 1),
        (1, 1.0),
        (1.0, 1),
        (1.2, 1.2000000476837158),  # the nearest float32
        (1.2000000476837158, 1.2),
        (0, 0.0),
        (True, True),
        (None, None),
        ([], []),
        ([{"type": "function", "name": "f"}], [{"type": "function", "name": "f"}]),
        ({}, {"a": None}),
        ({"a": None, "b": 1}, {"b": 1, "c": None}),
    ],
)
def test_what_the_server_has_is_not_sent(asked: Any, current: Any) -> None:
    assert differing({("x",): asked}, {("x",): current}) == {}


@pytest.mark.parametrize(
    ("asked", "current"),
    [
        ("x", "y"),
        ("", "x"),
        ("1", 1),
        (1, True),
        (True, 1),
        (0, False),
        (1, 2),
        (1.2, 1.20001),
        (0, 1e-9),
        (None, "auto"),
        (None, False),
        ("auto", None),
        (None, UNSET),  # nobody knows what a server has that does not say so
        ("x", UNSET),
        ([], [1]),
        ([1], []),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ({"a": None}, {"a": 1}),
        ({}, {"a": 1}),
        ({"a": 1}, None),
        (None, {"a": 1}),
        ({}, None),
    ],
)
def test_what_the_server_has_not_is_sent(asked: Any, current: Any) -> None:
    where: Path = ("x",)
    acknowledged = {} if current is UNSET else {where: current}
    assert differing({where: asked}, acknowledged) == {where: asked}


def test_only_the_leaves_that_differ_go_out_and_they_go_out_whole() -> None:
    acknowledged = {TURNS: SERVER_VAD, SPEED: 1.0, WORDS: None, ("instructions",): "x"}
    asked = {
        TURNS: {"type": "server_vad", "threshold": 0.1},
        SPEED: 1,
        WORDS: None,
        ("instructions",): "y",
    }
    expected = {name: value for name, value in SERVER_VAD.items() if value is not None}
    assert differing(asked, acknowledged) == {
        TURNS: {**expected, "threshold": 0.1},
        ("instructions",): "y",
    }


def test_a_part_of_a_leaf_that_the_server_has_already_is_no_difference() -> None:
    asked = {TURNS: {"type": "server_vad", "threshold": 0.7}, NOISE: {"type": "near_field"}}
    acknowledged = {TURNS: SERVER_VAD, NOISE: {"type": "near_field", "strength": 0.3}}
    assert differing(asked, acknowledged) == {}


def test_a_part_of_another_object_is_a_difference() -> None:
    where: Path = ("truncation",)
    asked = {where: {"type": "retention_ratio"}}
    acknowledged = {where: {"type": "retention_ratio", "retention_ratio": 0.5}}
    assert differing(asked, acknowledged) == asked


# -- drift ------------------------------------------------------------------------------------


def test_no_drift_where_the_server_has_what_was_asked_and_more() -> None:
    asked = {
        TURNS: {"type": "server_vad", "threshold": 0.7, "idle_timeout_ms": None},
        WORDS: {"model": "m", "prompt": None},
        ("tools",): [{"type": "function", "name": "f"}],
        ("truncation",): {"token_limits": {"post_instructions": 5}},
        SPEED: 1.2,
        ("tracing",): None,
        ("prompt",): None,
    }
    effective = {
        TURNS: SERVER_VAD,
        WORDS: {"model": "m", "language": None},
        ("tools",): [{"type": "function", "name": "f", "description": "added"}],
        ("truncation",): {"token_limits": {"post_instructions": 5, "x": 1}, "y": 2},
        SPEED: 1.2000000476837158,
        ("tracing",): None,
        ("instructions",): "not asked",
    }
    assert drift(asked, effective) == ()


@pytest.mark.parametrize(
    ("path", "asked", "effective", "expected"),
    [
        (SPEED, 1.5, 1.4, [("audio.output.speed", 1.5, 1.4)]),
        (SPEED, 1.5, UNSET, [("audio.output.speed", 1.5, UNSET)]),
        (SPEED, 1.5, None, [("audio.output.speed", 1.5, None)]),
        (("tracing",), None, "auto", [("tracing", None, "auto")]),
        (("instructions",), "", "default", [("instructions", "", "default")]),
        (TURNS, None, SERVER_VAD, [("audio.input.turn_detection", None, SERVER_VAD)]),
        # Of an object that is filled, each field that was asked for by itself.
        (
            TURNS,
            {"type": "server_vad", "threshold": 0.1, "silence_duration_ms": 400},
            SERVER_VAD,
            [("audio.input.turn_detection.threshold", 0.1, 0.7)],
        ),
        (
            TURNS,
            {"type": "server_vad", "idle_timeout_ms": 6_000, "eagerness": "low"},
            SERVER_VAD,
            [
                ("audio.input.turn_detection.idle_timeout_ms", 6_000, None),
                ("audio.input.turn_detection.eagerness", "low", UNSET),
            ],
        ),
        (
            TURNS,
            {"type": "semantic_vad"},
            None,
            [("audio.input.turn_detection", {"type": "semantic_vad"}, None)],
        ),
        (WORDS, {"model": "a"}, {"model": "b"}, [("audio.input.transcription.model", "a", "b")]),
        (
            NOISE,
            {"strength": 0.5},
            {"strength": 0.4},
            [("audio.input.noise_reduction.strength", 0.5, 0.4)],
        ),
        # Of any other object, the whole.
        (("tracing",), {"a": 1}, {"a": 2}, [("tracing", {"a": 1}, {"a": 2})]),
        (("tracing",), {"a": 1}, {"b": 1}, [("tracing", {"a": 1}, {"b": 1})]),
        (("tools",), [1], [1, 2], [("tools", [1], [1, 2])]),
        (("tools",), [1, 2], [1], [("tools", [1, 2], [1])]),
        (("tools",), [1, 2], [2, 1], [("tools", [1, 2], [2, 1])]),
        (("tools",), [], None, [("tools", [], None)]),
        (("tools",), [{"n": 1}], [{"n": 2}], [("tools", [{"n": 1}], [{"n": 2}])]),
    ],
)
def test_drift_names_the_field_and_both_values(
    path: Path, asked: Any, effective: Any, expected: list[tuple[str, Any, Any]]
) -> None:
    there = {} if effective is UNSET else {path: effective}
    assert drift({path: asked}, there) == tuple(Drift(*one) for one in expected)


def test_drift_is_in_the_order_of_what_was_asked() -> None:
    asked = {SPEED: 1.5, ("instructions",): "x", ("type",): "realtime"}
    assert [one.path for one in drift(asked, {("type",): "realtime"})] == [
        "audio.output.speed",
        "instructions",
    ]


def test_null_that_was_asked_is_there_when_the_server_does_not_show_the_field() -> None:
    asked = {TURNS: None, WORDS: {"model": "m", "prompt": None}}
    assert drift(asked, {WORDS: {"model": "m"}}) == ()
