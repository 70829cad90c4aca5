"""Whatever a client sends, the session answers it, keeps its word and goes on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_client.codec import decode
from realtime_client.events import InvalidEvent, UnknownEvent
from realtime_client.simulator import sing
from tests.simulated import Frame, Sim, base64, silence, types

SONG = base64(sing("Hi"))


def message(role: str, *parts: Frame) -> Frame:
    return {"type": "message", "id": "m", "role": role, "content": list(parts)}


TEXT = {"type": "input_text", "text": "Hello"}
AUDIO = {"type": "input_audio", "audio": SONG}
CALL = {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "42"}
TOOL = {"type": "function", "name": "n", "description": "d", "parameters": {"type": "object"}}
MCP = {
    "type": "mcp",
    "server_label": "s",
    "server_url": "https://tools.test",
    "headers": {"x": "y"},
    "allowed_tools": {"tool_names": ["a"], "read_only": True},
    "allowed_callers": ["direct"],
    "require_approval": {"never": {"tool_names": ["a"]}},
    "defer_loading": False,
}
PCMU = {"type": "audio/pcmu"}
SESSION = {
    "type": "realtime",
    "output_modalities": ["text"],
    "instructions": "Be brief.",
    "tools": [TOOL, MCP],
    "tool_choice": {"type": "function", "name": "n"},
    "max_output_tokens": 100,
    "tracing": {"workflow_name": "w"},
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
    "prompt": {"id": "p", "variables": {"a": "b"}},
    "include": ["item.input_audio_transcription.logprobs"],
    "audio": {
        "input": {
            "format": PCMU,
            "transcription": {"model": "whisper-1", "language": "de"},
            "noise_reduction": {"type": "near_field", "strength": 0.5},
            "turn_detection": {"type": "server_vad", "threshold": 0.4, "idle_timeout_ms": 5000},
        },
        "output": {"format": PCMU, "voice": {"id": "v"}, "speed": 1.1},
    },
}
RESPONSE = {
    "conversation": "none",
    "input": [message("user", TEXT, AUDIO), CALL, OUTPUT, {"type": "item_reference", "id": "m"}],
    "instructions": "Say exactly the following: x",
    "output_modalities": ["audio"],
    "audio": {"output": {"format": PCMU, "voice": "marin"}},
    "max_output_tokens": "inf",
    "metadata": {"a": "b"},
    "tools": [TOOL],
    "tool_choice": "auto",
}
VALID: list[Frame] = [
    {"type": "session.update", "event_id": "e", "session": SESSION},
    {"type": "input_audio_buffer.append", "audio": SONG},
    {"type": "input_audio_buffer.append", "audio": base64(silence(600))},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": message("user", TEXT, AUDIO)},
    {"type": "conversation.item.create", "previous_item_id": "root", "item": CALL},
    {"type": "conversation.item.create", "item": OUTPUT},
    {"type": "conversation.item.delete", "item_id": "m"},
    {"type": "conversation.item.retrieve", "item_id": "m"},
    {
        "type": "conversation.item.truncate",
        "item_id": "item_1",
        "content_index": 0,
        "audio_end_ms": 100,
    },
    {"type": "response.create", "response": RESPONSE},
    {"type": "response.create"},
    {"type": "response.cancel", "response_id": "resp_1"},
]

WORDS = st.sampled_from(["message", "auto", "none", "root", "function", "item_1", "audio/pcm", ""])
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in an event where something else could stand."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, element in inner:
        yield (*path, key)
        if isinstance(element, dict | list):
            yield from places(element, (*path, key))


@st.composite
def odd_events(draw: st.DrawFn) -> Frame:
    """A valid event, or one with one place replaced, removed or added to."""
    event = copy.deepcopy(draw(st.sampled_from(VALID)))
    path = draw(st.sampled_from([(), *places(event)]))
    if not path:
        return event
    *way, last = path
    parent: Any = event
    for key in way:
        parent = parent[key]
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            parent[last] = draw(ODD)
        case "remove":
            del parent[last]
        case _ if isinstance(parent, dict):
            parent[draw(st.text())] = draw(ODD)
        case _:
            parent.append(draw(ODD))
    return event


def test_the_valid_ones_are_valid() -> None:
    for event in VALID:
        sim = Sim(pace="realtime")
        if event["type"] in ("conversation.item.delete", "conversation.item.retrieve"):
            sim.send("conversation.item.create", item=message("user", TEXT))
        if event["type"] in ("response.cancel", "conversation.item.truncate"):
            sim.respond()
            sim.run(0.2)
        if event["type"] == "input_audio_buffer.commit":
            sim.append(silence(200))
        if event.get("item") == OUTPUT:
            sim.send("conversation.item.create", item=CALL)
        if "response" in event:
            sim.send("conversation.item.create", item=message("user", TEXT))
        frames = sim.raw(msgspec.json.encode(event))
        assert "error" not in types(frames), (event, frames)


@given(st.lists(odd_events(), max_size=12), st.binary(max_size=40))
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_odd_events_are_answered_and_survived(odd: list[Frame], junk: bytes) -> None:
    sim = Sim(pace="wire")
    for event in odd:
        frames = sim.raw(msgspec.json.encode(event))
        if "error" in types(frames) and event.get("type") != "input_audio_buffer.append":
            assert types(frames) == ["error"], "a refused event does nothing else"
        sim.run(0.05)
    sim.raw(junk)
    sim.run(60)
    assert sim.session.close_wanted is None
    assert types(sim.update()) == ["session.updated"]
    for frame in sim.frames:
        assert not isinstance(decode(msgspec.json.encode(frame)), UnknownEvent | InvalidEvent)
    created = [name for name in types(sim.frames) if name == "response.created"]
    done = [name for name in types(sim.frames) if name == "response.done"]
    assert len(created) == len(done), "every response ends"


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\ud83d"', '"a\\u0000b"', '"\\ud83d\\ude00"'])
def test_strange_characters(text: str) -> None:
    part = '{"type":"input_text","text":' + text + "}"
    sim = Sim(pace="fast")
    sim.raw(
        '{"type":"conversation.item.create","item":'
        '{"type":"message","role":"user","content":[' + part + "]}}"
    )
    assert types(sim.respond())[-1] == "response.done"
