"""One session object out of a struct or dict and keywords, or one clear error."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest

from realtime_client import events
from realtime_client.codec import encode
from realtime_client.errors import InvalidConfig
from realtime_client.options import SHORTCUTS, SessionShortcuts, session_from


def wire(session: Any = None, **shortcuts: Any) -> Any:
    made = session_from(session, shortcuts)
    return None if made is None else msgspec.json.decode(encode(made))


def test_nothing_given_is_no_configuration() -> None:
    assert session_from(None, {}) is None


def test_every_shortcut_has_a_type_and_the_other_way_round() -> None:
    assert set(SHORTCUTS) == set(get_type_hints(SessionShortcuts))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("instructions", "", {"instructions": ""}),
        ("output_modalities", ["text"], {"output_modalities": ["text"]}),
        ("voice", "marin", {"audio": {"output": {"voice": "marin"}}}),
        (
            "voice",
            events.VoiceId(id="voice_1"),
            {"audio": {"output": {"voice": {"id": "voice_1"}}}},
        ),
        ("speed", 1.2, {"audio": {"output": {"speed": 1.2}}}),
        ("turn_detection", None, {"audio": {"input": {"turn_detection": None}}}),
        (
            "turn_detection",
            "semantic_vad",
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}},
        ),
        (
            "turn_detection",
            events.ServerVad(threshold=0.7),
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}}},
        ),
        (
            "turn_detection",
            {"type": "azure_semantic_vad", "threshold": 0.3},
            {
                "audio": {
                    "input": {"turn_detection": {"type": "azure_semantic_vad", "threshold": 0.3}}
                }
            },
        ),
        ("transcription", None, {"audio": {"input": {"transcription": None}}}),
        (
            "transcription",
            "whisper-1",
            {"audio": {"input": {"transcription": {"model": "whisper-1"}}}},
        ),
        (
            "noise_reduction",
            "near_field",
            {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}},
        ),
        ("input_format", "audio/pcmu", {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}),
        (
            "output_format",
            {"type": "audio/pcm", "rate": 24000},
            {"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}},
        ),
        ("tools", [events.FunctionTool(name="f")], {"tools": [{"type": "function", "name": "f"}]}),
        ("tools", (), {"tools": []}),
        ("tool_choice", "required", {"tool_choice": "required"}),
        ("max_output_tokens", "inf", {"max_output_tokens": "inf"}),
        ("tracing", None, {"tracing": None}),
        ("truncation", "disabled", {"truncation": "disabled"}),
        ("reasoning", events.Reasoning(effort="low"), {"reasoning": {"effort": "low"}}),
        ("parallel_tool_calls", False, {"parallel_tool_calls": False}),
        ("prompt", {"id": "pmpt_1"}, {"prompt": {"id": "pmpt_1"}}),
        ("include", None, {"include": None}),
    ],
)
def test_a_shortcut_is_its_path_and_nothing_else(name: str, value: Any, expected: Any) -> None:
    assert wire(**{name: value}) == {"type": "realtime", **expected}


def test_shortcuts_go_beside_a_session_and_struct_and_dict_are_the_same() -> None:
    struct = events.SessionConfig(
        audio=events.AudioConfig(output=events.AudioOutput(voice="marin")), tracing=None
    )
    plain = {"type": "realtime", "tracing": None, "audio": {"output": {"voice": "marin"}}}
    expected = {
        "type": "realtime",
        "tracing": None,
        "audio": {"output": {"voice": "marin", "speed": 1.5}},
    }
    assert wire(struct, speed=1.5) == wire(plain, speed=1.5) == expected


def test_a_session_without_a_type_is_a_realtime_one_and_a_transcription_session_stays_one() -> None:
    assert wire({"instructions": "x"}) == {"type": "realtime", "instructions": "x"}
    made = session_from({"type": "transcription"}, {"transcription": "whisper-1"})
    assert isinstance(made, events.TranscriptionSessionConfig)


@pytest.mark.parametrize(
    ("session", "shortcuts", "words"),
    [
        (
            {"audio": {"output": {"voice": "a"}}},
            {"voice": "b"},
            "audio.output.voice is given twice",
        ),
        ({"audio": {"input": {"turn_detection": None}}}, {"turn_detection": None}, "given twice"),
        (None, {"vioce": "a"}, "unknown session option 'vioce'"),
        (None, {"speed": "fast"}, "speed"),
        (None, {"tools": [3]}, "tools"),
        (None, {"instructions": object()}, "a value of type object cannot be a session value"),
        ({"instrucions": "x"}, {}, "a realtime session has no field instrucions"),
        ({"audio": {"input": {"turn_detecton": None}}}, {}, "no field audio.input.turn_detecton"),
        ({"type": "something"}, {}, "'something'"),
        ({"audio": 3}, {"voice": "a"}, "audio"),
    ],
)
def test_a_mistake_is_one_error_that_names_it(session: Any, shortcuts: Any, words: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        session_from(session, shortcuts)
    assert words in str(caught.value)


def test_what_is_changed_afterwards_changes_nothing() -> None:
    schema: dict[str, Any] = {"type": "object"}
    tool = events.FunctionTool(name="f", parameters=schema)
    made = session_from({"tools": [tool]}, {})
    schema["type"] = "array"
    assert made is not None
    assert msgspec.json.decode(encode(made))["tools"][0]["parameters"] == {"type": "object"}
