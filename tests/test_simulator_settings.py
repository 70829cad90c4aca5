"""What an update changes, what it refuses, and that a refused one changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import SessionUpdatedEvent

from realtime_client.events import SessionConfig
from realtime_client.simulator import Hello, Say
from realtime_client.simulator.settings import INSTRUCTIONS
from tests.simulated import Frame, Sim, of, one, scripted, types


def effective(sim: Sim) -> Frame:
    """The whole session as the server sees it; asking changes nothing."""
    return dict(one(sim.update(), "session.updated")["session"])


def input_of(sim: Sim) -> Frame:
    return dict(effective(sim)["audio"]["input"])


def detection(**fields: Any) -> Frame:
    return {"audio": {"input": {"turn_detection": {"type": "server_vad"} | fields}}}


SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}


def test_the_session_of_a_new_connection() -> None:
    sim = Sim(start=False, expires_after=60)
    sim.session.start(1000.0)
    (created,) = sim.take()
    pcm = {"type": "audio/pcm", "rate": 24_000}
    assert created["type"] == "session.created"
    assert created["session"] == {
        "type": "realtime",
        "object": "realtime.session",
        "id": "sess_1",
        "model": "gpt-realtime",
        "output_modalities": ["audio"],
        "instructions": INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": 1060,
        "audio": {
            "input": {
                "format": pcm,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": SERVER_VAD,
            },
            "output": {"format": pcm, "voice": "alloy", "speed": 1.0},
        },
        "include": None,
    }


def test_the_update_is_answered_with_the_whole_session() -> None:
    sim = Sim()
    before = effective(sim)
    frames = sim.update(instructions="Be brief.", audio={"output": {"speed": 1.25}})
    assert types(frames) == ["session.updated"]
    session = frames[0]["session"]
    output = before["audio"]["output"] | {"speed": 1.25}
    assert session == before | {
        "instructions": "Be brief.",
        "audio": before["audio"] | {"output": output},
    }
    SessionUpdatedEvent.model_validate(frames[0])
    assert isinstance(sim.session.settings.session, SessionConfig)
    assert sim.session.settings.session.instructions == "Be brief."


def test_audio_merges_level_by_level() -> None:
    sim = Sim()
    sim.update(audio={"input": {"noise_reduction": {"type": "far_field"}}})
    sim.update(audio={"output": {"voice": "marin"}})
    sim.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    audio = effective(sim)["audio"]
    assert audio["output"]["voice"] == "marin"
    assert audio["output"]["speed"] == 1.0
    assert audio["input"]["noise_reduction"] == {"type": "far_field"}
    assert audio["input"]["turn_detection"] == SERVER_VAD


def test_lists_are_replaced_whole_and_can_be_emptied() -> None:
    a, b = ({"type": "function", "name": name} for name in "ab")
    sim = Sim()
    sim.update(tools=[a])
    sim.update(tools=[b])
    assert effective(sim)["tools"] == [b]
    sim.update(tools=[])
    assert effective(sim)["tools"] == []


@pytest.mark.parametrize("name", ["turn_detection", "transcription", "noise_reduction"])
def test_null_turns_a_stage_off(name: str) -> None:
    sim = Sim()
    sim.update(
        audio={
            "input": {
                "transcription": {"model": "whisper-1"},
                "noise_reduction": {"type": "near_field"},
            }
        }
    )
    assert input_of(sim)[name] is not None
    sim.update(audio={"input": {name: None}})
    assert input_of(sim)[name] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tool_choice", None),
        ("tracing", None),
        ("prompt", None),
        ("include", None),
        ("max_output_tokens", "inf"),
        ("max_output_tokens", 4096),
        ("tool_choice", {"type": "function", "name": "f"}),
        ("truncation", {"type": "retention_ratio", "retention_ratio": 0.5}),
        ("tracing", {"workflow_name": "w"}),
        ("prompt", {"id": "p", "variables": {"a": "b"}}),
        ("tools", [{"type": "mcp", "server_label": "s", "server_url": "https://x.test"}]),
    ],
)
def test_values_that_are_accepted(field: str, value: Any) -> None:
    sim = Sim()
    assert types(sim.update(**{field: value})) == ["session.updated"]
    assert effective(sim)[field] == value


def test_a_partial_leaf_object_keeps_or_refills() -> None:
    for refill, padding in [(False, 50), (True, 300)]:
        sim = Sim(refill_defaults=refill)
        sim.update(**detection(prefix_padding_ms=50, silence_duration_ms=900))
        sim.update(**detection(silence_duration_ms=700))
        got = input_of(sim)["turn_detection"]
        assert got == SERVER_VAD | {"prefix_padding_ms": padding, "silence_duration_ms": 700}


def test_a_partial_transcription_keeps_or_refills() -> None:
    for refill, language in [(False, "de"), (True, None)]:
        sim = Sim(refill_defaults=refill)
        sim.update(audio={"input": {"transcription": {"model": "m", "language": "de"}}})
        sim.update(audio={"input": {"transcription": {"model": "n"}}})
        got = input_of(sim)["transcription"]
        assert got == {"model": "n", "language": language, "prompt": None}


def test_another_type_of_turn_detection_inherits_nothing() -> None:
    sim = Sim()
    sim.update(**detection(create_response=False))
    sim.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
    semantic = {"eagerness": "auto", "create_response": True, "interrupt_response": True}
    assert input_of(sim)["turn_detection"] == {"type": "semantic_vad"} | semantic
    sim.update(**detection())
    assert input_of(sim)["turn_detection"] == SERVER_VAD


def test_turn_detection_comes_back_from_null_with_defaults() -> None:
    sim = Sim()
    sim.update(**detection(silence_duration_ms=900))
    sim.update(audio={"input": {"turn_detection": None}})
    sim.update(**detection())
    assert input_of(sim)["turn_detection"] == SERVER_VAD


def test_noise_reduction_keeps_its_strength() -> None:
    for refill in (False, True):
        sim = Sim(refill_defaults=refill)
        sim.update(audio={"input": {"noise_reduction": {"type": "near_field", "strength": 0.4}}})
        sim.update(audio={"input": {"noise_reduction": {"type": "far_field"}}})
        assert input_of(sim)["noise_reduction"] == {"type": "far_field", "strength": 0.4}


def test_empty_instructions_by_policy() -> None:
    for policy, expected in [("default", INSTRUCTIONS), ("clear", "")]:
        sim = Sim(empty_instructions=policy)
        sim.update(instructions="Mine.")
        sim.update(instructions="")
        assert effective(sim)["instructions"] == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("instructions", INSTRUCTIONS),
        ("audio.output.voice", "alloy"),
        ("audio.input.turn_detection", SERVER_VAD),
        ("audio.input.turn_detection.threshold", SERVER_VAD | {"silence_duration_ms": 700}),
    ],
)
def test_ignored_fields_are_acknowledged_and_not_taken(path: str, expected: Any) -> None:
    mine = {"type": "server_vad", "threshold": 0.9, "silence_duration_ms": 700}
    update = {
        "instructions": "Yours.",
        "audio": {"input": {"turn_detection": mine}, "output": {"voice": "marin", "speed": 1.2}},
    }
    for ignored in (frozenset[str](), frozenset({path})):
        sim = Sim(ignored_fields=ignored)
        assert types(sim.update(**update)) == ["session.updated"]
        session = effective(sim)
        got = {
            "instructions": session["instructions"],
            "audio.output.voice": session["audio"]["output"]["voice"],
            "audio.input.turn_detection": session["audio"]["input"]["turn_detection"],
        }
        taken = {
            "instructions": "Yours.",
            "audio.output.voice": "marin",
            "audio.input.turn_detection": SERVER_VAD | mine,
        }
        kept = {path.removesuffix(".threshold"): expected} if ignored else {}
        assert got == taken | kept
        assert session["audio"]["output"]["speed"] == 1.2


def test_a_speed_above_the_fastest_is_brought_down() -> None:
    for fastest, asked, got in [(1.5, 1.5, 1.5), (1.2, 1.5, 1.2), (1.2, 1.2, 1.2), (1.2, 0.5, 0.5)]:
        sim = Sim(fastest=fastest)
        assert types(sim.update(audio={"output": {"speed": asked}})) == ["session.updated"]
        assert effective(sim)["audio"]["output"]["speed"] == got


def test_pcm_without_a_rate_is_echoed_with_one() -> None:
    sim = Sim(pcm_rates=(16_000, 24_000))
    sim.update(audio={"input": {"format": {"type": "audio/pcm"}}})
    assert input_of(sim)["format"] == {"type": "audio/pcm", "rate": 16_000}


# --- refusals --------------------------------------------------------------------------

VAD_PATH = "session.audio.input.turn_detection"
REFUSED: list[tuple[Frame, str, str]] = [
    ({"colour": "red"}, "unknown_parameter", "session.colour"),
    ({"temperature": 0.7}, "unknown_parameter", "session.temperature"),
    ({"modalities": ["text"]}, "unknown_parameter", "session.modalities"),
    ({"id": "sess_1"}, "unknown_parameter", "session.id"),
    ({"audio": {"inputs": {}}}, "unknown_parameter", "session.audio.inputs"),
    ({"audio": {"output": {"pitch": 1}}}, "unknown_parameter", "session.audio.output.pitch"),
    (detection(shold=1), "unknown_parameter", f"{VAD_PATH}.shold"),
    ({"reasoning": {"effort": "low"}}, "unknown_parameter", "session.reasoning"),
    ({"parallel_tool_calls": True}, "unknown_parameter", "session.parallel_tool_calls"),
    ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
    ({"output_modalities": ["video"]}, "invalid_value", "session.output_modalities[0]"),
    ({"output_modalities": None}, "invalid_value", "session.output_modalities"),
    ({"instructions": 3}, "invalid_value", "session.instructions"),
    ({"type": "transcription"}, "invalid_value", "session.type"),
    ({"model": "gpt-other"}, "invalid_value", "session.model"),
    ({"max_output_tokens": 0}, "integer_below_min_value", "session.max_output_tokens"),
    ({"max_output_tokens": 4097}, "invalid_value", "session.max_output_tokens"),
    ({"max_output_tokens": True}, "invalid_value", "session.max_output_tokens"),
    ({"max_output_tokens": "all"}, "invalid_value", "session.max_output_tokens"),
    ({"tools": [{"name": "f"}]}, "missing_required_parameter", "session.tools[0].type"),
    ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
    ({"tools": [{"type": "gun", "name": "f"}]}, "invalid_value", "session.tools[0].type"),
    ({"tool_choice": "never"}, "invalid_value", "session.tool_choice"),
    ({"tracing": "on"}, "invalid_value", "session.tracing"),
    ({"truncation": None}, "invalid_value", "session.truncation"),
    ({"include": ["everything"]}, "invalid_value", "session.include[0]"),
    ({"prompt": {"id": "p", "variables": []}}, "invalid_value", "session.prompt.variables"),
    ({"prompt": {}}, "missing_required_parameter", "session.prompt.id"),
    ({"audio": {"output": {"speed": 1.6}}}, "invalid_value", "session.audio.output.speed"),
    ({"audio": {"output": {"speed": 0.2}}}, "invalid_value", "session.audio.output.speed"),
    ({"audio": {"output": {"speed": "1"}}}, "invalid_value", "session.audio.output.speed"),
    ({"audio": {"output": {"voice": {}}}},
     "missing_required_parameter", "session.audio.output.voice.id"),
    ({"audio": {"output": {"voice": 3}}}, "invalid_value", "session.audio.output.voice"),
    ({"audio": {"input": {"format": "pcm16"}}}, "invalid_value", "session.audio.input.format"),
    ({"audio": {"input": {"format": {"type": "audio/mp3"}}}},
     "invalid_value", "session.audio.input.format.type"),
    ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
     "invalid_value", "session.audio.input.format.rate"),
    ({"audio": {"input": {"turn_detection": {"threshold": 0.5}}}},
     "missing_required_parameter", f"{VAD_PATH}.type"),
    ({"audio": {"input": {"turn_detection": {"type": None}}}},
     "invalid_value", f"{VAD_PATH}.type"),
    (detection(threshold=1.5), "invalid_value", f"{VAD_PATH}.threshold"),
    (detection(prefix_padding_ms=-1), "integer_below_min_value", f"{VAD_PATH}.prefix_padding_ms"),
    (detection(silence_duration_ms=0.5), "invalid_value", f"{VAD_PATH}.silence_duration_ms"),
    (detection(idle_timeout_ms=4999), "integer_below_min_value", f"{VAD_PATH}.idle_timeout_ms"),
    (detection(idle_timeout_ms=30001), "invalid_value", f"{VAD_PATH}.idle_timeout_ms"),
    (detection(create_response=1), "invalid_value", f"{VAD_PATH}.create_response"),
    ({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "max"}}}},
     "invalid_value", f"{VAD_PATH}.eagerness"),
    ({"audio": {"input": {"transcription": {"language": "de"}}}},
     "missing_required_parameter", "session.audio.input.transcription.model"),
    ({"audio": {"input": {"noise_reduction": {"type": "none"}}}},
     "invalid_value", "session.audio.input.noise_reduction.type"),
]  # fmt: skip


@pytest.mark.parametrize(("update", "code", "param"), REFUSED)
def test_a_refused_update_is_discarded_whole(update: Frame, code: str, param: str) -> None:
    sim = Sim()
    before = effective(sim)
    good = {"instructions": "Good.", "audio": {"output": {"voice": "marin"}}}
    merged = good | update
    frames = sim.send("session.update", event_id="u", session={"type": "realtime"} | merged)
    assert types(frames) == ["error"]
    assert sim.error() == (code, param)
    assert frames[0]["error"]["event_id"] == "u"
    assert effective(sim) == before


def test_the_type_is_required() -> None:
    sim = Sim()
    sim.send("session.update", session={"instructions": "x"})
    assert sim.error() == ("missing_required_parameter", "session.type")
    sim.send("session.update")
    assert sim.error() == ("missing_required_parameter", "session")
    sim.send("session.update", session=None)
    assert sim.error() == ("invalid_value", "session")


def test_modalities_are_refused_in_the_servers_words() -> None:
    sim = Sim()
    (error,) = sim.update(output_modalities=["audio", "text"])
    assert error["error"]["message"] == (
        "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio']."
    )


def test_the_same_model_again_is_no_change() -> None:
    assert types(Sim().update(model="gpt-realtime")) == ["session.updated"]


def test_tracing_locks_once_enabled() -> None:
    sim = Sim()
    sim.update(tracing="auto")
    assert types(sim.update(tracing="auto", instructions="x")) == ["session.updated"]
    sim.update(tracing=None)
    assert sim.error() == ("invalid_value", "session.tracing")
    assert effective(sim)["tracing"] == "auto"


def test_the_voice_is_frozen_once_the_model_has_spoken() -> None:
    sim = Sim(pace="fast")
    assert types(sim.update(audio={"output": {"voice": "marin"}})) == ["session.updated"]
    sim.respond(output_modalities=["text"])
    assert types(sim.update(audio={"output": {"voice": "cedar"}})) == ["session.updated"]
    sim.respond()
    sim.update(audio={"output": {"voice": "ash"}}, instructions="x")
    assert sim.error() == ("cannot_update_voice", "session.audio.output.voice")
    assert effective(sim)["audio"]["output"]["voice"] == "cedar"
    assert effective(sim)["instructions"] == INSTRUCTIONS
    again = sim.update(audio={"output": {"voice": "cedar"}})
    assert types(again) == ["session.updated"], "the same voice again is fine"


def test_the_voice_is_free_until_audio_is_sent() -> None:
    sim = Sim(pace="fast", created_after=1)
    sim.respond()
    assert types(sim.update(audio={"output": {"voice": "marin"}})) == ["session.updated"]


def test_the_speed_changes_only_between_turns() -> None:
    sim = Sim(scripted([Say("Quite a long answer.")]), pace="realtime")
    sim.respond()
    sim.update(audio={"output": {"speed": 1.25}})
    assert sim.error() == ("invalid_value", "session.audio.output.speed")
    assert types(sim.update(audio={"output": {"speed": 1.0}})) == ["session.updated"]
    sim.run(30)
    assert types(sim.update(audio={"output": {"speed": 1.25}})) == ["session.updated"]


def test_a_running_response_keeps_what_it_began_with() -> None:
    sim = Sim(scripted([Say("Quite a long answer.")]), pace="realtime")
    sim.respond()
    sim.update(output_modalities=["text"], audio={"output": {"format": {"type": "audio/pcmu"}}})
    frames = sim.run(30)
    assert one(frames, "response.output_audio_transcript.done")
    resource = one(frames, "response.done")["response"]
    assert resource["audio"]["output"]["format"]["type"] == "audio/pcm"


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("gpt-realtime", False),
        ("gpt-realtime-2025-08-28", False),
        ("gpt-realtime-2", True),
        ("gpt-realtime-2.1-mini", True),
        ("gpt-realtime-2-2026-01-01", True),
        ("my-deployment", True),
    ],
)
def test_reasoning_is_for_reasoning_models(model: str, reasons: bool) -> None:
    sim = Sim(hello=Hello(model=model))
    frames = sim.update(reasoning={"effort": "low"}, parallel_tool_calls=True)
    assert types(frames) == (["session.updated"] if reasons else ["error"])
    assert ("reasoning" in effective(sim)) is reasons


def test_voices_and_models_are_open() -> None:
    sim = Sim(hello=Hello(model="a-model-of-tomorrow"))
    assert of(sim.update(audio={"output": {"voice": "tomorrow"}}), "session.updated")
    assert of(sim.update(audio={"output": {"voice": {"id": "voice_1"}}}), "session.updated")
    session = effective(sim)
    assert session["model"] == "a-model-of-tomorrow"
    assert session["audio"]["output"]["voice"] == {"id": "voice_1"}
