"""What is refused before a byte is sent: at each bound, and just outside it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from realtime_client import fixed
from realtime_client.errors import InvalidConfig
from realtime_client.fixed import refuse, refuse_impossible
from realtime_client.leaves import Path

VOICE: Path = ("audio", "output", "voice")
SPEED: Path = ("audio", "output", "speed")
TURNS: Path = ("audio", "input", "turn_detection")
WORDS: Path = ("audio", "input", "transcription")

BOUNDS: dict[tuple[Path, str], tuple[list[Any], list[Any], str]] = {
    # (path, field): (what can be, what cannot, how it is said)
    (SPEED, ""): (
        [0.25, 1, 1.0, 1.5],
        [0.249, 0.0, 1.501, 2, -1, math.nan, math.inf, "1.0", [1.0]],
        "it must be 0.25 to 1.5",
    ),
    (("output_modalities",), ""): (
        [["audio"], ["text"], ("audio",), ("text",)],
        [["audio", "text"], ["text", "audio"], [], ["video"], ["audio", "audio"], "audio"],
        "it must be ['audio'] or ['text'], never both",
    ),
    (("max_output_tokens",), ""): (
        [1, 4_096, "inf"],
        [0, 4_097, -1, "infinite", "", 1.5, [1]],
        "it must be 1 to 4096, or 'inf'",
    ),
    (("truncation",), "retention_ratio"): (
        [0, 0.0, 0.5, 1, 1.0],
        [-0.001, 1.001, "0.5", math.nan],
        "it must be 0 to 1",
    ),
    (TURNS, "threshold"): (
        [0, 0.0, 0.5, 1, 1.0],
        [-0.001, 1.001, "0.5", math.nan],
        "it must be 0 to 1",
    ),
    (TURNS, "prefix_padding_ms"): (
        [0, 300, 100_000],
        [-1, -0.1, "300"],
        "it must be 0 ms or more",
    ),
    (TURNS, "silence_duration_ms"): (
        [0, 200, 100_000],
        [-1, "200"],
        "it must be 0 ms or more",
    ),
    (TURNS, "idle_timeout_ms"): (
        [5_000, 30_000],
        [4_999, 30_001, 0, "5000"],
        "it must be 5000 to 30000 ms, or null",
    ),
}


def asked(path: Path, field: str, value: Any) -> dict[Path, Any]:
    return {path: {"type": "x", field: value} if field else value}


def test_every_rule_has_its_bounds_here() -> None:
    rules = {(path, field) for path, fields in fixed._RULES.items() for field in fields}
    assert rules == set(BOUNDS)


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [(*where, value) for where, (fits, _, _) in BOUNDS.items() for value in fits],
)
def test_inside_its_bounds_everything_can_be(path: Path, field: str, value: Any) -> None:
    refuse_impossible(asked(path, field, value))


@pytest.mark.parametrize(
    ("path", "field", "value", "words"),
    [(*where, value, words) for where, (_, not_, words) in BOUNDS.items() for value in not_],
)
def test_outside_its_bounds_it_is_refused_by_name(
    path: Path, field: str, value: Any, words: str
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        refuse_impossible(asked(path, field, value))
    where = ".".join((*path, field) if field else path)
    assert str(caught.value).startswith(f"{where} is {value!r}; {words}")


@pytest.mark.parametrize(("path", "field"), BOUNDS)
def test_null_is_never_out_of_range(path: Path, field: str) -> None:
    refuse_impossible({path: None})
    refuse_impossible(asked(path, field, None))


def test_an_object_without_the_field_is_not_judged() -> None:
    refuse_impossible({TURNS: {"type": "server_vad"}, ("truncation",): {"type": "disabled"}})


def test_a_word_in_the_place_of_an_object_is_not_judged() -> None:
    refuse_impossible({("truncation",): "auto", TURNS: "server_vad"})


def test_fields_without_a_rule_are_the_servers_to_judge() -> None:
    refuse_impossible({("instructions",): 5, ("audio", "input", "speed"): 99, WORDS: {"x": -1}})


def test_every_leaf_is_looked_at() -> None:
    with pytest.raises(InvalidConfig, match=r"audio\.input\.turn_detection\.threshold is 2"):
        refuse_impossible({SPEED: None, VOICE: "marin", TURNS: {"threshold": 2}})
    with pytest.raises(InvalidConfig, match="silence_duration_ms is -5"):
        refuse_impossible({TURNS: {"threshold": 1, "silence_duration_ms": -5}})


def test_modalities_that_are_no_list_are_refused_too() -> None:
    with pytest.raises(InvalidConfig):
        refuse_impossible({("output_modalities",): 5})


# -- fixed by the server ----------------------------------------------------------------------

SERVER: dict[Path, Any] = {
    ("type",): "realtime",
    ("model",): "gpt-realtime",
    VOICE: "alloy",
    ("tracing",): None,
    SPEED: 1.0,
}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("type",), "transcription", "fixed when it is opened"),
        (("model",), "gpt-realtime-mini", "fixed when it is opened"),
        (("model",), None, "fixed when it is opened"),
    ],
)
def test_type_and_model_are_fixed_from_the_start(path: Path, value: Any, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as caught:
        refuse({path: value}, SERVER, spoken=False)
    assert str(caught.value).startswith(f"{'.'.join(path)} is {SERVER[path]!r} and cannot change")


def test_the_same_again_is_no_change() -> None:
    tracing = {"workflow_name": "w"}
    acknowledged = {**SERVER, ("tracing",): tracing}
    refuse({**acknowledged, ("tracing",): dict(tracing)}, acknowledged, spoken=True)


@pytest.mark.parametrize("path", [("type",), ("model",), VOICE])
def test_what_the_server_does_not_show_is_not_judged(path: Path) -> None:
    refuse({path: "x"}, {}, spoken=True)
    refuse({path: "x"}, {path: None}, spoken=True)


def test_the_voice_is_free_until_the_model_has_spoken() -> None:
    refuse({VOICE: "marin"}, SERVER, spoken=False)
    with pytest.raises(InvalidConfig, match="before the first word") as caught:
        refuse({VOICE: "marin"}, SERVER, spoken=True)
    assert "audio.output.voice is 'alloy'" in str(caught.value)
    with pytest.raises(InvalidConfig):
        refuse({VOICE: None}, SERVER, spoken=True)
    with pytest.raises(InvalidConfig):
        refuse({VOICE: {"id": "alloy"}}, SERVER, spoken=True)
    refuse({SPEED: 1.2}, SERVER, spoken=True)


def test_tracing_locks_once_it_is_on() -> None:
    refuse({("tracing",): "auto"}, SERVER, spoken=True)
    for value in (None, {"workflow_name": "w"}):
        with pytest.raises(InvalidConfig, match="cannot be changed once it is on"):
            refuse({("tracing",): value}, {**SERVER, ("tracing",): "auto"}, spoken=False)


def test_the_same_tracing_again_is_no_change_when_the_server_shows_nulls() -> None:
    shown = {"workflow_name": "w", "group_id": None, "metadata": None}
    refuse({("tracing",): {"workflow_name": "w"}}, {("tracing",): shown}, spoken=False)


def test_the_impossible_is_refused_there_too() -> None:
    with pytest.raises(InvalidConfig, match=r"0\.25 to 1\.5"):
        refuse({SPEED: 2}, SERVER, spoken=False)
